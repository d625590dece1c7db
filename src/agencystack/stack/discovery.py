"""Propose a stack from what an existing AgencyStack host shows (``facts/agencystack-host.md``); changes nothing.

Hosts differ, so each place only gives evidence: which product, whose, and where that was seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agencystack.stack import config_env
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.execution import Executor
from agencystack.stack.model import SHARED, Stack
from agencystack.stack.products import KNOWN_COMPONENTS, USUALLY_SHARED, required_credentials
from agencystack.stack.secrets import Secret

DEFAULT_CLIENT = "default"
# Stands where a required value was found nowhere; no such host can exist (RFC 2606).
UNKNOWN_HOST = "fill-in.invalid"

# Names as installed_components.txt shows them are matched by these words, as the host's own scripts do.
_WORDS = {name: name.replace("-", " ") for name in KNOWN_COMPONENTS}
_DOMAIN_VARIABLES = {name: (f"{name.replace('-', '_').upper()}_DOMAIN",) for name in KNOWN_COMPONENTS} | {
    "erpnext": ("ERPNEXT_DOMAIN", "ERPNEXT_SITE_NAME")
}
_PASSWORD_VARIABLES = {"keycloak": "KEYCLOAK_ADMIN_PASSWORD", "grafana": "GRAFANA_ADMIN_PASSWORD"}
_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+", re.IGNORECASE)
_SITE_PRODUCTS = "wordpress|erpnext|grafana|loki|keycloak"
_CONTAINERS = (
    re.compile(r"(?P<product>listmonk)-(?P<client>.+)"),
    re.compile(r"(?P<product>chatwoot)-app-(?P<client>.+)"),
    re.compile(r"agency_stack_(?P<product>wordpress|erpnext|loki|grafana|keycloak|mailu)"),
    re.compile(rf"(?P<product>{_SITE_PRODUCTS})_(?P<site>.+)"),
    re.compile(r"(?P<client>.+)_(?P<product>wordpress|erpnext|grafana|loki|promtail)"),
    re.compile(r"(?P<client>.+?)_(?P<product>keycloak)_(?P<site>.+)"),
)


@dataclass(frozen=True)
class Evidence:
    """One sign of one product.

    Args:
        client: whose; ``shared`` for all.
        product: name in ``stack.yaml``.
        source: where it was seen, for a person.
        values: keys of the component that follow from it.
    """

    client: str
    product: str
    source: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ToFillIn:
    """A value nobody could find.

    Args:
        path: where it stands in the proposal.
        remedy: how to get it.
    """

    path: str
    remedy: str


@dataclass(frozen=True)
class Proposal:
    """A stack, why it looks like this, and what it lacks.

    Args:
        stack: valid; where a value is unknown, a host under ``.invalid`` or a secret that is not sealed yet.
        sources: for each component's path, where it was seen.
        to_fill_in: what a person must supply.
        to_seal: passwords found in clear, by the name they are referred to; sealed when the proposal is accepted.
        history: lines of earlier integration scripts; they stand there for undone work too and prove nothing.
        remarks: what could not be read, and what is not used.
    """

    stack: Stack
    sources: Mapping[str, tuple[str, ...]]
    to_fill_in: tuple[ToFillIn, ...]
    to_seal: Mapping[str, Secret]
    history: tuple[str, ...]
    remarks: tuple[str, ...]


def discover(root: Path, containers: Sequence[str] = ()) -> Proposal:
    """Propose a stack from the files below ``root`` and the names of running containers.

    Args:
        root: the host's folder, ``/opt/agency_stack``.
        containers: as :func:`running_containers` returns them.
    """
    config = config_env.parse(_text(root / "config.env"))
    evidence = [
        *_from_config(config),
        *_from_containers(containers),
        *_from_folders(root),
        *_from_password_files(root),
    ]
    evidence += _from_installed_list(root, {found.product for found in evidence})
    evidence, to_seal = _with_config_passwords(evidence, config)
    return _proposal(evidence, config, to_seal, _history(root), _remarks(root, config))


def running_containers(host: Executor) -> tuple[list[str], str]:
    """Return the names of running containers, and why there are none where docker does not answer."""
    try:
        finished = host.run(["docker", "ps", "--format", "{{.Names}}"], timeout=20)
    except AgencyStackError as failure:
        return [], str(failure)
    if finished.returncode != 0:
        return [], f"docker ps: {finished.stderr.decode(errors='replace').strip()}"
    return finished.stdout.decode(errors="replace").split(), ""


def _from_config(config: Mapping[str, str]) -> Iterator[Evidence]:
    for product, names in _DOMAIN_VARIABLES.items():
        for name in names:
            if _DOMAIN.fullmatch(config.get(name, "")):
                yield Evidence(_owner(product), product, f"{name} in config.env", {"url": f"https://{config[name]}"})


def _from_containers(containers: Sequence[str]) -> Iterator[Evidence]:
    for container in containers:
        matches = (pattern.fullmatch(container) for pattern in _CONTAINERS)
        match = next(filter(None, matches), None)
        if match is None:
            continue
        found = match.groupdict()
        site = (found.get("site") or "").replace("_", ".")
        values = _container_values(found["product"], container)
        if _DOMAIN.fullmatch(site):
            values["url"] = f"https://{site}"
        client = _client_id(found.get("client") or "") or _owner(found["product"])
        yield Evidence(client, found["product"], f"container {container}", values)


def _container_values(product: str, container: str) -> dict[str, Any]:
    where: dict[str, Any] = {"docker": container}
    if product == "wordpress":
        # The official image's folder.
        where["path"] = "/var/www/html"
    values: dict[str, Any] = {"exec": where}
    if product == "chatwoot":
        values["restart"] = ["docker", "restart", container]
    return values


def _from_folders(root: Path) -> Iterator[Evidence]:
    """Look at ``clients/<id>/<component>/`` and ``<component>/<domain>/``."""
    for folder in _folders(root / "clients"):
        client = _client_id(folder.name)
        for product in KNOWN_COMPONENTS:
            if client and (folder / product).is_dir():
                yield from _from_product_folder(root, folder / product, client, product)
    for product in KNOWN_COMPONENTS:
        if any(_DOMAIN.fullmatch(folder.name) for folder in _folders(root / product)):
            yield from _from_product_folder(root, root / product, _owner(product), product)


def _from_product_folder(root: Path, folder: Path, client: str, product: str) -> Iterator[Evidence]:
    values: dict[str, Any] = {}
    domains = [child.name for child in _folders(folder) if _DOMAIN.fullmatch(child.name)]
    if domains:
        values["url"] = f"https://{domains[0]}"
    if product == "chatwoot" and (folder / ".env").is_file():
        values["env_file"] = str(folder / ".env")
    yield Evidence(client, product, f"folder {folder.relative_to(root)}", values)


def _from_password_files(root: Path) -> Iterator[Evidence]:
    """Refer to administrators' passwords that lie in files; the files are not read."""
    for product in ("keycloak", "grafana", "uptime-kuma"):
        own = [(_owner(product), root / product)]
        of_clients = [(_client_id(folder.name), folder / product) for folder in _folders(root / "clients")]
        for client, folder in own + of_clients:
            for file in sorted(folder.glob("**/admin_password.txt")):
                if client:
                    values = {"admin_password": f"file:{file}"}
                    yield Evidence(client, product, f"file {file.relative_to(root)}", values)


