"""A stack is proposed from what a host shows, and no password of the host is shown, written or executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agencystack.stack.config_env import parse
from agencystack.stack.discovery import UNKNOWN_HOST, discover, running_containers
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.init import Question, accept, from_questions, render, render_proposal, write_stack
from agencystack.stack.load import StackMistakes, load, load_text
from agencystack.stack.local import LocalExecutor
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret

CANARY = "canary-grafana-password"

CONFIG = f"""\
# AgencyStack
export PRIMARY_DOMAIN="agency.example"
WORDPRESS_DOMAIN=www.${{PRIMARY_DOMAIN}}
ERPNEXT_SITE_NAME='erp.agency.example'
GRAFANA_DOMAIN="grafana.$PRIMARY_DOMAIN" # dashboards
KEYCLOAK_DOMAIN=$(touch %(touched)s; echo evil.example)
MAILU_DOMAIN=mail.agency.example
MAILU_ADMIN_PASSWORD=canary-mailu-password
GRAFANA_ADMIN_PASSWORD="{CANARY}"
"""

CONTAINERS = [
    *("default_wordpress", "default_mariadb", "acme_wordpress", "acme_erpnext", "acme_erpnext_db", "acme_nginx"),
    *("listmonk-acme", "chatwoot-app-acme", "grafana_grafana_agency_example", "unrelated"),
]


@pytest.fixture
def host(tmp_path: Path) -> Path:
    root = tmp_path / "opt"
    for folder in (
        "clients/acme/wordpress/shop.acme.example",
        "clients/acme/chatwoot",
        "keycloak/login.agency.example",
        "integrations/state",
        "ports",
    ):
        (root / folder).mkdir(parents=True)
    (root / "config.env").write_text(CONFIG % {"touched": tmp_path / "touched"})
    (root / "installed_components.txt").write_text("WordPress\nLoki Log Aggregation\nGrafana Monitoring\nUptime Kuma\n")
    (root / "clients/acme/chatwoot/.env").write_text("SMTP_PASSWORD=canary-chatwoot\n")
    (root / "keycloak/login.agency.example/admin_password.txt").write_text("canary-keycloak-password\n")
    (root / "integrations/state/email.state").write_text("WordPress:1.0:2025-04-01:done by hand\n")
    (root / "ports/ports.json").write_text(json.dumps({"wordpress": 8080}))
    return root


def test_products_are_found_where_they_are_and_whose_they_are(host: Path) -> None:
    stack = discover(host, CONTAINERS).stack
    assert set(stack.shared.components.by_name()) == {"mailu", "keycloak", "grafana", "loki", "uptime-kuma"}
    assert {client: set(value.components.by_name()) for client, value in stack.clients.items()} == {
        "acme": {"wordpress", "erpnext", "listmonk", "chatwoot"},
        "default": {"wordpress", "erpnext"},
    }
    default = stack.clients["default"]
    assert default.domain == "agency.example"
    assert default.components.wordpress is not None
    assert default.components.wordpress.url == "https://www.agency.example"
    assert default.components.wordpress.exec is not None
    assert default.components.wordpress.exec.docker == "default_wordpress"
    acme = stack.clients["acme"]
    assert acme.components.wordpress is not None
    assert acme.components.wordpress.url == "https://shop.acme.example"
    assert acme.components.chatwoot is not None
    assert acme.components.chatwoot.env_file == str(host / "clients/acme/chatwoot/.env")
    assert acme.components.chatwoot.restart == ("docker", "restart", "chatwoot-app-acme")
    assert stack.shared.components.grafana is not None
    assert stack.shared.components.grafana.url == "https://grafana.agency.example"


def test_each_item_says_where_it_was_found(host: Path) -> None:
    sources = discover(host, CONTAINERS).sources
    assert sources["clients.acme.components.wordpress"] == (
        "container acme_wordpress",
        "folder clients/acme/wordpress",
    )
    assert sources["shared.components.loki"] == ("installed_components.txt",)
    assert "WORDPRESS_DOMAIN in config.env" in sources["clients.default.components.wordpress"]


def test_what_nobody_knows_is_to_be_filled_in(host: Path) -> None:
    proposal = discover(host, CONTAINERS)
    paths = {lack.path for lack in proposal.to_fill_in}
    assert "shared.components.mailu.api_token" in paths
    assert "shared.components.loki.url" in paths
    assert "clients.default.components.erpnext.exec" in paths
    assert proposal.stack.shared.components.loki is not None
    assert proposal.stack.shared.components.loki.url == f"https://{UNKNOWN_HOST}"


def test_config_is_never_executed(host: Path, tmp_path: Path) -> None:
    proposal = discover(host)
    assert not (tmp_path / "touched").exists()
    keycloak = proposal.stack.shared.components.keycloak
    assert keycloak is not None
    assert keycloak.url == "https://login.agency.example", "the folder, as the variable would have to be computed"


def test_passwords_become_references(host: Path) -> None:
    proposal = discover(host, CONTAINERS)
    shared = proposal.stack.shared.components
    assert shared.grafana is not None
    assert shared.keycloak is not None
    assert str(shared.grafana.admin_password) == "secret:shared/grafana/admin-password"
    assert str(shared.keycloak.admin_password) == f"file:{host}/keycloak/login.agency.example/admin_password.txt"
    assert proposal.to_seal == {"shared/grafana/admin-password": Secret(CANARY)}
    assert "canary" not in render_proposal(proposal)
    assert "canary" not in repr(proposal)


def test_history_is_shown_and_proves_nothing(host: Path) -> None:
    proposal = discover(host)
    assert proposal.history == ("email: WordPress:1.0:2025-04-01:done by hand",)
    assert not proposal.stack.clients["default"].integrations
    assert "ports.json: wordpress: 8080" in proposal.remarks


def test_empty_host_is_an_empty_stack(tmp_path: Path) -> None:
    proposal = discover(tmp_path / "none")
    assert proposal.stack.all_components() == {}
    assert proposal.remarks == (f"there is no {tmp_path / 'none' / 'config.env'}",)
    assert load_text(render_proposal(proposal)) == proposal.stack


def test_running_containers(docker: Path) -> None:
    (docker / "containers").write_text("acme_wordpress\nacme_erpnext\n")
    assert running_containers(LocalExecutor()) == (["acme_wordpress", "acme_erpnext"], "")
    (docker / "containers").unlink()
    names, why = running_containers(LocalExecutor())
    assert names == []
    assert "Cannot connect to the Docker daemon" in why


# config.env


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("X=a", "a"),
        ("  export X=a", "a"),
        ("X='a $b \"c\"'", 'a $b "c"'),
        ('X="a \\"b\\" \\$c"', 'a "b" $c'),
        ("X=a\\ b", "a b"),
        ("X=a#b # comment", "a#b"),
        ("X=a'b'\"c\"", "abc"),
        ("A=1\nX=${A}2$A", "121"),
        ("X=${A:-fallback}", "fallback"),
        ('X="two\nlines"', "two\nlines"),
        ("X=", ""),
        ("X=a; Y=b", "a"),
        ("X=5$", "5$"),
        ("X=1\nX=2", "2"),
        ("# X=1", None),
        ("X=$(id)", None),
        ("X=`id`", None),
        ('X="$(id)"', None),
        ("X=${A:-$(id)}", None),
        ("X=$UNKNOWN", None),
        ("A=$(id)\nX=$A", None),
        ("X=${A/b/c}", None),
        ("X='open", None),
        ('X="open', None),
        ("X=1\nX=$(id)", None),
    ],
)
def test_values_are_read_as_bash_would(text: str, value: str | None) -> None:
    assert parse(text).get("X") == value


# init


def test_proposal_is_read_back_as_the_same_stack(host: Path) -> None:
    proposal = discover(host, CONTAINERS)
    text = render_proposal(proposal)
    assert load_text(text) == proposal.stack
    assert "# Found: container acme_wordpress, folder clients/acme/wordpress." in text
    assert "# Fill in: API_TOKEN of mailu.env, which must also say API=true" in text
    assert "# Fill in: exec: how commands run" in text


def _home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", tmp_path / "log", tmp_path / "etc" / "key")


def test_accepting_writes_and_seals(host: Path, tmp_path: Path) -> None:
    home = _home(tmp_path)
    sealed = SealedStore(home.secrets_dir, home.key_file)
    proposal = discover(host, CONTAINERS)
    accept(home, proposal, sealed)
    assert load(home.stack_file) == proposal.stack
    assert sealed.get("shared/grafana/admin-password") == Secret(CANARY)
    for file in home.root.rglob("*"):
        assert file.is_dir() or CANARY.encode() not in file.read_bytes()


def test_existing_stack_is_kept(tmp_path: Path) -> None:
    home = _home(tmp_path)
    write_stack(home, "version: 1 # mine\n")
    with pytest.raises(ConfigurationError, match="exists") as caught:
        write_stack(home, "version: 1\n")
    assert "--force" in caught.value.remedy
    assert home.stack_file.read_text() == "version: 1 # mine\n"
    write_stack(home, "version: 1\n", force=True)
    assert home.stack_file.read_text() == "version: 1\n"
    assert home.stack_file.with_name("stack.yaml.old").read_text() == "version: 1 # mine\n"


def test_what_is_no_stack_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(StackMistakes):
        write_stack(_home(tmp_path), "version: 7\n")
    assert not _home(tmp_path).stack_file.exists()


class Person:
    """Answers questions from a table, later answers when the first was refused; nothing typed takes the default."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[Question] = []

    def __call__(self, question: Question) -> str:
        self.asked.append(question)
        prepared = self.answers.get(question.path.replace(".", "_").replace("-", "_"), [])
        return prepared.pop(0) if prepared else ""


