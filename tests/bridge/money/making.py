"""Random orders of random shops, with every trap money has, and what is needed to import them."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from agencystack.bridge.settings import Accounting, Payment
from tests.bridge.money.erpnext import Books
from tests.bridge.money.woocommerce import Line, Order, Rate, Shop, calculated, net_of

FULL = Rate(1, "CH-MWST-1", Decimal("8.1"))
LOW = Rate(2, "CH-MWST RED-1", Decimal("2.6"))
FIRST = Rate(3, "FR-T1-1", Decimal("8.1"))
SECOND = Rate(4, "FR-T2C-2", Decimal("2.6"), compound=True)
CLASSES: tuple[tuple[Rate, ...], ...] = ((FULL,), (LOW,), (), (FIRST, SECOND))
DIGITS = {"CHF": 2, "USD": 2, "JPY": 0}


def accounting(**changes: Any) -> Accounting:
    """Return how the books of the tests are kept."""
    settings: dict[str, Any] = {
        "company": "Lab GmbH",
        "currency": "CHF",
        "price_list": "Standard Selling",
        "warehouses": ("Stores - LG",),
        "taxes": {"CH-MWST-1": "VAT 8.1 - LG", "*": "VAT other - LG"},
        "payments": {"*": Payment(mode="Wire Transfer", account="Lab Bank - LG")},
        "shipping_item": "SHIPPING",
        "fee_item": "FEE",
    }
    return Accounting(**{**settings, **changes})


def books() -> Books:
    """Return an ERPNext that knows the currencies of the tests."""
    rates = [("USD", "2020-01-01", 0.88), ("USD", "2027-01-01", 9.0), ("JPY", "2020-01-01", 0.0061)]
    exchange = {
        f"{code}-{on}": {
            "from_currency": code,
            "to_currency": "CHF",
            "date": on,
            "exchange_rate": rate,
            "for_selling": 1,
        }
        for code, on, rate in rates
    }
    return Books(
        {
            "Price List": {"Standard Selling": {"name": "Standard Selling", "currency": "CHF"}},
            "Currency Exchange": exchange,
            "Company": {"Lab GmbH": {"name": "Lab GmbH", "default_receivable_account": "Debtors - LG"}},
        }
    )


def native(totals: dict[str, Any], id_: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a whole order as REST shows it, of totals as :func:`calculated` gives them."""
    return {
        "id": id_,
        "number": str(id_),
        "status": "processing",
        "date_created_gmt": "2026-11-22T20:05:12",
        "date_paid_gmt": "2026-11-22T20:06:00",
        "customer_id": 7,
        "billing": {"first_name": "Anna", "last_name": "Muster", "email": "Anna@example.test", "country": "CH"},
        "shipping": {},
        "payment_method": "bacs",
        "payment_method_title": "Vorkasse",
        "transaction_id": "",
        "customer_note": "",
        "meta_data": [],
        "refunds": [],
        **totals,
        **changes,
    }


def random_order(dice: random.Random) -> tuple[Shop, dict[str, Any]]:
    """Return a random shop, and the totals of a random order in it."""
    currency = dice.choice(("CHF", "CHF", "USD", "JPY"))
    shop = Shop(
        inclusive=dice.random() < 0.5, at_subtotal=dice.random() < 0.3, digits=DIGITS[currency], currency=currency
    )
    lines = [_line(dice, shop) for _ in range(dice.choice((1, 1, 2, 3, 5, 12)))]
    shipping = [Line(_price(dice, shop, 2000), dice.choice(CLASSES))] if dice.random() < 0.6 else []
    fees = [Line(_price(dice, shop, 1000), dice.choice(CLASSES)) for _ in range(dice.choice((0, 0, 0, 1, 2)))]
    if dice.random() < 0.2:
        fees.append(Line(-_price(dice, shop, 3000), (FULL,)))
    return shop, calculated(Order(shop, lines, shipping, fees))


def _line(dice: random.Random, shop: Shop) -> Line:
    rates = dice.choice(CLASSES)
    if dice.random() < 0.2:  # explicit totals: 3 for 10.00, 7 for 1.00
        quantity, amount = dice.choice(((3, "10.00"), (7, "1.00"), (3, "20.00"), (1, "0.00"), (999, "123.45")))
        return Line(shop.rounded(Decimal(amount)), rates, quantity, product=dice.randint(1, 50))
    quantity = dice.choice((1, 1, 2, 3, 7, 12, 100))
    price = _price(dice, shop, 20000, finer=dice.choice((0, 0, 1, 4)))
    total = net_of(price * quantity, rates) if shop.inclusive else price * quantity
    subtotal = total
    if dice.random() < 0.3:  # a coupon: percent, fixed, or all of it
        off = dice.choice((Decimal("0.1"), Decimal("0.333333"), Decimal("1"), Decimal("0.07")))
        total = (total * (1 - off)).quantize(Decimal("0.000001"))
    return Line(total, rates, quantity, subtotal, product=dice.randint(1, 50))


def _price(dice: random.Random, shop: Shop, most: int, finer: int = 0) -> Decimal:
    digits = shop.digits + finer
    return Decimal(dice.randint(0, most * 10**finer)).scaleb(-digits)
