"""No secret is seen where it does not belong: output, logs, records, processes, tracebacks."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.lab import APPLICATIONS, Lab, Outcome

MASK = "********"


class Watch:
    """Reads arguments and environment of every process that a process starts, again and again, until it ends."""

    def __init__(self, pid: int) -> None:
        self._root = pid
        self.seen: dict[str, bytes] = {}
        self.programs: set[str] = set()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _watch(self) -> None:
        while Path(f"/proc/{self._root}/stat").exists() and not self._is_zombie():
            root = self._note(self._root, "cmdline")
            for pid in self._below(self._root):
                # Until it has become another program, a child is a copy of the one that was told the secret.
                if self._note(pid, "cmdline") != root:
                    self._note(pid, "environ")

    def _is_zombie(self) -> bool:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self._root}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return True

    def _below(self, pid: int) -> Iterator[int]:
        """Give all descendants; a child stands under the thread that made it."""
        found: list[str] = []
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                found += Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        for child in map(int, found):
            yield child
            yield from self._below(child)

    def _note(self, pid: int, what: str) -> bytes:
        content = b""
        with contextlib.suppress(OSError):
            content = Path(f"/proc/{pid}/{what}").read_bytes()
            self.seen[f"{pid} {what} {hash(content)}"] = content
            if what == "cmdline" and pid != self._root:
                self.programs.add(content.decode(errors="replace").replace("\0", " ").strip())
        return content


def forms(secret: str) -> set[bytes]:
    """Every form a secret could be written in."""
    texts = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret[::-1]}
    encoded = {base64.b64encode(secret.encode()), base64.urlsafe_b64encode(secret.encode())}
    return (
        {text.encode() for text in texts} | {form.rstrip(b"=") for form in encoded} | {secret.encode().hex().encode()}
    )


def leaks(secrets: dict[str, str], places: dict[str, bytes]) -> list[str]:
    """Say which secret is in which place."""
    return [
        f"{name} in {where}"
        for name, secret in secrets.items()
        for where, content in places.items()
        if any(form in content for form in forms(secret))
    ]


def kept(lab: Lab) -> dict[str, bytes]:
    """Everything on disk that is AgencyStack's own; the products' data and their credentials are not."""
    private = lab.folder / "sandbox"
    own = [path for path in lab.folder.rglob("*") if path.is_file() and private not in path.parents]
    own += [path for path in private.rglob("*") if path.is_file() and path.parent in {private, private / "run"}]
    return {str(path.relative_to(lab.folder)): path.read_bytes() for path in own}


class Spied:
    """Runs commands with the Mailu token in a variable, and keeps all that could be seen meanwhile."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.places: dict[str, bytes] = {}
        self.programs: set[str] = set()
        self.secrets = {
            "Mailu's API token": lab.credential("mailu/api-token"),
            "ERPNext's key": lab.credential("acme/erpnext/api-key"),
            "ERPNext's secret": lab.credential("acme/erpnext/api-secret"),
            "Listmonk's token": lab.credential("acme/listmonk/api-token"),
        }
        lab.edit(lambda stack: lab.component(stack, "mailu").update(api_token="env:SPIED_MAILU_TOKEN"))

    def run(self, *arguments: str) -> Outcome:
        variables = {"SPIED_MAILU_TOKEN": self.secrets["Mailu's API token"]}
        with self.lab.start(*arguments, env=variables) as process:
            watch = Watch(process.pid)
            out, err = process.communicate(timeout=120)
            watch.join()
        name = " ".join(arguments)
        self.places |= {f"stdout of {name}": out.encode(), f"stderr of {name}": err.encode()}
        self.places |= {f"{name}: process {key}": content for key, content in watch.seen.items()}
        self.programs |= watch.programs
        for application in APPLICATIONS:
            if self.lab.sealed.get(f"acme/email/{application}/mailu-token"):
                token = self.lab.issued(application)
                self.secrets[f"{application}'s token {token[:3]}"] = token
        return Outcome(process.returncode, out, err)

    def assert_nothing_leaked(self) -> None:
        assert leaks(self.secrets, self.places | kept(self.lab)) == []


