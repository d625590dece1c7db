"""Listmonk's settings as it takes and shows them (settings.json, oidc_settings.json)."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, cast

from agencystack.sandbox.listmonk.answers import Declined

MASK = "•"
# Settings that hold a secret besides those in the lists: masked in answers, kept when sent empty.
SECRETS = (
    ("upload.s3.aws_secret_access_key",),
    ("bounce.sendgrid_key",),
    ("bounce.azure", "shared_secret"),
    ("bounce.postmark", "password"),
    ("bounce.forwardemail", "key"),
    ("bounce.lettermint", "key"),
    ("security.captcha", "hcaptcha", "secret"),
    ("security.oidc", "client_secret"),
)
LISTS_WITH_PASSWORDS = ("smtp", "bounce.mailboxes", "messengers")


def factory_settings() -> dict[str, Any]:
    """Return the settings of a fresh install (settings.json, "factory settings"), passwords in clear."""
    text = files("agencystack.sandbox.listmonk").joinpath("factory.json").read_text()
    return cast(dict[str, Any], json.loads(text))


def as_declared(given: Any, declared: Any, path: str) -> Any:
    """Return ``given`` in the form of ``declared``: unknown fields go, missing ones become zero values."""
    if given is None:
        return _zero(declared)
    if declared is None:
        return _number_or_null(given, path)
    if type(given) is not type(declared):
        raise Declined(400, f"Unmarshal type error: expected={_go(declared)}, got={_go(given)}, field={path}")
    if isinstance(declared, dict) and path != "bounce.actions":
        return {key: as_declared(given.get(key), value, f"{path}.{key}".lstrip(".")) for key, value in declared.items()}
    if path == "smtp":
        return [as_declared(item, declared[0], path) for item in given]
    return given


def _number_or_null(given: Any, path: str) -> Any:
    if isinstance(given, bool) or not isinstance(given, int):
        raise Declined(400, f"Unmarshal type error: expected=int64, got={_go(given)}, field={path}")
    return given


def _zero(declared: Any) -> Any:
    if isinstance(declared, dict):
        return {key: _zero(value) for key, value in declared.items()}
    return declared if declared is None else type(declared)()


def _go(value: Any) -> str:
    names = {bool: "bool", int: "int", str: "string", list: "[]struct", dict: "object", float: "number"}
    return names.get(type(value), "null")


def settle(changed: dict[str, Any], current: Mapping[str, Any]) -> None:
    """Do what Listmonk does with sent settings before it stores them."""
    names: set[str] = set()
    for block in changed["smtp"]:
        block["name"] = _messenger_name(block["name"])
        if block["name"] and block["name"] in names:
            raise Declined(400, f"Duplicate messenger name: {block['name']}")
        names.add(block["name"])
        block["host"] = block["host"].strip()
        if block["enabled"]:
            block["from_addresses"] = [a.strip().lower() for a in block["from_addresses"] if a.strip()]
    if not any(block["enabled"] for block in changed["smtp"]):
        raise Declined(400, "At least one SMTP block should be enabled")
    for name in LISTS_WITH_PASSWORDS:
        _keep_passwords(changed[name], current[name])
    for path in SECRETS:
        _keep_secret(changed, current, path)
    oidc = changed["security.oidc"]
    if oidc["auto_create_users"] and (oidc["default_user_role_id"] or 0) < 1:
        raise Declined(400, "Invalid fields: settings.security.OIDCDefaultRole")


def _messenger_name(name: str) -> str:
    clean = re.sub(r"[^a-z0-9\-]", "-", name.strip().lower())
    return clean if not clean or clean.startswith("email-") else f"email-{clean}"


def _keep_passwords(rows: Sequence[dict[str, Any]], stored: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        if not row.get("password"):
            same = [known.get("password", "") for known in stored if known.get("uuid", "") == row.get("uuid", "")]
            row["password"] = same[-1] if same else ""
        row["uuid"] = row.get("uuid") or str(uuid.uuid4())


def _keep_secret(changed: dict[str, Any], current: Mapping[str, Any], path: tuple[str, ...]) -> None:
    *parents, last = path
    for parent in parents:
        changed, current = changed[parent], current[parent]
    if not changed.get(last) and current.get(last):
        changed[last] = current[last]


def masked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are shown: each secret as a mask of its length."""
    shown: dict[str, Any] = json.loads(json.dumps(settings))
    for name in LISTS_WITH_PASSWORDS:
        for row in shown[name]:
            row["password"] = MASK * len(row.get("password", ""))
            if not row["password"]:
                del row["password"]
    for *parents, last in SECRETS:
        holder = shown
        for parent in parents:
            holder = holder[parent]
        if holder.get(last):
            holder[last] = MASK * len(holder[last])
    # Go's "omitempty": absent where there is none.
    if not shown["upload.s3.aws_secret_access_key"]:
        del shown["upload.s3.aws_secret_access_key"]
    return shown
