"""What can be asked of a WordPress; all questions of a run are answered by one start of PHP."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from agencystack.components.bridge_settings import BridgeState
from agencystack.components.wordpress.models import (
    MailState,
    Plugin,
    PluginsFolder,
    RestUser,
    Site,
    SubmissionTry,
    SubmissionWay,
)
from agencystack.components.wordpress.sso import SsoState, SsoUser
from agencystack.stack.secrets import Secret

T = TypeVar("T")

# 465 first: STARTTLS can be stripped by whoever sits in between (RFC 8314 section 3.3).
SUBMISSION_WAYS = (SubmissionWay(port=465, security="tls"), SubmissionWay(port=587, security="starttls"))


@dataclass(frozen=True)
class Query(Generic[T]):
    """One question.

    Args:
        name: of the program's function.
        arguments: JSON of its arguments, the same text for the same question.
        parse: turns PHP's answer into a value.
    """

    name: str
    arguments: str
    parse: Callable[[Any], T] = field(compare=False, repr=False)

    @property
    def key(self) -> str:
        """Return what tells this question from others."""
        return f"{self.name} {self.arguments}"

    def asked(self) -> dict[str, Any]:
        """Return the question as the program takes it."""
        return {"name": self.name, "args": json.loads(self.arguments)}


def _plugins(data: Any) -> dict[str, Plugin]:
    found = [Plugin.model_validate(item) for item in data]
    return {plugin.slug: plugin for plugin in found}


def _marks(data: Any) -> dict[str, str]:
    return {str(what): str(who) for what, who in dict(data["marks"]).items()}


def _token(data: Any) -> Secret | None:
    return None if data["token"] is None else Secret(str(data["token"]))


def _bridge(data: Any) -> BridgeState | None:
    return BridgeState.model_validate(data, strict=False) if data["plugin"] else None


def _rest_user(data: Any) -> RestUser | None:
    return RestUser.model_validate(data) if data["there"] else None


def _tries(data: Any) -> tuple[SubmissionTry, ...]:
    return tuple(SubmissionTry.model_validate(item) for item in data)


SITE: Query[Site] = Query("site", "{}", Site.model_validate)
PLUGINS: Query[dict[str, Plugin]] = Query("plugins", "{}", _plugins)
PLUGINS_FOLDER: Query[PluginsFolder] = Query("plugins_folder", "{}", PluginsFolder.model_validate)
REST_USER: Query[RestUser | None] = Query("rest_user", "{}", _rest_user)
"""The bridge's user where our connector is not; None where it was never made."""

MAIL: Query[MailState] = Query("mail", "{}", MailState.of)
OWNER: Query[dict[str, str]] = Query("owner", "{}", _marks)
HEALTH_TOKEN: Query[Secret | None] = Query("health", "{}", _token)
"""The hash of the token that opens the details of its health; None where there is none."""

BRIDGE: Query[BridgeState | None] = Query("bridge", "{}", _bridge)
"""How our connector is joined to the data bridge; None where it is too old for it, or not there."""


@dataclass(frozen=True)
class Reach:
    """How a call from inside WordPress to an address ended.

    Args:
        status: of the answer, 0 without one.
        error: why there is none.
        allowed: WordPress's own check of addresses lets it pass; WooCommerce's webhooks obey it, our connector not.
    """

    status: int
    error: str
    allowed: bool


def reaches_bridge(url: str) -> Query[Reach]:
    """Ask whether the bridge is reached from inside the site, by a call that is not signed."""
    return Query(
        "reaches_bridge",
        json.dumps({"url": url}),
        lambda data: Reach(int(data["status"]), str(data["error"]), bool(data["allowed"])),
    )


SSO: Query[SsoState] = Query("sso", "{}", SsoState.of)


def sso_user(who: str) -> Query[SsoUser | None]:
    """Ask for a user by login, or by e-mail where no login matches; None where there is none."""
    return Query("sso_user", json.dumps({"who": who}), lambda data: SsoUser.model_validate(data) if data else None)


def submission(
    host: str, *, ways: Sequence[SubmissionWay] = SUBMISSION_WAYS, ca: str = "", timeout: float = 5.0
) -> Query[tuple[SubmissionTry, ...]]:
    """Ask how mail can be handed to a server from inside the site; it stops at the first way that works.

    Args:
        host: name of the server; its certificate must name it.
        ways: ports in the order they are tried.
        ca: PEM of the authorities to trust in place of the system's.
        timeout: seconds for each step of the conversation.
    """
    arguments = {"host": host, "ways": [way.model_dump() for way in ways], "ca": ca, "timeout": timeout}
    return Query("submission", json.dumps(arguments, sort_keys=True), _tries)
