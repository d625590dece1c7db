"""WordPress without our plugin: a user with one of the products' own roles and an application password, by REST.

Where the plugin is, it brings a user of its own; then nothing is wanted here, and this user goes. Where
``stack.yaml`` names a user, because nothing leads to the site's PHP or somebody wants it so, none is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from agencystack.components.woocommerce import RestApi, credential
from agencystack.components.wordpress import REST_USER, WordPress
from agencystack.components.wordpress.program import CONNECTOR
from agencystack.engine.integration import Blocked, Manual
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations import products
from agencystack.integrations.data_bridge.without_app import UserKey
from agencystack.stack.errors import AgencyStackError, ComponentRef
from agencystack.stack.products import WordPress as Settings
from agencystack.stack.secrets import Secret

LOGIN = "agencystack-bridge-rest"
"""The user's name, as components/wordpress/php/rest_user.php has it."""

WITHOUT = (
    "without our plugin agencystack-connector in WordPress the bridge asks it for changes every half minute and writes "
    "by its REST interface; mails that WooCommerce sends because of a write cannot be kept in (docs/data-bridge.md)"
)
NO_FORMS = "; contact forms (submission) are not shared: only our plugin keeps what people fill in"

_EXEC = "add `exec: {docker: CONTAINER}`, `exec: {local: true, path: FOLDER}` or `exec: {ssh: HOST, ...}` to wordpress"
STAYS_SO = (
    "where it cannot be, write `settings: {wordpress_plugin: false}` into integrations, data-bridge, wordpress of the "
    "client"
)

Entities = Mapping[str, str]
"""Which way each shared entity goes."""
_TEXTS = frozenset({"post", "page"})
_TO_WORDPRESS = frozenset({"both", "to_wordpress"})


def rights_for(entities: Entities) -> tuple[str, tuple[str, ...]]:
    """Return the role the user needs, and what it must be allowed beside it.

    WooCommerce itself keeps a shop manager from touching anybody who is not a customer, whatever else it may do
    (``wc_modify_map_meta_cap``, ``wc_modify_editable_roles``); without *promote_users* it refuses batches of customers.

    Args:
        entities: which way each shared entity goes.
    """
    if set(entities) - _TEXTS - {"submission"}:
        people = entities.get("customer") in _TO_WORDPRESS
        return "shop_manager", ("delete_users", "promote_users") if people else ()
    return "editor" if _TEXTS & set(entities) else "subscriber", ()


class OnceARun:
    """An answer that holds for a whole run: a plugin that another integration installs meanwhile is the next one's.

    Args:
        ask: finds it out; asked again when it could not.
    """

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask, self._lock = ask, threading.Lock()
        self._answer: bool | None = None

    def __call__(self) -> bool:
        """Return the answer."""
        with self._lock:
            if self._answer is None:
                self._answer = self._ask()
            return self._answer


class RestLogin:
    """Who the workers are to a WordPress without our plugin.

    Args:
        given: user and password of stack.yaml; None where it names none.
        key: the sealed application password of the user we made, by its id.
        wordpress: the site, which knows the ids that open it; None where nothing leads there.
    """

    def __init__(self, given: tuple[str, Secret] | None, key: UserKey, wordpress: WordPress | None) -> None:
        self.given, self.key, self._wordpress = given, key, wordpress

    def is_known(self) -> bool:
        """Say whether the user we made has one password, and we know it."""
        live = self._wordpress.answer(REST_USER) if self._wordpress else None
        kept = self.key.get()
        return live is not None and kept is not None and live.passwords == (kept[0],)

    def get(self) -> tuple[str, Secret] | None:
        """Return user and password; None before there is one, and after somebody took it away."""
        if self.given is not None:
            return self.given
        kept = self.key.get() if self.is_known() else None
        return (LOGIN, kept[1]) if kept else None


class AsBridge:
    """WordPress's REST interface, as the workers come to it.

    Args:
        where: the component.
        settings: what stack.yaml says of it.
        login: who the workers are.
    """

    def __init__(self, where: ComponentRef, settings: Settings, login: RestLogin) -> None:
        self._where, self._settings, self._login = where, settings, login
        self._made: tuple[tuple[str, Secret], RestApi] | None = None

    def __call__(self) -> RestApi | None:
        """Return it; None while nobody may ask."""
        login = self._login.get()
        if self._made is not None and self._made[0] != login:
            self.close()
        if self._made is None and login is not None:
            url = self._settings.reached_by_us()
            self._made = login, RestApi(self._where, url, credential(*login), ca_file=products.ca_file(self._settings))
        return self._made[1] if self._made else None

    def close(self) -> None:
        """Close the connection."""
        if self._made is not None:
            self._made[1].close()
            self._made = None


