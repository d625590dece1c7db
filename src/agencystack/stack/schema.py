"""The JSON Schema of ``stack.yaml``, made from the models; ``python -m agencystack.stack.schema`` prints it."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from typing import Any

from agencystack.stack.model import Stack


@functools.cache
def stack_schema() -> dict[str, Any]:
    """Return the schema, as strict as reading is: nothing empty, no other key."""
    schema: dict[str, Any] = _strict(Stack.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "AgencyStack stack.yaml"}


def as_text() -> str:
    """Return the schema as it is shipped in ``schemas/stack.schema.json``."""
    return json.dumps(stack_schema(), indent=2, sort_keys=True) + "\n"


def keys_at(path: Sequence[str | int]) -> list[str]:
    """Return the keys that may stand in the mapping at ``path``; none where any may."""
    node = stack_schema()
    for part in path:
        node = _inside(_resolved(node), part)
    return list(_resolved(node).get("properties", {}))


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: dict[str, Any] = stack_schema()["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return found


def _inside(node: dict[str, Any], part: str | int) -> dict[str, Any]:
    properties = node.get("properties", {})
    if part in properties:
        found = properties[part]
    else:
        others = [*node.get("patternProperties", {}).values(), node.get("additionalProperties"), node.get("items")]
        found = next((other for other in others if isinstance(other, dict)), {})
    return dict(found)


def _strict(node: Any) -> Any:
    """Take out what Pydantic allows but reading does not: empty values, and keys that match no pattern."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _strict(value) for key, value in node.items() if not (key == "default" and value in (None, {}, []))}
    if "patternProperties" in node:
        node["additionalProperties"] = False
    if isinstance(node.get("default"), dict):
        del node["default"]
    choices = [choice for choice in node.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        del node["anyOf"]
        node = choices[0] | node
    return node


if __name__ == "__main__":
    sys.stdout.write(as_text())
