"""The rules that hold: what an entity declares, narrowed by what the client shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agencystack.bridge.entity import Direction, Entity, Field
from agencystack.bridge.settings import EntitySharing, FieldSharing, Sharing


def effective(entity: Entity, sharing: EntitySharing) -> Entity:
    """Return an entity with the directions, owners, policies and further fields that a client chose.

    Sharing only narrows a direction: what an entity does not send one way, no setting sends.
    """
    direction = entity.direction.narrowed(sharing.direction)
    own = [_narrowed(field, sharing.fields.get(field.name), direction) for field in entity.fields]
    custom = [
        Field(
            name=name,
            owner=field.owner,
            wordpress=field.wordpress,
            erpnext=field.erpnext,
            direction=field.direction.narrowed(direction),
            policy=field.policy,
            personal=field.personal,
        )
        for name, field in sharing.custom.items()
    ]
    return replace(entity, fields=(*own, *custom), direction=direction, deletion=sharing.deletion or entity.deletion)


def shared(entities: Mapping[str, Entity], sharing: Sharing) -> Mapping[str, Entity]:
    """Return the entities that are shared at all, with the rules that hold; those that others need come first."""
    rules = {
        name: effective(entity, sharing.entities[name])
        for name, entity in entities.items()
        if name in sharing.entities and sharing.entities[name].direction is not Direction.OFF
    }
    ordered: dict[str, Entity] = {}

    def place(name: str, under: tuple[str, ...]) -> None:
        if name in ordered or name not in rules or name in under:
            return
        for needed in rules[name].needs:
            place(needed, (*under, name))
        ordered[name] = rules[name]

    for name in rules:
        place(name, ())
    return ordered


def _narrowed(field: Field, sharing: FieldSharing | None, direction: Direction) -> Field:
    chosen = sharing or FieldSharing()
    return replace(
        field,
        direction=field.direction.narrowed(direction).narrowed(chosen.direction or Direction.BOTH),
        owner=chosen.owner or field.owner,
        policy=chosen.policy or field.policy,
    )
