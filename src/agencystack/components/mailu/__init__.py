"""Mailu's REST API: domains, mailboxes, application tokens and aliases, with its quirks taken out."""

from agencystack.components.mailu.client import Mailu
from agencystack.components.mailu.models import Alias, Domain, Token, User

__all__ = ["Alias", "Domain", "Mailu", "Token", "User"]
