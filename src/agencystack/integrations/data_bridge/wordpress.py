"""WordPress and ERPNext are kept in step, both ways: plugin and app are joined to the bridge, and its worker runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.keyring import Access
from agencystack.bridge.serving.place import Place
from agencystack.components.erpnext.books import ErpNextBooks
from agencystack.components.erpnext.bridge import knows_bridge
from agencystack.components.erpnext.webhooks import Webhooks
from agencystack.components.erpnext.without_app import ApiUser, CustomFields
from agencystack.components.wordpress import SITE, Carrier
from agencystack.engine.context import Component
from agencystack.engine.integration import Blocked, Capability, Integration, Proof, Site, Support, integration
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.data_bridge.books import Leads, books_of
from agencystack.integrations.data_bridge.form_entry import ENTITY, LEAD, FormBecomesLead
from agencystack.integrations.data_bridge.joined import (
    ErpNextKeeper,
    FormerKeysGone,
    Joined,
    Joining,
    Keeper,
    KeysExpected,
    WordPressKeeper,
)
from agencystack.integrations.data_bridge.pairing import Pairing, Wanted, WorkersKeys
from agencystack.integrations.data_bridge.proofs import SIGNED, SidesAnswer
from agencystack.integrations.data_bridge.reaching import ErpNextReaches, WordPressReaches
from agencystack.integrations.data_bridge.round_trip import RoundTrip
from agencystack.integrations.data_bridge.shared_keys import SharedKeys
from agencystack.integrations.data_bridge.unit import USER
from agencystack.integrations.data_bridge.webhooks import HookSecret, hinting
from agencystack.integrations.data_bridge.without_app import BridgeFields, BridgeUser, UserKey
from agencystack.integrations.data_bridge.worker import LivingWorker, systemd_of_this_machine
from agencystack.integrations.erpnext_app import ConnectorApp, bench_of, bench_place, installed_app
from agencystack.integrations.wordpress_plugin import WordPressPlugin
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import Bridge
from agencystack.stack.sharing import Direction, Sharing

WITHOUT_APP = (
    "without our app agencystack_connector 0.3.0 or later in ERPNext the bridge asks it for changes every half minute, "
    "writes one document a request, and cannot join several in one transaction (docs/data-bridge.md)"
)

APP_WANTED = "erpnext_app"
"""The setting by which a client's ERPNext stays without our app: false."""

TRIPS = {
    "customer": "a customer there and back",
    "product": "a product there and back",
    "post": "a post there and back",
    "page": "a page there and back",
}
"""What a proof shows, by the entity it does it with."""


@integration("data-bridge", "wordpress", provider="erpnext", version=1)
class WordPressWithErpNext(Integration):
    """Join a client's WordPress and ERPNext."""

    purges = True
    capabilities = (
        Capability("both sides answer the bridge, signed", Support.SUPPORTED, proof=SIGNED),
        *(Capability(title, Support.SUPPORTED, proof=title) for title in TRIPS.values()),
        Capability("form entries become leads, and are noticed at once", Support.SUPPORTED, proof=LEAD),
    )

    def missing(self, site: Site) -> Iterator[str]:
        """Yield what stack.yaml must say: nothing is shared by guess."""
        if site.bridge is None:
            yield "bridge.url"
        if site.shares is None:
            yield f"clients.{site.client}.data_bridge"
        elif _needs_books(site.shares) and site.shares.accounting is None:
            yield f"clients.{site.client}.data_bridge.accounting"

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield plugin and app joined, what the workers know, the worker; last, former keys that nobody needs."""
        wordpress = products.wordpress(site.application, site.context)
        shares, place = _shares(site), place_of(site)
        yield WordPressPlugin(wordpress, Carrier.CONNECTOR)
        erpnext = products.erpnext(_erpnext(site), site.context)
        if site.setting(APP_WANTED, True):
            app = installed_app(_erpnext(site), site.context)
            yield ConnectorApp(erpnext, app, bench_of(_erpnext(site), site.context))
        books = ErpNextBooks(erpnext, has_app(site))
        if shares.accounting is not None:
            yield from books_of(books, shares.accounting, list(_directions(shares)))
        if ENTITY in _directions(shares):
            yield Leads(books)
        yield from _without_app(site)
        keepers: dict[SideName, Keeper] = {
            SideName.WORDPRESS: WordPressKeeper(wordpress),
            SideName.ERPNEXT: _erpnext_keeper(site),
        }
        for side, keeper in keepers.items():
            yield KeysExpected(ComponentRef(site.client, "bridge"), keeper, joining(site, side))
            without = WITHOUT_APP if side is SideName.ERPNEXT else ""
            yield Joined(keeper, joining(site, side), without, lambda: site.context.purge)
        wanted = Wanted(lambda: accesses(site), shares, lambda: signing(site))
        yield Pairing(site.client, place, wanted, lambda: site.context.purge)
        yield LivingWorker(place, _bridge(site).listen, systemd_of_this_machine())
        hook = joining(site, SideName.WORDPRESS).hook_url
        yield WordPressReaches(wordpress, hook, place, lambda: keepers[SideName.WORDPRESS].state() is not None)
        hook = joining(site, SideName.ERPNEXT).hook_url
        yield ErpNextReaches(keepers[SideName.ERPNEXT], hook, place, bench_place(_erpnext(site)))
        for side, keeper in keepers.items():
            yield FormerKeysGone(keeper, joining(site, side))

    def proofs(self, site: Site) -> Iterable[Proof]:
        """Ask both sides as a worker does."""
        place = place_of(site)
        yield SidesAnswer(site.client, place)
        for entity in _directions(_shares(site)):
            if entity in TRIPS:
                yield RoundTrip(TRIPS[entity], entity, site.client, site.domain, place)
        if ENTITY in _directions(_shares(site)):
            wordpress = products.wordpress(site.application, site.context)
            yield FormBecomesLead(site.client, site.domain, place, wordpress)

    def component_version(self, site: Site) -> str | None:
        """Return the version of WordPress."""
        return products.wordpress(site.application, site.context).answer(SITE).wordpress

    def purge(self, site: Site) -> str:
        """Forget the links, and all that was seen of the records; WordPress and ERPNext keep their records."""
        place = place_of(site)
        if not place.exists:
            return ""
        from agencystack.bridge.store.purging import purge  # imported late, as the store is

        with place.opened() as store:
            links = purge(store, site.client)
        for side in SideName:
            place.keyring.delete(site.client, side)
            shared_keys(site, side).forget()
        return f"{links} links are forgotten, and all that was seen of their records"

    def rotate(self, site: Site) -> Callable[[], None] | None:
        """Ask for new keys; both are good until the proof has passed."""
        exchanged = [back for side in SideName if (back := shared_keys(site, side).exchange())]
        if not exchanged:
            return None

        def take_back() -> None:
            for back in exchanged:
                back()

        return take_back


def place_of(site: Site) -> Place:
    """Return where the bridge keeps what it knows."""
    database = site.bridge.database if site.bridge else None
    return Place(site.context.home, site.context.resolve(database) if database else None)


def shared_keys(site: Site, side: SideName) -> SharedKeys:
    """Return the keys shared with one side."""
    return SharedKeys(site.sealed(f"{side}-keys"))


def joining(site: Site, side: SideName) -> Joining:
    """Return how one side shall be joined."""
    hook = f"{_bridge(site).url.rstrip('/')}/hooks/{site.client}/{side}"
    workers = WorkersKeys(site.client, side, place_of(site))
    return Joining(site.client, hook, _directions(_shares(site)), shared_keys(site, side), workers)


def accesses(site: Site) -> Mapping[SideName, Access]:
    """Return how the bridge reaches both sides."""
    wordpress, erpnext = site.application.settings, _erpnext(site).settings
    there = Access(
        url=wordpress.reached_by_us(),
        public_url=wordpress.url,
        keys=shared_keys(site, SideName.WORDPRESS).signing(),
        ca_file=wordpress.ca_file or "",
    )
    signs = has_app(site)()
    # Without the app the workers are a user of their own, never the System Manager whose key stack.yaml names.
    own = None if signs else user_key(site).get()
    here = Access(
        url=erpnext.reached_by_us(),
        public_url=erpnext.url,
        keys=shared_keys(site, SideName.ERPNEXT).signing() if signs else (),
        user=own[0] if own else "",
        password=own[1] if own else None,
        hooks=() if signs else hook_secret(site).keys(),
        ca_file=erpnext.ca_file or "",
    )
    return {SideName.WORDPRESS: there, SideName.ERPNEXT: here}


def user_key(site: Site) -> UserKey:
    """Return the key of the bridge's user in an ERPNext without our app."""
    return UserKey(site.sealed("erpnext-user"))


