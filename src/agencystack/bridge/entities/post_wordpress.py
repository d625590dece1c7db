"""Posts as WordPress keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities import content
from agencystack.bridge.entities.content_wordpress import ContentOnWordPress
from agencystack.bridge.entities.shared import stored_term
from agencystack.bridge.record import Fields, digest
from agencystack.bridge.side import Action, Operation, Result
from agencystack.bridge.sides.wordpress.records import Kind, Native, Write
from agencystack.stack.errors import Refused

_NONE = "uncategorized"


class PostOnWordPress(ContentOnWordPress):
    """A post, with the names of its author and category, which REST embeds."""

    entity: ClassVar[str] = "post"
    kind: ClassVar[Kind] = Kind.POST

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a post."""
        first = next(iter(_terms(native)), {})
        image = next(iter(content.embedded(native, "wp:featuredmedia")), {})
        author = next(iter(content.embedded(native, "author")), {})
        return {
            **self.text_fields(native),
            "excerpt": normal.plain(content.raw(native, "excerpt")),
            "category": normal.line(first.get("name")),
            "author": normal.line(author.get("name")),
            "image": normal.line(image.get("source_url")),
            "date": normal.utc(native.get("date_gmt")) if native.get("status") in {"publish", "future"} else None,
        }

    def own_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what REST is sent; a new category takes the place of the first one, the others stay."""
        values = super().own_values(fields, native)
        if "excerpt" in fields:
            values["excerpt"] = fields["excerpt"] or ""
        if "category" in fields:
            kept = [int(one["id"]) for one in _terms(native or {})][1:]
            wanted = self._terms.get((normal.line(fields["category"]) or "").casefold())
            values["categories"] = [*([wanted] if wanted else []), *(one for one in kept if one != wanted)]
        return values

    def upon(self, operations: Sequence[Operation]) -> Mapping[str, Native]:
        """Return the posts whose category changes: their others stay."""
        ids = [one.id for one in operations if one.action is Action.UPDATE and "category" in one.fields]
        return self.records.fetch(self.kind, ids) if ids else {}

    _terms: Mapping[str, int] = {}

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Make sure of the categories posts need."""
        names = {said for one in operations if (said := normal.line(one.fields.get("category")))}
        self._terms = {name.casefold(): term for name in sorted(names) if (term := self._term(name)) is not None}

    def _term(self, name: str) -> int | None:
        try:
            return self._found_or_made(name)
        except Refused:  # a plugin that keeps no categories of posts: the post is made without one
            return None

    def _found_or_made(self, name: str) -> int | None:
        for one in self.records.search(Kind.POST_CATEGORY, {"search": stored_term(name)}):
            if (normal.line(one.get("name")) or "").casefold() == name.casefold():
                return int(one["id"])
        token = digest(["post category", name])
        made = self.records.write([Write(token, Kind.POST_CATEGORY, "create", values={"name": name})])[token]
        if made.result is Result.DONE and made.native:
            return int(made.native["id"])
        return int(made.data["term_id"]) if made.data.get("term_id") else None


def _terms(native: Native) -> list[Mapping[str, Any]]:
    return [
        one
        for one in content.embedded(native, "wp:term")
        if one.get("taxonomy") == "category" and one.get("slug") != _NONE
    ]
