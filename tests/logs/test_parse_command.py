"""`agencystack logs parse`: entries as JSON lines, a stream guessed or asked for, errors that say what to type."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agencystack.logs import catalogue, evaluate, guess, pipeline
from tests.logs.golden import Sample, samples

AGENCYSTACK = str(Path(sys.executable).with_name("agencystack"))
LINE = '127.0.0.1 - - [22/Nov/2026:18:29:44 +0000] "GET /a?b=c HTTP/1.1" 404 5 "-" "t"\n'


def parse(*words: str, stdin: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([AGENCYSTACK, "logs", "parse", *words], input=stdin, capture_output=True, check=False)
    text = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert done.returncode == code, text.stderr
    return text


def test_each_entry_is_one_object_on_a_line(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text(LINE * 3)
    lines = parse("wordpress", str(file), "--client", "acme").stdout.splitlines()
    assert len(lines) == 3
    assert json.loads(lines[0]) == {
        "time": "2026-11-22T18:29:44.000000000Z",
        "labels": {"client": "acme", "component": "wordpress", "stream": "access", "level": "warning"},
        "metadata": {
            "address": "127.0.0.1",
            "agent": "t",
            "bytes": "5",
            "method": "GET",
            "path": "/a",
            "status": "404",
        },
        "line": LINE.strip().replace("b=c", "b=***"),
        "parsed": True,
    }


def test_standard_input_is_read_where_the_file_is_a_dash() -> None:
    assert json.loads(parse("wordpress", "-", stdin=LINE.encode()).stdout)["parsed"] is True


def test_a_stream_that_is_said_is_not_guessed() -> None:
    entry = json.loads(parse("wordpress", "-", "--stream", "access", stdin=b"no such line \xff\n").stdout)
    assert (entry["line"], entry["parsed"], entry["time"]) == ("no such line \ufffd", False, None)


def test_an_empty_file_of_a_known_stream_has_no_entries() -> None:
    assert parse("wordpress", "-", "--stream", "access").stdout == ""


def test_the_zone_is_that_of_lines_that_name_none() -> None:
    line = b"2026-11-22 18:26:13 #1(main) <x>; cfg; rspamd_init: loaded\n"
    entry = json.loads(parse("mailu", "-", "--stream", "antispam", "--zone", "Europe/Berlin", stdin=line).stdout)
    assert entry["time"] == "2026-11-22T17:26:13.000000000Z"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nope", "-"), "wordpress"),
        (("wordpress", "-", "--stream", "nope"), "access"),
        (("mailu", "-"), "--stream admin | antispam"),
        (("wordpress", "/nowhere.log"), "cannot be read"),
        (("wordpress", "-", "--zone", "Europe/Nowhere"), "Europe/Berlin"),
    ],
)
def test_a_mistake_is_an_error_that_says_what_to_type(words: tuple[str, ...], says: str) -> None:
    done = parse(*words, stdin=b"what is this\n", code=2)
    assert says in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_with_json_an_error_is_an_object() -> None:
    error = json.loads(parse("nope", "-", "--json", code=2).stdout)["error"]
    assert error["code"] == "usage"
    assert "wordpress" in error["remedy"]


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text(LINE * 20_000)
    with subprocess.Popen(
        [AGENCYSTACK, "logs", "parse", "wordpress", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 0


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """What two sizes of the same file need at most, asked of the kernel by the process itself."""

    def peak(lines: int) -> int:
        file = tmp_path / f"access-{lines}.log"
        file.write_text(LINE * lines)
        program = (
            "import resource, sys; sys.stdout = open('/dev/null', 'w');"
            "from agencystack.cli import logs; from contextlib import suppress\n"
            "import typer\n"
            f"with suppress(typer.Exit): logs.parse('wordpress', {str(file)!r}, 'access', 'acme', 'UTC', False)\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=os.environ.copy())
        return int(done.stderr.split()[-1])

    small, large = peak(100), peak(30_000)
    assert large < small + 6_000, "the file of 30 000 lines alone is 2.5 MB, its entries some 30"


@pytest.mark.parametrize("sample", list(samples()), ids=lambda sample: sample.name)
def test_the_lines_of_a_sample_show_which_stream_it_is_or_that_it_must_be_said(sample: Sample) -> None:
    lines = sample.lines.read_bytes().decode("utf-8", "replace").splitlines()
    found = guess.stream(sample.component, "unnamed", lines)
    if found is None:
        assert len(catalogue.streams(sample.component)) > 1
    else:
        stages = pipeline.stages(catalogue.find(sample.component, found), "acme")
        assert all(entry.parsed for entry in evaluate.run(stages, lines))
