"""A small IMAP4rev1 server on Maildirs: what reading a probe mailbox needs, with Mailu's way of refusing a login."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Protocol

from agencystack.sandbox.maildir import Maildir, Maildirs, StoredMail

CAPABILITIES = "IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN"
FLAG_NAMES = {"S": "\\Seen", "T": "\\Deleted", "F": "\\Flagged", "R": "\\Answered", "D": "\\Draft"}
FLAG_LETTERS = {name.lower(): letter for letter, name in FLAG_NAMES.items()}
LONGEST_LINE = 65_536
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([()])|((?:[^\s()"\[]|\[[^\]]*\])+)')
LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")


class Logins(Protocol):
    """Decides who may read which mailbox."""

    def __call__(self, address: str, password: str, client_ip: str) -> bool:
        """Say whether this login is right."""


class _Refused(Exception):
    """Ends a command with NO or BAD."""


class ImapServer:
    """Serves the mailboxes below a folder over implicit TLS.

    Args:
        host: address to listen on.
        port: port to listen on.
        context: the server's side of TLS.
        maildirs: the mailboxes.
        logins: decides logins.
        login_delay: seconds a refused login waits, as Dovecot's do.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        maildirs: Maildirs,
        logins: Logins,
        *,
        login_delay: float = 2.0,
    ) -> None:
        self._host = host
        self._port = port
        self._context = context
        self._maildirs = maildirs
        self._logins = logins
        self._login_delay = login_delay
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._serve, self._host, self._port, ssl=self._context, limit=LONGEST_LINE
        )

    async def stop(self) -> None:
        """Take no more connections and end those that are."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            await _Connection(reader, writer, self._maildirs, self._logins, self._login_delay).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the client went away, or sent a line no client sends
        finally:
            self._connections.discard(writer)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                writer.close()


class _Connection:
    """One client: its login, its open mailbox and the commands it sends."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        maildirs: Maildirs,
        logins: Logins,
        login_delay: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._maildirs = maildirs
        self._logins = logins
        self._login_delay = login_delay
        self._address: str | None = None
        self._box: Maildir | None = None
        self._mails: list[StoredMail] = []
        self._read_only = False
        self._ended = False

    async def run(self) -> None:
        await self._say(f"* OK [CAPABILITY {CAPABILITIES}] AgencyStack sandbox ready.")
        while not self._ended:
            line = await self._command()
            if line is None:
                return
            tag, _, rest = line.partition(" ")
            name, _, arguments = rest.partition(" ")
            try:
                done = await self._obey(name.upper(), arguments)
                await self._say(f"{tag} OK {done}")
            except _Refused as refusal:
                await self._say(f"{tag} {refusal}")

    async def _command(self) -> str | None:
        """Read one command; literals in it become quoted strings."""
        text = ""
        while True:
            line = await self._reader.readline()
            if not line:
                return None
            line = line.rstrip(b"\r\n")
            literal = LITERAL.search(line)
            if literal is None:
                return text + line.decode(errors="replace")
            if not literal[2]:
                await self._say("+ OK")
            content = (await self._reader.readexactly(int(literal[1]))).decode(errors="replace")
            quoted = content.replace("\\", "\\\\").replace('"', '\\"')
            text += line[: literal.start()].decode(errors="replace") + f'"{quoted}"'

    async def _obey(self, name: str, arguments: str) -> str:
        words = _tokens(arguments)
        if name == "UID":
            return await self._numbered(words[0].upper(), words[1:], by_uid=True)
        if name in {"SEARCH", "FETCH", "STORE"}:
            return await self._numbered(name, words, by_uid=False)
        command = self._commands().get(name)
        if command is None:
            raise _Refused(f"BAD Unknown command {name}")
        try:
            return await command(words)
        except IndexError:
            raise _Refused(f"BAD Missing argument to {name}") from None

    def _commands(self) -> dict[str, Callable[[list[str]], asyncio.Future[str]]]:
        commands: dict[str, object] = {
            "CAPABILITY": self._capability,
            "NOOP": self._noop,
            "LOGIN": self._login,
            "LOGOUT": self._logout,
        }
        if self._address is not None:
            commands |= {
                "LIST": self._list,
                "SELECT": self._select,
                "EXAMINE": self._examine,
                "STATUS": self._status,
            }
        if self._box is not None:
            commands |= {"EXPUNGE": self._expunge, "CLOSE": self._close, "CHECK": self._noop}
        return commands  # type: ignore[return-value]

    async def _capability(self, _: list[str]) -> str:
        await self._say(f"* CAPABILITY {CAPABILITIES}")
        return "Capability completed."

    async def _noop(self, _: list[str]) -> str:
        if self._box is not None:
            await self._refresh()
        return "NOOP completed."

    async def _login(self, words: list[str]) -> str:
        peer = self._writer.get_extra_info("peername")
        if not self._logins(words[0], words[1], peer[0]):
            await asyncio.sleep(self._login_delay)
            raise _Refused("NO [AUTHENTICATIONFAILED] Authentication failed.")
        self._address = words[0].lower()
        return f"[CAPABILITY {CAPABILITIES}] Logged in"

    async def _logout(self, _: list[str]) -> str:
        await self._say("* BYE Logging out")
        self._ended = True
        return "Logout completed."

    async def _list(self, words: list[str]) -> str:
        if words[1] in {"*", "%"} or words[1].upper() == "INBOX":
            await self._say('* LIST (\\HasNoChildren) "." INBOX')
        return "List completed."

    async def _select(self, words: list[str]) -> str:
        return await self._open_box(words, read_only=False)

    async def _examine(self, words: list[str]) -> str:
        return await self._open_box(words, read_only=True)

    async def _open_box(self, words: list[str], *, read_only: bool) -> str:
        self._box = self._inbox(words[0])
        self._read_only = read_only
        self._mails = self._box.mails()
        flags = " ".join(FLAG_NAMES.values())
        await self._say(f"* FLAGS ({flags})")
        await self._say(f"* OK [PERMANENTFLAGS ({'' if read_only else flags})] Flags permitted.")
        await self._say(f"* {len(self._mails)} EXISTS")
        await self._say("* 0 RECENT")
        await self._say("* OK [UIDVALIDITY 1] UIDs valid")
        await self._say(f"* OK [UIDNEXT {_next_uid(self._mails)}] Predicted next UID")
        return "[READ-ONLY] Examine completed." if read_only else "[READ-WRITE] Select completed."

    async def _status(self, words: list[str]) -> str:
        mails = self._inbox(words[0]).mails()
        values = {
            "MESSAGES": len(mails),
            "RECENT": 0,
            "UNSEEN": sum("S" not in mail.flags for mail in mails),
            "UIDNEXT": _next_uid(mails),
            "UIDVALIDITY": 1,
        }
        asked = [word.upper() for word in words[1:] if word.upper() in values]
        await self._say(f"* STATUS {words[0]} ({' '.join(f'{name} {values[name]}' for name in asked)})")
        return "Status completed."

    async def _expunge(self, _: list[str]) -> str:
        box = self._opened()
        if self._read_only:
            raise _Refused("NO [READ-ONLY] Mailbox is read-only")
        for number in range(len(self._mails), 0, -1):
            mail = self._mails[number - 1]
            if "T" in mail.flags:
                box.remove(mail)
                del self._mails[number - 1]
                await self._say(f"* {number} EXPUNGE")
        return "Expunge completed."

    async def _close(self, _: list[str]) -> str:
        box = self._opened()
        for mail in self._mails:
            if "T" in mail.flags and not self._read_only:
                box.remove(mail)
        self._box, self._mails = None, []
        return "Close completed."

    async def _numbered(self, name: str, words: list[str], *, by_uid: bool) -> str:
        self._opened()
        if name == "SEARCH":
            return await self._search(words, by_uid=by_uid)
        if name == "FETCH":
            return await self._fetch(words, by_uid=by_uid)
        if name == "STORE":
            return await self._store(words, by_uid=by_uid)
        raise _Refused(f"BAD Unknown command UID {name}")

    async def _search(self, words: list[str], *, by_uid: bool) -> str:
        await self._refresh()
        if words[:1] == ["CHARSET"]:
            words = words[2:]
        found = [
            mail.uid if by_uid else number
            for number, mail in enumerate(self._mails, 1)
            if _matches(mail, words, number, len(self._mails), self._mails)
        ]
        await self._say(" ".join(["* SEARCH", *map(str, found)]))
        return "Search completed."

    async def _fetch(self, words: list[str], *, by_uid: bool) -> str:
        items = _fetch_items(words[1:])
        for number in self._chosen(words[0], by_uid=by_uid):
            mail = self._mails[number - 1]
            if not mail.path.exists():
                continue
            marks_seen = any(item.startswith(("BODY[", "RFC822")) and item not in QUIET for item in items)
            if marks_seen and "S" not in mail.flags and not self._read_only:
                mail = self._mails[number - 1] = self._opened().set_flags(mail, mail.flags + "S")
            asked = [*items, "UID"] if by_uid and "UID" not in items else items
            parts = b" ".join(_fetched(mail, item) for item in asked)
            await self._say_bytes(f"* {number} FETCH (".encode() + parts + b")")
        return "Fetch completed."

    async def _store(self, words: list[str], *, by_uid: bool) -> str:
        if self._read_only:
            raise _Refused("NO [READ-ONLY] Mailbox is read-only")
        how = words[1].upper()
        letters = "".join(FLAG_LETTERS.get(word.lower(), "") for word in words[2:] if word not in "()")
        for number in self._chosen(words[0], by_uid=by_uid):
            mail = self._mails[number - 1]
            flags = _with_flags(mail.flags, how, letters)
            mail = self._mails[number - 1] = self._opened().set_flags(mail, flags)
            if not how.endswith(".SILENT"):
                uid = f"UID {mail.uid} " if by_uid else ""
                await self._say(f"* {number} FETCH ({uid}FLAGS ({_flag_names(mail)}))")
        return "Store completed."

    def _chosen(self, numbers: str, *, by_uid: bool) -> list[int]:
        last = _next_uid(self._mails) - 1 if by_uid else len(self._mails)
        return [
            number
            for number, mail in enumerate(self._mails, 1)
            if _in_set(mail.uid if by_uid else number, numbers, last)
        ]

    async def _refresh(self) -> None:
        """Notice mail that came since, without changing the numbers the client knows."""
        known = {mail.uid for mail in self._mails}
        new = [mail for mail in self._opened().mails() if mail.uid not in known]
        if new:
            self._mails += new
            await self._say(f"* {len(self._mails)} EXISTS")

    def _inbox(self, name: str) -> Maildir:
        if name.upper() != "INBOX" or self._address is None:
            raise _Refused(f"NO [NONEXISTENT] Mailbox doesn't exist: {name}")
        return self._maildirs.of(self._address)

    def _opened(self) -> Maildir:
        if self._box is None:
            raise _Refused("BAD No mailbox selected.")
        return self._box

    async def _say(self, line: str) -> None:
        await self._say_bytes(line.encode())

    async def _say_bytes(self, line: bytes) -> None:
        self._writer.write(line + b"\r\n")
        await self._writer.drain()


