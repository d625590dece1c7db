"""What an address is, and how a batch does many things that each are answered for themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agencystack.sandbox.woocommerce.wire import Answer, Json, RestError

Handler = Callable[..., Answer]
LIMIT = 100
CHANGES = ("PUT", "POST", "PATCH")


@dataclass(frozen=True)
class Route:
    """One address.

    Args:
        path: regular expression of the whole of it, below ``/wp-json``.
        methods: HTTP methods.
        answer: gets the request, its body, and what the expression caught.
    """

    path: str
    methods: tuple[str, ...]
    answer: Handler


@dataclass(frozen=True)
class Resource:
    """What a kind of record can do, so that single calls and batches are one.

    Args:
        create: makes one.
        update: changes one, by id; the second argument is the status of the answer where there is none.
        remove: takes one away; forced or into the bin.
        show: one as JSON.
        loosen: what a batch makes of a body, where nothing is checked.
    """

    create: Callable[[Json], Json]
    update: Callable[[Any, Json, int], Json]
    remove: Callable[[Any, bool], Json]
    show: Callable[[Json], Json]
    loosen: Callable[[Json], Json]


# What one record takes in a batch, and alone, in seconds (facts/wordpress.md "Speed").
COST = {"product": 0.104, "order": 0.13, "customer": 0.2}
_IN_BATCH = {"product": 0.04, "order": 0.046, "customer": 0.15, "variation": 0.04}
_UPDATE_IN_BATCH = 0.021


def batch(resource: Resource, body: Json, kind: str) -> Answer:
    """Do many things, each answered for itself; the whole is 200 whatever became of them."""
    count = sum(len(body.get(name) or ()) for name in ("create", "update", "delete"))
    if count > LIMIT:
        said = f"Unable to accept more than {LIMIT} items for this request."
        raise RestError("woocommerce_rest_request_entity_too_large", said, 413)
    if not count:
        return Answer(200, [])
    done: Json = {}
    if body.get("create"):
        done["create"] = [_tried(0, _created, resource, one) for one in body["create"]]
    if body.get("update"):
        done["update"] = [_tried(one.get("id", 0), _updated, resource, one) for one in body["update"]]
    if body.get("delete"):
        done["delete"] = [_tried(id_, resource.remove, id_, True) for id_ in body["delete"]]
    seconds = 0.06 + len(body.get("create") or ()) * _IN_BATCH.get(kind, 0.04)
    return Answer(200, done, seconds=seconds + len(body.get("update") or ()) * _UPDATE_IN_BATCH)


def _tried(id_: Any, work: Callable[..., Json], *of: Any) -> Json:
    try:
        return work(*of)
    except RestError as error:
        return {"id": id_, "error": error.body}


def _created(resource: Resource, body: Json) -> Json:
    return resource.show(resource.create(resource.loosen(body)))


def _updated(resource: Resource, body: Json) -> Json:
    return resource.show(resource.update(body.get("id", 0), resource.loosen(body), 400))
