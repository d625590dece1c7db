"""The text of a fragment for Alloy: where lines are read, and the rules they pass on their way to Loki."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agencystack.components.alloy import Alloy
from agencystack.integrations.monitoring.sources import Kind, Source
from agencystack.logs import alloy as rules
from agencystack.logs.alloy import string as quoted
from agencystack.stack.errors import ComponentRef

PREFIX = "agencystack"
DOCKER = "unix:///var/run/docker.sock"

_BLOCK = re.compile(r'^([a-z_]+(?:\.[a-z_]+)+) "([A-Za-z0-9_]+)" \{', re.MULTILINE)


@dataclass(frozen=True)
class Stream:
    """The places that lines of one form come from: they pass the same rules.

    Args:
        name: of all of Alloy's components for it; an identifier of Alloy's syntax, unique in its configuration.
        stream: which of the product's logs.
        sources: the places; of the same zone and wrapping.
    """

    name: str
    stream: str
    sources: tuple[Source, ...]


def streams(ref: ComponentRef, sources: Iterable[Source]) -> tuple[Stream, ...]:
    """Return the sources of a component by what is done with their lines, each with its name in Alloy."""
    groups: dict[tuple[str, str | None, str], list[Source]] = {}
    for source in dict.fromkeys(sources):
        groups.setdefault((source.stream, source.zone, source.wrapping), []).append(source)
    counted: dict[str, int] = {}
    found = []
    for (stream, _, _), group in groups.items():
        counted[stream] = counted.get(stream, 0) + 1
        again = (str(counted[stream]),) if counted[stream] > 1 else ()
        found.append(Stream(identifier(ref.client, ref.name, stream, *again), stream, tuple(group)))
    return tuple(found)


def named(stream: Stream) -> Iterator[tuple[str, Source]]:
    """Yield each source of a stream with the name of what reads it."""
    for number, source in enumerate(stream.sources, 1):
        yield stream.name if number == 1 else f"{stream.name}__from{number}", source


def identifier(*words: str) -> str:
    """Return an identifier of Alloy's syntax for names of ``stack.yaml``; different names have different ones.

    Such names are lower-case letters, digits and dashes, so the capital X is free to stand for a second dash.
    """
    return "__".join([PREFIX, *(word.replace("--", "_X").replace("-", "_") for word in words)])


def component_names(text: str) -> tuple[str, ...]:
    """Return the names of the components that a fragment of ours makes, as Alloy lists them."""
    return tuple(f"{kind}.{label}" for kind, label in _BLOCK.findall(text))


def collection(ref: ComponentRef, sources: Iterable[Source], receiver: str) -> Iterator[str]:
    """Yield the blocks that collect a component's logs.

    Args:
        ref: whose logs; its client becomes the label of that name.
        sources: where they come from.
        receiver: what takes them in the end: ``loki.write.agencystack.receiver``.
    """
    for stream in streams(ref, sources):
        for name, source in named(stream):
            yield from _READERS[source.kind](name, source, f"loki.process.{stream.name}.receiver")
        first = stream.sources[0]
        yield rules.process(
            stream.name,
            ref.name,
            stream.stream,
            ref.client,
            forward_to=receiver,
            zone=first.zone,
            wrapping=first.wrapping,
        )


def seen(alloy: Alloy, found: Iterable[Stream]) -> Iterator[str]:
    """Yield which files Alloy sees of what it shall collect, for whoever wonders where the lines are."""
    for stream in found:
        for name, source in named(stream):
            if source.kind is Kind.FILE:
                files = alloy.matched(name)
                yield f"Alloy sees {len(files or ())} files {source.name}" if files else f"Alloy sees no {source.name}"


def matched(alloy: Alloy, found: Iterable[Stream]) -> Iterator[str]:
    """Yield the files Alloy sees of what it shall collect."""
    for stream in found:
        for name, source in named(stream):
            if source.kind is Kind.FILE:
                yield from alloy.matched(name) or ()


def pattern(path: str) -> str:
    """Return a path as a pattern in which ``*`` alone is special: brackets in a folder's name are its name."""
    return re.sub(r"[\\?\[\]{}]", r"\\\g<0>", path)


def _files(name: str, source: Source, receiver: str) -> Iterator[str]:
    yield f"""local.file_match {quoted(name)} {{
\tpath_targets = [{{"__path__" = {quoted(pattern(source.name))}}}]
}}
"""
    yield f"""loki.source.file {quoted(name)} {{
\ttargets    = local.file_match.{name}.targets
\tforward_to = [{receiver}]
}}
"""


def _journal(name: str, source: Source, receiver: str) -> Iterator[str]:
    yield f"""loki.source.journal {quoted(name)} {{
\tmatches    = {quoted(f"SYSLOG_IDENTIFIER={source.name}")}
\tforward_to = [{receiver}]
}}
"""


def _container(name: str, source: Source, receiver: str) -> Iterator[str]:
    # Docker takes the name of a filter for a regular expression.
    exact = f"^/?{re.escape(source.name)}$"
    yield f"""discovery.docker {quoted(name)} {{
\thost = {quoted(DOCKER)}

\tfilter {{
\t\tname   = "name"
\t\tvalues = [{quoted(exact)}]
\t}}
}}
"""
    yield f"""loki.source.docker {quoted(name)} {{
\thost       = {quoted(DOCKER)}
\ttargets    = discovery.docker.{name}.targets
\tforward_to = [{receiver}]
}}
"""


_READERS = {Kind.FILE: _files, Kind.JOURNAL: _journal, Kind.DOCKER: _container}
