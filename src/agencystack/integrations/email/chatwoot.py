"""Chatwoot sends its mail through Mailu."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from email.utils import formataddr
from typing import Any

from agencystack.components import envfile
from agencystack.components.chatwoot import Chatwoot
from agencystack.engine.integration import Capability, Proof, Site, Support, integration
from agencystack.engine.resource import Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import MailAccount, MailIntegration
from agencystack.integrations.email.submission import find_submission
from agencystack.integrations.restart import OwedRestart
from agencystack.stack.secrets import Secret

OWNER = "AGENCYSTACK_OWNER"
"""The variable that marks the mail settings as ours; Chatwoot itself does not read it."""

PASSWORD = "SMTP_PASSWORD"  # noqa: S105 - a variable's name
VERSION = "version"
UNVERIFIED = "written from Chatwoot's public source; not verified against the product"
TRY_IT = "`agencystack verify email --component chatwoot` has yours send a real mail"


@integration("email", "chatwoot", provider="mailu", version=1)
class ChatwootEmail(MailIntegration):
    """Give Chatwoot its own mailbox, by the mail variables of its environment file."""

    capabilities = (
        Capability(
            "sends through its own mailbox",
            Support.PARTIAL,
            proof="a mail arrives",
            reason=UNVERIFIED,
            alternative=TRY_IT,
        ),
        Capability(
            "sender name and address per client",
            Support.PARTIAL,
            proof="a mail arrives",
            reason=UNVERIFIED,
            alternative=TRY_IT,
        ),
    )

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield the mailbox, the variables, the restart that makes them count; then old tokens go."""
        account, chatwoot = MailAccount(site), products.chatwoot(site.application, site.context)
        yield from account.resources()
        variables = MailVariables(chatwoot, site, account)
        yield variables
        yield RunningEnvironment(chatwoot, variables)
        yield from account.afterwards()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Have Chatwoot's own mailer send a mail, and read it back."""
        chatwoot = products.chatwoot(site.application, site.context)

        def send(to: str, subject: str, body: str) -> Mapping[str, Any]:
            chatwoot.send_mail(to, subject, body)
            _noted(site)[VERSION] = chatwoot.version()
            return {}

        yield MailArrives(site, MailAccount(site), send, lambda: find_submission(site))

    def missing(self, site: Site) -> Iterator[str]:
        """Yield where its environment file is, and how to get there."""
        return products.missing_keys(site.application, "exec", "env_file")

    def component_version(self, site: Site) -> str | None:
        """Return the version where a proof asked for it: to ask means to load all of Rails, up to a minute."""
        return _noted(site).get(VERSION)


class MailVariables(Resource):
    """The mail variables in the environment file; every other byte of it stays."""

    def __init__(self, chatwoot: Chatwoot, site: Site, account: MailAccount) -> None:
        self.component, self.key = chatwoot.where, "mail variables"
        self._chatwoot, self._site, self._account = chatwoot, site, account
        self.restart = OwedRestart(site.sealed("restart-due"), lambda _wait: chatwoot.restart())

    def read(self) -> Reading:
        """Return the variables as the application reads them, and the lines they stand in."""
        file = self._chatwoot.env()
        values = file.values
        fields: dict[str, Value] = {key: values.get(key) for key in KEYS}
        if fields[PASSWORD]:
            fields[PASSWORD] = Secret(str(fields[PASSWORD]))
        image = envfile.lines_of(file.text, KEYS).model_dump(mode="json")
        server = values.get("SMTP_ADDRESS")
        if not server or values.get(OWNER) == self._site.name:
            return Reading(fields, image)
        return Reading(fields, image, Foreign(f"mail goes through {server}, set by a person", Permission.REPLACE))

    def wanted(self) -> Fields:
        """Want mail to leave from its own mailbox over verified TLS."""
        server = find_submission(self._site)
        implicit = server.security == "tls"
        return {
            OWNER: self._site.name,
            "MAILER_SENDER_EMAIL": formataddr((self._account.sender_name, self._account.sender)),
            "SMTP_ADDRESS": server.host,
            "SMTP_PORT": str(server.port),
            "SMTP_DOMAIN": self._site.domain,
            "SMTP_USERNAME": self._account.address,
            PASSWORD: self._account.password,
            "SMTP_AUTHENTICATION": "plain",
            # The mail gem refuses TLS at once together with STARTTLS, which is on unless switched off.
            "SMTP_TLS": "true" if implicit else None,
            "SMTP_SSL": None,
            "SMTP_ENABLE_STARTTLS_AUTO": "false" if implicit else "true",
            "SMTP_OPENSSL_VERIFY_MODE": "peer",
        }

    def write(self, change: Change) -> None:
        """Set the variables that differ; the first time, the restart is the next resource's.

        Later the values wanted are those Chatwoot was last seen to have. Whoever changed the file since may have
        restarted it with that, so what is mended counts only after a restart too.
        """
        self.restart.owe()
        self._chatwoot.set({name: _text(change.target[name]) for name in change.names})
        if (change.live.fields or {}).get(OWNER) == self._site.name:
            self.restart.pay()

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put the lines back byte for byte, and restart with them."""
        saved = envfile.SavedLines.model_validate(dict(before.extra))
        keys = tuple(key for key in saved.keys if key in change.names)
        lines = tuple(line for line in saved.lines if line.key in change.names)
        file = self._chatwoot.env()
        self.restart.owe()
        self._chatwoot.write(file, envfile.restore(file.text, saved.model_copy(update={"keys": keys, "lines": lines})))
        self.restart.pay()


class RunningEnvironment(Resource):
    """The environment Chatwoot runs with: read once at its start, so a change of the file needs a restart.

    To ask the application takes up to a minute, so what it has is compared by the hash of what it was last seen to
    have, and asked for after each restart.
    """

    stays = ""  # undo of the variables restarts with what the file then says

    def __init__(self, chatwoot: Chatwoot, variables: MailVariables) -> None:
        self.component, self.key = chatwoot.where, "running environment"
        self._chatwoot, self._variables = chatwoot, variables

    def read(self) -> Reading:
        """Return that there is one, its values not asked for; while a restart is due it is not what we think."""
        return Reading({"variables": None if self._variables.restart.due else Marker.UNREADABLE})

    def wanted(self) -> Fields:
        """Want it to be what the file says."""
        values = self._variables.wanted()
        if any(value is Marker.PENDING for value in values.values()):
            return {"variables": Marker.PENDING}
        return {"variables": Secret(json.dumps({name: _clear(value) for name, value in values.items()}))}

    def write(self, change: Change) -> None:
        """Restart, and make sure that the application has the values."""
        self._variables.restart.pay()
        self._chatwoot.check_effective({name: _text(value) for name, value in self._variables.wanted().items()})


KEYS = (
    OWNER,
    "MAILER_SENDER_EMAIL",
    "SMTP_ADDRESS",
    "SMTP_PORT",
    "SMTP_DOMAIN",
    "SMTP_USERNAME",
    PASSWORD,
    "SMTP_AUTHENTICATION",
    "SMTP_TLS",
    "SMTP_SSL",
    "SMTP_ENABLE_STARTTLS_AUTO",
    "SMTP_OPENSSL_VERIFY_MODE",
)


def _noted(site: Site) -> dict[str, str]:
    """Return what this run learnt of the application on the way."""
    return site.context.connection(site.application.ref, dict, "noted")


def _text(value: Value) -> str | Secret | None:
    return value if value is None or isinstance(value, Secret) else str(value)


def _clear(value: Value) -> str | None:
    return value.reveal() if isinstance(value, Secret) else None if value is None else str(value)
