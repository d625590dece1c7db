"""What proofs make: records nobody orders, reads or is mailed about, named so that leftovers are recognised."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROBE = "agencystack-proof"
"""Another word than that of the users single sign-on is proven with: those are never shared."""


@dataclass(frozen=True)
class Sample:
    """One record a proof makes in WordPress.

    Args:
        entity: of what.
        kind: what WordPress calls it.
        values: its REST body.
        back: what is changed in ERPNext afterwards: canonical values, by field; empty where nothing comes back.
        search: finds leftovers of it: parameters of WordPress's list.
        mark: the field of the record that begins with :data:`PROBE`.
    """

    entity: str
    kind: str
    values: Mapping[str, Any]
    back: Mapping[str, str] = field(default_factory=dict)
    search: Mapping[str, str] = field(default_factory=dict)
    mark: str = ""


def samples(domain: str, nonce: str = "") -> Mapping[str, Sample]:
    """Return a new sample of each entity that can be proven on a client's own site, by entity.

    Args:
        domain: the client's, for an e-mail address that is its own.
        nonce: tells this run's from others'; a random one by default.
    """
    name = f"{PROBE}-{nonce or secrets.token_hex(5)}"
    made = (
        Sample(
            "customer",
            "customer",
            {"email": f"{name}@{domain}", "first_name": "AgencyStack", "last_name": "Probe"},
            {"last_name": "Probe came back"},
            {"search": PROBE, "role": "all"},
            "email",
        ),
        Sample(
            "product",
            "product",
            {
                "name": f"{name} (a proof of AgencyStack, removed at once)",
                "sku": name.upper(),
                "status": "draft",
                "catalog_visibility": "hidden",
                "virtual": True,
                "regular_price": "7.30",
            },
            {"regular_price": "8.10"},
            {"search": PROBE, "status": "any"},
            "name",
        ),
        Sample(
            "post",
            "post",
            {"title": name, "status": "draft", "content": "<p>A proof of AgencyStack, removed at once.</p>"},
            {"title": f"{name} came back"},
            {"search": PROBE, "status": "any"},
            "title",
        ),
        Sample(
            "page",
            "page",
            {"title": name, "status": "draft", "content": "<p>A proof of AgencyStack, removed at once.</p>"},
            {"title": f"{name} came back"},
            {"search": PROBE, "status": "any"},
            "title",
        ),
    )
    return {one.entity: one for one in made}
