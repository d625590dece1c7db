"""Log in as a person does: the application's start, Keycloak's form, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from agencystack.components.browser import Browser, Page, Place
from agencystack.engine.integration import Site
from agencystack.integrations import products
from agencystack.integrations.sso.door import Door
from agencystack.integrations.sso.probe import Probe, probe
from agencystack.integrations.sso.registration import Registration
from agencystack.stack.errors import BadAnswer, ComponentRef
from agencystack.stack.secrets import Secret

ERROR_TEXTS = ("input-error", "input-error-username", "input-error-password", "kc-error-message")
"""Ids of what Keycloak's pages tell a person, in its own themes of versions 21 to 26."""

FORM = ("username", "password")


@dataclass(frozen=True)
class Arrival:
    """Where a login ended.

    Args:
        page: the last page.
        at_keycloak: it ended on a page of Keycloak: the person was not let through.
        said: what that page, or the application's, tells the person.
    """

    page: Page
    at_keycloak: bool
    said: str


class Entrance:
    """An application's door with Keycloak behind it.

    Args:
        registration: the application in Keycloak.
        door: the application as a person meets it.
    """

    def __init__(self, registration: Registration, door: Door) -> None:
        self.registration, self.door = registration, door

    @contextmanager
    def visit(self, groups: Sequence[str]) -> Iterator[tuple[Probe, Browser]]:
        """Have a probe user in ``groups`` with a browser of their own; nothing of them is left afterwards."""
        with probe(self.registration.realm, self.registration.site.domain, groups) as person:
            try:
                roles = {role for path in groups for role in self.registration.roles_by_group[path]}
                if roles:
                    self.door.admit(person, tuple(sorted(roles)))
                with self.browser() as browser:
                    yield person, browser
            finally:
                self.door.forget(person)

    def browser(self) -> Browser:
        """Return a new browser that may go to the application and to Keycloak."""
        return Browser((self.door.place, self._keycloak()))

    def log_in(self, browser: Browser, person: Probe, password: Secret | None = None) -> Arrival:
        """Go from the application's login page through Keycloak's form, and say where that ends.

        Raises:
            BadAnswer: Keycloak shows no form to log in with; says what it shows instead.
            Unavailable: a product on the way did not answer.
        """
        page = self.door.begin(browser)
        form = page.contents.form_with(*FORM)
        if form is None or not self._at_keycloak(page):
            raise BadAnswer(self._no_form(page), component=self._where(page), remedy=self._remedy(page))
        values = {"username": person.username, "password": (password or person.password).reveal()}
        page = browser.submit(page, form, values)
        at_keycloak = self._at_keycloak(page)
        return Arrival(page, at_keycloak, _keycloak_words(page) if at_keycloak else self.door.words(page))

    def _no_form(self, page: Page) -> str:
        if self._at_keycloak(page):
            return f"shows no form to log in with, but: {_keycloak_words(page) or f'status {page.status}'}"
        said = self.door.words(page)
        return f"does not lead to Keycloak, but to {urlsplit(page.url).path or '/'} ({page.status}): {said}"

    def _remedy(self, page: Page) -> str:
        if self._at_keycloak(page):
            client = self.registration.client_id
            return f"compare the client {client} in Keycloak with the plan: agencystack plan sso"
        return "look whether its login plugin is active: agencystack plan sso"

    def _where(self, page: Page) -> ComponentRef:
        return self._keycloak().where if self._at_keycloak(page) else self.door.place.where

    def _at_keycloak(self, page: Page) -> bool:
        endpoint = urlsplit(self.registration.endpoints.issuer)
        here = urlsplit(page.url)
        return here.netloc == endpoint.netloc and here.path.startswith(endpoint.path)

    def _keycloak(self) -> Place:
        return place_of(self.registration.site, "provider")


def place_of(site: Site, which: str) -> Place:
    """Return the addresses of a site's ``application`` or ``provider`` for a browser."""
    component = site.provider if which == "provider" else site.application
    if component is None:
        raise BadAnswer("has no provider", component=site.application.ref)
    settings = component.settings
    return Place(component.ref, settings.url, settings.reached_by_us(), products.ca_file(settings))


def _keycloak_words(page: Page) -> str:
    found = page.contents
    return next(filter(None, (found.texts.get(name, "") for name in ERROR_TEXTS)), "")
