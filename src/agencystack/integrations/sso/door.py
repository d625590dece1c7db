"""What a proof must know of an application to walk in through its door, as a person would."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from agencystack.components.browser import Browser, Page, Place
from agencystack.integrations.sso.probe import Probe


@dataclass(frozen=True)
class Visitor:
    """Who an application says is logged in.

    Args:
        name: login or address, as the application has it.
        email: address it knows them by.
        roles: their roles in it, sorted.
    """

    name: str
    email: str
    roles: tuple[str, ...]


class Door(ABC):
    """One application's login, session and logout, over plain HTTP.

    Attributes:
        place: its addresses.
        administrators: roles that rule the application; nobody gets them for a proof unless a person says so.
        way_back: how somebody gets in when Keycloak is gone; kept in the record, with the proof.
    """

    place: Place
    administrators: frozenset[str] = frozenset()
    way_back: str = "the application's own login"

    @abstractmethod
    def begin(self, browser: Browser) -> Page:
        """Go from the application's login page to Keycloak, by what a person would press there."""

    def ends_keycloak_session(self) -> bool:
        """Say whether logging out of the application logs out of Keycloak, too."""
        return True

    def admit(self, probe: Probe, roles: tuple[str, ...]) -> None:  # noqa: B027 - most doors have nothing to do
        """Do what `agencystack roles sync` does for a person; nothing where the login itself gives the roles."""

    @abstractmethod
    def visitor(self, browser: Browser, probe: Probe) -> Visitor | None:
        """Return whom the application takes the browser's owner for, asked of the application; None for nobody."""

    @abstractmethod
    def leave(self, browser: Browser) -> Page:
        """Log out as a person does."""

    @abstractmethod
    def forget(self, probe: Probe) -> None:
        """Remove what the probe left in the application; nothing to do where it never got in."""

    @abstractmethod
    def expected(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return what :class:`Visitor.roles` is, sorted, for somebody whose groups give ``roles``."""

    def words(self, page: Page) -> str:
        """Return what the application tells a person on ``page`` about why they are not in."""
        return page.contents.title


class ChecksTokens(ABC):
    """A door whose keeper can be shown a token and says what he thinks of it."""

    @abstractmethod
    def refusal(self, token: str) -> str:
        """Return why the application refuses ``token``, empty when it would let its bearer in."""
