"""What a client shares between WordPress and ERPNext, and how its books are kept; the console changes it, too."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from agencystack.stack.strict import StrictModel
from agencystack.stack.values import OneLine, Written


class SideName(StrEnum):
    """The two sides of a pairing."""

    WORDPRESS = "wordpress"
    ERPNEXT = "erpnext"

    @property
    def other(self) -> SideName:
        """The side across."""
        return SideName.ERPNEXT if self is SideName.WORDPRESS else SideName.WORDPRESS


class Direction(StrEnum):
    """Which way a field (or an entity) goes."""

    BOTH = "both"
    TO_ERPNEXT = "to_erpnext"
    TO_WORDPRESS = "to_wordpress"
    OFF = "off"

    def reaches(self, side: SideName) -> bool:
        """Tell whether changes may be written to a side."""
        return self is Direction.BOTH or self is Direction(f"to_{side}")

    def narrowed(self, to: Direction) -> Direction:
        """Return what both this and another direction allow."""
        sides = [side for side in SideName if self.reaches(side) and to.reaches(side)]
        return {0: Direction.OFF, 2: Direction.BOTH}.get(len(sides)) or Direction(f"to_{sides[0]}")


class Policy(StrEnum):
    """What happens when both sides changed one field, differently."""

    OWNER = "owner"
    NEWER = "newer"
    ASK = "ask"


class Deletion(StrEnum):
    """What happens on the other side when a record is gone on one."""

    ARCHIVE = "archive"
    """Disabled, made a draft, put into the bin: out of sight, and can be had back."""
    DELETE = "delete"
    ASK = "ask"
    KEEP = "keep"


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


OrderStatus = Literal["pending", "failed", "on-hold", "processing", "cancelled", "completed", "refunded"]
"""WooCommerce's own."""


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
    fee_item: OneLine | None = Field(
        default=None, description="Item (not in stock) of fees, and of refunds that name no line."
    )
    unknown_item: OneLine | None = Field(
        default=None, description="Item (not in stock) of lines whose product was deleted; default: they wait."
    )
    rounding_account: OneLine | None = Field(
        default=None, description="Account of differences within the threshold: Round Off."
    )
    statuses: dict[OneLine, OrderStatus] = Field(
        default={}, description="Order status of a shop's plugin (packed) to the one of WooCommerce it counts as."
    )
    delivery_days: int = Field(default=0, ge=0, description="Days from an order to its delivery date.")
    time_zone: OneLine = Field(default="UTC", description="Zone in which days of documents begin: Europe/Zurich.")
    item_group: OneLine = Field(default="Products", description="Item Group of products without a category.")
    uom: OneLine = Field(default="Nos", description="Unit of products.")
    customer_group: OneLine = Field(default="Individual")
    territory: OneLine = Field(default="All Territories")
    submit: bool = Field(default=False, description="Documents are submitted; else they stay drafts.")
    invoice: Literal["never", "on_completed"] = Field(default="never")
    threshold: Decimal = Field(
        default=Decimal(0),
        ge=0,
        strict=False,
        description="What a shop's lines may miss of its total (a row of its own); beyond it the order waits.",
    )

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, ZoneInfoNotFoundError) as error:
            raise ValueError(f"{value} is no time zone: write one like Europe/Zurich") from error
        return value


class Guests(StrictModel):
    """Who a guest's order belongs to."""

    policy: Literal["by_email", "per_order", "one_customer"] = Field(
        default="by_email",
        description="The customer of that verified e-mail, else one per order; or one for all guests.",
    )
    customer: OneLine | None = Field(default=None, description="Customer of all guests, for one_customer.")


EntityName = Annotated[
    str,
    Written(
        "category|customer|product|variation|order|payment|refund|submission|post|page",
        "is nothing that can be shared",
        "category, customer, product, variation, order, payment, refund, submission, post or page",
    ),
]


class Sharing(StrictModel):
    """All that is shared between one WordPress and one ERPNext."""

    entities: dict[EntityName, EntitySharing] = Field(
        default={}, description="By entity; what is not named is not shared."
    )
    accounting: Accounting | None = Field(default=None)
    guests: Guests = Field(default=Guests())
    roles: Names = Field(
        default=("customer",), description="Users of WordPress of no other role than these are customers."
    )
    writes_per_minute: int | None = Field(
        default=None, ge=6, description="About so many records are written a minute; default: what both sides take."
    )
    brake_percent: int = Field(
        default=5, ge=0, le=100, description="A run that would remove more of the links asks first."
    )
    brake_records: int = Field(default=50, ge=0, description="A run that would remove more records asks first.")
