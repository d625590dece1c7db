"""The WordPress sites and the mail server the contract suite runs against."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from agencystack.components.wordpress import WordPress
from agencystack.sandbox.ports import ensure_ports
from agencystack.sandbox.tls import ensure_certificates
from agencystack.sandbox.wordpress import RealWordPress, unprivileged_user
from agencystack.sandbox.wordpress_stand_in import WordPressStandIn
from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef
from agencystack.stack.execution import Executor
from agencystack.stack.executors import executor_for

WHERE = ComponentRef("acme", "wordpress")
DOUBLE = Path(__file__).parents[1] / "doubles" / "wp-mail-smtp"


@dataclass(frozen=True)
class Site:
    """A WordPress under test."""

    path: Path
    url: str
    executor: Executor

    def wordpress(self) -> WordPress:
        return WordPress(WHERE, self.executor, str(self.path))

    @property
    def wp_config(self) -> Path:
        return self.path / "wp-config.php"


def _executor(path: Path) -> Executor:
    return executor_for(WHERE, Exec(local=True, path=str(path)))


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder an unprivileged user can enter; pytest's own cannot be when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="agencystack-wordpress-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def stand_in() -> Iterator[Site]:
    with reachable_folder() as folder:
        site = WordPressStandIn(
            folder / "acme", "http://127.0.0.1:9", name="Acme shop", admin_email="admin@acme.example"
        )
        site.up()
        yield Site(site.path, "http://127.0.0.1:9", _executor(site.path))


@contextmanager
def real() -> Iterator[Site]:
    """Debian's WordPress with WP Mail SMTP in place: AGENCYSTACK_TEST_WP_MAIL_SMTP names its folder, else our double.

    AGENCYSTACK_TEST_WP_CLI names WP-CLI's phar; without it the site is reached by plain PHP.
    """
    with reachable_folder() as folder:
        wordpress = RealWordPress(folder)
        try:
            site = wordpress.up()["acme"]
            plugin = site.path / "wp-content" / "plugins" / "wp-mail-smtp"
            shutil.copytree(os.environ.get("AGENCYSTACK_TEST_WP_MAIL_SMTP") or DOUBLE, plugin)
            if os.environ.get("AGENCYSTACK_TEST_WP_CLI"):
                tool = site.path / "vendor" / "bin" / "wp"
                tool.parent.mkdir(parents=True)
                shutil.copy(os.environ["AGENCYSTACK_TEST_WP_CLI"], tool)
                tool.chmod(0o755)
            user = unprivileged_user()
            if os.geteuid() == 0 and user is not None:
                subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(site.path)], check=True)
            yield Site(site.path, site.url, _executor(site.path))
        finally:
            wordpress.down()


@contextmanager
def watched_processes() -> Iterator[set[bytes]]:
    """Collect arguments and environment of every process we may look at, as any user of the host could."""
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for file in ("cmdline", "environ"):
                for place in Path("/proc").glob(f"[0-9]*/{file}"):
                    with contextlib.suppress(OSError):
                        seen.add(place.read_bytes())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


@dataclass
class MailServer:
    """A mail server that wants TLS and a login, and keeps what it took."""

    tls_port: int
    starttls_port: int
    ca: str
    user: str
    password: str
    taken: list[tuple[str, Message]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = data.login.decode() == self.user and data.password.decode() == self.password
        self.logins.append(mechanism if good else "refused")
        return AuthResult(success=good, handled=False)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.taken.append((str(envelope.mail_from), message_from_bytes(envelope.content)))
        return "250 OK"


class _TlsFromTheStart(Controller):
    """aiosmtpd does not know that a connection is already encrypted, and would offer no login."""

    def factory(self) -> SMTP:
        server = super().factory()
        server._auth_require_tls = False
        return server


@contextmanager
def mail_server(folder: Path, user: str, password: str) -> Iterator[MailServer]:
    certificates = ensure_certificates(folder / "tls")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    ports = ensure_ports(folder / "ports.json", ("tls", "starttls"))
    server = MailServer(ports["tls"], ports["starttls"], certificates.ca.read_text(), user, password)
    common = {"hostname": "127.0.0.1", "authenticator": server.authenticate}
    tls = _TlsFromTheStart(server, port=server.tls_port, ssl_context=context, **common)
    starttls = Controller(server, port=server.starttls_port, tls_context=context, require_starttls=True, **common)
    tls.start()
    starttls.start()
    try:
        yield server
    finally:
        tls.stop()
        starttls.stop()
