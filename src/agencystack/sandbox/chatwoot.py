"""A stand-in for Chatwoot: a folder with ``.env``, a ``bundle`` that runs our programs, and a restart command.

Written from Chatwoot's public source (config/initializers/mailer.rb) and ActionMailer's documented settings, not
verified against a running Chatwoot. As in a container, the environment in use is the one of the last restart: a changed
file alone changes nothing.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import smtplib
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from agencystack.components import envfile
from agencystack.sandbox.interpreter import python_for_products

VERSION = "4.0.0"
MAIL_TIMEOUT = 5.0
DEFAULT_SENDER = "Chatwoot <accounts@chatwoot.com>"
RUNNING = "running-environment.json"
FACTORY_ENV = """\
# Used to verify the integrity of signed cookies. so ensure a secure value is set
SECRET_KEY_BASE=sandbox
FRONTEND_URL=http://127.0.0.1:3000

# The email from which all outgoing emails are sent
# could user either  `email@yourdomain.com` or `BrandName <email@yourdomain.com>`
MAILER_SENDER_EMAIL=Chatwoot <accounts@chatwoot.com>

#SMTP domain key is set up for HELO checking
SMTP_DOMAIN=chatwoot.com
# Set the value to "mailhog" if using docker-compose for development environments,
# the default port is 1025
SMTP_ADDRESS=
SMTP_PORT=1025
SMTP_USERNAME=
SMTP_PASSWORD=
# plain,login,cram_md5
SMTP_AUTHENTICATION=
SMTP_ENABLE_STARTTLS_AUTO=true
# Can be: 'none', 'peer', 'client_once', 'fail_if_no_peer_cert', see http://api.rubyonrails.org/classes/ActionMailer/Base.html
SMTP_OPENSSL_VERIFY_MODE=peer
"""
# What ActiveModel::Type::Boolean takes for no; everything else that is not empty is yes.
FALSE = {"0", "f", "F", "false", "FALSE", "off", "OFF"}
_DATA = re.compile(r'Base64\.strict_decode64\("([A-Za-z0-9+/=]*)"\)')


@dataclass(frozen=True)
class ChatwootFolder:
    """Where the parts of one stand-in are.

    Args:
        folder: what ``exec.path`` names.
        env_file: its environment file.
        restart: program and arguments of its restart.
    """

    folder: Path
    env_file: Path
    restart: tuple[str, ...]


def ensure_chatwoot(folder: Path, *, ca_file: Path | None = None) -> ChatwootFolder:
    """Make the stand-in in ``folder``, or find it there; a started one has its environment.

    Args:
        folder: gets ``.env``, ``bin/bundle`` and ``bin/restart``.
        ca_file: authority its mail connections trust besides none other.
    """
    made = ChatwootFolder(folder, folder / ".env", (str(folder / "bin" / "restart"),))
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    if not made.env_file.exists():
        made.env_file.touch(0o640)
        made.env_file.write_text(FACTORY_ENV)
    for name in ("bundle", "restart"):
        _program(folder / "bin" / name, name, folder, ca_file)
    if not (folder / RUNNING).exists():
        restart(folder)
    return made


def restart(folder: Path) -> None:
    """Read the environment file, as a new start of the application does."""
    values = envfile.parse((folder / ".env").read_text())
    running = folder / RUNNING
    running.touch(0o600)
    running.write_text(json.dumps(values))


def run_program(folder: Path, program: str, ca_file: Path | None) -> str:
    """Do what our Ruby ``program`` asks for and return what it prints.

    Args:
        folder: of the stand-in.
        program: as the client sends it; told apart by the calls it makes.
        ca_file: authority to trust.
    """
    environment = json.loads((folder / RUNNING).read_text())
    found = _DATA.search(program)
    given = json.loads(base64.b64decode(found[1])) if found else {}
    try:
        answer = _answer(program, given, environment, ca_file)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        answer = {"error": f"{_ruby_class(error)}: {error}"}
    nonce = given.get("nonce", "")
    return f"a gem says hello\n{nonce}{json.dumps(answer)}{nonce}\n"


def main(argv: Sequence[str]) -> int:
    """Entry of ``bin/bundle`` and ``bin/restart``.

    Args:
        argv: name of the program, folder, authority, then the program's own arguments.
    """
    name, folder, ca_file, *arguments = argv
    if name == "restart":
        restart(Path(folder))
        return 0
    if arguments != ["exec", "rails", "runner", "-"]:
        sys.stderr.write(f"bundler: command not found: {' '.join(arguments)}\n")
        return 127
    sys.stdout.write(run_program(Path(folder), sys.stdin.read(), Path(ca_file) if ca_file else None))
    return 0


def _program(path: Path, name: str, folder: Path, ca_file: Path | None) -> None:
    python = python_for_products("agencystack.sandbox.chatwoot", folder.parents[1] / "libraries")
    command = [*python, name, str(folder), str(ca_file or "")]
    source = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
    path.write_text(source)
    path.chmod(0o755)


def _answer(
    program: str, given: Mapping[str, Any], environment: Mapping[str, str], ca_file: Path | None
) -> dict[str, Any]:
    if "Chatwoot.config[:version]" in program:
        return {"version": VERSION}
    if "deliver_now" in program:
        _send(given, environment, ca_file)
        return {"sent": True}
    if "ENV[key] == value" in program:
        return {"different": [key for key, value in given["values"].items() if not _same(environment, key, value)]}
    return {"error": "NoMethodError: the stand-in does not know this program"}


def _same(environment: Mapping[str, str], key: str, value: str | None) -> bool:
    return environment.get(key) == value or (value is None and not environment.get(key))


def _send(given: Mapping[str, Any], environment: Mapping[str, str], ca_file: Path | None) -> None:
    mail = EmailMessage()
    mail["From"] = environment.get("MAILER_SENDER_EMAIL", DEFAULT_SENDER)
    mail["To"], mail["Subject"] = given["to"], given["subject"]
    mail.set_content(given["body"])
    with _connected(environment, ca_file) as server:
        _log_in(server, environment)
        server.send_message(mail)


def _connected(environment: Mapping[str, str], ca_file: Path | None) -> smtplib.SMTP:
    """Connect as the mail gem does: TLS at once for SMTP_TLS or SMTP_SSL, else STARTTLS where it is offered.

    Since 2.8 the gem refuses both together, and Chatwoot asks for STARTTLS unless it is told not to.
    """
    host = environment.get("SMTP_ADDRESS", "localhost")
    port = int(environment.get("SMTP_PORT", "587"))
    hello = environment.get("SMTP_DOMAIN") or "localhost"
    context = _context(environment.get("SMTP_OPENSSL_VERIFY_MODE") or "peer", ca_file)
    starttls = _is_true(environment.get("SMTP_ENABLE_STARTTLS_AUTO", "true"))
    if _is_true(environment.get("SMTP_TLS")) or _is_true(environment.get("SMTP_SSL")):
        if starttls:
            raise ValueError(":enable_starttls and :tls are mutually exclusive.")
        return smtplib.SMTP_SSL(host, port, local_hostname=hello, timeout=MAIL_TIMEOUT, context=context)
    server = smtplib.SMTP(host, port, local_hostname=hello, timeout=MAIL_TIMEOUT)
    server.ehlo()
    if starttls and server.has_extn("starttls"):
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _context(mode: str, ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if mode == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _log_in(server: smtplib.SMTP, environment: Mapping[str, str]) -> None:
    user, password = environment.get("SMTP_USERNAME"), environment.get("SMTP_PASSWORD")
    kind = environment.get("SMTP_AUTHENTICATION") or "plain"
    if not user and not environment.get("SMTP_AUTHENTICATION"):
        return
    server.ehlo_or_helo_if_needed()
    server.user, server.password = user or "", password or ""
    methods = {"plain": server.auth_plain, "login": server.auth_login, "cram_md5": server.auth_cram_md5}
    if kind not in methods:
        raise ValueError(f"wrong authentication type {kind}")
    server.auth(kind.upper().replace("_", "-"), methods[kind])  # type: ignore[arg-type]


def _is_true(text: str | None) -> bool:
    return bool(text) and text not in FALSE


def _ruby_class(error: Exception) -> str:
    names: tuple[tuple[type[Exception], str], ...] = (
        (smtplib.SMTPAuthenticationError, "Net::SMTPAuthenticationError"),
        (smtplib.SMTPException, "Net::SMTPFatalError"),
        (ssl.SSLError, "OpenSSL::SSL::SSLError"),
        (ConnectionRefusedError, "Errno::ECONNREFUSED"),
        (TimeoutError, "Net::OpenTimeout"),
        (OSError, "SocketError"),
    )
    return next((name for kind, name in names if isinstance(error, kind)), "ArgumentError")
