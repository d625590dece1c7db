"""Form submissions as ERPNext keeps them: a Communication each, at the Lead of its sender."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from agencystack.bridge import normal
from agencystack.bridge.entities.customer_documents import dialled
from agencystack.bridge.entities.shared import LONGEST_NAME, Custom, SharedErpNextForm, safe_name
from agencystack.bridge.entities.submission import PUBLIC
from agencystack.bridge.record import Fields, Observed, Value
from agencystack.bridge.side import Action, Operation, Outcome
from agencystack.bridge.sides.erpnext.documents import TOKEN_FIELD, Document, Documents, Made, Saved, Step
from agencystack.bridge.sides.erpnext.form import Native, Watch

_LEAD, _COMMUNICATION = "Lead", "Communication"
_MAIN = "-main"
_DUPLICATE = "DuplicateEntryError"


class SubmissionOnErpNext(SharedErpNextForm):
    """A Communication of ours at a Lead.

    Args:
        documents: the way to ERPNext's documents.
        zone: ERPNext's time zone.
        custom: further fields, by canonical name; they are the Lead's.
    """

    entity: ClassVar[str] = "submission"
    doctype: ClassVar[str] = _COMMUNICATION
    which: Sequence[Sequence[Any]] = (
        [TOKEN_FIELD, "is", "set"],
        ["reference_doctype", "=", _LEAD],
    )
    watched: ClassVar[Sequence[Watch]] = (Watch(_LEAD, "name", of="reference_name"),)

    def __init__(self, documents: Documents, *, zone: ZoneInfo | None = None, custom: Custom | None = None) -> None:
        super().__init__(documents, custom)
        self.zone = zone or ZoneInfo("UTC")
        self._leads: Mapping[str, str] = {}

    def shared(self, native: Native) -> bool:
        """Leave Communications alone that no submission made."""
        return bool(native.document.get(TOKEN_FIELD)) and native.document.get("reference_doctype") == _LEAD

    def gather(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return each Communication's Lead."""
        of = {str(one["name"]): str(one.get("reference_name") or "") for one in documents}
        leads = self.documents.fetch(_LEAD, sorted({lead for lead in of.values() if lead}))
        return {name: {"lead": (leads[lead],)} for name, lead in of.items() if lead in leads}

    def own_fields(self, native: Native) -> Fields:
        """Return what came of a submission; what was sent is not read back: nobody changes what somebody said."""
        lead = next(iter(native.related.get("lead", ())), {})
        return {
            "lead_status": normal.line(lead.get("status")),
            "lead_owner": normal.line(lead.get("lead_owner")),
            "lead_notes": _public(lead.get("notes") or ()),
        }

    def fields(self, native: Native) -> Fields:
        """Return the canonical values; custom fields are the Lead's."""
        lead = next(iter(native.related.get("lead", ())), {})
        return super().fields(replace(native, document={**native.document, **_custom_of(lead, self.custom)}))

    def steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done; custom fields go to the Lead."""
        return self.own_steps(operation, native)

    def own_steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what makes the Lead, if its sender has none, and the Communication."""
        if operation.action is not Action.CREATE:
            return []
        fields = operation.fields
        there = self._leads.get(str(fields.get("email") or ""))
        lead: str | Made = there or Made("lead")
        values = {
            "communication_type": "Communication",
            "communication_medium": "Other",
            "sent_or_received": "Received",
            "subject": safe_name(str(fields.get("subject") or "Form"))[:LONGEST_NAME],
            "content": self._content(fields),
            "sender": fields.get("email") or "",
            "sender_full_name": safe_name(str(fields.get("name") or fields.get("email") or ""))[:LONGEST_NAME],
            "communication_date": normal.in_zone(_text(fields.get("sent")), self.zone),
            "reference_doctype": _LEAD,
            "reference_name": lead,
        }
        made = Step("insert", _COMMUNICATION, values=values, called="main")
        if there:
            return [made]
        return [Step("insert", _LEAD, values=self._lead(operation), called="lead"), made]

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Look up the Leads senders have already; ERPNext keeps one a person, whatever the case of the address."""
        emails = sorted({str(email) for one in operations if (email := one.fields.get("email"))})
        rows = self.documents.select(_LEAD, [["email_id", "in", emails]], ["name", "email_id"]) if emails else ()
        self._leads = {email: str(one["name"]) for one in rows if (email := normal.email(one.get("email_id")))}

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out: of several submissions of one person the first makes the Lead, the others find it."""
        outcomes: dict[str, Outcome] = {}
        rounds: list[list[Operation]] = []
        turn: dict[str, int] = {}
        for one in operations:
            email = str(one.fields.get("email") or one.token)
            number = turn.get(email, 0)
            turn[email] = number + 1
            rounds += [[]] if number == len(rounds) else []
            rounds[number].append(one)
        for each in rounds:
            outcomes |= super().apply(each)
        # Somebody else made the Lead meanwhile: now it is found.
        again = [one for one in operations if outcomes[one.token].message.startswith(_TAKEN)]
        return outcomes | (dict(super().apply(again)) if again else {})

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return names by token; where the Lead was made first, the Communication's token says so."""
        found = super().find([*tokens, *(f"{one}{_MAIN}" for one in tokens)]) if tokens else {}
        return {token.removesuffix(_MAIN): name for token, name in found.items()}

    def observed(self, id_: str, native: Native | None) -> Observed:
        """Return a Communication as the bridge sees it."""
        seen = super().observed(id_, native)
        return replace(seen, token=seen.token.removesuffix(_MAIN))

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """No Communication is the same as another submission."""
        return []

    def refusal(self, saved: Saved, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        if saved.kind == _DUPLICATE:
            return f"{_TAKEN}: {saved.message}", "retry: the submission joins the Lead that has this e-mail address"
        said, remedy = super().refusal(saved, operation)
        remedies = {
            "InvalidEmailAddressError": "ERPNext does not take this e-mail address: make the Lead by hand",
            "MandatoryError": "a mandatory field was added to Lead or Communication in ERPNext: make it optional",
        }
        return said, remedies.get(saved.kind, remedy)

    def _lead(self, operation: Operation) -> dict[str, Any]:
        fields = operation.fields
        first, _, last = str(fields.get("name") or "").rpartition(" ")
        phone = dialled(fields.get("phone"))
        own = {one.erpnext: fields[name] for name, one in self.custom.items() if name in fields}
        return {
            "first_name": safe_name(first or last or str(fields.get("email") or "Form"))[:LONGEST_NAME],
            "last_name": safe_name(last if first else "")[:LONGEST_NAME],
            "email_id": fields.get("email") or "",
            **({"phone": phone} if phone else {}),
            **own,
        }

    def _content(self, fields: Fields) -> str:
        consent = fields.get("consent")
        said = _text(fields.get("content")) or ""
        if not isinstance(consent, Mapping):
            return said
        given = "Consent given" if consent.get("given") else "Consent not given"
        return f"{said}<p><strong>{given}</strong><br>{html.escape(str(consent.get('text') or ''))}</p>"


_TAKEN = "another Lead has this e-mail address"


def _public(notes: Sequence[Document]) -> tuple[Value, ...] | None:
    said = [text for one in notes if (text := normal.plain(one.get("note")))]
    shown = [text[len(PUBLIC) :].strip() for text in said if text.casefold().startswith(PUBLIC)]
    return tuple(text for text in shown if text) or None


def _custom_of(lead: Document, custom: Custom) -> dict[str, Any]:
    return {one.erpnext: lead.get(one.erpnext) for one in custom.values()}


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None
