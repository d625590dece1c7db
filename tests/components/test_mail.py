"""Looking for a submission server: from here and, with each interpreter an application may have, from inside."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from agencystack.components.mail import Probe, Security, Submission, probe_submission, probe_submission_inside
from agencystack.sandbox.tls import Certificates, ensure_certificates
from agencystack.stack.errors import ComponentRef, Unavailable
from agencystack.stack.execution import Executor, Finished
from tests.mail_fixtures import Mail, mail_server
from tests.serving import free_port

WHERE = ComponentRef("shared", "mailu")
INTERPRETERS = ("python3", "php", "ruby", "openssl")
Ask = Callable[..., Probe]


class Application:
    """A place where only some programs are installed."""

    description = "the application of the test"

    def __init__(self, folder: Path, programs: Sequence[str]) -> None:
        folder.mkdir()
        self._path = folder
        self.argv: list[Sequence[str]] = []
        for program in (*programs, "sh", "tr", "sleep", "timeout"):
            found = sys.executable if program == "python3" else shutil.which(program)
            if found is None:
                pytest.skip(f"{program} is not installed here")
            script = folder / program
            script.write_text(f'#!/bin/sh\nexec {found} "$@"\n')
            script.chmod(0o755)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
        self.argv.append(argv)
        done = subprocess.run(
            argv, input=stdin, capture_output=True, timeout=timeout, check=False, env={"PATH": str(self._path)}
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def host(self) -> Executor:
        return self


@contextmanager
def talker(
    host: str, lines: dict[str, str], *, context: ssl.SSLContext | None = None, greeting: str = "220 talker ESMTP"
) -> Iterator[int]:
    """Run a server that answers each command with a prepared text and everything else with 250."""
    listener = socket.create_server((host, 0))
    ended = threading.Event()

    def converse(connection: socket.socket) -> None:
        try:
            encrypted = context.wrap_socket(connection, server_side=True) if context else connection
            with encrypted, encrypted.makefile("rwb") as stream:
                stream.write(f"{greeting}\r\n".encode())
                stream.flush()
                for line in stream:
                    command = line.decode(errors="replace").strip().split(" ")[0].upper()
                    if command == "QUIT":
                        return
                    stream.write(f"{lines.get(command, '250 ok')}\r\n".encode())
                    stream.flush()
        except OSError:
            connection.close()  # a client that did not believe the certificate

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the end
            if greeting:
                threading.Thread(target=converse, args=[connection], daemon=True).start()
            else:
                silent.append(connection)

    silent: list[socket.socket] = []
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in silent:
            connection.close()


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mail]:
    with mail_server(tmp_path_factory.mktemp("mail")) as running:
        yield running


@pytest.fixture(scope="module")
def server_side(mail: Mail) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mail.certificates.certificate, mail.certificates.key)
    return context


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return ensure_certificates(tmp_path_factory.mktemp("other"))


@pytest.fixture(params=("here", *INTERPRETERS))
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """Look from here, and from inside with one interpreter at a time."""
    if request.param == "here":
        return probe_submission
    application = Application(tmp_path / "bin", [request.param])

    def inside(host: str, *, ca_file: Path, timeout: float, ways: Sequence[tuple[int, Security]]) -> Probe:
        return probe_submission_inside(application, host, ca_file=str(ca_file), timeout=timeout, ways=ways)

    return inside


def kinds(probe: Probe) -> list[str]:
    assert probe.unknown == ""
    assert probe.submission is None
    return [failure.kind for failure in probe.failures]


def test_implicit_tls_is_taken_first(ask: Ask, mail: Mail) -> None:
    ways = [(mail.tls_port, "tls"), (mail.starttls_port, "starttls")]
    probe = ask("localhost", ca_file=mail.certificates.ca, timeout=10, ways=ways)
    assert probe.submission == Submission("localhost", mail.tls_port, "tls", "TLSv1.3")
    assert probe.failures == ()


def test_starttls_where_implicit_tls_is_closed(ask: Ask, mail: Mail) -> None:
    ways = [(free_port(), "tls"), (mail.starttls_port, "starttls")]
    probe = ask("localhost", ca_file=mail.certificates.ca, timeout=10, ways=ways)
    assert probe.submission == Submission("localhost", mail.starttls_port, "starttls", "TLSv1.3")
    assert [failure.kind for failure in probe.failures] == ["refused"]


def test_unknown_authority_is_named(ask: Ask, mail: Mail, other_authority: Certificates) -> None:
    ways = [(mail.tls_port, "tls"), (mail.starttls_port, "starttls")]
    probe = ask("localhost", ca_file=other_authority.ca, timeout=10, ways=ways)
    assert kinds(probe) == ["untrusted", "untrusted"]
    assert [failure.issuer for failure in probe.failures] == ["CN=AgencyStack sandbox"] * 2
    with pytest.raises(Unavailable, match="issued by CN=AgencyStack sandbox") as caught:
        probe.require(WHERE)
    assert "ca_file" in caught.value.remedy


def test_certificate_for_another_name(ask: Ask, mail: Mail, server_side: ssl.SSLContext) -> None:
    with talker("127.0.0.2", {}, context=server_side) as port:
        probe = ask("127.0.0.2", ca_file=mail.certificates.ca, timeout=10, ways=[(port, "tls")])
    assert kinds(probe) == ["name-mismatch"]
    assert probe.failures[0].issuer == "CN=AgencyStack sandbox"
    with pytest.raises(Unavailable) as caught:
        probe.require(WHERE)
    assert "mailu.hostname" in caught.value.remedy


def test_closed_ports(ask: Ask, mail: Mail) -> None:
    ways = [(free_port(), "tls"), (free_port(), "starttls")]
    assert kinds(ask("localhost", ca_file=mail.certificates.ca, timeout=10, ways=ways)) == ["refused", "refused"]


def test_name_that_does_not_resolve(ask: Ask, mail: Mail) -> None:
    probe = ask("nowhere.invalid", ca_file=mail.certificates.ca, timeout=10, ways=[(465, "tls")])
    assert kinds(probe) == ["unresolvable"]


def test_silent_server(ask: Ask, mail: Mail) -> None:
    with talker("127.0.0.1", {}, greeting="") as port:
        ways = [(port, "tls"), (port, "starttls")]
        probe = ask("localhost", ca_file=mail.certificates.ca, timeout=1, ways=ways)
    assert kinds(probe) == ["timeout", "timeout"]


def test_no_starttls_offered(ask: Ask, mail: Mail) -> None:
    with talker("127.0.0.1", {"EHLO": "250 AUTH PLAIN", "STARTTLS": "502 no such command"}) as port:
        probe = ask("localhost", ca_file=mail.certificates.ca, timeout=5, ways=[(port, "starttls")])
    assert kinds(probe) == ["no-starttls"]


def test_no_login_offered(ask: Ask, mail: Mail, server_side: ssl.SSLContext) -> None:
    with talker("127.0.0.1", {"EHLO": "250-talker\r\n250 SIZE 1000"}, context=server_side) as port:
        probe = ask("localhost", ca_file=mail.certificates.ca, timeout=5, ways=[(port, "tls")])
    assert kinds(probe) == ["no-auth"]


def test_plain_server_on_a_tls_port(ask: Ask, mail: Mail) -> None:
    probe = ask("localhost", ca_file=mail.certificates.ca, timeout=5, ways=[(mail.starttls_port, "tls")])
    assert kinds(probe) == ["no-tls"]


def test_no_interpreter_is_unknown_and_no_failure(tmp_path: Path, mail: Mail) -> None:
    probe = probe_submission_inside(Application(tmp_path / "bin", []), "localhost")
    assert probe.submission is None
    assert probe.failures == ()
    assert probe.unknown == "there is no python3, php, ruby or openssl to ask with"
    assert probe.seen_from == "the application of the test"


def test_place_that_cannot_be_reached_is_unknown(tmp_path: Path) -> None:
    class Gone(Application):
        def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
            raise Unavailable("no such container", component=WHERE)

    probe = probe_submission_inside(Gone(tmp_path / "bin", []), "localhost")
    assert "no such container" in probe.unknown
    with pytest.raises(Unavailable, match=r"seen from the application of the test.*no such container"):
        probe.require(WHERE)


def test_noise_of_the_application_is_not_taken_for_an_answer(tmp_path: Path, mail: Mail) -> None:
    class Noisy(Application):
        def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Finished:
            done = super().run(argv, stdin=stdin, timeout=timeout)
            return Finished(done.returncode, b'{"kind": "ok"}\nNotice: ' + done.stdout + b"bye", done.stderr)

    ways: list[tuple[int, Security]] = [(mail.tls_port, "tls")]
    probe = probe_submission_inside(
        Noisy(tmp_path / "bin", ["python3"]), "localhost", ca_file=str(mail.certificates.ca), ways=ways
    )
    assert probe.submission == Submission("localhost", mail.tls_port, "tls", "TLSv1.3")


def test_the_program_travels_by_standard_input(tmp_path: Path, mail: Mail) -> None:
    application = Application(tmp_path / "bin", ["python3"])
    probe_submission_inside(application, "localhost", ways=[(mail.tls_port, "tls")], timeout=5)
    (argv,) = application.argv
    assert argv[:3] == ["sh", "-s", "--"]
    assert max(map(len, argv)) < 40


def test_the_furthest_try_names_the_remedy(mail: Mail, other_authority: Certificates) -> None:
    probe = probe_submission(
        "localhost", ca_file=other_authority.ca, ways=[(mail.tls_port, "tls"), (free_port(), "starttls")]
    )
    with pytest.raises(Unavailable) as caught:
        probe.require(WHERE)
    assert "ca_file" in caught.value.remedy
