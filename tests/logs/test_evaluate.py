"""Lines in trouble, and Alloy's quirks: what the evaluator does with them is what Alloy does."""

import json
from datetime import UTC, datetime

import pytest

from agencystack.logs import evaluate, pipeline
from agencystack.logs.model import (
    LEVELS,
    MAX_BYTES,
    MAX_LINES,
    Case,
    Choose,
    Format,
    Json,
    Logfmt,
    Multiline,
    OnFailure,
    Put,
    Regex,
    Replace,
    Stage,
    Timestamp,
    When,
    Wrapping,
)
from agencystack.logs.templates import CUT_MARK
from tests.logs.reading import NOW

FIRST = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
LINE = Regex(r"^(?P<time>\d{4}-\S+ \S+) (?P<word>[A-Z]+) (?P<reason>[^\n]*)")
TIME = Timestamp("time", "2006-01-02 15:04:05")
LEVEL = Choose("level", "word", (Case(("ERROR", "FATAL"), "error"), Case(("WARN",), "warning")), otherwise="info")


def log(*more: Stage, multiline: Multiline | None = None, metadata: tuple[str, ...] = ("reason",)) -> Format:
    return Format("any", "log", "", (LINE, TIME, LEVEL, *more), ("word",), metadata, multiline=multiline)


def entries(
    form: Format, *lines: str | bytes, zone: str = "UTC", now: datetime = NOW, wrapping: Wrapping = Wrapping.NONE
) -> list[evaluate.Entry]:
    raw = (line if isinstance(line, bytes) else line.encode() for line in lines)
    stages = pipeline.stages(form, "acme", zone=zone, wrapping=wrapping)
    return list(evaluate.run(stages, map(evaluate.decoded, raw), now=now, source_labels={"filename": "/x", "job": "j"}))


JOINED = log(multiline=Multiline(FIRST))
AT = "2026-11-22 10:00:00"


def test_every_entry_has_the_four_labels_and_no_other() -> None:
    for entry in entries(log(), f"{AT} WARN a", "no form at all"):
        assert set(entry.labels) == {"client", "component", "stream", "level"}
        assert entry.labels["level"] in LEVELS


def test_text_no_rule_knows_is_kept_and_marked() -> None:
    (entry,) = entries(log(), "no form at all")
    assert (entry.line, entry.parsed, entry.metadata) == ("no form at all", False, {"parsed": "false"})


def test_a_label_of_the_source_never_becomes_metadata() -> None:
    (entry,) = entries(log(metadata=("reason", "job")), f"{AT} INFO a")
    assert entry.metadata == {"reason": "a"}


def test_a_line_of_300_kb_arrives_cut_and_with_short_metadata() -> None:
    """Loki refuses lines above 256 KiB and metadata above 64 KiB, and what it refuses is lost."""
    (entry,) = entries(log(), f"{AT} ERROR " + "ü" * 150_000)
    assert entry.line.endswith(CUT_MARK)
    assert len(entry.line.encode()) == MAX_BYTES + len(CUT_MARK)
    assert len(entry.metadata["reason"].encode()) == 1000
    assert (entry.labels["level"], entry.time) == ("error", "2026-11-22T10:00:00.000000000Z")


def test_a_line_of_60_kb_is_whole() -> None:
    (entry,) = entries(log(), f"{AT} ERROR " + "x" * 59_000)
    assert len(entry.line) == len(f"{AT} ERROR ") + 59_000
    assert len(entry.metadata["reason"]) == 59_000


def test_bytes_that_are_no_utf_8_are_replaced_one_by_one() -> None:
    (entry,) = entries(log(), b"2026-11-22 10:00:00 ERROR caf\xe9 \xff\xfe end")
    assert entry.line == f"{AT} ERROR caf\ufffd \ufffd\ufffd end"
    assert entry.labels["level"] == "error"
    assert entry.metadata == {}, "Alloy skips metadata that is no UTF-8"


