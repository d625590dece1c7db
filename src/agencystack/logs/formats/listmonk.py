"""Listmonk: `date time file.go:line: text`, without a level; Go's panics in between.

Recorded from 6.2.0. It logs neither requests nor logins: refused logins are seen in the proxy before it, or in
Keycloak.
"""

from __future__ import annotations

from agencystack.logs.formats import wording
from agencystack.logs.masking import MASK
from agencystack.logs.model import Format, Multiline, Regex, Replace, Timestamp

_LINE = Regex(
    r"^(?:(?P<time>\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}\.\d{6}) (?P<file>[\w./-]+\.go):(?P<line>\d+): (?P<word>error)?"
    r"|(?P<start>⇨) |echo: http: (?P<exception>panic) serving (?P<address>[\d.]+|\[[^\]]+\]):|(?P<crash>panic): )"
)

LISTMONK = Format(
    component="listmonk",
    stream="server",
    about="Listmonk: starts, campaigns, what could not be sent, panics",
    multiline=Multiline(r"^(?:\d{4}/\d{2}/\d{2} |⇨ |echo: http: |panic: )"),
    stages=(
        _LINE,
        Timestamp("time", "2006/01/02 15:04:05.000000"),
        Regex(r"^(?:echo: http: )?(?P<word>panic)"),
        wording.LEVEL,
        wording.EXCEPTION_EVENT,
    ),
    known_by=("line", "start", "word"),
    metadata=("event", "file", "line", "address", "exception"),
    masks=(Replace(r"error sending message '(.*)': ", MASK),),
    masked="subjects of mails that could not be sent",
)

FORMATS = (LISTMONK,)
