"""Where mail can be handed in: asked from here, and from inside the application that will do it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from cryptography import x509
from pydantic import BaseModel, ValidationError

from agencystack.components.mail_probe import submission as python_probe
from agencystack.stack.errors import AgencyStackError, ComponentRef, Unavailable
from agencystack.stack.execution import Executor

Security = Literal["tls", "starttls"]
FailureKind = Literal[
    "unresolvable",
    "refused",
    "timeout",
    "unreachable",
    "untrusted",
    "name-mismatch",
    "no-tls",
    "no-starttls",
    "no-auth",
    "bad-answer",
]
# Implicit TLS first: Mailu's default ports have no 587 (facts/mailu.md "SMTP / IMAP behaviour").
USUAL_WAYS: tuple[tuple[int, Security], ...] = ((465, "tls"), (587, "starttls"))
HERE = "this machine"
# The slowest program needs its limit for connecting, again for reading the certificate, and seconds to start and end.
PATIENCE, EXTRA_SECONDS = 2.5, 4.0

WORDS: dict[str, str] = {
    "unresolvable": "its name does not resolve",
    "refused": "nothing listens there",
    "timeout": "it did not answer in time",
    "unreachable": "it cannot be reached",
    "untrusted": "its certificate is not trusted",
    "name-mismatch": "its certificate is for another name",
    "no-tls": "it does not speak TLS there",
    "no-starttls": "it does not offer STARTTLS",
    "no-auth": "it offers no login",
    "bad-answer": "it did not answer as a mail server does",
}
REMEDIES: dict[str, str] = {
    "unresolvable": "use a name that resolves there (in a container network: an alias equal to Mailu's hostname)",
    "refused": "check that the port is in Mailu's PORTS and published (587 is off by default)",
    "timeout": "check firewalls between the two",
    "unreachable": "check the route between the two",
    "untrusted": "name the authority that issued it as ca_file in stack.yaml",
    "name-mismatch": "set mailu.hostname in stack.yaml to the name on the certificate, and let that name resolve there",
    "no-tls": "check that the port is one for mail submission",
    "no-starttls": "use 465 with implicit TLS, or check TLS_FLAVOR in mailu.env",
    "no-auth": "use the port for submission (465 or 587); port 25 takes no login",
    "bad-answer": "check that the port is one for mail submission",
}


@dataclass(frozen=True)
class Submission:
    """A server that takes mail from who logs in, its certificate verified."""

    host: str
    port: int
    security: Security
    tls_version: str


@dataclass(frozen=True)
class Failure:
    """A way in that is not open.

    Args:
        port: where.
        security: how it was tried.
        kind: what went wrong.
        detail: the words of the library that tried.
        issuer: who issued the certificate that was not believed.
    """

    port: int
    security: Security
    kind: FailureKind
    detail: str = ""
    issuer: str = ""

    def __str__(self) -> str:
        issuer = f" (issued by {self.issuer})" if self.issuer else ""
        return f"port {self.port} ({self.security}): {WORDS[self.kind]}{issuer}"


@dataclass(frozen=True)
class Probe:
    """What one look for a submission server found.

    Args:
        host: what was looked at.
        seen_from: the place it was seen from, for a person.
        submission: the first way in that is open.
        failures: ways that are not, in the order they were tried.
        unknown: why nothing can be said (no interpreter there, no way to run it); empty otherwise.
    """

    host: str
    seen_from: str
    submission: Submission | None = None
    failures: tuple[Failure, ...] = ()
    unknown: str = ""

    def require(self, where: ComponentRef) -> Submission:
        """Return the way in.

        Args:
            where: the mail server's component, for the error.

        Raises:
            Unavailable: there is none, or nothing is known; says what was seen from where, and the remedy.
        """
        if self.submission is not None:
            return self.submission
        reasons = self.unknown or "; ".join(map(str, self.failures))
        # The furthest a try came says most: a refused 587 beside an untrusted 465 is not the mistake.
        kinds = [failure.kind for failure in self.failures]
        furthest = max(kinds, key=get_args(FailureKind).index, default=None)
        raise Unavailable(
            f"no way to hand in mail at {self.host}, seen from {self.seen_from}: {reasons}",
            component=where,
            remedy=REMEDIES[furthest] if furthest else "",
        )


class _Attempt(BaseModel):
    """One line of a probe program's answer."""

    port: int
    security: Security
    kind: Literal[FailureKind, "ok"]
    tls: str = ""
    detail: str = ""
    certificate: str = ""


def probe_submission(
    host: str,
    *,
    ca_file: Path | None = None,
    timeout: float = 10.0,
    ways: Sequence[tuple[int, Security]] = USUAL_WAYS,
) -> Probe:
    """Look for a submission server from where we run.

    Args:
        host: its name, which must be on its certificate.
        ca_file: certificate authority to trust instead of the system's.
        timeout: seconds for each step of each way.
        ways: ports and how each is secured, the best first; the first open one is taken.
    """
    return _probe(host, HERE, _attempts_here(host, ways, ca_file, timeout))


def _attempts_here(
    host: str, ways: Sequence[tuple[int, Security]], ca_file: Path | None, timeout: float
) -> Iterator[_Attempt]:
    for port, security in ways:
        yield _Attempt.model_validate(python_probe.attempt(host, port, security, str(ca_file or ""), timeout))


