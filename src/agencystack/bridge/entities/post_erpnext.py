"""Posts as ERPNext keeps them: Blog Posts, with their Blog Category and Blogger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from agencystack.bridge import normal
from agencystack.bridge.entities import content
from agencystack.bridge.entities.content_erpnext import ContentOnErpNext
from agencystack.bridge.entities.images import image_of
from agencystack.bridge.entities.shared import LONGEST_NAME, real_name, safe_name
from agencystack.bridge.record import Fields, digest
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import Document, Group, Step
from agencystack.bridge.sides.erpnext.form import Native

_CATEGORY, _BLOGGER = "Blog Category", "Blogger"
_GENERAL = "General"
_EDITORS = "Editors"


class PostOnErpNext(ContentOnErpNext):
    """A Blog Post. It must have a category and an author: where WordPress tells none, "General" and "Editors"."""

    entity: ClassVar[str] = "post"
    doctype: ClassVar[str] = "Blog Post"
    stem: ClassVar[str] = "content"

    _categories: Mapping[str, str] = {}
    _bloggers: Mapping[str, str] = {}

    def gather(self, documents: Sequence[Document]) -> Mapping[str, Mapping[str, Sequence[Document]]]:
        """Return each post's category and author."""
        categories = self._by_name(_CATEGORY, "title", [str(one.get("blog_category") or "") for one in documents])
        bloggers = self._by_name(_BLOGGER, "full_name", [str(one.get("blogger") or "") for one in documents])
        return {
            str(one["name"]): {
                "category": _rows(categories, one.get("blog_category")),
                "author": _rows(bloggers, one.get("blogger")),
            }
            for one in documents
        }

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a Blog Post."""
        document = native.document
        category = next(iter(native.related.get("category", ())), {}).get("title")
        author = next(iter(native.related.get("author", ())), {}).get("full_name")
        return {
            **self.text_fields(native),
            "excerpt": normal.plain(document.get("blog_intro")),
            "category": None if category == _GENERAL else real_name(category),
            "author": None if author == _EDITORS else real_name(author),
            "image": image_of(document.get("meta_image"), self.site),
            "date": None,
        }

    def own_steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done to a Blog Post."""
        if operation.action is Action.RETIRE:
            return self.retired(operation)
        fields, values = operation.fields, self.text_values(operation.fields, native)
        if "excerpt" in fields:
            values["blog_intro"] = safe_name(str(fields["excerpt"] or ""))
        if "image" in fields:
            values["meta_image"] = fields["image"] or ""
        if fields.get("date"):
            values["published_on"] = normal.day(normal.in_zone(str(fields["date"]), self.zone))
        if "category" in fields or native is None:
            values["blog_category"] = self._categories[_key(fields.get("category"), _GENERAL)]
        if "author" in fields or native is None:
            values["blogger"] = self._bloggers[_key(fields.get("author"), _EDITORS)]
        if slug := fields.get("slug"):
            category = values.get("blog_category") or (native.document.get("blog_category") if native else "")
            values["route"] = f"blog/{category}/{slug}"
        if native is not None:
            return [self.update(operation, values)] if values else []
        return self.made(operation, {**values, "enable_email_notification": 0})

    def prepare(self, operations: Sequence[Operation]) -> None:
        """Make sure of the categories and authors posts need."""
        posts = [one for one in operations if one.action is not Action.RETIRE]
        self._categories = self._made(_CATEGORY, "title", {_named(one, "category", _GENERAL) for one in posts})
        self._bloggers = self._made(_BLOGGER, "full_name", {_named(one, "author", _EDITORS) for one in posts})

    def _made(self, doctype: str, title: str, wanted: set[str]) -> Mapping[str, str]:
        if not wanted:
            return {}
        named = {safe_name(one)[:LONGEST_NAME] for one in wanted}
        found = self._titled(doctype, title, named)
        missing = sorted(one for one in named if one.casefold() not in found)
        groups = []
        for one in missing:
            values = {title: one, **({"short_name": content.scrubbed(one)} if doctype == _BLOGGER else {})}
            groups.append(Group(digest([doctype, one]), (Step("insert", doctype, values=values, called="main"),)))
        if not groups:
            return found
        self.documents.save(groups)
        return self._titled(doctype, title, named)

    def _titled(self, doctype: str, title: str, named: set[str]) -> Mapping[str, str]:
        rows = self.documents.select(doctype, [[title, "in", sorted(named)]], ["name", title])
        return {str(one[title]).casefold(): str(one["name"]) for one in rows}

    def _by_name(self, doctype: str, title: str, names: Sequence[str]) -> Mapping[str, Document]:
        wanted = sorted(set(names) - {""})
        rows = self.documents.select(doctype, [["name", "in", wanted]], ["name", title]) if wanted else ()
        return {str(one["name"]): one for one in rows}


def _rows(found: Mapping[str, Document], name: Any) -> tuple[Document, ...]:
    return (found[str(name)],) if str(name) in found else ()


def _named(operation: Operation, field: str, otherwise: str) -> str:
    return normal.line(operation.fields.get(field)) or otherwise


def _key(value: Any, otherwise: str) -> str:
    return safe_name(normal.line(value) or otherwise)[:LONGEST_NAME].casefold()
