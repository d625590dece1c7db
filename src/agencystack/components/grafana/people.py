"""Who uses Grafana, and with which role in which organisation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Person(_Row):
    """Somebody the whole server knows, as its search shows them."""

    id: int
    login: str
    email: str
    name: str = ""


class User(Person):
    """A user of the whole server."""

    is_grafana_admin: bool = False
    is_disabled: bool = False
    # Null where the user has a password of Grafana's own.
    auth_labels: tuple[str, ...] | None = None


class Membership(_Row):
    """A user's place in one organisation."""

    org_id: int
    name: str
    role: str


class Organisation(_Row):
    """An organisation; a new Grafana has ``Main Org.`` with the id 1."""

    id: int
    name: str
