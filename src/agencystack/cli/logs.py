"""`agencystack logs parse`: what the log rules make of a file, to try them on logs of one's own."""

from __future__ import annotations

import json as json_lines
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, BinaryIO
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel, ConfigDict

from agencystack.cli.run import guarded
from agencystack.cli.terminal import Terminal
from agencystack.logs import catalogue, evaluate, guess, pipeline
from agencystack.stack.errors import ExitCode, UsageError

app = typer.Typer(help="The rules that read the products' logs.", no_args_is_help=True)


class EntryOutput(BaseModel):
    """One entry, as `agencystack logs parse` prints it: one of these a line."""

    model_config = ConfigDict(extra="forbid")

    time: str | None
    labels: dict[str, str]
    metadata: dict[str, str]
    line: str
    parsed: bool


@app.callback()
def logs() -> None:
    """The rules that read the products' logs."""


@app.command()
def parse(
    component: Annotated[str, typer.Argument(help="wordpress, erpnext, mailu, keycloak, ...")],
    file: Annotated[str, typer.Argument(help="A log file; - is standard input.")],
    stream: Annotated[str | None, typer.Option("--stream", help="Which of its logs; guessed when not given.")] = None,
    client: Annotated[str, typer.Option("--client", help="What the label `client` says.")] = "default",
    zone: Annotated[str, typer.Option("--zone", help="IANA time zone of lines that name none.")] = "UTC",
    json: Annotated[bool, typer.Option("--json", help="Print errors as JSON, too; entries always are.")] = False,
) -> None:
    """Print what the rules make of a file: one JSON object an entry, as it would arrive in Loki."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        _check(component, stream, zone)
        with _opened(file) as source:
            lines = map(evaluate.decoded, source)
            head = list(islice(lines, guess.LINES))
            log = catalogue.find(component, stream or _guessed(component, file, head))
            entries = evaluate.run(pipeline.stages(log, client, zone=zone), chain(head, lines))
            with _reader_may_leave():
                _print(entries)
        return ExitCode.DONE

    guarded(terminal, action)


def _check(component: str, stream: str | None, zone: str) -> None:
    if component not in catalogue.components():
        known = ", ".join(catalogue.components())
        raise UsageError(f"there are no log rules for {component}", remedy=f"one of: {known}")
    if stream is not None and stream not in catalogue.streams(component):
        raise UsageError(f"{component} has no log named {stream}", remedy=f"--stream {_choices(component)}")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(f"there is no time zone {zone!r}", remedy="write one like Europe/Berlin, or UTC") from error


def _choices(component: str) -> str:
    return " | ".join(catalogue.streams(component))


def _guessed(component: str, file: str, head: list[str]) -> str:
    found = guess.stream(component, Path(file).name, head)
    if found is None:
        raise UsageError(
            f"neither its name nor its lines show which log of {component} {file} is",
            remedy=f"say --stream {_choices(component)}",
        )
    return found


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below, where reading it may fail in other ways
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", remedy="name a file, or - for input") from error
    with source:
        yield source


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End quietly where what reads us has seen enough (`| head`)."""
    with suppress(BrokenPipeError):
        yield
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(entries: Iterator[evaluate.Entry]) -> None:
    for entry in entries:
        sys.stdout.write(json_lines.dumps(EntryOutput.model_validate(entry.as_json()).model_dump()) + "\n")
