"""Debian's Postfix and Dovecot as the mail servers behind the Mailu stand-in, in a folder and at ports of their own.

Rules stay in one place: Postfix asks the stand-in (socketmap) which logins may send as an address and hands all mail to
it (LMTP) for signing and delivery; Dovecot asks it (checkpassword) whether a password or token opens a mailbox.
Nothing of the machine's own Postfix or Dovecot, nor anything under /etc, is read or changed.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agencystack.sandbox import checkpassword
from agencystack.sandbox.answering import IMAP_GREETING, SMTP_GREETING, greets, greets_over_tls
from agencystack.sandbox.mailstack_files import dovecot_conf, postfix_main, postfix_master
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.process import is_running, read_record, start_detached, stop
from agencystack.sandbox.services import not_started
from agencystack.stack.files import write_atomically

POSTFIX = Path("/usr/lib/postfix/sbin")
DOVECOT = Path("/usr/lib/dovecot")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS = 20.0
POLL = 0.05
# Room for the names Dovecot gives its sockets, of the 107 bytes a socket's path may have.
LONGEST_FOLDER = 70
MAIL_OWNER = "nobody"
QUEUE_FOLDERS = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved", "trace")


def obstacle(folder: SandboxFolder) -> str | None:
    """Return why Postfix and Dovecot cannot run here, None when they can."""
    missing = [str(path) for path in (POSTFIX / "master", DOVECOT / "checkpassword-reply") if not path.exists()]
    missing += [program for program in ("postfix", "dovecot") if shutil.which(program, path=SYSTEM_PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if os.geteuid() != 0:
        return "Postfix needs root"
    if len(str(folder.root)) > LONGEST_FOLDER or any(letter.isspace() for letter in str(folder.root)):
        return f"the folder's path is longer than {LONGEST_FOLDER} letters or has spaces, which Dovecot cannot use"
    absent = [name for name in ("postfix", "dovecot", "dovenull", MAIL_OWNER) if not _user(name)]
    return f"this machine has no user {', '.join(absent)}" if absent else None


def mail_owner() -> tuple[int, int] | None:
    """Return user and group the mailboxes belong to; None to leave them ours. Dovecot refuses those of root."""
    entry = _user(MAIL_OWNER) if os.geteuid() == 0 else None
    return (entry.pw_uid, entry.pw_gid) if entry else None


@dataclass(frozen=True)
class MailStack:
    """Postfix and Dovecot as one service of the sandbox.

    Args:
        folder: the sandbox.
        ports: port by name: ``smtps``, ``submission``, ``imaps``, and those of the stand-in they ask.
    """

    folder: SandboxFolder
    ports: Mapping[str, int]
    name: str = "mail"

    def is_up(self) -> bool:
        """Say whether both run and answer."""
        return all(is_running(read_record(self._record(name))) for name in ("postfix", "dovecot")) and self._answers()

    def records(self) -> list[Path]:
        """Return the records of both."""
        return [path for name in ("postfix", "dovecot") if (path := self._record(name)).exists()]

    def start(self) -> None:
        """Start both, or the one that died; returns when all three ports answer."""
        self._configure()
        try:
            if not is_running(read_record(self._record("dovecot"))):
                self._launch("dovecot", ["/usr/sbin/dovecot", "-F", "-c", str(self._home / "dovecot.conf")])
            if not is_running(read_record(self._record("postfix"))):
                self._launch("postfix", [str(POSTFIX / "master"), "-c", str(self._home / "postfix")])
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """End both."""
        return any([stop(self._record("postfix")), stop(self._record("dovecot"))])

    @property
    def _home(self) -> Path:
        return self.folder.mail_servers

    def _record(self, name: str) -> Path:
        return self.folder.run / f"{name}.json"

    def _log(self, name: str) -> Path:
        return self.folder.log / f"{name}.log"

    def _launch(self, name: str, argv: list[str]) -> None:
        environment = {"PATH": SYSTEM_PATH, "MAIL_CONFIG": str(self._home / "postfix")}
        start_detached(argv, log=self._log(name), record=self._record(name), cwd=self._home, env=environment)

    def _answers(self) -> bool:
        smtp_over_tls = greets_over_tls(SMTP_GREETING, self.folder.ca_file)
        imap_over_tls = greets_over_tls(IMAP_GREETING, self.folder.ca_file)
        return (
            smtp_over_tls(self.ports["smtps"])
            and greets(SMTP_GREETING)(self.ports["submission"])
            and imap_over_tls(self.ports["imaps"])
        )

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            dead = [name for name in ("postfix", "dovecot") if not is_running(read_record(self._record(name)))]
            if dead:
                raise not_started(f"{dead[0]} ended at once", self._log(dead[0]))
            if time.monotonic() > end:
                raise not_started(
                    f"Postfix and Dovecot did not answer within {START_SECONDS:g} s", self._log("postfix")
                )
            time.sleep(POLL)

    def _configure(self) -> None:
        """Write the configuration of both anew, so that it is that of this version."""
        for path in (self._home, self._home / "postfix", self.folder.maildirs):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)
        owner = mail_owner() or (os.geteuid(), os.getegid())
        os.chown(self.folder.maildirs, *owner)
        _make_queue(self._home / "queue")
        asked = [sys.executable, "-I", "-S", checkpassword.__file__, str(self.ports["mail-logins"])]
        for name, text, mode in (
            ("postfix/main.cf", postfix_main(self.folder, self.ports), 0o644),
            ("postfix/master.cf", postfix_master(self.ports), 0o644),
            ("dovecot.conf", dovecot_conf(self.folder, self.ports, owner), 0o644),
            ("checkpassword", f'#!/bin/sh\nexec {shlex.join(asked)} "$@"\n', 0o755),
        ):
            write_atomically(self._home / name, text.encode(), mode)


def _make_queue(queue: Path) -> None:
    """Make Postfix's folders with owners and modes of its own installer (its file postfix-files)."""
    postfix, postdrop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
    for name, uid, gid, mode in (
        ("", 0, 0, 0o755),
        ("pid", 0, 0, 0o755),
        ("data", postfix, 0, 0o700),
        ("private", postfix, 0, 0o700),
        ("public", postfix, postdrop, 0o710),
        ("maildrop", postfix, postdrop, 0o730),
        *((name, postfix, 0, 0o700) for name in QUEUE_FOLDERS),
    ):
        path = queue / name
        path.mkdir(exist_ok=True)
        os.chown(path, uid, gid)
        path.chmod(mode)


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
