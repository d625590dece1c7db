"""Guestbook sends its notices through the agency's mail server: a worked example of an integration of your own.

There is no product "Guestbook"; put the name and the interface of yours in its place. This one file is all it takes:

1. Copy it to scripts/integration/ of your AGENCYSTACK_HOME, and change it.
2. Describe the component in stack.yaml (`custom: true`, as AgencyStack does not know it):

       clients:
         acme:
           domain: acme.example
           components:
             guestbook:
               custom: true
               url: https://guestbook.acme.example
               credentials: {token: "env:GUESTBOOK_TOKEN", mail_password: "secret:acme/guestbook/mail"}
               settings: {mail_server: mail.acme.example, notices_to: owner@acme.example}

3. Run: agencystack plan email --component guestbook

Clients without a guestbook never see it. The conformance suite tells you what you forgot: tests/test_dropin_example.py
in the source shows how it is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agencystack.components.http import HttpApi
from agencystack.engine.integration import Capability, Evidence, Integration, Proof, Site, Support, integration
from agencystack.engine.resource import Change, Foreign, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker
from agencystack.stack.model import place
from agencystack.stack.secrets import Secret


@integration("email", "guestbook", version=1)
class GuestbookEmail(Integration):
    """Tell Guestbook which mail server to use, as whom, and whom to notify of new entries."""

    # What the documentation claims of this integration. Each claim names the proof below that shows it.
    capabilities = (
        Capability("notices of new entries arrive", Support.SUPPORTED, proof="a notice is accepted"),
        Capability(
            "has a mailbox of its own",
            Support.UNSUPPORTED,
            reason="this example has no provider",
            alternative="declare provider='mailu' and yield MailAccount(site).resources(), as the built-in ones do",
        ),
    )

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield what shall be, in the order it is written. Nothing is called here."""
        yield MailSettings(site, connect(site))

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Yield what shows that it works: not that it was written."""
        yield NoticeIsAccepted(connect(site))

    def missing(self, site: Site) -> Iterator[str]:
        """Yield what stack.yaml must say and does not: all of it is named in one message, before anything is called."""
        told, where = site.application.settings, place(site.application.ref)
        yield from (f"{where}.settings.{name}" for name in ("mail_server", "notices_to") if name not in told.settings)
        yield from (
            f"{where}.credentials.{name}" for name in ("token", "mail_password") if name not in told.credentials
        )

    def component_version(self, site: Site) -> str | None:
        """Return Guestbook's version: after an upgrade the proof is asked for again."""
        return str(connect(site).call("GET", "/api/about")["version"])


class MailSettings(Resource):
    """Guestbook's mail settings. It reads and writes; comparing, asking, undoing and recording is done for it."""

    def __init__(self, site: Site, api: HttpApi) -> None:
        # Together they name this piece of configuration in plans, records and undo: never change a key later.
        self.component, self.key = site.application.ref, "mail settings"
        self._site, self._api = site, api

    def read(self) -> Reading:
        """Return what is live. When Guestbook is down this raises Unavailable, which is never taken for "nothing"."""
        mail = self._api.call("GET", "/api/settings")["mail"]
        live = {
            "server": mail["server"],
            "port": mail["port"],
            "sender": mail["sender"],
            "notices_to": mail["notices_to"],
            # Guestbook says only whether there is a password. Ours is compared by a hash of what was last written.
            "password": Marker.UNREADABLE if mail["has_password"] else None,
        }
        return Reading(live, foreign=self._foreign(mail))

    def wanted(self) -> Fields:
        """Return what shall be, from stack.yaml. Settings nobody names here are never touched."""
        told = self._site.application.settings.settings
        return {
            "server": str(told["mail_server"]),
            "port": int(told.get("mail_port", 465)),
            "sender": str(self._site.setting("sender", f"guestbook@{self._site.domain}")),
            "notices_to": str(told["notices_to"]),
            "password": credential(self._site, "mail_password"),
        }

    def write(self, change: Change) -> None:
        """Send the fields that differ, and nothing else."""
        values = {field.name: plain(field.after) for field in change.fields if not isinstance(field.after, Marker)}
        self._api.call("PATCH", "/api/settings", body={"mail": values})

    def _foreign(self, mail: dict[str, Any]) -> Foreign | None:
        """Say when a person connected it elsewhere: then stack.yaml must say `replace: true` first.

        Guestbook comes with an empty server, which is nobody's. Our mark is the sender, as it has no field for one.
        """
        ours = mail["sender"] == self.wanted()["sender"]
        if not mail["server"] or ours:
            return None
        return Foreign(f"mail goes through {mail['server']}, as {mail['sender']}", Permission.REPLACE)


class NoticeIsAccepted(Proof):
    """Have Guestbook send a real notice, and see that the mail server took it."""

    name = "a notice is accepted"

    def __init__(self, api: HttpApi) -> None:
        self._api = api

    def run(self) -> Evidence:
        """Send; return what was seen, and why it is not enough when it is not."""
        sent = self._api.call("POST", "/api/test-notice")
        seen = {"from": sent["from"], "to": sent["to"], "answer": sent["answer"]}
        if not sent["accepted"]:
            return Evidence(ok=False, seen=seen, reason=f"the mail server answered: {sent['answer']}")
        return Evidence(ok=True, seen=seen)


def connect(site: Site) -> HttpApi:
    """Return the connection to Guestbook, one for the whole run. Making it must not call anything."""
    told = site.application.settings

    def make() -> HttpApi:
        token = credential(site, "token")
        return HttpApi(
            site.application.ref, told.reached_by_us(), headers={"Authorization": f"Bearer {token.reveal()}"}
        )

    return site.context.connection(site.application.ref, make)


def credential(site: Site, name: str) -> Secret:
    """Return a secret that stack.yaml refers to. A Secret shows itself to nobody; reveal() it to the product alone."""
    return site.context.resolve(site.application.settings.credentials[name])


def plain(value: object) -> object:
    """Return a value as Guestbook's JSON wants it; this is the one place where the password is revealed."""
    return value.reveal() if isinstance(value, Secret) else value
