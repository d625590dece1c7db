"""A real Keycloak as one service of the sandbox: its own data folder, loopback ports, public and internal address.

Browsers are sent to ``http://localhost:PORT`` (the issuer), while applications reach it at ``http://127.0.0.1:PORT``,
as at users', where the two differ as well.
"""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agencystack.sandbox import keycloak_program
from agencystack.sandbox.keycloak_java import keycloak_command
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import LOOPBACK
from agencystack.sandbox.process import is_running, read_record, start_detached, stop
from agencystack.sandbox.services import kept_environment, not_started
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.files import write_atomically
from agencystack.stack.secrets import Secret

ADMIN = "admin"
PORTS = ("keycloak", "keycloak-management")
# 9 s with new data on an idle machine, 4 s with its own; two busy cores have needed 40 s.
START_SECONDS = 240.0
# It takes 1 s, and with collect_classes several.
STOP_SECONDS = 60.0
ANSWER_SECONDS = 10.0
POLL = 0.2
SHARED = ("lib", "providers", "themes", "version.txt")


def real_keycloak(
    folder: SandboxFolder,
    ports: Mapping[str, int],
    admin_password: Secret,
    version: str = keycloak_program.VERSION,
) -> KeycloakService:
    """Return the service of a sandbox.

    Args:
        folder: the sandbox.
        ports: port by name, with those in ``PORTS``.
        admin_password: of the user ``admin`` of the realm ``master``; counts when the data folder is new.
        version: which of the cached Keycloaks; only a start needs it to be there, so one that runs can be ended
            after it was removed.
    """
    return KeycloakService(folder, ports, admin_password, version, keycloak_program.find_java(version))


@dataclass(frozen=True)
class KeycloakService:
    """Starts, watches and ends one Keycloak; arguments as of :func:`real_keycloak`, and two more.

    Args:
        java: home of the Java that runs it; None where there is none.
        collect_classes: file that gets the classes it has loaded when it ends; see ``keycloak_build``.
    """

    folder: SandboxFolder
    ports: Mapping[str, int]
    admin_password: Secret
    version: str
    java: Path | None
    collect_classes: Path | None = None
    name: str = "keycloak"

    @property
    def url(self) -> str:
        """Its public address: issuer and login page."""
        return f"http://localhost:{self.ports['keycloak']}"

    @property
    def internal_url(self) -> str:
        """Its address for applications and for us."""
        return f"http://{LOOPBACK}:{self.ports['keycloak']}"

    def is_up(self) -> bool:
        """Say whether it runs and answers."""
        return is_running(read_record(self._record)) and self._answers()

    def records(self) -> list[Path]:
        """Return the record of its process."""
        return [self._record] if self._record.exists() else []

    def start(self) -> None:
        """Start it; returns when it answers.

        Raises:
            ConfigurationError: it cannot run here; :func:`keycloak_program.obstacle` says so before.
            AgencyStackError: it did not begin to answer.
        """
        reason = keycloak_program.obstacle(self.version)
        if reason or self.java is None:
            raise ConfigurationError(f"Keycloak cannot run here: {reason}", remedy="run scripts/sandbox-keycloak")
        self._prepare()
        try:
            if not is_running(read_record(self._record)):
                command = self._command(self.java)
                start_detached(command, log=self._log, record=self._record, cwd=self._home, env=self._environment())
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """End it and give it time to close its database."""
        return stop(self._record, timeout=STOP_SECONDS)

    @property
    def _home(self) -> Path:
        return self.folder.data / "keycloak"

    @property
    def _record(self) -> Path:
        return self.folder.run / "keycloak.json"

    @property
    def _log(self) -> Path:
        return self.folder.log / "keycloak.log"

    @property
    def _major(self) -> int:
        return keycloak_program.major(self.version)

    def _prepare(self) -> None:
        """Make a home of its own around the shared program, so that several sandboxes do not share data."""
        shared = keycloak_program.distribution(self.version)
        for path in (self._home, self._home / "conf", self._home / "data"):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)
        for name in SHARED:
            link = self._home / name
            link.unlink(missing_ok=True)
            link.symlink_to(shared / name)
        for path in (shared / "conf").glob("*.conf"):
            if path.name != "keycloak.conf":
                shutil.copy(path, self._home / "conf")
        write_atomically(self._settings_file, self._settings().encode(), 0o600)

    @property
    def _settings_file(self) -> Path:
        return self._home / "conf" / "keycloak.conf"

    def _settings(self) -> str:
        settings = {
            # Otherwise it looks for others of its kind, on an address that is not loopback.
            "cache": "local",
            "http-enabled": "true",
            "http-host": LOOPBACK,
            "http-port": str(self.ports["keycloak"]),
            # Logins that succeed are logged, too.
            "spi-events-listener-jboss-logging-success-level": "info",
            **self._address(),
        }
        if self._major >= 24:
            settings["truststore-paths"] = str(self.folder.ca_file)  # the mail servers' certificate
        if self._major >= 26:
            settings |= {
                "bootstrap-admin-username": ADMIN,
                "bootstrap-admin-password": self.admin_password.reveal(),
            }
        if self._major >= 25:
            settings |= {
                "http-management-host": LOOPBACK,
                "http-management-port": str(self.ports["keycloak-management"]),
            }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _address(self) -> dict[str, str]:
        if self._major >= 25:
            return {"hostname": self.url, "hostname-backchannel-dynamic": "true"}
        return {"hostname-url": self.url, "hostname-admin-url": self.url, "hostname-strict-backchannel": "false"}

    def _environment(self) -> dict[str, str]:
        """Return its environment; before version 26 Keycloak takes the first password from nowhere else."""
        if self._major >= 26:
            return kept_environment()
        return {
            **kept_environment(),
            "KEYCLOAK_ADMIN": ADMIN,
            "KEYCLOAK_ADMIN_PASSWORD": self.admin_password.reveal(),
        }

    def _command(self, java: Path) -> list[str]:
        words = [f"--config-file={self._settings_file}", "start", "--optimized"]
        program = keycloak_program.distribution(self.version)
        return keycloak_command(program, java, words, home=self._home, options=self._class_options(java))

    def _class_options(self, java: Path) -> list[str]:
        """Return what makes Java take its classes from a file, or write that file when it ends."""
        if self.collect_classes:
            return [f"-XX:ArchiveClassesAtExit={self.collect_classes}"]
        found = keycloak_program.shared_classes(self.version, java)
        return [f"-XX:SharedArchiveFile={found}", "-Xshare:auto", "-Xlog:cds=off"] if found.exists() else []

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if not is_running(read_record(self._record)):
                raise not_started("Keycloak ended before it answered", self._log)
            if time.monotonic() > end:
                raise not_started(f"Keycloak did not answer within {START_SECONDS:g} s", self._log)
            time.sleep(POLL)

    def _answers(self) -> bool:
        """Say whether it serves the realm ``master``; while it still makes its tables it answers 503."""
        connection = http.client.HTTPConnection(LOOPBACK, self.ports["keycloak"], timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/realms/master")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
