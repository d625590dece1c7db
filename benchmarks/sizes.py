"""How much is measured: enough for a figure in minutes, or with ``AGENCYSTACK_BENCH=full`` what a large client has."""

from __future__ import annotations

import os

FULL = os.environ.get("AGENCYSTACK_BENCH", "") == "full"


def sized(quick: int, full: int) -> int:
    """Return a size."""
    return full if FULL else quick
