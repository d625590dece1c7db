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
from agencystack.components.woocommerce.webhooks import ShopWebhooks
from agencystack.components.wordpress import BRIDGE, SITE, Carrier, WordPress
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
    NobodysKeeper,
    WordPressKeeper,
)
from agencystack.integrations.data_bridge.pairing import Pairing, Wanted, WorkersKeys
from agencystack.integrations.data_bridge.proofs import SIGNED, SidesAnswer
from agencystack.integrations.data_bridge.reaching import ErpNextReaches, WordPressReaches
from agencystack.integrations.data_bridge.round_trip import RoundTrip
from agencystack.integrations.data_bridge.shared_keys import SharedKeys
from agencystack.integrations.data_bridge.unit import USER
from agencystack.integrations.data_bridge.webhooks import HookSecret, hinting, shop_hinting, shop_topics
from agencystack.integrations.data_bridge.without_app import BridgeFields, BridgeUser, UserKey
from agencystack.integrations.data_bridge.without_plugin import (
    NO_FORMS,
    WITHOUT,
    AsBridge,
    BridgeRestUser,
    OnceARun,
    PluginByHand,
    RestLogin,
    RestUserGone,
    objection,
)
from agencystack.integrations.data_bridge.worker import LivingWorker, systemd_of_this_machine
from agencystack.integrations.erpnext_app import ConnectorApp, bench_of, bench_place, installed_app
from agencystack.integrations.wordpress_plugin import WordPressPlugin, can_have_connector
from agencystack.stack.errors import ComponentRef
from agencystack.stack.model import Bridge
from agencystack.stack.products import WordPress as WordPressSettings
from agencystack.stack.sharing import Direction, Sharing

WITHOUT_APP = (
    "without our app agencystack_connector 0.3.0 or later in ERPNext the bridge asks it for changes every half minute, "
    "writes one document a request, and cannot join several in one transaction (docs/data-bridge.md)"
)

APP_WANTED = "erpnext_app"
"""The setting by which a client's ERPNext stays without our app: false."""

PLUGIN_WANTED = "wordpress_plugin"
"""The setting by which a client's WordPress stays without our plugin: false."""

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
        shares, place, wordpress = _shares(site), place_of(site), _wordpress(site)
        wrong = objection(site.application.ref, rest_login(site), _directions(shares)) if wordpress is None else None
        if wrong is not None:
            raise wrong
        if site.setting(PLUGIN_WANTED, True):
            ref = site.application.ref
            yield WordPressPlugin(wordpress, Carrier.CONNECTOR) if wordpress else PluginByHand(ref)
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
        yield from _without_plugin(site)
        keepers: dict[SideName, Keeper] = {
            SideName.WORDPRESS: WordPressKeeper(wordpress) if wordpress else NobodysKeeper(site.application.ref),
            SideName.ERPNEXT: _erpnext_keeper(site),
        }
        without = {SideName.WORDPRESS: lambda: _told_without_plugin(site), SideName.ERPNEXT: lambda: WITHOUT_APP}
        for side, keeper in keepers.items():
            yield KeysExpected(ComponentRef(site.client, "bridge"), keeper, joining(site, side))
            yield Joined(keeper, joining(site, side), without[side], lambda: site.context.purge)
        wanted = Wanted(lambda: accesses(site), shares, lambda: signing(site), hooking(site))
        yield Pairing(site.client, place, wanted, lambda: site.context.purge)
        yield LivingWorker(place, _bridge(site).listen, systemd_of_this_machine())
        if wordpress is not None:
            hook = joining(site, SideName.WORDPRESS).hook_url
            yield WordPressReaches(wordpress, hook, place, lambda: keepers[SideName.WORDPRESS].state() is not None)
        hook = joining(site, SideName.ERPNEXT).hook_url
        yield ErpNextReaches(keepers[SideName.ERPNEXT], hook, place, bench_place(_erpnext(site)))
        for side, keeper in keepers.items():
            yield FormerKeysGone(keeper, joining(site, side))
        if wordpress is not None:
            yield RestUserGone(wordpress, rest_login(site), needs_rest_user(site))

    def proofs(self, site: Site) -> Iterable[Proof]:
        """Ask both sides as a worker does; nobody is mailed for a proof, and without our plugin WooCommerce would."""
        place, wordpress = place_of(site), _wordpress(site)
        yield SidesAnswer(site.client, place)
        access = place.keyring.get(site.client, SideName.WORDPRESS)
        quiet = access is None or access.has_plugin
        for entity in _directions(_shares(site)):
            if entity in TRIPS and (quiet or entity != "customer" or site.application.settings.sandbox):
                yield RoundTrip(TRIPS[entity], entity, site.client, site.domain, place)
        if ENTITY in _directions(_shares(site)) and quiet and wordpress is not None:
            yield FormBecomesLead(site.client, site.domain, place, wordpress)

    def component_version(self, site: Site) -> str | None:
        """Return the version of WordPress; it tells that from inside alone."""
        wordpress = _wordpress(site)
        return wordpress.answer(SITE).wordpress if wordpress else None

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
    signs = has_plugin(site)()
    own = None if signs else rest_login(site).get()
    there = Access(
        url=wordpress.reached_by_us(),
        public_url=wordpress.url,
        keys=shared_keys(site, SideName.WORDPRESS).signing() if signs else (),
        user=own[0] if own else "",
        password=own[1] if own else None,
        hooks=() if signs else hook_secret(site, SideName.WORDPRESS).keys(),
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
        hooks=() if signs else hook_secret(site, SideName.ERPNEXT).keys(),
        ca_file=erpnext.ca_file or "",
    )
    return {SideName.WORDPRESS: there, SideName.ERPNEXT: here}


