"""Pages of WordPress, and ERPNext's Web Pages."""

from __future__ import annotations

from agencystack.bridge.entity import Entity, Field
from agencystack.bridge.record import SideName

_WORDPRESS = SideName.WORDPRESS

PAGE = Entity(
    name="page",
    title="Pages",
    fields=(
        Field("title", _WORDPRESS, "title", "Web Page.title"),
        Field("content", _WORDPRESS, "content", "Web Page.main_section_html, main_section"),
        Field("state", _WORDPRESS, "status", "Web Page.published"),
        Field("slug", _WORDPRESS, "slug", "Web Page.route (its end)"),
    ),
    identity=("slug",),
)
