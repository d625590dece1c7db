"""Every mistake in stack.yaml has its line, what is wrong and what to write; a secret in it is never repeated."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from agencystack.stack import schema
from agencystack.stack.errors import ComponentRef, ConfigurationError, ExitCode, UsageError
from agencystack.stack.load import Mistake, StackMistakes, load, load_text
from agencystack.stack.model import ApplicationSettings
from agencystack.stack.products import KNOWN_COMPONENTS
from agencystack.stack.references import SecretReference

CANARY = "hunter2-canary-value"

FULL = """\
version: 1
shared:
  components:
    mailu:
      url: https://mail.agency.example
      api_token: env:MAILU_API_TOKEN
      submission: {host: mail.agency.example, port: 465, security: tls}
      imap: {port: 993}
    uptime-kuma: {url: "http://127.0.0.1:3001"}
clients:
  acme:
    domain: acme.example
    components:
      wordpress:
        url: https://acme.example
        exec: {docker: acme_wordpress, ssh: root@web1, user: www-data, path: /var/www/html}
        sends_from: [192.0.2.7, 10.0.0.0/8, "2001:db8::/32"]
        mailer: connector
      erpnext: {url: https://erp.acme.example, api_key: secret:acme/erp-key, api_secret: file:/etc/erp/secret}
      chatwoot: {url: https://chat.acme.example, env_file: /opt/chatwoot/.env, restart: [docker, restart, chatwoot]}
      listmonk: {url: https://news.acme.example, api_user: agencystack, api_token: secret:acme/listmonk}
      wiki:
        custom: true
        url: https://wiki.acme.example
        settings: {theme: dark, depth: [1, 2], nothing: null}
        credentials: {token: env:WIKI_TOKEN}
    integrations:
      email:
        wordpress: {sender: shop@acme.example, sender_name: Acme Shop, replace: true}
        wiki: {settings: {footer: "sent by the wiki"}}
  beta:
    domain: beta.example
    components:
      mailu: {url: https://mail.beta.example, api_token: secret:beta/mailu}
"""


def test_a_full_stack_is_read() -> None:
    stack = load_text(FULL)
    found = stack.component("acme", "mailu")
    assert found is not None
    ref, mailu = found
    assert (ref, mailu.url) == (ComponentRef("shared", "mailu"), "https://mail.agency.example")
    own = stack.component("beta", "mailu")
    assert own is not None
    assert own[0] == ComponentRef("beta", "mailu"), "a client's own component comes before the shared one"
    assert stack.component("acme", "grafana") is None
    assert set(stack.components("shared")) == {"mailu", "uptime-kuma"}
    assert stack.application("acme", "email", "wordpress").sender == "shop@acme.example"
    assert stack.application("beta", "email", "wordpress") == ApplicationSettings()


def test_secrets_a_stack_needs_are_listed_by_place() -> None:
    stack = load_text(FULL)
    references = stack.secret_references()
    assert references["shared.components.mailu.api_token"] == SecretReference("env", "MAILU_API_TOKEN")
    assert references["clients.acme.components.wiki.credentials.token"] == SecretReference("env", "WIKI_TOKEN")
    assert len(references) == 6
    assert list(stack.secret_references([ComponentRef("beta", "mailu")])) == ["clients.beta.components.mailu.api_token"]


def test_unknown_client_and_component_are_usage_errors() -> None:
    stack = load_text(FULL)
    with pytest.raises(UsageError, match="no client acm") as client:
        stack.components("acm")
    assert client.value.remedy == "did you mean acme?"
    with pytest.raises(UsageError, match="acme has no component wordpres,") as component:
        stack.required_component("acme", "wordpres")
    assert component.value.remedy == "did you mean wordpress?"
    with pytest.raises(UsageError) as far:
        stack.required_component("beta", "grafana")
    assert far.value.remedy == "there are: mailu, uptime-kuma"
    assert stack.required_component("beta", "mailu")[0] == ComponentRef("beta", "mailu")


def _change(old: str, new: str) -> str:
    assert FULL.count(old) == 1, f"{old!r} must stand once in the full example"
    return FULL.replace(old, new)


# text, line of the mistake, path, what is wrong, what to write
MISTAKES: dict[str, tuple[str, int, str, str, str]] = {
    "unknown key": (_change("mailer: connector", "mailr: connector"), 18, ".wordpress.mailr", "not a key", "mailer"),
    "unknown top key": (FULL + "cleints: {}\n", 35, "cleints", "not a key", "clients"),
    "unknown component": (_change("      erpnext: {", "      erpnxt: {"), 19, ".erpnxt", "not a component", "erpnext"),
    "literal secret": (_change("env:MAILU_API_TOKEN", CANARY), 6, ".api_token", "in clear", "env:NAME"),
    "literal credential": (_change("env:WIKI_TOKEN", CANARY), 26, ".credentials.token", "in clear", "env:NAME"),
    "unknown scheme": (_change("env:MAILU_API_TOKEN", f"vault:{CANARY}"), 6, ".api_token", "scheme", "secret:NAME"),
    "secret as number": (_change("env:MAILU_API_TOKEN", "4711"), 6, ".api_token", "reference", "env:NAME"),
    "client id": (_change("  beta:", "  Beta_1:"), 31, "clients.Beta_1", "cannot name a client", "lower-case"),
    "client shared": (_change("  beta:", "  shared:"), 31, "clients.shared", "cannot name a client", "lower-case"),
    "url": (_change("url: https://acme.example", "url: acme.example"), 15, ".wordpress.url", "web address", "https://"),
    "url with password": (
        _change("url: https://acme.example", f"url: https://u:{CANARY}@acme.example"),
        15,
        ".wordpress.url",
        "web address",
        "without user name",
    ),
    "port in url": (_change("127.0.0.1:3001", "127.0.0.1:99999"), 9, ".uptime-kuma.url", "web address", "https://"),
    "network": (_change("10.0.0.0/8", "10.0.0.1/8"), 17, ".sends_from.1", "network", "10.0.0.0/8"),
    "e-mail": (_change("shop@acme.example", "shop at acme"), 29, ".sender", "mail address", "shop@acme.example"),
    "domain": (_change("domain: beta.example", "domain: https://beta"), 32, "beta.domain", "domain", "acme.example"),
    "exec two ways": (_change("{docker: acme_wordpress,", "{local: true,"), 16, ".exec", "two ways", "local: true"),
    "exec no way": (_change("docker: acme_wordpress, ssh: root@web1, ", ""), 16, ".exec", "does not say", "ssh: HOST"),
    "option as ssh host": (_change("root@web1", "-oProxyCommand=x"), 16, ".exec.ssh", "host", "USER@HOST"),
    "relative path": (_change("/var/www/html", "www"), 16, ".exec.path", "absolute", "begins with /"),
    "missing value": (_change(", api_user: agencystack", ""), 21, ".listmonk.api_user", "missing", "api_user"),
    "missing domain": (_change("    domain: beta.example\n", ""), 31, "clients.beta.domain", "missing", "domain"),
    "wrong type": (_change("replace: true", 'replace: "yes"'), 29, ".replace", "true or false", "without quotes"),
    "port as text": (_change("port: 993", 'port: "993"'), 8, ".imap.port", "whole number", "without quotes"),
    "port out of range": (_change("port: 993", "port: 99300"), 8, ".imap.port", "out of range", "65535"),
    "choice": (_change("mailer: connector", "mailer: sendmail"), 18, ".mailer", "not known", "wp-mail-smtp"),
    "half a login": (_change("mailer: connector", "api_user: me"), 15, ".wordpress", "half of a login", "both"),
    "not a list": (_change("[docker, restart, chatwoot]", "restart it"), 20, ".restart", "list", "dash"),
    "not a mapping": (_change("{port: 993}", "[993]"), 8, ".imap", "keys and values", "key: value"),
    "empty": (_change("mailer: connector", "mailer:"), 18, ".mailer", "no value", "remove the key"),
    "doubled key": (FULL + "version: 1\n", 35, "version", "second time", "once"),
    "doubled secret": (
        _change("      api_token: env:MAILU_API_TOKEN", f"      api_token: env:X\n      api_token: {CANARY}"),
        7,
        ".api_token",
        "second time",
        "once",
    ),
    "type": (_change("      email:", "      emial:"), 28, "integrations.emial", "type of integration", "email"),
    "application": (
        _change("        wordpress: {sender", "        wordpres: {sender"),
        29,
        "wordpres",
        "",
        "wordpress",
    ),
    "key of application": (_change("sender_name:", "sendername:"), 29, ".sendername", "not a key", "sender_name"),
    "version": (_change("version: 1", "version: 2"), 1, "version", "not known", "1"),
    "not YAML": (_change("mailer: connector", f"mailer: {CANARY}: x"), 18, "the file", "not YAML", "quotes"),
    "tab": (_change("        mailer: connector", "\t- mailer"), 18, "the file", "not YAML", "tabs"),
    "unknown alias": (_change("env:MAILU_API_TOKEN", f"*{CANARY}"), 6, "the file", "not YAML", "quotes"),
    "unknown tag": (_change("env:MAILU_API_TOKEN", f"!{CANARY} x"), 6, ".api_token", "tag", "quotes"),
    "merge key": (_change("mailer: connector", "<<: {mailer: connector}"), 18, ".wordpress", "key", "no merge"),
    "custom name": (_change("      wiki:\n", "      Wiki_:\n"), 22, ".Wiki_", "name", "lower-case"),
}


@pytest.mark.parametrize(("text", "line", "path", "wrong", "write"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_is_named(text: str, line: int, path: str, wrong: str, write: str) -> None:
    with pytest.raises(StackMistakes) as caught:
        load_text(text)
    [mistake] = [found for found in caught.value.mistakes if path in str(found)]
    assert mistake.line == line
    assert wrong in mistake.wrong
    assert write in mistake.write
    assert CANARY not in str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE


def test_all_mistakes_come_at_once_in_order() -> None:
    text = _change("mailer: connector", "mailer: sendmail").replace("env:MAILU_API_TOKEN", CANARY) + "version: 1\n"
    with pytest.raises(StackMistakes, match=r"stack\.yaml has 3 mistakes") as caught:
        load_text(text)
    assert [mistake.line for mistake in caught.value.mistakes] == [6, 18, 35]


def test_missing_values_are_listed_for_the_answer() -> None:
    text = "version: 1\nclients:\n  acme:\n    components:\n      erpnext: {url: https://erp.example}\n"
    with pytest.raises(StackMistakes) as caught:
        load_text(text)
    erpnext = "clients.acme.components.erpnext"
    assert set(caught.value.missing) == {"clients.acme.domain", f"{erpnext}.api_key", f"{erpnext}.api_secret"}


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n"])
def test_something_else_than_a_stack(text: str) -> None:
    with pytest.raises(StackMistakes) as caught:
        load_text(text)
    assert caught.value.mistakes == (
        Mistake(1, 1, "", "is not a mapping", "version: 1, then clients: with one entry a client"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "version: &a [*a]\n",
        "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]),
        "[" * 3000,
        "a: \x00",
    ],
    ids=["alias of itself", "aliases without end", "brackets", "control character"],
)
def test_hostile_yaml_ends_quickly_in_a_mistake(text: str) -> None:
    with pytest.raises(StackMistakes):
        load_text(text)


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no .*stack\.yaml") as caught:
        load(tmp_path / "stack.yaml")
    assert "agencystack init" in caught.value.remedy


def test_folder_and_binary_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path)
    (tmp_path / "stack.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StackMistakes, match="is not text"):
        load(tmp_path / "stack.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_unreadable_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").write_text(FULL)
    (tmp_path / "stack.yaml").chmod(0)
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path / "stack.yaml")


# The JSON Schema


def _plain(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_shipped_schema_is_current() -> None:
    shipped = resources.files("agencystack").joinpath("schemas/stack.schema.json").read_text()
    assert shipped == schema.as_text(), "python -m agencystack.stack.schema > src/agencystack/schemas/stack.schema.json"


def test_schema_is_a_schema_and_accepts_a_full_stack() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.stack_schema())
    jsonschema.validate(_plain(FULL), schema.stack_schema())


# What only reading can say: YAML itself, bits of a network, and names that must be installed.
BEYOND_SCHEMA = {
    *("network", "application", "doubled key", "doubled secret", "not YAML", "tab"),
    *("unknown alias", "unknown tag", "merge key"),
}


@pytest.mark.parametrize("name", sorted(set(MISTAKES) - BEYOND_SCHEMA))
def test_schema_refuses_what_reading_refuses(name: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_plain(MISTAKES[name][0]), schema.stack_schema())


def test_schema_knows_every_component() -> None:
    text = json.dumps(schema.stack_schema())
    assert [name for name in KNOWN_COMPONENTS if f'"{name}"' not in text] == []
