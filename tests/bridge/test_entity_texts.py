"""Form submissions, posts and pages: one Communication a submission, and texts that harm neither side."""

from __future__ import annotations

from typing import Any

import pytest

from agencystack.bridge import normal
from agencystack.bridge.entities import content
from agencystack.bridge.entities.page_erpnext import PageOnErpNext
from agencystack.bridge.entities.page_wordpress import PageOnWordPress
from agencystack.bridge.entities.post import POST
from agencystack.bridge.entities.post_erpnext import PostOnErpNext
from agencystack.bridge.entities.post_wordpress import PostOnWordPress
from agencystack.bridge.entities.submission import SUBMISSION
from agencystack.bridge.entities.submission_erpnext import SubmissionOnErpNext
from agencystack.bridge.entities.submission_wordpress import SubmissionOnWordPress
from agencystack.bridge.record import Fields, Presence, SideName
from agencystack.bridge.side import Action, Result
from agencystack.bridge.sides.erpnext.documents import Saved, Step
from agencystack.bridge.sides.wordpress.records import Kind
from tests.bridge.form_doubles import FakeDocuments, FakeRecords, erpnext, operation, shop

SUBMITTED: dict[str, Any] = {
    "id": 7,
    "date_created_gmt": "2026-11-22T18:31:12",
    "source": "contact-form-7",
    "form": {"id": "10", "title": "Contact form 1"},
    "page": {"url": "https://shop.example/kontakt/", "title": "Kontakt"},
    "sender": {
        "name": "Eva Test",
        "email": "Eva@Example.test",
        "phone": "",
        "subject": "Offerte",
        "message": "Grüezi",
    },
    "fields": [
        {"name": "your-name", "label": "", "type": "text", "value": "Eva Test"},
        {"name": "your-message", "label": "", "type": "textarea", "value": "Grüezi <script>alert(1)</script>\nzwei"},
        {"name": "topics", "label": "Themen", "type": "checkbox", "value": ["A", "B"]},
    ],
    "files": ["plan.pdf"],
    "consent": {"given": True, "text": "I agree."},
    "status": "",
    "owner": "",
    "notes": [],
    "agencystack": {"version": "1", "token": ""},
}


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def records() -> FakeRecords:
    return FakeRecords()


def submission(records: FakeRecords, **changes: Any) -> Fields:
    id_ = records.put(Kind.SUBMISSION, {**SUBMITTED, **changes})
    seen = SubmissionOnWordPress(records).read([id_])[id_]
    return {name: value for name, value in seen.fields.items() if not name.startswith("lead_")}


# Submissions. -----------------------------------------------------------------------------------------------------


def test_a_submission(records: FakeRecords) -> None:
    said = submission(records)
    assert (said["name"], said["email"], said["subject"]) == ("Eva Test", "eva@example.test", "Contact form 1: Offerte")
    assert said["sent"] == "2026-11-22T18:31:12Z"
    assert said["consent"] == {"given": True, "text": "I agree."}
    assert "&lt;script&gt;" in str(said["content"])
    assert "<script" not in str(said["content"])
    for part in ("<br>zwei", "A, B", "plan.pdf", "https://shop.example/kontakt/"):
        assert part in str(said["content"])


def test_a_submission_makes_one_lead_and_one_communication(documents: FakeDocuments, records: FakeRecords) -> None:
    one = operation("submission", submission(records))
    form = SubmissionOnErpNext(documents)
    outcome = form.apply([one])[one.token]
    assert outcome.result is Result.DONE
    (lead,) = documents.tables["Lead"].values()
    assert (lead["first_name"], lead["last_name"], lead["email_id"]) == ("Eva", "Test", "eva@example.test")
    (made,) = documents.tables["Communication"].values()
    assert made["reference_name"] == lead["name"]
    assert made["communication_date"] == "2026-11-22 18:31:12"
    assert "Consent given" in made["content"]
    assert form.find([one.token]) == {one.token: made["name"]}
    assert outcome.observed is not None
    assert outcome.observed.token == one.token


def test_who_writes_twice_has_one_lead(documents: FakeDocuments, records: FakeRecords) -> None:
    documents.put("Lead", {**erpnext("lead"), "email_id": "Old@Example.test"})
    said = submission(records)
    several = [
        operation("submission", {**said, "email": email}) for email in ("new@x.test", "new@x.test", "old@example.test")
    ]
    outcomes = SubmissionOnErpNext(documents).apply(several)
    assert {one.result for one in outcomes.values()} == {Result.DONE}
    assert len(documents.tables["Lead"]) == 2
    assert len(documents.tables["Communication"]) == 3


