"""What Frappe does to HTML in ordinary fields: tags and attributes that could run become text (bleach, recorded)."""

from __future__ import annotations

import html
from html.parser import HTMLParser


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _words(
    """
    a abbr acronym address area article aside audio b big blockquote br button caption center cite code col colgroup
    dd del details dfn dir div dl dt em fieldset figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins
    kbd label legend li main map mark nav ol optgroup option p picture pre q s samp section select small source span
    strike strong sub summary sup table tbody td textarea tfoot th thead time tr tt u ul var video
    """
)
_ATTRIBUTES = _words(
    """
    align alt border cellpadding cellspacing class color colspan controls data-doctype data-name dir height href id
    lang name rel rowspan scope src style summary target title type valign value width
    """
)


class _Cleaner(HTMLParser):
    def set_cdata_mode(self, elem: str, **_: object) -> None:
        """Do nothing: a script's content is text to the product, not code to be kept raw."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self.seen_tag = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen_tag = True
        if tag not in _TAGS:
            self.parts.append(html.escape(self.get_starttag_text() or "", quote=False))
            return
        kept = [
            f' {name}="{html.escape(value or "")}"'
            for name, value in attrs
            if name in _ATTRIBUTES and not (value or "").strip().lower().startswith(("javascript:", "data:"))
        ]
        self.parts.append(f"<{tag}{''.join(kept)}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(f"</{tag}>" if tag in _TAGS else f"&lt;/{tag}&gt;")

    def handle_data(self, data: str) -> None:
        self.parts.append(html.escape(data, quote=False))

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")


def sanitised(text: str) -> str:
    """Return text as an ordinary field keeps it; what holds no tag is left alone."""
    if "<" not in text or ">" not in text:
        return text
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    return "".join(cleaner.parts) if cleaner.seen_tag else text
