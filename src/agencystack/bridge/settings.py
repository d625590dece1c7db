"""What a client shares, and how its accounts are kept: read from ``stack.yaml``, changed by the console."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from agencystack.bridge.entity import Deletion, Direction, Policy
from agencystack.bridge.record import SideName
from agencystack.stack.strict import StrictModel
from agencystack.stack.values import OneLine

Names = Annotated[tuple[OneLine, ...], Field(strict=False)]


class FieldSharing(StrictModel):
    """How one field is shared, where that differs from what its entity declares."""

    direction: Direction | None = Field(default=None, strict=False)
    owner: SideName | None = Field(default=None, strict=False)
    policy: Policy | None = Field(default=None, strict=False)


class CustomField(StrictModel):
    """A field of the agency's own: WordPress meta and an ERPNext field."""

    wordpress: OneLine = Field(description="Meta key.")
    erpnext: OneLine = Field(description="Field name of the document: custom_size.")
    owner: SideName = Field(default=SideName.ERPNEXT, strict=False)
    direction: Direction = Field(default=Direction.BOTH, strict=False)
    policy: Policy = Field(default=Policy.OWNER, strict=False)
    personal: bool = Field(default=False)


class EntitySharing(StrictModel):
    """How one entity is shared, where that differs from what it declares."""

    direction: Direction = Field(default=Direction.OFF, strict=False, description="Which way its records go at all.")
    deletion: Deletion | None = Field(default=None, strict=False, description="What a deletion on one side does.")
    notify: bool = Field(default=False, description="Writes of the bridge may cause mails to people.")
    fields: dict[OneLine, FieldSharing] = Field(default={}, description="By canonical field.")
    custom: dict[OneLine, CustomField] = Field(default={}, description="Further fields, by a name of your choice.")


class Payment(StrictModel):
    """Where the money of one way of paying arrives."""

    mode: OneLine = Field(description="Mode of Payment in ERPNext.")
    account: OneLine = Field(description="Account it is paid to.")


class Accounting(StrictModel):
    """How a client's ERPNext keeps its books; nothing of it is guessed."""

    company: OneLine
    currency: OneLine = Field(description="The company's currency, as an ISO code.")
    price_list: OneLine = Field(description="Selling price list of regular prices.")
    sale_price_list: OneLine | None = Field(default=None, description="Price list of sale prices; default: none.")
    warehouses: Names = Field(
        min_length=1, description="Their stock is what the shop may sell; orders go to the first."
    )
    taxes: dict[OneLine, OneLine] = Field(
        default={}, description="WooCommerce tax rate code (CH-MWST-1; * for any other) to account."
    )
    payments: dict[OneLine, Payment] = Field(
        default={}, description="WooCommerce payment method (bacs; * for any other) to Mode of Payment and account."
    )
    refund_account: OneLine | None = Field(default=None, description="Account refunds are paid from; default: as paid.")
    shipping_item: OneLine | None = Field(default=None, description="Item (not in stock) of shipping costs.")
    fee_item: OneLine | None = Field(default=None, description="Item (not in stock) of fees.")
    item_group: OneLine = Field(default="Products", description="Item Group of products without a category.")
    uom: OneLine = Field(default="Nos", description="Unit of products.")
    customer_group: OneLine = Field(default="Individual")
    territory: OneLine = Field(default="All Territories")
    submit: bool = Field(default=False, description="Documents are submitted; else they stay drafts.")
    invoice: Literal["never", "on_completed"] = Field(default="never")
    threshold: Decimal = Field(
        default=Decimal(0), ge=0, strict=False, description="Totals may differ by so much; beyond it the order waits."
    )


class Guests(StrictModel):
    """Who a guest's order belongs to."""

    policy: Literal["by_email", "per_order", "one_customer"] = Field(
        default="by_email",
        description="The customer of that verified e-mail, else one per order; or one for all guests.",
    )
    customer: OneLine | None = Field(default=None, description="Customer of all guests, for one_customer.")


class Sharing(StrictModel):
    """All that is shared between one WordPress and one ERPNext."""

    entities: dict[OneLine, EntitySharing] = Field(
        default={}, description="By entity; what is not named is not shared."
    )
    accounting: Accounting | None = Field(default=None)
    guests: Guests = Field(default=Guests())
    brake_percent: int = Field(
        default=5, ge=0, le=100, description="A run that would remove more of the links asks first."
    )
    brake_records: int = Field(default=50, ge=0, description="A run that would remove more records asks first.")
