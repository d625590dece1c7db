"""Our app put into a bench: its files whole, its name beside the others, its site told."""

import os
import sys
from pathlib import Path

import pytest

from agencystack.components.erpnext.bench import APP, Bench, app_version, archive
from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused
from agencystack.stack.executors import executor_for
from agencystack.stack.users import UserRule

WHERE = ComponentRef("acme", "erpnext")

PYTHON = """#!/bin/sh
case "$1" in
-c) echo "{packages}" ;;
*) echo "$PWD: $*" >> "{told}"; [ ! -e "{refuses}" ] || {{ echo "Site is locked" >&2; exit 1; }} ;;
esac
"""


class Place:
    """A folder that looks like a bench, with a Python that notes down what it is told."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bench"
        self.packages = folder / "packages"
        self.told = folder / "told"
        self.refuses = folder / "refuses"
        for made in (self.path / "apps/frappe", self.path / "sites", self.path / "env/bin", self.packages):
            made.mkdir(parents=True)
        (self.path / "sites/apps.txt").write_text("frappe\nerpnext")
        python = self.path / "env/bin/python"
        python.write_text(PYTHON.format(packages=self.packages, told=self.told, refuses=self.refuses))
        python.chmod(0o755)

    def bench(self, path: Path | None = None) -> Bench:
        run = executor_for(WHERE, Exec(local=True), user=UserRule(may_be_root=True))
        restart = ("sh", "-c", f"echo restarted >> {self.told}")
        return Bench(WHERE, run, str(path or self.path), "erp.acme.example", restart)

    def heard(self) -> list[str]:
        return [line.partition(": ")[2] or line for line in self.told.read_text().splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_app_is_put_beside_the_others_and_into_the_site(place: Place) -> None:
    place.bench().install(first=True)
    assert (place.path / f"apps/{APP}/{APP}/hooks.py").is_file()
    assert (place.packages / f"{APP}.pth").read_text() == f"{place.path}/apps/{APP}\n"
    assert (place.path / "sites/apps.txt").read_text() == f"frappe\nerpnext\n{APP}\n"
    helper = "-m frappe.utils.bench_helper frappe --site erp.acme.example"
    assert place.heard() == [f"{helper} install-app {APP}", "restarted"]


def test_an_update_replaces_the_files_as_a_whole_and_migrates(place: Place) -> None:
    place.bench().install(first=True)
    (place.path / f"apps/{APP}/{APP}/removed_since.py").write_text("")
    place.told.unlink()
    place.bench().install(first=False)
    assert not (place.path / f"apps/{APP}/{APP}/removed_since.py").exists()
    assert (place.path / "sites/apps.txt").read_text().count(APP) == 1
    assert sorted(os.listdir(place.path / "apps")) == [APP, "frappe"]
    assert place.heard()[0].endswith("--site erp.acme.example migrate")


def test_somebodys_own_checkout_is_left_alone(place: Place, tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    (place.path / f"apps/{APP}").symlink_to(tmp_path / "checkout")
    with pytest.raises(ConfigurationError, match="link to a checkout"):
        place.bench().install(first=True)
    assert not place.told.exists()


def test_what_is_no_bench_is_not_written_to(place: Place, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no bench"):
        place.bench(tmp_path).install(first=True)


def test_frappes_words_are_passed_on_and_nothing_is_restarted(place: Place) -> None:
    place.refuses.touch()
    with pytest.raises(Refused, match="Site is locked"):
        place.bench().install(first=True)
    assert "restarted" not in place.heard()


def test_it_is_taken_out_of_the_site(place: Place) -> None:
    place.bench().uninstall()
    assert place.heard()[0].endswith(f"uninstall-app {APP} --yes --no-backup")


def test_the_archive_holds_the_app_and_nothing_of_this_machine() -> None:
    assert app_version().count(".") == 2
    assert archive() == archive()
    assert b"__pycache__" not in archive()
    assert b".ruff_cache" not in archive()
    assert sys.prefix.encode() not in archive()
