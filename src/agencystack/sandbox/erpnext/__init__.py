"""A stand-in for ERPNext: answers as the recorded product does, and really talks to the mail servers it is given."""

from agencystack.sandbox.erpnext.app import ErpNextStandIn
from agencystack.sandbox.erpnext.mail_servers import Patience

__all__ = ["ErpNextStandIn", "Patience"]
