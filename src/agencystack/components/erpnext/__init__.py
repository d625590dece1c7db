"""ERPNext: the client of its REST interface and what it knows of mail, logins and users."""

from agencystack.components.erpnext.client import ErpNext
from agencystack.components.erpnext.login import ConnectorSettings, ErpNextLogin, LoginSettings, SocialLoginKey
from agencystack.components.erpnext.models import EmailAccount, EmailDomain, ImapFolder, SentMail
from agencystack.components.erpnext.refusals import ErpNextRefused
from agencystack.components.erpnext.roles import RoleChange, WantedRoles, role_changes
from agencystack.components.erpnext.site import FrappeSite
from agencystack.components.erpnext.users import ErpNextUsers, User

__all__ = [
    "ConnectorSettings",
    "EmailAccount",
    "EmailDomain",
    "ErpNext",
    "ErpNextLogin",
    "ErpNextRefused",
    "ErpNextUsers",
    "FrappeSite",
    "ImapFolder",
    "LoginSettings",
    "RoleChange",
    "SentMail",
    "SocialLoginKey",
    "User",
    "WantedRoles",
    "role_changes",
]
