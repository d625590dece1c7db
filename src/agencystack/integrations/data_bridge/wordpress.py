"""WordPress and ERPNext are kept in step, both ways: plugin and app are joined to the bridge, and its worker runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from agencystack.bridge.record import SideName
from agencystack.components.erpnext.books import ErpNextBooks
from agencystack.components.erpnext.webhooks import Webhooks
from agencystack.components.erpnext.without_app import ApiUser, CustomFields
from agencystack.components.woocommerce.webhooks import ShopWebhooks
from agencystack.components.wordpress import SITE, Carrier
from agencystack.engine.integration import Capability, Integration, Proof, Site, Support, integration
from agencystack.engine.resource import Resource
from agencystack.integrations import products
from agencystack.integrations.data_bridge.books import Leads, books_of
from agencystack.integrations.data_bridge.described import (
    APP_WANTED,
    PLUGIN_WANTED,
    accesses,
    bridge_of,
    directions,
    erpnext_of,
    has_app,
    has_plugin,
    hook_secret,
    hooking,
    joining,
    needs_books,
    needs_rest_user,
    place_of,
    rest_login,
    shared_keys,
    sharing_of,
    signing,
    user_key,
    wordpress_of,
)
from agencystack.integrations.data_bridge.form_entry import ENTITY, LEAD, FormBecomesLead
from agencystack.integrations.data_bridge.joined import (
    ErpNextKeeper,
    FormerKeysGone,
    Joined,
    Keeper,
    KeysExpected,
    NobodysKeeper,
    WordPressKeeper,
)
from agencystack.integrations.data_bridge.pairing import Pairing, Wanted, WorkersKeys
from agencystack.integrations.data_bridge.proofs import SIGNED, SidesAnswer
from agencystack.integrations.data_bridge.reaching import ErpNextReaches, WordPressReaches
from agencystack.integrations.data_bridge.round_trip import RoundTrip
from agencystack.integrations.data_bridge.unit import USER
from agencystack.integrations.data_bridge.webhooks import hinting, shop_hinting
from agencystack.integrations.data_bridge.without_app import BridgeFields, BridgeUser
from agencystack.integrations.data_bridge.without_plugin import (
    NO_FORMS,
    WITHOUT,
    AsBridge,
    BridgeRestUser,
    PluginByHand,
    RestUserGone,
    objection,
)
from agencystack.integrations.data_bridge.worker import LivingWorker, systemd_of_this_machine
from agencystack.integrations.erpnext_app import ConnectorApp, bench_of, bench_place, installed_app
from agencystack.integrations.wordpress_plugin import WordPressPlugin
from agencystack.stack.errors import ComponentRef
from agencystack.stack.products import WordPress as WordPressSettings

WITHOUT_APP = (
    "without our app agencystack_connector 0.3.0 or later in ERPNext the bridge asks it for changes every half minute, "
    "writes one document a request, and cannot join several in one transaction (docs/data-bridge.md)"
)

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
        elif needs_books(site.shares) and site.shares.accounting is None:
            yield f"clients.{site.client}.data_bridge.accounting"

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield plugin and app joined, what the workers know, the worker; last, former keys that nobody needs."""
        shares, place, wordpress = sharing_of(site), place_of(site), wordpress_of(site)
        wrong = objection(site.application.ref, rest_login(site), directions(shares)) if wordpress is None else None
        if wrong is not None:
            raise wrong
        if site.setting(PLUGIN_WANTED, True):
            ref = site.application.ref
            yield WordPressPlugin(wordpress, Carrier.CONNECTOR) if wordpress else PluginByHand(ref)
        erpnext = products.erpnext(erpnext_of(site), site.context)
        if site.setting(APP_WANTED, True):
            app = installed_app(erpnext_of(site), site.context)
            yield ConnectorApp(erpnext, app, bench_of(erpnext_of(site), site.context))
        books = ErpNextBooks(erpnext, has_app(site))
        if shares.accounting is not None:
            yield from books_of(books, shares.accounting, list(directions(shares)))
        if ENTITY in directions(shares):
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
        yield LivingWorker(place, bridge_of(site).listen, systemd_of_this_machine())
        if wordpress is not None:
            hook = joining(site, SideName.WORDPRESS).hook_url
            yield WordPressReaches(wordpress, hook, place, lambda: keepers[SideName.WORDPRESS].state() is not None)
        hook = joining(site, SideName.ERPNEXT).hook_url
        yield ErpNextReaches(keepers[SideName.ERPNEXT], hook, place, bench_place(erpnext_of(site)))
        for side, keeper in keepers.items():
            yield FormerKeysGone(keeper, joining(site, side))
        if wordpress is not None:
            yield RestUserGone(wordpress, rest_login(site), needs_rest_user(site))

    def proofs(self, site: Site) -> Iterable[Proof]:
        """Ask both sides as a worker does; nobody is mailed for a proof, and without our plugin WooCommerce would."""
        place, wordpress = place_of(site), wordpress_of(site)
        yield SidesAnswer(site.client, place)
        access = place.keyring.get(site.client, SideName.WORDPRESS)
        quiet = access is None or access.has_plugin
        for entity in directions(sharing_of(site)):
            if entity in TRIPS and (quiet or entity != "customer" or site.application.settings.sandbox):
                yield RoundTrip(TRIPS[entity], entity, site.client, site.domain, place)
        if ENTITY in directions(sharing_of(site)) and quiet and wordpress is not None:
            yield FormBecomesLead(site.client, site.domain, place, wordpress)

    def component_version(self, site: Site) -> str | None:
        """Return the version of WordPress; it tells that from inside alone."""
        wordpress = wordpress_of(site)
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
        """Ask for new keys, which are good beside the old until the proof has passed, and for users' new passwords."""
        keys, users = [shared_keys(site, side) for side in SideName], [user_key(site), rest_login(site).key]
        backs = [*(one.exchange() for one in keys), *(one.exchange() for one in users)]
        exchanged = [back for back in backs if back is not None]
        if not exchanged:
            return None

        def take_back() -> None:
            for back in exchanged:
                back()

        return take_back


