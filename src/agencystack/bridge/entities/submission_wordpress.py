"""Form submissions as our plugin keeps them; WordPress itself and the form plugins keep none."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities.shared import SharedWordPressForm
from agencystack.bridge.record import Fields, Value
from agencystack.bridge.side import Operation
from agencystack.bridge.sides.wordpress.records import Kind, Native, Written

_ANSWERS = {"lead_status": "status", "lead_owner": "owner", "lead_notes": "notes"}
_LONGEST_SUBJECT = 140


class SubmissionOnWordPress(SharedWordPressForm):
    """A form that was filled in well; spam and what failed validation is never kept."""

    entity: ClassVar[str] = "submission"
    kind: ClassVar[Kind] = Kind.SUBMISSION

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a submission."""
        sender = native.get("sender") or {}
        form = normal.line((native.get("form") or {}).get("title")) or "Form"
        subject = normal.line(sender.get("subject"))
        return {
            "name": normal.line(sender.get("name")),
            "email": normal.email(sender.get("email")),
            "phone": normal.phone(sender.get("phone")),
            "subject": (f"{form}: {subject}" if subject else form)[:_LONGEST_SUBJECT],
            "content": _content(native),
            "consent": _consent(native.get("consent")),
            "sent": normal.utc(native.get("date_created_gmt")),
            "lead_status": normal.line(native.get("status")),
            "lead_owner": normal.line(native.get("owner")),
            "lead_notes": _notes(native.get("notes")),
        }

    def own_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what came of a submission; nothing else of it can be written."""
        values: dict[str, Any] = {_ANSWERS[name]: value or "" for name, value in fields.items() if name in _ANSWERS}
        if "notes" in values:
            values["notes"] = list(values["notes"] or ())
        return values

    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """No submission is the same as another one's Communication."""
        return []

    def refusal(self, written: Written, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        return (
            f"the plugin refused to note what came of submission {operation.id}: {written.message}",
            "update the plugin agencystack-connector; submissions older than its retention are gone for good",
        )


def _content(native: Native) -> str | None:
    """Return what was sent as HTML that holds no markup of the sender's."""
    rows = [
        (str(one.get("label") or one.get("name") or ""), _said(one.get("value"))) for one in native.get("fields") or ()
    ]
    page = native.get("page") or {}
    rows += [("Files (kept in the form's own mail)", ", ".join(map(str, native.get("files") or ())))]
    rows += [("Page", str(page.get("url") or page.get("title") or ""))]
    shown = "".join(
        f"<p><strong>{html.escape(name)}</strong><br>{_lines(said)}</p>" for name, said in rows if said.strip()
    )
    return normal.html(shown)


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value if value is not None else "")


def _lines(said: str) -> str:
    return "<br>".join(html.escape(line) for line in said.replace("\r\n", "\n").split("\n"))


def _consent(value: Any) -> Value:
    if not isinstance(value, Mapping):
        return None
    return {"given": normal.flag(value.get("given")), "text": normal.text(value.get("text"))}


def _notes(value: Any) -> tuple[Value, ...] | None:
    said = [one.get("text") if isinstance(one, Mapping) else one for one in value or ()]
    return tuple(text for one in said if (text := normal.text(one))) or None
