"""The token that opens the details of an application's health: made by us, sealed, and kept by the site as a hash."""

from __future__ import annotations

from typing import Protocol

from agencystack.components.erpnext import ErpNext
from agencystack.components.erpnext.health import SINCE, tells_health
from agencystack.components.health import token_hash
from agencystack.components.wordpress import HEALTH_TOKEN, WordPress
from agencystack.engine.integration import SealedValue, Site
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Marker
from agencystack.integrations import products
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret, generate

KEY = "health token"


class Keeper(Protocol):
    """A site that keeps the hash of a token."""

    where: ComponentRef

    def kept(self) -> Secret | None:
        """Return the hash, None where there is none."""

    def keep(self, kept: Secret | None) -> None:
        """Keep another one, or none."""


class WordPressKeeper:
    """A WordPress with our connector; its answer comes with everything else that is read."""

    def __init__(self, wordpress: WordPress) -> None:
        self.where, self._wordpress = wordpress.where, wordpress
        wordpress.ask(HEALTH_TOKEN)

    def kept(self) -> Secret | None:
        """Return the hash in the connector's option."""
        return self._wordpress.answer(HEALTH_TOKEN)

    def keep(self, kept: Secret | None) -> None:
        """Write the option."""
        self._wordpress.write_health_token(kept)


class ErpNextKeeper:
    """An ERPNext with our app."""

    def __init__(self, erpnext: ErpNext) -> None:
        self.where, self._login = erpnext.where, erpnext.login

    def kept(self) -> Secret | None:
        """Return the hash in the app's settings."""
        found = self._login.connector_settings().health_token_hash
        return Secret(found) if found else None

    def keep(self, kept: Secret | None) -> None:
        """Write the app's settings."""
        self._login.update_connector({"health_token_hash": kept.reveal() if kept else ""})


def keeper_of(site: Site) -> Keeper:
    """Return what keeps the token of a WordPress or an ERPNext."""
    if site.application.ref.name == "wordpress":
        return WordPressKeeper(products.wordpress(site.application, site.context))
    return ErpNextKeeper(products.erpnext(site.application, site.context))


def sealed_token(site: Site) -> SealedValue:
    """Return the token itself; the owner's, so that clients who share an application share its token."""
    return SealedValue(site.context, f"{site.owner}/monitoring/{site.application.ref.name}/health-token")


class HealthToken(Resource):
    """The token of one site.

    Args:
        keeper: the site.
        sealed: where we keep the token itself.
    """

    def __init__(self, keeper: Keeper, sealed: SealedValue) -> None:
        self.component, self.key = keeper.where, KEY
        self._keeper, self._sealed = keeper, sealed

    def read(self) -> Reading:
        """Return the hash the site keeps."""
        kept = self._keeper.kept()
        return ABSENT if kept is None else Reading({"token": kept})

    def wanted(self) -> Fields:
        """Want the hash of ours; made by apply where there is none, or the sealed store was lost."""
        token = self._sealed.get()
        return {"token": Marker.PENDING if token is None else token_hash(token)}

    def write(self, change: Change) -> None:
        """Have the site keep it; a token is sealed before any site knows it."""
        kept = change.target["token"]
        if not isinstance(kept, Secret):
            token = generate()
            self._sealed.put(token)
            kept = token_hash(token)
        self._keeper.keep(kept)

    def remove(self, live: Reading, before: Image) -> str:
        """Take it away, here and there."""
        self._keeper.keep(None)
        self._sealed.delete()
        return ""


class AppsHealthToken(HealthToken):
    """The token of an ERPNext, of which only the plan finds out whether it has our app."""

    def __init__(self, site: Site) -> None:
        super().__init__(keeper_of(site), sealed_token(site))
        self._site = site

    def read(self) -> Reading:
        """Return the hash; without the app nothing, and what is missed then."""
        if has_health(self._site):
            return super().read()
        since = ".".join(map(str, SINCE))
        return Reading(
            {},
            warnings=(
                f"{self.component}: without our app agencystack_connector {since} or later its health is only that it "
                "answers: scheduler, workers and mail are not looked at (docs/monitoring.md)",
            ),
        )

    def wanted(self) -> Fields:
        """Want it where the app is."""
        return super().wanted() if has_health(self._site) else {}


def has_health(site: Site) -> bool:
    """Say whether an ERPNext has our app in a version that tells its health; asked once a run."""
    login = products.erpnext(site.application, site.context).login
    version = site.context.connection(site.application.ref, login.connector_version, "version of our app")
    return tells_health(version)
