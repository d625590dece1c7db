"""What never leaves the host: values of secrets and of query strings in log lines, replaced before anything is sent.

The rules stand before those that parse, so no metadata is ever taken from what they hide. They hide

- every value in the query of a URL, whatever its name;
- what follows a key that names a secret (`KEYS`, `KEY_WORDS`, `WHOLE_KEYS`): in `key=value`, in JSON (in a string of
  JSON, too), in Python's dictionaries and tuples, in PHP's arrays (`print_r`, `var_export`), in an XML element, and as
  a header (`Key: value`), there to the end of the line;
- `Bearer` and `Basic` credentials, and the password of `https://user:password@host`;
- tokens known by their look: JSON Web Tokens, WooCommerce's `ck_` and `cs_`, Grafana's `glsa_`, Uptime Kuma's `uk1_`.

Limits: `print_r` does not escape, so a value with a line that looks like its next member ends there; lists and objects
as values are followed three deep.
"""

from __future__ import annotations

from dataclasses import replace

from agencystack.logs.model import CopyIfAny, Format, Json, Output, Replace, Stage

MASK = "***"

KEYS = ("authorization", "cookie", "credential", "nonce", "pass", "pwd", "secret", "signature", "token")
"""A key with one of these in it names a secret, `passenger` too: better too much than too little."""

KEY_WORDS = ("card", "cvc", "cvv", "iban", "key", "otp")
"""So does a key that has one of these where a word of it ends: `api_key`, `key_id`, `cardNumber`; not `keycloak`."""

WHOLE_KEYS = ("sid",)
"""So does a key that is just this: `processId` ends the same way."""

MARKS = ("bearer", "basic", "eyj", "ck_", "cs_", "glsa_", "uk1_", "uk2_")
"""Text, in lower case, of which a line has some when it holds a token without a key."""

HARMLESS = (" ", ".", ",", ")", "/", "cloak", f"={MASK} ", f"={MASK}&", f'={MASK}"')
"""What may follow the word of a key without a value coming: prose, a path, Keycloak's name, a query's mask."""

_SUSPECT, _MARKED = "agencystack_suspect", "agencystack_marked"


def common(log: Format) -> tuple[Stage, ...]:
    """Return what every line of a format goes through. In lines that are JSON, no mask goes beyond a JSON string.

    Looking for a secret costs more than all else together, and few lines have one: the line is copied where a cheap
    look finds some text of a key, the copy is masked and becomes the line. Without a copy these stages do nothing.
    """
    by_look = (CopyIfAny(_MARKED, MARKS), replace(TOKENS, source=_MARKED), Output(_MARKED))
    return QUERY, USER_INFO, *(() if log.redacted else _by_key(log)), *by_look


def _by_key(log: Format) -> tuple[Stage, ...]:
    is_json = any(isinstance(stage, Json) and stage.source is None for stage in log.stages)
    return (
        CopyIfAny(_SUSPECT, (*KEYS, *KEY_WORDS, *WHOLE_KEYS), HARMLESS, log.harmless),
        *(replace(mask, source=_SUSPECT) for mask in (JSON if is_json else TEXT)),
        Output(_SUSPECT),
    )


_WORD_END = r"s?(?:\d*\b|_[\w-]*|(?-i:[A-Z])\w*)"
_KEY = rf"(?i:{'|'.join(KEYS)}|(?:{'|'.join(KEY_WORDS)}){_WORD_END}|\b(?:{'|'.join(WHOLE_KEYS)})\b)"
"""In the order of the alphabet: Go joins neighbours that begin alike, which makes them faster."""

_HEADER = r"(?i:word|wd|phrase|code)?(?i:s|\d+|[_-][\w-]*)?:[ \t]*"
"""Prose has colons too: `CSRFTokenError: Invalid Request` names no secret."""

