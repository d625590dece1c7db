"""How ``stack.yaml`` describes an application that speaks OpenID Connect: how it is told, and how a login is seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from agencystack.stack.strict import StrictModel
from agencystack.stack.values import AbsolutePath, OneLine, Written

WORDS = (
    "issuer",
    "authorization",
    "token",
    "userinfo",
    "jwks",
    "end_session",
    "client_id",
    "client_secret",
    "redirect_uri",
    "logout_uri",
    "scopes",
)
"""What may stand between braces where an application's settings are written."""

CREDENTIAL = re.compile(r"\{credentials\.([a-z0-9-]+)\}")
"""A secret of the component's own, in an HTTP call: ``{credentials.api-token}``."""

_BRACED = re.compile(r"\{([a-z_]+)\}")

ExactUri = Annotated[
    str,
    Written(
        r"https?://[^\s#*]+",
        "is not an exact address",
        "https://host/path, without * or #: Keycloak compares all of it",
    ),
]
Target = Annotated[
    str,
    Written(
        r"(https?:/)?/[^\s#]*",
        "is not an address of the application",
        "a path such as /login, or a whole https:// address",
    ),
]
Pointer = Annotated[
    str, Written(r"(/[^\x00-\x1f]*)?", "is not a JSON pointer", "the way to a value, such as /user/email (RFC 6901)")
]
VariableName = Annotated[
    str, Written(r"[A-Za-z_][A-Za-z0-9_]*", "cannot name a variable", "letters, digits and underscores")
]
Argv = Annotated[tuple[OneLine, ...], Field(strict=False, min_length=1)]


class EnvironmentFile(StrictModel):
    """Settings as variables of an environment file that is there already."""

    path: AbsolutePath = Field(description="The file, on the machine around the container.")
    variables: dict[VariableName, str] = Field(min_length=1, description="By variable, its value with {words}.")

    @model_validator(mode="after")
    def _complete(self) -> EnvironmentFile:
        _require_words(self.variables.values())
        return self


class SettingsFile(StrictModel):
    """Settings as a whole file."""

    path: AbsolutePath = Field(description="The file, on the machine around the container.")
    template: str = Field(description="Its text, with {words}.")

    @model_validator(mode="after")
    def _complete(self) -> SettingsFile:
        _require_login(self.template)
        return self


class SettingsCommand(StrictModel):
    """Settings given to a program, as one JSON object on its standard input."""

    argv: Argv = Field(description="Program and arguments that take the settings.")
    undo: Argv | None = Field(default=None, description="Program and arguments that take them back.")


class HttpCall(StrictModel):
    """One call of the application's own interface."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: Target = Field(description="A path of the application, or a whole address.")
    headers: dict[OneLine, OneLine] = Field(default={}, description="With {credentials.NAME} for a secret.")
    body: JsonValue = Field(default=None, description="Sent as JSON, with {words} in its texts.")


class SettingsCall(HttpCall):
    """Settings given by a call."""

    undo: HttpCall | None = Field(default=None, description="The call that takes them back.")

    @model_validator(mode="after")
    def _complete(self) -> SettingsCall:
        _require_words(_texts(self.body))
        return self


class WhoIsThere(StrictModel):
    """Where the application says who is logged in: JSON, and where in it."""

    url: Target = Field(description="Answers 200 with JSON to who is logged in.")
    name: Pointer = Field(description="JSON pointer to their name; absent, null or empty means nobody.")
    email: Pointer = Field(description="JSON pointer to their address.")
    roles: Pointer | None = Field(default=None, description="JSON pointer to their role or roles, where it has any.")


class LoginProof(StrictModel):
    """How a login is seen from outside."""

    start: Target = Field(description="Leads to Keycloak's form.")
    who: WhoIsThere
    logout: Target = Field(description="Logs out by being opened.")
    logout_everywhere: bool = Field(default=True, description="Logging out ends Keycloak's session, too.")
    refuses_strangers: bool = Field(default=True, description="People without a role of the application stay out.")
    refusal: OneLine | None = Field(default=None, description="Text a refused person is shown.")
    administrators: tuple[OneLine, ...] = Field(
        default=(), strict=False, description="Roles no probe user gets unless --prove-admin."
    )


class OidcApplication(StrictModel):
    """An application that lets people in by OpenID Connect."""

    redirect_uris: tuple[ExactUri, ...] = Field(strict=False, min_length=1, description="Where logins come back to.")
    logout_uris: tuple[ExactUri, ...] = Field(default=(), strict=False, description="Where logouts come back to.")
    scopes: tuple[OneLine, ...] = Field(
        default=("openid", "profile", "email"), strict=False, min_length=1, description="Scopes it asks for."
    )
    pkce: bool = Field(default=True, description="It sends a code challenge (S256); then Keycloak insists on it.")
    env_file: EnvironmentFile | None = Field(default=None, description="It reads variables of an environment file.")
    file: SettingsFile | None = Field(default=None, description="It reads a file of its own.")
    command: SettingsCommand | None = Field(default=None, description="A program takes its settings.")
    http: SettingsCall | None = Field(default=None, description="A call of its interface takes its settings.")
    restart: Argv | None = Field(default=None, description="Program and arguments that restart it, on that machine.")
    proof: LoginProof

    @model_validator(mode="after")
    def _one_way(self) -> OidcApplication:
        if sum(way is not None for way in (self.env_file, self.file, self.command, self.http)) != 1:
            raise PydanticCustomError(
                "oidc",
                "does not say in one way how the application is told its settings",
                {"write": "one of env_file, file, command and http"},
            )
        return self

    @property
    def needs_exec(self) -> bool:
        """Say that commands must run where it lives."""
        return self.http is None or self.restart is not None


def _require_words(texts: Iterable[str]) -> None:
    """Refuse a misspelt word between braces, and settings that cannot log in."""
    joined = " ".join(texts)
    unknown = [word for word in _BRACED.findall(joined) if word not in WORDS]
    if unknown:
        raise PydanticCustomError(
            "oidc",
            f"has no word of the name {unknown[0]}",
            {"write": ", ".join(f"{{{word}}}" for word in WORDS)},
        )
    _require_login(joined)


def _require_login(text: str) -> None:
    missing = [word for word in ("client_id", "client_secret") if f"{{{word}}}" not in text]
    if missing:
        raise PydanticCustomError(
            "oidc",
            "does not tell the application its " + " and ".join(missing),
            {"write": " and ".join(f"{{{word}}}" for word in missing) + " where the application expects them"},
        )


def _texts(value: JsonValue) -> Iterator[str]:
    """Yield every text in JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
