"""Two runs at once, and a person who is quicker than we are."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.sandbox import api
from tests.e2e.lab import APPLICATIONS, COMMAND, Lab, Outcome


def wait_until(true: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_second_run_on_the_same_client_is_refused_and_names_the_first(lab: Lab):
    lab.fault("mailu", {"method": "POST", "path": "/user$", "latency": 8.0})
    lock = lab.folder / "integrations/state/acme/.lock.holder"
    with lab.start("integrate", "email", "--auto", "--json", "--component", "erpnext") as first:
        wait_until(lock.exists)
        second = lab.integrate()
        out, err = first.communicate(timeout=60)
    assert second.code == 1
    assert second.error["code"] == "busy"
    assert f"process {first.pid}" in second.error["message"]
    assert "agencystack integrate email --auto --json --component erpnext" in second.error["message"]
    assert Outcome(first.returncode, out, err).statuses() == {"erpnext": "applied"}
    assert not lock.exists()


def test_reading_is_possible_while_a_run_writes(lab: Lab):
    lab.fault("mailu", {"method": "POST", "path": "/user$", "latency": 6.0})
    lock = lab.folder / "integrations/state/acme/.lock.holder"
    with lab.start("integrate", "email", "--auto", "--json", "--component", "erpnext") as first:
        wait_until(lock.exists)
        assert lab.run("status", "--json").code == 0
        first.communicate(timeout=60)
    assert first.returncode == 0


@pytest.fixture
def two_clients() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="e2e-"))
    folder.chmod(0o755)
    api.up(folder / "home", real="none", clients=2)
    yield folder / "home"
    api.down(folder / "home")
    shutil.rmtree(folder)


def test_two_clients_that_share_one_mailu_are_integrated_at_the_same_time(two_clients: Path):
    labs = [Lab(two_clients, two_clients, f"client-{number}") for number in (1, 2)]
    running = [lab.start("integrate", "email", "--auto", "--json", "--client", lab.client) for lab in labs]
    for lab, process in zip(labs, running, strict=True):
        out, err = process.communicate(timeout=120)
        done = Outcome(process.returncode, out, err)
        assert done.code == 0, out + err
        # A Grafana has one sender: the first client's, as stack.yaml says.
        of_another = {"grafana": "unsupported"} if lab.client == "client-2" else {}
        assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied") | of_another
        for name in APPLICATIONS:
            assert len(lab.ours(name)["tokens"]) == (0 if name in of_another else 1)


class Person:
    """Somebody at a terminal."""

    def __init__(self, lab: Lab, *arguments: str) -> None:
        lab.edit(lambda _: None)
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=lab.environment | {"TERM": "dumb"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def read_until(self, words: str, seconds: float = 60.0) -> str:
        """Wait for words on the screen; an empty text waits for the end."""
        deadline = time.monotonic() + seconds
        while not words or words not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not select.select([self._master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                break
            if not data:
                break
            self.seen += data.decode(errors="replace")
        return self.seen

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        self.read_until("")
        os.close(self._master)
        return self.process.wait(60)


def test_a_value_changed_between_plan_and_yes_is_not_overwritten(lab: Lab):
    person = Person(lab, "integrate", "email", "--component", "chatwoot")
    person.read_until("Apply this?")
    lab.change_env("SMTP_DOMAIN", "quick.example")
    person.type("y\n")
    assert person.end() == 1
    assert "changed after the plan was made" in person.seen
    assert "SMTP_DOMAIN" in person.seen.partition("changed after the plan was made")[2]
    text = lab.env_file.read_text()
    assert "SMTP_DOMAIN=quick.example" in text
    assert "AGENCYSTACK_OWNER" not in text
    assert lab.integrate("--component", "chatwoot").code == 0


def test_an_option_of_wordpress_changed_between_plan_and_yes_is_not_overwritten(applied: Lab):
    applied.allow("sender_name=Acme shop", "wordpress")
    person = Person(applied, "integrate", "email", "--component", "wordpress")
    person.read_until("Apply this?")
    with applied.wordpress() as store:
        store["options"]["wp_mail_smtp"]["mail"]["from_name"] = "Quick person"
    person.type("y\n")
    assert person.end() == 1
    assert "changed after the plan was made" in person.seen
    with applied.wordpress() as store:
        assert store["options"]["wp_mail_smtp"]["mail"]["from_name"] == "Quick person"


def test_no_is_an_answer(lab: Lab):
    before = lab.products()
    lab.forget_calls()
    person = Person(lab, "integrate", "email")
    person.read_until("Apply this?")
    person.type("n\n")
    assert person.end() == 0
    assert lab.writes() == []
    assert lab.products() == before


def test_what_is_not_ours_is_shown_and_asked_for(lab: Lab):
    lab.change_env("SMTP_ADDRESS", "smtp.relay.example")
    before = lab.products()
    person = Person(lab, "integrate", "email", "--component", "chatwoot")
    person.read_until("smtp.relay.example")
    person.read_until("replace it?")
    person.type("y\n")
    person.read_until("Apply this?")
    person.type("y\n")
    assert person.end() == 0, person.seen
    assert "applied" in person.seen
    assert lab.undo().code == 0
    assert lab.products() == before


def test_a_missing_secret_is_asked_for_unseen_and_sealed(lab: Lab):
    token = lab.credential("acme/listmonk/api-token")
    lab.edit(lambda stack: lab.component(stack, "listmonk").update(api_token="secret:acme/listmonk/api-token"))
    person = Person(lab, "integrate", "email", "--component", "listmonk")
    person.read_until("Secret for clients.acme.components.listmonk.api_token")
    time.sleep(0.3)
    person.type(f"{token}\n")
    person.read_until("Apply this?")
    person.type("y\n")
    assert person.end() == 0, person.seen
    assert token not in person.seen
    sealed = lab.sealed.get("acme/listmonk/api-token")
    assert sealed is not None
    assert sealed.reveal() == token
