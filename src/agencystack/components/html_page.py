"""What a login needs to see of a page: its forms, and the texts that have an id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

# Elements that have no end tag, so nothing can be inside them.
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Form:
    """One form.

    Args:
        action: where it is sent, as written; empty means to the page itself.
        method: ``get`` or ``post``.
        values: what its fields hold, by name.
    """

    action: str = ""
    method: str = "get"
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """What was found in a page.

    Args:
        title: of the page.
        forms: in their order.
        texts: the text of each element that has an id, white space as one blank.
        links: the targets of its links.
        text: all a person can read, white space as one blank.
    """

    title: str
    forms: tuple[Form, ...]
    texts: Mapping[str, str]
    links: tuple[str, ...]
    text: str

    def form_with(self, *names: str) -> Form | None:
        """Return the first form that has fields of these names."""
        return next((form for form in self.forms if set(names) <= set(form.values)), None)


def contents(html: str) -> Contents:
    """Return what ``html`` holds; markup that is not well-formed is read as far as it goes."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    texts = {name: " ".join("".join(parts).split()) for name, parts in reader.texts.items()}
    text = " ".join(" ".join(reader.text).split())
    return Contents(" ".join("".join(reader.title).split()), tuple(reader.forms), texts, tuple(reader.links), text)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.texts: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.title: list[str] = []
        self.text: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._in_form = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append((tag, given.get("id", "")))
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            self._in_form = True
        elif tag in {"input", "button", "select", "textarea"} and self._in_form and given.get("name"):
            self.forms[-1].values.setdefault(given["name"], given.get("value", ""))
        elif tag == "a" and given.get("href"):
            self.links.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index][0] == tag:
                del self._open[index:]
                return

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _ in self._open}
        if "title" in tags:
            self.title.append(data)
        if {"script", "style", "title"} & tags:
            return
        self.text.append(data)
        for _, name in self._open:
            if name:
                self.texts.setdefault(name, []).append(data)
