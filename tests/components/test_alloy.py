"""Alloy's folder and interface: a change counts, or what was there before does; nothing in between stays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencystack.components.alloy import Alloy, Folder, change_file
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.local import LocalExecutor
from agencystack.stack.users import UserRule
from tests.alloy import AlloyDouble, serving
from tests.serving import free_port

WHERE = ComponentRef("shared", "alloy")
NAME = "agencystack-acme-wordpress.alloy"
BASE = 'logging {\n\tlevel = "info"\n}\n'
GOOD = 'loki.echo "one" { }\n'
BETTER = 'loki.echo "two" { }\n'
BAD = 'loki.echo "REFUSED" { }\n'


def names(text: str) -> tuple[str, ...]:
    return tuple(f"loki.echo.{word}" for word in ("one", "two", "REFUSED") if f'"{word}"' in text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "etc alloy"
    path.mkdir()
    (path / "base.alloy").write_text(BASE)
    return path


@pytest.fixture
def double(folder: Path) -> AlloyDouble:
    return AlloyDouble(folder)


@pytest.fixture
def url(double: AlloyDouble) -> Iterator[str]:
    with serving(double) as address:
        yield address


@pytest.fixture
def alloy(url: str, folder: Path) -> Iterator[Alloy]:
    client = client_of(url, folder)
    yield client
    client.close()


def client_of(url: str, folder: Path, path: str | None = None) -> Alloy:
    machine = LocalExecutor(component=WHERE)
    return Alloy(WHERE, url, machine, Folder(WHERE, machine, path or str(folder)))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_change_is_loaded_and_leaves_nothing_but_the_file(alloy: Alloy, folder: Path, double: AlloyDouble) -> None:
    change_file(alloy, NAME, GOOD, names)
    assert contents(folder) == {"base.alloy": BASE, NAME: GOOD}
    assert GOOD in double.running
    assert ((folder / NAME).stat().st_mode & 0o777) == 0o644, "Alloy may run as a user of its own"
    change_file(alloy, NAME, None, names)
    assert contents(folder) == {"base.alloy": BASE}
    assert GOOD not in double.running


def test_what_alloy_refuses_is_put_back_and_its_words_are_told(alloy: Alloy, folder: Path, double: AlloyDouble) -> None:
    change_file(alloy, NAME, GOOD, names)
    with pytest.raises(Refused, match=r"x\.alloy:3:1: REFUSED is no component") as caught:
        change_file(alloy, NAME, BAD, names)
    assert "as it was before, and Alloy runs with that" in caught.value.remedy
    assert contents(folder) == {"base.alloy": BASE, NAME: GOOD}
    assert (double.hash, GOOD in double.running) == (alloy.folder.hash(), True)


def test_a_new_file_that_alloy_refuses_is_gone_again(alloy: Alloy, folder: Path) -> None:
    with pytest.raises(Refused, match="REFUSED"):
        change_file(alloy, NAME, BAD, names)
    assert contents(folder) == {"base.alloy": BASE}


def test_a_component_that_does_not_work_counts_as_refused(alloy: Alloy, folder: Path, double: AlloyDouble) -> None:
    double.unhealthy.add("loki.echo.two")
    change_file(alloy, NAME, GOOD, names)
    with pytest.raises(Refused, match=r"loki\.echo\.two is unhealthy: it broke"):
        change_file(alloy, NAME, BETTER, names)
    assert contents(folder)[NAME] == GOOD


def test_a_removal_that_alloy_refuses_leaves_the_file(alloy: Alloy, folder: Path, double: AlloyDouble) -> None:
    change_file(alloy, NAME, GOOD, names)
    (folder / "theirs.alloy").write_text("// needs REFUSED\n")
    alloy.forget()
    with pytest.raises(Refused) as caught:
        change_file(alloy, NAME, None, names)
    assert contents(folder)[NAME] == GOOD
    assert "has something to say of that, too" in caught.value.remedy, "it is not ours that is at fault"


def test_an_alloy_started_with_something_else_is_found_out_and_nothing_stays(
    alloy: Alloy, url: str, folder: Path, double: AlloyDouble, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = client_of(url, other)
    with pytest.raises(ConfigurationError, match="reads another configuration than") as caught:
        change_file(elsewhere, NAME, GOOD, names)
    assert f"alloy run {other}" in caught.value.remedy
    assert contents(other) == {}


def test_an_alloy_that_shows_no_hash_is_believed(alloy: Alloy, double: AlloyDouble) -> None:
    double.hides_hash = True
    change_file(alloy, NAME, GOOD, names)
    assert alloy.runs_folder()


def test_killed_between_write_and_reload_the_next_change_finishes(
    alloy: Alloy, url: str, folder: Path, double: AlloyDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_file(alloy, NAME, GOOD, names)
    killed_before_reload(alloy, BETTER, monkeypatch)
    following = client_of(url, folder)
    assert following.folder.kept(NAME) == GOOD, "whoever comes next can see it"
    change_file(following, NAME, BETTER, names)
    assert contents(folder) == {"base.alloy": BASE, NAME: BETTER}
    assert BETTER in double.running


def test_killed_between_write_and_reload_what_is_refused_then_is_put_back(
    alloy: Alloy, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_file(alloy, NAME, GOOD, names)
    killed_before_reload(alloy, BAD, monkeypatch)
    with pytest.raises(Refused, match="REFUSED"):
        change_file(client_of(url, folder), NAME, BAD, names)
    assert contents(folder) == {"base.alloy": BASE, NAME: GOOD}


def test_an_alloy_that_died_of_what_we_wrote_gets_its_file_back(
    alloy: Alloy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_file(alloy, NAME, GOOD, names)
    killed_before_reload(alloy, BAD, monkeypatch)
    with pytest.raises(Unavailable, match=r"has never accepted .* it was taken back"):
        change_file(client_of(f"http://127.0.0.1:{free_port()}", folder), NAME, BAD, names)
    assert contents(folder) == {"base.alloy": BASE, NAME: GOOD}


def killed_before_reload(alloy: Alloy, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:

        def die() -> None:
            raise KeyboardInterrupt

        patched.setattr(alloy, "reload", die)
        with pytest.raises(KeyboardInterrupt):
            change_file(alloy, NAME, text, names)


def test_an_alloy_that_cannot_be_reached_leaves_the_change_to_the_next_run(folder: Path) -> None:
    alloy = client_of(f"http://127.0.0.1:{free_port()}", folder)
    with pytest.raises(Unavailable, match="cannot be reached"):
        change_file(alloy, NAME, GOOD, names)
    assert alloy.folder.kept(NAME) == ""
    assert not alloy.answers()


def test_a_folder_that_is_not_there_or_no_folder_or_closed_is_an_error(url: str, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder") as caught:
        client_of(url, folder, f"{folder}/none").folder.files()
    assert "set config in stack.yaml" in caught.value.remedy
    with pytest.raises(ConfigurationError, match="may not be read"):
        client_of(url, folder, f"{folder}/base.alloy").folder.files()


def test_a_folder_that_may_not_be_written_is_an_error_and_nothing_changes(url: str) -> None:
    somebody = UserRule(name="nobody") if os.geteuid() == 0 else UserRule()
    machine = LocalExecutor(component=WHERE, user=somebody)
    with tempfile.TemporaryDirectory() as path:
        closed = Path(path)
        (closed / "base.alloy").write_text(BASE)
        (closed / "base.alloy").chmod(0o644)
        closed.chmod(0o555)
        with pytest.raises(ConfigurationError, match="may not be made"):
            change_file(Alloy(WHERE, url, machine, Folder(WHERE, machine, path)), NAME, GOOD, names)
        assert contents(closed) == {"base.alloy": BASE}
        closed.chmod(0o755)


def test_the_folder_is_read_as_alloy_reads_it(alloy: Alloy, folder: Path) -> None:
    (folder / ".hidden.alloy").write_bytes(b"// \xff\n")
    (folder / "x.alloy").mkdir()
    (folder / "x.alloy" / "inner.alloy").write_text("// not read\n")
    (folder / "notes.txt").write_text("not read")
    (folder / "link.alloy").symlink_to(folder / "base.alloy")
    alloy.forget()
    assert alloy.folder.files() == {
        ".hidden.alloy": b"// \xff\n",
        "base.alloy": BASE.encode(),
        "link.alloy": BASE.encode(),
    }


def test_the_version_is_told(alloy: Alloy) -> None:
    assert alloy.version() == "1.10.0"


SAID_BY_1_11 = """\
Error: {file}:1:1: cannot find the definition of component name "loki.nosuch"

