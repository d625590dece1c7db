"""Forget a person: every value the bridge keeps of them, of their orders and their messages.

The audit and the links keep ids; one that tells who somebody is, as an alias that whoever knows the person can find.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import or_, select

from agencystack.bridge.record import SideName
from agencystack.bridge.store.aliases import alias
from agencystack.bridge.store.links import Link
from agencystack.bridge.store.tables import base, conflict, link, operation
from agencystack.bridge.store.transaction import Transaction
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.people import forget

CUSTOMER = "customer"


def forget_person(context: Context, person: str, by: str) -> int:
    """Remove what is kept of a person.

    Args:
        context: the pairing.
        person: an e-mail, the id of a WordPress user, or the name of an ERPNext customer.
        by: who asks.

    Returns:
        How many records held something: the person's own, and those that name them.

    Raises:
        Unavailable: an e-mail was given, and a side that is asked whose it is is not well.
    """
    ids = _ids(context, person)
    with context.store.reading(context.pairing) as transaction:
        own = {one.id: one for side in SideName for one in _links(transaction, side, ids[side]).values()}
        words = [*own, *([person] if "@" in person else [])]
        others = _naming(context, transaction, words)
    # A record without a link may wait, or have been refused: it is forgotten by its own id.
    for side in SideName:
        forget(context, side, CUSTOMER, ids[side], by)
    found = {**own, **others}
    for one in found.values():
        side = SideName.WORDPRESS if one.on(SideName.WORDPRESS) else SideName.ERPNEXT
        forget(context, side, one.entity, [one.on(side)], by)
    if "@" in person:
        with context.store.writing(context.pairing) as transaction:
            transaction.erasing.texts({person.strip(): alias(context.pairing, SideName.WORDPRESS, person.strip())})
    return len(found)


def _ids(context: Context, person: str) -> Mapping[SideName, Sequence[str]]:
    if "@" not in person:
        return {
            SideName.WORDPRESS: [person] if person.isdigit() else [],
            SideName.ERPNEXT: [] if person.isdigit() else [person],
        }
    email = person.strip().lower()
    found = {side: list(context.form(side, CUSTOMER).candidates({"email": email})) for side in SideName}
    found[SideName.WORDPRESS].append(f"guest:{email}")
    return found


def _links(transaction: Transaction, side: SideName, ids: Sequence[str]) -> Mapping[str, Link]:
    return transaction.links.of_records(side, CUSTOMER, ids)


def _naming(context: Context, transaction: Transaction, words: Sequence[str]) -> dict[str, Link]:
    """Return the links that hold one of some words: orders of a customer, messages from an e-mail.

    They may hold it as agreed, as about to be written, or as what a person is to decide.
    """
    if not words:
        return {}
    places = {
        base.c.link: (base.c.fields,),
        operation.c.link: (operation.c.fields, operation.c.across),
        conflict.c.link: (conflict.c.wordpress_value, conflict.c.erpnext_value, conflict.c.decision),
    }
    found: set[str] = set()
    for of_link, columns in places.items():
        holds = or_(*(column.icontains(word, autoescape=True) for column in columns for word in words))
        query = select(link.c.id).join(of_link.table, of_link == link.c.id)
        found |= set(
            transaction.connection.execute(query.where(link.c.pairing == context.pairing, holds)).scalars().all()
        )
    return transaction.links.get(found)
