"""A client comes and goes; what else stands in stack.yaml stays as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from agencystack.stack.edit import add_client, remove_client
from agencystack.stack.errors import ConfigurationError, UsageError
from agencystack.stack.load import StackMistakes, load

WRITTEN = """\
# Ours. Ask Jane before you change it.
version: 1
shared:
  components:
    mailu: {url: "https://mail.agency.example", api_token: env:MAILU_API_TOKEN}  # the big one
clients:
  acme:
    domain: acme.example  # since 2019
    components:
      wordpress:
        url: https://acme.example
        exec: {docker: acme_wordpress}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stack.yaml"
    path.write_text(WRITTEN)
    path.chmod(0o640)
    return path


def test_a_client_is_added_below_the_others(file: Path) -> None:
    add_client(file, "globex", "globex.example")
    assert file.read_text() == WRITTEN + "  globex:\n    domain: globex.example\n"
    assert load(file).client("globex").domain == "globex.example"
    assert file.stat().st_mode & 0o777 == 0o640


def test_the_first_client_can_be_added(tmp_path: Path) -> None:
    path = tmp_path / "stack.yaml"
    path.write_text("version: 1\n")
    add_client(path, "acme", "acme.example")
    assert list(load(path).clients) == ["acme"]


def test_a_client_added_and_removed_leaves_the_file_as_it_was(file: Path) -> None:
    add_client(file, "globex", "globex.example")
    with_both = file.read_text()
    remove_client(file, "globex")
    assert file.read_text() == WRITTEN
    assert file.with_name("stack.yaml.old").read_text() == with_both


def test_the_last_client_can_go(file: Path) -> None:
    remove_client(file, "acme")
    assert load(file).clients == {}
    assert "# the big one" in file.read_text()


@pytest.mark.parametrize(
    ("client", "domain"), [("Acme Ltd", "acme.example"), ("shared", "a.example"), ("new", "nodots")]
)
def test_what_cannot_be_a_client_is_refused_and_nothing_written(file: Path, client: str, domain: str) -> None:
    with pytest.raises(StackMistakes):
        add_client(file, client, domain)
    assert file.read_text() == WRITTEN
    assert not file.with_name("stack.yaml.old").exists()


def test_an_id_that_is_taken_is_refused(file: Path) -> None:
    with pytest.raises(UsageError, match="has a client acme"):
        add_client(file, "acme", "other.example")


def test_a_client_that_is_not_there_cannot_be_removed(file: Path) -> None:
    with pytest.raises(UsageError, match="has no client globex"):
        remove_client(file, "globex")


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no") as caught:
        add_client(tmp_path / "stack.yaml", "acme", "acme.example")
    assert "agencystack init" in caught.value.remedy


BETWEEN = """\
version: 1
clients:
  # the first
  acme:
    domain: acme.example
    components:
      wordpress: {url: https://acme.example,
                  exec: {docker: acme_wordpress}}   # as it is written

  # the second
  globex:
    domain: globex.example

# what all share
shared:
  components:
    mailu: {url: https://mail.agency.example, api_token: env:TOKEN}
"""


def test_lines_around_a_client_stay_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "stack.yaml"
    path.write_text(BETWEEN)
    remove_client(path, "globex")
    assert path.read_text() == BETWEEN.replace("  globex:\n    domain: globex.example\n", "")
    add_client(path, "initech", "initech.example")
    assert "    exec: {docker: acme_wordpress}}   # as it is written\n  initech:\n    domain: initech.example\n\n" in (
        path.read_text().replace("                ", "  ")
    )
    assert list(load(path).clients) == ["acme", "initech"]


def test_clients_in_braces_are_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "stack.yaml"
    path.write_text("version: 1\nclients: {acme: {domain: acme.example}, globex: {domain: globex.example}}\n")
    remove_client(path, "acme")
    add_client(path, "initech", "initech.example")
    assert sorted(load(path).clients) == ["globex", "initech"]


def test_an_empty_list_of_clients_gets_its_first(tmp_path: Path) -> None:
    path = tmp_path / "stack.yaml"
    path.write_text("clients: {}\nversion: 1\n")
    add_client(path, "acme", "acme.example")
    assert list(load(path).clients) == ["acme"]
