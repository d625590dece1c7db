"""An Alloy for tests without the program: it reads its folder as the real one does, and refuses what it is told to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

_BLOCK = re.compile(r'^([a-z_.]+) "(\w+)" \{', re.MULTILINE)


@dataclass
class AlloyDouble:
    """What it runs.

    Args:
        folder: it is started with.
        refused: text that it does not load, wherever it stands.
        unhealthy: names of components that do not work.
        ready_at: where it says that it is ready.
    """

    folder: Path
    refused: str = "REFUSED"
    unhealthy: set[str] = field(default_factory=set)
    running: str = ""
    hash: str = ""
    reloads: int = 0
    hides_hash: bool = False
    ready_at: str = "/-/ready"

    def reload(self) -> str:
        """Load the folder; return what it has to say, nothing when it is content.

        A fault leaves what ran before, but the hash is that of what was read (measured on Alloy 1.0.0).
        """
        self.reloads += 1
        contents = [path.read_bytes() for path in sorted(self.folder.iterdir()) if path.name.endswith(".alloy")]
        self.hash = hashlib.sha256(b"".join(contents)).hexdigest()
        text = b"\n".join(contents).decode()
        if self.refused in text:
            return f"error during the initial load: {self.folder}/x.alloy:3:1: {self.refused} is no component"
        self.running = text
        return ""

    def components(self) -> list[dict[str, object]]:
        """Return what it runs, as its interface lists it."""
        return [
            {
                "name": kind,
                "localID": f"{kind}.{label}",
                "moduleID": "",
                "label": label,
                "health": {
                    "state": "unhealthy" if f"{kind}.{label}" in self.unhealthy else "healthy",
                    "message": "it broke" if f"{kind}.{label}" in self.unhealthy else "started component",
                },
            }
            for kind, label in _BLOCK.findall(self.running)
        ]

    def metrics(self) -> str:
        """Return what it tells of itself."""
        shown = "" if self.hides_hash else f'alloy_config_hash{{cluster_name="",sha256="{self.hash}"}} 1\n'
        return f'alloy_build_info{{branch="",goarch="amd64",version="v1.10.0"}} 1\n{shown}'


@contextmanager
def serving(double: AlloyDouble) -> Iterator[str]:
    """Serve it on loopback, loaded, and yield its address."""
    double.reload()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, double.metrics())
            elif self.path == "/api/v0/web/components":
                self._answer(200, json.dumps(double.components()), "application/json")
            elif self.path == double.ready_at:
                self._answer(200, "Alloy is ready.\n")
            else:
                self._answer(404, "404 page not found\n")

        def do_POST(self) -> None:
            said = double.reload()
            self._answer(400 if said else 200, f"{said or 'config reloaded'}\n")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
