"""What an entity declares: its fields, who owns each, which way it goes, what happens when both sides changed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agencystack.bridge.record import Fields, SideName, Value
from agencystack.stack.sharing import Deletion, Direction, Policy

__all__ = ["Deletion", "Direction", "Entity", "Field", "Join", "Policy", "SideName"]

Join = Callable[[Value, Value, Value], Value]
"""A field's own algebra: from base, WordPress's value and ERPNext's (each may be ``None``) the value of both."""


@dataclass(frozen=True)
class Field:
    """One canonical field of an entity.

    Args:
        name: its canonical name.
        owner: the side that wins under the policy "owner", and whose value is put back where the other may not
            change it.
        direction: which way its changes go.
        policy: what happens when both sides changed it.
        join: its own algebra (order status, sets that only grow); the policy is then not asked.
        personal: it says something about a person: shared only where the field is shared, and removed by ``forget``.
        wordpress: where WordPress keeps it, for people: ``billing.first_name``.
        erpnext: where ERPNext keeps it, for people: ``Customer.customer_name``.
    """

    name: str
    owner: SideName
    wordpress: str = ""
    erpnext: str = ""
    direction: Direction = Direction.BOTH
    policy: Policy = Policy.OWNER
    join: Join | None = None
    personal: bool = False


@dataclass(frozen=True)
class Entity:
    """One kind of thing that is kept in step.

    Args:
        name: as in commands and settings: ``product``.
        title: as people read it: ``Products``.
        fields: what is shared of it.
        identity: names of the fields by which records that exist on both sides already are matched, best first; an
            empty value matches nothing.
        direction: which way records of it go at all.
        deletion: what happens when a record is gone on one side.
        needs: entities its references name; a record waits until those it names are linked.
        creates: the sides on which the bridge may make records of it.
        wanted: whether a record that only one side has is made on the other, by its values; one that both have stays in
            step whatever it says.
        side_by_side: several batches of it may be worked on at the same time: no record of it makes another one that
            a record of a batch beside it makes, too (as two orders of one guest make one customer).
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    identity: tuple[str, ...] = ()
    direction: Direction = Direction.BOTH
    deletion: Deletion = Deletion.ARCHIVE
    needs: tuple[str, ...] = ()
    creates: tuple[SideName, ...] = (SideName.WORDPRESS, SideName.ERPNEXT)
    wanted: Callable[[Fields], bool] | None = None
    side_by_side: bool = False

    def makes(self, fields: Fields) -> bool:
        """Tell whether a record with these values is made on the side that has none."""
        return self.wanted is None or self.wanted(fields)

    def field(self, name: str) -> Field:
        """Return a field by its name.

        Raises:
            KeyError: there is none of that name.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)
