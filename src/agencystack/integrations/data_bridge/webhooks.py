"""ERPNext's own webhooks as hints where our app is not: they say where to look, and polling finds what they miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from agencystack.bridge.signing import SigningKey
from agencystack.components.erpnext.webhooks import Webhook, Webhooks
from agencystack.engine.integration import SealedValue
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
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


class HintingWebhook(Resource):
    """One event of one doctype, told to the bridge; enabled again when somebody disabled it.

    Args:
        webhooks: of the site.
        name: of the webhook.
        wanted: how it shall be.
        secret: it signs with.
        has_app: says whether our app is there, which calls by itself.
    """

    def __init__(
        self, webhooks: Webhooks, name: str, wanted: Webhook, secret: HookSecret, has_app: Callable[[], bool]
    ) -> None:
        self.component, self.key = webhooks.where, f"webhook {name}"
        self._webhooks, self._name, self._wanted, self._secret, self._has_app = webhooks, name, wanted, secret, has_app

    def read(self) -> Reading:
        """Return the webhook; its secret cannot be read back."""
        live = self._webhooks.read(self._name)
        if self._has_app():
            return Reading({} if live is None else {"enabled": live.enabled})
        if live is None:
            return ABSENT
        shown: dict[str, Value] = {
            "doctype": live.doctype,
            "event": live.event,
            "url": live.url,
            "enabled": live.enabled,
        }
        return Reading({**shown, "secret": Marker.UNREADABLE})

    def wanted(self) -> Fields:
        """Want it enabled, to our address; silent where the app calls."""
        if self._has_app():
            return {} if self._webhooks.read(self._name) is None else {"enabled": False}
        one = self._wanted
        shown: dict[str, Value] = {"doctype": one.doctype, "event": one.event, "url": one.url, "enabled": True}
        return {**shown, "secret": self._secret.get() or Marker.PENDING}

    def write(self, change: Change) -> None:
        """Make or change it."""
        if not change.target["enabled"]:
            self._webhooks.disable(self._name)
            return
        self._webhooks.write(self._name, self._wanted, self._secret.ensure(), new=change.live.absent)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it, so that it calls no more."""
        self._webhooks.remove(self._name)
        return ""


def hinting(
    webhooks: Webhooks,
    client: str,
    hook_url: str,
    entities: Mapping[str, str],
    secret: HookSecret,
    has_app: Callable[[], bool],
) -> Iterator[Resource]:
    """Yield a webhook for each event of each doctype that what is shared is made of."""
    events = dict(pair for entity in entities for pair in _DOCTYPES.get(entity, ()))
    for doctype, of in sorted(events.items()):
        for event in of:
            name = f"AgencyStack {client} {doctype} {event}"
            yield HintingWebhook(webhooks, name, Webhook(doctype, event, hook_url, True), secret, has_app)
