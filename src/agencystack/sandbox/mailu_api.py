"""The REST API of the Mailu stand-in: paths, checks, answers and mistakes as they were recorded."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agencystack.sandbox.mailu_state import (
    AliasRow,
    DomainRow,
    RelayRow,
    State,
    TokenRow,
    UserRow,
    as_kept,
    as_written,
    domain_of,
    hash_password,
    make_dkim_key,
    today,
)

if TYPE_CHECKING:
    from agencystack.sandbox.mailu import MailuStandIn

NOT_FOUND = (
    "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not "
    "found on the server. If you entered the URL manually please check your spelling and try again.</p>\n"
)
REDIRECTING = (
    "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n<p>You should be "
    'redirected automatically to the target URL: <a href="{0}">{0}</a>. If not, click the link.\n'
)
DOMAIN_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.IGNORECASE)
ADDRESS = re.compile(rf"[^@\s\"(),:;<>\[\]\\]+@{DOMAIN_NAME.pattern}", re.IGNORECASE)

USER_FIELDS: dict[str, str] = {
    "email": "string",
    "raw_password": "string",
    "comment": "string",
    "quota_bytes": "integer",
    "global_admin": "boolean",
    "enabled": "boolean",
    "change_pw_next_login": "boolean",
    "enable_imap": "boolean",
    "enable_pop": "boolean",
    "allow_spoofing": "boolean",
    "forward_enabled": "boolean",
    "forward_destination": "array",
    "forward_keep": "boolean",
    "reply_enabled": "boolean",
    "reply_subject": "string",
    "reply_body": "string",
    "reply_startdate": "string",
    "reply_enddate": "string",
    "displayed_name": "string",
    "spam_enabled": "boolean",
    "spam_mark_as_read": "boolean",
    "spam_threshold": "integer",
}
DOMAIN_FIELDS = {
    "name": "string",
    "comment": "string",
    "max_users": "integer",
    "max_aliases": "integer",
    "max_quota_bytes": "integer",
    "signup_enabled": "boolean",
    "alternatives": "array",
}
TOKEN_FIELDS = {"email": "string", "comment": "string", "AuthorizedIP": "array"}
ALIAS_FIELDS = {"email": "string", "comment": "string", "destination": "array", "wildcard": "boolean"}
RELAY_FIELDS = {"name": "string", "smtp": "string", "comment": "string"}
PYTHON_TYPES: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "array": list}


class _Answer(Exception):
    """Ends a call with an answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.response = JSONResponse(body, status)


Handler = Callable[[Request, dict[str, Any]], Response]


