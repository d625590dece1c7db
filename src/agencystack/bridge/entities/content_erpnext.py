"""Blog Posts and Web Pages: the part both share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from agencystack.bridge import normal
from agencystack.bridge.entities import content
from agencystack.bridge.entities.shared import LONGEST_NAME, Custom, SharedErpNextForm, real_name, safe_name
from agencystack.bridge.record import Fields
from agencystack.bridge.side import Operation, Outcome
from agencystack.bridge.sides.erpnext.documents import Documents, Made, Saved, Step
from agencystack.bridge.sides.erpnext.form import Native

_TOKEN_END = 6
_SAME_TITLE = "another text in ERPNext has this title"


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

    _taken: frozenset[str] = frozenset()

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

    def made(self, operation: Operation, values: Mapping[str, Any]) -> list[Step]:
        """Return the steps that make a text.

        ERPNext names it by its title, and refuses a second one of that name (409), whatever name is sent. Such a one is
        made under a title of its own, and then gets its title: name and address stay.
        """
        if operation.token not in self._taken:
            return [Step("insert", self.doctype, values=values, called="main")]
        apart = f"{str(values['title'])[: LONGEST_NAME - 2 * _TOKEN_END]} {operation.token[-_TOKEN_END:]}"
        return [
            Step("insert", self.doctype, values={**values, "title": apart}, called="main"),
            Step("update", self.doctype, Made("main"), {"title": values["title"]}, called="title"),
        ]

    def apply(self, operations: Sequence[Operation]) -> Mapping[str, Outcome]:
        """Carry operations out; what has a title of another text is made once more, apart."""
        outcomes = dict(super().apply(operations))
        again = [one for one in operations if outcomes[one.token].message.startswith(_SAME_TITLE)]
        self._taken = frozenset(one.token for one in again)
        try:
            return outcomes | (dict(super().apply(again)) if again else {})
        finally:
            self._taken = frozenset()

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
        if saved.kind == "DuplicateEntryError":
            return f"{_SAME_TITLE}: {saved.message}", "give one of the two another title"
        remedies = {
            "UniqueValidationError": "another text in ERPNext has this address: change one of the two routes",
            "MandatoryError": "a mandatory field was added to this document type in ERPNext: make it optional",
        }
        return said, remedies.get(saved.kind, remedy)
