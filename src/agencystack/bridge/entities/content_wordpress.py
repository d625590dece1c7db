"""Posts and pages as WordPress keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agencystack.bridge import normal
from agencystack.bridge.entities import content
from agencystack.bridge.entities.shared import SharedWordPressForm
from agencystack.bridge.record import Fields
from agencystack.bridge.side import Operation
from agencystack.bridge.sides.wordpress.records import Native, Written


class ContentOnWordPress(SharedWordPressForm):
    """A post or page."""

    def shared(self, native: Native) -> bool:
        """Leave drafts alone that WordPress keeps for itself."""
        return native.get("status") not in {"auto-draft", "inherit"}

    def text_fields(self, native: Native) -> dict[str, Any]:
        """Return the canonical values posts and pages have."""
        return {
            "title": normal.plain(content.raw(native, "title")),
            "content": normal.html(content.raw(native, "content")),
            "state": content.state_of(native),
            "slug": _slug(native),
        }

    def own_values(self, fields: Fields, native: Native | None) -> dict[str, Any]:
        """Return what REST is sent."""
        values: dict[str, Any] = {}
        for name in ("title", "content", "slug"):
            if name in fields:
                values[name] = fields[name] or ""
        if "state" in fields or native is None:
            values["status"] = content.shop_status(fields.get("state"))
        return values

    def search_for(self, fields: Fields) -> Sequence[Mapping[str, str]]:
        """Find the text of that address; a draft may have none yet, and is found by its title.

        Without a status REST shows what is published alone (wp-includes/rest-api/endpoints/class-wp-rest-posts-
        controller.php, ``get_collection_params``).
        """
        slug, title = fields.get("slug"), fields.get("title")
        if not isinstance(slug, str):
            return []
        searches = [{"slug": slug, "status": "any"}]
        return [*searches, {"search": title, "status": "draft"}] if isinstance(title, str) else searches

    def candidates(self, fields: Fields) -> Sequence[str]:
        """Return the texts that have that address, or would get it when they are published."""
        for search in self.search_for(fields):
            found = [one for one in self.records.search(self.kind, search) if self.shared(one)]
            if same := [str(one["id"]) for one in found if _slug(one) == fields["slug"]]:
                return same
        return ()

    def refusal(self, written: Written, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        said = f"WordPress refused the {self.entity} ({written.code}): {written.message}"
        if written.code == "empty_content":
            return said, "give it a title or a text in ERPNext"
        return said, "change the text in ERPNext so that WordPress takes it"


def _slug(native: Native) -> str | None:
    return normal.line(native.get("slug") or native.get("generated_slug"))
