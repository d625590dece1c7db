"""How a stand-in WordPress sends mail: the settings of WP Mail SMTP and of our connector, and really sending by SMTP.

Source: facts/wordpress.md, "WP Mail SMTP 4.8": constants win over the option, a password in clear text works as well
as an encrypted one, and a failed mail is ``wp_mail()`` returning false with PHPMailer's words.
"""

from __future__ import annotations

import base64
import json
import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formataddr, make_msgid
from typing import Any

from agencystack.sandbox.wordpress_store import Refusal, Store, php

OPTIONS = {"wp-mail-smtp": "wp_mail_smtp", "connector": "agencystack_connector"}
SLUGS = {"wp-mail-smtp": "wp-mail-smtp", "connector": "agencystack-connector"}
TIMEOUT = 30.0
_LOGGED_IN = 235


@dataclass(frozen=True)
class Field:
    """Where a field lies: group and key in the option, WP Mail SMTP's constant, and its value where nobody set it."""

    group: str
    key: str
    constant: str | None
    default: Any


FIELDS = {
    "from_email": Field("mail", "from_email", "WPMS_MAIL_FROM", ""),
    "from_name": Field("mail", "from_name", "WPMS_MAIL_FROM_NAME", ""),
    "from_email_force": Field("mail", "from_email_force", "WPMS_MAIL_FROM_FORCE", False),
    "from_name_force": Field("mail", "from_name_force", "WPMS_MAIL_FROM_NAME_FORCE", False),
    "return_path": Field("mail", "return_path", "WPMS_SET_RETURN_PATH", False),
    "mailer": Field("mail", "mailer", "WPMS_MAILER", "mail"),
    "host": Field("smtp", "host", "WPMS_SMTP_HOST", ""),
    "port": Field("smtp", "port", "WPMS_SMTP_PORT", 0),
    "encryption": Field("smtp", "encryption", "WPMS_SSL", "none"),
    "auth": Field("smtp", "auth", "WPMS_SMTP_AUTH", False),
    "autotls": Field("smtp", "autotls", "WPMS_SMTP_AUTOTLS", False),
    "user": Field("smtp", "user", "WPMS_SMTP_USER", ""),
    "password": Field("smtp", "pass", "WPMS_SMTP_PASS", ""),
    "ca": Field("smtp", "ca", None, ""),
}
CONSTANTS = [field.constant for field in FIELDS.values() if field.constant]


def wp_mail_smtp_defaults(store: Store) -> dict[str, Any]:
    """Return what WP Mail SMTP stores when it is switched on for the first time."""
    return {
        "mail": {
            "from_email": store.data.admin_email,
            "from_name": store.data.name,
            "mailer": "mail",
            "return_path": True,
            "from_email_force": True,
            "from_name_force": False,
        },
        "smtp": {"autotls": True, "auth": True},
        "general": {"summary_report_email_disabled": False},
    }


