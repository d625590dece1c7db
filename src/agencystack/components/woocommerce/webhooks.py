"""WooCommerce's own webhooks: it calls an address when a record was saved (facts/wordpress.md, "Webhooks")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agencystack.components.woocommerce.client import Answer, Lost, NotSent, RestApi
from agencystack.stack.errors import ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret, redact

_ROUTE = "wc/v3/webhooks"
_ACTIVE = "active"


@dataclass(frozen=True)
class ShopWebhook:
    """One webhook.

    Args:
        topic: record and event: ``order.updated``.
        url: what is called.
        enabled: it is; WooCommerce disables one whose calls failed more than five times in a row.
    """

    topic: str
    url: str
    enabled: bool

    def fields(self) -> Mapping[str, str | bool]:
        """Return all that can be read of it."""
        return {"topic": self.topic, "url": self.url, "enabled": self.enabled}


class ApiNow(Protocol):
    """The REST interface as whoever may ask now."""

    def __call__(self) -> RestApi | None:
        """Return it; None while nobody may ask."""

    def close(self) -> None:
        """Close its connections."""


class ShopWebhooks:
    """The webhooks of one shop, by name; WooCommerce itself knows them by number.

    Args:
        where: the component, for error messages.
        api: returns the REST interface as somebody who may manage the shop; None while there is nobody.
    """

    def __init__(self, where: ComponentRef, api: ApiNow) -> None:
        self.where, self._api = where, api
        self._known: dict[str, Mapping[str, Any]] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def forget(self) -> None:
        """Read anew at the next question."""
        self._known = None

    def read(self, name: str) -> ShopWebhook | None:
        """Return a webhook, None where there is none of that name; its secret shows itself nowhere."""
        live = self._all().get(name)
        if live is None:
            return None
        return ShopWebhook(str(live["topic"]), str(live["delivery_url"]), live["status"] == _ACTIVE)

    def write(self, name: str, wanted: ShopWebhook, secret: Secret, *, new: bool) -> None:
        """Make it, or change it.

        WooCommerce calls the address of a new one at once, without a signature; it keeps it whatever comes of that.
        """
        values = {
            "name": name,
            "topic": wanted.topic,
            "delivery_url": wanted.url,
            "secret": secret.reveal(),
            "status": _ACTIVE if wanted.enabled else "disabled",
        }
        self._send("POST" if new else "PUT", _ROUTE if new else self._place(name), values)

    def silence(self, name: str) -> None:
        """Have it call no more: it is deleted, as nobody may be left later who could."""
        self.remove(name)

    def remove(self, name: str) -> str:
        """Delete it; return why it stays, empty where it is gone."""
        if self._api() is None:
            return f"WooCommerce > Settings > Advanced > Webhooks may still hold {name}: nobody is left to delete it as"
        if self.read(name) is not None:
            self._send("DELETE", self._place(name), None)
        return ""

    def _all(self) -> Mapping[str, Mapping[str, Any]]:
        if (api := self._api()) is None:
            return {}
        if self._known is None:
            pages = api.pages(_ROUTE, {"orderby": "id", "order": "asc"})
            self._known = {str(one["name"]): one for page in pages for one in page.items}
        return self._known

    def _place(self, name: str) -> str:
        return f"{_ROUTE}/{self._all()[name]['id']}"

    def _send(self, method: str, route: str, values: Mapping[str, str] | None) -> Answer:
        api, params = self._api(), {"force": "true"} if values is None else None
        if api is None:
            raise Refused(f"{method} {route}: nobody may ask for it yet", component=self.where)
        try:
            answer = api.write(method, route, None if values is None else json.dumps(values).encode(), params=params)
        except (NotSent, Lost) as error:
            raise Unavailable(str(error), component=self.where, remedy="run again when it answers") from error
        finally:
            self._known = None
        if answer.status >= 400:
            said = answer.data if isinstance(answer.data, dict) else {}
            raise Refused(
                f"answered {answer.status} to {method} {route}: {redact(str(said.get('message', '')))[:300]}",
                component=self.where,
                remedy="the bridge's user needs the role Shop manager, and WooCommerce must be active",
            )
        return answer
