"""Regular expressions as Alloy has them: Go's and RE2's are the same language, so RE2 runs them here."""

from __future__ import annotations

from functools import cache
from typing import Any

import re2  # type: ignore[import-untyped]


@cache
def compiled(expression: str) -> Any:
    """Return the compiled expression. Raises ValueError where RE2 (so Go, so Alloy) does not take it."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        raise ValueError(f"RE2 does not take {expression!r}: {error}") from error
