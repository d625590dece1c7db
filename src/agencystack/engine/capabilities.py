"""The table of what integrations can do, for the documentation: `python -m agencystack.engine.capabilities`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from agencystack.engine.integration import Capability, Support
from agencystack.engine.registry import Found, load
from agencystack.stack.paths import Home

HEAD = """# What each integration can do

Made from the integrations themselves by `make schemas`; every capability that is not `unsupported` has a proof, which
`agencystack verify` runs. [Status](status.md) says what a proof is.

| Integration | Capability | | Proof | Why not, and what instead |
|---|---|---|---|---|
"""


def table(integrations: Sequence[Found]) -> str:
    """Return the page; integrations of a user's own are not in it."""
    lines = [line for found in integrations if not found.drop_in for line in _lines(found)]
    return HEAD + "".join(f"{line}\n" for line in lines)


def _lines(found: Found) -> Iterator[str]:
    for capability in found.integration.capabilities:
        cells = (found.name, capability.name, capability.support, capability.proof or "-", _remark(capability))
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _remark(capability: Capability) -> str:
    if capability.support is Support.SUPPORTED:
        return ""
    return f"{capability.reason}. Instead: {capability.alternative}"


if __name__ == "__main__":
    sys.stdout.write(table(load(Home.from_environment()).all))
