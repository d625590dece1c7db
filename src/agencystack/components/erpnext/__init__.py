"""ERPNext: the client of its REST interface and what it knows of mail."""

from agencystack.components.erpnext.client import ErpNext
from agencystack.components.erpnext.models import EmailAccount, EmailDomain, ImapFolder, SentMail
from agencystack.components.erpnext.refusals import ErpNextRefused
from agencystack.components.erpnext.site import FrappeSite

__all__ = ["EmailAccount", "EmailDomain", "ErpNext", "ErpNextRefused", "FrappeSite", "ImapFolder", "SentMail"]
