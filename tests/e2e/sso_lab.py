"""A sandbox with a real Keycloak, and what an administrator does there by hand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from agencystack.sandbox import api
from tests.e2e.lab import Lab, Outcome

REALM = "agencystack"
PASSWORD = "correct horse battery staple"


class SsoLab(Lab):
    """A lab whose Keycloak is the real one, and whose WordPress is where Debian's packages are there."""

    def sso(self, *applications: str, command: str = "integrate", more: tuple[str, ...] = ()) -> Outcome:
        """Run a command for the logins of some applications; it must not ask anything."""
        chosen = [word for name in applications for word in ("--component", name)]
        auto = () if command in {"plan", "verify", "status"} else ("--auto",)
        return self.run(command, "sso", *chosen, *auto, "--json", *more)

    def url(self, name: str) -> str:
        """The address of a component, those that all clients share included."""
        return f"http://localhost:{self.ports[name]}" if name in self.ports else super().url(name)

    def proof(self, application: str, name: str) -> dict[str, Any]:
        """Verify one application and return one of its proofs."""
        proofs = self.sso(application, command="verify").json["proofs"]
        found: dict[str, Any] = next(proof for proof in proofs if proof["name"] == name)
        return found

    # -- Keycloak, as its administrator

    @cached_property
    def _keycloak(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.ports['keycloak']}", timeout=30)

    def keycloak(self, method: str, path: str, body: object = None) -> Any:
        """Call the Admin REST API below ``/admin/realms``."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin"}
        form["password"] = self.credential("keycloak/admin-password")
        token = self._keycloak.post("/realms/master/protocol/openid-connect/token", data=form).json()["access_token"]
        answer = self._keycloak.request(
            method, f"/admin/realms{path}", json=body, headers={"Authorization": f"Bearer {token}"}
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def client_of(self, client_id: str) -> dict[str, Any]:
        """Return a client as Keycloak has it."""
        [found] = self.keycloak("GET", f"/{REALM}/clients?clientId={client_id}")
        return dict(found)

    def change_client(self, client_id: str, **values: Any) -> None:
        """Change fields of a client in Keycloak's console."""
        live = self.client_of(client_id)
        self.keycloak("PUT", f"/{REALM}/clients/{live['id']}", {**live, **values})

    def group_id(self, path: str) -> str:
        """Return Keycloak's id of a group."""
        return str(self.keycloak("GET", f"/{REALM}/group-by-path{path}")["id"])

    def take_role(self, path: str, client_id: str, role: str) -> None:
        """Take a role of a client from a group."""
        client = self.client_of(client_id)["id"]
        found = self.keycloak("GET", f"/{REALM}/clients/{client}/roles/{role}")
        self.keycloak("DELETE", f"/{REALM}/groups/{self.group_id(path)}/role-mappings/clients/{client}", [found])

    def export(self) -> dict[str, Any]:
        """Return everything of the realm but its people, without what changes by itself."""
        exported = self.keycloak("POST", f"/{REALM}/partial-export?exportClients=true&exportGroupsAndRoles=true", None)
        return dict(exported)

    def person(self, name: str, *groups: str, verified: bool = True, **more: Any) -> str:
        """Make a person in Keycloak, with ``NAME@acme.example``, and return their id there."""
        values = {
            "username": name,
            "email": f"{name}@acme.example",
            "emailVerified": verified,
            "firstName": name.capitalize(),
            "lastName": "Person",
            "enabled": True,
            "groups": list(groups),
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
        self.keycloak("POST", f"/{REALM}/users", {**values, **more})
        known = quote(str(more.get("username", name)), safe="")
        [found] = self.keycloak("GET", f"/{REALM}/users?username={known}&exact=true")
        return str(found["id"])

    def remove_people(self) -> None:
        """Remove everybody from the realm, where there is one."""
        if all(realm["realm"] != REALM for realm in self.keycloak("GET", "")):
            return
        for user in self.keycloak("GET", f"/{REALM}/users?max=100"):
            self.keycloak("DELETE", f"/{REALM}/users/{user['id']}")

    def probes(self) -> list[str]:
        """Return the names of probe users in Keycloak."""
        return [user["username"] for user in self.keycloak("GET", f"/{REALM}/users?username=agencystack-probe-")]


@contextmanager
def sso_lab(clients: int = 1) -> Iterator[SsoLab]:
    """Have a sandbox with a real Keycloak and freshly installed products."""
    # Not pytest's own folder: as root, the products' users must be able to enter it.
    folder = Path(tempfile.mkdtemp(prefix="sso-"))
    folder.chmod(0o755)
    home, copies = folder / "home", folder / "copies"
    try:
        api.up(home, real=("auto", "keycloak"), clients=clients)
        copies.mkdir(mode=0o700)
        yield SsoLab(home, copies)
    finally:
        api.down(home)
        shutil.rmtree(folder)