1 | loki.nosuch "x" {{ }}
  | ^^^^^^^^^^^
2 |
Error: validation failed
"""


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program `alloy` before all others: it says of its folder what Alloy 1.11.0 was seen to say."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return programs / "alloy"


def checks(checker: Path, *lines: str) -> None:
    checker.write_text("\n".join(["#!/bin/sh", '[ "$2" = --help ] && exit 0', *lines]))
    checker.chmod(0o755)


def test_what_alloys_own_check_finds_in_our_file_is_never_written(
    alloy: Alloy, folder: Path, double: AlloyDouble, checker: Path
) -> None:
    said = SAID_BY_1_11.format(file=NAME)
    checks(
        checker, 'for last; do :; done; cd "$last" && [ -f base.alloy ] || exit 7', f"grep -q nosuch {NAME} || exit 0"
    )
    with checker.open("a") as program:
        program.write(f"\ncat >&2 <<'END'\n{said}END\nexit 1\n")
    reloads = double.reloads
    with pytest.raises(Refused, match=r"cannot find the definition of component name") as caught:
        change_file(alloy, NAME, 'loki.nosuch "x" { }\n', names)
    assert "nothing was written" in caught.value.remedy
    assert (contents(folder), double.reloads) == ({"base.alloy": BASE}, reloads)
    change_file(alloy, NAME, GOOD, names)
    assert contents(folder)[NAME] == GOOD


def test_what_it_finds_elsewhere_is_left_to_the_reload(alloy: Alloy, folder: Path, checker: Path) -> None:
    checks(checker, "echo 'Error: theirs.alloy:1:1: unknown' >&2", "exit 1")
    assert not alloy.validate(NAME, GOOD)
    change_file(alloy, NAME, GOOD, names)
    assert contents(folder)[NAME] == GOOD


def test_an_alloy_that_knows_no_check_is_not_asked(alloy: Alloy, checker: Path) -> None:
    checker.write_text('#!/bin/sh\necho \'Error: unknown command "validate" for "alloy"\' >&2\nexit 1\n')
    checker.chmod(0o755)
    assert not alloy.validate(NAME, 'loki.nosuch "x" { }\n')
