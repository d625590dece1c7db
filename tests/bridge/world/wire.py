"""The wire between a worker and the products: at each boundary of a call the world may go on, or the worker die."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from agencystack.stack.errors import BadAnswer, ComponentRef, Unavailable

from .clock import Clock

T = TypeVar("T")

CALL_SECONDS = 0.05
FAULTS = ("lost", "happened", "garbled", "unknown", "unknown_happened", "later", "partial", "delayed")
"""What a call may meet: a timeout without effect, a timeout (or a 500) after it, an answer nobody understands, and for
writes the same told by the side itself, an overloaded product, a batch of which a part happened, and a request that
arrives after its sender gave it up."""


class Crash(BaseException):
    """The process is killed here."""


@dataclass
class Process:
    """One worker's process.

    Args:
        name: its name.
        alive: it was not killed; a dead one neither calls nor commits any more.
        looked: by product id, how far the stock history had gone when this worker last read it from ERPNext.
        freed: by product id, what people had freed by cancelling when this worker last asked for submitted orders.
    """

    name: str
    alive: bool = True
    looked: dict[str, int] = field(default_factory=dict)
    freed: dict[str, int] = field(default_factory=dict)


@dataclass
class Wire:
    """What all workers call through.

    Args:
        clock: moves a little with each call.
        calls: calls made so far.
        boundaries: boundaries passed so far.
        writes: those of them that write.
        answers_lost: how often something may have been written whose answer nobody recorded.
        faults: kind of fault by number of call.
        write_faults: kind of fault by number of writing call.
        meanwhile: what happens at a boundary, with its number.
        crash_at: the boundary at which the process that reaches it dies.
        trace: every call, in order.
        focus: the records (side, entity, id) that were read last.
        window: the record that stands between the bridge's read and its write, where a product has no compare-and-set.
    """

    clock: Clock
    calls: int = 0
    boundaries: int = 0
    writes: int = 0
    answers_lost: int = 0
    faults: dict[int, str] = field(default_factory=dict)
    write_faults: dict[int, str] = field(default_factory=dict)
    meanwhile: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    crash_at: int = 0
    trace: list[str] = field(default_factory=list)
    window: set[tuple[str, str, str]] = field(default_factory=set)
    focus: list[tuple[str, str, str]] = field(default_factory=list)
    busy: bool = False
    here: str = ""
    under_way: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock.before_leap.append(self.arrive)

    def delay(self, effect: Callable[[], None]) -> None:
        """Let something that was sent arrive a few boundaries later, or when time passes."""
        self.under_way.append(effect)
        self.meanwhile.append((self.boundaries + 5 + self.calls % 7, self.arrive))

    def arrive(self) -> None:
        """Let everything that is under way arrive."""
        while self.under_way:
            self.under_way.pop(0)()

    def boundary(self, process: Process, what: str, *, world_goes_on: bool = True) -> None:
        """Pass a boundary.

        Raises:
            Crash: the process dies here, or is dead.
        """
        if not process.alive:
            raise Crash
        self.boundaries += 1
        number = self.boundaries
        if not self.busy:
            self.here = what
        if number == self.crash_at:
            self.trace.append(f"{process.name} dies: {what}")
            process.alive = False
            self.answers_lost += 1
            raise Crash
        if world_goes_on and not self.busy:
            self._go_on(number)

    def _go_on(self, number: int) -> None:
        """Let everything happen that was planned for this boundary, or for one where nothing could."""
        due = [happens for when, happens in self.meanwhile if when <= number]
        self.meanwhile = [one for one in self.meanwhile if one[0] > number]
        self.busy = True
        try:
            for happens in due:
                happens()
        finally:
            self.busy = False

    def call(self, process: Process, what: str, effect: Callable[[str], T]) -> T:
        """Make a call.

        Args:
            process: who calls.
            what: what, for the trace.
            effect: what it does; it is told the fault that it shall show itself, or nothing.

        Raises:
            Unavailable: no answer came; whether it happened is not known.
            BadAnswer: an answer came that means nothing.
        """
        self.boundary(process, f"before {what}")
        self.calls += 1
        fault = self.faults.pop(self.calls, "")
        if what.endswith(".apply"):
            self.writes += 1
            fault = self.write_faults.pop(self.writes, "") or fault
        self.trace.append(f"{process.name} {what} {fault}".rstrip())
        self.answers_lost += fault not in ("", "lost", "later")
        self.clock.advance(CALL_SECONDS)
        where = ComponentRef("acme", what.partition(".")[0])
        if fault == "lost":
            raise Unavailable(f"{what}: no answer within 30 s", component=where, remedy="look at its log")
        answer = effect(fault)
        self.boundary(process, f"after {what}")
        if fault == "happened":
            raise Unavailable(f"{what}: 500 Internal Server Error", component=where, remedy="look at its log")
        if fault == "garbled":
            raise BadAnswer(f"{what}: <br /> Warning: something", component=where, remedy="look at its log")
        return answer
