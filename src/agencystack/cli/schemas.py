"""JSON Schemas of what commands print with --json, from the models: `python -m agencystack.cli.schemas DIR`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agencystack.cli.bridge_output import BridgeConflictsOutput, BridgeRunOutput
from agencystack.cli.bridge_report import (
    BridgePreviewOutput,
    BridgeReconcileOutput,
    BridgeStatusOutput,
    BridgeStoryOutput,
)
from agencystack.cli.installation import ComponentsOutput, DoctorOutput
from agencystack.cli.logs import EntryOutput
from agencystack.cli.roles import RolesOutput
from agencystack.cli.sandbox import SandboxOutput
from agencystack.cli.terminal import DoneOutput
from agencystack.engine.report import OUTPUTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

ALL_OUTPUTS: dict[str, type[BaseModel]] = {
    **OUTPUTS,
    "components": ComponentsOutput,
    "doctor": DoctorOutput,
    "sandbox": SandboxOutput,
    "roles": RolesOutput,
    "log-entry": EntryOutput,
    "bridge-run": BridgeRunOutput,
    "bridge-preview": BridgePreviewOutput,
    "bridge-status": BridgeStatusOutput,
    "bridge-conflicts": BridgeConflictsOutput,
    "bridge-reconcile": BridgeReconcileOutput,
    "bridge-story": BridgeStoryOutput,
    "done": DoneOutput,
}
"""The models by the name of their schema: ``run`` is in ``run.schema.json``."""


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of what is printed: every key is there, also where reading would have a default."""
    return {"$schema": DIALECT, **model.model_json_schema(mode="serialization")}


def as_text(name: str) -> str:
    """Return the content of ``NAME.schema.json``."""
    return json.dumps(schema_of(ALL_OUTPUTS[name]), indent=2, sort_keys=True) + "\n"


def main(argv: Sequence[str]) -> None:
    """Write all schemas into the folder ``argv`` names."""
    for name in ALL_OUTPUTS:
        (Path(argv[0]) / f"{name}.schema.json").write_text(as_text(name))


if __name__ == "__main__":
    main(sys.argv[1:])
