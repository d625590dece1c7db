"""Posts of WordPress, and ERPNext's Blog Posts."""

from __future__ import annotations

from agencystack.bridge.entity import Direction, Entity, Field
from agencystack.bridge.record import SideName

_WORDPRESS = SideName.WORDPRESS

POST = Entity(
    name="post",
    title="Posts",
    fields=(
        Field("title", _WORDPRESS, "title", "Blog Post.title"),
        Field("content", _WORDPRESS, "content", "Blog Post.content_html, content"),
        Field("excerpt", _WORDPRESS, "excerpt", "Blog Post.blog_intro"),
        Field("state", _WORDPRESS, "status", "Blog Post.published"),
        Field("slug", _WORDPRESS, "slug", "Blog Post.route (its end)"),
        Field("category", _WORDPRESS, "categories (the first)", "Blog Post.blog_category"),
        Field("author", _WORDPRESS, "author", "Blog Post.blogger", Direction.TO_ERPNEXT),
        Field("image", _WORDPRESS, "featured_media", "Blog Post.meta_image", Direction.TO_ERPNEXT),
        Field("date", _WORDPRESS, "date_gmt", "Blog Post.published_on", Direction.TO_ERPNEXT),
    ),
    identity=("slug",),
)