class PluginByHand(Resource):
    """Our plugin in a WordPress whose PHP nothing leads to: the bridge goes on without, and says how to have it.

    Args:
        where: the component.
    """

    def __init__(self, where: ComponentRef) -> None:
        self.component, self.key = where, f"plugin {CONNECTOR}"

    def read(self) -> Reading:
        """Read nothing.

        Raises:
            Manual: always.
        """
        raise Manual(
            f"our plugin {CONNECTOR} cannot be installed and joined: stack.yaml does not lead to this WordPress's PHP",
            component=self.component,
            remedy=f"{_EXEC}, then run again: the run installs it; {STAYS_SO}",
        )

    def wanted(self) -> Fields:
        """Want nothing."""
        return {}

    def write(self, change: Change) -> None:
        """Write nothing."""


def nobody(where: ComponentRef, entities: Entities) -> Manual:
    """Return what a person must do where there is neither a way to WordPress's PHP nor a user of its REST interface."""
    role, _ = rights_for(entities)
    name = {"shop_manager": "Shop manager", "editor": "Editor"}.get(role, "Subscriber")
    return Manual(
        "stack.yaml leads neither to this WordPress's PHP nor names a user for its REST interface",
        component=where,
        remedy=f"{_EXEC}, and our plugin is installed; where that is impossible: in WordPress, Users > Add User: a "
        f"user with the role {name}; on its page, Application Passwords, add one named AgencyStack; "
        f"`agencystack secret set {where.client}/wordpress/api-password`; then write `api_user: NAME` and "
        f"`api_password: secret:{where.client}/wordpress/api-password` into wordpress of stack.yaml",
    )


def objection(where: ComponentRef, login: RestLogin, entities: Entities) -> AgencyStackError | None:
    """Return why nothing can be planned where nothing leads to WordPress's PHP; None where it can."""
    if login.given is None:
        return nobody(where, entities)
    if login.given[0].startswith("ck_") and _TEXTS & set(entities):
        return Blocked(
            "api_user is a consumer key of WooCommerce, and posts and pages are WordPress's own: they know no such key",
            component=where,
            remedy="name a user and one of its application passwords instead, or share no posts and pages",
        )
    return None


class BridgeRestUser(Resource):
    """The user the workers are: one role of WordPress's or WooCommerce's own, and an application password.

    Args:
        wordpress: the site.
        login: who the workers are; keeps the password.
        entities: what is shared.
        needed: says whether the user is needed: there is no plugin, and stack.yaml names nobody.
        tell: tells the workers a new password; the one before is void at once.
    """

    def __init__(
        self,
        wordpress: WordPress,
        login: RestLogin,
        entities: Entities,
        needed: Callable[[], bool],
        tell: Callable[[str, Secret], None],
    ) -> None:
        self.component, self.key = wordpress.where, f"user {LOGIN}"
        self._wordpress, self._login, self._needed, self._tell = wordpress, login, needed, tell
        self._role, self._capabilities = rights_for(entities)
        wordpress.ask(REST_USER)

    def read(self) -> Reading:
        """Return the user; its password shows itself nowhere, and is proven by use."""
        live = self._wordpress.answer(REST_USER)
        if live is None:
            return ABSENT
        given = tuple(sorted(live.capabilities))
        return Reading({"roles": live.roles, "capabilities": given, "password known": self._login.is_known()})

    def wanted(self) -> Fields:
        """Want it with exactly this role, these capabilities and the one password we know."""
        if not self._needed():
            return {}
        return {"roles": (self._role,), "capabilities": self._capabilities, "password known": True}

    def write(self, change: Change) -> None:
        """Make or change it; a password we do not know is replaced."""
        new = change.live.absent or "password known" in change.names
        made = self._wordpress.write_rest_user(self._role, self._capabilities, "new" if new else "keep")
        if made is not None:
            self._login.key.put(made.uuid, made.password)
            self._tell(LOGIN, made.password)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it; what it wrote stays."""
        self._wordpress.delete_rest_user()
        self._login.key.forget()
        return ""


class RestUserGone(Resource):
    """After our plugin came and was proven, or stack.yaml names somebody: the user of the time before goes.

    Args:
        wordpress: the site.
        login: who the workers were.
        needed: says whether the user is needed still.
    """

    after_proof = True
    stays = "a user that was deleted is made anew when it is needed"

    def __init__(self, wordpress: WordPress, login: RestLogin, needed: Callable[[], bool]) -> None:
        self.component, self.key = wordpress.where, f"former user {LOGIN}"
        self._wordpress, self._login, self._needed = wordpress, login, needed

    def read(self) -> Reading:
        """Return whether it is there and nobody needs it."""
        return Reading({"left over": self._wordpress.answer(REST_USER) is not None and not self._needed()})

    def wanted(self) -> Fields:
        """Want it gone."""
        return {"left over": False}

    def write(self, change: Change) -> None:
        """Delete it; what it wrote stays."""
        self._wordpress.delete_rest_user()
        self._login.key.forget()
