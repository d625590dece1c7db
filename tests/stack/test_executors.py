"""Programs run at the right place, as the right user, and every failure says who failed and what to do."""

from __future__ import annotations

import dataclasses
import os
import pwd
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agencystack.stack import remote
from agencystack.stack.component import Exec
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, ConfigurationError, Unavailable
from agencystack.stack.execution import Executor
from agencystack.stack.executors import default_user, executor_for
from agencystack.stack.local import LocalExecutor
from agencystack.stack.remote import RemoteExecutor
from agencystack.stack.users import HOST_WORK, UserRule
from tests.stack.conftest import ProcessWatch, SshServer

SITE = ComponentRef("acme", "wordpress")
AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
# The product's user in tests: any user but root.
SOMEBODY = "nobody" if AS_ROOT else pwd.getpwuid(os.geteuid()).pw_name

PLACES = ["local", "docker", "ssh", "ssh+docker"]
HOSTILE = [
    "",
    "a b",
    "'",
    '"',
    "$HOME",
    "`id`",
    "\\",
    "\n",
    "*",
    "!x",
    "-n",
    "ä€😀",
    "\udcff",
    "\x01\x7f",
    "'\"'\"'",
    ";&|<>()#~",
]


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Executor:
    """An executor of each kind, for the product's own code."""
    kind: str = request.param
    if kind == "local":
        return executor_for(SITE, Exec(local=True, user=SOMEBODY))
    options: tuple[str, ...] = ()
    if "ssh" in kind:
        options = request.getfixturevalue("sshd").options
    if "docker" in kind:
        request.getfixturevalue("docker")
    where = Exec(
        docker="acme_wordpress" if "docker" in kind else None, ssh="loopback" if "ssh" in kind else None, user=SOMEBODY
    )
    return executor_for(SITE, where, ssh_options=options)


everywhere = pytest.mark.parametrize("place", PLACES, indirect=True)


@everywhere
def test_arguments_arrive_unchanged(place: Executor) -> None:
    result = place.run(["printf", "%s\\0", *HOSTILE])
    assert result.returncode == 0
    assert result.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in HOSTILE]


@everywhere
@pytest.mark.parametrize("status", [0, 1, 126, 127, 255])
def test_status_is_the_programs_own(place: Executor, status: int) -> None:
    result = place.run(["sh", "-c", f"echo out; echo oops >&2; exit {status}"])
    assert (result.returncode, result.stdout, result.stderr) == (status, b"out\n", b"oops\n")


@everywhere
def test_missing_program_ends_with_127_as_in_a_shell(place: Executor) -> None:
    assert place.run(["no-such-program"]).returncode == 127


@everywhere
def test_large_data_goes_both_ways_at_once(place: Executor) -> None:
    data = os.urandom(3 * 1024 * 1024)
    assert place.run(["cat"], stdin=data).stdout == data


@everywhere
def test_program_that_does_not_read_is_no_failure(place: Executor) -> None:
    assert place.run(["true"], stdin=b"x" * 1024 * 1024).returncode == 0


@everywhere
def test_runs_as_the_products_user(place: Executor) -> None:
    assert place.run(["id", "-un"]).stdout.decode().strip() == SOMEBODY


@everywhere
def test_out_of_time_is_unavailable_and_nothing_is_left(place: Executor) -> None:
    marker = f"60.{time.time_ns()}"
    started = time.monotonic()
    with pytest.raises(Unavailable, match="did not end within 1 s"):
        place.run(["sh", "-c", 'sleep "$1" & sleep "$1"', "sh", marker], timeout=1.0)
    assert time.monotonic() - started < 10
    _wait_until_gone(marker)


def _wait_until_gone(marker: str) -> None:
    deadline = time.monotonic() + 10
    while running := [file for file in _commands() if marker.encode() in file]:
        assert time.monotonic() < deadline, f"still running: {running}"
        time.sleep(0.1)


def _commands() -> list[bytes]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes())
        except OSError:
            continue
    return found


