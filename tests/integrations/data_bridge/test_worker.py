"""The worker as a service: installed after the plan showed it, heard of, mended, and gone with the last bridge.

``systemctl`` is a script that answers as systemd 252 does (words and exit codes of systemctl(1)); "starting" the unit
makes a worker be heard of.
"""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agencystack.bridge.record import SideName
from agencystack.bridge.serving.keyring import Access, Keyring
from agencystack.bridge.serving.place import Place
from agencystack.bridge.serving.service import milliseconds
from agencystack.bridge.store.shifts import Shifts
from agencystack.components.systemd import Systemd
from agencystack.engine.integration import Blocked, Manual
from agencystack.engine.planning import Status
from agencystack.engine.resource import Action, Change, FieldChange, Image, Reading
from agencystack.integrations.data_bridge import worker as module
from agencystack.integrations.data_bridge.unit import NAME, Service
from agencystack.integrations.data_bridge.worker import WHERE, LivingWorker, Patience
from agencystack.stack.errors import ConfigurationError, ExitCode
from agencystack.stack.files import private_folder
from agencystack.stack.local import LocalExecutor
from agencystack.stack.paths import Home
from agencystack.stack.secrets import Secret
from agencystack.testing import Installation
from tests.integrations.data_bridge.bench import BridgeBench
from tests.integrations.data_bridge.conftest import Made

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="systemd's units are root's")

SYSTEMCTL = """#!/bin/sh
# As systemd 252 answers; what is enabled and active are files.
here={state}
echo "$@" >> $here/told
case "$1" in
is-enabled) [ -e $here/enabled ] && echo enabled && exit 0
    [ -e {units}/$2 ] && echo disabled && exit 1
    echo "Failed to get unit file state for $2: No such file or directory" >&2; exit 1;;
is-active) [ -e $here/active ] && echo active && exit 0; echo inactive; exit 3;;
enable) touch $here/enabled;;
restart) touch $here/active; [ -e $here/mute ] || {python} -m tests.integrations.data_bridge.heartbeat {home};;
disable) rm -f $here/enabled $here/active;;
daemon-reload) ;;
*) echo "Unknown command verb $1." >&2; exit 1;;
esac
"""


