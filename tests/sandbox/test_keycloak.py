"""The sandbox's real Keycloak: where it and its Java are found, how it is fetched, and that it starts and ends."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest

from agencystack.sandbox import keycloak_program
from agencystack.sandbox.keycloak import PORTS, real_keycloak
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import ensure_ports
from agencystack.sandbox.process import start_detached
from agencystack.sandbox.tls import ensure_certificates
from agencystack.stack.errors import AgencyStackError, ConfigurationError
from agencystack.stack.secrets import Secret
from tests.sandbox.listening import assert_only_loopback, pid_of
from tests.serving import free_port

SCRIPT = Path(__file__).parents[2] / "scripts" / "sandbox-keycloak"
PASSWORD = "admin-password-of-a-sandbox"


def java(folder: Path, name: str, version: str) -> Path:
    """Make what looks like a Java."""
    home = folder / name
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").touch(mode=0o755)
    (home / "release").write_text(f'IMPLEMENTOR="Test"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture
def javas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "jvm"
    folder.mkdir()
    monkeypatch.setattr(keycloak_program, "JAVAS", folder)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def test_newest_java_that_runs_it_is_chosen(javas: Path) -> None:
    java(javas, "old", "11.0.2")
    seventeen, twenty_five = java(javas, "a", "17.0.15"), java(javas, "b", "25.0.3")
    java(javas, "unknown", "99")
    (javas / "link").symlink_to(twenty_five)
    (javas / "broken").mkdir()
    assert keycloak_program.find_java("26.7.5") == twenty_five
    assert keycloak_program.find_java("22.0.5") == seventeen


def test_java_home_comes_first_where_it_runs_it(javas: Path, tmp_path: Path) -> None:
    java(javas, "newer", "25")
    named, old = java(tmp_path, "named", "21.0.1"), java(tmp_path, "old", "11")
    assert keycloak_program.find_java(environment={"JAVA_HOME": str(named)}) == named
    assert keycloak_program.find_java(environment={"JAVA_HOME": str(old)}) == javas / "newer"


def test_cache_folder_of_the_user() -> None:
    assert keycloak_program.distribution("26.7.5", {"XDG_CACHE_HOME": "/c"}) == Path("/c/agencystack/keycloak-26.7.5")
    assert keycloak_program.distribution("26.7.5", {}) == Path.home() / ".cache" / "agencystack" / "keycloak-26.7.5"


def test_obstacles_are_named(javas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "run scripts/sandbox-keycloak" in str(keycloak_program.obstacle())
    jar = keycloak_program.distribution() / "lib" / "quarkus-run.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    assert "no Java 17 to 25" in str(keycloak_program.obstacle())
    java(javas, "newer", "25")
    assert keycloak_program.obstacle() is None
    with pytest.raises(ConfigurationError, match="cannot run here"):
        real_keycloak(SandboxFolder(tmp_path), {}, Secret(PASSWORD), "1.0.0").start()


def test_one_that_runs_is_ended_after_its_program_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SandboxFolder(tmp_path)
    folder.run.mkdir(parents=True)
    start_detached(["sleep", "60"], log=tmp_path / "log", record=folder.run / "keycloak.json", cwd=tmp_path, env={})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    service = real_keycloak(folder, {}, Secret(PASSWORD))
    assert service.records()
    assert service.stop() is True
    assert service.records() == []


def script(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a cache of its own and the programs of ``tmp_path/bin`` before all others."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    env = {"HOME": str(tmp_path), "PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache"), **environment}
    return subprocess.run([SCRIPT, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False)


def program(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_unknown_version_is_said_loudly_and_fails_nothing(tmp_path: Path) -> None:
    ended = script(tmp_path, "99.9.9")
    assert ended.returncode == 0
    assert "NO KEYCLOAK 99.9.9 HERE: this script knows no checksum of it" in ended.stderr


def test_without_maven(tmp_path: Path) -> None:
    for name in ("sh", "dirname"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    ended = script(tmp_path, PATH=str(tmp_path / "bin"))
    assert ended.returncode == 0
    assert "NO KEYCLOAK" in ended.stderr
    assert "there is no mvn" in ended.stderr


def test_maven_cannot_fetch(tmp_path: Path) -> None:
    program(tmp_path, "mvn", "echo 'Could not resolve' >&2; exit 1")
    ended = script(tmp_path)
    assert ended.returncode == 0
    assert "Could not resolve" in ended.stderr
    assert "Maven could not fetch it" in ended.stderr
    assert list((tmp_path / "cache" / "agencystack").iterdir()) == []


def test_other_content_than_expected_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("keycloak-26.7.5/bin/kc.sh", "#!/bin/sh\ntouch /nonexistent/never-run\n")
    assert hashlib.sha256((tmp_path / "other.zip").read_bytes()).hexdigest() not in SCRIPT.read_text()
    program(
        tmp_path,
        "mvn",
        f"for word; do case $word in -DoutputDirectory=*) to=${{word#*=}} ;; esac; done\n"
        f'cp {tmp_path / "other.zip"} "$to/keycloak-quarkus-dist-26.7.5.zip"',
    )
    ended = script(tmp_path)
    assert ended.returncode == 0
    assert "not what this script expects" in ended.stderr
    assert list((tmp_path / "cache" / "agencystack").iterdir()) == []


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "cache" / "agencystack" / "keycloak-26.7.5").mkdir(parents=True)
    program(tmp_path, "mvn", "exit 1")
    ended = script(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def folder_for(tmp_path: Path) -> SandboxFolder:
    folder = SandboxFolder(tmp_path / "sandbox")
    for path in (folder.run, folder.log, folder.data):
        path.mkdir(parents=True)
    ensure_certificates(folder.tls)
    return folder


@pytest.mark.real
def test_it_starts_keeps_its_data_and_ends(tmp_path: Path) -> None:
    if reason := keycloak_program.obstacle():
        pytest.skip(reason)
    folder = folder_for(tmp_path)
    ports = ensure_ports(folder.ports_file, PORTS)
    service = real_keycloak(folder, ports, Secret(PASSWORD))
    assert not service.is_up()
    service.start()
    try:
        assert service.is_up()
        assert len(service.records()) == 1
        token = _token(service.internal_url)
        made = httpx.post(
            f"{service.internal_url}/admin/realms",
            json={"realm": "kept", "enabled": True},
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        assert made.status_code == 201
        assert_only_loopback(service.records()[0])
        assert PASSWORD not in _command_and_environment(service.records()[0])
        assert service.stop()
        assert not service.is_up()
        assert service.records() == []
        service.start()
        found = httpx.get(f"{service.internal_url}/realms/kept/.well-known/openid-configuration", timeout=30).json()
        assert found["issuer"] == f"{service.url}/realms/kept"
        assert found["token_endpoint"].startswith(service.internal_url)
    finally:
        service.stop()
    for path in (service._home / "conf" / "keycloak.conf", service._home):
        assert path.stat().st_mode & 0o077 == 0, f"{path} is open to others"


@pytest.mark.real
def test_what_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    if reason := keycloak_program.obstacle():
        pytest.skip(reason)
    folder = folder_for(tmp_path)
    (folder.data / "keycloak" / "data").mkdir(parents=True)
    (folder.data / "keycloak" / "data" / "h2").write_text("no folder")
    service = real_keycloak(folder, dict.fromkeys(PORTS, free_port()), Secret(PASSWORD))
    with pytest.raises(AgencyStackError, match="ended before it answered") as failure:
        service.start()
    assert "keycloak.log" in failure.value.remedy
    assert service.records() == []


def _token(url: str) -> str:
    form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": PASSWORD}
    answer = httpx.post(f"{url}/realms/master/protocol/openid-connect/token", data=form, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def _command_and_environment(record: Path) -> str:
    process = Path("/proc") / str(pid_of(record))
    return "".join((process / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ"))
