"""The documentation says what the program does: nothing is missing from it, and nothing in it is invented."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

from agencystack.cli.app import app
from agencystack.engine import integration
from agencystack.engine.capabilities import table
from agencystack.engine.planning import Status
from agencystack.engine.registry import load
from agencystack.sandbox.faults import Fault
from agencystack.stack.errors import AgencyStackError, ExitCode
from agencystack.stack.model import Stack
from agencystack.stack.paths import Home
from agencystack.stack.schema import stack_schema

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
ALL = "\n".join(PAGES.values())
# Options in the documentation that belong to other programs.
OTHERS_OPTIONS = {"--no-print-directory", "--preserve-env", "--site"}


def commands() -> dict[str, Any]:
    """Return every command by what one types: ``sandbox up``."""
    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        inside = getattr(command, "commands", None)
        if inside is None:
            found[" ".join(words)] = command
        for name, sub in (inside or {}).items():
            walk(sub, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


def options(command: Any) -> set[str]:
    """Return the long options of a command."""
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")} - {"--help"}


def row(page: str, begin: str) -> str:
    """Return the one line of a table whose first cell begins with ``begin``."""
    lines = [line for line in PAGES[page].splitlines() if line.startswith(f"| {begin}")]
    assert len(lines) == 1, f"{page} has {len(lines)} rows beginning with {begin!r}"
    return lines[0]


def first_cells(page: str, heading: str) -> list[str]:
    """Return the first cells of the first table below a heading."""
    _, _, below = PAGES[page].partition(f"\n{heading}\n")
    assert below, f"{page} has no heading {heading!r}"
    rows = re.findall(r"^\|(?!-)(.*?)\|", below[below.index("\n|---") :].partition("\n\n")[0], re.MULTILINE)
    return [cell.strip() for cell in rows if not set(cell) <= set("- ")]


def codes_in(text: str) -> set[str]:
    """Return what stands between backquotes."""
    return set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_is_documented(name: str) -> None:
    text = ALL if name.startswith(("secret", "sandbox")) else row("status.md", f"`agencystack {name}")
    group, _, word = name.partition(" ")
    assert f"agencystack {name}" in ALL or (f"agencystack {group}" in ALL and f"`{word}" in ALL)
    for option in options(commands()[name]):
        assert re.search(rf"{option}(?![a-z-])", text), f"{option} of {name}"


def test_every_documented_command_exists() -> None:
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    code = "\n".join([*codes_in(ALL), *re.findall(r"^ {4}(.*)$", ALL, re.MULTILINE)])
    for typed in re.findall(r"^(?:\S*/)?agencystack ((?:[a-z]+ ?){1,2})", code, re.MULTILINE):
        first, _, second = typed.strip().partition(" ")
        if first in groups:
            assert not second or f"{first} {second}" in known, typed
        else:
            assert first in known, typed


def test_every_documented_option_exists() -> None:
    known = set().union(*map(options, commands().values())) | {"--version", "--help"} | OTHERS_OPTIONS
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", ALL)) <= known


@pytest.mark.parametrize("page", ["README.md", "status.md"])
def test_the_statuses_are_documented(page: str) -> None:
    heading = "## What the statuses mean" if page == "README.md" else "## Statuses"
    assert first_cells(page, heading) == [f"`{status}`" for status in Status]


def test_the_exit_codes_are_documented() -> None:
    assert first_cells("status.md", "## Exit codes") == [str(int(code)) for code in ExitCode]


def test_the_error_codes_are_documented() -> None:
    def all_codes(kind: type[AgencyStackError]) -> Iterator[str]:
        if kind.__module__.startswith("agencystack."):
            yield kind.code
        for sub in kind.__subclasses__():
            yield from all_codes(sub)

    _, _, below = PAGES["status.md"].partition("An error's `code`")
    rows = re.findall(r"^\| (`.*?) \|", below, re.MULTILINE)
    assert set().union(*map(codes_in, rows)) == set(all_codes(AgencyStackError))


def test_the_schemas_are_linked() -> None:
    shipped = {path.name for path in (ROOT / "src/agencystack/schemas").glob("*.json")}
    assert set(re.findall(r"schemas/([a-z.-]+\.json)\)", PAGES["status.md"])) == shipped


def test_the_environment_variables_are_documented() -> None:
    read = {
        node.value
        for folder in ("src", "tests", "scripts", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"(AGENCYSTACK_[A-Z_]+[A-Z]|DEMO_EXIT)", node.value)
    }
    assert set(re.findall(r"\b(AGENCYSTACK_[A-Z_]+[A-Z]|DEMO_EXIT)\b", ALL)) == read


def test_the_make_targets_are_documented() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documented = set(re.findall(r"\bmake ([a-z][a-z-]*)\b", "\n".join(codes_in(ALL))))
    documented |= set(re.findall(r"^ {4}make ([a-z-]+)", ALL, re.MULTILINE))
    assert documented <= targets
    assert targets - {f"integrate-{name}" for name in ("sso", "monitoring", "data-bridge", "components")} <= documented


def _keys() -> set[str]:
    schema = stack_schema()
    nodes = [schema, *schema["$defs"].values()]
    return {key for node in nodes for key in node.get("properties", {})}


def test_every_key_of_stack_yaml_is_documented_and_no_other() -> None:
    page = PAGES["connect-a-stack.md"]
    text = "\n".join(codes_in(page)) + "\n" + page[page.index("```yaml") : page.index("\n```\n")]
    for key in _keys():
        assert re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", text), key
    for heading in ("## Every component", "## exec", "## Integrations"):
        cells = first_cells("connect-a-stack.md", heading)
        assert {cell.strip("`") for cell in cells} <= _keys()
    products = set().union(*map(codes_in, first_cells("connect-a-stack.md", "## Products")))
    assert products - {"custom: true"} == set(stack_schema()["$defs"]["Components"]["properties"])


@pytest.mark.parametrize("name", PAGES)
def test_yaml_in_the_documentation_is_valid(name: str) -> None:
    for example in re.findall(r"```yaml\n(.*?)```", PAGES[name], re.DOTALL):
        data = YAML(typ="safe").load(example)
        if "version" not in data:
            data = {"version": 1, "clients": {"acme": {"domain": "acme.example", **data}}}
        assert Stack.model_validate_json(json.dumps(data)).version == 1


def test_settings_of_integrations_are_documented() -> None:
    asked = {
        node.args[0].value
        for path in (ROOT / "src/agencystack/integrations").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "setting"
        and isinstance(node.args[0], ast.Constant)
    }
    own = {str(key) for key in asked} - _keys()
    documented = [*first_cells("email.md", "## Settings"), *first_cells("sso.md", "## Settings")]
    documented += first_cells("monitoring.md", "## Settings")
    assert {cell.strip("`") for cell in documented} == own


def test_the_faults_of_the_sandbox_are_documented() -> None:
    documented = codes_in(PAGES["sandbox.md"].partition("A rule has")[2])
    assert set(Fault.model_fields) <= documented


def test_the_interface_for_integrations_is_documented() -> None:
    methods = {
        name
        for name in vars(integration.Integration)
        if not name.startswith("_") and callable(vars(integration.Integration)[name])
    }
    for name in methods:
        assert re.search(rf"\b{name}\b", PAGES["extend.md"]), name


def test_the_table_of_capabilities_is_current() -> None:
    home = Home(ROOT, ROOT / "log", ROOT / "key")
    assert PAGES["capabilities.md"] == table(load(home).all), "run: make schemas"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    folder = ROOT if name == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[name]):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = folder / path if path else folder / name
        assert found.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in _anchors(found.read_text()), f"{name} links to {target}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([a-z-]+\.md)", PAGES["README.md"]))
    assert linked == set(PAGES) - {"README.md"}


def test_no_place_of_this_machine_and_no_registry_is_named() -> None:
    for place in ("/work/", "/root/", "/tmp/", "pypi", "docker.io"):
        assert place not in ALL