QUIET = {"RFC822.SIZE", "RFC822.HEADER"}


def _tokens(text: str) -> list[str]:
    """Split a command's arguments; quotes are taken off, parentheses stay."""
    return [
        re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2] or match[3]
        for match in TOKEN.finditer(text)
    ]


def _fetch_items(words: list[str]) -> list[str]:
    items = [word.upper() for word in words if word not in {"(", ")"}]
    macros = {"ALL": ["FLAGS", "INTERNALDATE", "RFC822.SIZE"], "FAST": ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]}
    return macros.get(items[0], items) if items else []


def _fetched(mail: StoredMail, item: str) -> bytes:
    plain = {
        "UID": lambda: f"UID {mail.uid}",
        "FLAGS": lambda: f"FLAGS ({_flag_names(mail)})",
        "RFC822.SIZE": lambda: f"RFC822.SIZE {len(mail.content())}",
        "INTERNALDATE": lambda: f'INTERNALDATE "{_internal_date(mail)}"',
    }
    if item in plain:
        return plain[item]().encode()
    content = _section(mail.content(), item)
    name = item.replace("BODY.PEEK", "BODY")
    return f"{name} {{{len(content)}}}\r\n".encode() + content


def _section(content: bytes, item: str) -> bytes:
    head, _, body = content.partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    section = item.partition("[")[2].rstrip("]")
    if item == "RFC822" or (item.startswith("BODY") and section == ""):
        return content
    if item == "RFC822.HEADER" or section == "HEADER":
        return head
    if item == "RFC822.TEXT" or section == "TEXT":
        return body
    if section.startswith("HEADER.FIELDS "):
        wanted = {name.lower() for name in section.partition("(")[2].rstrip(")").split()}
        lines = re.split(rb"\r\n(?![ \t])", head.rstrip(b"\r\n"))
        chosen = [line for line in lines if line.split(b":")[0].strip().decode().lower() in wanted]
        return b"".join(line + b"\r\n" for line in chosen) + b"\r\n"
    raise _Refused(f"BAD Unknown fetch item {item}")


