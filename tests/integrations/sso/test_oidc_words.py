"""Words between braces: filled in, found again, and the rest left alone."""

from __future__ import annotations

from typing import Any

import pytest

from agencystack.engine.values import Marker
from agencystack.integrations.sso.oidc import pointed
from agencystack.integrations.sso.oidc_words import as_json, filled, filled_json, found, names_in, written
from agencystack.stack.oidc_application import WORDS
from agencystack.stack.secrets import Secret

LOGIN = {**dict.fromkeys(WORDS, "x"), "issuer": "https://id", "client_id": "acme-wiki", "client_secret": Secret("s")}


def test_only_our_words_are_filled_in() -> None:
    assert filled('{"a": {issuer}, "b": {other}, {}}', LOGIN) == '{"a": https://id, "b": {other}, {}}'


def test_a_text_with_the_secret_in_it_is_one() -> None:
    assert filled("{client_id}:{client_secret}", LOGIN) == Secret("acme-wiki:s")
    pending = {**LOGIN, "client_secret": Marker.PENDING}
    assert filled("{client_id}:{client_secret}", pending) is Marker.PENDING
    assert filled("{client_id}", pending) == "acme-wiki"
    assert as_json(pending) is Marker.PENDING


def test_a_word_that_holds_braces_is_not_filled_in_again() -> None:
    assert filled("{issuer}", {**LOGIN, "issuer": "{client_id}"}) == "{client_id}"


@pytest.mark.parametrize(
    "text", ["a={issuer}", "{issuer}\r\n{issuer}\n", "$(.*) {client_id} \\", "{no} {client_secret}"]
)
def test_what_is_written_is_found_again(text: str) -> None:
    values = {name: LOGIN[name.partition(" ")[0]] for name in names_in(text)}
    assert found(text, written(text, values)) == values


def test_another_text_is_not_taken_for_ours() -> None:
    assert found("a={issuer}\n", "a=x\nb=y\n") is None
    assert found("a={issuer}\n", "b=x\n") is None


def test_json_keeps_its_form_whatever_a_word_holds() -> None:
    body: Any = {"id": "{client_id}", "list": ["{issuer}", 1, None], "key": "Bearer {credentials.api-token}"}
    words = {**LOGIN, "issuer": 'a "quoted" word'}
    done = filled_json(body, words, lambda name: Secret(f"the {name}"))
    assert done == {"id": "acme-wiki", "list": ['a "quoted" word', 1, None], "key": "Bearer the api-token"}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", {"user": {"roles": ["a"], "x/y~": 1}}),
        ("/user/roles", ["a"]),
        ("/user/roles/0", "a"),
        ("/user/roles/1", None),
        ("/user/x~1y~0", 1),
        ("/user/roles/0/more", None),
        ("/nobody", None),
    ],
)
def test_a_pointer_leads_as_in_rfc_6901_and_to_nothing_where_nothing_is(pointer: str, value: Any) -> None:
    assert pointed({"user": {"roles": ["a"], "x/y~": 1}}, pointer) == value
