"""The sandbox's real Loki and Alloy: how they are built, found, started and ended; and the logs they collect."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML

from agencystack.sandbox import alloy, api, go_build, loki
from agencystack.sandbox.access_log import AccessLog
from agencystack.sandbox.go_build import RECIPES
from agencystack.sandbox.go_programs import ALLOY, LOKI, GoProgram
from agencystack.sandbox.go_service import GoService
from agencystack.sandbox.plan import SandboxFolder, make_plan
from agencystack.sandbox.ports import ensure_ports
from agencystack.stack.errors import AgencyStackError, ConfigurationError, UsageError
from tests.sandbox.listening import assert_only_loopback, pid_of
from tests.serving import served

SCRIPTS = Path(__file__).parents[2] / "scripts"
MODULE = """module example.test/alloy

replace github.com/grafana/alloy/syntax => ./syntax
"""
# What stands in for Go: it "fetches" a module, and "builds" a program that names its sources.
GO = """#!/bin/sh
echo "$PWD: $*" >>"{log}"
case "$1 $2" in
"mod download") printf '{{"Sum": "{checksum}", "Dir": "{module}"}}' ;;
"mod edit") ;;
build*)
    [ ! -e "{fails}" ] || {{ echo "x.go:1: broken" >&2; exit 1; }}
    while [ "$1" != -o ]; do shift; done
    cat internal/component/all/all.go >"$2"
    chmod 755 "$2" ;;