def _internal_date(mail: StoredMail) -> str:
    return time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(mail.path.stat().st_mtime))


def _flag_names(mail: StoredMail) -> str:
    return " ".join(FLAG_NAMES[letter] for letter in mail.flags if letter in FLAG_NAMES)


def _with_flags(flags: str, how: str, letters: str) -> str:
    if how.startswith("+"):
        return flags + letters
    if how.startswith("-"):
        return "".join(letter for letter in flags if letter not in letters)
    return letters


def _next_uid(mails: list[StoredMail]) -> int:
    return max((mail.uid for mail in mails), default=0) + 1


def _in_set(number: int, numbers: str, last: int) -> bool:
    for part in numbers.split(","):
        first, _, end = part.partition(":")
        low = last if first == "*" else int(first)
        high = low if not end else last if end == "*" else int(end)
        if min(low, high) <= number <= max(low, high):
            return True
    return False


def _matches(mail: StoredMail, words: list[str], number: int, count: int, mails: list[StoredMail]) -> bool:
    """Say whether a mail fulfils all of a search's conditions."""
    left = iter([word for word in words if word not in {"(", ")"}])
    return all(_fulfils(mail, word.upper(), left, number, count, mails) for word in left)


def _fulfils(
    mail: StoredMail, word: str, left: Iterator[str], number: int, count: int, mails: list[StoredMail]
) -> bool:
    flags = {"SEEN": "S", "DELETED": "T", "FLAGGED": "F", "ANSWERED": "R", "DRAFT": "D"}
    if word == "ALL":
        return True
    if word in flags:
        return flags[word] in mail.flags
    if word.removeprefix("UN") in flags:
        return flags[word.removeprefix("UN")] not in mail.flags
    if word == "NOT":
        return not _fulfils(mail, next(left).upper(), left, number, count, mails)
    if word == "UID":
        return _in_set(mail.uid, next(left), _next_uid(mails) - 1)
    if word == "HEADER":
        name = next(left)
        return next(left).lower() in _header(mail, name)
    if word in {"SUBJECT", "FROM", "TO", "CC"}:
        return next(left).lower() in _header(mail, word)
    if word in {"TEXT", "BODY"}:
        return next(left).lower() in _text(mail, with_headers=word == "TEXT")
    if re.fullmatch(r"[\d*:,]+", word):
        return _in_set(number, word, count)
    raise _Refused(f"BAD Unknown search key {word}")


def _parsed(mail: StoredMail) -> EmailMessage:
    return message_from_bytes(mail.content(), policy=policy.default)


def _header(mail: StoredMail, name: str) -> str:
    return "\n".join(map(str, _parsed(mail).get_all(name, []))).lower()


def _text(mail: StoredMail, *, with_headers: bool) -> str:
    message = _parsed(mail)
    heads = [f"{name}: {value}" for name, value in message.items()] if with_headers else []
    parts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([*heads, *map(str, parts)]).lower()
