"""What a client's stack says of its bridge: where it is kept, how both sides are reached, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.keyring import Access
from agencystack.bridge.serving.place import Place
from agencystack.components.erpnext.bridge import knows_bridge
from agencystack.components.wordpress import BRIDGE, WordPress
from agencystack.engine.context import Component
from agencystack.engine.integration import Blocked, Site
from agencystack.integrations import products
from agencystack.integrations.data_bridge.joined import Joining
from agencystack.integrations.data_bridge.pairing import WorkersKeys
from agencystack.integrations.data_bridge.shared_keys import SharedKeys
from agencystack.integrations.data_bridge.webhooks import HookSecret, shop_topics
from agencystack.integrations.data_bridge.without_app import UserKey
from agencystack.integrations.data_bridge.without_plugin import OnceARun, RestLogin
from agencystack.integrations.erpnext_app import installed_app
from agencystack.integrations.wordpress_plugin import can_have_connector
from agencystack.stack.model import Bridge
from agencystack.stack.products import WordPress as WordPressSettings
from agencystack.stack.secrets import Secret
from agencystack.stack.sharing import Direction, Sharing

APP_WANTED = "erpnext_app"
"""The setting by which a client's ERPNext stays without our app: false."""

PLUGIN_WANTED = "wordpress_plugin"
"""The setting by which a client's WordPress stays without our plugin: false."""


def place_of(site: Site) -> Place:
    """Return where the bridge keeps what it knows."""
    database = site.bridge.database if site.bridge else None
    return Place(site.context.home, site.context.resolve(database) if database else None)


def shared_keys(site: Site, side: SideName) -> SharedKeys:
    """Return the keys shared with one side."""
    return SharedKeys(site.sealed(f"{side}-keys"))


def joining(site: Site, side: SideName) -> Joining:
    """Return how one side shall be joined."""
    hook = f"{bridge_of(site).url.rstrip('/')}/hooks/{site.client}/{side}"
    workers = WorkersKeys(site.client, side, place_of(site))
    return Joining(site.client, hook, directions(sharing_of(site)), shared_keys(site, side), workers)


def accesses(site: Site) -> Mapping[SideName, Access]:
    """Return how the bridge reaches both sides.

    Without plugin or app the workers are a user of their own, never the System Manager whose key stack.yaml names.
    """
    return {
        SideName.WORDPRESS: _access(site, SideName.WORDPRESS, has_plugin(site)(), rest_login(site).get),
        SideName.ERPNEXT: _access(site, SideName.ERPNEXT, has_app(site)(), user_key(site).get),
    }


def _access(site: Site, side: SideName, signs: bool, own: Callable[[], tuple[str, Secret] | None]) -> Access:
    settings = (site.application if side is SideName.WORDPRESS else erpnext_of(site)).settings
    user, password = (None if signs else own()) or ("", None)
    return Access(
        url=settings.reached_by_us(),
        public_url=settings.url,
        keys=shared_keys(site, side).signing() if signs else (),
        user=user,
        password=password,
        hooks=() if signs else hook_secret(site, side).keys(),
        ca_file=settings.ca_file or "",
    )


def user_key(site: Site) -> UserKey:
    """Return the key of the bridge's user in an ERPNext without our app."""
    return UserKey(site.sealed("erpnext-user"))


def rest_login(site: Site) -> RestLogin:
    """Return who the workers are to a WordPress without our plugin."""
    settings = products.settings_of(site.application, WordPressSettings)
    user, password = settings.api_user, settings.api_password
    given = (user, site.context.resolve(password)) if user and password else None
    return RestLogin(given, UserKey(site.sealed("wordpress-user")), wordpress_of(site))


def hook_secret(site: Site, side: SideName) -> HookSecret:
    """Return the secret of a product's own webhooks."""
    return HookSecret(site.sealed(f"{side}-webhooks"))


def signing(site: Site) -> frozenset[SideName]:
    """Return the sides whose plugin or app signs."""
    signs = {SideName.WORDPRESS: has_plugin(site), SideName.ERPNEXT: has_app(site)}
    return frozenset(side for side, signs_itself in signs.items() if signs_itself())


def hooking(site: Site) -> frozenset[SideName]:
    """Return the sides that tell something of what is shared by webhooks of their own; WordPress itself has none."""
    told = {SideName.ERPNEXT, *([SideName.WORDPRESS] if shop_topics(directions(sharing_of(site))) else [])}
    return frozenset(told)


def has_plugin(site: Site) -> Callable[[], bool]:
    """Return what says whether WordPress has our plugin in a version that knows the bridge, or gets it in this run."""
    wordpress = wordpress_of(site)
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
    app = installed_app(erpnext_of(site), site.context)
    return lambda: knows_bridge(app.version())


def erpnext_of(site: Site) -> Component:
    """Return the client's ERPNext.

    Raises:
        Blocked: it has none.
    """
    if site.provider is None:
        raise Blocked("there is no ERPNext for this client", component=site.application.ref)
    return site.provider


def wordpress_of(site: Site) -> WordPress | None:
    """Return the client of WordPress's PHP; None where stack.yaml does not lead to it."""
    return products.wordpress(site.application, site.context) if site.application.settings.exec else None


def bridge_of(site: Site) -> Bridge:
    """Return where the bridge listens.

    Raises:
        Blocked: nothing says so.
    """
    if site.bridge is None:
        raise Blocked(
            "stack.yaml does not say where the bridge listens",
            component=site.application.ref,
            remedy="add bridge: {url: ADDRESS}: as WordPress and ERPNext reach this machine (docs/data-bridge.md)",
        )
    return site.bridge


def sharing_of(site: Site) -> Sharing:
    """Return what the client shares.

    Raises:
        Blocked: nothing says so.
    """
    if site.shares is None:
        raise Blocked(
            "stack.yaml does not say what this client shares",
            component=site.application.ref,
            remedy="add data_bridge to the client: which entities, which way, and how its books are kept "
            "(docs/data-bridge.md)",
        )
    return site.shares


def directions(shares: Sharing) -> dict[str, str]:
    """Return which way each entity goes that is shared at all."""
    return {name: str(one.direction) for name, one in shares.entities.items() if one.direction is not Direction.OFF}


def needs_books(shares: Sharing) -> bool:
    """Say whether something is shared that has a price."""
    return any(name in {"product", "variation", "order", "payment", "refund"} for name in directions(shares))
