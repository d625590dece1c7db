"""A real sshd on loopback, a docker client that answers as the real one, and a look at every process of the machine."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DOUBLES = Path(__file__).parents[1] / "doubles"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class SshServer:
    """A running sshd: ``options`` let ssh reach it as ``loopback``."""

    folder: Path
    port: int

    @property
    def config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def options(self) -> tuple[str, ...]:
        return ("-F", str(self.config))

    def variant(self, name: str, **settings: str) -> tuple[str, ...]:
        """Return options with some settings changed."""
        lines = self.config.read_text().splitlines()
        changed = [line for line in lines if line.split()[0] not in settings]
        file = self.folder / name
        file.write_text("\n".join([*changed, *(f"{key} {value}" for key, value in settings.items())]) + "\n")
        # The shared connection was made with the right key and would answer for the wrong one.
        return ("-F", str(file), "-o", "ControlPath=none")


@pytest.fixture(scope="session")
def sshd() -> Iterator[SshServer]:
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None:
        pytest.skip("needs sshd and ssh: apt-get install openssh-server openssh-client")
    # Not pytest's folder: sshd refuses keys below a folder that others can write, and sockets need short paths.
    folder = Path(tempfile.mkdtemp(prefix="as-ssh-"))
    server = SshServer(folder, _free_port())
    if os.geteuid() == 0:
        # Debian's sshd wants it of root, and only its service makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    _write_ssh_files(server)
    process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.PIPE)
    try:
        _wait_for_port(process, server.port)
        yield server
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _write_ssh_files(server: SshServer) -> None:
    folder = server.folder
    for name in ("host_key", "client_key", "other_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {host_key}")
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {server.port}\nHostKey {folder}/host_key\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"UsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n"
        # The docker client is found on the other machine as it is here.
        f'SetEnv PATH="{DOUBLES}:{SYSTEM_PATH}"\n'
    )
    server.config.write_text(
        f"HostName 127.0.0.1\nPort {server.port}\nUser {getpass.getuser()}\nIdentityFile {folder}/client_key\n"
        f"IdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\nGlobalKnownHostsFile /dev/null\n"
        "IdentityAgent none\n"
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            message = process.stderr.read().decode() if process.stderr else ""
            pytest.skip(f"sshd does not start here: {message}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError("sshd does not listen")


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put the docker double first on the path; the file ``containers`` in the returned folder is what ps shows."""
    monkeypatch.setenv("PATH", f"{DOUBLES}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


class ProcessWatch:
    """Looks for a text in the arguments and environment of all processes, again and again."""

    def __init__(self, text: str) -> None:
        self._needle = text.encode()
        self.found: set[str] = set()
        self.looks = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.02):
            self.looks += 1
            for file in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
                with contextlib.suppress(OSError):
                    # Our own process is told the secret; its children are what is looked at.
                    if int(file.parent.name) != os.getpid() and self._needle in file.read_bytes():
                        self.found.add(str(file))
