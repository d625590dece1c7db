"""Who is told of trouble: a contact point of ours, and the way there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agencystack.components.grafana import Alerting, ContactPoint, Grafana
from agencystack.engine.integration import Blocked
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations.monitoring.alert_json import LABEL
from agencystack.integrations.monitoring.dashboards import shortened

CONTACT, ROUTE = "contact point ", "notifications of "
ADDRESSES = "addresses"
RECEIVER = "receiver"


def contact_name(owner: str) -> str:
    """Return the name of an owner's contact point; its uid too."""
    return f"agencystack-{owner}"


def mail_to(name: str, addresses: tuple[str, ...]) -> ContactPoint:
    """Return a contact point that sends a mail to each address."""
    # With one mail to all, everybody who is told would see who else is.
    settings = {ADDRESSES: ";".join(addresses), "singleEmail": False}
    return ContactPoint(uid=shortened(name), name=name, type="email", settings=settings)


class OurContactPoint(Resource):
    """The contact point of an owner."""

    def __init__(self, grafana: Grafana, owner: str, addresses: tuple[str, ...]) -> None:
        self._point = mail_to(contact_name(owner), addresses)
        self.component, self.key = grafana.where, CONTACT + self._point.name
        self._alerting = Alerting(grafana.calls)

    def read(self) -> Reading:
        """Return whom it tells; one of our name under another uid is a person's."""
        points = self._alerting.contact_points()
        found = next((point for point in points if point.uid == self._point.uid), None)
        if found is not None:
            self._must_be_writable(found)
            return Reading({ADDRESSES: _addresses(found)}, {"settings": found.settings})
        theirs = next((point for point in points if point.name == self._point.name), None)
        if theirs is None:
            return ABSENT
        what = f"a contact point {theirs.name} exists and is not ours; with it, those it names are told too"
        return Reading({ADDRESSES: _addresses(theirs)}, {"theirs": True}, Foreign(what, Permission.ADOPT))

    def wanted(self) -> Fields:
        """Want those of stack.yaml told."""
        return {ADDRESSES: _addresses(self._point)}

    def write(self, change: Change) -> None:
        """Make it, or change whom it tells."""
        addresses = change.target[ADDRESSES]
        point = mail_to(self._point.name, addresses if isinstance(addresses, tuple) else ())
        if self._alerting.contact_point(point.uid) is None:
            self._alerting.create_contact_point(point)
        else:
            self._alerting.save_contact_point(point)

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Take ours away again where a person's of that name was before; else put back whom it told."""
        if before.extra.get("theirs"):
            self._alerting.delete_contact_point(self._point.uid)
        else:
            self.write(change)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete it."""
        self._alerting.delete_contact_point(self._point.uid)
        return ""

    def _must_be_writable(self, found: ContactPoint) -> None:
        if found.provenance == "file":
            raise Blocked(
                f"the contact point {found.name} comes from a provisioning file, and only that may change it",
                component=self.component,
                remedy="take it out there, so that ours can be made",
            )


class NotificationRoute(Resource):
    """The notification policy that leads alerts with our label to our contact point; every other policy stays.

    Grafana keeps all policies in one object, so it is read and saved whole, with ours first: it takes only alerts with
    our label, and whatever policies of a person match these come after it all the same. Nothing is wanted where each
    rule names its contact point.

    Args:
        grafana: where.
        owner: value of our label.
        by_rule: says that each rule names its contact point.
    """

    def __init__(self, grafana: Grafana, owner: str, by_rule: Callable[[], bool]) -> None:
        self.component, self.key = grafana.where, ROUTE + owner
        self._alerting, self._owner, self._by_rule = Alerting(grafana.calls), owner, by_rule

    def read(self) -> Reading:
        """Return where our alerts are led to."""
        tree = self._alerting.policies()
        ours = [route for route in tree.get("routes") or () if self._is_ours(route)]
        if not ours:
            if not self._by_rule():
                self._must_be_writable(tree)
                return ABSENT
            return Reading({})
        return Reading({RECEIVER: str(ours[0].get(RECEIVER) or "")})

    def wanted(self) -> Fields:
        """Want them led to our contact point."""
        return {} if self._by_rule() else {RECEIVER: contact_name(self._owner)}

    def write(self, change: Change) -> None:
        """Put ours first."""
        tree = self._alerting.policies()
        ours = {RECEIVER: str(change.target[RECEIVER]), "object_matchers": [self._matcher], "continue": True}
        self._alerting.save_policies({**tree, "routes": [ours, *self._others(tree)]})

    def remove(self, live: Reading, before: Image) -> str:
        """Take ours out."""
        tree = self._alerting.policies()
        others = self._others(tree)
        if len(others) != len(tree.get("routes") or ()):
            self._alerting.save_policies({**tree, "routes": others})
        return ""

    @property
    def _matcher(self) -> list[str]:
        return [LABEL, "=", self._owner]

    def _others(self, tree: dict[str, Any]) -> list[Any]:
        return [route for route in tree.get("routes") or () if not self._is_ours(route)]

    def _is_ours(self, route: dict[str, Any]) -> bool:
        return list(route.get("object_matchers") or ()) == [self._matcher]

    def _must_be_writable(self, tree: dict[str, Any]) -> None:
        if tree.get("provenance") == "file":
            raise Blocked(
                "its notification policies come from a provisioning file, and only that may change them",
                component=self.component,
                remedy=f"lead alerts with {LABEL}={self._owner} to {contact_name(self._owner)} there, or take them out",
            )


def _addresses(point: ContactPoint) -> tuple[str, ...]:
    said = str(point.settings.get(ADDRESSES, ""))
    return tuple(part.strip() for part in said.replace(",", ";").replace("\n", ";").split(";") if part.strip())
