"""A Frappe site: documents of any kind and whitelisted methods over its REST interface."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from agencystack.components.erpnext.refusals import Refusal, explain
from agencystack.components.http import DEFAULT_TIMEOUT, HttpApi
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused
from agencystack.stack.secrets import Secret, redact

NOT_FOUND = 404
# How HttpApi words the answer of a product that knows us and does not let us.
FORBIDDEN = "answered 403"

_VERSIONS = "frappe.utils.change_log.get_versions"
_LOGGED_USER = "frappe.auth.get_logged_user"

Values = Mapping[str, object]
Model = TypeVar("Model", bound=BaseModel)


class FrappeSite:
    """One site of a Frappe bench, whatever apps it has.

    Args:
        where: the component, for messages.
        api_url: its address as we reach it.
        api_key: API key of a user with the role System Manager.
        api_secret: the secret to it.
        ca_file: authority that signed the certificate of ``api_url``, if the system does not know it.
        host_header: the site's name, where ``api_url`` is an address and the bench holds several sites.
    """

    def __init__(
        self,
        where: ComponentRef,
        api_url: str,
        api_key: Secret,
        api_secret: Secret,
        *,
        ca_file: Path | None = None,
        host_header: str | None = None,
    ) -> None:
        self.where = where
        headers = {
            "Authorization": f"token {api_key.reveal()}:{api_secret.reveal()}",
            "Accept": "application/json",
            # Else a site answers in its own language, and we know causes by their English texts (language.json).
            "Accept-Language": "en",
        }
        if host_header:
            headers["Host"] = host_header
        self._api = HttpApi(where, api_url, headers=headers, ca_file=ca_file, explain=explain)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def documents(
        self,
        doctype: str,
        *,
        fields: Sequence[str] = ("name",),
        filters: Sequence[Sequence[object]] | Values = (),
        order_by: str = "",
        limit: int = 0,
        start: int = 0,
    ) -> list[dict[str, Any]]:
        """Return the documents of a doctype that fit.

        Args:
            doctype: such as ``Email Account``.
            fields: the fields to return; unset ones are ``None``.
            filters: ``[[field, operator, value]]`` or ``{field: value}``.
            order_by: such as ``creation desc``.
            limit: at most so many; 0 for all (ERPNext's own default would be 20).
            start: how many to pass over.

        Raises:
            ComponentError: as :meth:`document`.
        """
        params = {"fields": json.dumps(list(fields)), "limit_page_length": str(limit)}
        if filters:
            params["filters"] = json.dumps(dict(filters) if isinstance(filters, Mapping) else list(filters))
        if order_by:
            params["order_by"] = order_by
        if start:
            params["limit_start"] = str(start)
        rows = self._data(self.done("GET", resource(doctype), f"list {doctype}", params=params))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.bad_shape(f"the list of {doctype}")
        return rows

    def document(self, doctype: str, name: str) -> dict[str, Any] | None:
        """Return a document, or ``None`` where there is none of that name. Unset fields are left out by ERPNext.

        Raises:
            AuthenticationFailed: the key is wrong, or its user may not do this.
            Unavailable: ERPNext cannot be reached or is overloaded.
            Refused: it declined, for one because it has no such doctype.
            BadAnswer: it answered something else than its interface.
        """
        doing = f'read {doctype} "{name}"'
        answer, body = self.send("GET", resource(doctype, name))
        if answer.is_success:
            return self.stored(body)
        refusal = Refusal.from_body(answer.status_code, body)
        if _is_absent(refusal):
            return None
        raise refusal.error(self.where, doing)

    def single(self, doctype: str) -> dict[str, Any] | None:
        """Return a Single document, such as ``System Settings``, or ``None`` where the user of our key may not read it.

        Raises:
            ComponentError: as :meth:`document`; where there is no such doctype it is ``Refused``.
        """
        try:
            return self.document(doctype, doctype)
        except AuthenticationFailed as error:
            if error.message.startswith(FORBIDDEN):
                return None
            raise

    def insert(self, doctype: str, values: Values) -> dict[str, Any]:
        """Create a document and return it as stored. Raises as :meth:`document`."""
        return self.stored(self.done("POST", resource(doctype), f"create {doctype}", body=dict(values)))

    def update(self, doctype: str, name: str, values: Values, *, modified: str = "") -> dict[str, Any]:
        """Change fields of a document and return it as stored.

        Args:
            doctype: such as ``User``.
            name: the document.
            values: only the fields to change; a child table replaces all its rows.
            modified: ``modified`` as it was read; the write is then refused with the kind ``TimestampMismatchError``
                when somebody changed the document since.

        Raises:
            ComponentError: as :meth:`document`; a document that is absent is ``Refused``.
        """
        body = {**values, "modified": modified} if modified else dict(values)
        return self.stored(self.done("PUT", resource(doctype, name), f'update {doctype} "{name}"', body=body))

    def delete(self, doctype: str, name: str) -> bool:
        """Delete a document; ``False`` where it was absent already. Raises as :meth:`document`."""
        answer, body = self.send("DELETE", resource(doctype, name))
        if answer.is_success:
            return True
        refusal = Refusal.from_body(answer.status_code, body)
        if _is_absent(refusal):
            return False
        raise refusal.error(self.where, f'delete {doctype} "{name}"')

    def call(self, method: str, arguments: Values | None = None, *, timeout: float = DEFAULT_TIMEOUT) -> Any:
        """Call a whitelisted method of the product and return its ``message`` (``None`` where it returns nothing).

        Args:
            method: dotted path, such as ``frappe.auth.get_logged_user``.
            arguments: sent with POST; without any the call is a GET.
            timeout: seconds.

        Raises:
            ComponentError: as :meth:`document`.
        """
        verb = "GET" if arguments is None else "POST"
        body = None if arguments is None else dict(arguments)
        answer = self.done(verb, f"/api/method/{method}", f"run {method}", body=body, timeout=timeout)
        return answer.get("message")

    def versions(self) -> dict[str, str]:
        """Return the version of each installed app, such as ``{"frappe": "15.44.2", "erpnext": "15.109.0"}``."""
        apps = self.call(_VERSIONS)
        if not isinstance(apps, dict) or not all(isinstance(app, dict) and "version" in app for app in apps.values()):
            raise self.bad_shape("the list of apps")
        return {name: str(app["version"]) for name, app in apps.items()}

    def whoami(self) -> str:
        """Return the user our key belongs to; the cheapest proof that the key works."""
        return str(self.call(_LOGGED_USER))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> tuple[httpx.Response, dict[str, Any]]:
        """Send one request; return the answer, which may be a refusal, and its JSON. Raises as :meth:`document`."""
        try:
            answer = self._api.send(method, path, params=params, body=body, timeout=timeout)
            data = self._api.decode(answer)
        except AuthenticationFailed as error:
            raise self._not_allowed(error) from error
        except BadAnswer as error:
            raise self._not_frappe(error) from error
        if not isinstance(data, dict):
            raise self.bad_shape(f"{method} {path}")
        return answer, data

    def done(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> dict[str, Any]:
        """Send one request that must succeed; ``doing`` says what it does, for the refusal."""
        answer, data = self.send(method, path, params=params, body=body, timeout=timeout)
        if not answer.is_success:
            raise Refusal.from_body(answer.status_code, data).error(self.where, doing)
        return data

    def _not_allowed(self, error: AuthenticationFailed) -> AuthenticationFailed:
        # 401 is a wrong key or secret; 403 a right one whose user lacks a permission, or none at all.
        if error.message.startswith(FORBIDDEN):
            remedy = "give the user of api_key in stack.yaml the role System Manager in ERPNext"
        else:
            remedy = (
                "make new keys in ERPNext (User, Settings, API Access) and put both api_key and api_secret into the "
                "places stack.yaml names"
            )
        return AuthenticationFailed(error.message, component=self.where, remedy=remedy)

    def _not_frappe(self, error: BadAnswer) -> BadAnswer:
        return BadAnswer(
            error.message,
            component=self.where,
            remedy=f"{error.remedy}; a bench with several sites needs api_url to carry the site's name",
        )

    def _data(self, answer: dict[str, Any]) -> Any:
        if "data" not in answer:
            raise self.bad_shape("an answer without data")
        return answer["data"]

    def stored(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the document in an answer."""
        found = self._data(answer)
        if not isinstance(found, dict):
            raise self.bad_shape("a document")
        return found

    def model(self, model: type[Model], data: Mapping[str, object]) -> Model:
        """Read what ERPNext answered as one of our models; raises BadAnswer where it does not fit."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            wrong = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
            raise self.bad_shape(f"{model.__name__} (fields: {wrong})") from None

    def check_kept(
        self, doing: str, model: type[BaseModel], values: Values, saved: BaseModel, answer: Mapping[str, Any]
    ) -> None:
        """Make sure a save kept what it was given: Frappe answers 200 and drops what it does not know or want.

        Args:
            doing: such as ``save Email Account "Mail"``.
            model: what the document is read as.
            values: what was sent.
            saved: the document as the answer shows it.
            answer: the whole answer; it may hold words about what was dropped (facts: "Resource API").

        Raises:
            Refused: a value is another than was sent.
        """
        wanted, stored = self.model(model, {"name": "", **values}), answer["data"]
        dropped = [
            field
            for field, value in values.items()
            if (
                getattr(wanted, field) != getattr(saved, field)
                if field in model.model_fields
                else _comparable(value) != _comparable(stored.get(field))
            )
        ]
        if dropped:
            words = explain(answer) if "_server_messages" in answer else ""
            raise Refused(
                f"accepted to {doing} but did not keep {', '.join(sorted(dropped))}"
                + (f" (it said: {redact(words)})" if words else ""),
                component=self.where,
                remedy="check that this version of ERPNext has these fields and that nothing customises them",
            )

    def bad_shape(self, what: str) -> BadAnswer:
        """Return the error for an answer in JSON that is not what the interface promises."""
        return BadAnswer(
            f"answered {what} in a form its interface does not have",
            component=self.where,
            remedy="check that api_url in stack.yaml leads to ERPNext 15",
        )


def resource(doctype: str, name: str | None = None) -> str:
    """Return the path of a doctype, or of one document: any name is allowed in a path when it is fully encoded."""
    path = f"/api/resource/{quote(doctype, safe='')}"
    return path if name is None else f"{path}/{quote(name, safe='')}"


def _comparable(value: object) -> str:
    # Frappe stores checks as 0 and 1, some numbers as text, and leaves unset fields out.
    return str(int(value)) if isinstance(value, bool) else str(value or "")


def _is_absent(refusal: Refusal) -> bool:
    # An unknown doctype answers the same status and class; its message names the doctype "DocType".
    return refusal.status == NOT_FOUND and refusal.kind == "DoesNotExistError" and "DocType" not in refusal.words
