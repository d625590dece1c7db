"""Our app in ERPNext: several integrations are better with it, so it belongs to none."""

from __future__ import annotations

from agencystack.components.erpnext import ErpNext
from agencystack.components.erpnext.bench import APP, Bench, app_version
from agencystack.engine.context import Component, Context
from agencystack.engine.integration import Manual
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations import products
from agencystack.stack.execution import Executor
from agencystack.stack.products import ERPNext as Settings

STEPS = (
    f"as the bench's owner: copy plugins/erpnext/{APP} of this version into apps/, "
    f"`./env/bin/pip install -e apps/{APP}`, add {APP} to sites/apps.txt, "
    f"`bench --site SITE install-app {APP}` (an older one: `bench --site SITE migrate`), `bench restart`; "
    "or name exec (with path), site and restart of erpnext in stack.yaml, and we do it"
)


class ConnectorApp(Resource):
    """The app in the version we ship, installed in the client's site.

    Args:
        erpnext: the site.
        app: tells which version it has.
        bench: where it lives; None where nothing says how to get there.
    """

    def __init__(self, erpnext: ErpNext, app: InstalledApp, bench: Bench | None) -> None:
        self.component, self.key = erpnext.where, f"app {APP}"
        self._app, self._bench = app, bench

    def read(self) -> Reading:
        """Return the version that is installed.

        Raises:
            Manual: it is missing or an older one, and nothing says how to get to the bench.
        """
        version = self._app.version()
        if version != app_version() and self._bench is None:
            has = "missing" if version is None else f"version {version}"
            raise Manual(
                f"our app {APP} is {has}, {app_version()} is wanted, and stack.yaml leads to no bench",
                component=self.component,
                remedy=STEPS,
            )
        return ABSENT if version is None else Reading({"version": version})

    def wanted(self) -> Fields:
        """Want the version we ship."""
        return {"version": app_version()}

    def write(self, change: Change) -> None:
        """Install or update it."""
        if self._bench is not None:
            self._bench.install(first=change.live.absent)
            self._app.forget()

    def remove(self, live: Reading, before: Image) -> str:
        """Take it out of the site."""
        if self._bench is None:
            return f"by hand: bench --site SITE uninstall-app {APP}"
        self._bench.uninstall()
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Leave an update in place: an older app would not know what the newer one wrote."""


class InstalledApp:
    """Which version of our app a site has; asked once, and again after something was written there.

    Args:
        erpnext: the site.
    """

    def __init__(self, erpnext: ErpNext) -> None:
        self._erpnext = erpnext
        self._version: str | None = None
        self._known = False

    def version(self) -> str | None:
        """Return it, None where the site does not have the app."""
        if not self._known:
            self._version, self._known = self._erpnext.login.connector_version(), True
        return self._version

    def forget(self) -> None:
        """Ask anew the next time."""
        self._known = False


def installed_app(component: Component, context: Context) -> InstalledApp:
    """Return what tells which version of our app an ERPNext has; one a run."""
    erpnext = products.erpnext(component, context)
    return context.connection(component.ref, lambda: InstalledApp(erpnext), "installed app")


def bench_place(component: Component) -> tuple[Executor, str] | None:
    """Return what runs programs where an ERPNext's bench is, and the bench's folder; None where nobody says where."""
    settings = products.settings_of(component, Settings)
    if settings.exec is None or not settings.exec.path:
        return None
    return products.executor(component), settings.exec.path


def bench_of(component: Component, context: Context) -> Bench | None:
    """Return the bench of an ERPNext, None where stack.yaml does not say how to get there, or how it is restarted."""
    settings = products.settings_of(component, Settings)
    if settings.exec is None or not settings.exec.path or not settings.site or settings.restart is None:
        return None
    where = settings.exec.path
    run = products.executor(component)
    return context.connection(
        component.ref,
        lambda: Bench(component.ref, run, where, settings.site or "", settings.restart or ()),
        "bench",
    )
