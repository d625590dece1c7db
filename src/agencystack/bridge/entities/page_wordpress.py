"""Pages as WordPress keeps them."""

from __future__ import annotations

from typing import ClassVar

from agencystack.bridge.entities.content_wordpress import ContentOnWordPress
from agencystack.bridge.record import Fields
from agencystack.bridge.sides.wordpress.records import Kind, Native


class PageOnWordPress(ContentOnWordPress):
    """A page."""

    entity: ClassVar[str] = "page"
    kind: ClassVar[Kind] = Kind.PAGE

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a page."""
        return self.text_fields(native)
