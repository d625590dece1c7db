"""A client's public status page: made by us, listing our monitors; what people put on it stays."""

from __future__ import annotations

from collections.abc import Iterable

from agencystack.components.uptime_kuma import Listed, PageGroup, StatusPage, UptimeKuma
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations.monitoring.kuma_monitors import marked

PAGE = "status page "
"""How the keys begin; the slug follows, and for what is listed ``: `` with the component."""


class KumaPage(Resource):
    """The page itself. Its style sheet holds our mark, in a comment: it has no other place that nobody sees.

    Args:
        kuma: where it is.
        slug: its place in the address.
        title: what stands above a new one.
    """

    def __init__(self, kuma: UptimeKuma, slug: str, title: str) -> None:
        self.component, self.key = kuma.where, PAGE + slug
        self._kuma, self._slug, self._title = kuma, slug, title
        self._mark = f"/* agencystack {slug} */"

    def read(self) -> Reading:
        """Return whether it is marked as ours; one that is not is a person's, unless it is as empty as a new one."""
        page = self._kuma.pages.page(self._slug)
        if page is None:
            return ABSENT
        fields: Fields = {"marked": self._mark in page.css}
        if fields["marked"] or self._is_new(page):
            return Reading(fields)
        what = f"there is a status page /status/{self._slug}, “{page.title}”, which is not ours"
        return Reading(fields, foreign=Foreign(what, Permission.ADOPT))

    def wanted(self) -> Fields:
        """Want it, marked."""
        return {"marked": True}

    def write(self, change: Change) -> None:
        """Make it, and put the mark on it or take it off."""
        page = self._kuma.pages.page(self._slug)
        if page is None:
            self._kuma.pages.add(self._slug, self._title)
            page = self._page()
        css = page.css.replace(self._mark, "").strip()
        if change.target["marked"]:
            css = f"{self._mark}\n{css}".strip()
        self._kuma.pages.save(page, {"customCSS": css}, page.groups)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it, unless people list something on it."""
        page = self._kuma.pages.page(self._slug)
        if page is None:
            return ""
        if page.groups:
            css = page.css.replace(self._mark, "").strip()
            self._kuma.pages.save(page, {"customCSS": css}, page.groups)
            return f"people list something of theirs on it, so it stays: /status/{self._slug}"
        self._kuma.pages.delete(self._slug)
        return ""

    def _page(self) -> StatusPage:
        page = self._kuma.pages.page(self._slug)
        if page is None:
            raise RuntimeError(f"the status page {self._slug} was just made and is not there")
        return page

    def _is_new(self, page: StatusPage) -> bool:
        return page.title == self._title and not page.groups and not page.css


class KumaListing(Resource):
    """The monitors of one application on a client's page. Where people moved them to, they stay.

    Args:
        kuma: where it is.
        slug: of the page.
        heading: above them, where they are not on the page yet.
        marks: of the monitors.
    """

    def __init__(self, kuma: UptimeKuma, slug: str, heading: str, marks: Iterable[str]) -> None:
        self.component, self.key = kuma.where, f"{PAGE}{slug}: {heading}"
        self._kuma, self._slug, self._heading, self._marks = kuma, slug, heading, tuple(sorted(marks))

    def read(self) -> Reading:
        """Return which of the monitors are listed, anywhere on the page."""
        page = self._kuma.pages.page(self._slug)
        if page is None:
            return ABSENT
        on_page = {row.id for group in page.groups for row in group.monitors}
        listed = tuple(mark for mark, id_ in self._ids().items() if id_ in on_page)
        return Reading({"lists": listed}) if listed else ABSENT

    def wanted(self) -> Fields:
        """Want all of them listed."""
        return {"lists": self._marks}

    def write(self, change: Change) -> None:
        """Add those that are missing below our heading, and take those off that shall not be there."""
        page = self._kuma.pages.page(self._slug)
        wanted = change.target["lists"]
        if page is None or not isinstance(wanted, tuple):
            return
        ids = self._ids()
        off = {id_ for mark, id_ in ids.items() if mark not in wanted}
        groups = _without(page.groups, off, self._heading)
        on_page = {row.id for group in groups for row in group.monitors}
        new = tuple(Listed(id=ids[mark]) for mark in wanted if mark in ids and ids[mark] not in on_page)
        self._kuma.pages.save(page, {}, _with(groups, new, self._heading))

    def remove(self, live: Reading, before: Image) -> str:
        """Take them off the page."""
        page = self._kuma.pages.page(self._slug)
        if page is not None:
            groups = _without(page.groups, set(self._ids().values()), self._heading)
            self._kuma.pages.save(page, {}, groups)
        return ""

    def _ids(self) -> dict[str, int]:
        """Return the monitors that are there, by mark."""
        rows = self._kuma.monitors()
        return {mark: ours[0].id for mark in self._marks if (ours := marked(rows, mark))}


def _with(groups: Iterable[PageGroup], new: tuple[Listed, ...], heading: str) -> tuple[PageGroup, ...]:
    groups = tuple(groups)
    if not new:
        return groups
    if not any(group.name == heading for group in groups):
        return (*groups, PageGroup(name=heading, monitorList=new))
    first = next(index for index, group in enumerate(groups) if group.name == heading)
    grown = groups[first].model_copy(update={"monitors": (*groups[first].monitors, *new)})
    return (*groups[:first], grown, *groups[first + 1 :])


def _without(groups: Iterable[PageGroup], off: set[int], heading: str) -> tuple[PageGroup, ...]:
    """Return the groups without some monitors; our heading goes with its last one, people's stay."""

    def less(group: PageGroup) -> PageGroup:
        return group.model_copy(update={"monitors": tuple(row for row in group.monitors if row.id not in off)})

    return tuple(group for group in map(less, groups) if group.monitors or group.name != heading)