def state(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer who carries mail, with which values."""
    carriers = {name: _carrier(store, name) for name in OPTIONS}
    carrying = [name for name, one in carriers.items() if one["active"] and _carries(one["fields"])]
    return {"via": carrying[0] if carrying else "none", "foreign": None, "carriers": carriers}


def _carries(fields: Mapping[str, Any]) -> bool:
    return fields["mailer"] != "mail" and not (fields["mailer"] == "smtp" and not fields["host"])


def _carrier(store: Store, name: str) -> dict[str, Any]:
    plugin = store.data.plugins.get(SLUGS[name])
    return {
        "installed": plugin is not None,
        "active": plugin is not None and plugin.active,
        "version": plugin.version if plugin else None,
        "fields": {field: effective(store, name, field) for field in FIELDS},
        "sources": {field: source(store, name, field) for field in FIELDS},
        "do_not_send": name == "wp-mail-smtp" and _do_not_send(store),
        "image": image(store, name),
    }


def _do_not_send(store: Store) -> bool:
    by_constant = store.constants.get("WPMS_ON") is True and bool(store.constants.get("WPMS_DO_NOT_SEND"))
    return by_constant or bool(store.get_option("wp_mail_smtp", {}).get("general", {}).get("do_not_send"))


def source(store: Store, carrier: str, field: str) -> str:
    """Say where a field's value comes from."""
    place = FIELDS[field]
    if carrier == "wp-mail-smtp" and place.constant and _constant_rules(store, field, place.constant):
        return "constant"
    stored = store.get_option(OPTIONS[carrier], {}).get(place.group, {})
    return "option" if stored.get(place.key) is not None else "default"


def _constant_rules(store: Store, field: str, constant: str) -> bool:
    if store.constants.get("WPMS_ON") is not True or constant not in store.constants:
        return False
    value = store.constants[constant]
    if field in {"encryption", "auth", "autotls"}:
        return True
    return value in {True, "true"} if isinstance(FIELDS[field].default, bool) else bool(value)


def effective(store: Store, carrier: str, field: str) -> Any:
    """Return the value that takes effect."""
    place, where = FIELDS[field], source(store, carrier, field)
    if where == "default":
        return place.default
    if where == "constant":
        value = store.constants[place.constant or ""]
    else:
        value = store.get_option(OPTIONS[carrier])[place.group][place.key]
        if field == "password":
            value = _readable(store, carrier, str(value))
    if isinstance(place.default, bool):
        return bool(value)
    if isinstance(place.default, int):
        return int(value)
    return str(value) or place.default


def _readable(store: Store, carrier: str, stored: str) -> str:
    text = store.decrypt(stored)
    if text is None:
        # WP Mail SMTP takes what it cannot decrypt as it is; our connector never does.
        return stored if carrier == "wp-mail-smtp" else ""
    return text


def image(store: Store, carrier: str) -> dict[str, Any]:
    """Return all an undo puts back."""
    option = store.get_option(OPTIONS[carrier])
    column = None if option is None else {"value": _encoded(json.dumps(option)), "autoload": "no"}
    return {"option": column, "defines": store.defines(CONSTANTS) if carrier == "wp-mail-smtp" else {}}


def write(store: Store, args: Mapping[str, Any]) -> Any:
    """Write fields where the site holds them, when the expected values are still live."""
    carrier = args["carrier"]
    plugin = store.data.plugins.get(SLUGS[carrier])
    if plugin is None or not plugin.active:
        raise Refusal("not-active", f"{carrier} is not active")
    changed = [field for field, value in args["expected"].items() if effective(store, carrier, field) != value]
    if changed:
        raise Refusal("changed", f"changed since it was read: {', '.join(changed)}", {"fields": changed})
    constants, option = {}, store.get_option(OPTIONS[carrier], {})
    for field, value in args["fields"].items():
        place, by_constant = FIELDS[field], source(store, carrier, field) == "constant"
        if by_constant and effective(store, carrier, field) == value:
            continue
        if by_constant and place.constant:
            constants[place.constant] = php("" if (field, value) == ("encryption", "none") else value)
        if not by_constant or isinstance(place.default, bool):
            option.setdefault(place.group, {})[place.key] = store.encrypt(value) if field == "password" else value
    if constants:
        store.change_defines(constants)
    store.set_option(OPTIONS[carrier], option)
    return {"restart": bool(constants)}


def restore(store: Store, args: Mapping[str, Any]) -> Any:
    """Put an image back; what a person changed since stays and is named."""
    carrier, before = args["carrier"], args["image"]
    old = json.loads(decoded(before["option"]["value"])) if before["option"] else None
    if args["force"] or image(store, carrier) == args["applied"]:
        store.set_option(OPTIONS[carrier], old)
        return {"left": [], "restart": _put_defines(store, before["defines"])}
    left = [field for field, value in args["fields"].items() if effective(store, carrier, field) != value]
    option = store.get_option(OPTIONS[carrier], {})
    for field in set(args["fields"]) - set(left):
        _put_back(option, old or {}, FIELDS[field])
    store.set_option(OPTIONS[carrier], option if option or old is not None else None)
    ours = {FIELDS[field].constant for field in set(args["fields"]) - set(left)}
    texts = {name: text for name, text in before["defines"].items() if name in ours}
    return {"left": left, "restart": _put_defines(store, texts)}


def _put_back(option: dict[str, Any], old: Mapping[str, Any], place: Field) -> None:
    group = option.setdefault(place.group, {})
    group.pop(place.key, None)
    if place.key in old.get(place.group, {}):
        group[place.key] = old[place.group][place.key]
    if not group and place.group not in old:
        del option[place.group]


def _put_defines(store: Store, texts: Mapping[str, str]) -> bool:
    there = store.defines()
    return store.change_defines({name: text for name, text in texts.items() if name in there})


# Sending


def send(store: Store, args: Mapping[str, Any]) -> Any:
    """Send one mail through whoever carries mail."""
    via = state(store, {})["via"]
    if via == "none":
        error, fields = "Could not instantiate mail function.", {"from_email": store.data.admin_email, "host": ""}
        return _sent(fields, "mail", "", error)
    fields = {field: effective(store, via, field) for field in FIELDS}
    if via == "wp-mail-smtp" and _do_not_send(store):
        return _sent(fields, "smtp", "", "SMTP Error: sending is blocked")
    message = EmailMessage()
    message["From"] = formataddr((fields["from_name"], fields["from_email"]))
    message["To"], message["Subject"] = args["to"], args["subject"]
    message["Message-ID"] = make_msgid(domain="wordpress.stand-in")
    message.set_content(args["body"])
    return _sent(fields, "smtp", str(message["Message-ID"]), _deliver(store, via, fields, message))


def _sent(fields: Mapping[str, Any], mailer: str, message_id: str, error: str) -> dict[str, Any]:
    return {
        "sent": not error,
        "error": error,
        "from": fields["from_email"],
        "host": fields["host"],
        "mailer": mailer,
        "message_id": message_id,
    }


def _deliver(store: Store, via: str, fields: Mapping[str, Any], message: EmailMessage) -> str:
    """Hand a mail over; return PHPMailer's words when it fails (contract/wordpress/wp-mail-smtp-run.txt)."""
    try:
        with _connected(fields, _authority(store, via, fields["host"])) as server:
            server.ehlo()
            if fields["auth"]:
                _log_in(server, fields["user"], fields["password"])
            server.send_message(message, from_addr=fields["from_email"])
    except smtplib.SMTPAuthenticationError:
        return "SMTP Error: Could not authenticate."
    except smtplib.SMTPRecipientsRefused as refused:
        return f"SMTP Error: The following recipients failed: {', '.join(refused.recipients)}"
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError):
        return "SMTP Error: data not accepted."
    except (OSError, smtplib.SMTPException):
        return "SMTP Error: Could not connect to SMTP host. Failed to connect to server"
    return ""


