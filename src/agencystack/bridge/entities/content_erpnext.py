"""Blog Posts and Web Pages: the part both share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from agencystack.bridge import normal
from agencystack.bridge.entities import content
from agencystack.bridge.entities.shared import LONGEST_NAME, Custom, SharedErpNextForm, real_name, safe_name
from agencystack.bridge.record import Fields
from agencystack.bridge.side import Operation
from agencystack.bridge.sides.erpnext.documents import Documents, Saved, Step
from agencystack.bridge.sides.erpnext.form import Native

_TOKEN_END = 6


class ContentOnErpNext(SharedErpNextForm):
    """A text that ERPNext's website shows.

    Args:
        documents: the way to ERPNext's documents.
        site: ERPNext's address, for what it keeps itself (``/files/...``).
        zone: ERPNext's time zone.
        custom: further fields, by canonical name.
    """

    stem: ClassVar[str]
    """Its content field's name without ending."""

    def __init__(
        self, documents: Documents, *, site: str = "", zone: ZoneInfo | None = None, custom: Custom | None = None
    ) -> None:
        super().__init__(documents, custom)
        self.site = site
        self.zone = zone or ZoneInfo("UTC")

    def shared(self, native: Native) -> bool:
        """Leave alone what keeps no HTML: Markdown, page builder, slideshows, templates."""
        document = native.document
        kind = str(document.get("content_type"))
        return kind in content.FIELD_OF and not normal.flag(document.get("dynamic_template"))

    def text_fields(self, native: Native) -> dict[str, Any]:
        """Return the canonical values both kinds have."""
        document = native.document
        published = normal.flag(document.get("published"))
        return {
            "title": real_name(document.get("title")),
            "content": content.content_of(document, self.stem, self.site),
            "state": content.PUBLISHED if published else content.DRAFT,
            "slug": content.slug_of(document.get("route")),
        }

    def text_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return the document's values for fields both kinds have."""
        values: dict[str, Any] = {}
        if "title" in fields or native is None:
            title = normal.line(fields.get("title")) or normal.line(fields.get("slug")) or "Untitled"
            values["title"] = safe_name(title)[:LONGEST_NAME]
        if "content" in fields or native is None:
            kind = "HTML" if native is None else native.document.get("content_type")
            values["content_type"] = kind
            values[content.content_field(kind, self.stem)] = content.harmless(fields.get("content"))
        if "state" in fields or native is None:
            values["published"] = 1 if fields.get("state") == content.PUBLISHED else 0
        return values

    def own_name(self, operation: Operation) -> str:
        """Return a name nobody else has: ERPNext would take the title, and refuse a second text of the same (409)."""
        said = operation.fields.get("slug") or operation.fields.get("title")
        return f"{content.scrubbed(said)}-{operation.token[-_TOKEN_END:]}"

    def retired(self, operation: Operation) -> Sequence[Step]:
        """Return what takes a text off the website: it is not published any more."""
        return [self.update(operation, {"published": 0})]

    def filters_for(self, fields: Fields) -> Sequence[Sequence[Sequence[Any]]]:
        """Find the text whose address ends alike."""
        slug = fields.get("slug")
        return [[["route", "like", f"%{slug}"]]] if isinstance(slug, str) and slug else []

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return the texts whose address ends with exactly that slug."""
        slug = fields.get("slug")
        found: list[str] = []
        for filters in self.filters_for(fields):
            rows = self.documents.select(self.doctype, filters, ["name", "route"])
            found += [str(one["name"]) for one in rows if content.slug_of(one.get("route")) == slug]
        return found

    def refusal(self, saved: Saved, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        said, remedy = super().refusal(saved, operation)
        remedies = {
            "UniqueValidationError": "another text in ERPNext has this address: change one of the two routes",
            "DuplicateEntryError": "another text in ERPNext has this name: retry, or rename it",
            "MandatoryError": "a mandatory field was added to this document type in ERPNext: make it optional",
        }
        return said, remedies.get(saved.kind, remedy)
