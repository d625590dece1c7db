"""The tour behind `make demo`: on a sandbox of its own, every promise is shown and checked, and at the end it stays.

Each command is printed before it runs. With DEMO_EXIT=1, or without a terminal, the sandbox is taken down after the
proofs; otherwise at Ctrl-C. When something is not as promised the tour says so, takes the sandbox down and fails.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

AGENCYSTACK = str(Path(sys.executable).with_name("agencystack"))
DONE, PENDING = 0, 3
EDITED_APPLICATION, EDITED_FIELD = "listmonk", "from_email"
BY_HAND = "Somebody <somebody@acme.example>"
console = Console(highlight=False)


class NotAsPromised(Exception):
    """Something the tour shows did not happen."""


@dataclass(frozen=True)
class Tour:
    """One sandbox and the commands that are shown on it.

    Args:
        folder: the sandbox's folder.
    """

    folder: Path

    @property
    def variables(self) -> Mapping[str, str]:
        """What the export line sets."""
        return {
            "AGENCYSTACK_HOME": str(self.folder),
            "AGENCYSTACK_KEY_FILE": str(self.folder / "sandbox" / "key"),
            "AGENCYSTACK_LOG_DIR": str(self.folder / "log"),
        }

    def run(self, *words: str, expect: int = DONE) -> None:
        """Show a command, run it, and insist on its exit code."""
        console.print(f"\n[bold cyan]$ agencystack {escape(' '.join(words))}[/]")
        code = subprocess.run([AGENCYSTACK, *words], env=os.environ | self.variables, check=False).returncode
        if code != expect:
            raise NotAsPromised(f"`agencystack {' '.join(words)}` ended with {code} instead of {expect}")

    def ask(self, *words: str, expect: int = DONE) -> Any:
        """Return what a command says with --json, without showing it."""
        done = subprocess.run(
            [AGENCYSTACK, *words, "--json"], env=os.environ | self.variables, stdout=subprocess.PIPE, check=False
        )
        if done.returncode != expect:
            raise NotAsPromised(f"`agencystack {' '.join(words)}` ended with {done.returncode} instead of {expect}")
        return json.loads(done.stdout)


def show(tour: Tour) -> None:
    """Walk through everything once."""
    say("1", "What would change? Read live from every product; nothing is written.")
    tour.run("plan", "email", expect=PENDING)
    first = tour.ask("plan", "email", expect=PENDING)

    say("2", "Do it. Each application gets a mailbox of its own and sends a mail, which is read back over IMAP.")
    tour.run("integrate", "email", "--auto")

    say("3", "Once more: a second run changes nothing.")
    tour.run("integrate", "email", "--auto")
    insist(tour.ask("plan", "email")["changes"] == 0, "nothing is left to change")

    say("4", "Does it still work? Every application sends again.")
    tour.run("verify", "email")

    say("5", f"Somebody changes the sender of {EDITED_APPLICATION} by hand, through its own interface.")
    edit_by_hand(tour)
    tour.run("status", "email")
    tour.run("plan", "email", expect=PENDING)
    insist_on_the_edit_alone(tour)
    tour.run("integrate", "email", "--auto")
    insist(tour.ask("plan", "email")["changes"] == 0, "the next run mends it")

    say("6", "Take everything back. Afterwards the plan is the one from the beginning.")
    tour.run("undo", "email", "--auto")
    insist(tour.ask("plan", "email", expect=PENDING)["results"] == first["results"], "undo puts back what was there")

    say(
        "7",
        "WordPress and ERPNext in step: what is made on one side appears on the other, and what is changed comes back.",
    )
    tour.run("plan", "data-bridge", expect=PENDING)
    tour.run("integrate", "data-bridge", "--auto")
    tour.run("verify", "data-bridge")
    tour.run("bridge", "status")

    say("8", "And the mail on again, so that you can look around. The proofs:")
    tour.run("integrate", "email", "--auto")
    tour.run("verify", "email")


def edit_by_hand(tour: Tour) -> None:
    """Change one setting as a person would, behind our back."""
    components = tour.ask("components")["components"]
    url = next(item["url"] for item in components if item["component"] == EDITED_APPLICATION)
    client = next(item["client"] for item in components if item["component"] == EDITED_APPLICATION)
    token = (tour.folder / "sandbox" / "credentials" / client / EDITED_APPLICATION / "api-token").read_text().strip()
    headers = {"Authorization": f"token agencystack:{token}"}
    console.print(f"\n[bold cyan]PUT {url}/api/settings[/]  app.from_email = {escape(BY_HAND)}", soft_wrap=True)
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
        settings = http.get("/api/settings").raise_for_status().json()["data"]
        http.put("/api/settings", json=settings | {"app.from_email": BY_HAND}).raise_for_status()
        wait_until_back(http)


def wait_until_back(http: httpx.Client) -> None:
    """Listmonk restarts itself after its settings changed."""
    for _ in range(100):
        time.sleep(0.1)
        try:
            if http.get("/api/settings").is_success:
                return
        except httpx.TransportError:
            continue
    raise NotAsPromised(f"{EDITED_APPLICATION} did not come back after its settings were changed")


def insist_on_the_edit_alone(tour: Tour) -> None:
    """The status names the application and the field; the plan holds that field and nothing else."""
    lines = tour.ask("status", "email")["integrations"]
    drifted = {line["component"]: line["reason"] for line in lines if line["status"] != "applied"}
    insist(list(drifted) == [EDITED_APPLICATION], "status says which application drifted")
    insist(EDITED_FIELD in drifted[EDITED_APPLICATION], "status names the field")
    changes = [change for line in tour.ask("plan", "email", expect=PENDING)["results"] for change in line["changes"]]
    insist([change["fields"] for change in changes] == [[EDITED_FIELD]], "the plan shows only that field")


def insist(truth: bool, promise: str) -> None:
    """Show a promise that was kept, or end the tour."""
    if not truth:
        raise NotAsPromised(f"not true: {promise}")
    console.print(f"[green]checked:[/] {escape(promise)}")


def say(number: str, text: str) -> None:
    """Print the heading of a step."""
    console.print(f"\n[bold]{number}. {escape(text)}[/]", soft_wrap=True)


@contextmanager
def sandbox() -> Iterator[Tour]:
    """Have a sandbox in a folder of its own; whatever happens, nothing of it is left running."""
    folder = Path(tempfile.mkdtemp(prefix="agencystack-demo-"))
    # As root the products run as other users, who must get through to their files.
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    tour = Tour(folder)
    try:
        say("0", "A complete stack on this machine: no root, no container, nothing outside one folder.")
        tour.run("sandbox", "up", "--dir", str(folder))
        yield tour
    finally:
        # A second Ctrl-C would leave servers running.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        console.print("\nTaking the sandbox down ...")
        took = subprocess.run(
            [AGENCYSTACK, "sandbox", "down", "--dir", str(folder)], env=os.environ | tour.variables,
            stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if took.returncode == 0:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            console.print(
                f"[red]could not take it down; try:[/] agencystack sandbox down --dir {folder}", soft_wrap=True
            )


def stay(tour: Tour) -> None:
    """Tell how to go on, and wait for Ctrl-C."""
    exports = " ".join(f"{name}={value}" for name, value in tour.variables.items())
    console.print("\n[bold]All promises kept. The stack stays up until you press Ctrl-C.[/] In another terminal:")
    console.print(f"  export {exports}", soft_wrap=True, markup=False)
    console.print(f"  {AGENCYSTACK} status", soft_wrap=True, markup=False)
    console.print(f"  {AGENCYSTACK} --help", soft_wrap=True, markup=False)
    while True:
        signal.pause()


def next_steps() -> None:
    """Tell what to do after the tour."""
    console.print("\n[bold]All promises kept.[/] What next:")
    console.print(
        "  agencystack sandbox up     a stack like this one that stays; prints the export line to use it",
        soft_wrap=True,
    )
    console.print("  docs/connect-a-stack.md    connect your own products")


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the tour; return its exit code."""
    # Ctrl-C, too: a shell that starts it in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    stays = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("DEMO_EXIT") != "1"
    began = time.monotonic()
    shown = False
    try:
        with sandbox() as tour:
            show(tour)
            shown = True
            console.print(f"\nTook {time.monotonic() - began:.0f} s.")
            if stays:
                stay(tour)
            next_steps()
    except KeyboardInterrupt:
        return 0 if shown else 130
    except (NotAsPromised, OSError, httpx.HTTPError) as error:
        console.print(f"\n[bold red]The demo failed:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
