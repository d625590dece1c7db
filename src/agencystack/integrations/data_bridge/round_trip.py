"""A record made in WordPress appears in ERPNext, and what is changed there comes back; then both are removed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agencystack.bridge.serving.place import Place
from agencystack.engine.integration import Evidence, Proof
from agencystack.integrations.data_bridge.samples import PROBE, Sample, samples
from agencystack.integrations.data_bridge.watching import NotSeen, Trip, opened
from agencystack.stack.errors import AgencyStackError, ComponentRef

if TYPE_CHECKING:
    from agencystack.bridge.bridge import Bridge


class RoundTrip(Proof):
    """Makes one record, sees it on the other side, changes it there, sees that here; removes both whatever happens.

    Args:
        title: what is proven, for the table of proofs.
        entity: what is made.
        pairing: the pairing.
        domain: the client's.
        place: where the bridge keeps what it knows.
    """

    def __init__(self, title: str, entity: str, pairing: str, domain: str, place: Place) -> None:
        self.name = title
        self._entity, self._pairing, self._domain, self._place = entity, pairing, domain, place

    def run(self) -> Evidence:
        """Go there and back."""
        with opened(self._place, self._pairing) as bridge:
            return _RoundTrip(bridge, samples(self._domain)[self._entity]).made()


class _RoundTrip(Trip):
    """The trip of one sample."""

    def __init__(self, bridge: Bridge, sample: Sample) -> None:
        super().__init__(bridge, sample.entity)
        self._sample = sample
        self._rules = bridge.context.entities[sample.entity]

    def made(self) -> Evidence:
        swept = self._sweep()
        seen: dict[str, Any] = {"leftovers removed": swept} if swept else {}
        missed = ""
        began = time.monotonic()
        id_ = self._create()
        try:
            name = self.wait(lambda: self.linked(id_), lambda: f"did not appear in ERPNext: {self.why(id_)}")
            seen |= {"WordPress": id_, "ERPNext": name, "there after s": round(time.monotonic() - began, 2)}
            # ERPNext fills in what a text lacks (an excerpt), and that comes back before both are the same.
            self.wait(lambda: not self._different(id_, name), lambda: self._different(id_, name))
            seen |= self._back(id_, name)
        except NotSeen as reason:
            missed = str(reason)
        finally:
            left = self._remove(id_)
        return self.judged(seen, missed, left, "both; ERPNext keeps its log of deletions")

    def _create(self) -> str:
        from agencystack.bridge.sides.wordpress.records import Kind, Write

        token = self.token()
        write = Write(token, Kind(self._sample.kind), "create", values=self._sample.values)
        written = self.shop.records.write([write])[token]
        if written.native is None:
            raise AgencyStackError(
                f"could not make a {self._sample.kind} for the proof: {written.code} {written.message}",
                component=ComponentRef(self.bridge.context.pairing, "wordpress"),
                remedy="see whether the bridge's user may; then: agencystack verify data-bridge",
            )
        id_ = str(written.native["id"])
        # What the bridge's own user writes leaves no mark; the hint stands for the one a person's would leave.
        self.bridge.hint(self.here, self._sample.entity, [id_], "proof")
        return id_

    def _different(self, id_: str, name: str) -> str:
        """Say which shared fields are not the same on both sides; empty when all are."""
        from agencystack.bridge.record import same

        here, there = self.shop.read([id_])[id_].fields, self.erp.read([name])[name].fields
        fields = [field.name for field in self._rules.fields if field.direction.reaches(self.there)]
        wrong = [name for name in fields if name in here and name in there and not same(here[name], there[name])]
        plain = [name for name in wrong if isinstance(here[name], str | None)]
        return f"{', '.join(plain)} did not arrive in ERPNext as they are in WordPress" if plain else ""

    def _back(self, id_: str, name: str) -> dict[str, Any]:
        """Change it in ERPNext as a person would, and see that in WordPress."""
        from agencystack.bridge.side import Action, Operation, Result

        wanted = {
            field: value
            for field, value in self._sample.back.items()
            if self._rules.field(field).direction.reaches(self.here)
        }
        if not wanted:
            return {"back": "not shared"}
        began = time.monotonic()
        token = self.token()
        there = self.erp.read([name])[name]
        change = Operation(token, self._sample.entity, Action.UPDATE, name, wanted, there)
        outcome = self.erp.apply([change])[token]
        if outcome.result is not Result.DONE:
            raise NotSeen(f"could not be changed in ERPNext: {outcome.message}; {outcome.remedy}")
        self.bridge.hint(self.there, self._sample.entity, [name], "proof")
        lost = "what was changed in ERPNext did not come back to WordPress"
        self.wait(lambda: self._has(id_, wanted), lambda: f"{lost}: {self.why(id_)}")
        return {"back": ", ".join(wanted), "back after s": round(time.monotonic() - began, 2)}

    def _has(self, id_: str, wanted: Mapping[str, str]) -> bool:
        fields = self.shop.read([id_])[id_].fields
        return all(fields.get(name) == value for name, value in wanted.items())

    def _remove(self, id_: str) -> str:
        """Delete both halves, let the bridge see that both are gone, and say what could not be."""
        name = self.linked(id_)
        left = [self.delete(self.erp, name)] if name else []
        left.append(self.delete(self.shop, id_))
        self.bridge.hint(self.here, self._sample.entity, [id_], "proof")
        self.bridge.run(max_steps=5)
        return "; ".join(filter(None, left))

    def _sweep(self) -> int:
        """Remove what proofs that were killed left in WordPress; the bridge's half goes with it."""
        from agencystack.bridge.sides.wordpress.records import Kind

        found = self.shop.records.search(Kind(self._sample.kind), self._sample.search)
        left = [str(one["id"]) for one in found if PROBE in str(one.get(self._sample.mark)).lower()]
        for id_ in left:
            self._remove(id_)
        return len(left)