def test_a_lead_made_meanwhile_is_joined(documents: FakeDocuments, records: FakeRecords) -> None:
    one = operation("submission", submission(records))

    def meanwhile(step: Step) -> Saved | None:
        if step.doctype != "Lead" or "Lead" in documents.tables:
            return None
        documents.put("Lead", {**erpnext("lead"), "email_id": "eva@example.test"})
        return Saved("", Result.REFUSED, kind="DuplicateEntryError", message="Email Address must be unique")

    documents.refuse = meanwhile
    outcome = SubmissionOnErpNext(documents).apply([one])[one.token]
    assert outcome.result is Result.DONE
    assert len(documents.tables["Lead"]) == 1
    assert len(documents.tables["Communication"]) == 1


def test_a_submission_without_an_address_is_a_lead_too(documents: FakeDocuments, records: FakeRecords) -> None:
    said = submission(records, sender={"name": "", "email": "not an address", "phone": "044 000 00 00"})
    one = operation("submission", said)
    assert SubmissionOnErpNext(documents).apply([one])[one.token].result is Result.DONE
    (lead,) = documents.tables["Lead"].values()
    assert lead["first_name"]
    assert lead["phone"] == "044 000 00 00"


def test_what_came_of_it_comes_back(documents: FakeDocuments, records: FakeRecords) -> None:
    one = operation("submission", submission(records))
    form = SubmissionOnErpNext(documents)
    seen = form.apply([one])[one.token].observed
    assert seen is not None
    (lead,) = documents.tables["Lead"].values()
    notes = [{"note": "<p>Public: we call you</p>"}, {"note": "<p>difficult customer</p>"}]
    lead |= {"status": "Replied", "lead_owner": "sales@example.test", "notes": notes}
    back = form.read([seen.id])[seen.id].fields
    assert back == {"lead_status": "Replied", "lead_owner": "sales@example.test", "lead_notes": ("we call you",)}
    SubmissionOnWordPress(records).apply([operation("submission", back, "7")])
    assert records.writes[-1].values == {"status": "Replied", "owner": "sales@example.test", "notes": ["we call you"]}


def test_nothing_is_made_in_wordpress_of_a_lead(documents: FakeDocuments) -> None:
    assert SUBMISSION.creates == (SideName.ERPNEXT,)
    documents.put("Communication", erpnext("communication"))
    name = erpnext("communication")["name"]
    assert SubmissionOnErpNext(documents).read([name])[name].presence is Presence.GONE


# Texts. -----------------------------------------------------------------------------------------------------------


def post(**changes: Any) -> dict[str, Any]:
    embedded = {
        "author": [{"name": "Anna Muster", "slug": "anna"}],
        "wp:term": [[{"id": 3, "taxonomy": "category", "name": "News &amp; mehr", "slug": "news"}], []],
        "wp:featuredmedia": [{"source_url": "https://shop.example/a.png"}],
    }
    return {**shop("post"), "_embedded": embedded, **changes}


def test_a_post_of_wordpress(records: FakeRecords) -> None:
    id_ = records.put(Kind.POST, post())
    seen = PostOnWordPress(records).read([id_])[id_]
    assert seen.fields == {
        "title": "Hallo",
        "content": "<p>Welt</p>",
        "excerpt": "kurz",
        "state": "published",
        "slug": "hallo",
        "category": "News & mehr",
        "author": "Anna Muster",
        "image": "https://shop.example/a.png",
        "date": "2026-11-22T18:25:54Z",
    }
    assert set(seen.fields) == {one.name for one in POST.fields}


def test_a_text_is_found_whatever_its_state_and_a_draft_without_an_address_by_its_title(records: FakeRecords) -> None:
    title = {"raw": "Hallo Welt"}
    public, draft = post(id=1, slug="a"), post(id=2, slug="b", status="draft")
    fresh = post(id=3, slug="", generated_slug="hallo-welt", title=title, status="draft")
    for one in (public, draft, fresh, post(id=4, slug="hallo", status="trash")):
        records.put(Kind.POST, one)
    form = PostOnWordPress(records)
    found = {
        slug: list(form.candidates({"slug": slug, "title": "Hallo Welt"})) for slug in ("a", "b", "hallo-welt", "hallo")
    }
    assert found == {"a": ["1"], "b": ["2"], "hallo-welt": ["3"], "hallo": []}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"status": "future"}, "future"),
        ({"status": "private"}, "private"),
        ({"status": "pending"}, "draft"),
        ({"password": "secret"}, "private"),
    ],
)
def test_what_is_not_public_is_never_published(
    records: FakeRecords, documents: FakeDocuments, changes: dict[str, Any], wanted: str
) -> None:
    id_ = records.put(Kind.POST, post(**changes))
    seen = PostOnWordPress(records).read([id_])[id_].fields
    assert seen["state"] == wanted
    one = operation("post", seen)
    PostOnErpNext(documents).apply([one])
    (made,) = documents.tables["Blog Post"].values()
    assert made["published"] == 0