def _without_app(site: Site) -> Iterator[Resource]:
    erpnext, entities = products.erpnext(erpnext_of(site), site.context), directions(sharing_of(site))
    user = ApiUser(erpnext, f"{USER}@{site.domain}")
    tell = WorkersKeys(site.client, SideName.ERPNEXT, place_of(site)).take_credential
    yield BridgeUser(user, erpnext.users, user_key(site), entities, has_app(site), tell)
    yield BridgeFields(CustomFields(erpnext), entities, has_app(site))
    hook = joining(site, SideName.ERPNEXT).hook_url
    secret = hook_secret(site, SideName.ERPNEXT)
    yield from hinting(Webhooks(erpnext), site.client, hook, entities, secret, has_app(site))


def _without_plugin(site: Site) -> Iterator[Resource]:
    wordpress, entities, login = wordpress_of(site), directions(sharing_of(site)), rest_login(site)
    if wordpress is not None:
        tell = WorkersKeys(site.client, SideName.WORDPRESS, place_of(site)).take_credential
        yield BridgeRestUser(wordpress, login, entities, needs_rest_user(site), tell)
    where, settings = site.application.ref, products.settings_of(site.application, WordPressSettings)
    webhooks = site.context.connection(
        where, lambda: ShopWebhooks(where, AsBridge(where, settings, login)), "shop webhooks"
    )
    hook, secret = joining(site, SideName.WORDPRESS).hook_url, hook_secret(site, SideName.WORDPRESS)
    yield from shop_hinting(webhooks, site.client, hook, entities, secret, has_plugin(site))


def _told_without_plugin(site: Site) -> str:
    """Return what the plan warns of where our plugin is not and does not come."""
    if has_plugin(site)():
        return ""
    return WITHOUT + (NO_FORMS if ENTITY in directions(sharing_of(site)) else "")


def _erpnext_keeper(site: Site) -> ErpNextKeeper:
    return ErpNextKeeper(products.erpnext(erpnext_of(site), site.context), has_app(site))
