"""A sandbox and the real command line on it: what the tests of this folder hold in their hands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from agencystack.sandbox import api
from agencystack.sandbox.bridge_service import BridgeService
from agencystack.sandbox.plan import SandboxFolder
from agencystack.stack.load import load
from agencystack.stack.model import Stack
from agencystack.stack.sealed import SealedStore

LISTMONK_RESTARTS = 1.0
APPLICATIONS = ("chatwoot", "erpnext", "grafana", "listmonk", "uptime-kuma", "wordpress")
SHARED = ("mailu", "uptime-kuma", "grafana")
WEB = ("mailu", "erpnext", "listmonk")
"""The stand-ins that are changed over HTTP."""

COMMAND = (sys.executable, "-m", "agencystack")
# Long enough for every limit of ours; a command that takes longer hangs.
PATIENCE = 150.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        data = json.loads(self.out)
        assert isinstance(data, dict), self.out
        return data

    @property
    def error(self) -> dict[str, Any]:
        """The error a command with --json failed with."""
        found: dict[str, Any] = self.json["error"]
        return found

    def statuses(self) -> dict[str, str]:
        """The status of each application, of ``integrate``, ``plan``, ``undo`` or ``status``."""
        lines = self.json.get("results") or self.json.get("integrations") or []
        return {line["component"]: line["status"] for line in lines}

    def reason(self, application: str) -> str:
        """Why an application has its status."""
        lines = self.json.get("results") or self.json["integrations"]
        return next(str(line["reason"]) for line in lines if line["component"] == application)

    def changed(self, application: str | None = None) -> dict[str, list[str]]:
        """The fields that change, by resource; of one application, or of all."""
        return {
            change["resource"]: change["fields"]
            for line in self.json["results"]
            if application in (None, line["component"])
            for change in line["changes"]
        }


class Lab:
    """One sandbox, put back between tests from a copy of its files.

    Args:
        folder: the sandbox, which is up.
        copies: where copies are kept.
        client: id of the client that tests are about.
    """

    def __init__(self, folder: Path, copies: Path, client: str = "acme") -> None:
        self.folder = folder
        self.client = client
        self._copies = copies
        self._now: str | None = None

    # -- the command line

    @property
    def environment(self) -> dict[str, str]:
        """The variables a command gets: the export line of the sandbox, and nothing of the tests' own."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return kept | {
            "AGENCYSTACK_HOME": str(self.folder),
            "AGENCYSTACK_KEY_FILE": str(self.folder / "sandbox/key"),
            "AGENCYSTACK_LOG_DIR": str(self.folder / "log"),
            "COLUMNS": "400",
        }

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        self._now = None
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(
            [*COMMAND, *arguments], env=self.environment | dict(env or {}), text=True, cwd=self.folder, **given
        )

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> Outcome:
        """Run a command to its end."""
        with self.start(*arguments, env=env, **options) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"{arguments} still ran after {PATIENCE:g} s") from None
        return Outcome(process.returncode, out or "", err or "")

    def kill_at(self, moment: str, *arguments: str) -> None:
        """Start a command and kill it as soon as its run log tells of ``moment``."""
        known = set(self.folder.glob("log/integrations/*.jsonl"))
        process = self.start(*arguments)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            new = set(self.folder.glob("log/integrations/*.jsonl")) - known
            if any(moment in path.read_text() for path in new):
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, f"the run ended before {moment}"

    def integrate(self, *more: str, **options: Any) -> Outcome:
        """Run ``integrate email --auto --json``."""
        return self.run("integrate", "email", "--auto", "--json", *more, **options)

    def integrated(self, *more: str) -> Outcome:
        """Run ``integrate`` and require that all is applied."""
        done = self.integrate(*more)
        assert done.code == 0, done.out + done.err
        assert set(done.statuses().values()) == {"applied"}
        return done

    def plan(self, *more: str, **options: Any) -> Outcome:
        """Run ``plan email --json``."""
        return self.run("plan", "email", "--json", *more, **options)

    def planned(self) -> dict[str, Any]:
        """The plan without the id of its run."""
        return {**self.plan().json, "run": ""}

    def undo(self, *more: str, **options: Any) -> Outcome:
        """Run ``undo email --auto --json``."""
        return self.run("undo", "email", "--auto", "--json", *more, **options)

    def rest(self) -> None:
        """End the data bridge's worker, as a restore wants it."""
        self._now = None
        BridgeService(SandboxFolder(self.folder), self.ports["bridge"]).stop()

    # -- states

    def save(self, name: str) -> None:
        """Keep the present state of everything under ``name``."""
        api.down(self.folder)
        target = self._copies / name
        target.mkdir()
        for part in self._parts():
            if part.exists():
                subprocess.run(["cp", "-a", str(part), str(target)], check=True)
        api.up(self.folder)
        self._now = name

    def load(self, name: str) -> None:
        """Bring back the state saved under ``name``; free when nothing happened since."""
        if self._now != name:
            api.down(self.folder)
            for part in self._parts():
                if part.is_dir():
                    shutil.rmtree(part)
                else:
                    part.unlink(missing_ok=True)
                if (self._copies / name / part.name).exists():
                    subprocess.run(["cp", "-a", str(self._copies / name / part.name), str(part)], check=True)
            api.up(self.folder)
        self._now = name
        self.forget_calls()
        self.forgive()

    def _parts(self) -> tuple[Path, ...]:
        private = self.folder / "sandbox"
        return (
            *(private / "data", private / "credentials", private / "key"),
            *(self.folder / "integrations", self.folder / "stack.yaml", self.folder / "scripts"),
        )

    # -- stack.yaml

    @property
    def stack(self) -> Stack:
        """What stack.yaml says."""
        return load(self.folder / "stack.yaml")

    def edit(self, change: Callable[[Any], None]) -> None:
        """Change stack.yaml as a person does."""
        self._now = None
        path, yaml = self.folder / "stack.yaml", YAML()
        data = yaml.load(path.read_text())
        change(data)
        with path.open("w") as file:
            yaml.dump(data, file)

    def allow(self, word: str, *applications: str) -> None:
        """Write ``replace: true`` or ``adopt: true``, or a setting as NAME=VALUE, for applications."""

        def change(stack: Any) -> None:
            email = stack["clients"][self.client].setdefault("integrations", {}).setdefault("email", {})
            name, _, value = word.partition("=")
            for application in applications:
                email.setdefault(application, {})[name] = value or True

        self.edit(change)

    def component(self, stack: Any, name: str) -> Any:
        """The part of a loaded stack.yaml about a component."""
        group = stack["shared"] if name == "mailu" else stack["clients"][self.client]
        return group["components"][name]

    def credential(self, name: str) -> str:
        """A credential of the sandbox, by its file."""
        return (self.folder / "sandbox/credentials" / name).read_text().strip()

    # -- the products

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Trusts the sandbox's authority."""
        return ssl.create_default_context(cafile=self.folder / "sandbox/tls/ca.pem")

    @property
    def ports(self) -> dict[str, int]:
        """Ports by name."""
        found: dict[str, int] = json.loads((self.folder / "sandbox/ports.json").read_text())
        return found

    def url(self, name: str) -> str:
        """The address of a component."""
        return f"http://localhost:{self.ports[name if name in SHARED else f'{self.client}/{name}']}"

    def mailu(self, method: str, path: str, **json_body: Any) -> Any:
        """Call Mailu's API as its administrator does."""
        return self._call("mailu", method, f"/api/v1{path}", {"Authorization": self._bearer}, json_body)

    @property
    def _bearer(self) -> str:
        return f"Bearer {self.credential('mailu/api-token')}"

    def erpnext(self, method: str, path: str, **json_body: Any) -> Any:
        """Call ERPNext's API as its administrator does."""
        key, secret = (self.credential(f"{self.client}/erpnext/api-{part}") for part in ("key", "secret"))
        return self._call("erpnext", method, f"/api/{path}", {"Authorization": f"token {key}:{secret}"}, json_body)

    def listmonk(self, method: str, path: str, json_body: Any = None) -> Any:
        """Call Listmonk's API as its administrator does."""
        token = self.credential(f"{self.client}/listmonk/api-token")
        headers = {"Authorization": f"token agencystack:{token}"}
        answer = self._call("listmonk", method, f"/api/{path}", headers, json_body)
        if (method, path) == ("PUT", "settings"):
            # It restarts half a second later, and for a moment answers nobody (recordings/listmonk/restart.json).
            time.sleep(LISTMONK_RESTARTS)
        return answer

    def _call(self, name: str, method: str, path: str, headers: Mapping[str, str], body: Any) -> Any:
        self._now = None if method != "GET" else self._now
        given = {"json": body} if body else {}
        answer = httpx.request(method, self.url(name) + path, headers=dict(headers), timeout=30, **given)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    @contextmanager
    def wordpress(self) -> Iterator[dict[str, Any]]:
        """What the stand-in WordPress stores, to be changed as its administration screens do."""
        path = self.folder / f"sandbox/data/wordpress/{self.client}/store.json"
        data = json.loads(path.read_text())
        before = json.dumps(data)
        yield data
        if json.dumps(data) != before:
            self._now = None
            path.write_text(json.dumps(data))

    @property
    def env_file(self) -> Path:
        """Chatwoot's environment file."""
        return self.folder / f"sandbox/data/chatwoot/{self.client}/.env"

    def change_env(self, name: str, value: str) -> None:
        """Change a variable of Chatwoot with an editor, and restart it."""
        self._now = None
        lines = self.env_file.read_text().splitlines(keepends=True)
        kept = [f"{name}={value}\n" if line.startswith(f"{name}=") else line for line in lines]
        self.env_file.write_text("".join(kept))
        subprocess.run([str(self.env_file.parent / "bin/restart")], check=True)

    def products(self) -> dict[str, Any]:
        """What all products hold of what we may change, to compare two moments."""
        settings = self.listmonk("GET", "settings")["data"]
        # Whatever is saved, Listmonk gives every server that has none a uuid of its own.
        servers = [{**server, "uuid": ""} for server in settings["smtp"]]
        with self.wordpress() as store:
            site = {"options": store["options"], "plugins": store["plugins"]}
        details = self.env_file.stat()
        users = [
            {key: value for key, value in user.items() if key not in {"password", "quota_bytes_used"}}
            for user in self.mailu("GET", "/user")
        ]
        return {
            "users": sorted(users, key=lambda user: str(user["email"])),
            "tokens": [{**token, "id": 0} for token in self.mailu("GET", "/token")],
            "aliases": self.mailu("GET", "/alias"),
            "domains": [domain["name"] for domain in self.mailu("GET", "/domain")],
            "email accounts": self.documents("Email Account"),
            "email domains": self.documents("Email Domain"),
            "listmonk": {"smtp": servers, "from": settings["app.from_email"]},
            "wordpress": site,
            "wp-config.php": self.wp_config.read_bytes(),
            "chatwoot": self.env_file.read_bytes(),
            "chatwoot file": (oct(details.st_mode), details.st_uid, details.st_gid),
            "chatwoot running": self.running(),
        }

    @property
    def wp_config(self) -> Path:
        """WordPress's configuration file."""
        return self.folder / f"sandbox/data/wordpress/{self.client}/site/wp-config.php"

    def running(self) -> dict[str, str]:
        """The variables Chatwoot runs with."""
        found: dict[str, str] = json.loads((self.env_file.parent / "running-environment.json").read_text())
        return found

    def documents(self, doctype: str) -> list[dict[str, Any]]:
        """All documents of a kind in ERPNext, without what changes by looking."""
        names = [row["name"] for row in self.erpnext("GET", f"resource/{doctype}?limit_page_length=0")["data"]]
        found = [self.erpnext("GET", f"resource/{doctype}/{name}")["data"] for name in sorted(names)]
        passing = {"modified", "modified_by", "idx", "owner", "creation"}
        return [{key: value for key, value in doc.items() if key not in passing} for doc in found]

    def ours(self, application: str) -> dict[str, Any]:
        """The mailbox and the tokens of an application in Mailu."""
        address = f"{application}@{self.stack.clients[self.client].domain}"
        user = next((user for user in self.mailu("GET", "/user") if user["email"] == address), None)
        return {"user": user, "tokens": [t for t in self.mailu("GET", "/token") if t["email"] == address]}

    @property
    def sealed(self) -> SealedStore:
        """The sealed store of the installation."""
        return SealedStore(self.folder / "integrations/secrets", self.folder / "sandbox/key")

    def issued(self, application: str) -> str:
        """The token that was issued to an application, from the sealed store."""
        stored = self.sealed.get(f"{self.client}/email/{application}/mailu-token")
        assert stored is not None
        token: str = json.loads(stored.reveal())["token"]
        return token

    # -- what happened, and what shall go wrong

    def calls(self, name: str) -> list[dict[str, Any]]:
        """What a stand-in was asked since the state was loaded."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url(name)}/__sandbox__/calls").json()["calls"]
        return found

    def writes(self) -> list[str]:
        """Every call that asked a stand-in for a change."""
        return [
            f"{name} {call['method']} {call['path']}"
            for name in WEB
            for call in self.calls(name)
            if call["method"] not in {"GET", "HEAD", "OPTIONS"}
        ]

    def forget_calls(self) -> None:
        """Count from now on."""
        for name in WEB:
            httpx.delete(f"{self.url(name)}/__sandbox__/calls")

    def fault(self, name: str, *rules: Mapping[str, Any]) -> None:
        """Make a stand-in misbehave."""
        self._now = None
        answer = httpx.post(f"{self.url(name)}/__sandbox__/faults", json=[dict(rule) for rule in rules])
        assert answer.status_code == 200, answer.text

    def forgive(self, names: Sequence[str] = WEB) -> None:
        """End all misbehaviour."""
        for name in names:
            httpx.delete(f"{self.url(name)}/__sandbox__/faults")
