"""Listmonk: mail settings, single sign-on settings, users and roles."""

from agencystack.components.listmonk.client import Listmonk
from agencystack.components.listmonk.mail import MailSettings, Smtp
from agencystack.components.listmonk.oidc import OidcSettings
from agencystack.components.listmonk.people import SUPER_ADMIN, People, Role, User

__all__ = ["SUPER_ADMIN", "Listmonk", "MailSettings", "OidcSettings", "People", "Role", "Smtp", "User"]