def test_a_post_becomes_a_blog_post_with_its_category_and_author(
    documents: FakeDocuments, records: FakeRecords
) -> None:
    id_ = records.put(Kind.POST, post())
    seen = PostOnWordPress(records).read([id_])[id_].fields
    one = operation("post", seen)
    form = PostOnErpNext(documents)
    outcome = form.apply([one])[one.token]
    assert outcome.observed is not None
    shared = ("title", "content", "excerpt", "state", "slug", "category", "author", "image")
    assert {name: outcome.observed.fields[name] for name in shared} == {name: seen[name] for name in shared}
    (made,) = documents.tables["Blog Post"].values()
    assert made["enable_email_notification"] == 0
    assert made["route"].endswith("/hallo")
    form.apply([operation("post", {**seen, "slug": "two"})])
    assert len(documents.tables["Blogger"]) == 1
    assert len(documents.tables["Blog Category"]) == 1


def test_two_texts_of_one_title(documents: FakeDocuments) -> None:
    def taken(step: Step) -> Saved | None:
        if step.action == "insert" and step.values["title"] == "Hallo":
            return Saved("", Result.REFUSED, kind="DuplicateEntryError", message="Web Page hallo already exists")
        return None

    documents.refuse = taken
    one = operation("page", {"title": "Hallo", "content": "<p>x</p>", "state": "published", "slug": "hallo-2"})
    outcome = PageOnErpNext(documents).apply([one])[one.token]
    assert outcome.result is Result.DONE
    (made,) = documents.tables["Web Page"].values()
    assert made["title"] == "Hallo"
    assert made["route"] == "hallo-2"


def test_nothing_that_runs_reaches_erpnext(documents: FakeDocuments) -> None:
    said = '<!-- wp:x {"a":{"b":1}} --><p onclick="x()">{{ frappe.session }} {% raw %}<script>x()</script></p>'
    one = operation("page", {"title": "T", "content": said, "state": "published", "slug": "t"})
    PageOnErpNext(documents).apply([one])
    (made,) = documents.tables["Web Page"].values()
    stored = made["main_section_html"]
    for part in ("{{", "}}", "{%", "%}", "<script", "onclick"):
        assert part not in stored
    assert normal.html(stored) == '<!-- wp:x {"a":{"b":1} } --><p>{{ frappe.session }} {% raw %}</p>'


def test_a_blog_post_of_erpnext_is_cleaned_for_wordpress(documents: FakeDocuments, records: FakeRecords) -> None:
    documents.put("Blog Post", erpnext("blog post"))
    name = erpnext("blog post")["name"]
    seen = PostOnErpNext(documents, site="https://erp.example").read([name])[name].fields
    for part in ("<script", "<iframe", "<style", "onclick", "onerror", "javascript:"):
        assert part not in str(seen["content"])
    assert (seen["state"], seen["slug"]) == ("published", "hello-html")
    PostOnWordPress(records).apply([operation("post", {"content": seen["content"], "state": "draft"}, "29")])
    assert records.writes[-1].values == {"content": seen["content"], "status": "draft"}


def test_local_files_and_the_editors_wrapping() -> None:
    document = {
        "content_type": "Rich Text",
        "content": '<div class="ql-editor read-mode"><p><img src="/files/a.png"> <a href="//x.example">x</a></p></div>',
    }
    seen = content.content_of(document, "content", "https://erp.example")
    assert seen == '<p><img src="https://erp.example/files/a.png"> <a href="//x.example">x</a></p>'


@pytest.mark.parametrize("kind", ["Markdown", "Page Builder"])
def test_texts_that_hold_no_html_are_left_alone(documents: FakeDocuments, kind: str) -> None:
    documents.put("Web Page", {**erpnext("web page"), "content_type": kind})
    name = erpnext("web page")["name"]
    assert PageOnErpNext(documents).read([name])[name].presence is Presence.GONE


def test_an_end_of_a_text_unpublishes_it(documents: FakeDocuments) -> None:
    documents.put("Web Page", erpnext("web page"))
    name = erpnext("web page")["name"]
    one = operation("page", {}, name, action=Action.RETIRE)
    assert PageOnErpNext(documents).apply([one])[one.token].result is Result.DONE
    assert documents.tables["Web Page"][name]["published"] == 0


def test_a_category_of_posts_is_made_where_it_is_missing(records: FakeRecords) -> None:
    records.put(Kind.POST_CATEGORY, {"id": 3, "name": "News &amp; mehr"})
    one, other = (operation("post", {"title": "T", "category": name}) for name in ("news & mehr", "Neu"))
    PostOnWordPress(records).apply([one, other])
    made = [write for write in records.writes if write.kind is Kind.POST_CATEGORY]
    assert [write.values for write in made] == [{"name": "Neu"}]
    posts = [write for write in records.writes if write.kind is Kind.POST]
    assert posts[0].values["categories"] == [3]
    assert posts[0].values["status"] == "draft"
    assert len(posts[1].values["categories"]) == 1


def test_pages_of_wordpress(records: FakeRecords) -> None:
    id_ = records.put(Kind.PAGE, {**post(), "type": "page"})
    seen = PageOnWordPress(records).read([id_])[id_].fields
    assert seen == {"title": "Hallo", "content": "<p>Welt</p>", "state": "published", "slug": "hallo"}