def _from_installed_list(root: Path, seen: Iterable[str]) -> Iterator[Evidence]:
    """The list does not say whose a product is, so it only adds what nothing else showed."""
    lines = _text(root / "installed_components.txt").lower().splitlines()
    for product, word in _WORDS.items():
        if product not in seen and any(word in line for line in lines):
            yield Evidence(_owner(product), product, "installed_components.txt")


def _with_config_passwords(
    evidence: list[Evidence], config: Mapping[str, str]
) -> tuple[list[Evidence], dict[str, Secret]]:
    """Refer to passwords of ``config.env`` by the name they will be sealed under."""
    to_seal: dict[str, Secret] = {}
    for product, variable in _PASSWORD_VARIABLES.items():
        owner = _owner(product)
        known = [found for found in evidence if (found.client, found.product) == (owner, product)]
        if config.get(variable) and known and not any("admin_password" in found.values for found in known):
            name = f"{owner}/{product}/admin-password"
            to_seal[name] = Secret(config[variable])
            values = {"admin_password": f"secret:{name}"}
            evidence = [*evidence, Evidence(owner, product, f"{variable} in config.env", values)]
    return evidence, to_seal


def _proposal(
    evidence: Sequence[Evidence],
    config: Mapping[str, str],
    to_seal: Mapping[str, Secret],
    history: tuple[str, ...],
    remarks: tuple[str, ...],
) -> Proposal:
    components: dict[str, dict[str, dict[str, Any]]] = {}
    sources: dict[str, list[str]] = {}
    for found in evidence:
        component = components.setdefault(found.client, {}).setdefault(found.product, {})
        for key, value in found.values.items():
            component.setdefault(key, value)
        sources.setdefault(_path(found.client, found.product), []).append(found.source)
    to_fill_in: list[ToFillIn] = []
    data: dict[str, Any] = {"version": 1}
    for client, products in sorted(components.items(), key=lambda item: (item[0] != SHARED, item[0])):
        for product, component in products.items():
            to_fill_in += _complete(client, product, component)
        if client == SHARED:
            data["shared"] = {"components": products}
        else:
            domain = _mail_domain(client, products, config)
            if domain == UNKNOWN_HOST:
                to_fill_in.append(ToFillIn(f"clients.{client}.domain", "the domain its mail addresses end in"))
            data.setdefault("clients", {})[client] = {"domain": domain, "components": products}
    return Proposal(
        stack=Stack.model_validate(data),
        sources={path: tuple(seen) for path, seen in sources.items()},
        to_fill_in=tuple(to_fill_in),
        to_seal=to_seal,
        history=history,
        remarks=remarks,
    )


