"""What the conformance suite needs to know of an integration: its product, and how a person would meddle with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from agencystack.engine.integration import Integration
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.model import Stack
from agencystack.stack.secrets import Secret


@dataclass(frozen=True)
class Edit:
    """One value that was changed by hand in the product.

    Args:
        resource: key of the resource it belongs to.
        field: name of the managed field.
        present: says whether the product still holds the value that the hand set.
    """

    resource: str
    field: str
    present: Callable[[], bool]


class Bench(ABC):
    """An integration, and a product (or what stands in for it) that only this test uses.

    Attributes:
        integration: what is tested.
        stack: a stack with one client that has the application, and the provider where there is one.
        client: id of that client.
        secrets: the credentials of the stack; they must be found nowhere.
    """

    integration: Integration
    stack: Stack
    client: str = "acme"
    secrets: Sequence[Secret] = ()

    @abstractmethod
    def state(self) -> object:
        """Return all the product holds that undo must put back, as something that can be compared with ``==``."""

    @abstractmethod
    def calls(self) -> int:
        """Return how many calls the products have got so far."""

    @abstractmethod
    def edit(self) -> Edit:
        """Change one readable managed value, as a person would in the product's own screens."""

    @abstractmethod
    def unreachable(self) -> AbstractContextManager[None]:
        """Make the application unreachable for the time of a ``with``."""

    @abstractmethod
    def failing_proof(self) -> AbstractContextManager[None]:
        """Break what a proof uses and no resource shows, for the time of a ``with``: mail is lost, say."""

    def foreign(self) -> str | None:
        """Configure the product as a person would who connects it elsewhere; return the key of the resource.

        Return None where nothing in the product can be in foreign hands.
        """
        return None

    def resolve(self, reference: Any) -> Secret:
        """Return the value of a secret reference of the stack."""
        raise ConfigurationError(f"the bench of {type(self.integration).__name__} has no secrets")

    def close(self) -> None:  # noqa: B027 - most benches hold nothing open
        """End what the bench started."""
