"""The conformance suite passes a sound integration, and catches each defect of a hostile one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agencystack.engine.integration import Capability, Evidence, Integration, Proof, Site, Support, integration
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker
from agencystack.stack.errors import ComponentRef, Refused, Unavailable
from agencystack.stack.model import Stack
from agencystack.stack.secrets import Secret
from agencystack.testing import Bench, Edit, Installation
from agencystack.testing.conformance import ConformanceSuite
from tests.engine.fakes import Product

CANARY = "canary-c0ffee-1d0"
SOUND = "sound"


class Settings(Resource):
    """The kiosk's mail settings; ``defect`` says in what they are hostile."""

    def __init__(self, kiosk: Kiosk, defect: str) -> None:
        self.component, self.key = kiosk.product.ref, "mail settings"
        self._kiosk, self._defect = kiosk, defect
        if defect == "declaring calls the product":
            kiosk.product.look("mail settings")

    def read(self) -> Reading:
        try:
            live = self._kiosk.product.look("mail settings")
        except Unavailable:
            if self._defect == "unreachable is read as absent":
                return ABSENT
            raise
        if live is None:
            return ABSENT
        fields = {
            "host": live.get("host"),
            "port": live.get("port"),
            "password": Marker.UNREADABLE if live.get("password") else None,
        }
        if self._defect == "lies about its state":
            fields["host"] = "mail.example"
        if self._defect == "shows more than changed":
            fields["port"] = 465 if live.get("host") == "mail.example" else -1
        if self._defect == "shows its secret as text":
            fields["login"] = f"kiosk:{CANARY}"
        return Reading(fields, foreign=self._foreign(fields))

    def wanted(self) -> Fields:
        wanted: dict[str, object] = {"host": "mail.example", "port": 465, "password": Secret(CANARY)}
        if self._defect == "never content":
            wanted["port"] = 465 + len(self._kiosk.product.calls)
        if self._defect == "shows its secret as text":
            wanted["login"] = f"{CANARY}:kiosk"
        return wanted  # type: ignore[return-value]

    def write(self, change: Change) -> None:
        if change.live.absent:
            self._kiosk.product.make("mail settings")
        if self._defect == "prints its secret":
            sys.stdout.write(f"logging in with {CANARY}\n")
        if self._defect == "tells its secret in an error":
            raise Refused(f"login as kiosk with {CANARY} failed", component=self.component)
        for field in change.fields:
            if not isinstance(field.after, Marker):
                self._kiosk.product.put("mail settings", field.name, field.after)
            if self._defect == "raises half-way":
                raise Refused("lost the connection half-way", component=self.component)

    def remove(self, live: Reading, before: Image) -> str:
        if self._defect != "undo forgets":
            self._kiosk.product.delete("mail settings")
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        if self._defect == "undo forgets":
            return
        super().restore(change, before, applied)

    def _foreign(self, fields: Fields) -> Foreign | None:
        if fields["host"] != "relay.elsewhere" or self._defect == "takes what is foreign":
            return None
        return Foreign("mail leaves through relay.elsewhere", Permission.REPLACE)


class Careless(Settings):
    """Puts back everything at undo, whoever changed it since."""

    def read(self) -> Reading:
        reading = super().read()
        # What a person set is shown as if we had set it.
        return Reading(None if reading.fields is None else {**reading.fields, "port": 465}, foreign=reading.foreign)


class Works(Proof):
    """The kiosk sends."""

    name = "a mail arrives"

    def __init__(self, kiosk: Kiosk, defect: str) -> None:
        self._kiosk, self._defect = kiosk, defect

    def run(self) -> Evidence:
        if self._defect == "proves without looking":
            return Evidence(ok=True, seen={"sent": True})
        if self._defect == "shows its secret as evidence":
            return Evidence(ok=not self._kiosk.lost, seen={"login": CANARY})
        if self._kiosk.lost:
            return Evidence(ok=False, reason=self._kiosk.trouble_of_the_proof)
        return Evidence(ok=True, seen={"sent": True})


