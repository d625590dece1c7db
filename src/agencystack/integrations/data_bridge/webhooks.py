"""The products' own webhooks as hints where app or plugin is not: where to look; polling finds what they miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from agencystack.bridge.signing import SigningKey
from agencystack.components.erpnext.webhooks import Webhook, Webhooks
from agencystack.components.woocommerce.webhooks import ShopWebhook, ShopWebhooks
from agencystack.engine.integration import SealedValue
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Marker
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret, generate

HOOK_KEY = "webhook"
"""The id under which the workers know the secret of the products' own webhooks; these name none."""

_SAVED = ("on_update", "on_trash")
_BOOKED = (*_SAVED, "on_update_after_submit", "on_cancel")
_DOCTYPES: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "category": (("Item Group", _SAVED),),
    "customer": (("Customer", _SAVED),),
    "product": (("Item", _SAVED),),
    "variation": (("Item", _SAVED),),
    "order": (("Sales Order", _BOOKED),),
    "submission": (("Lead", _SAVED),),
    "post": (("Blog Post", _SAVED),),
    "page": (("Web Page", _SAVED),),
}

_KEPT = ("created", "updated", "deleted")
_BINNED = (*_KEPT, "restored")
_RECORDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "customer": ("customer", _KEPT),
    "product": ("product", _BINNED),
    "variation": ("product", _BINNED),
    "order": ("order", _BINNED),
    "payment": ("order", _BINNED),
    "refund": ("order", _BINNED),
}
"""Which of WooCommerce's records tell of an entity, and what happens to them; only what has a bin is restored."""


class OwnWebhook(Protocol):
    """How a webhook is."""

    @property
    def enabled(self) -> bool:
        """Say whether it calls."""

    def fields(self) -> Mapping[str, str | bool]:
        """Return all that can be read of it."""


W = TypeVar("W", bound=OwnWebhook)


class OwnWebhooks(Protocol[W]):
    """A product's webhooks, by name."""

    where: ComponentRef

    def read(self, name: str) -> W | None:
        """Return a webhook, None where there is none of that name."""

    def write(self, name: str, wanted: W, secret: Secret, *, new: bool) -> None:
        """Make it, or change it."""

    def silence(self, name: str) -> None:
        """Have it call no more, as app or plugin does now."""

    def remove(self, name: str) -> str:
        """Delete it; return why it stays, empty where it is gone."""


class HookSecret:
    """The secret webhooks are signed with.

    Args:
        sealed: where it is kept.
    """

    def __init__(self, sealed: SealedValue) -> None:
        self._sealed = sealed

    def ensure(self) -> Secret:
        """Return it, made where there is none; sealed before anybody else knows it."""
        if (kept := self._sealed.get()) is None:
            self._sealed.put(kept := generate())
        return kept

    def keys(self) -> tuple[SigningKey, ...]:
        """Return it as calls to us are checked by; none before it was made."""
        kept = self._sealed.get()
        return (SigningKey(HOOK_KEY, kept),) if kept else ()

    def get(self) -> Secret | None:
        """Return it, None before it was made."""
        return self._sealed.get()


class HintingWebhook(Resource, Generic[W]):
    """One event of one kind of record, told to the bridge; enabled again when somebody, or the product, disabled it.

    Args:
        webhooks: of the product.
        name: of the webhook.
        wanted: how it shall be.
        secret: it signs with.
        has_ours: says whether our app or plugin is there, which calls by itself.
    """

    def __init__(
        self, webhooks: OwnWebhooks[W], name: str, wanted: W, secret: HookSecret, has_ours: Callable[[], bool]
    ) -> None:
        self.component, self.key = webhooks.where, f"webhook {name}"
        self._webhooks, self._name, self._wanted, self._secret = webhooks, name, wanted, secret
        self._has_ours = has_ours

    def read(self) -> Reading:
        """Return the webhook; its secret cannot be read back."""
        live = self._webhooks.read(self._name)
        if self._has_ours():
            return Reading({} if live is None else {"enabled": live.enabled})
        if live is None:
            return ABSENT
        return Reading({**live.fields(), "secret": Marker.UNREADABLE})

    def wanted(self) -> Fields:
        """Want it enabled, to our address; silent where app or plugin calls."""
        if self._has_ours():
            return {} if self._webhooks.read(self._name) is None else {"enabled": False}
        return {**self._wanted.fields(), "secret": self._secret.get() or Marker.PENDING}

    def write(self, change: Change) -> None:
        """Make or change it."""
        if not change.target["enabled"]:
            self._webhooks.silence(self._name)
            return
        self._webhooks.write(self._name, self._wanted, self._secret.ensure(), new=change.live.absent)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it, so that it calls no more; what was silenced by deleting it is gone already."""
        return self._webhooks.remove(self._name) if live.fields else ""


def hinting(
    webhooks: Webhooks,
    client: str,
    hook_url: str,
    entities: Mapping[str, str],
    secret: HookSecret,
    has_app: Callable[[], bool],
) -> Iterator[Resource]:
    """Yield a webhook of ERPNext for each event of each doctype that what is shared is made of."""
    events = dict(pair for entity in entities for pair in _DOCTYPES.get(entity, ()))
    for doctype, of in sorted(events.items()):
        for event in of:
            name = f"AgencyStack {client} {doctype} {event}"
            yield HintingWebhook(webhooks, name, Webhook(doctype, event, hook_url, True), secret, has_app)


def shop_topics(entities: Mapping[str, str]) -> tuple[str, ...]:
    """Return the topics WooCommerce tells what is shared by; none for what WordPress itself keeps."""
    told = {_RECORDS[entity] for entity in entities if entity in _RECORDS}
    return tuple(sorted(f"{record}.{event}" for record, events in told for event in events))


def shop_hinting(
    webhooks: ShopWebhooks,
    client: str,
    hook_url: str,
    entities: Mapping[str, str],
    secret: HookSecret,
    has_plugin: Callable[[], bool],
) -> Iterator[Resource]:
    """Yield a webhook of WooCommerce for each event of each record that what is shared is made of."""
    for topic in shop_topics(entities):
        name = f"AgencyStack {client} {topic}"
        yield HintingWebhook(webhooks, name, ShopWebhook(topic, hook_url, True), secret, has_plugin)
