"""A real Keycloak for tests: started once where this machine has one, else its tests are skipped with the reason.

AGENCYSTACK_TEST_KEYCLOAK_VERSION chooses another version that scripts/sandbox-keycloak put into the user's cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agencystack.components.keycloak import AdminLogin, Keycloak
from agencystack.sandbox import keycloak_program
from agencystack.sandbox.keycloak import PORTS, KeycloakService, real_keycloak
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import ensure_ports
from agencystack.sandbox.tls import ensure_certificates
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret

WHERE = ComponentRef("shared", "keycloak")
PASSWORD = "admin-password-of-a-test"


@contextmanager
def running(root: Path) -> Iterator[KeycloakService]:
    """Run a Keycloak with its data under ``root``."""
    version = os.environ.get("AGENCYSTACK_TEST_KEYCLOAK_VERSION") or keycloak_program.VERSION
    if reason := keycloak_program.obstacle(version):
        pytest.skip(reason)
    folder = SandboxFolder(root)
    for path in (folder.run, folder.log, folder.data):
        path.mkdir(parents=True, exist_ok=True)
    ensure_certificates(folder.tls)
    service = real_keycloak(folder, ensure_ports(folder.ports_file, PORTS), Secret(PASSWORD), version)
    service.start()
    try:
        yield service
    finally:
        service.stop()


def connected(service: KeycloakService) -> Keycloak:
    """Return a client of it."""
    return Keycloak(WHERE, service.internal_url, AdminLogin(password=Secret(PASSWORD)))