esac
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put what stands in for Go before all other programs; return the folder of its module and its log."""
    module = tmp_path / "module"
    (module / "internal" / "component" / "all").mkdir(parents=True)
    (module / "internal" / "converter").mkdir()
    for name, text in {
        "go.mod": MODULE,
        "go.sum": "",
        "main.go": 'import (\n\t_ "x/integrations/install"\n)\n',
        "internal/converter/converter.go": 'import (\n\t"x/promtailconvert"\n)\n\tcase InputPromtail:\n',
        "internal/component/all/all.go": 'import (\n\t_ "x/internal/component/loki/process" // Import loki.process\n'
        '\t_ "x/internal/component/loki/source/kafka"\n)\n',
    }.items():
        (module / name).write_text(text)
        (module / name).chmod(0o444)
    for path in (module / "internal", module):
        path.chmod(0o555)
    _go_of(tmp_path, RECIPES["alloy"].checksum)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def _go_of(folder: Path, checksum: str) -> None:
    text = GO.format(log=folder / "log", checksum=checksum, module=folder / "module", fails=folder / "fails")
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "go").write_text(text)
    (folder / "bin" / "go").chmod(0o755)


def _in_cache(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cache" / "agencystack").iterdir() if path.suffix != ".lock")


def test_alloy_is_built_with_what_is_used_and_only_once(go: Path) -> None:
    go_build.install(RECIPES["alloy"])
    assert ALLOY.path().read_text() == ('import (\n\t_ "x/internal/component/loki/process" // Import loki.process\n)\n')
    assert _in_cache(go) == ["alloy-1.0.0"]
    calls = (go / "log").read_text().splitlines()
    assert [call.partition(": ")[2].split()[0] for call in calls] == ["mod", "mod", "build"]
    assert "-dropreplace=github.com/grafana/alloy/syntax" in calls[1]
    assert "-X github.com/grafana/alloy/internal/build.Version=1.0.0" in calls[2]
    go_build.install(RECIPES["alloy"])
    assert (go / "log").read_text().splitlines() == calls


def test_a_module_of_another_checksum_is_not_built(go: Path) -> None:
    _go_of(go, "h1:other")
    with pytest.raises(AgencyStackError, match=r"not what is expected: h1:other"):
        go_build.install(RECIPES["alloy"])
    assert _in_cache(go) == []


def test_a_build_that_fails_says_why_and_leaves_nothing(go: Path) -> None:
    (go / "fails").touch()
    with pytest.raises(AgencyStackError, match=r"go build failed\n  x.go:1: broken"):
        go_build.install(RECIPES["alloy"])
    assert _in_cache(go) == []
    (go / "fails").unlink()
    go_build.install(RECIPES["alloy"])
    assert ALLOY.obstacle() is None


@pytest.mark.parametrize("name", ["loki", "alloy"])
def test_without_go_the_script_says_so_loudly_and_fails_nothing(name: str, tmp_path: Path) -> None:
    for program in ("sh", "dirname"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    ended = subprocess.run(
        [SCRIPTS / f"sandbox-{name}"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0
    assert f"NO REAL {name} HERE: there is no go" in ended.stderr


def test_what_is_not_there_is_named_with_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert LOKI.obstacle() == f"loki is not in {tmp_path}/agencystack/loki-3.7.8: run scripts/sandbox-loki"
    assert "run scripts/sandbox-alloy" in str(ALLOY.obstacle())
    with pytest.raises(UsageError, match="loki: loki is not in"):
        make_plan(1, ["loki"], {"loki": str(LOKI.obstacle())})
    with pytest.raises(ConfigurationError, match="there is no"):
        _services(tmp_path / "home")[0].start()


def test_they_run_only_where_somebody_names_them() -> None:
    assert not any(make_plan(1, "auto", {}).is_real(name) for name in ("loki", "alloy"))
    named = make_plan(1, ["auto", "loki", "alloy"], {})
    assert all(named.is_real(name) for name in ("loki", "alloy", "mail"))
    assert {"loki", "loki-grpc", "alloy"} <= set(named.port_names())


def _services(root: Path) -> tuple[GoService, GoService]:
    folder = SandboxFolder(root)
    for path in (folder.run, folder.log, folder.data):
        path.mkdir(parents=True, exist_ok=True)
    ports = ensure_ports(folder.ports_file, (*loki.PORTS, *alloy.PORTS))
    return loki.real_loki(folder, ports), alloy.real_alloy(folder, ports)


def _needs(program: GoProgram) -> None:
    if reason := program.obstacle():
        pytest.skip(reason)


@pytest.mark.real
@pytest.mark.parametrize("number", [0, 1], ids=["loki", "alloy"])
def test_it_starts_answers_on_loopback_alone_and_ends(number: int, tmp_path: Path) -> None:
    _needs((LOKI, ALLOY)[number])
    service = _services(tmp_path)[number]
    assert not service.is_up()
    service.start()
    try:
        assert service.is_up()
        (record,) = service.records()
        assert_only_loopback(record)
        os.kill(pid_of(record), signal.SIGKILL)
        assert not service.is_up()
        service.start()
        assert service.is_up()
        assert service.stop()
        assert (service.is_up(), service.records()) == (False, [])
    finally:
        service.stop()


@pytest.mark.real
def test_what_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    _needs(ALLOY)
    service = _services(tmp_path)[1]
    folder = alloy.config_folder(SandboxFolder(tmp_path))
    folder.mkdir(parents=True)
    (folder / "broken.alloy").write_text("loki.nosuch {")
    with pytest.raises(AgencyStackError, match=r"alloy ended before it was ready(.|\n)*broken\.alloy"):
        service.start()
    assert service.records() == []


@pytest.mark.real
def test_a_sandbox_has_them_and_says_where_its_applications_log(folder: Path) -> None:
    for program in (LOKI, ALLOY):
        _needs(program)
    report = api.up(folder, ["loki", "alloy"])
    assert {report.running["loki"], report.running["alloy"]} == {True}
    stack = YAML(typ="safe").load((folder / "stack.yaml").read_text())
    shared, acme = stack["shared"]["components"], stack["clients"]["acme"]["components"]
    assert httpx.get(f"{shared['loki']['url']}/ready").text.strip() == "ready"
    assert httpx.get(f"{shared['alloy']['url']}/-/ready").status_code == 200
    assert (Path(shared["alloy"]["config"]) / alloy.BASE).is_file()
    (source,) = acme["erpnext"]["logs"]
    httpx.get(f"{acme['erpnext']['url']}/api/method/ping", params={"probe": "a-probe"})
    assert source["stream"] == "access"
    assert "GET /api/method/ping?probe=a-probe HTTP/1.1" in Path(source["file"]).read_text()


def test_a_stand_ins_access_log_is_as_nginx_writes_it(tmp_path: Path) -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"none"})  # type: ignore[operator]

    log = tmp_path / "log" / "access.log"
    with served(AccessLog(app, log)) as url:
        httpx.post(f"{url}/ein%20pfad?a=%22", headers={"User-Agent": 'say "x\\y"', "Referer": "http://r.example/"})
        log.rename(tmp_path / "rotated.log")
        httpx.get(f"{url}/again")
    first, second = (tmp_path / "rotated.log").read_text(), log.read_text()
    assert first.startswith("127.0.0.1 - - [")
    assert first.endswith('] "POST /ein%20pfad?a=%22 HTTP/1.1" 404 4 "http://r.example/" "say \\x22x\\x5Cy\\x22"\n')
    assert '"GET /again HTTP/1.1" 404 4 "-" ' in second
