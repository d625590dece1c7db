"""Keycloak: its console log in both forms, with the events of its logger `org.keycloak.events`.

Recorded from Keycloak 22.0.5, 23.0.7, 25.0.6 and 26.7.5. Refused logins are logged by default, at WARN. Successful
ones are DEBUG unless Keycloak runs with `--spi-events-listener-jboss-logging-success-level=info` (26 also takes
`--spi-events-listener--jboss-logging--success-level=info`). The realm's event listener `jboss-logging` has to be on, as
it is in every new realm.

Up to 22 Keycloak writes values without quotes and with their line ends: there a user name can forge what follows it.
"""

from __future__ import annotations

from agencystack.logs.formats import wording
from agencystack.logs.masking import MASK
from agencystack.logs.model import Case, Choose, Format, Json, Multiline, Regex, Replace, Timestamp, When

_LINE = Regex(
    r"(?s)^(?P<time>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2},\d{3}) (?P<word>[A-Z]+) +(?:traceId=[^\[]*)?"
    r"\[(?P<logger>[^\]]+)\] \((?P<process>[^)]*)\) (?P<message>.*)\z"
)

_JSON = Json(
    (
        ("time", "timestamp"),
        ("word", "level"),
        ("logger", "loggerName"),
        ("process", "threadName"),
        ("message", "message"),
        ("exception", "exception.exceptionType"),
    )
)
"""`--log-console-output=json`."""

_UNDATED = Regex(r"^(?P<word>WARNING): |^(?P<start>Updating the configuration|Running the server in development mode)")
"""What Java itself and the start script write."""

_VALUE = r'(?:[^"\\]|\\.)*'

_EVENT = Regex(
    r'^(?:type|operationType)="(?P<verdict>\w+)", realmId="(?:[^"]*", realmName=")?(?P<realm>[^"]*)", '
    rf'clientId="(?:null|(?P<oidc_client>{_VALUE}))", userId="(?:null|(?P<user>[^"]*))"(?:, sessionId="[^"]*")?, '
    r'ipAddress="(?P<address>[^"]*)"(?:, error="(?P<reason>[^"]*)"|, reason="(?P<cause>[^"]*)"'
    r'|, resourceType="[^"]*", resourcePath="(?:null|(?P<path>[^"]*))")?',
    source="message",
)
"""Since 23, which has no `realmName` yet. Administrators' events have `operationType` and the path they changed."""

_NAME = Regex(rf', username="(?P<user>{_VALUE})"', source="message")
"""The name a person typed, where there is one, instead of the id."""

_OLD_EVENT = Regex(
    r"^(?:type|operationType)=(?P<verdict>\w+), realmId=(?P<realm>[^,\s]+), "
    r"clientId=(?:null|(?P<oidc_client>'[^']*'|[^,\s]+)), userId=(?:null|(?P<user>[^,\s]+)), "
    r"ipAddress=(?P<address>[^,\s]+)(?:, error=(?P<reason>[^,\s]+)"
    r"|, resourceType=[^,\s]+, resourcePath=(?:null|(?P<path>[^,\s]+)))?",
    source="message",
)
"""Up to 22; the realm is its id."""

_OLD_NAME = Regex(r", username='?(?P<user>[^'\",\n]+)", source="message")

_THROWN = Regex(
    r"(?P<exception>(?:[a-z_][\w$]*\.)+[A-Z][\w$]*)(?:: [^\n]*)?(?:\n[^\t\n][^\n]*)*\n(?:\t[^\n]*\n)?\tat ",
    source="message",
)
"""The class in front of a stack trace; its message may have several lines."""

_SECRETS = (
    "sessionId", "token_id", "refresh_token_id", "updated_refresh_token_id", "code_id", "authSessionParentId",
    "authSessionTabId", "first_name", "last_name",
)  # fmt: skip
_KEY = rf", (?:{'|'.join(_SECRETS)}|updated_\w+|previous_\w+)="
"""None is an event's first value. Go finds a literal beginning fast, and tries a `\\b` at every letter."""

_MASKS = (
    Replace(
        rf'{_KEY}(?:"((?:[^"\\]|\\.)*)"'  # since 23
        r'|\\"((?:[^"\\]|\\\\\\"|\\[^"])*)\\"'  # the same within JSON
        r"|('[^']*'|[^,\s\"'\\]+))",  # up to 22
        MASK,
    ),
    Replace(r"Code '([^']*)' already used for userSession '([^']*)'", MASK),
)

_LOGIN = Choose(
    "event",
    source="verdict",
    cases=(
        Case(("LOGIN",), "login_ok"),
        Case(("LOGIN_ERROR", "CLIENT_LOGIN_ERROR", "IDENTITY_PROVIDER_LOGIN_ERROR"), "login_failed"),
    ),
)

_LOCKED = Choose(
    "level",
    source="verdict",
    cases=(Case(("USER_DISABLED_BY_TEMPORARY_LOCKOUT", "USER_DISABLED_BY_PERMANENT_LOCKOUT"), "warning"),),
    keep=True,
)

KEYCLOAK = Format(
    component="keycloak",
    stream="server",
    about="Keycloak: starts, errors with their traces, events (logins, refused logins, changes by administrators)",
    multiline=Multiline(
        r'^(?:\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2},\d{3} |\{"timestamp":'
        r"|WARNING: |Updating the configuration|Running the server in)"
    ),
    stages=(
        _LINE,
        _JSON,
        _UNDATED,
        Timestamp("time", "2006-01-02 15:04:05,000", fallbacks=("RFC3339Nano",)),
        _EVENT,
        _NAME,
        _OLD_EVENT,
        _OLD_NAME,
        When(r"[\t\\]t?at ", (_THROWN,)),  # within JSON the tab is an escape
        wording.LEVEL,
        _LOCKED,
        _LOGIN,
        wording.EXCEPTION_EVENT,
    ),
    known_by=("word", "start"),
    metadata=(
        "event", "verdict", "user", "address", "realm", "oidc_client", "reason", "path", "logger", "process",
        "exception",
    ),
    masks=_MASKS,
    harmless=(
        "keycloak",
        ',"processid":',
        'grant_type="password"',
        'auth_method="client-secret"',
        'grant_type="refresh_token"',
        'refresh_token_type="refresh"',
    ),
    masked="ids of sessions, tokens and codes, first and last names, values changed in a profile",
    names=("keycloak*.log",),
)  # fmt: skip

FORMATS = (KEYCLOAK,)
