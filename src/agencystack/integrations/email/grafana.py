"""Grafana sends its mail (alerts, invitations, forgotten passwords) through Mailu."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agencystack.components import envfile
from agencystack.components.described import DescribedApplication
from agencystack.components.grafana import Alerting, ContactPoint, Grafana, SmtpSettings
from agencystack.components.hostfile import Content, HostFile
from agencystack.components.mail import Submission
from agencystack.engine.integration import Blocked, Capability, Manual, Proof, Site, Support, Unsupported, integration
from agencystack.engine.resource import Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Value
from agencystack.integrations import products
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import MailAccount, MailIntegration
from agencystack.integrations.email.submission import IMPLICIT_TLS, find_submission
from agencystack.integrations.restart import OwedRestart
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused
from agencystack.stack.model import place
from agencystack.stack.products import Grafana as GrafanaSettings
from agencystack.stack.secrets import Secret

VARIABLES = "mail variables in "
"""How the key of :class:`MailVariables` begins; the file's path follows."""

RESTARTED = "restarted"
PASSWORD, USER, HOST = "GF_SMTP_PASSWORD", "GF_SMTP_USER", "GF_SMTP_HOST"
KEYS = (
    "GF_SMTP_ENABLED",
    HOST,
    USER,
    PASSWORD,
    "GF_SMTP_FROM_ADDRESS",
    "GF_SMTP_FROM_NAME",
    "GF_SMTP_SKIP_VERIFY",
    "GF_SMTP_STARTTLS_POLICY",
)
TRIED = "tried on Grafana 10.0, which could be built here"


@integration("email", "grafana", provider="mailu", version=1)
class GrafanaEmail(MailIntegration):
    """Give Grafana its own mailbox, by the variables of ``[smtp]`` in its environment file."""

    capabilities = (
        Capability("sends through its own mailbox", Support.PARTIAL, proof="a mail arrives", reason=TRIED),
        Capability("sender name and address", Support.PARTIAL, proof="a mail arrives", reason=TRIED),
        Capability(
            "one sender per client in a Grafana several clients share",
            Support.UNSUPPORTED,
            reason="a Grafana has one mail server and one sender",
            alternative="name the client whose mailbox it uses as `mail_of` of grafana in stack.yaml",
        ),
    )

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield the mailbox, and the variables with the restart that makes them count; then old tokens go."""
        settings = products.settings_of(site.application, GrafanaSettings)
        mail_of = settings.mail_of
        if mail_of not in {None, site.client}:
            raise Unsupported(
                f"its mail leaves as {mail_of}'s",
                component=site.application.ref,
                remedy="nothing to do; for a sender per client give each a Grafana of its own",
            )
        if settings.env_file is None:
            raise Manual(
                "is told its mail server by a file alone, and stack.yaml does not say where that is",
                component=site.application.ref,
                remedy=(
                    f"write env_file, restart and exec of {place(site.application.ref)} in stack.yaml: the file of "
                    "GF_... variables it is started with"
                ),
            )
        account = MailAccount(site)
        yield from account.resources()
        yield variables_in(settings.env_file, site, account)
        yield from account.afterwards()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Have Grafana send a test alert, and read it back."""
        alerting = Alerting(products.grafana(site.application, site.context).calls)

        def send(to: str, subject: str, body: str) -> Mapping[str, Any]:
            point = ContactPoint(
                uid="", name="agencystack-proof", type="email", settings={"addresses": to, "subject": subject}
            )
            result = alerting.test(point, {"summary": body}, {"alertname": "AgencyStack proof"})
            if result.status != "ok":
                raise Refused(
                    f"could not send a test alert: {result.error or result.status}",
                    component=site.application.ref,
                    remedy="look into its log; it must trust the certificate of the mail server",
                )
            return {"mail": "a test alert"}

        yield MailArrives(site, MailAccount(site), send, lambda: find_submission(site, by_port=True))

    def missing(self, site: Site) -> Iterator[str]:
        """Yield what it takes to change its file, where one is named; and the password of its administrator."""
        yield from products.missing_keys(site.application, "admin_password")
        if products.settings_of(site.application, GrafanaSettings).env_file is not None:
            yield from products.missing_keys(site.application, "exec", "restart")

    def warnings(self, site: Site) -> Iterator[str]:
        """Yield what the mailbox has to say, and what Grafana must trust."""
        yield from super().warnings(site)
        authority = products.ca_file(site.provider.settings) if site.provider else None
        if authority:
            yield (
                f"Grafana verifies Mailu's certificate by the authorities of its system: {authority} must be among "
                "them, or be what the variable SSL_CERT_FILE of its environment file names, as a path where it runs"
            )

    def former(self, site: Site, key: str) -> Resource | None:
        """Return the variables of a file that stack.yaml named once, or a resource of the mailbox."""
        if key.startswith(VARIABLES):
            return variables_in(key.removeprefix(VARIABLES), site, MailAccount(site))
        return super().former(site, key)

    def component_version(self, site: Site) -> str | None:
        """Return Grafana's version."""
        grafana = products.grafana(site.application, site.context)
        return site.context.connection(site.application.ref, grafana.version, "version")


