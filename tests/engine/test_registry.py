"""Where integrations are found, which one wins, and whose code is not run."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agencystack.engine.registry import Registry, drop_in_files, eject, load
from agencystack.engine.session import Wish
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.paths import Home
from tests.engine.fakes import World

MODULE = '''
from agencystack.engine.integration import Integration, integration

@integration("{type}", "{application}", version={version})
class Mine(Integration):
    """Mine."""

    def resources(self, site):
        return []

    def proofs(self, site):
        return []
'''


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", tmp_path / "log", tmp_path / "key")
    home.scripts_dir.mkdir(parents=True)
    home.scripts_dir.chmod(0o755)
    return home


def put(home: Home, name: str = "mine.py", text: str | None = None, mode: int = 0o644, **declared: Any) -> Path:
    path = home.scripts_dir / name
    path.write_text(text or MODULE.format(**{"type": "email", "application": "crm", "version": 1, **declared}))
    path.chmod(mode)
    return path


def test_the_built_in_ones_come_by_entry_point_in_the_order_of_the_types(home: Home) -> None:
    names = [item.name for item in load(home).all]
    assert {"email/wordpress", "email/erpnext", "email/listmonk"} <= set(names)
    assert not any(item.replaces for item in load(home).all)


def test_a_file_is_an_integration(home: Home) -> None:
    path = put(home)
    found = load(home).get("email", "crm")
    assert found is not None
    assert (found.source, found.drop_in, found.replaces) == (path, True, False)


def test_a_type_of_ones_own_comes_after_ours(home: Home) -> None:
    put(home, type="telephony")
    assert load(home).types == ("email", "sso", "monitoring", "data-bridge", "telephony")
    assert load(home).all[-1].name == "telephony/crm"


def test_a_file_replaces_the_built_in_of_its_name(home: Home) -> None:
    path = put(home, application="wordpress", version=77)
    found = load(home).get("email", "wordpress")
    assert found is not None
    assert found.replaces
    assert (found.source, found.integration.declaration.version) == (path, 77)


def test_every_plan_says_that_a_built_in_is_replaced(home: Home, world: World) -> None:
    path = put(home, application="app")
    world.wants()
    with world.session() as opened:
        built_in = opened.registry.all
        opened.registry = Registry([*built_in, *[item for item in load(home).all if item.source == path]])
        [item] = opened.plan(opened.select(Wish())).integrations
    assert item.warnings == [f"the built-in integration is replaced by {path}"]


def test_two_files_for_one_name_are_a_mistake(home: Home) -> None:
    put(home, "one.py")
    put(home, "two.py")
    with pytest.raises(ConfigurationError, match="both declare email/crm"):
        load(home)


@pytest.mark.parametrize("mode", [0o646, 0o666, 0o647], ids=oct)
def test_a_file_others_can_write_is_not_run(home: Home, mode: int) -> None:
    path = put(home, text="raise SystemExit('this code was run')", mode=mode)
    with pytest.raises(ConfigurationError, match="can be written by other users") as refused:
        load(home)
    assert refused.value.remedy == f"chmod go-w {path}"


def test_a_folder_others_can_write_is_not_used(home: Home) -> None:
    put(home)
    home.scripts_dir.chmod(0o777)
    with pytest.raises(ConfigurationError, match="can be written by other users"):
        load(home)


class TestGroup:
    """A file its group can write is run only where nobody but the owner is in that group: umask 002 of many systems."""

    @pytest.fixture(autouse=True)
    def _users(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.members: list[str] = []
        self.users = [SimpleNamespace(pw_name="ann", pw_gid=os.getgid()), SimpleNamespace(pw_name="bob", pw_gid=99991)]
        monkeypatch.setattr(pwd, "getpwuid", lambda _uid: self.users[0])
        monkeypatch.setattr(pwd, "getpwall", lambda: self.users)
        monkeypatch.setattr(grp, "getgrgid", lambda _gid: SimpleNamespace(gr_mem=self.members))

    def test_the_owners_own(self, home: Home) -> None:
        put(home, mode=0o664)
        home.scripts_dir.chmod(0o775)
        assert load(home).get("email", "crm") is not None

    def test_the_owner_may_be_named_in_it(self, home: Home) -> None:
        self.members = ["ann"]
        put(home, mode=0o664)
        assert load(home).get("email", "crm") is not None

    def test_another_member(self, home: Home) -> None:
        self.members = ["ann", "bob"]
        put(home, mode=0o664)
        with pytest.raises(ConfigurationError, match="can be written by other users"):
            load(home)

    def test_the_first_group_of_somebody_else_too(self, home: Home) -> None:
        self.users[1].pw_gid = os.getgid()
        put(home, mode=0o664)
        with pytest.raises(ConfigurationError, match="can be written by other users"):
            load(home)

    def test_not_the_owners_first_group(self, home: Home) -> None:
        self.users[0].pw_gid = 99992
        put(home, mode=0o664)
        with pytest.raises(ConfigurationError, match="can be written by other users"):
            load(home)

    def test_one_nobody_knows(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(_gid: int) -> Any:
            raise KeyError

        monkeypatch.setattr(grp, "getgrgid", unknown)
        put(home, mode=0o664)
        with pytest.raises(ConfigurationError, match="can be written by other users"):
            load(home)

    def test_everybody_is_never_the_owners_own(self, home: Home) -> None:
        put(home, mode=0o666)
        with pytest.raises(ConfigurationError, match="can be written by other users"):
            load(home)


def test_somebody_elses_file_is_not_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(home, text="raise SystemExit('this code was run')")
    owner = path.stat().st_uid
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1000)
    if owner == 0:
        # Root's files are everybody's to run.
        with pytest.raises(SystemExit, match="this code was run"):
            load(home)
        os.chown(path, 4321, 4321)
    with pytest.raises(ConfigurationError, match="belongs to neither root nor you"):
        load(home)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("this is no Python", "SyntaxError"),
        ("raise RuntimeError('half-way')", "RuntimeError: half-way"),
        ("import a_module_nobody_has", "ModuleNotFoundError"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(home: Home, text: str, said: str) -> None:
    path = put(home, text=text)
    with pytest.raises(ConfigurationError, match=said) as refused:
        load(home)
    assert str(path) in refused.value.message
    assert "move it out of" in refused.value.remedy


def test_nothing_is_ever_taken_from_the_current_folder(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    for folder in (elsewhere, elsewhere / "scripts" / "integration"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mine.py").write_text("raise SystemExit('this code was run')")
    monkeypatch.chdir(elsewhere)
    load(home)
    assert not [path for path in drop_in_files(home) if elsewhere in path.parents]


def test_files_that_begin_with_an_underscore_are_parts_of_others(home: Home) -> None:
    put(home, "_parts.py", text="raise SystemExit('this code was run')")
    assert not any(found.drop_in and found.source.name == "_parts.py" for found in load(home).all)


class TestEject:
    """A built-in is copied to be modified, and its copy takes its place."""

    def test_the_copy_runs_instead(self, home: Home) -> None:
        path = eject(load(home), home, "email", "wordpress")
        built_in = load(Home(home.root / "other", home.log_dir, home.key_file)).get("email", "wordpress")
        found = load(home).get("email", "wordpress")
        assert found is not None
        assert built_in is not None
        assert (found.source, found.replaces) == (path, True)
        assert path.read_text() == built_in.source.read_text()
        assert found.integration.declaration == built_in.integration.declaration

    def test_a_copy_is_not_overwritten(self, home: Home) -> None:
        path = eject(load(home), home, "email", "wordpress")
        path.write_text(path.read_text() + "# mine\n")
        with pytest.raises(ConfigurationError, match="is already yours"):
            eject(load(home), home, "email", "wordpress")
        assert path.read_text().endswith("# mine\n")

    def test_what_is_not_there_is_named_with_what_is(self, home: Home) -> None:
        with pytest.raises(ConfigurationError, match="no integration email wordperss") as refused:
            eject(load(home), home, "email", "wordperss")
        assert "email wordpress" in refused.value.remedy
