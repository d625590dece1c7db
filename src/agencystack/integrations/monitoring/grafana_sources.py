"""Where Grafana reads from: a data source for Loki, and one for Prometheus where the stack has it."""

from __future__ import annotations

from typing import Any

from agencystack.components.grafana import DataSource, DataSources
from agencystack.engine.context import Component
from agencystack.engine.integration import Blocked, Site
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value, digest
from agencystack.integrations import products
from agencystack.integrations.monitoring.dashboards import shortened
from agencystack.integrations.monitoring.dashboards.model import Source
from agencystack.stack.model import SHARED
from agencystack.stack.products import Loki, Prometheus
from agencystack.stack.secrets import Secret

MARK = "agencystack"
"""Setting of a data source under another uid than ours that says what it is to us; Grafana itself does not read it."""

ADOPTED, OURS = "adopted", "ours"
TENANT, AUTHORITY = "agencystackTenant", "agencystackAuthority"
"""Beside what Grafana shows of nobody: which tenant and which authority its secrets hold."""

PASSWORD = "basicAuthPassword"  # noqa: S105 - the name of a setting
USED = "used"


class Place:
    """Where a store is read in Grafana; found once a run, and again after it was changed.

    Args:
        sources: of that Grafana.
        kind: of store.
        uid: that is ours.
        name: that is ours.
        url: as Grafana reaches the store.
    """

    def __init__(self, sources: DataSources, kind: Source, *, uid: str, name: str, url: str) -> None:
        self.sources, self.kind = sources, kind
        self._uid, self.name, self.url = uid, name, url.rstrip("/")
        self._found: tuple[DataSource | None] | None = None

    def forget(self) -> None:
        """Look again at the next question."""
        self._found = None

    def find(self) -> DataSource | None:
        """Return the data source that is ours, or stands in its place: marked, of our name, or for the same address."""
        if self._found is None:
            self._found = (self.sources.get(self._uid) or self._other(),)
        return self._found[0]

    @property
    def uid(self) -> str:
        """What dashboards and rules name it by."""
        found = self.find()
        return self._uid if found is None else found.uid

    def is_ours(self, found: DataSource) -> bool:
        """Say whether all of it is for us to decide."""
        return found.uid == self._uid or found.json_data.get(MARK) == OURS

    def is_the_same(self, found: DataSource) -> bool:
        """Say whether it reads the same store."""
        return found.type == self.kind.value and found.url.rstrip("/") == self.url

    def _other(self) -> DataSource | None:
        every = self.sources.all()
        named = [found for found in every if found.json_data.get(MARK) and self._could_be(found)]
        named += [found for found in every if found.name == self.name]
        named += [found for found in every if self.is_the_same(found)]
        # A listing leaves out which secrets are stored.
        return self.sources.get(named[0].uid) if named else None

    def _could_be(self, found: DataSource) -> bool:
        return found.name == self.name or self.is_the_same(found)


def place_of(site: Site, grafana: Component, store: Component, kind: Source) -> Place:
    """Return where a store is read in a Grafana: the same for the whole run.

    Args:
        site: the application.
        grafana: that reads.
        store: that is read.
        kind: of store.
    """
    own = store.ref.client not in {SHARED, grafana.ref.client}
    suffix = f"-{store.ref.client}" if own else ""
    uid = shortened(f"agencystack-{kind}{suffix}")
    name = f"AgencyStack {kind.value.capitalize()}{suffix.replace('-', ' ', 1)}"
    sources = DataSources(products.grafana(grafana, site.context).calls)
    url = store.settings.reached_by_components()
    return site.context.connection(
        grafana.ref, lambda: Place(sources, kind, uid=uid, name=name, url=url), ("data source", uid)
    )