@everywhere
def test_secret_on_stdin_is_in_no_arguments_and_no_environment(
    place: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = f"canary-{time.time_ns()}-secret"
    # As an env: reference would have it: in ours, and in no child's.
    monkeypatch.setenv("MAILU_API_TOKEN", canary)
    with ProcessWatch(canary) as watch:
        result = place.run(["sh", "-c", "sleep 0.4; cat"], stdin=canary.encode())
    assert result.stdout == canary.encode()
    assert watch.looks > 3
    assert watch.found == set()


def test_the_watch_sees_a_secret_in_arguments() -> None:
    canary = f"canary-{time.time_ns()}"
    with ProcessWatch(canary) as watch:
        LocalExecutor().run(["sh", "-c", f"sleep 0.3; true {canary}"])
    assert watch.found


def test_program_that_prints_without_end_is_ended() -> None:
    with pytest.raises(BadAnswer, match="printed more than 64 MiB"):
        LocalExecutor().run(["yes"], timeout=30)


def test_daemon_left_behind_does_not_hold_us() -> None:
    started = time.monotonic()
    assert LocalExecutor().run(["sh", "-c", "sleep 8 & echo done"], timeout=20).stdout == b"done\n"
    assert time.monotonic() - started < 7.5


# As whom


@needs_root
@pytest.mark.parametrize("kind", PLACES)
def test_product_code_is_never_run_as_root(kind: str, request: pytest.FixtureRequest) -> None:
    component = ComponentRef("acme", "custom")
    options = request.getfixturevalue("sshd").options if "ssh" in kind else ()
    if "docker" in kind:
        request.getfixturevalue("docker")
    where = Exec(
        local=True if kind == "local" else None,
        docker="c" if "docker" in kind else None,
        ssh="loopback" if "ssh" in kind else None,
    )
    executor = executor_for(component, where, ssh_options=options)
    with pytest.raises(ConfigurationError, match="would run as root") as caught:
        executor.run(["touch", "/nonexistent/never"])
    assert "exec.user" in caught.value.remedy
    assert executor.host().run(["id", "-u"]).stdout == b"0\n", "work on the machine's files may be root's"


@needs_root
@pytest.mark.parametrize("kind", ["local", "ssh"])
@pytest.mark.parametrize("config", ["site/wp-config.php", "wp-config.php"])
def test_wordpress_runs_as_the_owner_of_its_config(
    kind: str, config: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    _enterable(site)
    (tmp_path / config).touch()
    os.chown(tmp_path / config, pwd.getpwnam("www-data").pw_uid, -1)
    executor = _site_at(str(site), kind, request)
    assert executor.run(["sh", "-c", "id -un; pwd"]).stdout.decode().split() == ["www-data", str(site)]


@needs_root
@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_config_of_root_is_refused(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "wp-config.php").touch()
    with pytest.raises(ConfigurationError, match="would run as root"):
        _site_at(str(tmp_path), kind, request).run(["true"])


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_folder_without_wordpress_is_named(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with pytest.raises(ConfigurationError, match=r"no .*wp-config\.php"):
        _site_at(str(tmp_path), kind, request).run(["true"])


@everywhere
def test_unknown_user_is_named(place: Executor) -> None:
    assert isinstance(place, LocalExecutor | RemoteExecutor)
    with pytest.raises(ConfigurationError, match="no user martian"):
        dataclasses.replace(place, user=UserRule(name="martian")).run(["true"])


@everywhere
def test_missing_folder_is_named(place: Executor) -> None:
    assert isinstance(place, LocalExecutor | RemoteExecutor)
    with pytest.raises(ConfigurationError, match="no folder /no/where") as caught:
        dataclasses.replace(place, folder="/no/where").run(["true"])
    assert "exec.path" in caught.value.remedy


def test_default_users() -> None:
    assert default_user("wordpress", Exec(docker="c")) == UserRule(name="www-data")
    assert default_user("wordpress", Exec(docker="c", user="web")) == UserRule(name="web")
    assert default_user("erpnext", Exec(local=True, path="/home/frappe/bench")).owner_of == ("/home/frappe/bench",)
    assert default_user("erpnext", Exec(docker="c", path="/home/frappe/bench")) == UserRule()


@pytest.mark.skipif(AS_ROOT, reason="root can become any user")
def test_another_user_needs_root() -> None:
    with pytest.raises(ConfigurationError, match="only root can become"):
        LocalExecutor(user=UserRule(name="root", may_be_root=True)).run(["true"])


def _site_at(path: str, kind: str, request: pytest.FixtureRequest) -> Executor:
    if kind == "local":
        return executor_for(SITE, Exec(local=True, path=path))
    return executor_for(SITE, Exec(ssh="loopback", path=path), ssh_options=request.getfixturevalue("sshd").options)


def _enterable(folder: Path) -> None:
    """Let every user enter the folder; pytest's own are closed."""
    for step in (folder, *folder.parents):
        if step.stat().st_uid == os.geteuid() and step != Path("/"):
            step.chmod(step.stat().st_mode | 0o011)


# docker's refusals


@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize("ssh", [False, True])
@pytest.mark.parametrize(
    ("container", "error", "message", "remedy"),
    [
        ("missing", Unavailable, "no container missing", "docker ps"),
        ("stopped", Unavailable, "is not running", "docker start stopped"),
        ("paused", Unavailable, "is not running", "docker start"),
        ("forbidden", AuthenticationFailed, "does not let our user in", "group docker"),
        ("down", Unavailable, "does not answer", "systemctl start docker"),
        ("shell-less", ConfigurationError, "has no shell", "exec.docker"),
    ],
)
def test_docker_says_why(
    ssh: bool, container: str, error: type[Exception], message: str, remedy: str, request: pytest.FixtureRequest
) -> None:
    options = request.getfixturevalue("sshd").options if ssh else ()
    executor = RemoteExecutor(SITE, docker=container, ssh="loopback" if ssh else None, ssh_options=options)
    with pytest.raises(error, match=message) as caught:
        executor.run(["true"])
    assert remedy in caught.value.remedy  # type: ignore[attr-defined]
    assert caught.value.component == SITE  # type: ignore[attr-defined]


def test_docker_client_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="program docker is not on this machine"):
        RemoteExecutor(SITE, docker="c").run(["true"])


# ssh's refusals


def test_unknown_host_key(sshd: SshServer) -> None:
    options = sshd.variant("unknown", UserKnownHostsFile="/dev/null")
    with pytest.raises(AuthenticationFailed, match="host key of loopback is not known") as caught:
        RemoteExecutor(SITE, ssh="loopback", ssh_options=options).run(["true"])
    assert "fingerprint" in caught.value.remedy


def test_changed_host_key(sshd: SshServer) -> None:
    other = (sshd.folder / "other_key.pub").read_text()
    known = sshd.folder / "changed_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {other}")
    options = sshd.variant("changed", UserKnownHostsFile=str(known))
    with pytest.raises(AuthenticationFailed, match="not the one known here"):
        RemoteExecutor(SITE, ssh="loopback", ssh_options=options).run(["true"])


def test_refused_key(sshd: SshServer) -> None:
    options = sshd.variant("refused", IdentityFile=str(sshd.folder / "other_key"))
    with pytest.raises(AuthenticationFailed, match="refused our ssh key") as caught:
        RemoteExecutor(SITE, ssh="loopback", ssh_options=options).run(["true"])
    assert "ssh-copy-id" in caught.value.remedy


def test_nobody_listens(sshd: SshServer) -> None:
    options = sshd.variant("closed", Port="1")
    with pytest.raises(Unavailable, match=r"cannot reach loopback.*refused"):
        RemoteExecutor(SITE, ssh="loopback", ssh_options=options).run(["true"])


def test_host_that_does_not_exist(sshd: SshServer) -> None:
    options = sshd.variant("nowhere", HostName="no.such.host.invalid")
    with pytest.raises(Unavailable, match="cannot reach"):
        RemoteExecutor(SITE, ssh="loopback", ssh_options=options).run(["true"], timeout=30)


def test_ssh_configuration_that_cannot_be_read(sshd: SshServer) -> None:
    with pytest.raises(ConfigurationError, match="cannot read its configuration"):
        RemoteExecutor(SITE, ssh="loopback", ssh_options=("-F", str(sshd.folder / "none"))).run(["true"])


def test_second_call_uses_the_first_ones_connection(sshd: SshServer) -> None:
    executor = RemoteExecutor(SITE, ssh="loopback", ssh_options=sshd.options)
    executor.run(["true"])
    first = executor.run(["sh", "-c", "echo $SSH_CONNECTION"]).stdout
    assert executor.run(["sh", "-c", "echo $SSH_CONNECTION"]).stdout == first, (
        "another port would be another connection"
    )


def test_more_calls_at_once_than_one_connection_carries(sshd: SshServer) -> None:
    executor = RemoteExecutor(SITE, ssh="loopback", ssh_options=sshd.options)
    # sshd drops some of more than 10 that log in at once, and refuses an 11th session on one connection.
    subprocess.run(
        ["ssh", *sshd.options, *remote._ssh_defaults(), "-O", "exit", "loopback"], check=False, capture_output=True
    )
    with ThreadPoolExecutor(14) as pool:
        results = list(pool.map(lambda n: executor.run(["sh", "-c", f"sleep 0.5; echo {n}"]).stdout, range(14)))
    assert results == [f"{n}\n".encode() for n in range(14)]


@needs_root
def test_another_user_behind_ssh_gets_its_own_home(sshd: SshServer) -> None:
    executor = RemoteExecutor(SITE, ssh="loopback", user=UserRule(name="www-data"), ssh_options=sshd.options)
    assert executor.run(["sh", "-c", "echo $HOME"]).stdout.decode().strip() == pwd.getpwnam("www-data").pw_dir


def test_description_names_every_step() -> None:
    both = RemoteExecutor(docker="acme_wordpress", ssh="web1")
    assert both.description == "docker container acme_wordpress on host web1"
    assert both.host().description == "host web1"
    assert RemoteExecutor(docker="c").host() == LocalExecutor(user=HOST_WORK)