def test_a_trace_is_one_entry() -> None:
    lines = [f"{AT} ERROR boom", "Traceback:", "", '  File "x"', f"{AT} INFO next"]
    first, second = entries(JOINED, *lines)
    assert first.line == "\n".join(lines[:4])
    assert (first.metadata["reason"], second.metadata["reason"]) == ("boom", "next")


def test_a_trace_that_ends_with_the_file_is_complete() -> None:
    assert [entry.line for entry in entries(JOINED, f"{AT} ERROR boom", "  at a")] == [f"{AT} ERROR boom\n  at a"]


def test_a_trace_without_its_beginning_is_kept_line_by_line() -> None:
    """The collector began in the middle, or the file was rotated there."""
    found = entries(JOINED, "  at a", "  at b", f"{AT} INFO next", "more")
    assert [entry.line for entry in found] == ["  at a", "  at b", f"{AT} INFO next\nmore"]
    assert [entry.parsed for entry in found] == [False, False, True]


def test_an_entry_longer_than_the_most_lines_is_several_and_nothing_is_lost() -> None:
    lines = [f"{AT} ERROR boom", *(f"  frame {number}" for number in range(2 * MAX_LINES)), f"{AT} INFO next"]
    found = entries(JOINED, *lines)
    assert "\n".join(entry.line for entry in found) == "\n".join(lines)
    assert [entry.line.count("\n") + 1 for entry in found] == [MAX_LINES, MAX_LINES, 1, 1]
    assert [entry.parsed for entry in found] == [True, False, False, True]
    assert found[1].time == "2026-11-22T10:00:00.000000001Z", "what follows stays behind what it belongs to"


def test_traces_of_two_processes_in_one_file_mix_but_lose_nothing() -> None:
    """Nobody can tell them apart: lines of the first that come late stand in the second's entry."""
    lines = [f"{AT} ERROR one", "  at a", f"{AT} ERROR two", "  at b", "  at c"]
    found = entries(JOINED, *lines)
    assert [entry.line for entry in found] == ["\n".join(lines[:2]), "\n".join(lines[2:])]


def test_a_line_without_time_gets_the_last_one_and_a_nanosecond() -> None:
    times = [entry.time for entry in entries(log(), "before any", f"{AT} INFO a", "no time", "none", f"{AT} INFO b")]
    ten = "2026-11-22T10:00:00.00000000"
    assert times == [None, f"{ten}0Z", f"{ten}1Z", f"{ten}2Z", f"{ten}0Z"]


def test_skip_leaves_a_line_without_time_as_it_was_read() -> None:
    skipping = Format(
        "any", "log", "", (LINE, Timestamp("time", TIME.layout, on_failure=OnFailure.SKIP), LEVEL), (), ()
    )
    assert [entry.time is None for entry in entries(skipping, f"{AT} INFO a", "no time")] == [False, True]


def test_the_host_s_zone_counts_where_the_line_names_none() -> None:
    (entry,) = entries(log(), f"{AT} INFO a", zone="Europe/Berlin")
    assert entry.time == "2026-11-22T09:00:00.000000000Z"


def test_a_value_that_is_empty_is_no_metadata() -> None:
    assert entries(log(), f"{AT} INFO ")[0].metadata == {}


def test_stages_of_a_branch_run_only_where_it_fits_and_see_labels_as_values() -> None:
    branch = When("boom", (Put("event", "exception"), Regex(r"x=(?P<status>\d+)")))
    form = log(branch, metadata=("event", "status"))
    fits, does_not = entries(form, f"{AT} ERROR boom x=5", f"{AT} ERROR x=5")
    assert (fits.metadata, does_not.metadata) == ({"event": "exception", "status": "5"}, {})


def test_an_expression_that_does_not_match_leaves_what_was_there() -> None:
    form = log(Regex(r"^nothing (?P<reason>x)"))
    assert entries(form, f"{AT} INFO kept")[0].metadata == {"reason": "kept"}