def probe_submission_inside(
    executor: Executor,
    host: str,
    *,
    ca_file: str = "",
    timeout: float = 10.0,
    ways: Sequence[tuple[int, Security]] = USUAL_WAYS,
) -> Probe:
    """Look for a submission server from inside an application.

    One shell is started; the program it hands to python3, php, ruby or openssl, whichever is there, comes on its
    standard input. No credential is involved.

    Args:
        executor: runs programs there.
        host: name of the server, which must be on its certificate.
        ca_file: path inside the application of a certificate authority; its system's store when empty.
        timeout: seconds for each step of each way.
        ways: ports and how each is secured, the best first.

    Returns:
        What was found; ``unknown`` says why where nothing could be run there.
    """
    mark = f"probe-{secrets.token_hex(6)} "
    ways_text = ",".join(f"{port}:{security}" for port, security in ways)
    argv = ["sh", "-s", "--", mark, host, ways_text, ca_file, f"{timeout:g}"]
    seen_from = executor.description
    try:
        finished = executor.run(argv, stdin=_program(), timeout=len(ways) * (timeout * PATIENCE + EXTRA_SECONDS))
    except AgencyStackError as error:
        return Probe(host, seen_from, unknown=str(error))
    output = finished.stdout.decode(errors="replace")
    if f"{mark}NONE" in output:
        return Probe(host, seen_from, unknown="there is no python3, php, ruby or openssl to ask with")
    attempts = list(_attempts_told(output, mark))
    if not attempts:
        said = finished.stderr.decode(errors="replace").strip()[-300:]
        return Probe(host, seen_from, unknown=f"the probe ended with status {finished.returncode}: {said}")
    return _probe(host, seen_from, iter(attempts))


def _program() -> bytes:
    folder = resources.files("agencystack.components.mail_probe")
    text = folder.joinpath("choose.sh").read_text()
    for place, name in (("PYTHON", "py"), ("PHP", "php"), ("RUBY", "rb"), ("SHELL", "sh")):
        text = text.replace(f"@{place}@", shlex.quote(folder.joinpath(f"submission.{name}").read_text()))
    return text.encode()


def _probe(host: str, seen_from: str, attempts: Iterator[_Attempt]) -> Probe:
    failures: list[Failure] = []
    for attempt in attempts:
        if attempt.kind == "ok":
            found = Submission(host, attempt.port, attempt.security, attempt.tls)
            return Probe(host, seen_from, found, tuple(failures))
        failures.append(
            Failure(attempt.port, attempt.security, attempt.kind, attempt.detail, _issuer(attempt.certificate))
        )
    return Probe(host, seen_from, None, tuple(failures))


def _attempts_told(output: str, mark: str) -> Iterator[_Attempt]:
    """Read the lines after our mark; whatever else the application printed is not ours."""
    for part in output.split(mark)[1:]:
        if part.startswith("OPENSSL "):
            yield _told_by_openssl(part)
        elif part.startswith("{"):
            try:
                yield _Attempt.model_validate(json.loads(part.splitlines()[0]))
            except (ValueError, ValidationError):
                continue


def _told_by_openssl(said: str) -> _Attempt:
    """Understand ``openssl s_client``: what it said of the connection, the certificate and the greeting."""
    _, port, security = said.split("\n", 1)[0].split()
    pem = re.search(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", said, re.DOTALL)
    version = re.search(r"^(?:New, |\s*Protocol\s*: )(TLSv[\d.]+)", said, re.MULTILINE)
    words = re.search(r"verify error:(.+)|^.*(?:errno|error).*$", said, re.IGNORECASE | re.MULTILINE)
    return _Attempt.model_validate(
        {
            "port": port,
            "security": security,
            "kind": _kind_by_openssl(said),
            "tls": version[1] if version else "",
            "detail": words[0].strip() if words else "",
            "certificate": "".join(pem[1].split()) if pem else "",
        }
    )


def _kind_by_openssl(said: str) -> str:
    lower = said.lower()
    signs = (
        ("unresolvable", r"name or service not known|nodename nor servname|name resolution|bio_lookup_ex|no address"),
        ("refused", r"connection refused"),
        ("name-mismatch", r"hostname mismatch|ip address mismatch"),
        ("untrusted", r"verify error:|verify return code: [1-9]"),
        ("no-starttls", r"didn't found starttls|didn't find starttls|starttls.*not"),
        ("ok", r"verify return code: 0 \(ok\)(?s:.)*^250[ -]auth[ =]"),
        ("no-auth", r"verify return code: 0 \(ok\)(?s:.)*^250[ -]"),
        ("no-tls", r"wrong version number|ssl routines|no peer certificate available"),
        # The time limit's own status: GNU 124, BusyBox 143.
        ("timeout", r"timed out|^probe-exit (124|143)"),
    )
    return next((kind for kind, sign in signs if re.search(sign, lower, re.MULTILINE)), "unreachable")


def _issuer(certificate: str) -> str:
    """Return who issued a certificate (base64 of DER), its organisation and name."""
    try:
        issuer = x509.load_der_x509_certificate(base64.b64decode(certificate)).issuer
    except (ValueError, binascii.Error):
        return ""
    return issuer.rfc4514_string()
