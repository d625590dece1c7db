"""Loopback ports of a sandbox: chosen once, kept, so that addresses in stack.yaml stay true after a restart."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agencystack.stack.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
# Below what kernels hand to outgoing connections (from 32768), so that none of those takes a port while we are down.
FIRST, LAST = 20_000, 32_000


def ensure_ports(path: Path, names: Iterable[str]) -> dict[str, int]:
    """Return a port for each of ``names``, from ``path``; new names get free ones.

    Args:
        path: the file that keeps them.
        names: what needs a port, such as ``mailu`` or ``acme/erpnext``.

    Raises:
        ConfigurationError: the file is damaged, or this machine has no free port left.
    """
    kept = _read(path)
    missing = [name for name in names if name not in kept]
    if missing:
        free = _free_ports(set(kept.values()))
        try:
            kept |= {name: next(free) for name in missing}
        except StopIteration:
            raise ConfigurationError(
                f"no free loopback port between {FIRST} and {LAST}", remedy="end programs that listen there"
            ) from None
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(kept, indent=2) + "\n")
        draft.replace(path)
    return kept


def taken(ports: Mapping[str, int]) -> dict[str, int]:
    """Return those of ``ports`` that some program listens on now."""
    return {name: port for name, port in ports.items() if not _is_free(port)}


def _read(path: Path) -> dict[str, int]:
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{path} is damaged: {error}", remedy="remove it, then run sandbox reset") from error
    return {str(name): int(port) for name, port in kept.items()}


def _free_ports(used: set[int]) -> Iterator[int]:
    # A random start keeps two sandboxes that begin at the same moment apart.
    count = LAST - FIRST
    start = random.randrange(count)  # noqa: S311 - not a secret
    candidates = (FIRST + (start + offset) % count for offset in range(count))
    return (port for port in candidates if port not in used and _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
