"""What WordPress does to texts: tags and attributes it does not trust fall out, names of terms are escaped."""

from __future__ import annotations

import re
import unicodedata

_TRUSTED = """
    a abbr address article aside audio b big blockquote br cite code col colgroup dd del details div dl dt em figcaption
    figure footer h1 h2 h3 h4 h5 h6 header hr i img ins li main mark ol p pre q s section small span strike strong sub
    summary sup table tbody td tfoot th thead time tr tt u ul var video
"""
_ALLOWED = frozenset(_TRUSTED.split())
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)\b([^>]*)>")
_ON = re.compile(r"""\son\w+\s*=\s*("[^"]*"|'[^']*'|[^\s>]*)""", re.IGNORECASE)
_SCRIPT_URL = re.compile(r"""(href|src)\s*=\s*(["'])\s*javascript:""", re.IGNORECASE)
_LOOSE_AMPERSAND = re.compile(r"&(?!#?\w+;)")


def kses(text: str) -> str:
    """Return HTML as ``wp_kses_post`` leaves it: the text within a script stays, its tags do not."""

    def tag(match: re.Match[str]) -> str:
        closing, name, rest = match.groups()
        if name.lower() not in _ALLOWED:
            return ""
        rest = _SCRIPT_URL.sub(r"\1=\2", _ON.sub("", rest))
        return f"<{closing}{name}{rest}>"

    kept = re.sub(r"<[^>]*?(?=<|$)", lambda match: match[0].replace("<", "&lt;"), unslashed(text))
    kept = re.sub(r"<[^>]*>", lambda match: match[0] if _TAG.fullmatch(match[0]) else "", kept)
    return _LOOSE_AMPERSAND.sub("&amp;", _TAG.sub(tag, kept))


def unslashed(text: str) -> str:
    """Return text without its backslashes: what REST hands over is taken for slashed (wc-prod-html-admin.json)."""
    return re.sub(r"\\(.?)", r"\1", text)


def autop(text: str) -> str:
    """Return HTML with the paragraphs WordPress puts around what has none."""
    if not text:
        return ""
    return f"{text}\n" if text.startswith(("<p", "<div", "<ul", "<ol", "<h")) else f"<p>{text}</p>\n"


def person(text: str) -> str:
    """Return a person's name as a user keeps it: escaped like a term's, blanks collapsed."""
    return re.sub(r"\s+", " ", name_of_term(text))


def name_of_term(text: str) -> str:
    """Return a term's name: no tags, escaped."""
    bare = re.sub(r"<[^>]*>", "", unslashed(text)).strip()
    return _LOOSE_AMPERSAND.sub("&amp;", bare).replace("<", "&lt;").replace(">", "&gt;")


def bare(text: str) -> str:
    """Return text as ``wc_clean`` does: no tags, blanks collapsed, trimmed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text)).strip()


def slug_of(text: str) -> str:
    """Return the slug WordPress makes of a title."""
    plain = unicodedata.normalize("NFKD", re.sub(r"<[^>]*>|&\w+;", "", text))
    kept = "".join(one for one in plain if not unicodedata.combining(one)).lower()
    return re.sub(r"[^a-z0-9]+", "-", kept).strip("-")


def folded(text: str) -> str:
    """Return text as the database compares it: neither case nor accents count."""
    plain = unicodedata.normalize("NFKD", text.strip())
    return "".join(one for one in plain if not unicodedata.combining(one)).casefold()
