"""The sandbox as an ordinary user, and what is real as root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pydantic
import pytest

import agencystack
from agencystack.sandbox import api
from agencystack.sandbox.interpreter import python_for_products
from agencystack.sandbox.wordpress import RealWordPress, all_can_enter, unprivileged_user
from agencystack.stack.load import load

CALL = """
import dataclasses, json, pathlib, sys
from agencystack.sandbox import api
given = json.load(sys.stdin)
report = getattr(api, given.pop("act"))(pathlib.Path(given.pop("directory")), **given)
print(json.dumps(dataclasses.asdict(report), default=str))
"""
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def as_ordinary_user(folder: Path) -> Call:
    """Calls the API as an ordinary user, which is another one when the tests run as root."""
    python = python_for_products("agencystack.sandbox.interpreter", folder.parent / "libraries")[0]
    libraries = [str(Path(module.__file__).parents[1]) for module in (agencystack, pydantic)]
    command = ["env", f"PYTHONPATH={':'.join(libraries)}", "HOME=/nonexistent", python, "-P", "-c", CALL]
    user = unprivileged_user()
    if os.geteuid() == 0:
        if user is None or shutil.which("setpriv") is None:
            pytest.skip("as root, setpriv and an unprivileged user are needed")
        if not all(all_can_enter(Path(library)) for library in libraries):
            pytest.skip("only root can enter the folder of this checkout")
        os.chown(folder.parent, user.pw_uid, user.pw_gid)
        command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]

    def call(act: str, **given: object) -> dict[str, Any]:
        request = json.dumps({"act": act, "directory": str(folder), **given})
        done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=120, cwd="/")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_an_ordinary_user_has_a_whole_sandbox_and_is_told_what_is_not_real(folder, as_ordinary_user):
    report = as_ordinary_user("up")
    assert report["state"] == "up"
    assert report["seconds"] < 30
    real = {part["name"]: part for part in report["components"]}
    assert real["wordpress"]["real"] == (RealWordPress.available() is None)
    assert not real["mail"]["real"]
    assert real["mail"]["because"].startswith(("Postfix needs root", "not installed"))
    stack = load(folder / "stack.yaml")
    for component in stack.all_components().values():
        assert httpx.get(component.reached_by_us(), follow_redirects=True).status_code < 500
    assert {path.stat().st_uid for path in folder.rglob("*")} == {folder.parent.stat().st_uid}
    assert as_ordinary_user("up")["done"] == "nothing"
    assert as_ordinary_user("down")["done"] == "stopped"
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in text(path)]


@pytest.mark.real
def test_the_real_wordpress_is_repaired_and_reset_with_the_sandbox(folder):
    reason = RealWordPress.available()
    if reason:
        pytest.skip(reason)
    report = api.up(folder, real=["wordpress"])
    assert report.running == {"stand-ins": True, "bridge": True, "wordpress": True}
    site = load(folder / "stack.yaml").clients["acme"].components.wordpress
    assert httpx.get(f"{site.url}/wp-json/").json()["name"] == "Acme shop"
    upload = Path(site.exec.path) / "wp-content/uploads/mine.txt"
    upload.write_text("mine")
    api.down(folder)
    assert api.status(folder).running["wordpress"] is False
    api.up(folder)
    assert upload.exists()
    assert api.reset(folder).state == "up"
    assert not upload.exists()
    assert httpx.get(f"{site.url}/wp-json/").json()["name"] == "Acme shop"
    api.down(folder)
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in text(path)]


def text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
