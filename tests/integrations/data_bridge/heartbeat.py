"""A worker that is heard of once: what the tests' systemctl starts."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from agencystack.bridge.serving.place import Place
from agencystack.bridge.serving.service import milliseconds
from agencystack.bridge.store.shifts import Shifts
from agencystack.stack.paths import Home

if __name__ == "__main__":
    root = Path(sys.argv[1])
    with Place(Home(root, root.parent / "log", root.parent / "key")).opened() as store:
        Shifts(store, milliseconds).beat(f"worker-{secrets.token_hex(3)}")
