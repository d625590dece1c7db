"""Connect a pairing to its two products: through plugin and app where they are, else by REST alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import httpx

from agencystack.bridge.entities.catalogue import (
    ENTITIES,
    ErpNextPlace,
    ShopPlace,
    counted_orders,
    forms_for_erpnext,
    forms_for_wordpress,
)
from agencystack.bridge.entities.submission import SUBMISSION
from agencystack.bridge.entity import Entity
from agencystack.bridge.record import SideName
from agencystack.bridge.serving.keyring import Access, Keyring
from agencystack.bridge.side import Side
from agencystack.bridge.sides.erpnext.app import AppCalls, AppDocuments
from agencystack.bridge.sides.erpnext.exchange import Exchange
from agencystack.bridge.sides.erpnext.polling import PolledChanges as PolledErpNext
from agencystack.bridge.sides.erpnext.rest import RestDocuments
from agencystack.bridge.sides.erpnext.side import ErpNextSide
from agencystack.bridge.sides.erpnext.zone import zone_of
from agencystack.bridge.sides.outbox import OutboxChanges
from agencystack.bridge.sides.wordpress.calls import PluginCalls
from agencystack.bridge.sides.wordpress.plugin import PluginRecords
from agencystack.bridge.sides.wordpress.polling import PolledChanges as PolledShop
from agencystack.bridge.sides.wordpress.records import Kind
from agencystack.bridge.sides.wordpress.rest import RestRecords
from agencystack.bridge.sides.wordpress.side import WordPressSide
from agencystack.bridge.sides.wordpress.zone import ShopZone
from agencystack.bridge.store import Store
from agencystack.bridge.work.uncounted import OrdersSince
from agencystack.components.woocommerce import RestApi, credential
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret
from agencystack.stack.sharing import Direction, Sharing


@dataclass(frozen=True)
class Connection:
    """The two sides of a pairing.

    Args:
        sides: by name.
        close: closes what they are connected by.
    """

    sides: Mapping[SideName, Side]
    close: Callable[[], None]


@dataclass(frozen=True)
class Ways:
    """Other ways than the network, and another clock than the machine's; for tests.

    Args:
        transports: carry requests to a side.
        clock: seconds since 1970.
    """

    transports: Mapping[SideName, httpx.BaseTransport] = field(default_factory=dict)
    clock: Callable[[], float] = time.time


def kept(accesses: Mapping[SideName, Access]) -> Mapping[str, Entity]:
    """Return the entities that both sides keep: only our plugin keeps what people fill into forms."""
    has_plugin = accesses[SideName.WORDPRESS].has_plugin
    return {name: entity for name, entity in ENTITIES.items() if has_plugin or name != SUBMISSION.name}


def connect(
    pairing: str,
    accesses: Mapping[SideName, Access],
    sharing: Sharing,
    ways: Ways | None = None,
    store: Store | None = None,
) -> Connection:
    """Connect a pairing.

    Args:
        pairing: its id, which is the client's.
        accesses: how its sides are reached.
        sharing: what is shared.
        ways: other ways to them than the network.
        store: knows which orders are on their way; without it any order may hold pieces that ERPNext does not count.

    Raises:
        Unavailable: ERPNext does not tell its time zone.
    """
    ways = ways or Ways()
    with ExitStack() as stack:
        documents, of_erpnext = _erpnext(pairing, accesses[SideName.ERPNEXT], sharing, ways, stack)
        access = accesses[SideName.WORDPRESS]
        place = ShopPlace(pairing, roles=sharing.roles, imported=counted_orders(documents, pairing))
        if store is not None and _shares(sharing, "order"):
            since = OrdersSince(store, pairing, documents, marked=bool(access.keys))
            place = replace(place, orders_since=since)
        of_wordpress = _wordpress(pairing, access, sharing, place, ways, stack)
        close = stack.pop_all().close
    return Connection({SideName.WORDPRESS: of_wordpress, SideName.ERPNEXT: of_erpnext}, close)


@contextmanager
def connected(keyring: Keyring, pairing: str, sharing: Sharing) -> Iterator[Mapping[SideName, Side]]:
    """Connect a pairing for a while.

    Raises:
        ConfigurationError: it was never set up.
        Unavailable: ERPNext does not tell its time zone.
    """
    made = connect(pairing, {side: keyring.needed(pairing, side) for side in SideName}, sharing)
    try:
        yield made.sides
    finally:
        made.close()


def _wordpress(
    pairing: str, access: Access, sharing: Sharing, place: ShopPlace, ways: Ways, stack: ExitStack
) -> WordPressSide:
    where, way = ComponentRef(pairing, "wordpress"), ways.transports.get(SideName.WORDPRESS)
    if access.keys:
        api = RestApi(where, access.url, ca_file=access.ca_path, transport=way, clock=ways.clock)
        calls, place = PluginCalls(api, access.keys[0]), replace(place, zone=ShopZone(api))
        stack.callback(api.close)
        return WordPressSide(forms_for_wordpress(PluginRecords(calls), sharing, place), OutboxChanges(calls))
    asks = credential(access.user, access.password or Secret(""))
    api = RestApi(where, access.url, asks, ca_file=access.ca_path, transport=way, clock=ways.clock)
    stack.callback(api.close)
    records, place = RestRecords(api), replace(place, zone=ShopZone(api))
    polled = PolledShop(records, _kinds(sharing), clock=ways.clock)
    return WordPressSide(forms_for_wordpress(records, sharing, place), polled)


def _erpnext(
    pairing: str, access: Access, sharing: Sharing, ways: Ways, stack: ExitStack
) -> tuple[AppDocuments | RestDocuments, ErpNextSide]:
    authorization = None if access.keys else _token(access)
    exchange = Exchange(
        ComponentRef(pairing, "erpnext"),
        access.url,
        authorization,
        access.ca_path,
        access.host or None,
        ways.transports.get(SideName.ERPNEXT),
    )
    stack.callback(exchange.close)
    if access.keys:
        calls = AppCalls(exchange, access.keys[0])
        # A guest is told Frappe's own default, whatever the site's zone is.
        told = calls.ask("changes", {"acknowledge": [], "limit": 0})
        place = ErpNextPlace(pairing, access.public_url, zone_of(told, exchange.where))
        documents = AppDocuments(calls)
        stack.callback(documents.close)
        return documents, ErpNextSide(forms_for_erpnext(documents, sharing, place), OutboxChanges(calls))
    alone = RestDocuments(exchange)
    stack.callback(alone.close)
    place = ErpNextPlace(pairing, access.public_url, alone.zone())
    forms = forms_for_erpnext(alone, sharing, place)
    shared = {name: form for name, form in forms.items() if name in sharing.entities}
    return alone, ErpNextSide(forms, PolledErpNext(alone, shared, access.public_url))


def _token(access: Access) -> Secret:
    password = access.password.reveal() if access.password else ""
    return Secret(f"token {access.user}:{password}")


def _shares(sharing: Sharing, entity: str) -> bool:
    return entity in sharing.entities and sharing.entities[entity].direction is not Direction.OFF


def _kinds(sharing: Sharing) -> list[Kind]:
    """Return the kinds of records that are shared; a payment is read from its order."""
    names = {name for name, one in sharing.entities.items() if one.direction is not Direction.OFF}
    return [kind for kind in Kind if kind in names or (kind is Kind.ORDER and "payment" in names)]
