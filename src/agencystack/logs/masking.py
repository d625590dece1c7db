"""What never leaves the host: values of secrets and of query strings in log lines, replaced before anything is sent.

The rules stand before those that parse, so no metadata is ever taken from what they hide. What they hide:

- every value in the query of a URL, whatever its name;
- what follows a key that names a secret (`KEY_PARTS`, `KEY_WORDS`), as `key=value`, as a member of JSON, of a Python
  dictionary or tuple, of a PHP array (`print_r`, `var_export`), as an XML element, and as a header (`Key: value`),
  there to the end of the line;
- `Bearer` and `Basic` credentials, and the password in `https://user:password@host`;
- tokens known by their look: JSON Web Tokens, WooCommerce's `ck_`/`cs_`, Grafana's `glsa_`, Uptime Kuma's `uk1_`.

Two limits, both of the log formats themselves: `print_r` does not escape, so a value that contains a line looking like
the next member ends there; of an array as value only its own members are hidden up to the first closing line.
"""

from __future__ import annotations

from agencystack.logs.model import Format, Json, Replace

MASK = "***"

KEY_PARTS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "authorization", "cookie", "credential",
    "signature", "nonce",
)  # fmt: skip
"""A key with one of these in it names a secret."""

KEY_WORDS = ("key", "pass", "pin", "otp", "card", "cvc", "cvv", "iban", "sid")
"""So does a key with one of these as a word of its own: `api_key`, `apiKey`, `card-number`, not `keyword`."""


def common(log: Format) -> tuple[Replace, ...]:
    """Return what every line of a format goes through. In lines that are JSON, no mask goes beyond a JSON string."""
    return JSON if any(isinstance(stage, Json) and stage.source is None for stage in log.stages) else TEXT


_PART = rf"(?i:{'|'.join(KEY_PARTS)})"
_WORD = rf"(?:(?:\b|_)(?i:{'|'.join(KEY_WORDS)})|[a-z](?:{'|'.join(map(str.capitalize, KEY_WORDS))}))"
_KEY = rf"(?:{_PART}[\w-]*|{_WORD}(?:s|\d+|[_-][\w-]*|[A-Z]\w*)?)"
_HEADER = rf"(?:{_PART}|{_WORD})(?:s|\d+|[_-][\w-]*|Number|Value)?:[ \t]*"
"""Prose has colons too: `CSRFTokenError: Invalid Request` names no secret."""

_QUOTE = r"\\*[\"'`]"
_QUOTED = r"""[a-z]{0,2}(?:"((?:[^"\\]|\\.)*)|'((?:[^'\\]|\\.)*))"""
_ESCAPED = r"""\\+"((?:[^"\\]|\\\\(?:\\.)?)*)"""
"""JSON within a string of JSON: there every escape begins with two backslashes, and one with a quote ends the text."""

_LIST = r"\[([^\]]*)|\{([^}]*)"
_NUMBER = r"([^\s,}\])]+)"


def _secrets(bare: str, rest_of_line: str) -> Replace:
    """Return the mask of what follows a key; `bare` is a value without quotes, `rest_of_line` that of a header."""
    member = rf"{_QUOTE}\]?\s*(?:=>|:|=)\s*(?:{_QUOTED}|{_ESCAPED}|{_LIST}|{_NUMBER})|{_QUOTE}\s*,\s*{_QUOTED}"
    printed = r"[^\]\n]*\] => (?:Array\s*\(((?s:.*?))(?:\n\s*\)|\z)|((?s:.*?))(?:\n\s*[\[)]|\z))"
    assigned = rf"\]?\s?=>?\s?(?:{_QUOTED}|{_ESCAPED}|{_LIST}|({bare}))"
    element = r">([^<]+)"
    return Replace(rf"{_HEADER}({rest_of_line})|{_KEY}(?:{member}|{printed}|{assigned}|{element})", MASK)


_QUERY = Replace(r"""[?&;][^\s=&;?"'<>]+=([^\s&;"'<>]+)""", MASK)
_TOKENS = Replace(
    r"(?i:\bbearer|\bbasic)\s+([\w.~+/=-]{8,})"
    r"|://[^\s/:@]+:([^\s/@]+)@"
    r"|\b(?:(eyJ[\w-]{8,}\.[\w-]{8,}\.?[\w.-]*)|c[ks]_([0-9a-f]{40})|glsa_(\w{20,})|uk\d+_([\w-]{16,}))",
    MASK,
)

TEXT = (_secrets(r"[^\s&,]+(?:,[^\s&,]+)*", r"[^\n]+"), _QUERY, _TOKENS)
JSON = (_secrets(r"""(?:[^\s&,"'}\]\\]|\\.)+""", r'(?:[^"\\]|\\.)+'), _QUERY, _TOKENS)
