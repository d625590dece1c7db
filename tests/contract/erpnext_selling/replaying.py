"""Replay what was recorded of a real ERPNext against the stand-in, and say where the answers differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from agencystack.sandbox.erpnext import ErpNextStandIn

RECORDINGS = Path(__file__).parents[1] / "recordings" / "erpnext-selling"
# Names, and numbers of series, differ from site to site; both are followed by what was made for what.
_NAMES = ("name", "parent", "reference_name", "so_detail", "sales_invoice_item", "return_against", "amended_from")
_LINK = re.compile(r"<a [^>]*>|https?://127\.0\.0\.1:\d+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?")


@dataclass
class Replay:
    """One stand-in that is asked what the real site was asked.

    Args:
        site: the stand-in.
        names: what it named that the real site named otherwise.
    """

    site: ErpNextStandIn
    names: dict[str, str] = field(default_factory=dict)

    def run(self, recording: str, skipped: frozenset[int] = frozenset()) -> list[str]:
        """Replay a recording and return the differences; those at ``skipped`` are asked but not compared."""
        found = []
        for at, exchange in enumerate(json.loads((RECORDINGS / f"{recording}.json").read_text())):
            differences = list(self.compare(exchange))
            if at not in skipped:
                found += [f"{recording} {at} {exchange['name']}: {one}" for one in differences]
        return found

    def compare(self, exchange: dict[str, Any]) -> Iterator[str]:
        """Ask once and yield the differences."""
        status, body = self.send(exchange["request"])
        recorded = exchange["response"]
        if status != recorded["status"]:
            yield f"status {status} instead of {recorded['status']}: {str(body.get('exception') or body)[:300]}"
            return
        if recorded["body"] is None:
            return
        if status >= 400:
            for key in ("exc_type", "exception"):
                if self.plain(recorded["body"].get(key)) != _plain(body.get(key)):
                    yield f"{key} {_plain(body.get(key))!r} instead of {self.plain(recorded['body'].get(key))!r}"
            return
        for key in ("data", "message"):
            if key not in recorded["body"]:
                continue
            if isinstance(recorded["body"][key], list):
                yield from self.lists(key, recorded["body"][key], body.get(key) or [])
            else:
                yield from self.differ(key, recorded["body"][key], body.get(key))

    def lists(self, key: str, recorded: list[Any], ours: list[Any]) -> Iterator[str]:
        """Yield where two lists of rows differ; without an order that was asked for, none is promised."""
        if len(recorded) == len(ours) == 1:
            yield from self.differ(f"{key}[0]", recorded[0], ours[0])
            return
        left = sorted(ours, key=str)
        for row in recorded:
            same = next((one for one in left if not list(self.differ(key, row, one, follow=False))), None)
            if same is None:
                yield f"{key}: no {row} in {str(left)[:200]}"
            else:
                left.remove(same)
        yield from (f"{key}: {str(row)[:100]} beyond what was recorded" for row in left)

    def send(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask the stand-in, with its own names in place of the recorded ones."""
        given = request["json"]
        text = given if isinstance(given, str) else "" if given is None else json.dumps(given)
        content = self.ours(text).encode()
        headers = {
            "authorization": f"token {self.site.bridge_key}:{self.site.bridge_secret}",
            "content-type": "application/json",
        }
        if isinstance(request.get("form"), str):
            content = request["form"].encode()
        elif request.get("form"):
            content, headers["content-type"] = urlencode(request["form"]).encode(), "application/x-www-form-urlencoded"
        answer = self.site.handle(request["method"], self.ours(request["url"]), headers, content)
        try:
            body = json.loads(bytes(answer.body))
        except ValueError:
            body = {}
        return answer.status_code, body if isinstance(body, dict) else {}

    def ours(self, text: str) -> str:
        """Put the stand-in's names in place of the recorded ones."""
        for recorded, name in sorted(self.names.items(), key=lambda pair: -len(pair[0])):
            for form in (lambda one: one, quote, lambda one: one.replace(" ", "+")):
                if form(recorded) not in text:
                    continue
                text = re.sub(rf"(?<![A-Za-z-]){re.escape(form(recorded))}(?![\w-])", form(name), text)
        return text

    def differ(self, path: str, recorded: Any, ours: Any, *, follow: bool = True) -> Iterator[str]:
        """Yield where two values differ; what the recording leaves out is not asked for."""
        if isinstance(recorded, dict) and isinstance(ours, dict):
            if follow and isinstance(recorded.get("name"), str) and isinstance(ours.get("name"), str):
                self.names[recorded["name"]] = ours["name"]
            for key, value in recorded.items():
                yield from self.differ(f"{path}.{key}", value, ours.get(key), follow=follow)
        elif isinstance(recorded, list) and isinstance(ours, list):
            if len(recorded) != len(ours):
                yield f"{path}: {len(ours)} instead of {len(recorded)}"
            for at, (one, other) in enumerate(zip(recorded, ours, strict=False)):
                yield from self.differ(f"{path}[{at}]", one, other, follow=follow)
        elif path.rpartition(".")[2] in _NAMES and isinstance(recorded, str):
            if ours != self.names.get(recorded, recorded):
                yield f"{path}: {ours!r} instead of {self.names.get(recorded, recorded)!r}"
        elif not _same(recorded if not isinstance(recorded, str) else self.ours(recorded), ours):
            yield f"{path}: {ours!r} instead of {recorded!r}"

    def plain(self, text: Any) -> str | None:
        """Return recorded text as the stand-in would say it."""
        return None if text is None else _plain(self.ours(str(text)))


def _plain(text: Any) -> str | None:
    return None if text is None else _MOMENT.sub("NOW", _LINK.sub("", str(text)))


def _same(recorded: Any, ours: Any) -> bool:
    if isinstance(recorded, str) and isinstance(ours, str):
        return _plain(recorded) == _plain(ours)
    empty = (None, "", [], 0, 0.0, "0")
    return bool(recorded == ours) or (recorded in empty and ours in empty)