@integration("email", "kiosk", version=1)
class KioskEmail(Integration):
    """Sound, or with one defect."""

    capabilities = (Capability("sends", Support.SUPPORTED, proof="a mail arrives"),)

    def __init__(self, kiosk: Kiosk, defect: str) -> None:
        self._kiosk, self._defect = kiosk, defect
        if defect == "claims what nothing shows":
            self.capabilities = (Capability("sends", Support.SUPPORTED, proof="a mail departs"),)  # type: ignore[misc]
        if defect == "unsupported without an alternative":
            self.capabilities = (Capability("sends", Support.UNSUPPORTED, reason="no"),)  # type: ignore[misc]

    def resources(self, site: Site) -> Iterator[Resource]:
        yield (Careless if self._defect == "undo takes from a person" else Settings)(self._kiosk, self._defect)

    def proofs(self, site: Site) -> Sequence[Proof]:
        return [Works(self._kiosk, self._defect)]


class Kiosk(Bench):
    """A product in memory."""

    secrets = (Secret(CANARY),)

    def __init__(self, defect: str = SOUND) -> None:
        self.product = Product(ComponentRef("acme", "kiosk"), {"pages": {"title": "Welcome"}})
        self.lost, self.trouble_of_the_proof = False, "nothing came"
        self.integration = KioskEmail(self, defect)
        component = {"custom": True, "url": "https://kiosk.example"}
        self.stack = Stack.model_validate(
            {"version": 1, "clients": {"acme": {"domain": "acme.example", "components": {"kiosk": component}}}}
        )

    def state(self) -> object:
        return self.product.snapshot()

    def calls(self) -> int:
        return len(self.product.calls)

    def edit(self) -> Edit:
        settings = self.product.things["mail settings"]
        settings["port"] = 25
        return Edit("mail settings", "port", lambda: self._port() == 25)

    def foreign(self) -> str:
        self.product.things["mail settings"] = {"host": "relay.elsewhere", "port": 587}
        return "mail settings"

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        self.product.trouble = Unavailable("does not answer", component=self.product.ref)
        yield
        self.product.trouble = None

    @contextmanager
    def failing_proof(self) -> Iterator[None]:
        self.lost = True
        yield
        self.lost = False

    def _port(self) -> object:
        return self.product.things.get("mail settings", {}).get("port")


class TestSoundIntegration(ConformanceSuite):
    """An integration without a defect passes every test."""

    @pytest.fixture
    def bench(self) -> Bench:
        return Kiosk()


@dataclass(frozen=True)
class Hostile:
    """A defect, and the test that must catch it."""

    defect: str
    caught_by: Callable[[ConformanceSuite, Installation], None]


HOSTILE = [
    Hostile("declaring calls the product", ConformanceSuite.test_resources_makes_no_call),
    Hostile("raises half-way", ConformanceSuite.test_it_is_applied_and_proven),
    Hostile("lies about its state", ConformanceSuite.test_foreign_things_are_blocked),
    Hostile("never content", ConformanceSuite.test_a_second_run_changes_nothing),
    Hostile("shows more than changed", ConformanceSuite.test_a_manual_edit_shows_as_that_field_alone),
    Hostile("undo takes from a person", ConformanceSuite.test_undo_leaves_what_a_person_changed),
    Hostile("undo forgets", ConformanceSuite.test_undo_leaves_what_was_there),
    Hostile("prints its secret", ConformanceSuite.test_secrets_are_masked_everywhere),
    Hostile("tells its secret in an error", ConformanceSuite.test_secrets_are_masked_everywhere),
    Hostile("shows its secret as text", ConformanceSuite.test_secrets_are_masked_everywhere),
    Hostile("shows its secret as evidence", ConformanceSuite.test_secrets_are_masked_everywhere),
    Hostile("unreachable is read as absent", ConformanceSuite.test_unreachable_is_never_read_as_missing),
    Hostile("proves without looking", ConformanceSuite.test_a_failing_proof_gives_unverified),
    Hostile("claims what nothing shows", ConformanceSuite.test_each_capability_names_a_proof_that_exists),
    Hostile("unsupported without an alternative", ConformanceSuite.test_each_capability_names_a_proof_that_exists),
    Hostile("takes what is foreign", ConformanceSuite.test_foreign_things_are_blocked),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.defect)
def test_a_defect_is_caught_by_the_test_of_its_name(hostile: Hostile, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        hostile.caught_by(ConformanceSuite(), Installation(Kiosk(hostile.defect), tmp_path))


def test_every_test_of_the_suite_catches_something() -> None:
    tests = {name for name in vars(ConformanceSuite) if name.startswith("test_")}
    caught = {hostile.caught_by.__name__ for hostile in HOSTILE}
    # A plan cannot write by what it is; this test guards the engine.
    assert tests - caught == {"test_a_plan_changes_nothing"}
