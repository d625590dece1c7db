"""Which programs make up a sandbox here: what can be real on this machine, and what has to run for a plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agencystack.sandbox import keycloak_program
from agencystack.sandbox.alloy import real_alloy
from agencystack.sandbox.answering import (
    IMAP_GREETING,
    SMTP_GREETING,
    PortCheck,
    greets,
    greets_over_tls,
    stand_in_answers,
)
from agencystack.sandbox.bridge_service import BridgeService
from agencystack.sandbox.credentials import Credentials
from agencystack.sandbox.go_programs import ALLOY, LOKI
from agencystack.sandbox.keycloak import real_keycloak
from agencystack.sandbox.loki import real_loki
from agencystack.sandbox.mailstack import MailStack
from agencystack.sandbox.mailstack import obstacle as mailstack_obstacle
from agencystack.sandbox.plan import SandboxFolder, SandboxPlan
from agencystack.sandbox.services import Service
from agencystack.sandbox.stand_ins import KEYCLOAK_PASSWORD
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.sandbox.wordpress_service import WordPressService, real_wordpress
from agencystack.sandbox.worker import Worker


def obstacles_here(folder: SandboxFolder) -> dict[str, str]:
    """Return why a component cannot be the real product on this machine in this folder; no entry when it can."""
    unreachable = _unreachable(folder.root)
    reasons = {
        "wordpress": RealWordPress.available() or unreachable,
        "mail": mailstack_obstacle(folder),
        "keycloak": keycloak_program.obstacle(),
        "loki": LOKI.obstacle(),
        "alloy": ALLOY.obstacle(),
    }
    return {name: reason for name, reason in reasons.items() if reason}


def services_of(folder: SandboxFolder, plan: SandboxPlan, ports: Mapping[str, int]) -> list[Service]:
    """Return the programs of a sandbox."""
    services: list[Service] = [Worker(folder, *_listened(folder, plan, ports))]
    if plan.real["mail"]:
        services.append(MailStack(folder, ports))
    if plan.real["wordpress"]:
        services.append(WordPressService(real_wordpress(folder, plan, ports), folder.wordpress / "run"))
    if plan.is_real("keycloak"):
        password = Credentials(folder.credentials).ensure(KEYCLOAK_PASSWORD)
        services.append(real_keycloak(folder, ports, password))
    if plan.is_real("loki"):
        services.append(real_loki(folder, ports))
    if plan.is_real("alloy"):
        services.append(real_alloy(folder, ports))
    services.append(BridgeService(folder, ports["bridge"]))
    return services


def _listened(
    folder: SandboxFolder, plan: SandboxPlan, ports: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, PortCheck]]:
    """Return the ports of the background process, and how each shows that it answers."""
    checks: dict[str, PortCheck] = dict.fromkeys(plan.stand_in_names(), stand_in_answers)
    if not plan.real["mail"]:
        checks |= {
            "smtps": greets_over_tls(SMTP_GREETING, folder.ca_file),
            "submission": greets(SMTP_GREETING),
            "imaps": greets_over_tls(IMAP_GREETING, folder.ca_file),
        }
    return {name: ports[name] for name in checks}, checks


def _unreachable(folder: Path) -> str | None:
    """Say which folder keeps the users out that products run as when we are root; None when they can come in."""
    if os.geteuid() != 0:
        return None
    closed = [path for path in (folder, *folder.parents) if path.exists() and not path.stat().st_mode & 0o001]
    return f"{closed[0]} cannot be entered by the user it runs as" if closed else None
