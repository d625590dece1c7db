"""A product that lives in memory, and integrations of a few lines: a test says what is live and what happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agencystack.engine.context import Context
from agencystack.engine.integration import Evidence, Integration, Proof, Site, integration
from agencystack.engine.planning import IntegrationPlan, Key, Plan
from agencystack.engine.records import ProofRecord
from agencystack.engine.registry import Found, Registry
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.session import Session, Wish
from agencystack.engine.undoing import UndoPlan
from agencystack.engine.values import Fields, Marker, Value
from agencystack.engine.workshop import Result
from agencystack.stack.errors import AgencyStackError, ComponentRef
from agencystack.stack.model import Stack
from agencystack.stack.paths import Home
from agencystack.stack.sealed import SealedStore
from agencystack.stack.secrets import Secret

COMMAND = "agencystack integrate email"


class Product:
    """An installed product: things by name, each with fields; it outlives the runs that configure it.

    Args:
        ref: the component.
        things: what it holds at first.

    Attributes:
        calls: every call, as ``read mailbox`` or ``put mailbox name``.
        trouble: raised by every call while set.
        effect: told before and after each change; may raise what a kill would do.
    """

    def __init__(self, ref: ComponentRef, things: Mapping[str, Mapping[str, Value]] | None = None) -> None:
        self.ref = ref
        self.things: dict[str, dict[str, Value]] = {key: dict(fields) for key, fields in (things or {}).items()}
        self.calls: list[str] = []
        self.trouble: AgencyStackError | None = None
        self.effect: Callable[[str], None] = lambda _what: None

    def look(self, key: str) -> dict[str, Value] | None:
        self._called(f"read {key}")
        return None if key not in self.things else dict(self.things[key])

    def make(self, key: str) -> None:
        with self._changing(f"make {key}"):
            self.things[key] = {}

    def put(self, key: str, name: str, value: Value) -> None:
        with self._changing(f"put {key} {name}"):
            if value is None:
                self.things[key].pop(name, None)
            else:
                self.things[key][name] = value

    def delete(self, key: str) -> None:
        with self._changing(f"delete {key}"):
            del self.things[key]

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("read ")]

    def snapshot(self) -> dict[str, dict[str, Value]]:
        return {key: dict(fields) for key, fields in self.things.items()}

    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        self._called(what)
        self.effect(f"before {what}")
        yield
        self.effect(f"after {what}")

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.trouble is not None:
            raise self.trouble


class Thing(Resource):
    """One thing of a :class:`Product`.

    Args:
        product: where it lives.
        key: its name there.
        wanted: its fields, or what gives them when asked.
        hidden: fields the product takes and never shows.
        foreign: says of live fields whose they are; None where they are ours or nobody's.
        image: what to keep beside the fields.
    """

    def __init__(
        self,
        product: Product,
        key: str,
        wanted: Fields | Callable[[], Fields],
        *,
        hidden: Collection[str] = (),
        foreign: Callable[[Fields], Foreign | None] = lambda _fields: None,
        stays: str | None = None,
        after_proof: bool = False,
    ) -> None:
        self.component, self.key, self.stays, self.after_proof = product.ref, key, stays, after_proof
        self.product, self._hidden, self._foreign = product, hidden, foreign
        self._wanted = wanted if callable(wanted) else lambda: wanted

    def read(self) -> Reading:
        live = self.product.look(self.key)
        if live is None:
            return ABSENT
        fields = {name: self._shown(name, live.get(name)) for name in self._wanted()}
        return Reading(fields, {"everything": sorted(live)}, self._foreign(fields))

    def wanted(self) -> Fields:
        return self._wanted()

    def write(self, change: Change) -> None:
        if change.live.absent:
            self.product.make(self.key)
        for changed in change.fields:
            if not isinstance(changed.after, Marker):
                self.product.put(self.key, changed.name, changed.after)

    def remove(self, live: Reading, before: Image) -> str:
        self.product.delete(self.key)
        return ""

    def _shown(self, name: str, value: Value) -> Value:
        return Marker.UNREADABLE if name in self._hidden and isinstance(value, Secret) else value


class Sees(Proof):
    """A proof that answers what it is told to."""

    def __init__(self, name: str, look: Callable[[], Evidence]) -> None:
        self.name, self._look = name, look

    def run(self) -> Evidence:
        return self._look()


def passing(name: str = "it works") -> Sees:
    return Sees(name, lambda: Evidence(ok=True, seen={"answer": 42}))


Resources = Callable[[Site], Iterable[Resource]]
Proofs = Callable[[Site], Iterable[Proof]]


def make_integration(
    resources: Resources,
    proofs: Proofs | None = None,
    *,
    application: str = "app",
    type: str = "email",  # noqa: A002
    provider: str | None = None,
    version: int = 1,
    component_version: Callable[[], str | None] = lambda: None,
    former: Callable[[str], Resource | None] = lambda _key: None,
    rotate: Callable[[Site], Callable[[], None] | None] = lambda _site: None,
    all_or_nothing: bool = False,
) -> Integration:
    """Return an integration, declared as any module declares one."""

    @integration(type, application, provider=provider, version=version)
    class Made(Integration):
        def resources(self, site: Site) -> Iterable[Resource]:
            return resources(site)

        def proofs(self, site: Site) -> Iterable[Proof]:
            return [passing()] if proofs is None else proofs(site)

        def component_version(self, site: Site) -> str | None:
            return component_version()

        def former(self, site: Site, key: str) -> Resource | None:
            return former(key)

        def rotate(self, site: Site) -> Callable[[], None] | None:
            return rotate(site)

    Made.all_or_nothing = all_or_nothing
    return Made()


class Watcher:
    """Notes what a person would have seen."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.finished: list[str] = []
        self.on_step: Callable[[str], None] = lambda _what: None

    def step(self, plan: IntegrationPlan, what: str) -> None:
        self.steps.append(f"{plan.name}: {what}")
        self.on_step(what)

    def done(self, plan: IntegrationPlan, result: Result) -> None:
        self.finished.append(plan.name)


