"""How Grafana sends mail, as it runs now: from its file, and the environment over it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SmtpSettings(BaseModel):
    """``[smtp]`` of Grafana's configuration.

    Source: ``GET /api/admin/settings`` (``AdminGetSettings`` of ``pkg/api/admin.go``), which gives every value as text
    and masks the password.

    Attributes:
        host: with the port.
        user: it logs in as; empty for none.
    """

    model_config = ConfigDict(frozen=True)

    enabled: bool = False
    host: str = ""
    user: str = ""
    from_address: str = ""
    from_name: str = ""
