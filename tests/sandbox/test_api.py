"""A sandbox comes up, is repaired, goes back to its first state and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from pathlib import Path

import httpx
import pytest

from agencystack.sandbox import api, assembly
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.process import read_record
from agencystack.stack.errors import AgencyStackError, ConfigurationError, UsageError
from agencystack.stack.load import load
from agencystack.stack.model import Stack


def stack_of(folder: Path) -> Stack:
    return load(folder / "stack.yaml")


def token(folder: Path) -> str:
    return (folder / "sandbox/credentials/mailu/api-token").read_text().strip()


def domains(folder: Path) -> list[str]:
    url = stack_of(folder).shared.components.mailu.url
    answer = httpx.get(f"{url}/api/v1/domain", headers={"Authorization": f"Bearer {token(folder)}"})
    return [domain["name"] for domain in answer.json()]


def make_domain(folder: Path, name: str) -> None:
    url = stack_of(folder).shared.components.mailu.url
    headers = {"Authorization": f"Bearer {token(folder)}"}
    assert httpx.post(f"{url}/api/v1/domain", json={"name": name}, headers=headers).status_code == 200


def worker_pid(folder: Path) -> int:
    record = read_record(folder / "sandbox/run/stand-ins.json")
    assert record is not None
    return record.pid


def snapshot(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_up_makes_a_home_whose_every_address_answers(folder):
    report = api.up(folder, real="none")
    assert (report.state, report.done) == ("up", "started")
    assert report.seconds < 30
    stack = stack_of(folder)
    assert list(stack.clients) == ["acme"]
    shared = {"mailu", "uptime-kuma", "grafana"}
    assert set(stack.components("acme")) == shared | {"wordpress", "erpnext", "listmonk", "chatwoot"}
    for ref, component in stack.all_components().items():
        assert httpx.get(component.reached_by_us()).status_code < 500, ref
    assert domains(folder) == ["sandbox.test", "acme.example"]


def test_the_export_line_names_home_key_and_logs_inside_the_folder(folder):
    report = api.up(folder, real="none")
    assert report.export == (
        f"export AGENCYSTACK_HOME={folder} AGENCYSTACK_KEY_FILE={folder}/sandbox/key AGENCYSTACK_LOG_DIR={folder}/log"
    )


def test_stack_yaml_holds_references_and_no_secret(folder):
    api.up(folder, real="none")
    text = (folder / "stack.yaml").read_text()
    secrets = [path for path in (folder / "sandbox/credentials").rglob("*") if path.is_file()]
    assert len(secrets) >= 4
    for path in secrets:
        assert path.read_text().strip() not in text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for ref in stack_of(folder).secret_references().values():
        assert ref.scheme == "file"
        assert Path(ref.name).is_file()


def test_no_secret_is_in_arguments_or_environment_of_the_process(folder, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "canary-in-the-environment")
    api.up(folder, real="none")
    process = Path(f"/proc/{worker_pid(folder)}")
    seen = process.joinpath("cmdline").read_text() + process.joinpath("environ").read_text()
    assert "canary-in-the-environment" not in seen
    assert token(folder) not in seen


def test_a_second_up_changes_nothing_and_says_so(folder):
    api.up(folder, real="none")
    before, pid = (folder / "stack.yaml").read_bytes(), worker_pid(folder)
    report = api.up(folder)
    assert (report.state, report.done) == ("up", "nothing")
    assert worker_pid(folder) == pid
    assert (folder / "stack.yaml").read_bytes() == before


def test_what_a_person_changed_in_stack_yaml_stays_until_reset(folder):
    api.up(folder, real="none")
    original = (folder / "stack.yaml").read_text()
    (folder / "stack.yaml").write_text(original + "# mine\n")
    api.up(folder)
    assert (folder / "stack.yaml").read_text().endswith("# mine\n")
    api.reset(folder)
    assert (folder / "stack.yaml").read_text() == original


def test_down_and_up_keep_addresses_and_what_the_products_hold(folder):
    api.up(folder, real="none")
    make_domain(folder, "made.example")
    before = (folder / "stack.yaml").read_bytes()
    report = api.down(folder)
    assert (report.state, report.done) == ("down", "stopped")
    with pytest.raises(httpx.ConnectError):
        domains(folder)
    assert api.down(folder).done == "nothing"
    assert api.status(folder).state == "down"
    assert api.up(folder).done == "started"
    assert (folder / "stack.yaml").read_bytes() == before
    assert domains(folder) == ["sandbox.test", "acme.example", "made.example"]


def test_reset_goes_back_to_the_first_state_at_the_same_addresses(folder):
    api.up(folder, real="none")
    make_domain(folder, "made.example")
    record = folder / "integrations/state/acme/email/wordpress.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    ports = (folder / "sandbox/ports.json").read_text()
    report = api.reset(folder)
    assert (report.state, report.done) == ("up", "reset")
    assert domains(folder) == ["sandbox.test", "acme.example"]
    assert (folder / "sandbox/ports.json").read_text() == ports
    assert not record.exists()


def test_a_killed_process_is_seen_and_repaired(folder):
    api.up(folder, real="none")
    make_domain(folder, "made.example")
    killed = worker_pid(folder)
    os.kill(killed, signal.SIGKILL)
    wait_until_dead(killed)
    report = api.status(folder)
    assert (report.state, report.running["stand-ins"]) == ("broken", False)
    assert api.up(folder).done == "repaired"
    assert worker_pid(folder) != killed
    assert domains(folder) == ["sandbox.test", "acme.example", "made.example"]


def test_down_leaves_a_process_alone_that_has_the_number_of_ours(folder):
    api.up(folder, real="none")
    api.down(folder)
    stranger = os.fork()
    if stranger == 0:
        time.sleep(60)
        os._exit(0)
    try:
        record = {"pid": stranger, "started": "12345", "program": "python"}
        (folder / "sandbox/run/stand-ins.json").write_text(json.dumps(record))
        assert api.down(folder).done == "nothing"
        assert os.waitpid(stranger, os.WNOHANG) == (0, 0)
    finally:
        os.kill(stranger, signal.SIGKILL)
        os.waitpid(stranger, 0)


def test_a_stack_yaml_of_somebody_else_is_refused_and_untouched(folder):
    folder.mkdir()
    (folder / "stack.yaml").write_text("version: 1\n")
    with pytest.raises(ConfigurationError, match=r"stack\.yaml is not a sandbox's"):
        api.up(folder, real="none")
    assert snapshot(folder) == {"stack.yaml"}
    assert api.down(folder).state == "absent"


def test_records_of_an_installation_are_refused(folder):
    (folder / "integrations/state").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="not a sandbox's"):
        api.up(folder, real="none")


def test_a_taken_port_is_named_and_nothing_is_left_running(folder):
    api.up(folder, real="none")
    api.down(folder)
    port = json.loads((folder / "sandbox/ports.json").read_text())["acme/erpnext"]
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(ConfigurationError, match=rf"{port} \(acme/erpnext\)"):
            api.up(folder)
        assert not list((folder / "sandbox/run").iterdir())
    assert api.up(folder).state == "up"


def test_a_start_that_fails_half_way_leaves_no_sandbox_and_no_process(folder, monkeypatch):
    class Broken:
        name = "broken"

        def is_up(self) -> bool:
            return False

        def records(self) -> list[Path]:
            return []

        def start(self) -> None:
            deadline = time.monotonic() + 20
            while not (folder / "sandbox/run/stand-ins.json").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            raise AgencyStackError("did not start")

        def stop(self) -> bool:
            return False

    pids: list[int] = []
    good = assembly.services_of
    monkeypatch.setattr(api, "services_of", lambda *arguments: [*good(*arguments), Broken()])
    noted = api._start

    def note(services):
        try:
            return noted(services)
        finally:
            pids.extend(int(name) for name in os.listdir("/proc") if name.isdigit() and _is_worker(int(name), folder))

    monkeypatch.setattr(api, "_start", note)
    with pytest.raises(AgencyStackError, match="did not start"):
        api.up(folder, real="none")
    assert pids == []
    assert not (folder / "sandbox").exists()
    assert not (folder / "stack.yaml").exists()


def test_a_process_that_ends_at_once_is_explained_by_its_log(folder, monkeypatch):
    api.up(folder, real="none")
    api.down(folder)
    (folder / "sandbox/tls/server.key").write_text("damaged")
    with pytest.raises(AgencyStackError, match=r"(?s)ended at once.*SSLError"):
        api.up(folder)
    assert not list((folder / "sandbox/run").iterdir())


def test_clients_have_products_of_their_own_behind_one_mailu(folder):
    report = api.up(folder, real="none", clients=3)
    assert report.clients == ("client-1", "client-2", "client-3")
    stack = stack_of(folder)
    urls = [component.url for component in stack.all_components().values()]
    assert len(urls) == len(set(urls)) == 3 + 3 * 4
    assert {client.domain for client in stack.clients.values()} == {f"client-{n}.example" for n in (1, 2, 3)}
    assert api.up(folder).clients == report.clients
    with pytest.raises(UsageError, match="has 3 clients, not 2"):
        api.up(folder, clients=2)


def test_real_names_are_checked(folder):
    with pytest.raises(UsageError, match="does not know nonsense"):
        api.up(folder, real=["nonsense"])
    with pytest.raises(UsageError, match="wordpress: one database server"):
        api.up(folder, real=["wordpress"], clients=2)
    assert not (folder / "sandbox").exists()


def test_the_folder_is_dir_then_home_then_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("AGENCYSTACK_HOME", raising=False)
    assert api.status().directory == tmp_path / "cache/agencystack/sandbox"
    monkeypatch.setenv("AGENCYSTACK_HOME", str(tmp_path / "home"))
    assert api.status().directory == tmp_path / "home"
    assert api.status(tmp_path / "dir").directory == tmp_path / "dir"
    assert api.status(tmp_path / "dir").state == "absent"
    assert not (tmp_path / "dir").exists()


def _is_worker(pid: int, folder: Path) -> bool:
    try:
        return f"sandbox.serve\0{SandboxFolder(folder).root}" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def wait_until_dead(pid: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z":
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{pid} still runs")
