"""A second `integrate` with nothing to change, against the bare reads it needs, done one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agencystack.cli.terminal import Silent
from agencystack.engine.context import Context
from agencystack.engine.integration import Unsupported
from agencystack.engine.registry import load as load_integrations
from agencystack.engine.session import Session, Wish
from agencystack.stack.load import load as load_stack
from agencystack.stack.references import SecretResolver
from agencystack.stack.sealed import SealedStore
from benchmarks.measured import Measured
from benchmarks.stack import BenchStack

REPEATS = 3
SHARE_OF_THE_SUM = 0.5
WISH = Wish(types=("email",))


def measure(stack: BenchStack) -> Iterator[Measured]:
    """Yield wall time as a ratio, and what was asked of the products."""
    many = f"{stack.clients} clients" if stack.clients > 1 else "1 client"
    bare, engine = [], []
    for _ in range(REPEATS):  # in turns, so that a busy moment of the machine hits both
        bare.append(_seconds(stack, bare_reads))
        stack.forget_calls()
        engine.append(_seconds(stack, integrate))
    starts = stack.wordpress_starts()
    logins = [sum("login" in call for call in calls) for calls in stack.calls().values()]
    yield Measured(
        f"{many}, nothing to change: time / bare reads one after the other",
        min(engine) / min(bare),
        SHARE_OF_THE_SUM,
        detail=f"{min(engine):.2f} s / {min(bare):.2f} s, best of {REPEATS}",
    )
    detail = f"{sum(starts.values())} starts of {stack.clients} sites"
    yield Measured(f"{many}: starts of one WordPress", max(starts.values()), 1, "calls", detail)
    yield Measured(f"{many}: logins at one product", max(logins), 1, "calls", "all use tokens")


def bare_reads(session: Session) -> None:
    """Read what the integrations compare, with the same clients, one resource after the other; decide nothing."""
    for integration, site in session.select(WISH).sites:
        try:
            for resource in integration.resources(site):
                resource.read()
                resource.wanted()
        except Unsupported:  # a Grafana of all clients has the mailbox of one: of the others nothing is read
            continue
        integration.component_version(site)


def integrate(session: Session) -> None:
    """Do what `agencystack integrate email --auto` does."""
    selection = session.select(WISH)
    with session.locked(selection.clients):
        results = session.integrate(session.plan(selection))
    changed = [result.plan.name for result in results if result.changes]
    if changed:
        raise RuntimeError(f"there was something to change: {', '.join(changed)}")


def _seconds(stack: BenchStack, work: Callable[[Session], None]) -> float:
    with _session(stack) as session:
        began = time.perf_counter()
        work(session)
        return time.perf_counter() - began


@contextmanager
def _session(stack: BenchStack) -> Iterator[Session]:
    home = stack.home
    sealed = SealedStore(home.secrets_dir, home.key_file)
    context = Context(home, sealed, SecretResolver(sealed).resolve)
    session = Session(load_stack(home.stack_file), load_integrations(home), context, "make bench", Silent())
    try:
        yield session
    finally:
        session.close()
