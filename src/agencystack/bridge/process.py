"""Who a process is, so that another one on the same machine can tell that it is gone.

A number of a process alone says little: it is given again, and containers count from one. With the machine's boot, the
container and the moment the process began it names one process for ever.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_BEGAN = 19
"""Field of ``/proc/PID/stat``, counted after the name in brackets: when it began (proc(5): field 22)."""


@dataclass(frozen=True)
class Process:
    """One process.

    Args:
        machine: the boot of the machine and the container; empty where that cannot be told.
        number: its number there.
        began: when it began, in ticks since the boot.
    """

    machine: str
    number: int
    began: str

    @classmethod
    def this(cls) -> Process:
        """Return this process."""
        number = os.getpid()
        return cls(_machine(), number, _began(number))

    @classmethod
    def read(cls, text: str) -> Process | None:
        """Return what :meth:`__str__` wrote, None for anything else."""
        machine, _, rest = text.partition(" ")
        number, _, began = rest.partition(" ")
        return cls(machine, int(number), began) if machine and number.isdigit() and began else None

    def __str__(self) -> str:
        return f"{self.machine} {self.number} {self.began}"

    def is_gone(self) -> bool:
        """Say whether it ran on this machine, since it was started, and runs no more; False where nobody can tell."""
        return bool(self.machine) and self.machine == _machine() and _began(self.number) != self.began


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return ""


def _began(number: int) -> str:
    try:
        stat = (_PROC / str(number) / "stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[_BEGAN]
