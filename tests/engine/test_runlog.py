"""No secret reaches a run's log, in whatever form a product, an error or an integration shows it."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agencystack.engine.integration import Evidence
from agencystack.engine.resource import Change
from agencystack.engine.runlog import RunLog
from agencystack.stack.errors import Refused
from agencystack.stack.secrets import MASK, Secret, redact
from tests.engine.fakes import Sees, Thing, World

CANARY = 'kan"arie\\vögel & /söhne+1'

FORMS = {
    "plain": CANARY,
    "JSON": json.dumps(CANARY),
    "JSON with letters as they are": json.dumps(CANARY, ensure_ascii=False),
    "JSON inside a text": json.dumps({"body": json.dumps({"password": CANARY})}),
    "PHP's JSON": json.dumps(CANARY).replace("/", "\\/"),
    "repr": repr({"password": CANARY}),
    "URL": quote(CANARY, safe=""),
    "form": quote_plus(CANARY),
    "HTML": html.escape(CANARY),
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "URL-safe base64": base64.urlsafe_b64encode(CANARY.encode()).decode(),
    "HTTP Basic": base64.b64encode(f"user:{CANARY}".encode()).decode(),
    "SASL PLAIN": base64.b64encode(f"\0a@acme.example\0{CANARY}".encode()).decode(),
    "SASL PLAIN, shifted": base64.b64encode(f"\0ab@acme.example\0{CANARY}".encode()).decode(),
}


def _parts(form: str) -> set[str]:
    """Return what of a form gives the canary away: its longest run that is not the neighbours'."""
    return {form[4:-4]} if len(form) > 12 else {form}


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    Secret(CANARY)
    return RunLog(tmp_path, "20260101T000000000Z-abcd")


@pytest.mark.parametrize("name", FORMS)
def test_no_form_of_a_secret_can_be_read(log: RunLog, name: str) -> None:
    form = FORMS[name]
    log.info("answered", text=form, nested={"list": [form, {form: form}]}, error=Refused(form), said=(form,))
    log.error("failed", Refused(f"it answered {form}"))
    text = log.path.read_text()
    assert MASK in text
    assert not [part for part in _parts(form) if part in text]
    assert "vögel" not in text
    assert all(json.loads(line) for line in text.splitlines())


def test_a_secret_itself_is_masked_and_other_values_stay(log: RunLog) -> None:
    log.info("write", password=Secret("another-canary-1"), port=465, on=True, none=None, nets=("a", "b"))
    [line] = [json.loads(text) for text in log.path.read_text().splitlines()]
    assert line["password"] == MASK
    assert (line["port"], line["on"], line["none"], line["nets"]) == (465, True, None, ["a", "b"])
    assert (line["run"], line["event"], line["level"]) == ("20260101T000000000Z-abcd", "write", "info")


def test_a_chain_of_errors_is_masked_to_its_first_cause(log: RunLog) -> None:
    try:
        try:
            raise ValueError(f"login with {CANARY}")
        except ValueError as cause:
            raise Refused("it said no") from cause
    except Refused as error:
        log.error("failed", error)
    text = log.path.read_text()
    assert "ValueError" in text
    assert "vögel" not in text


def test_the_log_is_for_the_owner_alone(log: RunLog) -> None:
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.path.parent.stat().st_mode & 0o777 == 0o700


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40), before=st.text(max_size=5))
def test_any_secret_in_any_base64_is_masked(secret: str, before: str) -> None:
    Secret(secret)
    encoded = base64.b64encode(f"{''.join(c for c in before if c.isascii())}:{secret}".encode()).decode()
    assert redact(encoded) != encoded


def test_a_run_with_a_talkative_integration_leaves_no_trace_of_a_secret(world: World) -> None:
    """Everything an integration can say, it says with the secret in it."""
    secret = Secret("talkative-canary-52")

    class Talkative(Thing):
        def write(self, change: Change) -> None:
            super().write(change)
            if change.target["host"] == "second":
                raise RuntimeError(f"PATCH /settings {secret.reveal()}")

    def evidence() -> Evidence:
        shown: dict[str, Any] = {"login": ("user", {"password": secret.reveal()}), "object": secret}
        return Evidence(ok=False, seen=shown, reason=f"refused {secret.reveal()}")

    host = ["first"]
    wanted = lambda: {"host": host[0], "url": f"smtp://u:{secret.reveal()}@mail", "password": secret}  # noqa: E731
    world.wants(Talkative(world.app, "mail", wanted), proofs=lambda _site: [Sees("talks", evidence)])
    world.integrate()
    host[0] = "second"
    world.integrate()
    world.undo()
    written = [path for path in world.folder.rglob("*") if path.is_file()]
    assert len(written) > 3
    assert [path.name for path in written if b"talkative-canary" in path.read_bytes()] == []