def _connected(fields: Mapping[str, Any], authority: str) -> smtplib.SMTP:
    context = ssl.create_default_context(cadata=authority or None)
    if fields["encryption"] == "ssl":
        return smtplib.SMTP_SSL(fields["host"], fields["port"], timeout=TIMEOUT, context=context)
    server = smtplib.SMTP(fields["host"], fields["port"], timeout=TIMEOUT)
    server.ehlo()
    if fields["encryption"] == "tls" or (fields["autotls"] and server.has_extn("starttls")):
        server.starttls(context=context)
    return server


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    """Log in as PHPMailer does, in UTF-8; smtplib's own login takes ASCII alone."""
    code, words = server.docmd("AUTH PLAIN", _encoded(f"\0{user}\0{password}"))
    if code != _LOGGED_IN:
        raise smtplib.SMTPAuthenticationError(code, words)


def _authority(store: Store, via: str, host: str) -> str:
    """Return the authority our connector holds for the host; it helps WP Mail SMTP too."""
    connector = store.data.plugins.get(SLUGS["connector"])
    active = connector is not None and connector.active
    if not active or (via != "connector" and effective(store, "connector", "host") != host):
        return ""
    return str(effective(store, "connector", "ca"))


# Submission


def submission(_store: Store, args: Mapping[str, Any]) -> Any:
    """Try the ways of submission until one works."""
    seen = []
    for way in args["ways"]:
        outcome, detail = _try(args["host"], way, args["ca"], args["timeout"])
        seen.append({**way, "outcome": outcome, "detail": detail})
        if outcome == "usable":
            break
    return seen


def _try(host: str, way: Mapping[str, Any], authority: str, timeout: float) -> tuple[str, str]:
    context = ssl.create_default_context(cadata=authority or None)
    try:
        if way["security"] == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, way["port"], timeout=timeout, context=context)
        else:
            server = smtplib.SMTP(host, way["port"], timeout=timeout)
        with server:
            server.ehlo()
            if way["security"] == "starttls":
                if not server.has_extn("starttls"):
                    return "no-starttls", ""
                server.starttls(context=context)
                server.ehlo()
            return ("usable" if server.has_extn("auth") else "no-auth"), ""
    except (OSError, smtplib.SMTPException) as error:
        return _outcome(error), str(error)


def _outcome(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        names = {62: "certificate-name", 64: "certificate-name", 10: "certificate-expired"}
        return names.get(error.verify_code, "certificate-untrusted")
    kinds = (
        (ssl.SSLError, "tls-failed"),
        (socket.gaierror, "unknown-host"),
        (ConnectionRefusedError, "closed"),
        (smtplib.SMTPException, "not-smtp"),
    )
    return next((name for kind, name in kinds if isinstance(error, kind)), "no-answer")


def decoded(text: str) -> str:
    """Return the text of base64."""
    return base64.b64decode(text).decode()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