def test_json_numbers_are_written_as_go_writes_them() -> None:
    fields = Json((("status", "a.b"), ("bytes", "n"), ("seconds", "s"), ("user", "absent"), ("path", "list")))
    line = json.dumps({"a": {"b": True}, "n": 12345678901234567890, "s": 1e-7, "list": [1, "x"]})
    (entry,) = entries(log(fields, metadata=("status", "bytes", "seconds", "user", "path")), line)
    assert entry.metadata["status"] == "true"
    assert entry.metadata["bytes"] == "12345678901234567000", "a number of JSON is a float64"
    assert entry.metadata["seconds"] == "0.0000001"
    assert "user" not in entry.metadata
    assert entry.metadata["path"] == '[1,"x"]'


@pytest.mark.parametrize("line", ["[1, 2]", '{"a": ', "text", '{"n": NaN}', '{"n": 1e400}', '{"n": 1} more'])
def test_what_is_no_object_of_json_changes_nothing(line: str) -> None:
    form = log(Put("reason", "kept"), Json((("reason", "n"),)))
    assert entries(form, line)[0].metadata["reason"] == "kept"


def test_logfmt_reads_quotes_and_stops_where_it_ends() -> None:
    fields = Logfmt((("reason", "msg"), ("user", "u"), ("status", "flag"), ("path", "late")))
    form = log(fields, metadata=("reason", "user", "status", "path"))
    (entry,) = entries(form, r'msg="a \"b\" c" u=bob flag other="x')
    assert entry.metadata | {"parsed": ""} == {"reason": 'a "b" c', "user": "bob", "parsed": ""}


def test_replace_takes_every_group_of_every_match_and_of_nested_ones_the_outer() -> None:
    form = log(Replace(r"((a)b)(c)?", "X"))
    assert entries(form, f"{AT} INFO abc ab")[0].line == f"{AT} INFO XX X"


def test_docker_s_file_is_unwrapped_and_its_streams_do_not_mix() -> None:
    def wrapped(text: str, stream: str, second: int) -> str:
        return json.dumps({"log": text + "\n", "stream": stream, "time": f"2026-11-22T10:00:0{second}.5Z"})

    form = Format("any", "log", "", (Regex("^(?P<word>[A-Z]+) "), LEVEL), ("word",), (), multiline=Multiline("^[A-Z]"))
    lines = [wrapped("ERROR a", "stderr", 1), wrapped("WARN b", "stdout", 2), wrapped("  at c", "stderr", 3)]
    found = entries(form, *lines, wrapping=Wrapping.DOCKER)
    assert sorted((entry.line, entry.time, entry.labels["stream"]) for entry in found) == [
        ("ERROR a\n  at c", "2026-11-22T10:00:01.500000000Z", "log"),
        ("WARN b", "2026-11-22T10:00:02.500000000Z", "log"),
    ]


def test_the_time_docker_s_api_writes_into_a_long_line_is_taken_out() -> None:
    part = "x" * 16384
    line = f"{AT} INFO ts=2026-11-22T10:00:00.123456789Z {part}2026-11-22T10:00:00.123456789Z {part}"
    (entry,) = entries(log(), line, wrapping=Wrapping.DOCKER_API)
    assert entry.line == f"{AT} INFO ts=2026-11-22T10:00:00.123456789Z {part}{part}"


def test_the_parts_of_a_container_runtime_s_line_are_one() -> None:
    lines = [
        "2026-11-22T10:00:01.5Z stdout P 2026-11-22 10:00:00 INFO first ",
        "2026-11-22T10:00:02.5Z stderr F 2026-11-22 10:00:01 WARN other",
        "2026-11-22T10:00:03.5Z stdout F half",
    ]
    found = entries(log(), *lines, wrapping=Wrapping.CRI)
    assert sorted(entry.metadata["reason"] for entry in found) == ["first half", "other"]


def test_one_entry_at_a_time_is_held_however_long_the_file_is() -> None:
    read = 0

    def endless() -> object:
        nonlocal read
        while True:
            read += 1
            yield f"{AT} INFO line {read}"

    found = evaluate.run(pipeline.stages(JOINED, "acme"), endless(), now=datetime(2026, 1, 1, tzinfo=UTC))
    for _ in range(1000):
        next(found)
    assert read < 1010
