"""Contact Form 7's way in, and the submissions our plugin keeps of it; the form plugin itself keeps none."""

from __future__ import annotations

from collections.abc import Mapping
from email import message_from_bytes
from typing import TYPE_CHECKING

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.routes import Route
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request, RestError

if TYPE_CHECKING:
    from agencystack.sandbox.woocommerce.shop import Shop

FORM = 10
"""The form Contact Form 7 makes when it is installed."""
_LABELS = {
    "your-name": ("Your name", "text*"),
    "your-email": ("Your email", "email*"),
    "your-subject": ("Subject", "text*"),
    "your-message": ("Your message (optional)", "textarea"),
}
_SENDER = {"name": "your-name", "email": "your-email", "phone": "your-phone", "subject": "your-subject"}


def form_routes(shop: Shop) -> list[Route]:
    """Return the address visitors' browsers send a form to."""

    def answer(request: Request, body: Json, form: str) -> Answer:
        return Answer(200, _taken(shop, request, int(form)), seconds=0.1)

    return [Route(r"/contact-form-7/v1/contact-forms/(\d+)/feedback", ("POST",), answer)]


def _taken(shop: Shop, request: Request, form: int) -> Json:
    """Take a form (contract/wordpress/cf7-feedback-*.json).

    Raises:
        RestError: it is no such form, or was not sent as a browser does.
    """
    if form != FORM:
        raise RestError("wpcf7_not_found", "The requested contact form was not found.", 404)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        said = "The request payload format is not supported."
        raise RestError("wpcf7_unsupported_media_type", said, 415)
    fields = _fields(request)
    tag = fields.get("_wpcf7_unit_tag", "")
    if not tag.startswith(f"wpcf7-f{form}-"):
        raise RestError("wpcf7_unit_tag_not_found", "There is no valid unit tag.", 400)
    answer: Json = {"contact_form_id": form, "into": f"#{tag}"}
    if wrong := _wrong(fields):
        invalid = [
            {"field": name, "message": said, "idref": None, "error_id": f"{tag}-ve-{name}"}
            for name, said in wrong.items()
        ]
        said = "One or more fields have an error. Please check and try again."
        more = {"status": "validation_failed", "message": said, "posted_data_hash": ""}
        return {**answer, **more, "invalid_fields": invalid}
    _keep(shop, form, fields)
    shop.events.tell("admin", f"{fields.get('your-subject', '')}")
    said = "Thank you for your message. It has been sent."
    return {**answer, "status": "mail_sent", "message": said, "posted_data_hash": "0" * 32, "invalid_fields": []}


def _wrong(fields: Mapping[str, str]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    for name, (_, kind) in _LABELS.items():
        if kind.endswith("*") and not fields.get(name, "").strip():
            wrong[name] = "Please fill out this field."
        elif kind == "email*" and not schema.is_email(fields[name]):
            wrong[name] = "Please enter an email address."
    return wrong


def _keep(shop: Shop, form: int, fields: Mapping[str, str]) -> None:
    if shop.plugin is not None:
        entry(shop, fields)["form"]["id"] = str(form)


def entry(shop: Shop, fields: Mapping[str, str]) -> Json:
    """Keep a form entry as our plugin does, and return it."""
    id_, own = (
        shop.state.number("submission"),
        {name: said for name, said in fields.items() if not name.startswith("_")},
    )
    shop.state.data.submissions[str(id_)] = {
        "id": id_,
        "date_created_gmt": shop.state.second(),
        "created": shop.state.second(),
        "source": "contact-form-7",
        "form": {"id": "", "title": "Contact form 1"},
        "page": {"url": f"{shop.state.url}/contact/", "title": "Contact"},
        "sender": {
            **{name: own.get(field, "") for name, field in _SENDER.items()},
            "message": own.get("your-message", ""),
        },
        "fields": [
            {
                "name": name,
                "label": _LABELS.get(name, (name, ""))[0],
                "type": _LABELS.get(name, ("", "text"))[1].rstrip("*"),
                "value": said,
            }
            for name, said in own.items()
        ],
        "files": [],
        "consent": None,
        "status": "",
        "owner": "",
        "notes": [],
    }
    shop.events.mark("submission", id_)
    return shop.state.data.submissions[str(id_)]


def _fields(request: Request) -> dict[str, str]:
    """Return the fields of a multipart body."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    found: dict[str, str] = {}
    for part in message_from_bytes(head + request.body).walk():
        name = part.get_param("name", header="Content-Disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            found[name] = payload.decode(errors="replace").rstrip("\r\n")
    return found
