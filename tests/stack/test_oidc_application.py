"""Mistakes in how an application is described are found before anything is called."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from agencystack.stack.products import CustomComponent

FILE = {"path": "/srv/wiki.ini", "template": "{client_id} {client_secret} {anything}"}
PROOF = {"start": "/login", "who": {"url": "/me", "name": "/name", "email": "/email"}, "logout": "/logout"}
RIGHT: dict[str, Any] = {"redirect_uris": ["https://wiki.example/callback?way=oidc"], "file": FILE, "proof": PROOF}


def described(**changed: Any) -> CustomComponent:
    oidc = {name: value for name, value in {**RIGHT, **changed}.items() if value is not None}
    return CustomComponent.model_validate_json(
        json.dumps({"custom": True, "url": "https://wiki.example", "oidc": oidc}), strict=True
    )


def test_what_is_right_is_taken_with_its_defaults() -> None:
    oidc = described().oidc
    assert oidc is not None
    assert (oidc.scopes, oidc.pkce, oidc.proof.refuses_strangers) == (("openid", "profile", "email"), True, True)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"redirect_uris": ["https://wiki.example/*"]}, "not an exact address"),
        ({"redirect_uris": []}, "at least 1 item"),
        ({"file": None}, "in one way"),
        ({"command": {"argv": ["wiki"]}}, "in one way"),
        ({"file": {**FILE, "template": "{client_id}"}}, "client_secret"),
        (
            {"file": None, "env_file": {"path": "/e", "variables": {"A": "{client_id}", "B": "{client_secrt}"}}},
            "client_secrt",
        ),
        (
            {"file": None, "env_file": {"path": "/e", "variables": {"A B": "{client_id}{client_secret}"}}},
            "name a variable",
        ),
        ({"file": None, "http": {"url": "/login", "body": {"id": "{client_id}"}}}, "client_secret"),
        ({"proof": {**PROOF, "start": "login"}}, "not an address of the application"),
        ({"proof": {**PROOF, "who": {**PROOF["who"], "name": "name"}}}, "not a JSON pointer"),  # type: ignore[dict-item]
        ({"restart": "systemctl restart wiki"}, "tuple"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        described(**changed)
    assert said in str(refused.value) or said in str(refused.value.errors())


def test_a_call_needs_no_place_to_run_commands_unless_it_restarts() -> None:
    call = {"url": "/login", "body": {"id": "{client_id}", "secret": "{client_secret}"}}
    by_call, restarted = described(file=None, http=call).oidc, described(file=None, http=call, restart=["true"]).oidc
    assert by_call is not None
    assert restarted is not None
    assert (by_call.needs_exec, restarted.needs_exec) == (False, True)
