"""How a stand-in WordPress is joined to the data bridge: what our connector keeps of it.

Behaviour: includes/class-bridge-settings.php of the connector.
"""

from __future__ import annotations

import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agencystack.sandbox.wordpress_store import Refusal, Store

CONNECTOR = "agencystack-connector"
OPTION = "agencystack_bridge"
INSTANCE_OPTION = "agencystack_bridge_instance"
USER = "agencystack-bridge"
FORMS = "agencystack_pending_forms"


def bridge(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer how the connector is joined."""
    plugin = store.data.plugins.get(CONNECTOR)
    if plugin is None or not plugin.active:
        return {"plugin": False}
    kept = store.get_option(OPTION, {})
    return {
        "plugin": True,
        "pairing": kept.get("pairing", ""),
        "hook_url": kept.get("hook_url", ""),
        "keys": [key["id"] for key in kept.get("keys", [])],
        "entities": kept.get("entities", {}),
        "instance": instance_of(store),
        "epoch": 0,
        "user": USER if kept else "",
        "backlog": 0,
    }


def write_bridge(store: Store, args: Mapping[str, Any]) -> Any:
    """Join it, or part it again."""
    if not bridge(store, {})["plugin"]:
        raise Refusal("not-active", "the AgencyStack Connector is not active")
    store.set_option(OPTION, args["configuration"])
    return bridge(store, {})


def fill_form(store: Store, args: Mapping[str, Any]) -> Any:
    """Keep a form entry; the shop of the site, another process, takes it over with the next request."""
    if not store.get_option(OPTION, {}):
        raise Refusal("not-active", "the AgencyStack Connector keeps no form entries")
    store.set_option(FORMS, [*store.get_option(FORMS, []), dict(args)])
    return {"kept": True}


def reaches_bridge(_store: Store, args: Mapping[str, Any]) -> Any:
    """Call the bridge from where the site is."""
    url = str(args["url"])
    call = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})  # noqa: S310
    status, error = 0, ""
    try:
        with urllib.request.urlopen(call, timeout=5) as answer:  # noqa: S310 - the sandbox's own bridge
            status = answer.status
    except urllib.error.HTTPError as refused:
        status = refused.code
    except OSError as why:
        error = f"cURL error 7: {why}"
    return {"status": status, "error": error, "allowed": urlsplit(url).port in (None, 80, 443, 8080)}


def instance_of(store: Store) -> str:
    """Return the id the site was given when our plugin was installed."""
    if not (kept := store.get_option(INSTANCE_OPTION, "")):
        kept = secrets.token_hex(16)
        store.set_option(INSTANCE_OPTION, kept)
    return str(kept)
