"""Files of ours in Alloy's folder: who has which, what a person changed, what goes with whom, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agencystack.engine.context import Component
from agencystack.engine.planning import IntegrationPlan, Status
from agencystack.integrations.monitoring.fragments import KEY as FILE
from agencystack.integrations.monitoring.stores import folder_of
from agencystack.stack.errors import ComponentRef, ConfigurationError, ExitCode, Unavailable
from agencystack.stack.products import Alloy as AlloySettings
from agencystack.stack.secrets import Secret
from tests.alloy import AlloyDouble, serving
from tests.integrations.monitoring.hosts import Host, changed, files
from tests.serving import free_port

BASE = 'logging {\n\tlevel = "info"\n}\n'
WORDPRESS: dict[str, Any] = {
    "url": "https://acme.example",
    "logs": [
        {"stream": "access", "file": "/var/log/nginx/access.log"},
        {"stream": "php", "file": "/var/www/html/wp-content/debug.log", "zone": "Europe/Zurich"},
    ],
}
MAILU: dict[str, Any] = {"url": "https://mail.agency.example", "api_token": "env:MAILU"}
OURS = {"agencystack-loki.alloy", "agencystack-shared-agencystack.alloy"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "alloy.d"
    path.mkdir()
    (path / "config.alloy").write_text(BASE)
    return path


@pytest.fixture
def alloy(folder: Path) -> AlloyDouble:
    return AlloyDouble(folder)


@pytest.fixture
def url(alloy: AlloyDouble) -> Iterator[str]:
    with serving(alloy) as address:
        yield address


@pytest.fixture
def host(tmp_path: Path, folder: Path, url: str) -> Host:
    shared = {
        "loki": {"url": "https://loki.agency.example", "internal_url": "http://loki:3100"},
        "alloy": {"url": url, "exec": {"local": True}, "config": str(folder)},
        "mailu": dict(MAILU),
    }
    return Host(tmp_path, shared, {"acme": {"wordpress": dict(WORDPRESS)}, "beta": {}})


def plan_of(host: Host, name: str) -> IntegrationPlan:
    return next(plan for plan in host.plan() if plan.name == name)


def test_each_application_gets_a_file_and_a_second_run_changes_nothing(
    host: Host, folder: Path, alloy: AlloyDouble
) -> None:
    results = host.integrate()
    assert [result.error for result in results] == [None] * 3
    assert set(files(folder)) == {
        "config.alloy",
        *OURS,
        "agencystack-acme-wordpress.alloy",
        "agencystack-shared-mailu.alloy",
    }
    assert files(folder)["config.alloy"] == BASE
    assert "loki.process.agencystack__acme__wordpress__access" in {item["localID"] for item in alloy.components()}
    reloads = alloy.reloads
    assert changed(host.integrate()) == []
    assert alloy.reloads == reloads


def test_a_mailu_of_two_clients_is_collected_once_and_stays_until_the_last_leaves(host: Host, folder: Path) -> None:
    host.integrate()
    mailu = files(folder)["agencystack-shared-mailu.alloy"]
    assert mailu.count('"SYSLOG_IDENTIFIER=mailu-smtp"') == 1
    _, errors = host.undo("acme")
    assert errors == {}
    assert files(folder).keys() == {"config.alloy", *OURS, "agencystack-shared-mailu.alloy"}
    host.undo("beta")
    assert files(folder) == {"config.alloy": BASE}


def test_what_a_person_wrote_shows_as_drift_and_is_put_right(host: Host, folder: Path, alloy: AlloyDouble) -> None:
    host.integrate()
    file = folder / "agencystack-acme-wordpress.alloy"
    ours = file.read_text()
    file.write_text(ours.replace("access.log", "other.log"))
    wordpress = plan_of(host, "acme/monitoring/wordpress")
    text = next(step.change for step in wordpress.changes if step.resource.key == f"{FILE}{file.name}")
    assert text is not None
    assert wordpress.status is Status.DRIFTED
    assert [field.name for field in text.fields] == ["text"]
    host.integrate()
    assert file.read_text() == ours
    assert ours in alloy.running


def test_a_file_of_our_name_without_our_mark_is_not_touched_unless_allowed(host: Host, folder: Path) -> None:
    file = folder / "agencystack-acme-wordpress.alloy"
    file.write_text("// mine\n")
    wordpress = next(item for item in host.integrate() if item.plan.name == "acme/monitoring/wordpress")
    assert wordpress.status is Status.BLOCKED
    assert "is somebody else's" in wordpress.reason
    assert file.read_text() == "// mine\n"
    host.told = {"wordpress": {"replace": True}}
    host.integrate()
    assert "agencystack__acme__wordpress__access" in file.read_text()
    host.undo("acme")
    assert file.read_text() == "// mine\n"


def test_what_alloy_refuses_is_taken_back_and_told(host: Host, folder: Path, alloy: AlloyDouble) -> None:
    host.clients["acme"]["wordpress"]["logs"] = [{"stream": "access", "file": "/var/log/REFUSED.log"}]
    wordpress = next(item for item in host.integrate() if item.plan.name == "acme/monitoring/wordpress")
    assert wordpress.error is not None
    assert "REFUSED is no component" in str(wordpress.error)
    assert "as it was before, and Alloy runs with that" in str(wordpress.error)
    assert "agencystack-acme-wordpress.alloy" not in files(folder)
    assert "agencystack-shared-mailu.alloy" in files(folder), "the others go on"
    assert "mailu" in alloy.running


def test_killed_between_write_and_reload_the_next_run_has_alloy_load_it(
    host: Host, folder: Path, alloy: AlloyDouble
) -> None:
    host.integrate()
    # As a kill leaves it: the file is new, what it was lies beside it, Alloy knows nothing of it.
    name = "agencystack-acme-wordpress.alloy"
    wanted = (folder / name).read_text()
    (folder / name).write_text("// AgencyStack keeps this file\n")
    alloy.reload()
    (folder / f"{name}.before").write_text("// AgencyStack keeps this file\n")
    (folder / name).write_text(wanted)
    reloads = alloy.reloads
    assert f"use of {name}" in changed(host.integrate())
    assert alloy.reloads > reloads
    assert wanted in alloy.running
    assert f"{name}.before" not in files(folder)


def test_killed_while_a_file_is_removed_the_next_undo_finishes(host: Host, folder: Path, alloy: AlloyDouble) -> None:
    host.integrate()
    name = "agencystack-acme-wordpress.alloy"

    def die() -> str:
        raise OSError

    reload, alloy.reload = alloy.reload, die  # type: ignore[method-assign]
    _, errors = host.undo("acme")
    assert isinstance(errors["acme/monitoring/wordpress"], Unavailable)
    assert name not in files(folder)
    alloy.reload = reload  # type: ignore[method-assign]
    assert "acme__wordpress" in alloy.running
    _, errors = host.undo("acme")
    assert errors == {}
    assert "acme__wordpress" not in alloy.running
    assert f"{name}.before" not in files(folder)


def test_an_alloy_that_cannot_be_reached_blocks_and_changes_nothing(host: Host, folder: Path) -> None:
    host.integrate()
    before = files(folder)
    host.shared["alloy"]["url"] = f"http://127.0.0.1:{free_port()}"
    plans = host.plan()
    assert {plan.status for plan in plans} == {Status.BLOCKED}
    assert all(isinstance(plan.problem, Unavailable) for plan in plans)
    assert files(folder) == before


def test_a_folder_that_is_not_there_is_named(host: Host, folder: Path) -> None:
    host.shared["alloy"]["config"] = str(folder / "nowhere")
    problem = host.plan()[0].problem
    assert isinstance(problem, ConfigurationError)
    assert f"there is no folder {folder}/nowhere on this machine" in str(problem)
    del host.shared["alloy"]["config"]
    assert "add config: the folder" in str(host.plan()[0].problem)


def test_a_component_that_stopped_working_is_seen(host: Host, alloy: AlloyDouble) -> None:
    host.integrate()
    alloy.unhealthy.add("loki.process.agencystack__acme__wordpress__php")
    wordpress = plan_of(host, "acme/monitoring/wordpress")
    assert wordpress.status is Status.DRIFTED
    [step] = [step for step in wordpress.changes if step.resource.key == "use of agencystack-acme-wordpress.alloy"]
    assert step.change is not None
    assert "is unhealthy: it broke" in str(step.change.fields[0].before)


def test_the_password_of_loki_stands_in_a_file_of_its_own(host: Host, folder: Path) -> None:
    host.secrets = {"env:LOKI": "a-password-of-loki"}
    host.shared["loki"] |= {"user": "agency", "password": "env:LOKI", "tenant": "t1"}
    host.integrate()
    text = files(folder)["agencystack-loki.alloy"]
    assert "a-password-of-loki" not in "".join(
        content for name, content in files(folder).items() if name.endswith(".alloy")
    )
    assert f'"{folder}" + "/agencystack-loki.password"' in text
    assert '"t1"' in text
    kept = folder / "agencystack-loki.password"
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("a-password-of-loki", 0o640)
    assert changed(host.integrate()) == []
    host.secrets = {"env:LOKI": "another-password"}
    assert changed(host.integrate()) == ["password of agencystack-loki.password"]
    host.undo("acme")
    host.undo("beta")
    assert files(folder) == {"config.alloy": BASE}


@pytest.mark.parametrize(("where", "expression"), [({"local": True}, '"/etc/alloy"'), ({"docker": "a"}, "module_path")])
def test_in_a_container_alloy_is_asked_where_its_folder_is(where: dict[str, Any], expression: str) -> None:
    settings = AlloySettings.model_validate({"url": "http://alloy:12345", "config": "/etc/alloy/", "exec": where})
    assert folder_of(Component(ComponentRef("shared", "alloy"), settings)) == expression


def test_without_alloy_the_files_are_prepared_and_a_person_is_told_what_to_do(host: Host, folder: Path) -> None:
    config = host.shared.pop("alloy")
    wordpress = next(item for item in host.integrate() if item.plan.name == "acme/monitoring/wordpress")
    assert (wordpress.status, wordpress.exit_code) == (Status.MANUAL, ExitCode.DONE)
    for step in ("install Alloy", "/etc/default/alloy", "shared.components", str(host.home.root)):
        assert step in wordpress.reason
    prepared = host.home.root / "integrations" / "alloy"
    assert set(files(prepared)) == {
        "agencystack-loki.alloy",
        "agencystack-shared-agencystack.alloy",
        "agencystack-shared-mailu.alloy",
        "agencystack-acme-wordpress.alloy",
    }
    assert changed(host.integrate()) == []
    assert {plan.status for plan in host.plan()} == {Status.MANUAL}

    # Once a person took the steps, the copies are taken for ours, and nothing is changed in them.
    for name, text in files(prepared).items():
        (folder / name).write_text(text)
    host.shared["alloy"] = config
    results = host.integrate()
    assert [result.error for result in results] == [None] * 3
    assert "agencystack-acme-wordpress.alloy" not in files(prepared)
    assert not [key for key in changed(results) if key.startswith(FILE)]


def test_what_is_shared_is_not_collected_by_what_is_of_one_client(host: Host, folder: Path) -> None:
    host.clients["acme"] |= {name: host.shared.pop(name) for name in ("loki", "alloy")}
    mailu = plan_of(host, "acme/monitoring/mailu")
    assert mailu.steps == []
    assert any("add alloy to shared.components" in warning for warning in mailu.warnings)
    host.integrate()
    assert set(files(folder)) == {"config.alloy", "agencystack-loki.acme.alloy", "agencystack-acme-wordpress.alloy"}
    assert "loki.write.agencystack__acme.receiver" in files(folder)["agencystack-acme-wordpress.alloy"]


def test_numbers_go_to_the_prometheus_of_the_stack(host: Host, folder: Path) -> None:
    host.shared["prometheus"] = {"url": "https://prometheus.agency.example", "internal_url": "http://prometheus:9090"}
    host.shared["grafana"] = {
        "url": "https://grafana.agency.example",
        "internal_url": "http://grafana:3000",
        "logs": [{"docker": "grafana"}],
    }
    host.integrate()
    assert '"http://prometheus:9090/api/v1/write"' in files(folder)["agencystack-prometheus.alloy"]
    grafana = files(folder)["agencystack-shared-grafana.alloy"]
    assert '"__address__" = "grafana:3000"' in grafana
    assert 'loki.source.docker "agencystack__shared__grafana__server"' in grafana


def test_the_runs_of_this_program_are_collected_where_alloy_is_on_its_machine(host: Host, folder: Path) -> None:
    host.integrate()
    assert f"{host.home.log_dir}/integrations/*.jsonl" in files(folder)["agencystack-shared-agencystack.alloy"]


def test_where_a_product_tells_its_numbers_may_be_written(host: Host, folder: Path) -> None:
    host.shared["prometheus"] = {"url": "http://prometheus:9090"}
    host.clients["acme"]["keycloak"] = {"url": "https://login.acme.example", "logs": [{"docker": "acme_keycloak"}]}
    advice = [warning for warning in plan_of(host, "acme/monitoring/keycloak").warnings if "metrics_url" in warning]
    assert len(advice) == 1
    host.told = {"keycloak": {"settings": {"metrics_url": "http://keycloak:9000/metrics"}}}
    host.integrate()
    assert '"__address__" = "keycloak:9000"' in files(folder)["agencystack-acme-keycloak.alloy"]
    host.told = {"keycloak": {"settings": {"metrics_url": "http://u:p@keycloak"}}}
    assert "metrics_url is no address of numbers" in str(plan_of(host, "acme/monitoring/keycloak").problem)


@pytest.fixture
def promtail(host: Host, tmp_path: Path, url: str) -> Path:
    """Have the host an old Promtail instead of Alloy; what it runs with lies beside its file."""
    file = tmp_path / "promtail.yaml"
    file.write_text("# Written by Ines.\nscrape_configs:\n  - job_name: system\n")
    del host.shared["alloy"]
    restart = ["sh", "-c", f"cp {file} {file}.running"]
    host.shared["promtail"] = {"url": url, "exec": {"local": True}, "config": str(file), "restart": restart}
    return file


def test_an_old_promtail_gets_the_same_rules_and_the_advice_to_leave_it(
    host: Host, promtail: Path, alloy: AlloyDouble
) -> None:
    alloy.ready_at = "/ready"
    before = promtail.read_text()
    results = host.integrate()
    assert [result.error for result in results] == [None] * 3
    names = [job["job_name"] for job in YAML(typ="safe").load(promtail)["scrape_configs"]]
    assert names[0] == "system"
    assert {
        "agencystack/acme/wordpress/access",
        "agencystack/shared/mailu/smtp",
        "agencystack/shared/agencystack/run",
    } <= {*names}
    assert Path(f"{promtail}.running").read_text() == promtail.read_text()
    assert any("alloy convert --source-format=promtail" in warning for warning in results[0].plan.warnings)
    assert changed(host.integrate()) == []
    host.undo("acme")
    host.undo("beta")
    assert promtail.read_text() == before


def test_killed_before_the_restart_the_next_run_restarts(host: Host, promtail: Path, alloy: AlloyDouble) -> None:
    alloy.ready_at = "/ready"
    host.integrate()
    with host.session() as opened:
        opened.context.sealed.put("shared/promtail/monitoring/restart-due/agencystack/acme/wordpress", Secret("yes"))
    assert changed(host.integrate()) == ["jobs of agencystack/acme/wordpress/"]
    assert changed(host.integrate()) == []


def test_a_promtail_without_its_file_or_restart_is_asked_for(host: Host, promtail: Path) -> None:
    del host.shared["promtail"]["restart"]
    assert "restart: [PROGRAM, ARGUMENT]" in str(host.plan()[0].problem)