class MailVariables(Resource):
    """The variables of ``[smtp]`` in the file Grafana is started with; every other byte of it stays.

    Args:
        site: the application.
        account: its mailbox.
        grafana: says what counts beside the file.
        file: its environment file.
        restart: starts it anew with that file.
    """

    def __init__(
        self, site: Site, account: MailAccount, grafana: Grafana, file: HostFile, restart: OwedRestart
    ) -> None:
        self.component, self.key = file.where, VARIABLES + file.path
        self._site, self._account, self._grafana = site, account, grafana
        self._file, self._restart = file, restart

    def read(self) -> Reading:
        """Return the variables as Grafana reads them, and their lines; another mail server is a person's."""
        content = self._content()
        values = envfile.parse(content.text)
        fields: dict[str, Value] = {name: values.get(name) for name in KEYS}
        if fields[PASSWORD]:
            fields[PASSWORD] = Secret(str(fields[PASSWORD]))
        fields[RESTARTED] = not self._restart.due
        image = envfile.lines_of(content.text, KEYS).model_dump(mode="json")
        return Reading(fields, image, self._foreign(values))

    def wanted(self) -> Fields:
        """Want mail to leave from its own mailbox over verified TLS."""
        server = find_submission(self._site, by_port=True)
        return {**_server(server, self.component), **self._sender(), RESTARTED: True}

    def write(self, change: Change) -> None:
        """Write what differs, then restart; where we died in between, the restart alone is left to do."""
        self._restart.owe()
        names = change.names - {RESTARTED}
        if names:
            content = self._content()
            changes = {name: _clear(change.target[name]) for name in names}
            self._file.replace(content, self._changed(content, changes))
        self._restart.pay()

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put the lines back byte for byte, and restart with them."""
        saved = envfile.SavedLines.model_validate(dict(before.extra))
        keys = tuple(key for key in saved.keys if key in change.names)
        lines = tuple(line for line in saved.lines if line.key in change.names)
        content = self._content()
        self._restart.owe()
        text = envfile.restore(content.text, saved.model_copy(update={"keys": keys, "lines": lines}))
        self._file.replace(content, text)
        self._restart.pay(wait=False)

    def _sender(self) -> Fields:
        return {
            "GF_SMTP_ENABLED": "true",
            USER: self._account.address,
            PASSWORD: self._account.password,
            "GF_SMTP_FROM_ADDRESS": self._account.sender,
            "GF_SMTP_FROM_NAME": self._account.sender_name,
            "GF_SMTP_SKIP_VERIFY": "false",
        }

    def _foreign(self, values: Mapping[str, str]) -> Foreign | None:
        # Undo must not need a Grafana that answers, so what the file says of us is enough.
        if values.get(USER) == self._account.address:
            return None
        if values.get(HOST) and values.get("GF_SMTP_ENABLED", "").lower() == "true":
            return Foreign(f"mail goes through {values[HOST]}, set by a person", Permission.REPLACE)
        used = self._grafana.smtp()
        if used.enabled and used.user != self._account.address:
            return Foreign(f"mail goes through {used.host}, as Grafana's own file says", Permission.REPLACE)
        return None

    def _changed(self, content: Content, changes: Mapping[str, str | None]) -> str:
        try:
            return envfile.set(content.text, changes)
        except envfile.UnwritableValue as error:
            raise ConfigurationError(
                f"{self._file.path}: {error}", component=self.component, remedy="choose another sender_name"
            ) from error

    def _content(self) -> Content:
        content = self._file.read()
        if content is None:
            raise ConfigurationError(
                f"there is no file {self._file.path}",
                component=self.component,
                remedy="correct env_file in stack.yaml, or make the file Grafana is started with",
            )
        return content


def variables_in(path: str, site: Site, account: MailAccount) -> MailVariables:
    """Return the variables of a file, with the restart that makes them count."""
    where, grafana = site.application.ref, products.grafana(site.application, site.context)
    executor = products.executor(site.application)
    program = DescribedApplication(where, site.application.settings.reached_by_us(), executor)
    argv = products.settings_of(site.application, GrafanaSettings).restart

    def restart(wait: bool) -> None:
        if argv is None:
            raise ConfigurationError(
                "it is not known how to restart it",
                component=where,
                remedy=f"write {place(where)}.restart, such as [systemctl, restart, grafana-server]",
            )
        program.restart(argv, wait=False)
        if wait:
            grafana.wait_until_well()
            _check(grafana, account.address)

    owed = OwedRestart(site.sealed("restart-due"), restart)
    return MailVariables(site, account, grafana, HostFile(where, executor.host(), path), owed)


def _check(grafana: Grafana, user: str) -> None:
    """Make sure that Grafana, just restarted, runs with what the file says."""
    used: SmtpSettings = grafana.smtp()
    if used.enabled and used.user == user:
        return
    does = f"sends through {used.host} as {used.user or 'nobody'}" if used.enabled else "sends no mail"
    raise Refused(
        f"was restarted and still {does}",
        component=grafana.where,
        remedy=(
            "check that env_file in stack.yaml is the file it is started with; docker restart does not read one "
            "again: let restart be [docker, compose, -f, FILE, up, -d, grafana]"
        ),
    )


def _server(server: Submission, where: ComponentRef) -> Fields:
    """Return the mail server as ``[smtp]`` names it: TLS from the first byte is for port 465 alone.

    Source: ``createDialer`` of ``pkg/services/notifications/smtp.go``, and the library below it.
    """
    if server.security == "tls" and server.port != IMPLICIT_TLS:
        raise Blocked(
            f"takes TLS from the first byte on port 465 alone, and mail is handed in at {server.host}:{server.port}",
            component=where,
            remedy="open 465, or 587 with STARTTLS, in Mailu; on other ports name the one with STARTTLS as "
            "submission.starttls_port of mailu in stack.yaml",
        )
    policy = "MandatoryStartTLS" if server.security == "starttls" else None
    return {HOST: f"{server.host}:{server.port}", "GF_SMTP_STARTTLS_POLICY": policy}


def _clear(value: Value) -> str | None:
    return value.reveal() if isinstance(value, Secret) else None if value is None else str(value)
