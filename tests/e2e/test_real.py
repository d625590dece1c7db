"""The same promises on the real WordPress, with PHP and MariaDB, and on the real Postfix and Dovecot."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agencystack.sandbox import api
from tests.e2e.lab import APPLICATIONS, Lab

pytestmark = pytest.mark.real


class RealLab(Lab):
    """A lab whose WordPress is the real one, in Debian's packages."""

    def option_rows(self) -> dict[str, str]:
        """The rows WordPress keeps about mail, plugins and us, byte for byte, from its own database."""
        code = (
            "global $wpdb; $rows = array(); foreach ( $wpdb->get_results( "
            '"SELECT option_name, option_value, autoload FROM $wpdb->options WHERE option_name IN '
            "('active_plugins','wp_mail_smtp','agencystack_connector','agencystack_owner') "
            'ORDER BY option_name" ) as $row ) '
            "$rows[ $row->option_name ] = base64_encode( $row->option_value ) . ' ' . $row->autoload; "
            "echo 'ROWS' . json_encode( $rows );"
        )
        found: dict[str, str] = json.loads(self.php(code).partition("ROWS")[2])
        return found

    def php(self, code: str) -> str:
        """Run PHP inside WordPress as the user who owns it."""
        site = Path(str(self.component_of("wordpress").exec.path))
        owner = next(p for p in (site / "wp-config.php", site.parent / "wp-config.php") if p.exists()).stat().st_uid
        script = f"<?php define( 'WP_USE_THEMES', false ); require '{site}/wp-load.php'; {code}"
        return subprocess.run(
            ["php"],
            input=script,
            capture_output=True,
            text=True,
            check=True,
            user=owner,
            group=pwd.getpwuid(owner).pw_gid,
        ).stdout

    def component_of(self, name: str) -> Any:
        return self.stack.components(self.client)[name][1]


@pytest.fixture(scope="module")
def lab() -> Iterator[RealLab]:
    folder = Path(tempfile.mkdtemp(prefix="e2e-"))
    folder.chmod(0o755)
    report = api.up(folder / "home")
    real = {part.name: part for part in report.components}
    try:
        if not real["wordpress"].real:
            pytest.skip(f"no real WordPress on this machine: {real['wordpress'].because}")
        yield RealLab(folder / "home", folder)
    finally:
        api.down(folder / "home")
        shutil.rmtree(folder)


def test_the_real_wordpress_is_integrated_proven_and_put_back_to_the_byte(lab: RealLab):
    plan, rows = lab.planned(), lab.option_rows()
    done = lab.integrated()
    assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied")
    assert lab.option_rows() != rows
    assert lab.integrated().json["changes"] == 0
    verified = lab.run("verify", "email", "--json")
    assert verified.code == 0
    [proof] = [p for p in verified.json["proofs"] if p["component"] == "wordpress"]
    assert proof["evidence"]["from"] == "wordpress@acme.example"
    assert lab.undo().code == 0
    assert lab.option_rows() == rows
    assert lab.planned() == plan


def test_a_setting_changed_in_the_real_wordpress_is_named_and_left_by_undo(lab: RealLab):
    lab.integrated()
    lab.php(
        "$all = get_option( 'agencystack_connector' ); $all['mail']['from_name'] = 'Somebody';"
        " update_option( 'agencystack_connector', $all );"
    )
    plan = lab.plan()
    assert plan.code == 3
    assert plan.changed() == {"acme/wordpress: mail settings": ["from_name"]}
    undone = lab.undo()
    assert undone.code == 0
    assert "from_name" in undone.reason("wordpress")
    assert "Somebody" in lab.php("echo get_option( 'agencystack_connector' )['mail']['from_name'];")
    assert lab.undo("--force").code == 0


def test_product_code_runs_as_its_own_user_even_when_we_are_root(lab: RealLab):
    lab.integrated()
    where = lab.folder / "sandbox/data/wordpress"
    note = next(where.rglob("wp-content/mu-plugins"), None)
    content = Path(lab.php("echo WP_CONTENT_DIR;").strip()) if note is None else note.parent
    plugins = content / "mu-plugins"
    plugins.mkdir(exist_ok=True)
    seen = plugins / "uids.txt"
    owner = content.stat()
    (plugins / "who.php").write_text(
        f"<?php file_put_contents( '{seen}', posix_geteuid() . PHP_EOL, FILE_APPEND );"
        if "posix" in subprocess.run(["php", "-m"], capture_output=True, text=True).stdout
        else f"<?php touch( '{seen}.' . getmypid() ); "
    )
    for path in (plugins, plugins / "who.php"):
        os.chown(path, owner.st_uid, owner.st_gid)
    try:
        assert lab.run("verify", "email", "--component", "wordpress", "--json").code == 0
        owners = {path.stat().st_uid for path in plugins.glob("uids.txt*")}
        assert owners
        assert 0 not in owners
    finally:
        shutil.rmtree(plugins)
    assert lab.undo().code == 0
