"""What never leaves the host: values of secrets and of personal data in log lines, replaced before anything is sent."""

from __future__ import annotations

from agencystack.logs.model import Replace

MASK = "***"

QUERY_VALUES = Replace(r"""[?&;][\w%.\[\]-]+=([^&;\s"'<>]+)""", MASK)
"""Values of a URL's query, whatever their names: searches, e-mail addresses, reset keys, nonces."""

COMMON: tuple[Replace, ...] = (QUERY_VALUES,)
"""Every line of every format goes through these."""
