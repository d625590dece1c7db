"""No secret leaves the host: whatever value follows a key that names one, in whatever form, does not survive."""

import json
import re
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agencystack.logs import catalogue, changes, evaluate, masking, pipeline
from agencystack.logs.model import CopyIfAny, Format, Json
from agencystack.logs.passing import Passing

TEXT = Format("any", "text", "", stages=(), known_by=(), metadata=())
JSON = Format("any", "json", "", stages=(Json((("message", "message"),)),), known_by=(), metadata=())

BEFORE = st.sampled_from(["", "user_", "X-", "my-", "api_", "old"])
AFTER = st.sampled_from(["", "s", "_2", "-hash"])
KEY = st.builds(
    lambda before, word, after, shape: shape(before + word + after),
    BEFORE,
    st.sampled_from([*masking.KEYS, "password", "passwd", "passphrase", "client_secret", "api_key", "card", "cvv"]),
    AFTER,
    st.sampled_from([str, str.upper, str.title]),
)
SECRET = "Zq7vXw"
"""Stands in every value: text that no key, no frame and no mask has in it."""


def hidden(line: str, log: Format = TEXT) -> str:
    entry = Passing(line)
    for mask in masking.common(log):
        changes.change(mask)(entry)
    return entry.line


def values(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Values with the secret at the beginning, in the middle and at the end of anything."""
    text = st.text(alphabet, max_size=12)
    return st.builds(lambda a, b: f"{a}{SECRET}{b}{SECRET}", text, text)


ANY = values(st.characters(codec="utf-8"))
ONE_LINE = values(st.characters(codec="utf-8", exclude_characters="\n", exclude_categories=("Cs",)))
NO_SPACE = values(st.characters(codec="utf-8", exclude_characters=" \t\n\r\f\v&\"',", exclude_categories=("Cs", "Z")))


def _print_r(key: str, value: str) -> str:
    return f"Array\n(\n    [user] => bob\n    [{key}] => {value}\n    [next] => kept\n)\n"


FORMS: dict[str, tuple[st.SearchStrategy[str], Callable[[str, str], str]]] = {
    "query": (ANY, lambda key, value: f"GET /a/b?x=y&{urlencode({key: value})}&kept HTTP/1.1"),
    "query of any key": (ANY, lambda _key, value: f"GET /a/b?q={quote(value, safe='')} HTTP/1.1"),
    "JSON": (ANY, lambda key, value: json.dumps({"user": "bob", key: value, "next": "kept"})),
    "JSON without escapes of letters": (ANY, lambda key, value: json.dumps({key: value}, ensure_ascii=False)),
    "JSON, a list": (ANY, lambda key, value: json.dumps({key: ["]", value], "next": "kept"})),
    "JSON, an object": (ANY, lambda key, value: json.dumps({key: {"}": {"x": [value]}}, "next": "kept"})),
    "JSON in JSON": (ANY, lambda key, value: json.dumps({"body": json.dumps({key: value, "next": "kept"})})),
    "Python's dictionary": (ANY, lambda key, value: repr({"user": "bob", key: value, "next": "kept"})),
    "Python's bytes": (ANY, lambda key, value: repr({key: value.encode(), "next": "kept"})),
    "Python's tuples": (ANY, lambda key, value: repr([(key, value), ("next", "kept")])),
    "var_export": (ANY, lambda key, value: f"'{key}' => '{_php(value)}',\n 'next' => 'kept'"),
    "print_r": (ONE_LINE, _print_r),
    "header": (ONE_LINE, lambda key, value: f"> {key}: {value}\n> Next: kept"),
    "form": (ANY, lambda key, value: f"body: {urlencode({key: value, 'next': 'kept'})}"),
    "logfmt": (NO_SPACE, lambda key, value: f"level=info {key}={value} next=kept"),
    "logfmt, quoted": (ANY, lambda key, value: f"level=info {key}={json.dumps(value)} next=kept"),
    "element": (values(st.characters(codec="utf-8", exclude_characters="<")), lambda k, v: f"<{k}>{v}</{k}>kept"),
}


def _php(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(data=st.data(), key=KEY)
def test_no_value_of_a_secret_survives(form: str, data: st.DataObject, key: str) -> None:
    strategy, frame = FORMS[form]
    line = frame(key, data.draw(strategy))
    assert SECRET not in hidden(line)


@settings(deadline=None)
@given(key=KEY, value=ANY, number=st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_a_masked_line_of_json_is_still_json_and_says_the_rest(key: str, value: str, number: float) -> None:
    inner = json.dumps({key: value, "n": 1})
    printed = _print_r(key, SECRET)
    message = f"said {key}={SECRET} and {inner} and {printed} and {key}: {SECRET}"
    document = {
        "level": "info",
        key: value,
        f"{key}_list": [number, {"x": value}],
        f"{key}_2": number,
        "message": message,
    }
    masked = json.loads(hidden(json.dumps(document | {"last": "kept"}), JSON))
    assert SECRET not in json.dumps(masked)
    assert (masked["level"], masked["last"]) == ("info", "kept")


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("curl -u bob https://bob:pa55@host/x", "curl -u bob https://bob:***@host/x"),
        ("got Bearer abcdefgh12345 from bob", "got Bearer *** from bob"),
        ("ck_" + "0a" * 20, "ck_***"),
        ("sent glsa_AbCdEfGhIjKlMnOpQrStUv_12345678 on", "sent glsa_*** on"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_DEF-123 end", "*** end"),
        (
            '"GET /wp-json?consumer_key=ck_1&page=2 HTTP/1.1" 200',
            '"GET /wp-json?consumer_key=***&page=*** HTTP/1.1" 200',
        ),
        ('"GET /a?q=O\'Neil&x=\\x22y\\x22 HTTP/1.1"', '"GET /a?q=***&x=*** HTTP/1.1"'),
        ("'full_path': '/a?b=c', 'method': 'GET'", "'full_path': '/a?b=***', 'method': 'GET'"),
        ('{"password": "cut off in the midd', '{"password": "***'),
    ],
)
def test_what_is_hidden_and_what_stays(line: str, masked: str) -> None:
    assert hidden(line) == masked


@pytest.mark.parametrize(
    "line",
    [
        "Duplicate entry '5' for key 'PRIMARY'",
        'PHP Warning:  Undefined array key "nope" in /var/www/html/x.php on line 5',
        "frappe.exceptions.CSRFTokenError: Invalid Request",
        "Valid API token provided by 127.0.0.1.",
        'type="LOGIN", grant_type="password", auth_method="openid-connect"',
        '{"hostName":"keycloak","processName":"java","processId":12091}',
        "imap-login: Info: Login: user=<a@b.test>, method=PLAIN, session=<gy28ceFgFtJ/AAAB>",
        "keyword=shoes inside=1 wildcard",
    ],
)
def test_what_only_looks_like_a_secret_stays(line: str) -> None:
    assert hidden(line) == line


def test_each_listed_word_is_a_key_of_a_secret() -> None:
    for word in (*masking.KEYS, *masking.KEY_WORDS, *masking.WHOLE_KEYS):
        assert hidden(f"{word}=abc") == f"{word}=***", word
        assert hidden(f"{word.title()}: abc") == f"{word.title()}: ***", word


def test_the_cheap_look_never_misses_what_the_masks_would_hide() -> None:
    """Each token the masks know by its look has a text the cheap look finds."""
    for example in ("bearer abcdefgh", "Basic abcdefgh", "eyJ0", "ck_" + "a" * 40, "cs_0", "glsa_x", "uk1_", "UK2_"):
        assert any(mark in example.lower() for mark in masking.MARKS), example
    assert all(re.fullmatch(r"[a-z0-9_]+", word) for word in (*masking.KEYS, *masking.KEY_WORDS, *masking.MARKS))


@pytest.mark.parametrize(
    ("line", "looked_at"),
    [
        ("Valid API token provided by 127.0.0.1.", False),
        ("org.keycloak.events", False),
        ("token = abc", True),
        ("the token: abc", True),
        ("no token here, but token=abc", True),
        ("POST /oauth/token HTTP/1.1", False),
        ("GET /a?token=***&sid=*** HTTP/1.1", False),
        ("GET /a?token=***x", True),
    ],
)
def test_prose_about_secrets_is_not_looked_at_closely(line: str, looked_at: bool) -> None:
    (look,) = (stage for stage in masking.common(TEXT) if isinstance(stage, CopyIfAny) and stage.harmless)
    entry = Passing(line)
    changes.change(look)(entry)
    assert (look.target in entry.extracted) is looked_at


@pytest.mark.parametrize(
    ("rest", "looked_at"),
    [
        ('grant_type="password", client_auth_method="client-secret"', False),
        ('grant_type="password", password=canary', True),
        ('grant_type="password", client_auth_method="client-secret", client-secret=canary', True),
        ('grant_type="password-canary"', True),
    ],
)
def test_what_keycloak_always_writes_is_no_secret_and_hides_none_beside_it(rest: str, looked_at: bool) -> None:
    log = catalogue.find("keycloak", "server")
    line = f'2026-11-22 22:00:00,000 WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", {rest}'
    (look,) = (stage for stage in masking.common(log) if isinstance(stage, CopyIfAny) and stage.harmless)
    entry = Passing(line)
    changes.change(look)(entry)
    assert (look.target in entry.extracted) is looked_at
    assert all("=canary" not in each.line for each in evaluate.run(pipeline.stages(log, "any"), [line]))
