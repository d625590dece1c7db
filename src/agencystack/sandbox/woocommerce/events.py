"""What happens beside the records: mails that go out, webhooks that come late, and the marks our plugin leaves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.wire import Json, RestError

TOPICS = frozenset(
    f"{resource}.{event}"
    for resource in ("order", "product", "customer", "coupon")
    for event in ("created", "updated", "deleted", "restored")
)
_FAILURES = 5
"""A webhook that fails more often than this is disabled, silently (contract/wordpress/wc-webhook-disabled-*.json)."""

Post = Callable[[str, Mapping[str, str], bytes], bool]
Show = Callable[[str, int], Json | None]


class Events:
    """What a request causes.

    Args:
        state: the shop's data.
        show: a record as a webhook shows it, by resource and id.
    """

    def __init__(self, state: State, show: Show) -> None:
        self._state = state
        self._show = show
        self.quiet = False
        self.waiting: list[tuple[str, str, int]] = []
        self._told: set[tuple[str, str, int]] = set()

    def begin(self) -> None:
        """Begin a request: within one, a webhook waits for a record once, however often it is saved."""
        self.quiet = False
        self._told.clear()

    def tell(self, to: str, subject: str) -> None:
        """Send a mail, unless this request is to send none."""
        if self.quiet or not to:
            return
        address = "admin@example.test" if to == "admin" else to
        self._state.data.mails.append({"to": address, "subject": subject})

    def happened(self, kind: str, id_: int, event: str) -> None:
        """Note that a record changed: our plugin leaves a mark, webhooks wait for the next run of WP-Cron."""
        self.mark(kind, id_)
        resource = {"variation": "product", "refund": "order"}.get(kind, kind)
        names = {f"{resource}.{event}"} & TOPICS
        for hook in self._state.data.webhooks.values():
            due = (hook["topic"], str(hook["id"]), id_)
            if hook["topic"] in names and hook["status"] == "active" and due not in self._told:
                self._told.add(due)
                self.waiting.append(due)

    def mark(self, kind: str, id_: int) -> None:
        """Leave a mark: one per record, with a number of its own each time it changes again."""
        marks = self._state.data.marks
        marks[:] = [one for one in marks if (one["entity"], one["id"]) != (kind, str(id_)) or one["given"]]
        mark = {"mark": str(self._state.number("mark")), "entity": kind, "id": str(id_), "given": False}
        marks.append(mark)

    def run_cron(self, post: Post) -> int:
        """Deliver what waits, with the state of this moment; returns how many deliveries were tried.

        What fails is not tried again; a webhook whose deliveries go on failing is disabled.
        """
        due, self.waiting = self.waiting, []
        for topic, hook_id, id_ in due:
            hook = self._state.data.webhooks.get(hook_id)
            if hook is None or hook["status"] != "active":
                continue
            body = self._payload(topic, id_)
            if post(hook["delivery_url"], self._headers(hook, topic, body), body):
                hook["failure_count"] = 0
                continue
            hook["failure_count"] += 1
            if hook["failure_count"] > _FAILURES:
                hook["status"] = "disabled"
        return len(due)

    def _payload(self, topic: str, id_: int) -> bytes:
        resource, _, event = topic.partition(".")
        record = None if event == "deleted" else self._show(resource, id_)
        return json.dumps(record if record is not None else {"id": id_}).encode()

    def _headers(self, hook: Json, topic: str, body: bytes) -> dict[str, str]:
        resource, _, event = topic.partition(".")
        signed = hmac.new(hook["secret"].encode(), body, hashlib.sha256).digest()
        # One number a second: two deliveries of one webhook within it have the same id (facts/wordpress.md "Webhooks").
        once = hashlib.sha256(f"{hook['id']}{self._state.second()}".encode()).hexdigest()[:32]
        return {
            "Content-Type": "application/json",
            "User-Agent": "WooCommerce/10.5.2 Hookshot (WordPress/6.9.1)",
            "X-WC-Webhook-Source": f"{self._state.url}/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": base64.b64encode(signed).decode(),
            "X-WC-Webhook-ID": str(hook["id"]),
            "X-WC-Webhook-Delivery-ID": once,
        }

    # Webhooks. ----------------------------------------------------------------------------------------------------

    def create_hook(self, body: Mapping[str, Any]) -> Json:
        """Make a webhook."""
        self._check_hook(body, creating=True)
        now = self._state.second()
        hook: Json = {
            "id": self._state.number("webhook"),
            "name": str(body.get("name") or "Webhook created"),
            "status": str(body.get("status") or "active"),
            "topic": body["topic"],
            "delivery_url": body["delivery_url"],
            "secret": str(body.get("secret") or hashlib.sha256(now.encode()).hexdigest()[:50]),
            "failure_count": 0,
            "created": now,
            "modified": now,
        }
        self._state.data.webhooks[str(hook["id"])] = hook
        return hook

    def update_hook(self, hook: Json, body: Mapping[str, Any]) -> None:
        """Change a webhook; one that is made active again begins to count anew."""
        self._check_hook({**hook, **body}, creating=False)
        for name in ("name", "status", "topic", "delivery_url", "secret"):
            if body.get(name) is not None:
                hook[name] = body[name]
        if body.get("status") == "active":
            hook["failure_count"] = 0
        hook["modified"] = self._state.second()

    def hook(self, id_: object, status: int = 404) -> Json:
        """Return a webhook."""
        found = self._state.data.webhooks.get(str(id_))
        if found is None:
            raise RestError("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", status)
        return found

    def show_hook(self, hook: Json) -> Json:
        """Return a webhook as REST shows it: never its secret."""
        resource, _, event = hook["topic"].partition(".")
        collection = f"{self._state.url}/wp-json/wc/v3/webhooks"
        return {
            "id": hook["id"],
            "name": hook["name"],
            "status": hook["status"],
            "topic": hook["topic"],
            "resource": resource,
            "event": event,
            "hooks": [],
            "delivery_url": hook["delivery_url"],
            **self._state.both("created", hook["created"]),
            **self._state.both("modified", hook["modified"]),
            "_links": {"self": [{"href": f"{collection}/{hook['id']}"}], "collection": [{"href": collection}]},
        }

    def _check_hook(self, body: Mapping[str, Any], *, creating: bool) -> None:
        topic = str(body.get("topic") or "")
        if topic not in TOPICS and not (topic.startswith("action.") and topic != "action."):
            said = "Webhook topic is required and must be valid."
            raise RestError("woocommerce_rest_shop_webhook_invalid_topic", said)
        if not str(body.get("delivery_url") or "").startswith(("http://", "https://")):
            said = "Webhook delivery URL must be a valid URL starting with http:// or https://."
            raise RestError("woocommerce_rest_shop_webhook_invalid_delivery_url", said)
