"""What a client shares, and how its books are kept, as ``stack.yaml`` has it: see :mod:`agencystack.stack.sharing`."""

from agencystack.stack.sharing import (
    Accounting,
    CustomField,
    EntitySharing,
    FieldSharing,
    Guests,
    Payment,
    Sharing,
)

__all__ = ["Accounting", "CustomField", "EntitySharing", "FieldSharing", "Guests", "Payment", "Sharing"]
