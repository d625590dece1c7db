"""Files that only a program of the same or a newer version may read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agencystack.stack.errors import ConfigurationError

SCHEMA = 1
"""The form of records and ledger entries; raised with a migration, never without."""

Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, model: type[Model], without_it: str) -> Model | None:
    """Read a record; None where there is none, also when another run removes it at this moment.

    Args:
        path: the file.
        model: what it holds.
        without_it: what is lost where it cannot be restored, for the remedy.

    Raises:
        ConfigurationError: it is damaged, cannot be read, or was written by a newer version.
    """
    try:
        raw = json.loads(path.read_bytes())
        found = raw.get("schema_version", 0)
        if found > SCHEMA:
            raise ConfigurationError(
                f"the record {path} was written by a newer version (schema {found}, we know {SCHEMA})",
                remedy="update agencystack",
            )
        return model.model_validate(raw)
    except FileNotFoundError:
        return None
    except (ValidationError, OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"cannot read the record {path}: {error.__class__.__name__}",
            remedy=f"restore it with: agencystack restore; {without_it}",
        ) from error
