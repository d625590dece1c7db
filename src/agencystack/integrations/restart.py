"""The restart that a change of an application's settings calls for, remembered over a death in between."""

from __future__ import annotations

from collections.abc import Callable

from agencystack.engine.integration import SealedValue
from agencystack.stack.secrets import Secret


class OwedRestart:
    """One application's restart.

    Args:
        memory: remembers that one is owed.
        do: restarts; told whether to wait until the application answers. None where it needs no restart.
    """

    def __init__(self, memory: SealedValue, do: Callable[[bool], None] | None) -> None:
        self._memory, self._do = memory, do

    @property
    def due(self) -> bool:
        """Say that the settings were changed, or were about to be, and no restart is known to have followed."""
        return self._do is not None and self._memory.get() is not None

    def owe(self) -> None:
        """Remember that a restart is due; before the settings are touched."""
        if self._do is not None:
            self._memory.put(Secret("yes"))

    def pay(self, *, wait: bool = True) -> None:
        """Restart; what was owed is done.

        Args:
            wait: until the application answers. Not after an undo: it may never have run with what was there before.
        """
        if self._do is not None:
            self._do(wait)
            self._memory.delete()