@dataclass
class World:
    """One installation with its products. Every method is one command: a new run with nothing in memory.

    Args:
        folder: an empty folder.
        clients: ids; each has the components ``app`` and ``other``, and all share ``hub``.
    """

    folder: Path
    clients: Sequence[str] = ("acme",)
    integrations: list[Integration] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What stack.yaml says for an application, by its name."""
    watcher: Watcher = field(default_factory=Watcher)

    def __post_init__(self) -> None:
        self.home = Home(self.folder / "home", self.folder / "log", self.folder / "key")
        self.hub = Product(ComponentRef("shared", "hub"))
        self.apps = {client: Product(ComponentRef(client, "app")) for client in self.clients}
        self.others = {client: Product(ComponentRef(client, "other")) for client in self.clients}

    @property
    def app(self) -> Product:
        """The application of the first client."""
        return self.apps[self.clients[0]]

    @property
    def other(self) -> Product:
        return self.others[self.clients[0]]

    @property
    def products(self) -> list[Product]:
        return [self.hub, *self.apps.values(), *self.others.values()]

    def snapshot(self) -> list[dict[str, dict[str, Value]]]:
        return [product.snapshot() for product in self.products]

    def add(self, made: Integration) -> Integration:
        self.integrations.append(made)
        return made

    def wants(self, *things: Resource, **more: Any) -> Integration:
        """Add an integration that wants ``things``."""
        return self.add(make_integration(lambda _site: things, **more))

    @contextmanager
    def session(self, command: str = COMMAND) -> Iterator[Session]:
        sealed = SealedStore(self.home.secrets_dir, self.home.key_file)
        context = Context(self.home, sealed, resolve=lambda _reference: Secret("not used here"))
        found = [Found(item, Path(__file__)) for item in self.integrations]
        opened = Session(self.stack(), Registry(found), context, command, self.watcher)
        try:
            yield opened
        finally:
            opened.close()

    def stack(self) -> Stack:
        component = {"custom": True, "url": "https://app.example"}
        client = {
            "domain": "acme.example",
            "components": {"app": component, "other": component},
            "integrations": {"email": self.told},
        }
        return Stack.model_validate(
            {
                "version": 1,
                "shared": {"components": {"hub": component}, "alerts_to": ["ops@agency.example"]},
                "clients": dict.fromkeys(self.clients, client),
            }
        )

    def plan(self, wish: Wish = Wish()) -> Plan:  # noqa: B008 - frozen
        with self.session() as opened:
            return opened.plan(opened.select(wish))

    def integrate(
        self,
        wish: Wish = Wish(),  # noqa: B008
        granted: dict[Key, Permission] | None = None,
        between: Callable[[], None] = lambda: None,
        *,
        keep: bool = False,
    ) -> list[Result]:
        """Plan and apply; ``between`` happens after the plan was shown."""
        with self.session() as opened, opened.locked(list(self.clients)):
            selection = opened.select(wish)
            made = opened.plan(selection, granted)
            between()
            return opened.integrate(made, granted, keep=keep)

    def verify(self) -> list[tuple[IntegrationPlan, list[ProofRecord]]]:
        with self.session() as opened:
            return opened.verify(opened.plan(opened.select(Wish())))

    def undo(
        self,
        wish: Wish = Wish(),  # noqa: B008
        *,
        run: str | None = None,
        force: bool = False,
    ) -> tuple[list[UndoPlan], dict[str, AgencyStackError]]:
        with self.session("agencystack undo email") as opened, opened.locked(list(self.clients)):
            plans = opened.plan_undo(opened.select(wish), run=run, force=force)
            return plans, opened.undo(plans, run=run)

    def rotate(self) -> list[Result]:
        with self.session("agencystack rotate email") as opened, opened.locked(list(self.clients)):
            return opened.rotate(opened.select(Wish()))

    def notes(self, plans: list[UndoPlan]) -> list[str]:
        return [note for plan in plans for step in plan.steps for note in step.left]


class Killed(BaseException):
    """Ends a run where a kill would: no handler of ours may catch it."""


class Tripwire:
    """Counts the points a run passes, and kills it at one of them.

    Args:
        at: number of the point, from 0; None only counts.
    """

    def __init__(self, at: int | None = None) -> None:
        self._at, self._lock = at, threading.Lock()
        self.passed: list[str] = []

    def __call__(self, what: str) -> None:
        with self._lock:
            dead = self._at is not None and len(self.passed) > self._at
            if not dead:
                self.passed.append(what)
                dead = self._at == len(self.passed) - 1
        # The other threads of a killed process do nothing more either.
        if dead:
            raise Killed(what)

    def around(self, target: type, name: str) -> Callable[..., Any]:
        """Return the method ``name`` of ``target``, with a point before and one after it."""
        method = getattr(target, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self(f"before {target.__name__}.{name}")
            answer = method(*args, **kwargs)
            self(f"after {target.__name__}.{name}")
            return answer

        return watched
