"""A double of Frappe for the app's bridge: one connection with its callbacks, and a database that only remembers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

BRIDGE = Path(__file__).parents[2] / "plugins/erpnext/agencystack_connector/agencystack_connector/bridge"


class Callbacks:
    """Frappe's CallbackManager."""

    def __init__(self) -> None:
        self.functions: list[Callable[[], object]] = []

    def add(self, function: Callable[[], object]) -> None:
        self.functions.append(function)

    def run(self) -> None:
        while self.functions:
            self.functions.pop(0)()

    def reset(self) -> None:
        self.functions.clear()


class Database:
    """A connection: what is asked of it is remembered, and ends of transactions run what waits for them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.log: list[str] = []
        self.answers: list[tuple[str, Any]] = []
        self.before_commit, self.after_commit = Callbacks(), Callbacks()
        self.before_rollback, self.after_rollback = Callbacks(), Callbacks()

    def sql(self, query: str, values: Any = None) -> Any:
        self.asked.append((query, values))
        for words, answer in self.answers:
            if words in query:
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return ()

    def commit(self) -> None:
        self.before_rollback.reset()
        self.after_rollback.reset()
        self.before_commit.run()
        self.log.append("commit")
        self.after_commit.run()

    def rollback(self, *, save_point: str = "") -> None:
        if save_point:
            self.log.append("back")
            return
        self.before_commit.reset()
        self.after_commit.reset()
        self.log.append("rollback")
        self.after_rollback.run()

    def savepoint(self, name: str) -> None:
        self.log.append("savepoint")


class QueryDeadlockError(Exception):
    """Frappe's name of MariaDB's 1213."""


class QueryTimeoutError(Exception):
    """Frappe's name of MariaDB's 1205."""


class ValidationError(Exception):
    """Frappe's."""


class TimestampMismatchError(ValidationError):
    """Frappe's."""


class UniqueValidationError(ValidationError):
    """Frappe's."""


class DuplicateEntryError(Exception):
    """Frappe's."""


class DoesNotExistError(ValidationError):
    """Frappe's."""


class BridgeDouble:
    """Frappe as a test of the bridge sees it."""

    def __init__(self) -> None:
        self.db = Database()
        self.lost: list[str] = []
        self.module = ModuleType("frappe")
        self.module.__dict__.update(
            __path__=[],
            db=self.db,
            local=SimpleNamespace(),
            flags=SimpleNamespace(),
            QueryDeadlockError=QueryDeadlockError,
            QueryTimeoutError=QueryTimeoutError,
            ValidationError=ValidationError,
            TimestampMismatchError=TimestampMismatchError,
            UniqueValidationError=UniqueValidationError,
            DuplicateEntryError=DuplicateEntryError,
            DoesNotExistError=DoesNotExistError,
            logger=lambda name: SimpleNamespace(exception=self.lost.append),
            clear_messages=lambda: None,
            get_message_log=list,
        )

    def load(self, name: str) -> Any:
        """Return one of the bridge's modules, without the package's own calls."""
        return import_module(f"agencystack_connector.bridge.{name}")


@contextmanager
def installed(**others: dict[str, Any]) -> Iterator[BridgeDouble]:
    """Put the double in place of Frappe; the app's modules are loaded anew around it.

    Args:
        others: further modules, by name with ``__`` for dots, and what they hold.
    """
    site = BridgeDouble()
    package = ModuleType("agencystack_connector.bridge")
    package.__path__ = [str(BRIDGE)]
    modules = {
        "frappe": site.module,
        "frappe.utils": ModuleType("frappe.utils"),
        "agencystack_connector.bridge": package,
        **{name.replace("__", "."): ModuleType(name.replace("__", ".")) for name in others},
    }
    modules["frappe.utils"].__dict__.update(now=lambda: "2026-11-23 09:00:00")
    for name, contents in others.items():
        modules[name.replace("__", ".")].__dict__.update(contents)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("agencystack_connector")}
    sys.modules.update(modules)
    try:
        yield site
    finally:
        for name in [*modules, *(name for name in sys.modules if name.startswith("agencystack_connector"))]:
            sys.modules.pop(name, None)
        sys.modules.update(before)
