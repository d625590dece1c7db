"""What a stand-in WordPress says of its health through our connector, to everybody and to whoever shows the token.

Behaviour: includes/class-health.php of the connector, and the contract suite that also runs against the real WordPress.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agencystack.sandbox.wordpress_store import Refusal, Store

CONNECTOR = "agencystack-connector"
OPTION = "agencystack_connector_health"
ROUTE = "/agencystack/v1/health"
_HASH = re.compile(r"[0-9a-f]{64}")


def token(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer the hash of the token."""
    return {"token": store.get_option(OPTION, {}).get("token")}


def write_token(store: Store, args: Mapping[str, Any]) -> Any:
    """Set or remove it."""
    given = args["token"]
    if given is not None and not _HASH.fullmatch(given):
        raise Refusal("not-written", "the token is to be given as its hash")
    store.set_option(OPTION, {"token": given} if given else None)
    return token(store, {})


def answer(site: Path, request: Request) -> Response:
    """Answer the route as the connector does, or as a WordPress without it."""
    with Store.locked(site) as store:
        plugin = store.data.plugins.get(CONNECTOR)
        if plugin is None or not plugin.active:
            return no_route()
        said: dict[str, Any] = {"from": CONNECTOR, "status": "ok", "checks": dict.fromkeys(_CHECKS, "ok")}
        if _shown(request, token(store, {})["token"]):
            said |= {"detail": _detail(site, store, plugin.version), "at": int(time.time())}
    return JSONResponse(said, headers={"cache-control": "no-store"})


def no_route() -> Response:
    """Answer as WordPress where nobody serves a route."""
    words = "No route was found matching the URL and request method."
    return JSONResponse({"code": "rest_no_route", "message": words, "data": {"status": 404}}, status_code=404)


_CHECKS = ("database", "cron", "disk", "mail")


def _shown(request: Request, kept: str | None) -> bool:
    given = request.headers.get("x-agencystack-token", "")
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = given or (bearer.strip() if kind.lower() == "bearer" else "")
    return bool(given and kept) and hmac.compare_digest(hashlib.sha256(given.encode()).hexdigest(), kept or "")


def _detail(site: Path, store: Store, version: str) -> dict[str, Any]:
    carried = store.get_option("agencystack_connector", {}).get("smtp", {}).get("host")
    return {
        "updates": {"core": 0, "plugins": 0, "themes": 0, "looked_at": None},
        "software": {
            "wordpress": "6.9.1",
            "php": "8.2.36",
            "database": "10.11.14",
            "woocommerce": None,
            "connector": version,
        },
        "database": {"milliseconds": 0.1},
        "cron": {"late_seconds": 0, "due": 0, "oldest": "", "by_visitors": True},
        "disk": {"free_bytes": shutil.disk_usage(site).free, "writable": True},
        "mail": {"by": "connector" if carried else "php"},
    }
