"""What a web server before a stand-in would write of each request: the combined format of nginx, in a file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from agencystack.sandbox.faults import AsgiApp, Message, Receive, Scope, Send

# nginx writes what is no printable ASCII, and what would end the text, as \xHH.
PLAIN = frozenset(range(0x20, 0x7F)) - {ord('"'), ord("\\")}


@dataclass
class _Answer:
    status: int = 0
    size: int = 0
    began: float = field(default_factory=time.time)


class AccessLog:
    """An application that writes down what it was asked and what it answered.

    Args:
        app: the application.
        path: the file; written to by nobody else, and opened for each line, so that it may be rotated.
    """

    def __init__(self, app: AsgiApp, path: Path) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and write the line before the end of it: who has the answer finds the line."""
        answer = _Answer()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
            elif message["type"] == "http.response.body":
                answer.size += len(message.get("body", b""))
                if not message.get("more_body"):
                    self._write(scope, answer)
            await send(message)

        await self._app(scope, receive, watched)

    def _write(self, scope: Scope, answer: _Answer) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="ascii") as log:
            log.write(_line(scope, answer) + "\n")


def _line(scope: Scope, answer: _Answer) -> str:
    headers = dict(scope["headers"])
    query = scope["query_string"]
    target = (scope.get("raw_path") or scope["path"].encode()) + (b"?" + query if query else b"")
    when = datetime.fromtimestamp(answer.began).astimezone().strftime("%d/%b/%Y:%H:%M:%S %z")
    address = (scope.get("client") or ("-",))[0]
    request = f"{scope['method']} {_escaped(target)} HTTP/{scope['http_version']}"
    referer, agent = (_escaped(headers.get(name, b"-")) for name in (b"referer", b"user-agent"))
    return f'{address} - - [{when}] "{request}" {answer.status} {answer.size} "{referer}" "{agent}"'


def _escaped(text: bytes) -> str:
    return "".join(chr(byte) if byte in PLAIN else f"\\x{byte:02X}" for byte in text)
