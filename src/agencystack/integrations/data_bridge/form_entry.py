"""A form that somebody fills in becomes a Lead, exactly one, and what becomes of the Lead comes back to the form."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from agencystack.bridge.serving.place import Place
from agencystack.components.wordpress import WordPress
from agencystack.engine.integration import Evidence, Proof
from agencystack.integrations.data_bridge.samples import PROBE
from agencystack.integrations.data_bridge.watching import NotSeen, Trip, opened

if TYPE_CHECKING:
    from agencystack.bridge.bridge import Bridge

LEAD = "a form entry becomes a lead"
ENTITY = "submission"
STATUS = "Replied"


class FormBecomesLead(Proof):
    """Has the site keep a form entry as any form plugin's would be, and removes all of it whatever happens.

    The connector itself marks the entry and the worker is told by that alone: this shows that what people do in
    WordPress is noticed. No mail goes out.

    Args:
        pairing: the pairing.
        domain: the client's, for an address that is its own.
        place: where the bridge keeps what it knows.
        wordpress: the site.
    """

    name = LEAD

    def __init__(self, pairing: str, domain: str, place: Place, wordpress: WordPress) -> None:
        self._pairing, self._domain, self._place, self._wordpress = pairing, domain, place, wordpress

    def run(self) -> Evidence:
        """Fill it in, and follow it."""
        email = f"{PROBE}-{secrets.token_hex(5)}@{self._domain}"
        with opened(self._place, self._pairing) as bridge:
            return _Entry(bridge, email).followed(self._wordpress)


class _Entry(Trip):
    """One form entry on its way."""

    def __init__(self, bridge: Bridge, email: str) -> None:
        super().__init__(bridge, ENTITY)
        self._email = email

    def followed(self, wordpress: WordPress) -> Evidence:
        seen: dict[str, Any] = {}
        missed = ""
        wordpress.fill_form(self._email, "A proof of AgencyStack, removed at once.")
        began = time.monotonic()
        id_ = self._id()
        try:
            name = self.wait(lambda: self.linked(id_), lambda: f"did not become a Lead: {self.why(id_)}")
            lead = str(self._communication(name).get("reference_name") or "")
            seen |= {"submission": id_, "Communication": name, "Lead": lead}
            seen["there after s"] = round(time.monotonic() - began, 2)
            if self.bridge.context.entities[ENTITY].field("lead_status").direction.reaches(self.here):
                self._answer(lead, name)
                lost = "the Lead's status did not come back"
                self.wait(lambda: self._status(id_) == STATUS, lambda: f"{lost}: {self.why(id_)}")
                seen["back"] = "status"
        except NotSeen as reason:
            missed = str(reason)
        finally:
            left = self._remove(id_)
        return self.judged(seen, missed, left, "submission, Communication and Lead")

    def _id(self) -> str:
        from agencystack.bridge.sides.wordpress.records import Kind

        found = self.shop.records.search(Kind.SUBMISSION, {"email": self._email})
        return str(found[-1]["id"])

    def _communication(self, name: str) -> Any:
        return self.erp.documents.fetch("Communication", [name])[name]

    def _status(self, id_: str) -> object:
        return self.shop.read([id_])[id_].fields.get("lead_status")

    def _answer(self, lead: str, communication: str) -> None:
        """Change the Lead as whoever looks after it would."""
        if refused := self._save("update", "Lead", lead, {"status": STATUS}):
            raise NotSeen(f"could not be changed in ERPNext: {refused}")
        self.bridge.hint(self.there, ENTITY, [communication], "proof")

    def _remove(self, id_: str) -> str:
        name = self.linked(id_)
        left = []
        if name:
            lead = str(self._communication(name).get("reference_name") or "")
            left = [self._save("delete", "Communication", name), self._save("delete", "Lead", lead)]
        left.append(self.delete(self.shop, id_))
        self.bridge.hint(self.here, ENTITY, [id_], "proof")
        self.bridge.run(max_steps=5)
        return "; ".join(filter(None, left))

    def _save(self, action: str, doctype: str, name: str, values: dict[str, str] | None = None) -> str:
        """Do one thing to one document; return why it was not done, empty where it was."""
        from agencystack.bridge.side import Result
        from agencystack.bridge.sides.erpnext.documents import Group, Step

        token = self.token()
        step = Step(action, doctype, name, values or {}, called="main")
        saved = self.erp.documents.save([Group(token, (step,))])[token]
        return "" if saved.result is Result.DONE else f"{doctype} {name}: {saved.message}"
