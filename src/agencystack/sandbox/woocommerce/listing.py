"""Lists: which records, in which order, which page, which fields; what WooCommerce does not know it ignores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from agencystack.sandbox.woocommerce import schema
from agencystack.sandbox.woocommerce.state import State
from agencystack.sandbox.woocommerce.wire import Answer, Json, Request, RestError

_CHECKS = {
    "per_page": schema.between(1, 100),
    "page": schema.integer,
    "offset": schema.integer,
    "modified_after": schema.moment,
    "modified_before": schema.moment,
    "after": schema.moment,
    "before": schema.moment,
    "order": schema.one_of("asc", "desc"),
}
_TIMES = {"modified_after": ("modified", 1), "modified_before": ("modified", -1), "after": ("created", 1)}

Row = Mapping[str, Any]
Shown = Callable[[Row], Json]


def check(params: Mapping[str, str]) -> None:
    """Refuse what every list refuses."""
    schema.check_all(_CHECKS, params)


def ids(text: str) -> list[int]:
    """Return the ids of a parameter such as ``include``."""
    return [int(part) for part in text.replace(" ", "").split(",") if part.isdigit()]


def chosen(state: State, rows: Iterable[Row], params: Mapping[str, str], *, by_time: bool = True) -> list[Row]:
    """Return the rows that every list can be narrowed to."""
    found = list(rows)
    if "include" in params:
        wanted = set(ids(params["include"]))
        found = [row for row in found if row["id"] in wanted]
    if "exclude" in params:
        unwanted = set(ids(params["exclude"]))
        found = [row for row in found if row["id"] not in unwanted]
    if not by_time:
        return found
    for name, (column, sign) in _TIMES.items():
        if name in params:
            limit = _limit(state, params, params[name])
            found = [row for row in found if _beyond(str(row[column]), limit, sign)]
    return found


def page(request: Request, rows: Sequence[Row], show: Shown, *, strict: bool = False, seconds: float = 0.06) -> Answer:
    """Return one page of rows.

    Args:
        request: what was asked.
        rows: all that are meant, in order.
        show: one as JSON.
        strict: a page that does not exist is refused, as the posts of WordPress itself are.
        seconds: what a record costs the product, beside the request.
    """
    params = request.params
    size, number = int(params.get("per_page", 10)), int(params.get("page", 1))
    start = int(params["offset"]) if "offset" in params else (number - 1) * size
    pages = -(-len(rows) // size)
    if strict and number > max(pages, 1):
        raise RestError(
            "rest_post_invalid_page_number",
            "The page number requested is larger than the number of pages available.",
        )
    items = [trimmed(show(row), params) for row in rows[start : start + size]]
    headers = {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": str(pages)}
    if number < pages and "offset" not in params:
        query = urlencode({**params, "page": number + 1})
        headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return Answer(200, items, headers, 0.06 + seconds * len(items))


def ordered(rows: Iterable[Row], params: Mapping[str, str], *, default: str = "date") -> list[Row]:
    """Return rows in the order asked for; newest first where none is."""
    by = params.get("orderby", default)
    column = {"date": "created", "registered_date": "created", "modified": "modified", "title": "name"}.get(by, by)
    if by == "include":
        places = {id_: place for place, id_ in enumerate(ids(params.get("include", "")))}
        return sorted(rows, key=lambda row: places.get(row["id"], 0))
    descending = params.get("order", "desc" if default == "date" else "asc") == "desc"
    return sorted(rows, key=lambda row: (_key(row.get(column)), row["id"]), reverse=descending)


def trimmed(record: Json, params: Mapping[str, str]) -> Json:
    """Return a record with the fields asked for alone."""
    if not params.get("_fields"):
        return record
    wanted = {name.strip().partition(".")[0] for name in params["_fields"].split(",")}
    return {name: value for name, value in record.items() if name in wanted}


def _limit(state: State, params: Mapping[str, str], text: str) -> str:
    if params.get("dates_are_gmt") == "true":
        return text.rstrip("Z")[:19]
    return state.gmt(text)


def _beyond(value: str, limit: str, sign: int) -> bool:
    """Compare without the bound itself: ``modified_after`` leaves out what changed in that very second."""
    return value > limit if sign > 0 else value < limit


def _key(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int) else (1, str(value))