def _complete(client: str, product: str, component: dict[str, Any]) -> Iterator[ToFillIn]:
    """Give required keys a value that is refused later, and say what belongs there."""
    path = _path(client, product)
    if "url" not in component:
        component["url"] = f"https://{UNKNOWN_HOST}"
        yield ToFillIn(f"{path}.url", "its public address")
    if product in ("wordpress", "erpnext", "chatwoot") and "exec" not in component:
        yield ToFillIn(f"{path}.exec", "how commands run where it lives: local: true, docker: CONTAINER or ssh: HOST")
    if product == "listmonk":
        component["api_user"] = "agencystack"
        yield ToFillIn(f"{path}.api_user", "make an API user of that name in Listmonk, or write another one's name")
    if product == "chatwoot" and "env_file" not in component:
        yield ToFillIn(f"{path}.env_file", "path of its .env on the machine that exec reaches")
    for key in required_credentials(product):
        name = f"{client}/{product}/{key.replace('_', '-')}"
        component[key] = f"secret:{name}"
        yield ToFillIn(f"{path}.{key}", f"{_where_from(product)}; seal it with: agencystack secret set {name}")


def _where_from(product: str) -> str:
    """Say where a person finds a credential that no file of the host holds."""
    return {
        "mailu": "API_TOKEN of mailu.env, which must also say API=true",
        "erpnext": "ERPNext, a System Manager's user page, API Access, Generate Keys",
        "listmonk": "Listmonk, Admin, Users, the API user's token",
    }[product]


def _mail_domain(client: str, products: Mapping[str, Mapping[str, Any]], config: Mapping[str, str]) -> str:
    """Return what the client's mail addresses end in: the host's domain, or the one of the web site."""
    primary = config.get("PRIMARY_DOMAIN", "")
    if client == DEFAULT_CLIENT and _DOMAIN.fullmatch(primary):
        return primary
    host = urlsplit(products.get("wordpress", {}).get("url", "")).hostname or UNKNOWN_HOST
    return host.removeprefix("www.")


def _history(root: Path) -> tuple[str, ...]:
    """Return what earlier scripts noted, with the type of integration before each line."""
    files = sorted((root / "integrations" / "state").glob("*.state"))
    lines = ((file.stem, line.strip()) for file in files for line in _text(file).splitlines())
    return tuple(f"{type_}: {''.join(filter(str.isprintable, line))}" for type_, line in lines if line)


def _remarks(root: Path, config: Mapping[str, str]) -> tuple[str, ...]:
    remarks = [f"ports.json: {line}" for line in _ports(root)]
    if not (root / "config.env").exists():
        remarks.append(f"there is no {root / 'config.env'}")
    if "MAILU_ADMIN_PASSWORD" in config:
        remarks.append("MAILU_ADMIN_PASSWORD is not used: Mailu is reached by its API token")
    return tuple(remarks)


def _ports(root: Path) -> list[str]:
    """Return the port registry's entries as they are; its shape differs between hosts, so nothing follows from it."""
    try:
        registry = json.loads(_text(root / "ports" / "ports.json") or "{}")
    except ValueError:
        return ["is not JSON"]
    entries = registry.items() if isinstance(registry, dict) else []
    return [f"{name}: {port}" for name, port in entries if isinstance(port, int | str)]


def _owner(product: str) -> str:
    """Return whose a product is when nothing says it."""
    return SHARED if product in USUALLY_SHARED else DEFAULT_CLIENT


def _client_id(name: str) -> str:
    """Return a name as a client id, or nothing where it cannot be one."""
    client = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return "" if client == SHARED else client


def _path(client: str, product: str) -> str:
    return f"shared.components.{product}" if client == SHARED else f"clients.{client}.components.{product}"


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir() and not child.is_symlink())
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""
