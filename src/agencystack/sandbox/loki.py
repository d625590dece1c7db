"""A real Loki as one service of the sandbox: one process, files, loopback, as its own packages set it up."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from agencystack.sandbox.go_programs import LOKI
from agencystack.sandbox.go_service import GoService
from agencystack.sandbox.plan import SandboxFolder
from agencystack.sandbox.ports import LOOPBACK

PORTS = ("loki", "loki-grpc")


def real_loki(
    folder: SandboxFolder, ports: Mapping[str, int], *, program: Path | None = None, old_entries: bool = False
) -> GoService:
    """Return the service of a sandbox.

    Args:
        folder: the sandbox.
        ports: port by name, with those in ``PORTS``.
        program: file of the program; default: the one in the user's cache folder.
        old_entries: take entries of any age, and find them at once: for samples recorded long ago. As it comes, Loki
            refuses what is older than a week.
    """
    home = folder.data / "loki"
    settings = home / "loki.yaml"
    text = io.StringIO()
    YAML().dump(_settings(home, ports, old_entries), text)
    return GoService(
        name="loki",
        folder=folder,
        program=program or LOKI.path(),
        arguments=(f"-config.file={settings}",),
        port=ports["loki"],
        ready="/ready",
        folders=(home,),
        files={settings: text.getvalue()},
    )


def _settings(home: Path, ports: Mapping[str, int], old_entries: bool) -> dict[str, Any]:
    index = {"prefix": "index_", "period": "24h"}
    settings: dict[str, Any] = {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": LOOPBACK,
            "http_listen_port": ports["loki"],
            "grpc_listen_address": LOOPBACK,
            "grpc_listen_port": ports["loki-grpc"],
            "log_level": "warn",
        },
        "common": {
            "path_prefix": str(home),
            "instance_addr": LOOPBACK,
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {
                "filesystem": {"chunks_directory": str(home / "chunks"), "rules_directory": str(home / "rules")}
            },
        },
        "schema_config": {
            "configs": [
                # Structured metadata needs v13.
                {"from": "2020-01-01", "store": "tsdb", "object_store": "filesystem", "schema": "v13", "index": index}
            ]
        },
        # No others join, so it need not wait 15 s for them.
        "ingester": {"lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"}},
        # Its own parts look for each other every 10 s, and it is not ready before they have met.
        "frontend": {"scheduler_dns_lookup_period": "500ms"},
        "frontend_worker": {"dns_lookup_duration": "500ms"},
    }
    if old_entries:
        settings["limits_config"] = {"reject_old_samples": False, "split_queries_by_interval": "24h"}
        # As it comes, a stream takes nothing that is an hour older than its newest entry: half of this.
        settings["ingester"]["max_chunk_age"] = "87600h"
        # Otherwise a query for what is older than 3 h does not ask where entries are until they are written out.
        settings["querier"] = {"query_ingesters_within": "0s"}
    return settings