class Machine:
    """A machine with systemd, in a folder."""

    def __init__(self, folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.units, self.state, self.run = folder / "units", folder / "state", folder / "run"
        programs = folder / "bin"
        for made in (self.units, self.state, self.run, programs):
            made.mkdir(parents=True)
        self.home = home
        script = SYSTEMCTL.format(state=self.state, units=self.units, python=sys.executable, home=home.root)
        for name, text in (("systemctl", script), ("useradd", "#!/bin/sh\nexit 1\n")):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        # A system user every machine has; ours is made by useradd(8), which a test does not call.
        monkeypatch.setattr(module, "USER", "nobody")
        self.systemd = Systemd(WHERE, LocalExecutor(folder=os.getcwd()), units=self.units, running=self.run)

    def told(self) -> list[str]:
        file = self.state / "told"
        return [line for line in file.read_text().splitlines() if not line.startswith("is-")] if file.exists() else []

    def silent(self) -> None:
        (self.state / "mute").touch()


@pytest.fixture
def home(folder: Path) -> Home:
    return Home(folder / "home", folder / "log", folder / "key")


@pytest.fixture
def machine(folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(folder / "machine", home, monkeypatch)


@pytest.fixture
def place(home: Home) -> Place:
    """A bridge that was set up, and nobody works for."""
    made = Place(home)
    private_folder(home.bridge_dir)
    made.keyring.put("acme", SideName.ERPNEXT, Access("http://erp.example", "http://erp.example"))
    with made.opened():
        pass
    return made


def resource(place: Place, machine: Machine, listen: str = "127.0.0.1:8095") -> LivingWorker:
    return LivingWorker(place, listen, machine.systemd, Patience(seconds=20.0, pause=0.01))


def change_of(one: LivingWorker) -> Change:
    live, wanted = one.read(), one.wanted()
    fields = tuple(FieldChange(name, (live.fields or {}).get(name), value) for name, value in wanted.items())
    return Change(Action.CREATE if live.absent else Action.UPDATE, fields, wanted, live)


@as_root
def test_it_is_installed_started_and_heard_of(place: Place, machine: Machine) -> None:
    one = resource(place, machine)
    assert one.read().absent
    one.write(change_of(one))
    assert machine.told() == ["daemon-reload", f"enable {NAME}", f"restart {NAME}"]
    assert one.read().fields == one.wanted()
    service = pwd.getpwnam("nobody").pw_uid
    assert {path.stat().st_uid for path in place.home.bridge_dir.rglob("*")} == {service}
    assert place.home.bridge_dir.stat().st_mode & 0o777 == 0o700
    assert place.home.root.stat().st_mode & 0o077 == 0o011, "others pass through, and see nothing"


@as_root
def test_keys_written_later_belong_to_the_service(place: Place, machine: Machine) -> None:
    one = resource(place, machine)
    one.write(change_of(one))
    place.keyring.put("other", SideName.WORDPRESS, Access("http://shop.example", "http://shop.example"))
    assert one.read().fields == one.wanted()
    assert (place.home.bridge_dir / "keys/other/wordpress.sealed").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@as_root
def test_nothing_heard_of_a_started_service_is_blocked(place: Place, machine: Machine) -> None:
    machine.silent()
    one = LivingWorker(place, "127.0.0.1:8095", machine.systemd, Patience(seconds=0.0, pause=0.01))
    with pytest.raises(Blocked, match="nothing is heard of it") as why:
        one.write(change_of(one))
    assert f"journalctl -u {NAME}" in why.value.remedy
    with pytest.raises(Blocked):
        one.read()
    moved = resource(place, machine, listen="127.0.0.1:8096")
    assert not moved.read().absent, "what mends it is not blocked by its silence"
    assert moved.read().fields != moved.wanted()


@as_root
def test_a_worker_somebody_keeps_running_is_left_alone(place: Place, machine: Machine) -> None:
    with place.opened() as store:
        Shifts(store, milliseconds).beat("theirs")
    one = resource(place, machine)
    assert (one.read(), one.wanted()) == (Reading({}), {})


def test_without_systemd_a_person_is_told_all_steps(place: Place, machine: Machine) -> None:
    machine.run.rmdir()
    with pytest.raises(Manual, match="no worker of the bridge is heard of") as why:
        resource(place, machine).read()
    assert Service(place.home, "127.0.0.1:8095").text in why.value.remedy
    assert f"systemctl enable --now {NAME}" in why.value.remedy
    with place.opened() as store:
        Shifts(store, milliseconds).beat("started by hand")
    assert resource(place, machine).read() == Reading({})


@as_root
def test_undo_takes_the_unit_away(place: Place, machine: Machine) -> None:
    one = resource(place, machine)
    one.write(change_of(one))
    note = one.remove(one.read(), Image(None))
    assert machine.told()[-2:] == [f"disable --now {NAME}", "daemon-reload"]
    assert list(machine.units.iterdir()) == []
    assert {path.stat().st_uid for path in place.home.bridge_dir.rglob("*")} == {0}
    assert "stays" in note


@as_root
def test_the_unit_of_another_installation_is_foreign(place: Place, machine: Machine, tmp_path: Path) -> None:
    other = Service(Home(tmp_path, tmp_path / "log", tmp_path / "key"), "127.0.0.1:8095")
    (machine.units / NAME).write_text(other.text)
    foreign = resource(place, machine).read().foreign
    assert foreign is not None
    assert "another installation" in foreign.what


@as_root
def test_a_folder_that_keeps_others_out_is_named(folder: Path, machine: Machine, place: Place) -> None:
    folder.chmod(0o700)
    one = resource(place, machine)
    with pytest.raises(ConfigurationError, match="lets no other user pass"):
        one.write(change_of(one))


@as_root
def test_the_database_is_a_credential_of_its_own(home: Home, machine: Machine) -> None:
    place = Place(home, Secret("postgresql://bridge:a-long-password@db.example/bridge"))
    one = LivingWorker(place, "127.0.0.1:8095", machine.systemd)
    assert (
        f"LoadCredential=bridge.database:{home.bridge_database_file}"
        in Service(home, "127.0.0.1:8095", home.bridge_database_file).text
    )
    assert one._database == home.bridge_database_file


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd's own checker")
def test_systemd_itself_takes_the_unit(tmp_path: Path) -> None:
    home = Home(Path("/opt/agency stack/100 %"), Path("/var/log/agency_stack"), Path("/etc/agencystack/key"))
    file = tmp_path / NAME
    text = Service(home, "127.0.0.1:443", home.bridge_database_file).text
    file.write_text(text.replace("=agencystack-bridge\n", "=daemon\n"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True)
    wrong = [line for line in done.stderr.splitlines() if NAME in line]
    assert wrong == []


@as_root
def test_a_credential_opens_the_keyring(place: Place, tmp_path: Path) -> None:
    """Root's file with the mask of an access list, as systemd leaves it in $CREDENTIALS_DIRECTORY."""
    given = tmp_path / "credentials"
    given.mkdir()
    credential = given / "bridge.key"
    shutil.copy(place.home.bridge_key_file, credential)
    credential.chmod(0o440)
    environment = {"AGENCYSTACK_HOME": str(place.home.root), "CREDENTIALS_DIRECTORY": str(given), "HOME": "/"}
    home = Home.from_environment(environment)
    assert home.bridge_key_file == credential
    script = (
        "import json, os, sys\n"
        "from agencystack.bridge.serving.place import Place\n"
        "from agencystack.bridge.record import SideName\n"
        "from agencystack.stack.paths import Home\n"
        "access = Place(Home.from_environment()).keyring.needed('acme', SideName.ERPNEXT)\n"
        "print(access.url)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "http://erp.example\n", done.stderr
    elsewhere = {**environment, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert Home.from_environment(elsewhere).credentials is None
    with pytest.raises(ConfigurationError, match="open to other users"):
        Keyring(place.home.bridge_dir / "keys", credential).get("acme", SideName.ERPNEXT)


def test_serve_needs_nothing_but_its_credentials(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agencystack.cli import serve

    (tmp_path / "bridge.key").write_bytes(base64.b64encode(bytes(32)))
    (tmp_path / "bridge.database").write_text("postgresql://db.example/bridge\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("AGENCYSTACK_HOME", str(home.root))
    opened, listen, database = serve._opened("127.0.0.1:8095")
    assert (opened.bridge_key_file, listen) == (tmp_path / "bridge.key", "127.0.0.1:8095")
    assert database is not None
    assert database.reveal() == "postgresql://db.example/bridge"


@pytest.fixture
def bench(make: Made) -> BridgeBench:
    return make(shares={"customer": {"direction": "both"}})


@as_root
def test_the_integration_installs_it_after_the_plan_showed_it(
    bench: BridgeBench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Installation(bench, bench.place.home.root.parent)
    with bench.place.opened() as store:
        assert Shifts(store, milliseconds).bury("bench")
    monkeypatch.setattr(module, "let_through", lambda *_: None)  # pytest's own folders keep others out
    machine = Machine(folder / "machine", bench.place.home, monkeypatch)
    monkeypatch.setattr(
        "agencystack.integrations.data_bridge.wordpress.systemd_of_this_machine", lambda: machine.systemd
    )
    [shown] = [step for step in installed.plan().changes if step.resource.key == "worker"]
    assert shown.change is not None
    assert "ProtectSystem=strict" in shown.change.target["unit"]  # type: ignore[operator]
    assert machine.told() == []
    assert installed.integrate().status is Status.APPLIED
    assert installed.plan().changes == []
    _, errors = installed.undo()
    assert errors == {}
    assert list(machine.units.iterdir()) == []


@as_root
def test_a_service_that_stays_silent_ends_a_run_as_blocked(
    bench: BridgeBench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Installation(bench, bench.place.home.root.parent)
    with bench.place.opened() as store:
        assert Shifts(store, milliseconds).bury("bench")
    monkeypatch.setattr(module, "let_through", lambda *_: None)  # pytest's own folders keep others out
    machine = Machine(folder / "machine", bench.place.home, monkeypatch)
    machine.silent()
    monkeypatch.setattr(
        "agencystack.integrations.data_bridge.wordpress.systemd_of_this_machine", lambda: machine.systemd
    )
    monkeypatch.setattr(module, "Patience", lambda: Patience(seconds=0.1, pause=0.01))
    for status in (installed.integrate().status, installed.plan().status):
        assert status is Status.BLOCKED
    [proof] = installed.verify()
    assert "nothing is heard of it" in proof.reason


@as_root
def test_without_systemd_the_rest_is_applied_and_the_status_is_manual_then_blocked(
    bench: BridgeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Installation(bench, bench.place.home.root.parent)
    with bench.place.opened() as store:
        assert Shifts(store, milliseconds).bury("bench")
    result = installed.integrate()
    assert result.status is Status.MANUAL
    assert "ExecStart=" in result.reason
    assert bench.joined()["pairing"] == "acme"
    waits = installed.plan()
    assert (waits.status, waits.changes) == (Status.BLOCKED, [])
    assert "no worker of the bridge is heard of" in waits.reason
    assert "agencystack serve" in waits.reason
    [proof] = installed.verify()
    assert not proof.ok
    assert proof.reason.startswith("blocked: shared/bridge: no worker of the bridge is heard of")
    again = installed.integrate()
    assert (again.status, again.exit_code) == (Status.BLOCKED, ExitCode.FAILED)
    bench.live_worker()
    assert installed.plan().status is Status.APPLIED