_IS = r"\]?\s*(?:=>|:|=)\s*"
_STRING = r""""(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"""
_QUOTED = r"""[a-z]{0,2}(?:"((?:[^"\\]|\\.)*)|'((?:[^'\\]|\\.)*))"""
_ESCAPED = r"""\\+(?:"((?:[^"\\]|\\\\(?:\\.)?)*)|'((?:[^'\\]|\\\\(?:\\.)?)*))"""
"""JSON in a string of JSON: there every escape begins with two backslashes, and a single one with a quote ends it."""

_BARE = r"""(?:[^\s&,"']|[,"']+[^\s&,"'])+"""
"""A value without quotes round it; a quote or a comma at its end belongs to the text it stands in."""

_PRINTED = r"[^\]\n]*\] => (?:Array\s*\(((?s:.*?))(?:\n\s*\)|\z)|((?s:.*?))(?:\n\s*[\[)]|\z))"
_ELEMENT = r">([^<]+)"


def _nested(depth: int) -> str:
    """Return what stands between brackets: text, strings with whatever in them, and brackets again, `depth` deep."""
    inner = rf"|[\[{{(]{_nested(depth - 1)}[\]}})]?" if depth else ""
    return rf"(?:[^\[\]{{}}()\"']|{_STRING}{inner})*"


def _mask(header: str, *forms: str) -> Replace:
    return Replace(rf"{_KEY}(?:{_HEADER}({header})|[\w-]*(?:{'|'.join(forms)}))", MASK)


def _text() -> tuple[Replace, ...]:
    quote = r"\\*[\"'`]"
    list_ = rf"""[\[{{(]({_nested(2)})(?:[\]}})]+([^\s&,"']+))?"""
    assigned = r"\]?\s?=>?\s?"
    closed = rf"(?:{quote}{_IS}|{assigned})(?:{_QUOTED}|{_ESCAPED}|{list_})"
    bare = rf"{quote}{_IS}([^\s,}}\])]+)|{assigned}({_BARE})"
    pair = rf"{quote}\s*,\s*{_QUOTED}"  # ('Authorization', 'Bearer ...'), as Python shows headers
    return (_mask(r"[^\n]+", _PRINTED, closed, pair, bare, _ELEMENT),)


def _json() -> tuple[Replace, ...]:
    """Within JSON a value ends where its string does, and what is no string becomes one: the line stays JSON."""
    single = r"""'((?:[^'"\\]|\\.)*)"""
    escaped = rf"""(?:\\+["'`]|'){_IS}(?:{_ESCAPED}|{single}|\[((?:[^\]"\\]|\\.)*)|([^\s,}}\])"'\\]+))"""
    member = r'"\s*:\s*"((?:[^"\\]|\\.)*)'
    assigned = rf"""\]?\s?=>?\s?(?:{single}|{_ESCAPED}|((?:[^\s&,"'}}\]\\]|\\.)+))"""
    printed = r'[^\]"\\]*\] => ((?:[^"\\]|\\.)*)'
    other = rf'"\s*:\s*(-?\d[\w.+-]*|true|false|[\[{{]{_nested(2)}[\]}}])'
    return (
        _mask(r'(?:[^"\\]|\\.)+', escaped, member, printed, assigned),
        Replace(rf"{_KEY}[\w-]*{other}", f'"{MASK}"'),
    )


QUERY = Replace(
    r"""[?&;][^\s=&;?"'<>]+=((?:[^\s&;\\"'<>]|\\[^\s"']|["'][^\s&;,:\\"'<>)\]}])+)""",
    MASK,
)
"""A quote or a backslash ends a value only where what follows shows that the text round the URL goes on."""

USER_INFO = Replace(r"://[^\s/:@]+:([^\s/@]+)@", MASK)
TOKENS = Replace(
    r"(?i:\bbearer|\bbasic)\s+([\w.~+/=-]{8,})"
    r"|\b(?:(eyJ[\w-]{8,}\.[\w-]{8,}\.?[\w.-]*)|c[ks]_([0-9a-f]{40})|glsa_(\w{20,})|uk\d+_([\w-]{16,}))",
    MASK,
)
TEXT = _text()
JSON = _json()
