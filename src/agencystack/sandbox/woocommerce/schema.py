"""What WordPress checks of a body before anything else: types, choices, and the sentences it refuses with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from agencystack.sandbox.woocommerce.wire import Json, RestError

Problem: TypeAlias = tuple[str, str, str]
"""Its code, its sentence, and the parameter within."""
Check: TypeAlias = Callable[[str, Any], Problem | None]


def string(name: str, value: Any) -> Problem | None:
    """Text; a number is none."""
    return None if isinstance(value, str) else _type(name, "string")


def integer(name: str, value: Any) -> Problem | None:
    """A whole number, also as text."""
    return None if _number(value) == int(_number(value) or 0) and _number(value) is not None else _type(name, "integer")


def number(name: str, value: Any) -> Problem | None:
    """A number, also as text."""
    return None if _number(value) is not None else _type(name, "number")


def boolean(name: str, value: Any) -> Problem | None:
    """True or false, also as text or digit."""
    return None if value in (True, False, "true", "false", "1", "0", 1, 0) else _type(name, "boolean")


def anything(name: str, value: Any) -> Problem | None:
    """Whatever it is."""
    return None


def one_of(*choices: str) -> Check:
    """One of some words."""

    def check(name: str, value: Any) -> Problem | None:
        return None if value in choices else (*_enum(name, choices), "")

    return check


def items(**checks: Check) -> Check:
    """A list of objects with such properties."""

    def check(name: str, value: Any) -> Problem | None:
        if not isinstance(value, list):
            return _type(name, "array")
        for index, one in enumerate(value):
            if not isinstance(one, dict):
                return _type(f"{name}[{index}]", "object")
            for key, within in checks.items():
                if one.get(key) is not None and (problem := within(f"{name}[{index}][{key}]", one[key])):
                    return problem
        return None

    return check


def item(**checks: Check) -> Check:
    """An object with such properties."""

    def check(name: str, value: Any) -> Problem | None:
        if not isinstance(value, dict):
            return _type(name, "object")
        for key, within in checks.items():
            if value.get(key) is not None and (problem := within(f"{name}[{key}]", value[key])):
                return problem
        return None

    return check


def email(name: str, value: Any) -> Problem | None:
    """An e-mail address as WordPress takes it."""
    return None if is_email(str(value)) else ("rest_invalid_email", "Invalid email address.", "")


def is_email(text: str) -> bool:
    """Tell whether WordPress takes a text for an e-mail address."""
    return _EMAIL.fullmatch(text) is not None


_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+")


def moment(name: str, value: Any) -> Problem | None:
    """A time."""
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return "rest_invalid_date", "Invalid date.", ""
    return None


def between(low: int, high: int) -> Check:
    """A whole number within bounds."""

    def check(name: str, value: Any) -> Problem | None:
        if problem := integer(name, value):
            return problem
        if low <= int(float(value)) <= high:
            return None
        return "rest_out_of_bounds", f"{name} must be between {low} (inclusive) and {high} (inclusive)", ""

    return check


def check_all(checks: Mapping[str, Check], body: Mapping[str, Any]) -> None:
    """Check a body; what is null is not looked at.

    Raises:
        RestError: ``rest_invalid_param`` with every wrong parameter, in the order of the product's own schema.
    """
    wrong = {
        name: problem
        for name, check in checks.items()
        if body.get(name) is not None and (problem := check(name, body[name]))
    }
    if not wrong:
        return
    details: Json = {
        name: {"code": code, "message": said, "data": {"param": within} if within else None}
        for name, (code, said, within) in wrong.items()
    }
    said = {name: problem[1] for name, problem in wrong.items()}
    raise RestError("rest_invalid_param", f"Invalid parameter(s): {', '.join(wrong)}", params=said, details=details)


def truth(value: Any) -> bool:
    """Return a boolean parameter as one."""
    return value in (True, "true", "1", 1)


def _type(name: str, kind: str) -> Problem:
    return "rest_invalid_type", f"{name} is not of type {kind}.", name


def _enum(name: str, choices: Sequence[str]) -> tuple[str, str]:
    listed = f"{', '.join(choices[:-1])}, and {choices[-1]}"
    return "rest_not_in_enum", f"{name} is not one of {listed}."


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