class StoreSource(Resource):
    """The data source of one store.

    A person's own that reads the same store is used as it is, where stack.yaml says ``adopt``; one of our name that
    reads something else is made to read this store, where it says ``replace``.
    """

    def __init__(self, site: Site, grafana: Component, store: Component, kind: Source) -> None:
        self.place = place_of(site, grafana, store, kind)
        self.component, self.key = grafana.ref, f"data source {self.place.name}"
        self._site, self._store = site, store

    def read(self) -> Reading:
        """Return the data source; one that a person made for the same store, or under our name, is theirs."""
        found = self.place.find()
        if found is None:
            return ABSENT
        if self.place.is_ours(found):
            self._must_be_writable(found)
            return Reading(_shown(found))
        if self.place.is_the_same(found):
            return self._of_a_person(found)
        self._must_be_writable(found)
        what = f"the data source {found.name} reads {found.url} ({found.type}), and was made by a person"
        return Reading(_shown(found), foreign=Foreign(what, Permission.REPLACE))

    def wanted(self) -> Fields:
        """Want it to read our store as stack.yaml says; of one that is adopted only that it is used."""
        found = self.place.find()
        if found is not None and not self.place.is_ours(found) and self.place.is_the_same(found):
            return {USED: True}
        settings = self._settings()
        authority = products.ca_file(settings)
        return {
            "name": self.place.name,
            "type": self.place.kind.value,
            "url": self.place.url,
            "tenant": getattr(settings, "tenant", None),
            "user": settings.user,
            "password": self._site.context.resolve(settings.password) if settings.password else None,
            "authority": digest(products.pem(authority)) if authority else None,
            USED: True,
        }

    def write(self, change: Change) -> None:
        """Make it, or change what differs; a stored password stays unless another is wanted."""
        found = self.place.find()
        if set(change.target) == {USED}:
            if found is not None:
                self._mark(found, ADOPTED if change.target[USED] else None)
        else:
            self._save(found, change)
        self.place.forget()

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it."""
        self.place.sources.delete(self.place.uid)
        self.place.forget()
        return ""

    def _settings(self) -> Loki | Prometheus:
        if self.place.kind is Source.LOKI:
            return products.settings_of(self._store, Loki)
        return products.settings_of(self._store, Prometheus)

    def _of_a_person(self, found: DataSource) -> Reading:
        allowed = found.read_only and bool(self._site.setting("adopt", False))
        if allowed or found.json_data.get(MARK) == ADOPTED:
            return Reading(
                {USED: True}, warnings=(f"dashboards read through the data source {found.name}, a person's",)
            )
        self._must_be_writable(
            found, "write `adopt: true` for this application in stack.yaml, to have it used as it is"
        )
        what = f"the data source {found.name} reads {found.url} already, and was made by a person"
        return Reading({USED: False}, foreign=Foreign(what, Permission.ADOPT))

    def _must_be_writable(self, found: DataSource, remedy: str = "") -> None:
        if not found.read_only or (_shown(found).items() >= dict(self._compared()).items() and not remedy):
            return
        raise Blocked(
            f"the data source {found.name} ({found.uid}) comes from a provisioning file, and only that may change it",
            component=self.component,
            remedy=remedy or "correct it in that file, or take it out there so that it can be made by us",
        )

    def _compared(self) -> dict[str, Value]:
        return {name: value for name, value in self.wanted().items() if name in {"type", "url"}}

    def _mark(self, found: DataSource, mark: str | None) -> None:
        data = {name: value for name, value in found.json_data.items() if name != MARK}
        self.place.sources.save(found.model_copy(update={"json_data": data | ({MARK: mark} if mark else {})}), {})

    def _save(self, found: DataSource | None, change: Change) -> None:
        target = change.target
        made = found or DataSource(uid=self.place.uid, name=self.place.name, type=self.place.kind.value)
        update = {
            "name": str(target["name"]),
            "type": str(target["type"]),
            "url": str(target["url"]),
            "basic_auth": bool(target["user"]),
            "basic_auth_user": str(target["user"] or ""),
            "json_data": {**made.json_data, **self._data(change)},
        }
        source, secrets = made.model_copy(update=update), self._secrets(change)
        if found is None:
            self.place.sources.create(source, secrets)
        else:
            self.place.sources.save(source, secrets)

    def _data(self, change: Change) -> dict[str, Any]:
        tenant, authority = change.target["tenant"], change.target["authority"]
        data: dict[str, Any] = {MARK: OURS if change.target[USED] else "", TENANT: tenant, AUTHORITY: authority}
        data |= {"httpHeaderName1": "X-Scope-OrgID"} if tenant else {}
        data |= {"tlsAuthWithCACert": True} if authority else {}
        return data | ({"httpMethod": "POST"} if self.place.kind is Source.PROMETHEUS else {"maxLines": 1000})

    def _secrets(self, change: Change) -> dict[str, Secret]:
        secrets: dict[str, Secret] = {}
        password, tenant = change.target["password"], change.target["tenant"]
        if "password" in change.names and isinstance(password, Secret):
            secrets[PASSWORD] = password
        if "tenant" in change.names and tenant:
            secrets["httpHeaderValue1"] = Secret(str(tenant))
        authority = products.ca_file(self._settings())
        if "authority" in change.names and change.target["authority"] and authority:
            secrets["tlsCACert"] = Secret(products.pem(authority))
        return secrets


def _shown(found: DataSource) -> dict[str, Value]:
    return {
        "name": found.name,
        "type": found.type,
        "url": found.url.rstrip("/"),
        "tenant": found.json_data.get(TENANT),
        "user": found.basic_auth_user if found.basic_auth else None,
        "password": Marker.UNREADABLE if found.secure_json_fields.get(PASSWORD) else None,
        "authority": found.json_data.get(AUTHORITY),
        USED: found.json_data.get(MARK) == OURS,
    }
