"""What a shop holds, all of it plain JSON, so that a backup can be taken and put back."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from agencystack.sandbox.woocommerce.money import Rate, Rounding, amount
from agencystack.sandbox.woocommerce.wire import Json

Table = dict[str, Json]
FIRST_CATEGORY = 15


@dataclass
class Data:
    """The tables; every key is an id as text."""

    products: Table = field(default_factory=dict)
    variations: Table = field(default_factory=dict)
    categories: Table = field(default_factory=dict)
    tags: Table = field(default_factory=dict)
    attributes: Table = field(default_factory=dict)
    users: Table = field(default_factory=dict)
    orders: Table = field(default_factory=dict)
    refunds: Table = field(default_factory=dict)
    notes: Table = field(default_factory=dict)
    coupons: Table = field(default_factory=dict)
    rates: Table = field(default_factory=dict)
    webhooks: Table = field(default_factory=dict)
    posts: Table = field(default_factory=dict)
    post_categories: Table = field(default_factory=dict)
    submissions: Table = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    marks: list[Json] = field(default_factory=list)
    mails: list[Json] = field(default_factory=list)
    nonces: dict[str, float] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)


SETTINGS: Json = {
    "woocommerce_prices_include_tax": "no",
    "woocommerce_tax_based_on": "shipping",
    "woocommerce_tax_round_at_subtotal": "no",
    "woocommerce_calc_taxes": "yes",
    "woocommerce_currency": "CHF",
    "woocommerce_price_num_decimals": "2",
    "woocommerce_default_country": "CH",
    "woocommerce_weight_unit": "kg",
    "woocommerce_dimension_unit": "cm",
    "woocommerce_manage_stock": "yes",
    "woocommerce_notify_low_stock_amount": "2",
    "woocommerce_notify_no_stock_amount": "0",
    "woocommerce_feature_custom_order_tables_enabled": "yes",
}


class State:
    """The data of one shop, its clock and its numbers.

    Args:
        url: its address.
        zone: its time zone.
        now: the time, UTC.
    """

    def __init__(self, url: str, zone: str, now: Callable[[], datetime]) -> None:
        self.url = url.rstrip("/")
        self.zone = ZoneInfo(zone)
        self.now = now
        self.data = Data(settings=dict(SETTINGS), numbers={"post": 11, "term": FIRST_CATEGORY, "user": 0})
        self.data.categories[str(FIRST_CATEGORY)] = category(FIRST_CATEGORY, "Uncategorized", "uncategorized")
        self.data.post_categories["1"] = {"id": 1, "name": "Uncategorized", "slug": "uncategorized"}

    def snapshot(self) -> Json:
        """Return all data, for a backup or a clone."""
        return copy.deepcopy(asdict(self.data))

    def restore(self, snapshot: Json) -> None:
        """Put a backup back."""
        self.data = Data(**copy.deepcopy(snapshot))

    def number(self, of: str) -> int:
        """Return the next id: posts, products, variations, orders, refunds and media share one row of numbers."""
        self.data.numbers[of] = self.data.numbers.get(of, 0) + 1
        return self.data.numbers[of]

    # Time. --------------------------------------------------------------------------------------------------------

    def second(self) -> str:
        """Return the time now as it is stored: UTC, to the second."""
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")

    def local(self, gmt: str | None) -> str | None:
        """Return a stored time in the site's zone, without saying which."""
        if gmt is None:
            return None
        there = datetime.fromisoformat(gmt).replace(tzinfo=UTC).astimezone(self.zone)
        return there.strftime("%Y-%m-%dT%H:%M:%S")

    def gmt(self, local: str) -> str:
        """Return a time that is given without a zone (or with one) as it is stored."""
        given = datetime.fromisoformat(local)
        there = given if given.tzinfo else given.replace(tzinfo=self.zone)
        return there.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")

    def both(self, name: str, gmt: str | None) -> Json:
        """Return a time as REST shows it."""
        return {f"date_{name}": self.local(gmt), f"date_{name}_gmt": gmt}

    def later(self, seconds: float) -> datetime:
        """Return a time from now."""
        return self.now() + timedelta(seconds=seconds)

    # Settings. ----------------------------------------------------------------------------------------------------

    def setting(self, name: str) -> str:
        """Return a setting of WooCommerce, by its name without the prefix."""
        return str(self.data.settings[f"woocommerce_{name}"])

    @property
    def rounding(self) -> Rounding:
        """How the shop rounds now."""
        return Rounding(
            decimals=int(self.setting("price_num_decimals")),
            inclusive=self.setting("prices_include_tax") == "yes",
            at_subtotal=self.setting("tax_round_at_subtotal") == "yes",
        )

    def rates(self, tax_class: str, country: str, *, shipping: bool = False) -> list[Rate]:
        """Return the tax rates of a class in a country, one per priority."""
        wanted = tax_class or "standard"
        found: dict[int, Json] = {}
        for rate in sorted(self.data.rates.values(), key=lambda one: (one["priority"], one["order"], one["id"])):
            if rate["class"] == wanted and rate["country"] in {"", country} and (rate["shipping"] or not shipping):
                found.setdefault(rate["priority"], rate)
        return [Rate(one["id"], amount(one["rate"]), one["compound"]) for one in found.values()]

    # Meta. --------------------------------------------------------------------------------------------------------

    def merged_meta(self, kept: list[Json], given: Any) -> list[Json]:
        """Return meta with what was sent: by id or key it takes the place of what is there, null removes it."""
        rows = [dict(one) for one in kept]
        for one in given or ():
            same = [row for row in rows if row["id"] == one.get("id") or row["key"] == one.get("key")]
            if one.get("value") is None:
                rows = [row for row in rows if row not in same]
            elif same:
                same[0]["value"] = one["value"]
            else:
                rows.append({"id": self.number("meta"), "key": str(one.get("key", "")), "value": one["value"]})
        return rows


def category(id_: int, name: str, slug: str, parent: int = 0) -> Json:
    """Return a new category."""
    return {
        "id": id_,
        "name": name,
        "slug": slug,
        "parent": parent,
        "description": "",
        "display": "default",
        "image": None,
        "menu_order": 0,
    }


def secret_word(length: int = 13) -> str:
    """Return a random word, as in an order's key."""
    return secrets.token_urlsafe(length)[:length].replace("-", "a").replace("_", "b")
