"""Where lines come from: as written, as known of the product, or said to be unknown with what to write."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agencystack.engine.context import Component
from agencystack.integrations.monitoring.collected import (
    collection,
    component_names,
    identifier,
    pattern,
    streams,
)
from agencystack.integrations.monitoring.promtail_jobs import jobs
from agencystack.integrations.monitoring.sources import MAILU_SERVICES, Kind, Source, sources_of
from agencystack.logs.model import Wrapping
from agencystack.stack.errors import ComponentRef, ConfigurationError
from agencystack.stack.products import Alloy, Components

ALLOY = Component(
    ComponentRef("shared", "alloy"),
    Alloy.model_validate({"url": "http://alloy:12345", "exec": {"local": True}, "config": "/etc/alloy"}),
)
REF = ComponentRef("acme", "wordpress")
RECEIVER = "loki.write.agencystack.receiver"


def component(name: str, client: str = "acme", **settings: Any) -> Component:
    credentials = {
        "mailu": {"api_token": "env:X"},
        "erpnext": {"api_key": "env:X", "api_secret": "env:X"},
        "listmonk": {"api_user": "x", "api_token": "env:X"},
    }
    known = Components.model_validate({name: {"url": "https://x.example", **credentials.get(name, {}), **settings}})
    return Component(ComponentRef(client, name), known.by_name()[name])


def test_what_is_written_is_taken_as_it_is() -> None:
    written = [
        {"stream": "access", "file": "/var/log/nginx/*.log"},
        {"stream": "php", "docker": "acme_wp", "zone": "Europe/Berlin"},
        {"stream": "web-error", "journal": "acme-nginx"},
    ]
    found = sources_of(component("wordpress", logs=written), ALLOY)
    assert found.sources == (
        Source("access", Kind.FILE, "/var/log/nginx/*.log"),
        Source("php", Kind.DOCKER, "acme_wp", "Europe/Berlin"),
        Source("web-error", Kind.JOURNAL, "acme-nginx"),
    )
    assert found.advice == ()


@pytest.mark.parametrize(
    ("name", "place", "stream"),
    [
        ("mailu", {"journal": "mailu-smtp"}, "smtp"),
        ("keycloak", {"docker": "acme_keycloak"}, "server"),
        ("wordpress", {"file": "/var/log/nginx/acme.access.log"}, "access"),
        ("keycloak", {"file": "/var/log/keycloak/keycloak.log"}, "server"),
    ],
)
def test_a_stream_that_is_not_written_is_known_by_its_place(name: str, place: dict[str, str], stream: str) -> None:
    assert sources_of(component(name, logs=[place]), ALLOY).sources[0].stream == stream


def test_a_stream_that_could_be_any_is_asked_for() -> None:
    with pytest.raises(ConfigurationError, match=r"logs\[0\] does not say which of its logs /x.log is") as caught:
        sources_of(component("mailu", logs=[{"file": "/x.log"}]), ALLOY)
    assert "write `stream:` with one of admin, antispam, front" in caught.value.remedy
    assert "clients.acme.components.mailu.logs" in caught.value.remedy


def test_a_journal_identifier_with_a_space_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has a space in it"):
        sources_of(component("keycloak", logs=[{"stream": "server", "journal": "a b"}]), ALLOY)


def test_mailu_is_read_from_the_journal_by_the_tags_of_its_compose_file() -> None:
    found = sources_of(component("mailu", client="shared"), ALLOY)
    assert {source.name for source in found.sources} == {f"mailu-{service}" for service in MAILU_SERVICES}
    assert {source.kind for source in found.sources} == {Kind.JOURNAL}


@pytest.mark.parametrize("name", ["keycloak", "grafana", "loki", "listmonk", "chatwoot", "uptime-kuma", "wordpress"])
def test_a_container_is_read_whole(name: str) -> None:
    found = sources_of(component(name, exec={"docker": f"acme_{name}"}), ALLOY)
    assert found.sources == (Source("server", Kind.DOCKER, f"acme_{name}"),)


def test_frappe_writes_each_record_twice_and_it_is_read_once() -> None:
    found = sources_of(component("erpnext", exec={"local": True, "path": "/home/frappe/frappe-bench/"}), ALLOY)
    files = {source.stream: source.name for source in found.sources}
    assert files["frappe"] == "/home/frappe/frappe-bench/logs/frappe.log"
    assert not [name for name in files.values() if "/sites/" in name]
    assert set(files) >= {"web-output", "worker", "schedule", "database"}


def test_a_wordpress_of_this_machine_tells_what_is_missing() -> None:
    found = sources_of(component("wordpress", exec={"local": True, "path": "/var/www/html"}), ALLOY)
    assert {source.name for source in found.sources} == {
        "/var/www/html/wp-content/debug.log",
        "/var/www/html/wp-content/uploads/wc-logs/*.log",
    }
    [advice] = found.advice
    assert "{stream: access, file: /var/log/nginx/access.log}" in advice
    assert "at clients.acme.components.wordpress" in advice


@pytest.mark.parametrize(
    "settings", [{}, {"exec": {"local": True}}, {"exec": {"ssh": "web1", "path": "/var/www/html"}}]
)
def test_what_is_not_known_or_on_another_machine_is_asked_for(settings: dict[str, Any]) -> None:
    found = sources_of(component("wordpress", **settings), ALLOY)
    assert found.sources == ()
    assert "write in stack.yaml, at clients.acme.components.wordpress" in found.advice[0]


def test_what_a_containers_runtime_puts_around_lines_is_known_by_the_path() -> None:
    paths = {
        "/var/lib/docker/containers/ab/ab-json.log": Wrapping.DOCKER,
        "/var/log/pods/x/0.log": Wrapping.CRI,
        "/var/log/nginx/access.log": Wrapping.NONE,
    }
    assert {path: Source("server", Kind.FILE, path).wrapping for path in paths} == paths


def test_different_names_have_different_identifiers_and_all_are_alloys() -> None:
    names = [
        ("a-b", "c"),
        ("a", "b-c"),
        ("a", "b", "c"),
        ("a--b", "c"),
        ("a-b-c",),
        ("a", "b--c"),
        ("a---b", "c"),
        ("1",),
    ]
    found = [identifier(*words) for words in names]
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in found)


def test_brackets_in_a_path_are_its_own_and_a_star_is_any() -> None:
    assert pattern("/srv/[old] {x}/a?b\\*.log") == "/srv/\\[old\\] \\{x\\}/a\\?b\\\\*.log"


def test_one_rule_serves_all_places_of_a_stream_and_zone() -> None:
    sources = [
        Source("access", Kind.FILE, "/a"),
        Source("access", Kind.FILE, "/b"),
        Source("access", Kind.FILE, "/c", "Europe/Berlin"),
        Source("access", Kind.FILE, "/a"),
    ]
    assert [(stream.name, len(stream.sources)) for stream in streams(REF, sources)] == [
        ("agencystack__acme__wordpress__access", 2),
        ("agencystack__acme__wordpress__access__2", 1),
    ]
    names = component_names("\n".join(collection(REF, sources, RECEIVER)))
    assert len(names) == len(set(names)) == 8
    assert names.count("loki.process.agencystack__acme__wordpress__access") == 1


def test_the_container_is_meant_exactly() -> None:
    text = "\n".join(collection(REF, [Source("server", Kind.DOCKER, "acme.wp")], RECEIVER))
    assert r"^/?acme\.wp$" in text, "acmeXwp and acme.wp2 are others"


def test_promtail_gets_one_job_for_each_place() -> None:
    sources = [
        Source("access", Kind.FILE, "/a*.log"),
        Source("access", Kind.FILE, "/b"),
        Source("php", Kind.DOCKER, "c"),
    ]
    found = list(jobs(REF, sources))
    assert [job["job_name"] for job in found] == [
        "agencystack/acme/wordpress/access",
        "agencystack/acme/wordpress/access-2",
        "agencystack/acme/wordpress/php",
    ]
    assert found[0]["static_configs"] == [{"targets": ["localhost"], "labels": {"__path__": "/a*.log"}}]
    assert found[2]["docker_sd_configs"][0]["filters"] == [{"name": "name", "values": ["^/?c$"]}]
    assert found[0]["pipeline_stages"]