class Api:
    """The REST API: one method a call, named as Mailu's documentation names them."""

    def __init__(self, mailu: MailuStandIn) -> None:
        self._mailu = mailu
        calls: dict[str, dict[str, Handler]] = {
            "/domain": {"GET": self._list_domain, "POST": self._create_domain},
            "/domain/{domain}": {"GET": self._find_domain, "PATCH": self._update_domain, "DELETE": self._delete_domain},
            "/domain/{domain}/dkim": {"POST": self._generate_dkim},
            "/domain/{domain}/users": {"GET": self._list_user_domain},
            "/domain/{domain}/manager": {"GET": self._list_managers, "POST": self._create_manager},
            "/domain/{domain}/manager/{email}": {"GET": self._find_manager, "DELETE": self._delete_manager},
            "/alternative": {"GET": self._list_alternative, "POST": self._create_alternative},
            "/alternative/{alt}": {"GET": self._find_alternative, "DELETE": self._delete_alternative},
            "/user": {"GET": self._list_users, "POST": self._create_user},
            "/user/{email}": {"GET": self._find_user, "PATCH": self._update_user, "DELETE": self._delete_user},
            "/token": {"GET": self._list_tokens, "POST": self._create_token},
            "/token/{token_id}": {"GET": self._find_token, "PATCH": self._update_token, "DELETE": self._delete_token},
            "/tokenuser/{email}": {"GET": self._find_tokens_of_user, "POST": self._create_token_of_user},
            "/alias": {"GET": self._list_alias, "POST": self._create_alias},
            "/alias/{alias}": {"GET": self._find_alias, "PATCH": self._update_alias, "DELETE": self._delete_alias},
            "/alias/destination/{domain}": {"GET": self._find_alias_filter_domain},
            "/relay": {"GET": self._list_relays, "POST": self._create_relay},
            "/relay/{name}": {"GET": self._find_relay, "DELETE": self._delete_relay},
        }
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        routes = [Route(f"/api/v1{path}", self._guarded(handlers), methods=every) for path, handlers in calls.items()]
        routes += [
            Route("/api/v1/swagger.json", self._swagger(list(calls))),
            Route("/api/", _redirect("/api/v1/", 302)),
            Route("/api", _redirect("/api/", 308)),
            Route("/ping", lambda _: HTMLResponse("")),
            Route("/health", lambda _: Response(status_code=204)),
        ]
        self.app = Starlette(routes=routes, exception_handlers={404: lambda *_: HTMLResponse(NOT_FOUND, 404)})
        self.app.router.redirect_slashes = False

    def _guarded(self, handlers: dict[str, Handler]) -> Callable[[Request], Any]:
        async def call(request: Request) -> Response:
            handler = handlers.get(request.method)
            if handler is None:
                return JSONResponse({"message": "The method is not allowed for the requested URL."}, 405)
            body = await request.body()
            return await run_in_threadpool(self._answer, handler, request, body)

        return call

    def _answer(self, handler: Handler, request: Request, body: bytes) -> Response:
        try:
            self._authorize(request)
            return handler(request, _payload(request, body))
        except _Answer as answer:
            return answer.response

    def _authorize(self, request: Request) -> None:
        peer = request.client.host if request.client else ""
        client_ip = request.headers.get("x-real-ip", peer)
        if self._mailu.is_rate_limited(client_ip):
            raise _Answer(429, {"message": "Too many attempts from your IP (rate-limit)"})
        authorization = request.headers.get("authorization")
        if not authorization:
            raise _Answer(401, {"message": "A valid Authorization header is mandatory"})
        if not self._mailu.accepts_token(authorization, client_ip):
            raise _Answer(403, {"message": "Invalid API token"})

    def _swagger(self, paths: list[str]) -> Callable[[Request], Response]:
        document = {
            "swagger": "2.0",
            "basePath": "/api/v1",
            "info": {"title": "Mailu API", "version": "1.0"},
            "paths": {path: {} for path in paths},
        }
        return lambda _: JSONResponse(document)

    # -- domains

    def _list_domain(self, _: Request, __: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            return JSONResponse([_given(self._mailu.domain_view(row)) for row in state.domains.values()])

    def _create_domain(self, _: Request, data: dict[str, Any]) -> Response:
        _validate(data, DOMAIN_FIELDS, "name")
        name = data["name"]
        _require_domain_name(name)
        with self._mailu.writing() as state:
            if state.name_in_use(name):
                raise _failed(409, f"Duplicate domain name {name}")
            _require_free_alternatives(state, data.get("alternatives", []))
            state.domains[name.lower()] = DomainRow.model_validate({**data, "name": name.lower()})
        return _done(f"Domain {name} has been created")

    def _find_domain(self, request: Request, _: dict[str, Any]) -> Response:
        name = request.path_params["domain"]
        if not DOMAIN_NAME.fullmatch(name):
            # The one mistake Mailu answers with HTTP 200 (contract/mailu/domains.json "find invalid").
            return JSONResponse({"code": 400, "message": f"Domain {name} is not a valid domain"})
        with self._mailu.reading() as state:
            return JSONResponse(self._mailu.domain_view(_domain(state, name)))

    def _update_domain(self, request: Request, data: dict[str, Any]) -> Response:
        _validate(data, DOMAIN_FIELDS)
        name = request.path_params["domain"]
        _require_domain_name(name)
        with self._mailu.writing() as state:
            row = state.domains.get(name.lower())
            if row is None:
                raise _Answer(500, {"message": "Internal Server Error"})
            _require_free_alternatives(state, data.get("alternatives", []))
            added = [*row.alternatives, *data.get("alternatives", [])]
            changed = row.model_dump() | data | {"name": row.name, "alternatives": added}
            state.domains[row.name] = DomainRow.model_validate(changed)
        return _done(f"Domain {name} has been updated")

    def _delete_domain(self, request: Request, _: dict[str, Any]) -> Response:
        name = request.path_params["domain"]
        _require_domain_name(name)
        with self._mailu.writing() as state:
            state.delete_domain(_domain(state, name).name)
        return _done(f"Domain {name} has been deleted")

    def _generate_dkim(self, request: Request, _: dict[str, Any]) -> Response:
        name = request.path_params["domain"]
        _require_domain_name(name)
        with self._mailu.writing() as state:
            _domain(state, name).dkim_key = make_dkim_key()
        return _done(f"DKIM/DMARC keys have been generated for domain {name}")

    def _list_user_domain(self, request: Request, _: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            row = _domain(state, request.path_params["domain"])
            return JSONResponse([self._mailu.user_view(user) for user in state.users_of(row.name)])

    def _list_managers(self, request: Request, _: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            return JSONResponse({"managers": _domain(state, request.path_params["domain"]).managers})

    def _create_manager(self, request: Request, data: dict[str, Any]) -> Response:
        _validate(data, {"user_email": "string"}, "user_email")
        email = data["user_email"]
        with self._mailu.writing() as state:
            row = _domain(state, request.path_params["domain"])
            if email.lower() not in state.users:
                raise _failed(404, f"User {email} does not exist")
            if email.lower() in row.managers:
                raise _failed(409, f"User {email} is already a manager of the domain {row.name} ")
            row.managers.append(email.lower())
        return _done(f"User {email} has been added as manager of the domain {row.name} ")

    def _find_manager(self, request: Request, _: dict[str, Any]) -> Response:
        email = request.path_params["email"]
        with self._mailu.reading() as state:
            row = _domain(state, request.path_params["domain"])
        if email.lower() not in row.managers:
            raise _failed(404, f"User {email} is not a manager of the domain {row.name}")
        return _done(f"User {email} is a manager of the domain {row.name}")

    def _delete_manager(self, request: Request, _: dict[str, Any]) -> Response:
        email = request.path_params["email"]
        with self._mailu.writing() as state:
            row = _domain(state, request.path_params["domain"])
            if email.lower() not in row.managers:
                raise _failed(404, f"User {email} is not a manager of the domain {row.name}")
            row.managers.remove(email.lower())
        return _done(f"User {email} has been removed as a manager of the domain {row.name} ")

    # -- other names of domains

    def _list_alternative(self, _: Request, __: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            rows = [{"name": name, "domain": row.name} for row in state.domains.values() for name in row.alternatives]
        return JSONResponse(rows)

    def _create_alternative(self, _: Request, data: dict[str, Any]) -> Response:
        _validate(data, {"name": "string", "domain": "string"}, "name", "domain")
        with self._mailu.writing() as state:
            row = _domain(state, data["domain"])
            _require_free_alternatives(state, [data["name"]])
            row.alternatives.append(data["name"].lower())
        return _done(f"Alternative {data['name']} for domain {row.name} has been created")

    def _find_alternative(self, request: Request, _: dict[str, Any]) -> Response:
        name = request.path_params["alt"]
        with self._mailu.reading() as state:
            row = _alternative(state, name)
        return JSONResponse({"name": name.lower(), "domain": row.name})

    def _delete_alternative(self, request: Request, _: dict[str, Any]) -> Response:
        name = request.path_params["alt"]
        with self._mailu.writing() as state:
            row = _alternative(state, name)
            row.alternatives.remove(name.lower())
        return _done(f"Alternative {name} for domain {row.name} has been deleted")

    # -- mailboxes

    def _list_users(self, _: Request, __: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            return JSONResponse([_given(self._mailu.user_view(user)) for user in state.users.values()])

    def _create_user(self, _: Request, data: dict[str, Any]) -> Response:
        _validate(data, USER_FIELDS, "email", "raw_password")
        email = data["email"]
        _require_address(email)
        with self._mailu.writing() as state:
            domain = _domain(state, domain_of(email.lower()))
            if email.lower() in state.users:
                raise _failed(409, f"User {email} already exists")
            if domain.max_users != -1 and len(state.users_of(domain.name)) >= domain.max_users:
                raise _failed(409, f"Too many users for domain {domain.name}")
            _require_forwarding(data)
            password = hash_password(data["raw_password"])
            state.users[email.lower()] = UserRow.model_validate({**data, "email": email.lower(), "password": password})
        return _done(f"User {email} has been created")

    def _find_user(self, request: Request, _: dict[str, Any]) -> Response:
        email = request.path_params["email"]
        _require_address(email)
        with self._mailu.reading() as state:
            return JSONResponse(self._mailu.user_view(_user(state, email)))

    def _update_user(self, request: Request, data: dict[str, Any]) -> Response:
        _validate(data, USER_FIELDS)
        email = request.path_params["email"]
        _require_address(email)
        with self._mailu.writing() as state:
            row = _user(state, email)
            _require_forwarding(data)
            changed = row.model_dump() | data | {"email": row.email, "password": row.password}
            if "raw_password" in data:
                changed["password"] = hash_password(data["raw_password"])
            state.users[row.email] = UserRow.model_validate(changed)
        return _done(f"User {email} has been updated")

    def _delete_user(self, request: Request, _: dict[str, Any]) -> Response:
        email = request.path_params["email"]
        _require_address(email)
        with self._mailu.writing() as state:
            state.delete_user(_user(state, email).email)
        return _done(f"User {email} has been deleted")

    # -- application tokens

    def _list_tokens(self, _: Request, __: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            rows = [_token_view(row) | {"id": str(row.id)} for row in state.tokens.values()]
        # The list has neither a number as id nor a "Last edit" of its own (contract/mailu/tokens.json "list all").
        return JSONResponse(
            [{key: row[key] for key in row if key != "Last edit" or row[key] != "None"} for row in rows]
        )

    def _create_token(self, _: Request, data: dict[str, Any]) -> Response:
        _validate(data, TOKEN_FIELDS, "email")
        return self._new_token(data["email"], data)

    def _create_token_of_user(self, request: Request, data: dict[str, Any]) -> Response:
        _validate(data, TOKEN_FIELDS)
        return self._new_token(request.path_params["email"], data)

    def _new_token(self, email: str, data: dict[str, Any]) -> Response:
        _require_address(email)
        with self._mailu.writing() as state:
            user = _user(state, email)
            _require_networks(data.get("AuthorizedIP", []))
            row, value = state.add_token(user.email, data.get("comment", ""), data.get("AuthorizedIP", []))
        shown = _token_view(row)
        del shown["Last edit"]
        return JSONResponse(shown | {"token": value})

    def _find_tokens_of_user(self, request: Request, _: dict[str, Any]) -> Response:
        email = request.path_params["email"]
        _require_address(email)
        with self._mailu.reading() as state:
            user = _user(state, email)
            return JSONResponse([_token_view(row) for row in state.tokens.values() if row.email == user.email])

    def _find_token(self, request: Request, _: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            return JSONResponse(_token_view(_token(state, request.path_params["token_id"])))

    def _update_token(self, request: Request, data: dict[str, Any]) -> Response:
        _validate(data, TOKEN_FIELDS)
        number = request.path_params["token_id"]
        with self._mailu.writing() as state:
            row = _token(state, number)
            _require_networks(data.get("AuthorizedIP", []))
            row.comment = data.get("comment", row.comment)
            row.networks = as_kept(data.get("AuthorizedIP", row.networks))
            row.edited = today()
        return _done(f"Token with id {number} has been updated")

    def _delete_token(self, request: Request, _: dict[str, Any]) -> Response:
        number = request.path_params["token_id"]
        with self._mailu.writing() as state:
            del state.tokens[_token(state, number).id]
        return _done(f"Token with id {number} has been deleted")

    # -- aliases

    def _list_alias(self, _: Request, __: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            return JSONResponse([_alias_view(row) for row in state.aliases.values()])

    def _create_alias(self, _: Request, data: dict[str, Any]) -> Response:
        _validate(data, ALIAS_FIELDS, "email")
        email = data["email"]
        _require_alias_address(email)
        with self._mailu.writing() as state:
            domain = state.domains.get(domain_of(email.lower()))
            if domain is None:
                raise _failed(404, f"Domain {domain_of(email.lower())} does not exist ({email})")
            if domain.max_aliases != -1 and len(state.aliases_of(domain.name)) >= domain.max_aliases:
                raise _failed(409, f"Too many aliases for domain {domain.name}")
            if "destination" not in data:
                raise _Answer(500, {"message": "Internal Server Error"})
            _require_destinations(state, data["destination"])
            if email.lower() in state.aliases:
                raise _failed(409, f"Duplicate alias {email}")
            state.aliases[email.lower()] = AliasRow.model_validate({**data, "email": email.lower()})
        return _done(f"Alias {email} to destination(s) {data['destination']} has been created")

    def _find_alias(self, request: Request, _: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            return JSONResponse(_alias_view(_alias(state, request.path_params["alias"])))

    def _update_alias(self, request: Request, data: dict[str, Any]) -> Response:
        _validate(data, ALIAS_FIELDS)
        email = request.path_params["alias"]
        with self._mailu.writing() as state:
            row = _alias(state, email)
            _require_destinations(state, data.get("destination", []))
            state.aliases[row.email] = AliasRow.model_validate(row.model_dump() | data | {"email": row.email})
        return _done(f"Alias {email} has been updated")

    def _delete_alias(self, request: Request, _: dict[str, Any]) -> Response:
        email = request.path_params["alias"]
        with self._mailu.writing() as state:
            del state.aliases[_alias(state, email).email]
        return _done(f"Alias {email} has been deleted")

    def _find_alias_filter_domain(self, request: Request, _: dict[str, Any]) -> Response:
        name = request.path_params["domain"]
        _require_domain_name(name)
        with self._mailu.reading() as state:
            if name.lower() not in state.domains:
                raise _failed(404, f"Domain {name} cannot be found")
            return JSONResponse([row.model_dump() for row in state.aliases_of(name.lower())])

    # -- relayed domains

    def _list_relays(self, _: Request, __: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            return JSONResponse([row.model_dump() for row in state.relays.values()])

    def _create_relay(self, _: Request, data: dict[str, Any]) -> Response:
        _validate(data, RELAY_FIELDS, "name")
        name = data["name"]
        with self._mailu.writing() as state:
            if state.name_in_use(name):
                raise _failed(409, f"Duplicate domain {name}")
            state.relays[name.lower()] = RelayRow.model_validate({**data, "name": name.lower()})
        return _done(f"Relayed domain {name} has been created")

    def _find_relay(self, request: Request, _: dict[str, Any]) -> Response:
        with self._mailu.reading() as state:
            return JSONResponse(_relay(state, request.path_params["name"]).model_dump())

    def _delete_relay(self, request: Request, _: dict[str, Any]) -> Response:
        name = request.path_params["name"]
        with self._mailu.writing() as state:
            del state.relays[_relay(state, name).name]
        return _done(f"Relayed domain {name} has been deleted")


def _payload(request: Request, body: bytes) -> dict[str, Any]:
    """Return the JSON sent; Flask refuses another content type and broken JSON each in its own way."""
    if request.method not in {"POST", "PATCH"} or request.url.path.endswith("/dkim"):
        return {}
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise _Answer(
            415,
            {
                "message": "Did not attempt to load JSON data because the request Content-Type was not "
                "'application/json'."
            },
        )
    try:
        data = json.loads(body)
    except ValueError:
        raise _Answer(
            400, {"message": "The browser (or proxy) sent a request that this server could not understand."}
        ) from None
    if not isinstance(data, dict):
        raise _invalid({"": f"{data!r} is not of type 'object'"})
    return data


def _validate(data: dict[str, Any], fields: dict[str, str], *required: str) -> None:
    """Refuse missing fields and wrong types; fields Mailu does not know are ignored (facts/mailu.md "API")."""
    errors = {name: f"{name!r} is a required property" for name in required if name not in data}
    for name, kind in fields.items():
        if name in data and not _is(data[name], kind):
            errors[name] = f"{data[name]!r} is not of type {kind!r}"
    for name in [name for name, kind in fields.items() if kind == "array" and name in data and name not in errors]:
        for place, value in enumerate(data[name]):
            if not isinstance(value, str):
                errors[f"{name}.{place}"] = f"{value!r} is not of type 'string'"
    if errors:
        raise _invalid(errors)


def _is(value: object, kind: str) -> bool:
    return isinstance(value, PYTHON_TYPES[kind]) and not (kind == "integer" and isinstance(value, bool))


def _invalid(errors: dict[str, str]) -> _Answer:
    return _Answer(400, {"errors": errors, "message": "Input payload validation failed"})


def _failed(code: int, message: str) -> _Answer:
    return _Answer(code, {"code": code, "message": message})


def _done(message: str) -> Response:
    return JSONResponse({"code": 200, "message": message})


def _given(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as lists show it: without what is not set."""
    return {key: value for key, value in row.items() if value is not None}


def _alias_view(row: AliasRow) -> dict[str, Any]:
    return row.model_dump() | {"email": as_written(row.email)}


def _token_view(row: TokenRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.email,
        "comment": row.comment,
        "AuthorizedIP": row.networks,
        "Created": row.created,
        "Last edit": str(row.edited),
    }


def _domain(state: State, name: str) -> DomainRow:
    row = state.domains.get(name.lower())
    if row is None:
        raise _failed(404, f"Domain {name} does not exist")
    return row


def _alternative(state: State, name: str) -> DomainRow:
    row = state.domain_of_alternative(name)
    if row is None:
        raise _failed(404, f"Alternative {name} does not exist")
    return row


def _user(state: State, email: str) -> UserRow:
    row = state.users.get(email.lower())
    if row is None:
        raise _failed(404, f"User {email} cannot be found")
    return row


def _alias(state: State, email: str) -> AliasRow:
    row = state.aliases.get(email.lower())
    if row is None:
        raise _failed(404, f"Alias {email} cannot be found")
    return row


def _relay(state: State, name: str) -> RelayRow:
    row = state.relays.get(name.lower())
    if row is None:
        raise _failed(404, f"Relayed domain {name} cannot be found")
    return row


def _token(state: State, number: str) -> TokenRow:
    row = state.tokens.get(int(number)) if number.isdecimal() else None
    if row is None:
        raise _failed(404, f"Record cannot be found for id {number} or invalid id provided")
    return row


def _require_domain_name(name: str) -> None:
    if not DOMAIN_NAME.fullmatch(name):
        raise _failed(400, f"Domain {name} is not a valid domain")


def _require_address(email: str) -> None:
    if not ADDRESS.fullmatch(email):
        raise _failed(400, f"Provided email address {email} is not a valid email address")


def _require_alias_address(email: str) -> None:
    if not ADDRESS.fullmatch(email):
        raise _failed(400, f"Provided alias {email} is not a valid email address")


def _require_forwarding(data: dict[str, Any]) -> None:
    if data.get("forward_enabled") and not data.get("forward_destination"):
        raise _failed(400, "forward_destination is mandatory when forward_enabled is true")


def _require_free_alternatives(state: State, names: list[str]) -> None:
    for name in names:
        if state.name_in_use(name):
            raise _failed(409, f"Duplicate alternative domain name {name}")
        if not DOMAIN_NAME.fullmatch(name):
            raise _failed(400, f"Alternative domain {name} is not a valid domain")


def _require_networks(networks: list[str]) -> None:
    for network in networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise _failed(400, f"Provided AuthorizedIP {network} in {networks} is invalid") from None


def _require_destinations(state: State, destinations: list[str]) -> None:
    for address in destinations:
        if not ADDRESS.fullmatch(address):
            raise _failed(400, f"Provided destination email address {address} is not a valid email address")
        if address.lower() not in state.users:
            raise _failed(404, f"Provided destination email address {address} does not exist")


def _redirect(target: str, status: int) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        # 308 names the whole address, 302 the path alone, as Flask does (contract/mailu/auth.json).
        location = target if status == 302 else str(request.url.replace(path=target))
        response: Response = RedirectResponse(location, status)
        body = HTMLResponse(REDIRECTING.format(location), status)
        body.headers["location"] = response.headers["location"]
        return body

    return answer