def test_the_watch_and_the_search_find_what_is_there():
    code = "import subprocess, sys; subprocess.run(['sleep', '0.5'], env={'HOLDS': 'canary-in-environ'})"
    with subprocess.Popen([sys.executable, "-c", code, "canary-in-arguments"]) as process:
        watch = Watch(process.pid)
        process.wait()
        watch.join()
    found = leaks({"a": "canary-in-environ", "b": "canary-in-arguments", "c": "canary-nowhere"}, watch.seen)
    assert {line[0] for line in found} == {"a", "b"}
    assert any(program.startswith("sleep") for program in watch.programs)
    hidden = {"file": b"Basic " + base64.b64encode(b"canary-encoded")}
    assert leaks({"d": "canary-encoded"}, hidden) == ["d in file"]


def test_no_secret_is_seen_while_everything_works(lab: Lab):
    spied = Spied(lab)
    assert spied.run("plan", "email").code == 3
    assert spied.run("integrate", "email", "--auto", "--json").code == 0
    assert len(spied.secrets) == 4 + len(APPLICATIONS)
    for arguments in (
        *(["status"], ["verify", "--json"], ["components"], ["doctor"], ["rotate", "email", "--auto"]),
        *(["integrate", "email", "--auto"], ["undo", "email", "--auto", "--json"]),
    ):
        spied.run(*arguments)
    assert len(spied.secrets) == 4 + 2 * len(APPLICATIONS)
    assert any("bin/wp" in program or "wordpress_program" in program for program in spied.programs)
    assert any("chatwoot" in program for program in spied.programs)
    assert any("integrations" in where for where in kept(lab))
    assert any(where.startswith("log/") for where in kept(lab))
    spied.assert_nothing_leaked()


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("mailu", {"method": "POST", "path": "/token$", "after_write": True}),
        ("erpnext", {"method": "POST", "path": "Email( |%20)Account", "drop": "after"}),
    ],
    ids=["mailu 500 after write", "erpnext dropped"],
)
def test_no_secret_is_seen_when_products_fail(lab: Lab, where: str, fault: dict[str, object]):
    spied = Spied(lab)
    lab.fault(where, fault)
    assert spied.run("integrate", "email", "--auto", "--json").code in (1, 4)
    lab.forgive()
    assert spied.run("integrate", "email", "--auto").code == 0
    spied.assert_nothing_leaked()


LEAKY = '''
"""An integration that shouts its secret."""

from agencystack.engine.integration import Integration, Proof, integration
from agencystack.engine.resource import Reading, Resource


@integration("email", "leaky", version=1)
class Leaky(Integration):
    """Shouts."""

    def resources(self, site):
        yield Shouting(site)

    def proofs(self, site):
        yield Shout(site)


def secret(site):
    return site.context.resolve(site.application.settings.credentials["token"]).reveal()


class Shouting(Resource):
    """Shouts."""

    def __init__(self, site):
        self.component, self.key, self._site = site.application.ref, "volume", site

    def read(self):
        if STAGE == "read":
            raise RuntimeError("cannot read with " + secret(self._site))
        return Reading({"volume": 1})

    def wanted(self):
        return {"volume": 1 if STAGE == "proof" else 2}

    def write(self, change):
        raise RuntimeError("cannot write with " + secret(self._site))


class Shout(Proof):
    """Shouts."""

    name = "it shouts"

    def __init__(self, site):
        self._site = site

    def run(self):
        raise RuntimeError("cannot prove with " + secret(self._site))
'''


@pytest.mark.parametrize("stage", ["read", "write", "proof"])
def test_no_secret_is_seen_when_an_integration_shouts_it(lab: Lab, stage: str):
    canary = "canary-shouted-4f1d9a"
    script = lab.folder / "scripts/integration/leaky.py"
    script.parent.mkdir(parents=True, mode=0o755)
    script.write_text(LEAKY.replace("STAGE", repr(stage)))
    spied = Spied(lab)
    token = lab.folder / "sandbox/credentials/leaky"
    token.write_text(canary)
    token.chmod(0o600)
    lab.edit(
        lambda stack: stack["clients"]["acme"]["components"].update(
            leaky={"custom": True, "url": "http://localhost:9", "credentials": {"token": f"file:{token}"}}
        )
    )
    spied.secrets["the shouted secret"] = canary
    done = spied.run("integrate", "email", "--auto", "--json", "--component", "leaky")
    assert done.code == 1
    assert MASK in done.reason("leaky")
    assert spied.run("status").code == 0
    spied.assert_nothing_leaked()
    if stage != "read":
        logs = [path.read_text() for path in (lab.folder / "log/integrations").glob("*.jsonl")]
        assert any(
            "Traceback" in text and f"cannot {stage.replace('proof', 'prove')} with {MASK}" in text for text in logs
        )
