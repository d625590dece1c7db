"""The lint: our formats pass it, and each thing it refuses is refused."""

from dataclasses import replace

import pytest

from agencystack.logs import catalogue, lint
from agencystack.logs.model import (
    Case,
    Choose,
    Drop,
    Format,
    Json,
    Labels,
    Metadata,
    Multiline,
    Put,
    Regex,
    Replace,
    Stage,
    StaticLabels,
    Timestamp,
    When,
)

LEVEL = Choose("level", source="word", cases=(Case(("WARN",), "warning"),), otherwise="info")
LINE = Regex(r"^(?P<time>\S+) (?P<word>[A-Z]+) (?P<reason>.*)")
SOUND = Format(
    "any", "log", "text", stages=(LINE, Timestamp("time", "RFC3339"), LEVEL), known_by=("word",), metadata=("reason",)
)


@pytest.mark.parametrize("log", catalogue.all_formats().values(), ids=lambda log: f"{log.component}/{log.stream}")
def test_every_format_we_ship_passes(log: Format) -> None:
    assert lint.problems(log) == []


def test_a_sound_format_has_no_problem() -> None:
    assert lint.problems(SOUND) == []


def with_stages(*stages: Stage) -> Format:
    return replace(SOUND, stages=(*SOUND.stages, *stages))


BAD: dict[str, tuple[Format, str]] = {
    "a label from text": (with_stages(Labels(("reason",))), "Labels is no stage of a format"),
    "a label of our own choice": (with_stages(StaticLabels((("host", "a"),))), "StaticLabels is no stage"),
    "a label in a branch": (with_stages(When("x", (Labels(("reason",)),))), "Labels is no stage of a format"),
    "metadata in the middle": (with_stages(Metadata(("reason",))), "Metadata is no stage of a format"),
    "level from text": (with_stages(Regex(r"^(?P<level>\w+)")), "captures 'level' from text"),
    "level from JSON": (with_stages(Json((("level", "level"),))), "captures 'level' from text"),
    "event from text": (with_stages(Regex(r"^(?P<event>\w+)")), "captures 'event' from text"),
    "client from text": (with_stages(Regex(r"^(?P<client>\w+)")), "captures 'client' from text"),
    "a level nobody knows": (with_stages(Put("level", "warn")), "level 'warn' is none of debug"),
    "an event nobody knows": (with_stages(Put("event", "boom")), "event 'boom' is none of"),
    "a level only sometimes": (replace(SOUND, stages=(LINE, When("x", (Put("level", "info"),)))), "must always set"),
    "a level that can be missing": (replace(SOUND, stages=(LINE, replace(LEVEL, otherwise=None))), "must always set"),
    "no level": (replace(SOUND, stages=(LINE,)), "must always set one"),
    "an expression for Perl": (with_stages(Regex(r"^(?=x)(?P<reason>.)")), "RE2 does not take"),
    "a backreference": (with_stages(Regex(r"^(?P<reason>.)\1")), "RE2 does not take"),
    "too many repetitions": (with_stages(Regex(r"^(?P<reason>.{2000})")), "RE2 does not take"),
    "too many alternatives": (with_stages(Regex("^(?P<reason>" + "|".join(map(str, range(50))) + ")")), "50 alternat"),
    "joining at a mention": (replace(SOUND, multiline=Multiline(r"\d+")), "only mentions it would begin an entry"),
    "a group Replace extracts": (with_stages(Replace(r"a(?P<reason>b)", "c")), "would extract its named groups"),
    "a template": (with_stages(Put("reason", "{{ .Entry }}")), "is a template"),
    "text thrown away": (with_stages(Drop(r"^debug")), "drops text: ^debug"),
    "metadata nobody sets": (replace(SOUND, metadata=("reason", "user")), "no stage sets 'user'"),
    "metadata nobody knows": (replace(SOUND, metadata=("word",)), "'word' is no name of metadata"),
    "known by nothing": (replace(SOUND, known_by=()), "known_by is empty"),
    "known by what nobody sets": (replace(SOUND, known_by=("wrod",)), "no stage sets 'wrod'"),
    "a choice of nothing": (with_stages(Choose("event", "wrod", ())), "Choose reads 'wrod'"),
    "a time in a branch": (with_stages(When("x", (Timestamp("time", "RFC3339"),))), "Timestamp stands in When"),
    "a time behind a branch": (
        replace(SOUND, stages=(LINE, LEVEL, When("x", (Put("level", "info"),)), Timestamp("time", "RFC3339"))),
        "Timestamp stands behind When",
    ),
    "a layout of another language": (with_stages(Timestamp("time", "%Y-%m-%d")), "lacks a month, a day or an hour"),
    "a mask of nothing": (replace(SOUND, masks=(Replace("a(?:b)", "c"),), masked="a"), "a mask without a group"),
    "masks without words": (replace(SOUND, masks=(Replace("a(b)", "c"),)), "say in `masked`"),
    "too many stages": (with_stages(*[Put("reason", "x")] * 30), "has 33 stages"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused(case: str) -> None:
    log, problem = BAD[case]
    assert any(problem in found for found in lint.problems(log)), lint.problems(log)


def test_alternatives_are_counted_where_they_are() -> None:
    assert lint.alternatives(r"a|b\|c|[x|y]|(?:d|e)") == 5
