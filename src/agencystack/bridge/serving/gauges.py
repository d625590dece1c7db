"""What the bridge's numbers are called, for who serves them and who asks for them; needs no database."""

from __future__ import annotations

from collections.abc import Mapping

STATE = "state"
"""What a line of the bridge's log says happened that tells how a pairing is."""

NAMES: Mapping[str, str] = {
    "active": "agencystack_bridge_active",
    "paused": "agencystack_bridge_paused",
    "due": "agencystack_bridge_due_records",
    "waiting": "agencystack_bridge_waiting_records",
    "oldest": "agencystack_bridge_oldest_seconds",
    "conflicts": "agencystack_bridge_conflicts",
    "dead": "agencystack_bridge_dead_letters",
    "undecided": "agencystack_bridge_undecided_seconds",
    "written": "agencystack_bridge_written_records",
    "refused": "agencystack_bridge_refused_writes",
}
"""By what a number is called in the log, what Prometheus calls it; its label ``client`` is the pairing."""

WORKERS = "agencystack_bridge_workers"
"""How many workers were heard of lately, of all pairings."""
