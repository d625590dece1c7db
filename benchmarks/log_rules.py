"""What the log rules cost: lines a second through a real Alloy on one processor, each format beside the median.

`python -m benchmarks.log_rules` measures all formats that have samples; `python -m benchmarks.log_rules wordpress/php`
shows, too, which stages of one cost how much, by the evaluator: good for comparing stages, not for what Alloy needs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import httpx
from tests.logs.golden import samples

from agencystack.logs import alloy, evaluate, flow, pipeline
from agencystack.logs.model import Format
from agencystack.logs.passing import Passing
from agencystack.sandbox.go_programs import ALLOY
from agencystack.sandbox.ports import LOOPBACK, ensure_ports
from benchmarks.measured import CannotMeasure, Measured

LINES = 10_000
LABEL = "measured"
PATIENCE = 300.0
MOST = 2.0
"""No format may cost more than this times the median of all."""


@dataclass(frozen=True)
class Cost:
    """What a format needed in Alloy: seconds of processor for so many lines of so many bytes."""

    log: Format
    seconds: float
    lines: int
    bytes: int

    @property
    def a_line(self) -> float:
        """Microseconds a line."""
        return self.seconds / self.lines * 1e6


def measure(wanted: Sequence[str] = ()) -> Iterator[Measured]:
    """Yield the cost of each format (`component/stream`; none means all) as a share of the median.

    Raises CannotMeasure where there is no Alloy.
    """
    program = _program()
    recorded = {name: lines for name, lines in recordings().items() if not wanted or name in wanted}
    idle = _processor(program, "", b"")
    costs = [_cost(program, log, lines, idle) for log, lines in recorded.values()]
    middle = median(cost.a_line for cost in costs)
    for cost in sorted(costs, key=lambda each: each.a_line):
        yield Measured(
            f"log rules of {cost.log.component}/{cost.log.stream}: cost of a line in Alloy, beside the median format",
            cost.a_line / middle,
            at_most=MOST,
            detail=f"{1e6 / cost.a_line:,.0f} lines a second of one processor, {cost.a_line:.0f} µs a line of "
            f"{cost.bytes / cost.lines:.0f} bytes",
        )


def recordings() -> dict[str, tuple[Format, list[bytes]]]:
    """Return the recorded lines of each format, from all its samples."""
    found: dict[str, tuple[Format, list[bytes]]] = {}
    for sample in samples():
        _, lines = found.setdefault(f"{sample.component}/{sample.stream}", (sample.format, []))
        lines += [line + b"\n" for line in sample.lines.read_bytes().removesuffix(b"\n").split(b"\n")]
    return found


def by_stage(log: Format, lines: Sequence[bytes], repeat: int = 20) -> list[tuple[str, float]]:
    """Return what each stage costs in the evaluator: its text, and microseconds an entry that reaches it."""
    now, found = datetime.now(UTC), []
    texts = [evaluate.decoded(line) for line in lines] * repeat
    entries = [Passing(text) for text in texts]
    for stage in pipeline.stages(log, "any"):
        began = time.process_time()
        entries = list(flow.through(iter(entries), flow.steps((stage,)), now))
        found.append((str(stage)[:140], (time.process_time() - began) / max(len(entries), 1) * 1e6))
    return found


def _program() -> Path:
    named = os.environ.get("AGENCYSTACK_TEST_ALLOY")
    if not named and (reason := ALLOY.obstacle()):
        raise CannotMeasure(reason)
    return Path(named) if named else ALLOY.path()


def _cost(program: Path, log: Format, lines: Sequence[bytes], idle: float) -> Cost:
    text = b"".join(islice(cycle(lines), LINES))
    process = alloy.process(LABEL, log.component, log.stream, "any", forward_to="")
    return Cost(log, _processor(program, process, text) - idle, LINES, len(text))


def _processor(program: Path, process: str, text: bytes) -> float:
    """Return the seconds of processor Alloy needed to start, and to bring a file of `text` through the rules."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "measured.log").write_bytes(text)
        source = (
            f'loki.source.file "{LABEL}" {{\n\ttargets    = [{{__path__ = "{folder / "measured.log"}"}}]\n'
            f"\tforward_to = [loki.process.{LABEL}.receiver]\n}}\n\n"
        )
        config = folder / "measured.alloy"
        config.write_text('logging {\n\tlevel = "error"\n}\n\n' + (source + process if process else ""))
        with _running(program, config, folder) as url:
            end = time.monotonic() + PATIENCE
            while process and _metric(url, "loki_source_file_read_lines_total") < LINES:
                if time.monotonic() > end:
                    raise CannotMeasure(f"Alloy did not read {LINES} lines within {PATIENCE:g} s")
                time.sleep(0.1)
            return _metric(url, "process_cpu_seconds_total")


@contextmanager
def _running(program: Path, config: Path, folder: Path) -> Iterator[str]:
    port = ensure_ports(folder / "ports.json", ["alloy"])["alloy"]
    url = f"http://{LOOPBACK}:{port}"
    listen = f"--server.http.listen-addr={LOOPBACK}:{port}"
    command = [str(program), "run", listen, f"--storage.path={folder / 'data'}", "--disable-reporting", str(config)]
    environment = os.environ | {"GOMAXPROCS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            _until_ready(url, running)
            yield url
        finally:
            running.kill()


def _until_ready(url: str, running: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if running.poll() is not None:
            raise CannotMeasure(f"Alloy ended with {running.returncode}")
        try:
            if httpx.get(f"{url}/-/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise CannotMeasure("Alloy did not become ready")


def _metric(url: str, name: str) -> float:
    found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", httpx.get(f"{url}/metrics").text, re.MULTILINE)
    return sum(map(float, found))


def main(argv: Sequence[str]) -> None:
    """Print the costs of the formats that are named, or of all."""
    for name in argv:
        log, lines = recordings()[name]
        for stage, cost in by_stage(log, lines):
            print(f"{cost:8.2f} µs  {stage}")
    for one in measure(argv):
        print(f"{one.value:6.2f}  {one.what}: {one.detail}")


if __name__ == "__main__":
    main(sys.argv[1:])
