"""A proxy that writes down which requests it passes on, so that a program's calls count whatever it is written in."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx

# These are about one connection, not about the message (RFC 9110, 7.6.1); the length is told anew.
OF_A_CONNECTION = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "content-length", "host"}
# Whatever proxy the machine has is in nobody's way. Both spellings are read, and which one wins differs.
STRAIGHT_ON: Mapping[str, str] = {"http_proxy": "", "HTTP_PROXY": "", "no_proxy": "*", "NO_PROXY": "*"}


class CountingProxy(ThreadingHTTPServer):
    """A proxy for plain HTTP on loopback, on a free port."""

    daemon_threads = True

    def __init__(self, onward: httpx.Client) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.onward = onward
        self._asked: list[tuple[str, str]] = []

    @property
    def variables(self) -> Mapping[str, str]:
        """What makes a program send its requests through it."""
        url = f"http://127.0.0.1:{self.server_port}"
        return {"http_proxy": url, "HTTP_PROXY": url, "no_proxy": "", "NO_PROXY": ""}

    def calls(self, server: str) -> list[tuple[str, str]]:
        """Return method and path, with the query, of each request to the server at an address, in their order."""
        asked = [(method, urlsplit(address)) for method, address in self._asked]
        netloc = urlsplit(server).netloc
        return [(method, to._replace(scheme="", netloc="").geturl()) for method, to in asked if to.netloc == netloc]

    def note(self, method: str, address: str) -> None:
        """Write a request down."""
        self._asked.append((method, address))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CountingProxy

    def _pass_on(self) -> None:
        address = self.path  # a proxy is asked for whole addresses
        self.server.note(self.command, address)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = {name: value for name, value in self.headers.items() if name.lower() not in OF_A_CONNECTION}
        with self.server.onward.stream(self.command, address, headers=sent, content=body) as answer:
            contents = b"".join(answer.iter_raw())  # as it was packed, as its headers say
        self.send_response(answer.status_code)
        for name, value in answer.headers.multi_items():
            if name.lower() not in OF_A_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(contents)))
        self.end_headers()
        self.wfile.write(contents)

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the caller counts."""


@contextmanager
def counting_proxy() -> Iterator[CountingProxy]:
    """Have a proxy that counts from now on."""
    with httpx.Client(timeout=60, trust_env=False) as onward, CountingProxy(onward) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