def test_questions_make_a_stack_that_is_read_back() -> None:
    person = Person(
        client=["acme"],
        clients_acme_domain=["", "acme.example"],
        components=["wordpress wordpres", "wordpress mailu erpnext listmonk chatwoot grafana"],
        shared_components_mailu_api_token=["hunter2-typed-by-mistake", "env:MAILU_API_TOKEN"],
        clients_acme_components_wordpress_exec=["podman:x", "docker:acme_wordpress"],
        clients_acme_components_erpnext_exec=["ssh:root@erp"],
    )
    stack = from_questions(person)
    assert load_text(render(stack)) == stack
    client = stack.clients["acme"]
    assert client.components.wordpress is not None
    assert client.components.wordpress.exec is not None
    assert (client.components.wordpress.exec.docker, client.components.wordpress.exec.path) == (
        "acme_wordpress",
        "/var/www/html",
    )
    assert client.components.erpnext is not None
    assert str(client.components.erpnext.api_key) == "secret:acme/erpnext/api-key"
    assert str(stack.secret_references()["shared.components.mailu.api_token"]) == "env:MAILU_API_TOKEN"
    problems = {question.path: question.problem for question in person.asked if question.problem}
    assert set(problems) == {
        "clients.acme.domain",
        "components",
        "shared.components.mailu.api_token",
        "clients.acme.components.wordpress.exec",
    }
    assert "hunter2" not in str(person.asked)
    assert "wordpress (did you mean that?)" in problems["components"]
