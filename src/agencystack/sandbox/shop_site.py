"""The shop of a stand-in WordPress: WooCommerce's REST interface and our plugin's calls, kept over restarts."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request as Asked
from starlette.responses import Response

from agencystack.bridge.signing import WINDOW, SigningKey, Unsigned, check
from agencystack.sandbox.woocommerce import Access, Request, RestError, Shop, contact_forms
from agencystack.sandbox.woocommerce.shop import Killed
from agencystack.sandbox.wordpress_bridge import FORMS, OPTION, instance_of
from agencystack.sandbox.wordpress_rest_user import passwords_of
from agencystack.sandbox.wordpress_store import Store
from agencystack.stack.files import write_atomically
from agencystack.stack.secrets import Secret

ADMIN = "admin"
HINT_SECONDS = 5.0


class ShopSite:
    """A shop that belongs to a stand-in WordPress.

    Args:
        site: the stand-in's folder; its store says how our plugin is joined to the bridge.
        url: address of the site.
        password: application password of its administrator.
        currency: the shop's.
        country: where it is.
    """

    def __init__(self, site: Path, url: str, password: str, *, currency: str = "EUR", country: str = "DE") -> None:
        self._site = site
        self._file = site.parent / "shop.json"
        self._lock = threading.Lock()
        self._hinted = threading.Lock()
        self._delivering = threading.Lock()
        self.shop = Shop(url, zone="Europe/Berlin", access=Access(passwords={ADMIN: password}, local=True))
        settings = self.shop.state.data.settings
        settings |= {"woocommerce_currency": currency, "woocommerce_default_country": country}
        if self._file.exists():
            self.shop.state.restore(json.loads(self._file.read_text()))
        with Store.locked(site) as store:
            instance = instance_of(store)
            store.save()
        self.shop.install_plugin(self._checked, instance)

    def answer(self, asked: Asked, path: str, body: bytes) -> Response:
        """Answer a request below ``/wp-json``.

        Args:
            asked: as it came.
            path: what it asks for, with ``/wp-json`` before it.
            body: its body.
        """
        params = {name: value for name, value in asked.query_params.multi_items() if name != "rest_route"}
        headers = {name.lower(): value for name, value in asked.headers.items()}
        request = Request(asked.method, path, params, headers, body)
        with self._lock:
            self._let_in()
            before = self.shop.state.data.numbers.get("mark", 0)
            self._take_forms()
            try:
                answer = self.shop.handle(request)
            except Killed:
                return Response("<html>502 Bad Gateway</html>", 502, media_type="text/html")
            if asked.method != "GET":
                write_atomically(self._file, json.dumps(self.shop.state.snapshot()).encode(), 0o600)
            marked = self.shop.state.data.numbers.get("mark", 0) != before
        if marked:
            self._hint()
        if self.shop.events.waiting:
            # WP-Cron, which visits start.
            threading.Thread(target=self._deliver, daemon=True).start()
        return Response(answer.body, answer.status, dict(answer.headers), media_type="application/json; charset=UTF-8")

    def _let_in(self) -> None:
        """Know who may ask by REST: the administrator, and the bridge where our plugin is not."""
        access = self.shop.access
        if access is not None:
            with Store.locked(self._site) as store:
                access.passwords = {ADMIN: access.passwords[ADMIN], **passwords_of(store)}

    def _deliver(self) -> None:
        """Deliver WooCommerce's own webhooks that wait; what fails is not tried again."""
        with self._delivering:
            self.shop.events.run_cron(_post)

    def _take_forms(self) -> None:
        """Take over the form entries that were kept since, as the plugin's table holds them."""
        with Store.locked(self._site) as store:
            forms = store.get_option(FORMS, [])
            if not forms:
                return
            store.set_option(FORMS, None)
            store.save()
        for form in forms:
            kept = contact_forms.entry(self.shop, {"your-email": form["email"], "your-message": form["message"]})
            kept |= {"source": "agencystack", "form": {"id": "proof", "title": "Proof of AgencyStack"}}

    def _checked(self, request: Request, route: str) -> None:
        joined = self._joined()
        keys = {key.id: key for key in _keys(joined)}
        nonces, now = self.shop.state.data.nonces, self.shop.state.now().timestamp()

        def first_time(nonce: str) -> bool:
            for old in [one for one, until in nonces.items() if until < now]:
                del nonces[old]
            new = nonce not in nonces
            nonces[nonce] = now + 2 * WINDOW
            return new

        try:
            check(keys, route, request.body, request.headers, first_time)
        except Unsigned as reason:
            code = "agencystack_replayed" if "before" in str(reason) else "agencystack_unsigned"
            raise RestError(code, f"The call is not signed as it must be: {reason}.", 401) from reason

    def _joined(self) -> dict[str, Any]:
        with Store.locked(self._site) as store:
            return dict(store.get_option(OPTION, {}))

    def _hint(self) -> None:
        """Tell the bridge, as the plugin does once the answer is on its way; nobody waits for it."""
        if self._hinted.acquire(blocking=False):
            threading.Thread(target=self._call, daemon=True).start()

    def _call(self) -> None:
        try:
            joined = self._joined()
            keys, url = _keys(joined), str(joined.get("hook_url", ""))
            if not keys or not url:
                return
            body = json.dumps({"epoch": self.shop.state.data.numbers.get("mark", 0)}).encode()
            route = "hooks/" + url.partition("/hooks/")[2]
            headers = keys[0].headers(route, body)
            call = urllib.request.Request(url, body, {**headers, "Content-Type": "application/json"})  # noqa: S310
            urllib.request.urlopen(call, timeout=HINT_SECONDS).close()  # noqa: S310 - the sandbox's own bridge
        except OSError:
            return  # the bridge is down: it asks by itself when it is up
        finally:
            self._hinted.release()


def _post(url: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Call a webhook's address, and say whether it took that."""
    call = urllib.request.Request(url, body, dict(headers))  # noqa: S310 - the sandbox's own bridge
    try:
        urllib.request.urlopen(call, timeout=HINT_SECONDS).close()  # noqa: S310
    except OSError:
        return False
    return True


def _keys(joined: dict[str, Any]) -> list[SigningKey]:
    return [SigningKey(key["id"], Secret(key["secret"])) for key in joined.get("keys", [])]