def user_key(site: Site) -> UserKey:
    """Return the key of the bridge's user in an ERPNext without our app."""
    return UserKey(site.sealed("erpnext-user"))


def rest_login(site: Site) -> RestLogin:
    """Return who the workers are to a WordPress without our plugin."""
    settings = products.settings_of(site.application, WordPressSettings)
    user, password = settings.api_user, settings.api_password
    given = (user, site.context.resolve(password)) if user and password else None
    return RestLogin(given, UserKey(site.sealed("wordpress-user")), _wordpress(site))


def hook_secret(site: Site, side: SideName) -> HookSecret:
    """Return the secret of a product's own webhooks."""
    return HookSecret(site.sealed(f"{side}-webhooks"))


def signing(site: Site) -> frozenset[SideName]:
    """Return the sides whose plugin or app signs."""
    signs = {SideName.WORDPRESS: has_plugin(site), SideName.ERPNEXT: has_app(site)}
    return frozenset(side for side, signs_itself in signs.items() if signs_itself())


def hooking(site: Site) -> frozenset[SideName]:
    """Return the sides that tell something of what is shared by webhooks of their own; WordPress itself has none."""
    told = {SideName.ERPNEXT, *([SideName.WORDPRESS] if shop_topics(_directions(_shares(site))) else [])}
    return frozenset(told)


def has_plugin(site: Site) -> Callable[[], bool]:
    """Return what says whether WordPress has our plugin in a version that knows the bridge, or gets it in this run."""
    wordpress = _wordpress(site)
    if wordpress is None:
        return lambda: False
    gets = bool(site.setting(PLUGIN_WANTED, True))

    def ask() -> bool:
        return wordpress.answer(BRIDGE) is not None or (gets and can_have_connector(wordpress))

    return site.context.connection(site.application.ref, lambda: OnceARun(ask), "has plugin")


def needs_rest_user(site: Site) -> Callable[[], bool]:
    """Return what says whether the workers need a user of WordPress that we make."""
    plugin, given = has_plugin(site), rest_login(site).given
    return lambda: given is None and not plugin()


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
    secret = hook_secret(site, SideName.ERPNEXT)
    yield from hinting(Webhooks(erpnext), site.client, hook, entities, secret, has_app(site))


def _without_plugin(site: Site) -> Iterator[Resource]:
    wordpress, entities, login = _wordpress(site), _directions(_shares(site)), rest_login(site)
    if wordpress is not None:
        tell = WorkersKeys(site.client, SideName.WORDPRESS, place_of(site)).take_credential
        yield BridgeRestUser(wordpress, login, entities, needs_rest_user(site), tell)
    where, settings = site.application.ref, products.settings_of(site.application, WordPressSettings)
    webhooks = site.context.connection(
        where, lambda: ShopWebhooks(where, AsBridge(where, settings, login)), "shop webhooks"
    )
    hook, secret = joining(site, SideName.WORDPRESS).hook_url, hook_secret(site, SideName.WORDPRESS)
    yield from shop_hinting(webhooks, site.client, hook, entities, secret, has_plugin(site))


def _wordpress(site: Site) -> WordPress | None:
    """Return the client of WordPress's PHP; None where stack.yaml does not lead to it."""
    return products.wordpress(site.application, site.context) if site.application.settings.exec else None


def _told_without_plugin(site: Site) -> str:
    """Return what the plan warns of where our plugin is not and does not come."""
    if has_plugin(site)():
        return ""
    return WITHOUT + (NO_FORMS if ENTITY in _directions(_shares(site)) else "")


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
