"""All entities, and the forms of one pairing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from agencystack.bridge.entities.catalogue_wordpress import nothing_imported, since_ever, utc
from agencystack.bridge.entities.category import CATEGORY
from agencystack.bridge.entities.category_erpnext import CategoryOnErpNext
from agencystack.bridge.entities.category_wordpress import CategoryOnWordPress
from agencystack.bridge.entities.customer import CUSTOMER
from agencystack.bridge.entities.customer_erpnext import CustomerOnErpNext
from agencystack.bridge.entities.customer_wordpress import SHARED_ROLES, CustomerOnWordPress
from agencystack.bridge.entities.order import ORDER
from agencystack.bridge.entities.order_erpnext import OrderOnErpNext
from agencystack.bridge.entities.order_wordpress import OrderOnWordPress
from agencystack.bridge.entities.page import PAGE
from agencystack.bridge.entities.page_erpnext import PageOnErpNext
from agencystack.bridge.entities.page_wordpress import PageOnWordPress
from agencystack.bridge.entities.payment import PAYMENT
from agencystack.bridge.entities.payment_erpnext import PaymentOnErpNext
from agencystack.bridge.entities.payment_wordpress import PaymentOnWordPress
from agencystack.bridge.entities.post import POST
from agencystack.bridge.entities.post_erpnext import PostOnErpNext
from agencystack.bridge.entities.post_wordpress import PostOnWordPress
from agencystack.bridge.entities.product import PRODUCT
from agencystack.bridge.entities.product_erpnext import ProductOnErpNext
from agencystack.bridge.entities.product_wordpress import ProductOnWordPress
from agencystack.bridge.entities.refund import REFUND
from agencystack.bridge.entities.refund_erpnext import RefundOnErpNext
from agencystack.bridge.entities.refund_wordpress import RefundOnWordPress
from agencystack.bridge.entities.shared import Custom
from agencystack.bridge.entities.stock import Imported
from agencystack.bridge.entities.submission import SUBMISSION
from agencystack.bridge.entities.submission_erpnext import SubmissionOnErpNext
from agencystack.bridge.entities.submission_wordpress import SubmissionOnWordPress
from agencystack.bridge.entities.variation import VARIATION
from agencystack.bridge.entities.variation_erpnext import VariationOnErpNext
from agencystack.bridge.entities.variation_wordpress import VariationOnWordPress
from agencystack.bridge.entity import Entity
from agencystack.bridge.settings import Sharing
from agencystack.bridge.sides.erpnext.documents import Document, Documents
from agencystack.bridge.sides.erpnext.form import ErpNextForm
from agencystack.bridge.sides.wordpress.form import WordPressForm
from agencystack.bridge.sides.wordpress.records import Records

ENTITIES: Mapping[str, Entity] = {
    one.name: one for one in (CATEGORY, CUSTOMER, PRODUCT, VARIATION, ORDER, PAYMENT, REFUND, SUBMISSION, POST, PAGE)
}
"""Those that others need come first."""


@dataclass(frozen=True)
class ShopPlace:
    """What the forms must know of a WordPress beside the way to it.

    Args:
        site: the pairing's short name; names of Sales Orders begin with it.
        zone: tells its time zone.
        roles: users of these roles alone are customers.
        imported: tells which of its orders ERPNext counts; :func:`counted_orders`.
        orders_since: the id of the oldest order that ERPNext may not count yet; empty: all are asked about.
    """

    site: str
    zone: Callable[[], tzinfo] = utc
    roles: Collection[str] = SHARED_ROLES
    imported: Imported = nothing_imported
    orders_since: Callable[[], str] = since_ever


@dataclass(frozen=True)
class ErpNextPlace:
    """What the forms must know of an ERPNext beside the way to it.

    Args:
        site: the pairing's short name.
        url: its address, for images it keeps itself.
        zone: its time zone.
        website_users: new customers get a Website User.
    """

    site: str
    url: str = ""
    zone: ZoneInfo | None = None
    website_users: bool = False


def forms_for_wordpress(records: Records, sharing: Sharing, place: ShopPlace) -> Mapping[str, WordPressForm]:
    """Return how WordPress keeps each entity.

    Args:
        records: the way to its records.
        sharing: what is shared.
        place: what else is known of it.
    """
    currency = sharing.accounting.currency if sharing.accounting else ""
    forms: list[WordPressForm] = [
        CategoryOnWordPress(records, _custom(sharing, "category")),
        CustomerOnWordPress(records, roles=place.roles, custom=_custom(sharing, "customer")),
        *(
            form(
                records,
                currency=currency,
                imported=place.imported,
                orders_since=place.orders_since,
                zone=place.zone,
                custom=_custom(sharing, form.entity),
            )
            for form in (ProductOnWordPress, VariationOnWordPress)
        ),
        OrderOnWordPress(records, place.site, sharing.guests, custom=_custom(sharing, "order")),
        PaymentOnWordPress(records, place.site),
        RefundOnWordPress(records, place.site),
        SubmissionOnWordPress(records, _custom(sharing, "submission")),
        PostOnWordPress(records, _custom(sharing, "post")),
        PageOnWordPress(records, _custom(sharing, "page")),
    ]
    return {form.entity: form for form in forms}


def forms_for_erpnext(documents: Documents, sharing: Sharing, place: ErpNextPlace) -> Mapping[str, ErpNextForm]:
    """Return how ERPNext keeps each entity; without accounting settings only what needs none.

    Args:
        documents: the way to its documents.
        sharing: what is shared.
        place: what else is known of it.
    """
    accounting = sharing.accounting
    forms: list[ErpNextForm] = [
        SubmissionOnErpNext(documents, zone=place.zone, custom=_custom(sharing, "submission")),
        PostOnErpNext(documents, site=place.url, zone=place.zone, custom=_custom(sharing, "post")),
        PageOnErpNext(documents, site=place.url, zone=place.zone, custom=_custom(sharing, "page")),
        CustomerOnErpNext(
            documents, accounting, website_users=place.website_users, custom=_custom(sharing, "customer")
        ),
    ]
    if accounting is not None:
        forms += [
            CategoryOnErpNext(documents, accounting, _custom(sharing, "category")),
            *(
                form(documents, accounting, site=place.url, zone=place.zone, custom=_custom(sharing, form.entity))
                for form in (ProductOnErpNext, VariationOnErpNext)
            ),
            OrderOnErpNext(documents, accounting, place.site, sharing.guests, custom=_custom(sharing, "order")),
            PaymentOnErpNext(documents, accounting, place.site),
            RefundOnErpNext(documents, accounting, place.site),
        ]
    return {form.entity: form for form in forms}


def counted_orders(documents: Documents, site: str) -> Imported:
    """Return what tells which orders of WordPress ERPNext counts: those with a submitted Sales Order.

    Args:
        documents: the way to ERPNext's documents.
        site: the pairing's short name.
    """

    def counted(orders: Sequence[str]) -> Collection[str]:
        keys = {f"WC-{site}-{order}": order for order in orders}
        found: set[str] = set()
        # By our name; by number where a series named it (REST alone); of an amended one its amendment counts.
        for column in ("name", "po_no", "amended_from"):
            wanted = sorted(key for key, order in keys.items() if order not in found)
            found |= (
                {keys[str(row[column])] for row in _submitted(documents, [column, "in", wanted])} if wanted else set()
            )
        for key, order in keys.items():
            if order not in found and _submitted(documents, ["po_no", "like", f"{key} (%"]):
                found.add(order)
        return found

    return counted


def _submitted(documents: Documents, which: Sequence[Any]) -> Sequence[Document]:
    columns = ["name", "po_no", "amended_from"]
    return documents.select("Sales Order", [which, ["docstatus", "=", 1]], columns)


def _custom(sharing: Sharing, entity: str) -> Custom:
    return sharing.entities[entity].custom if entity in sharing.entities else {}
