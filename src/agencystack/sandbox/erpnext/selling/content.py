"""Pages and posts, leads and what is said to them (contract/erpnext/36, 38, 08)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agencystack.sandbox.erpnext.documents import Behaviour, random_name
from agencystack.sandbox.erpnext.errors import FrappeError, bold, thrown
from agencystack.sandbox.erpnext.selling.naming import named, next_in_series
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.work import Work


def behaviours() -> Mapping[str, Behaviour]:
    """Return what content and leads do."""
    return {
        "Blog Post": Behaviour(_slug, validate=_check_post),
        "Blog Category": Behaviour(_slug, validate=_check_category),
        "Blogger": Behaviour(random_name, named=named),
        "Web Page": Behaviour(_slug, validate=_check_page),
        "Lead": Behaviour(lambda one: str(one["name"]), named=_lead_name, prepare=_prepare_lead, validate=_check_lead),
        "File": Behaviour(random_name, validate=_check_file),
    }


def _slug(document: Document) -> str:
    return re.sub(r"[\W_]+", "-", str(document.get("title") or "").strip().lower()).strip("-")


def _check_post(work: Work, post: Document, before: Document | None) -> None:
    if post.get("published"):
        post["published_on"] = post.get("published_on") or work.today()
        post["route"] = post.get("route") or f"blog/{post.get('blog_category')}/{post['name']}"
    post["route"] = str(post["route"]).strip("/") if post.get("route") else None
    _unique_route(work, post)


def _check_category(work: Work, category: Document, _: Document | None) -> None:
    category["route"] = category.get("route") or f"blog/{category['name']}"


def _check_page(work: Work, page: Document, before: Document | None) -> None:
    if page.get("published"):
        page["route"] = page.get("route") or page["name"]


def _unique_route(work: Work, post: Document) -> None:
    route = post.get("route")
    others = work.transaction.having(post["doctype"], "route", route) if route else []
    if any(other["name"] != post["name"] for other in others):
        duplicate = f"IntegrityError(1062, \"Duplicate entry '{route}' for key 'route'\")"
        text = f"('{post['doctype']}', '{post['name']}', {duplicate})"
        messages = [{"message": "Route must be unique", "title": "Message"}]
        raise FrappeError("UniqueValidationError", text, messages=messages)


def _lead_name(work: Work, lead: Document) -> str:
    return next_in_series(work, str(lead["naming_series"]))


def _prepare_lead(work: Work, lead: Document, before: Document | None) -> None:
    if before is None:
        lead["company"] = lead.get("company") or work.company
        lead["lead_owner"] = lead.get("lead_owner") or work.user
        company = work.transaction.peek("Company", str(lead["company"])) or {}
        lead["country"] = lead.get("country") or company.get("country")
        lead["language"] = lead.get("language") or "en"
        lead["no_of_employees"] = lead.get("no_of_employees") or "1-10"
        lead["qualification_status"] = lead.get("qualification_status") or "Unqualified"
    parts = (lead.get(key) for key in ("first_name", "middle_name", "last_name"))
    lead["lead_name"] = (
        lead.get("lead_name") or " ".join(str(part) for part in parts if part) or lead.get("company_name")
    )
    lead["title"] = lead.get("company_name") or lead["lead_name"]


def _check_lead(work: Work, lead: Document, before: Document | None) -> None:
    if not lead.get("lead_name") and not lead.get("email_id"):
        text = "A Lead requires either a person's name or an organization's name"
        raise FrappeError("MandatoryError", text, messages=[thrown(text)])
    lead["lead_name"] = lead.get("lead_name") or lead.get("email_id")
    others = work.transaction.having("Lead", "email_id", lead["email_id"]) if lead.get("email_id") else []
    for other in others:
        if other["name"] != lead["name"]:
            link = bold(f'<a href="/app/lead/{other["name"]}">{other["name"]}</a>')
            text = f"Email Address must be unique, it is already used in {link}"
            raise FrappeError("DuplicateEntryError", text, status=409, messages=[thrown(text)])


def _check_file(work: Work, file: Document, before: Document | None) -> None:
    url = str(file.get("file_url") or "")
    file["file_name"] = file.get("file_name") or url.rpartition("/")[2]
