"""Texts that are published: states, addresses and HTML that neither side may be harmed by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from agencystack.bridge import normal
from agencystack.bridge.record import Value
from agencystack.bridge.sides.erpnext.documents import Document

PUBLISHED, DRAFT, FUTURE, PRIVATE = "published", "draft", "future", "private"

_STATES = {"publish": PUBLISHED, "future": FUTURE, "private": PRIVATE}
_LOCAL = re.compile(r'(\s(?:src|href|poster)=")(/[^/"][^"]*)"')
_EDITOR = re.compile(r'^<div(?: class="ql-editor[^"]*")?>((?:(?!</?div).)*)</div>$', re.DOTALL)
_PIECE = re.compile(r"<!--.*?-->|(?:(?!<!--).)+", re.DOTALL)
_BETWEEN = re.compile(r"(?<=[{])(?=[{%#])|(?<=[}%#])(?=[}])")
_BRACE = re.compile(r"[{](?=[{%#])|(?<=[}%#])[}]")
_NOT_IN_A_SLUG = re.compile(r"[^\w]+", re.UNICODE)
_LONGEST_SLUG = 100

FIELD_OF = {"HTML": "html", "Rich Text": ""}
"""The kinds of content that can be shared, and what their field's name ends with. Markdown and the page builder keep no
HTML: such documents are left alone."""


def state_of(native: Mapping[str, Any]) -> str:
    """Return the canonical state of a post: one with a password is private, whatever WordPress calls it."""
    if native.get("password"):
        return PRIVATE
    return _STATES.get(str(native.get("status")), DRAFT)


def shop_status(state: Value) -> str:
    """Return WordPress's word for a state that ERPNext can have; it never publishes what was private or planned."""
    return "publish" if state == PUBLISHED else "draft"


def raw(native: Mapping[str, Any], name: str) -> Any:
    """Return a text as its author wrote it, where REST shows that."""
    value = native.get(name)
    return value.get("raw", value.get("rendered")) if isinstance(value, Mapping) else value


def embedded(native: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return what REST embedded: authors, terms (one list a taxonomy, here in one), images."""
    found: list[Mapping[str, Any]] = []
    for one in (native.get("_embedded") or {}).get(name) or ():
        found += [each for each in (one if isinstance(one, list) else [one]) if isinstance(each, Mapping)]
    return found


def harmless(content: Value) -> str:
    """Return HTML for ERPNext, which serves what it is given, and runs ``{{ }}`` of a Web Page as a template.

    Source: contract/erpnext/36_content.json; frappe/website/doctype/web_page/web_page.py, ``render_dynamic``.
    """
    return _PIECE.sub(_defused, normal.html(content) or "")


def absolute(content: str | None, site: str) -> str | None:
    """Return HTML whose local addresses (``/files/a.png``) lead to the site they come from."""
    if content is None or not site:
        return content
    return _LOCAL.sub(lambda one: f'{one.group(1)}{urljoin(site, one.group(2))}"', content)


def content_of(document: Document, stem: str, site: str) -> str | None:
    """Return the canonical content of a document.

    Args:
        document: a Blog Post or Web Page.
        stem: its field's name without ending: ``content``, ``main_section``.
        site: ERPNext's address.
    """
    said = normal.html(document.get(content_field(document.get("content_type"), stem)))
    return absolute(unwrapped(said), site)


def content_field(kind: Any, stem: str) -> str:
    """Return the field that holds the content of a document of that content type."""
    ending = FIELD_OF.get(str(kind), "html")
    return f"{stem}_{ending}" if ending else stem


def unwrapped(said: str | None) -> str | None:
    """Return HTML without what ERPNext's editor wraps every text in."""
    inner = _EDITOR.match(said) if said else None
    return inner.group(1).strip() or None if inner else said


def slug_of(route: Any) -> str | None:
    """Return the end of a route."""
    said = normal.line(route)
    return said.rstrip("/").rpartition("/")[2] or None if said else None


def scrubbed(said: Any) -> str:
    """Return text as part of an address."""
    return _NOT_IN_A_SLUG.sub("-", (normal.line(said) or "").lower()).strip("-")[:_LONGEST_SLUG] or "text"


def _defused(piece: re.Match[str]) -> str:
    """Return a comment (it holds JSON) with a space between braces, other HTML with one of two as a reference."""
    if piece.group().startswith("<!--"):
        return _BETWEEN.sub(" ", piece.group())
    return _BRACE.sub(lambda one: f"&#{ord(one.group())};", piece.group())
