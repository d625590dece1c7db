"""How long the real product takes for a request with one client (facts/erpnext.md "Speed", contract/erpnext/20, 21)."""

from __future__ import annotations

import json
import re

# Seconds for a creation, a change, a submission; of what is not named here, the first line.
_WRITES = {
    "": (0.03, 0.045, 0.06),
    "Customer": (0.031, 0.047, 0.0),
    "Item": (0.037, 0.057, 0.0),
    "Item Price": (0.032, 0.045, 0.0),
    "Sales Order": (0.121, 0.143, 0.174),
    "Sales Invoice": (0.15, 0.15, 0.19),
    "Delivery Note": (0.15, 0.15, 0.19),
    "Payment Entry": (0.09, 0.09, 0.12),
    "Contact": (0.06, 0.05, 0.0),
    "Address": (0.06, 0.05, 0.0),
    "Lead": (0.06, 0.05, 0.0),
    "User": (0.7, 0.2, 0.0),
}
_PING, _READ, _DELETE, _METHOD, _MAIL = 0.007, 0.013, 0.15, 0.03, 0.15
# A list, and what each document of one adds, with its child tables: 500 rows take 50 ms.
_LIST, _ROW = 0.02, 0.0005
# Within one process of the product, where no request has to be begun for each (PERFORMANCE.md, "The limits").
_INSIDE = {
    ("insert", "Customer"): 0.007,
    ("insert", "Item"): 0.0085,
    ("insert", "Item Price"): 0.0135,
    ("update", "Item"): 0.024,
    ("insert", "Sales Order"): 0.06,
    ("submit", "Sales Order"): 0.08,
}
_INSIDE_OTHER = 0.02
_RESOURCE = re.compile(r"/api/resource/(?P<doctype>[^/?]+)")


def latency(method: str, path: str, body: bytes) -> float:
    """Return the seconds one request takes.

    Args:
        method: HTTP method.
        path: percent-encoded.
        body: of the request.
    """
    if path.endswith("ping"):
        return _PING
    if path.endswith("email.make"):
        return _MAIL
    if method == "GET":
        return _READ
    if method == "DELETE":
        return _DELETE
    if path.endswith(".bridge.apply"):
        return _READ + inside(body)
    if path.endswith(".bridge.documents"):
        return _LIST + _ROW * body.count(b'","')
    if path.endswith("client.get_list"):
        return _LIST
    if path.endswith("client.insert_many"):
        return _many(body)
    if "_connector.bridge." in path:
        return _READ
    resource = _RESOURCE.match(path)
    if resource is None:
        return _METHOD
    create, change, submit = _WRITES.get(resource["doctype"].replace("%20", " "), _WRITES[""])
    submits = b'"docstatus":1' in body.replace(b" ", b"")
    if method == "POST":
        return create + (submit / 10 if submits else 0.0)
    return submit if submits else change


def _many(body: bytes) -> float:
    """Return the seconds documents of one request take: the first as by itself, the others as in one process."""
    try:
        doctypes = [str(one["doctype"]) for one in json.loads(body)["docs"]]
    except (ValueError, KeyError, TypeError):
        return _METHOD
    first = _WRITES.get(doctypes[0], _WRITES[""])[0] if doctypes else _METHOD
    return first + sum(_INSIDE.get(("insert", one), _INSIDE_OTHER) for one in doctypes[1:])


def inside(body: bytes) -> float:
    """Return the seconds the groups of a call of our app take in a loop within one process of the product.

    Args:
        body: of the call ``apply``.
    """
    try:
        groups = json.loads(body)["groups"]
        steps = [(str(step["action"]), str(step["doctype"])) for group in groups for step in group["steps"]]
    except (ValueError, KeyError, TypeError):
        return 0.0
    return sum(_INSIDE.get(step, _INSIDE_OTHER) for step in steps)
