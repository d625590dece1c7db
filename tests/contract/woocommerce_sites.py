"""Conversations with a WooCommerce: played to the stand-in or a real one, and compared with what a real one answered.

A step of a recording is ``{"name", "method", "path", "params", "body", "keep", "status", "answer"}``. ``{x}`` in a path
or a text of a body stands for what an earlier step kept under that name, ``{run}`` for a word of this run's own.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from agencystack.sandbox.woocommerce import HOME, Shop, ShopTransport
from agencystack.stack.load import load

RECORDINGS = Path(__file__).parent / "recordings" / "woocommerce"
# What is another one at each installation and each moment.
_OTHERS = """
    _links id order_key payment_url price_html related_ids permalink avatar_url guid link number version
    permalink_template generated_slug slug downloads username author class_list count unique_sku Location
    average_rating new_draft_order_id image images refunded_by total_sales src date rendered
    additional_data additional_errors
"""
VOLATILE = frozenset(_OTHERS.split())
# What no part of the bridge looks at, and themes and plugins add to.
ONLY_REAL = frozenset({"brands", "global_unique_id", "sticky", "template", "format", "post_password"})
REFERENCE = "_refunded_item_id"
REFERENCES = frozenset(
    {
        REFERENCE,
        "parent",
        "parent_id",
        "resource_id",
        "product_id",
        "variation_id",
        "categories",
        "term_id",
        "variations",
    }
)


class Site(Protocol):
    """A WooCommerce that can be asked."""

    def call(self, method: str, path: str, params: Mapping[str, str], body: Any) -> tuple[int, Any]:
        """Return status and JSON of an answer."""


@dataclass
class Client:
    """A WooCommerce behind an httpx client.

    Args:
        http: the client.
        url: the site's address.
    """

    http: httpx.Client
    url: str

    def call(self, method: str, path: str, params: Mapping[str, str], body: Any) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        content = body.encode() if isinstance(body, str) else None
        answer = self.http.request(
            method,
            f"{self.url}/wp-json/{path}",
            params=dict(params) or None,
            content=content,
            json=body if content is None and body is not None else None,
            headers={"Content-Type": "application/json"} if content is not None else {},
        )
        return answer.status_code, json.loads(answer.content)


@dataclass
class Play:
    """One playing of a recording.

    Args:
        site: to whom.
    """

    site: Site
    kept: dict[str, str] = field(default_factory=lambda: {"run": f"r{secrets.token_hex(4)}"})

    def step(self, step: Mapping[str, Any]) -> tuple[int, Any]:
        """Play a step and return what was answered, as recordings hold it."""
        body = self._filled(step.get("body"))
        params = {name: self._filled_text(str(value)) for name, value in step.get("params", {}).items()}
        status, answer = self.site.call(step["method"], self._filled_text(step["path"]), params, body)
        for name, place in step.get("keep", {}).items():
            self.kept[name] = str(at(answer, place))
        return status, self.normal(answer)

    def normal(self, value: Any, name: str = "") -> Any:
        """Return an answer without what is another one every time, and with the names of what it refers to."""
        match value:
            case dict():
                kept = {one: value[one] for one in value if one not in VOLATILE | ONLY_REAL}
                kept = {one: told for one, told in kept.items() if not one.startswith(("date_", "modified"))}
                refers = kept.get("key") == "_refunded_item_id"
                return {one: self.normal(told, REFERENCE if refers else one) for one, told in kept.items()}
            case list():
                told = [self.normal(one, name) for one in value if not _of_the_site(one)]
                # Meta, and an order's refunds, come in an order that means nothing.
                return sorted(told, key=str) if name in {"meta_data", "refunds"} else told
            case str() | int() if name in REFERENCES:
                return next(("{" + one + "}" for one, kept in self.kept.items() if kept == str(value)), value)
            case str():
                return re.sub(self.kept["run"], "{run}", value, flags=re.IGNORECASE)
        return value

    def _filled(self, value: Any) -> Any:
        match value:
            case dict():
                return {name: self._filled(one) for name, one in value.items()}
            case list():
                return [self._filled(one) for one in value]
            case str():
                found = re.fullmatch(r"\{(\w+)\}", value)
                if found and found[1] != "run":
                    return int(self.kept[found[1]])
                return self._filled_text(value)
        return value

    def _filled_text(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: self.kept.get(match[1], match[0]), text)


def at(answer: Any, place: str) -> Any:
    """Return what stands at a place such as ``line_items.0.id``."""
    for part in place.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return answer


def _of_the_site(one: Any) -> bool:
    """Tell meta that another part of the site adds: the nag of a password, how the bin remembers."""
    return isinstance(one, dict) and str(one.get("key", "")).startswith(("default_password_nag", "_wp_"))


def recorded(name: str) -> list[dict[str, Any]]:
    """Return a recording."""
    found: list[dict[str, Any]] = json.loads((RECORDINGS / f"{name}.json").read_text())
    return found


def stand_in() -> Client:
    """Return a stand-in that is set up as the recorder's shop: Swiss VAT on prices without it."""
    shop = Shop(HOME)
    # No two records have one id, so that none is taken for another.
    shop.state.data.numbers.update(post=50_000, item=60_000, user=700, term=300, attribute=80, comment=900)
    client = Client(httpx.Client(transport=ShopTransport(shop)), HOME)
    client.call("POST", "wc/v3/taxes", {}, {"country": "CH", "rate": "8.1", "name": "MWST"})
    return client


def real() -> Client:
    """Return the WordPress ``AGENCYSTACK_TEST_STACK`` names; ``AGENCYSTACK_TEST_WORDPRESS_LOGIN`` names a file that
    holds ``user:application password`` of an administrator of it.
    """
    path, login = (os.environ.get(f"AGENCYSTACK_TEST_{name}") for name in ("STACK", "WORDPRESS_LOGIN"))
    if not path or not login:
        pytest.skip("AGENCYSTACK_TEST_STACK and AGENCYSTACK_TEST_WORDPRESS_LOGIN name no real WooCommerce")
    user, _, password = Path(login).read_text().strip().partition(":")
    for ref, component in load(Path(path)).all_components().items():
        if ref.name == "wordpress":
            verify = str(component.ca_file) if component.ca_file else True
            url = component.reached_by_us().rstrip("/")
            return Client(httpx.Client(auth=(user, password), timeout=120, verify=verify), url)
    pytest.skip(f"{path} names no WordPress")


SITES: Mapping[str, Callable[[], Client]] = {"stand-in": stand_in, "real": real}


def differences(site: Site, recording: str) -> Iterator[str]:
    """Play a recording and yield where the answers differ."""
    play = Play(site)
    for step in recorded(recording):
        status, answer = play.step(step)
        if status != step["status"]:
            yield f"{step['name']}: status {status} instead of {step['status']}: {str(answer)[:300]}"
        elif answer != step["answer"]:
            yield f"{step['name']}: {difference(answer, step['answer'])}"


def difference(got: Any, wanted: Any, place: str = "") -> str:
    """Return the places where two answers differ."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        names = sorted({*got, *wanted})
        parts = [
            difference(got.get(name, "<absent>"), wanted.get(name, "<absent>"), f"{place}.{name}")
            for name in names
            if got.get(name, "<absent>") != wanted.get(name, "<absent>")
        ]
        return "; ".join(parts)
    if isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        pairs = enumerate(zip(got, wanted, strict=True))
        return "; ".join(difference(one, other, f"{place}[{index}]") for index, (one, other) in pairs if one != other)
    return f"{place}: {str(got)[:160]!r} instead of {str(wanted)[:160]!r}"