def hook_secret(site: Site) -> HookSecret:
    """Return the secret of ERPNext's own webhooks."""
    return HookSecret(site.sealed("erpnext-webhooks"))


def signing(site: Site) -> frozenset[SideName]:
    """Return the sides whose plugin or app signs: WordPress gets our plugin in any case."""
    return frozenset(SideName) if has_app(site)() else frozenset({SideName.WORDPRESS})


def has_app(site: Site) -> Callable[[], bool]:
    """Return what says whether ERPNext has our app in a version that knows the bridge."""
    app = installed_app(_erpnext(site), site.context)
    return lambda: knows_bridge(app.version())


def _erpnext(site: Site) -> Component:
    if site.provider is None:
        raise Blocked("there is no ERPNext for this client", component=site.application.ref)
    return site.provider


def _without_app(site: Site) -> Iterator[Resource]:
    erpnext, entities = products.erpnext(_erpnext(site), site.context), _directions(_shares(site))
    user = ApiUser(erpnext, f"{USER}@{site.domain}")
    tell = WorkersKeys(site.client, SideName.ERPNEXT, place_of(site)).take_credential
    yield BridgeUser(user, erpnext.users, user_key(site), entities, has_app(site), tell)
    yield BridgeFields(CustomFields(erpnext), entities, has_app(site))
    hook = joining(site, SideName.ERPNEXT).hook_url
    yield from hinting(Webhooks(erpnext), site.client, hook, entities, hook_secret(site), has_app(site))


def _erpnext_keeper(site: Site) -> ErpNextKeeper:
    return ErpNextKeeper(products.erpnext(_erpnext(site), site.context), has_app(site))


def _bridge(site: Site) -> Bridge:
    if site.bridge is None:
        raise Blocked(
            "stack.yaml does not say where the bridge listens",
            component=site.application.ref,
            remedy="add bridge: {url: ADDRESS}: as WordPress and ERPNext reach this machine (docs/data-bridge.md)",
        )
    return site.bridge


def _shares(site: Site) -> Sharing:
    if site.shares is None:
        raise Blocked(
            "stack.yaml does not say what this client shares",
            component=site.application.ref,
            remedy="add data_bridge to the client: which entities, which way, and how its books are kept "
            "(docs/data-bridge.md)",
        )
    return site.shares


def _directions(shares: Sharing) -> dict[str, str]:
    return {name: str(one.direction) for name, one in shares.entities.items() if one.direction is not Direction.OFF}


def _needs_books(shares: Sharing) -> bool:
    """Say whether something is shared that has a price."""
    return any(name in {"product", "variation", "order", "payment", "refund"} for name in _directions(shares))
