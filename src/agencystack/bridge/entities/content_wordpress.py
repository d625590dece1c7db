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
            "slug": normal.line(native.get("slug") or native.get("generated_slug")),
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
        """Find the text of that address."""
        slug = fields.get("slug")
        return [{"slug": slug}] if isinstance(slug, str) else []

    def refusal(self, written: Written, operation: Operation) -> tuple[str, str]:
        """Return what to tell a person."""
        said = f"WordPress refused the {self.entity} ({written.code}): {written.message}"
        if written.code == "empty_content":
            return said, "give it a title or a text in ERPNext"
        return said, "change the text in ERPNext so that WordPress takes it"
