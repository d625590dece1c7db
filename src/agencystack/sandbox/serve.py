"""The sandbox's background process: all stand-ins and our own mail servers, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from agencystack.sandbox.http_host import HttpHost
from agencystack.sandbox.plan import SandboxFolder, read_plan
from agencystack.sandbox.ports import ensure_ports
from agencystack.sandbox.stand_ins import StandIns
from agencystack.stack.secrets import redact

log = logging.getLogger("agencystack.sandbox")
PRIVATE_UMASK = 0o077


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


async def serve(folder: SandboxFolder) -> None:
    """Run every stand-in of the sandbox in ``folder`` until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: there is no sandbox in the folder.
        OSError: a port is taken.
    """
    plan = read_plan(folder)
    if plan is None:
        raise SystemExit(f"{folder.root} holds no sandbox")
    ports = ensure_ports(folder.ports_file, plan.port_names())
    stand_ins = StandIns(folder, plan, ports)
    mailu = stand_ins.mailu()
    mail = stand_ins.mail(mailu)
    host = HttpHost({ports[name]: app for name, app in stand_ins.http(mailu).items()})
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    await mail.start()
    try:
        log.info("serving")
        await host.serve()
    finally:
        await mail.stop()
    log.info("ended")


def main(argv: Sequence[str]) -> None:
    """Serve the sandbox in the folder ``argv`` names."""
    os.umask(PRIVATE_UMASK)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    asyncio.run(serve(SandboxFolder(Path(argv[0]))))


if __name__ == "__main__":
    main(sys.argv[1:])
