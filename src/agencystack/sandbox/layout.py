"""Write the folder of a sandbox: a stack.yaml as a host with freshly installed products would have it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from agencystack.sandbox.alloy import config_folder
from agencystack.sandbox.credentials import Credentials
from agencystack.sandbox.plan import SandboxFolder, SandboxPlan
from agencystack.sandbox.ports import LOOPBACK
from agencystack.sandbox.stand_ins import (
    GRAFANA_PASSWORD,
    KEYCLOAK_PASSWORD,
    LISTMONK_USER,
    MAIL_DOMAIN,
    UPTIME_KUMA_PASSWORD,
    StandIns,
    domain_of,
)
from agencystack.sandbox.wordpress import unprivileged_user
from agencystack.sandbox.wordpress_service import real_wordpress
from agencystack.stack.files import private_folder, write_atomically
from agencystack.stack.model import SHARED
from agencystack.stack.secrets import Secret

# Who may do what, in the words of each product.
GROUPS = {
    "staff": {"wordpress": ["editor"], "erpnext": ["Sales User"]},
    "customers": {"wordpress": ["subscriber"]},
    "owners": {"wordpress": ["administrator"], "erpnext": ["Sales Manager", "System Manager"]},
}
HEADER = "# Written by agencystack sandbox. Yours to change: it is written anew only by sandbox reset.\n"


def write_layout(folder: SandboxFolder, plan: SandboxPlan, ports: Mapping[str, int]) -> None:
    """Write the stack.yaml where there is none; what a person changed in it stays.

    Args:
        folder: the sandbox.
        plan: its clients and what is real.
        ports: port by name.
    """
    if folder.stack_file.exists():
        return
    text = io.StringIO(HEADER)
    text.seek(0, io.SEEK_END)
    YAML().dump(_Writer(folder, plan, ports).stack(), text)
    write_atomically(folder.stack_file, text.getvalue().encode(), 0o644)


def make_folders(folder: SandboxFolder) -> None:
    """Make the folders of a sandbox that are missing, closed to others as far as its products allow."""
    # As root, products run as another user, who must get through to their data.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    for path in (folder.root, folder.private, folder.data, folder.wordpress, folder.chatwoot):
        if not path.exists():
            path.mkdir()
            path.chmod(mode)
    for path in (folder.run, folder.log):
        private_folder(path)


class _Writer:
    """Describes the products of one sandbox; those that are stand-ins are made on the way."""

    def __init__(self, folder: SandboxFolder, plan: SandboxPlan, ports: Mapping[str, int]) -> None:
        self._folder = folder
        self._plan = plan
        self._ports = ports
        self._credentials = Credentials(folder.credentials)
        self._stand_ins = StandIns(folder, plan, ports)

    def stack(self) -> dict[str, Any]:
        return {
            "version": 1,
            "shared": {
                "alerts_to": [f"admin@{MAIL_DOMAIN}"],
                "components": {**self._always_shared(), **self._keycloak(), **self._logs()},
            },
            "bridge": {
                "url": f"http://localhost:{self._ports['bridge']}",
                "listen": f"{LOOPBACK}:{self._ports['bridge']}",
            },
            "clients": {client: self._client(client) for client in self._plan.clients},
        }

    def _always_shared(self) -> dict[str, Any]:
        return {"mailu": self._mailu(), "uptime-kuma": self._uptime_kuma(), "grafana": self._grafana()}

    def _uptime_kuma(self) -> dict[str, Any]:
        return {
            "url": f"http://localhost:{self._ports['uptime-kuma']}",
            "admin_user": "admin",
            "admin_password": self._credentials.reference(UPTIME_KUMA_PASSWORD),
            "sends_from": [LOOPBACK],
            "sandbox": True,
        }

    def _mailu(self) -> dict[str, Any]:
        return {
            "url": f"http://localhost:{self._ports['mailu']}",
            "ca_file": str(self._folder.ca_file),
            "api_token": self._credentials.reference("mailu/api-token"),
            "hostname": "localhost",
            "logs": [self._access_log(SHARED, "mailu", "front")],
            "submission": {
                "host": "localhost",
                "port": self._ports["smtps"],
                "security": "tls",
                "starttls_port": self._ports["submission"],
            },
            "imap": {"host": "localhost", "port": self._ports["imaps"]},
            "sandbox": True,
        }

    def _keycloak(self) -> dict[str, Any]:
        if not self._plan.is_real("keycloak"):
            return {}
        port = self._ports["keycloak"]
        # Public and internal address differ, as they do where products run in containers.
        described = {
            "url": f"http://localhost:{port}",
            "internal_url": f"http://{LOOPBACK}:{port}",
            "admin_user": "admin",
            "mail_of": self._plan.clients[0],
            "admin_password": self._credentials.reference(KEYCLOAK_PASSWORD),
            "logs": [_log("server", self._folder.log / "keycloak.log")],
            "sandbox": True,
        }
        return {"keycloak": described}

    def _grafana(self) -> dict[str, Any]:
        made = self._stand_ins.grafana()
        return {
            "url": f"http://localhost:{self._ports['grafana']}",
            "admin_password": self._credentials.reference(GRAFANA_PASSWORD),
            "exec": {"local": True},
            "env_file": str(made.env),
            "restart": made.restart,
            "mail_of": self._plan.clients[0],
            "sends_from": [LOOPBACK],
            "sandbox": True,
        }

    def _logs(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._plan.is_real("loki"):
            url = f"http://{LOOPBACK}:{self._ports['loki']}"
            found["loki"] = {"url": url, "logs": [_log("server", self._folder.log / "loki.log")], "sandbox": True}
        if self._plan.is_real("alloy"):
            found["alloy"] = {
                "url": f"http://{LOOPBACK}:{self._ports['alloy']}",
                "exec": {"local": True},
                "config": str(config_folder(self._folder)),
                "logs": [_log("server", self._folder.log / "alloy.log")],
                "sandbox": True,
            }
        return found

    def _groups(self, client: str) -> dict[str, Any]:
        if not self._plan.is_real("keycloak"):
            return {}
        # What all clients share is one client's to give: here the agency's own, the first.
        agency = {"agency": {"grafana": ["Editor"]}} if client == self._plan.clients[0] else {}
        return {"groups": {**GROUPS, **agency}}

    def _client(self, client: str) -> dict[str, Any]:
        return {
            "domain": domain_of(client),
            **self._groups(client),
            "components": {
                "wordpress": self._wordpress(client),
                "erpnext": self._erpnext(client),
                "listmonk": self._listmonk(client),
                "chatwoot": self._chatwoot(client),
            },
            # Nothing listens on port 25 here.
            "integrations": {"monitoring": {"mailu": {"settings": {"smtp_port": 0}}}},
            "data_bridge": shared_by(client, has_shop=not self._plan.real["wordpress"]),
        }

    def _wordpress(self, client: str) -> dict[str, Any]:
        if self._plan.real["wordpress"]:
            site = real_wordpress(self._folder, self._plan, self._ports).sites()[client]
            # Debian has no WP Mail SMTP, and a sandbox downloads nothing.
            logs = [_log("access", site.access_log), _log("php", site.php_log)]
            where = {"local": True, "path": str(site.path)}
            return self._common(site.url) | {"mailer": "connector", "exec": where, "logs": logs}
        stand_in = self._stand_ins.wordpress(client)
        stand_in.up()
        url = self._stand_ins.url(client, "wordpress")
        logs = [self._access_log(client, "wordpress", "access")]
        return self._common(url) | {"exec": {"local": True, "path": str(stand_in.path)}, "logs": logs}

    def _erpnext(self, client: str) -> dict[str, Any]:
        site = self._stand_ins.erpnext(client)
        key, secret = f"{client}/erpnext/api-key", f"{client}/erpnext/api-secret"
        self._credentials.keep(key, Secret(site.api_key))
        self._credentials.keep(secret, Secret(site.api_secret))
        return self._common(self._stand_ins.url(client, "erpnext")) | {
            "api_key": self._credentials.reference(key),
            "api_secret": self._credentials.reference(secret),
            "logs": [self._access_log(client, "erpnext", "access")],
        }

    def _listmonk(self, client: str) -> dict[str, Any]:
        token = self._credentials.reference(f"{client}/listmonk/api-token")
        url = self._stand_ins.url(client, "listmonk")
        return self._common(url) | {"api_user": LISTMONK_USER, "api_token": token}

    def _chatwoot(self, client: str) -> dict[str, Any]:
        made = self._stand_ins.chatwoot(client)
        where: dict[str, Any] = {"local": True, "path": str(made.folder)}
        if os.geteuid() == 0 and (user := unprivileged_user()):
            where["user"] = user.pw_name
        return self._common(self._stand_ins.url(client, "chatwoot")) | {
            "exec": where,
            "env_file": str(made.env_file),
            "restart": list(made.restart),
        }

    def _access_log(self, client: str, name: str, stream: str) -> dict[str, str]:
        return _log(stream, self._folder.access_log(client, name))

    def _common(self, url: str) -> dict[str, Any]:
        return {"url": url, "sends_from": [LOOPBACK], "sandbox": True}


def shared_by(client: str, *, has_shop: bool) -> dict[str, Any]:
    """Return what a client of the sandbox shares.

    Args:
        client: its id.
        has_shop: its WordPress has WooCommerce; Debian's real one has not.
    """
    both, in_ = {"direction": "both"}, {"direction": "to_erpnext"}
    entities: dict[str, Any] = {"customer": both, "submission": both, "post": both, "page": both}
    if not has_shop:
        return {"entities": entities, "roles": ["subscriber"]}
    shop = {"category": both, "product": both, "variation": both, "order": both, "payment": in_, "refund": in_}
    return {"entities": entities | shop, "accounting": books_of(client)}


def books_of(client: str) -> dict[str, Any]:
    """Return how the books of a client of the sandbox are kept, as its ERPNext was set up."""
    company = client.capitalize()
    own = company[0]  # the stand-in abbreviates a company by the first letter of each word
    return {
        "company": company,
        "currency": "EUR",
        "price_list": "Standard Selling",
        "warehouses": [f"Stores - {own}"],
        "taxes": {"*": f"Umsatzsteuer 19 % - {own}"},
        "payments": {"*": {"mode": "Wire Transfer", "account": f"Bank - {own}"}},
        "shipping_item": "SHIPPING",
        "fee_item": "FEE",
        "time_zone": "Europe/Berlin",
    }


def _log(stream: str, file: Path) -> dict[str, str]:
    return {"stream": stream, "file": str(file)}
