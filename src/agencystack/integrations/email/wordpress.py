"""WordPress sends its mail through Mailu."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agencystack.components.wordpress import (
    MAIL,
    OWNER,
    SITE,
    Carrier,
    CarrierState,
    MailSettings,
    Via,
    WordPress,
)
from agencystack.engine.integration import Blocked, Capability, Proof, Site, Support, integration
from agencystack.engine.resource import Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations import products
from agencystack.integrations.email.arrival import MailArrives
from agencystack.integrations.email.mailbox import MailAccount, MailIntegration
from agencystack.integrations.email.submission import WordPressSubmission
from agencystack.integrations.wordpress_plugin import WordPressPlugin, image_of, written_image
from agencystack.stack.errors import Refused

SECURITY = {"tls": "ssl", "starttls": "tls"}
"""What WP Mail SMTP calls TLS at once and STARTTLS."""


@integration("email", "wordpress", provider="mailu", version=1)
class WordPressEmail(MailIntegration):
    """Give WordPress its own mailbox, and send from it with WP Mail SMTP, or with our connector instead."""

    capabilities = (
        Capability("sends through its own mailbox", Support.SUPPORTED, proof="a mail arrives"),
        Capability("sender name and address per client", Support.SUPPORTED, proof="a mail arrives"),
        Capability("trusts a private certificate authority", Support.SUPPORTED, proof="a mail arrives"),
    )

    def resources(self, site: Site) -> Iterator[Resource]:
        """Yield the mailbox, the plugin, the settings; then old tokens go."""
        account, wordpress = MailAccount(site), products.wordpress(site.application, site.context)
        carrier = Carrier(site.application.settings.mailer)
        yield from account.resources()
        submission = WordPressSubmission(site, wordpress)
        yield WordPressPlugin(wordpress, carrier)
        if carrier is Carrier.WP_MAIL_SMTP and submission.authority:
            # WP Mail SMTP trusts what PHP trusts; our connector beside it adds the authority, for this host alone.
            yield WordPressPlugin(wordpress, Carrier.CONNECTOR)
            yield WordPressTrust(wordpress, submission)
        yield WordPressMail(wordpress, carrier, account, submission, site.name)
        yield from account.afterwards()

    def proofs(self, site: Site) -> Iterator[Proof]:
        """Have WordPress send a mail as any plugin does, and read it back."""
        wordpress = products.wordpress(site.application, site.context)

        def send(to: str, subject: str, body: str) -> Mapping[str, Any]:
            sent = wordpress.send_mail(to, subject, body)
            if not sent.sent:
                raise Refused(
                    f"could not send: {sent.error}",
                    component=site.application.ref,
                    remedy="run: agencystack plan email; when nothing differs, look at Mailu's log",
                )
            return {"handed_to": sent.host, "message_id": sent.message_id}

        yield MailArrives(site, MailAccount(site), send, WordPressSubmission(site, wordpress).find)

    def missing(self, site: Site) -> Iterator[str]:
        """Yield how to get inside, which WordPress cannot be configured without."""
        return products.missing_keys(site.application, "exec")

    def component_version(self, site: Site) -> str | None:
        """Return the version of WordPress, from what was read anyway."""
        return products.wordpress(site.application, site.context).answer(SITE).wordpress

    def former(self, site: Site, key: str) -> Resource | None:
        """Return a mailbox or plugin that another configuration once wanted."""
        if key == "trusted authority":
            wordpress = products.wordpress(site.application, site.context)
            return WordPressTrust(wordpress, WordPressSubmission(site, wordpress))
        if key.startswith("plugin "):
            slug = key.removeprefix("plugin ")
            wordpress = products.wordpress(site.application, site.context)
            return next((WordPressPlugin(wordpress, c) for c in Carrier if c.plugin == slug), None)
        return super().former(site, key)


class WordPressTrust(Resource):
    """The authority of a private certificate, which our connector makes PHPMailer trust for one host."""

    def __init__(self, wordpress: WordPress, submission: WordPressSubmission) -> None:
        self.component, self.key = wordpress.where, "trusted authority"
        self._wordpress, self._submission = wordpress, submission
        wordpress.ask(MAIL)

    def read(self) -> Reading:
        """Return the authority and the host it is trusted for."""
        state = self._wordpress.answer(MAIL).connector
        if not state.active:
            return Reading({"ca": "", "host": ""}, {"mail": state.image.content.reveal()})
        return Reading({"ca": state.settings.ca, "host": state.settings.host}, {"mail": state.image.content.reveal()})

    def wanted(self) -> Fields:
        """Want Mailu's."""
        return {"ca": self._submission.authority, "host": self._submission.host}

    def write(self, change: Change) -> None:
        """Tell the connector, which otherwise sends nothing."""
        ca, host = str(change.target["ca"]), str(change.target["host"])
        self._wordpress.write_mail_settings(Carrier.CONNECTOR, MailSettings(mailer="mail", host=host, ca=ca))

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put the connector's settings back."""
        self._wordpress.restore_mail_settings(
            Carrier.CONNECTOR,
            image_of(before),
            applied=self._wordpress.answer(MAIL).connector.settings,
            applied_image=written_image(applied),
        )


class WordPressMail(Resource):
    """The mail settings as they take effect, whether the site holds them in its database or in wp-config.php."""

    def __init__(
        self,
        wordpress: WordPress,
        carrier: Carrier,
        account: MailAccount,
        submission: WordPressSubmission,
        owner: str,
    ) -> None:
        self.component, self.key = wordpress.where, "mail settings"
        self._wordpress, self._carrier, self._owner = wordpress, carrier, owner
        self._account, self._submission = account, submission
        for question in (MAIL, OWNER):
            wordpress.ask(question)

    def read(self) -> Reading:
        """Return the effective settings, who carries them, and whose they are."""
        mail = self._wordpress.answer(MAIL)
        state = mail.carrier(self._carrier)
        if state.active and state.do_not_send:
            raise Blocked(
                "WP Mail SMTP is told to send no mail at all",
                component=self.component,
                remedy='switch "Do Not Send" off in its settings (or WPMS_DO_NOT_SEND in wp-config.php)',
            )
        owner = self._wordpress.answer(OWNER).get("mail")
        fields: dict[str, Value] = {"owner": owner, "via": mail.foreign or mail.via.value, **_fields(state.settings)}
        image = {"mail": state.image.content.reveal(), "foreign": mail.foreign}
        return Reading(fields, image, None if owner == self._owner else self._foreign(mail.via, mail.foreign))

    def wanted(self) -> Fields:
        """Want mail to leave from the site's own mailbox, over verified TLS."""
        server = self._submission.find()
        settings = MailSettings(
            from_email=self._account.sender,
            from_name=self._account.sender_name,
            from_email_force=True,
            from_name_force=False,
            return_path=True,
            mailer="smtp",
            host=server.host,
            port=server.port,
            encryption=SECURITY[server.security],
            auth=True,
            autotls=True,
            user=self._account.address,
            ca=self._submission.authority if self._carrier is Carrier.CONNECTOR else "",
        )
        return {
            "owner": self._owner,
            "via": self._carrier.value,
            **_fields(settings),
            "password": self._account.password,
        }

    def write(self, change: Change) -> None:
        """Mark the settings as ours, then write them; a person's other settings in the same option stay."""
        foreign = change.live.image.get("foreign")
        if foreign:
            self._wordpress.deactivate_plugin(str(foreign))
        self._wordpress.write_owner({"mail": self._owner})
        self._wordpress.write_mail_settings(self._carrier, _settings(change.target))

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put the settings back byte for byte, except what a person changed since; then they are no longer ours."""
        self._wordpress.restore_mail_settings(
            self._carrier,
            image_of(before),
            applied=_settings(applied.fields or {}),
            applied_image=written_image(applied),
        )
        foreign = before.extra.get("foreign")
        if foreign:
            self._wordpress.activate_plugin(str(foreign))
        self._wordpress.write_owner({"mail": None})

    def _foreign(self, via: Via, plugin: str | None) -> Foreign | None:
        """Say who sends this site's mail, if somebody set that up; PHP's own mail() is nobody."""
        if via is Via.FOREIGN:
            return Foreign(f"mail goes through the plugin {plugin}", Permission.REPLACE)
        if via is Via.NONE:
            return None
        state = self._wordpress.answer(MAIL).carrier(Carrier(via.value))
        if not state.active or not _sends(state):
            return None
        where = state.settings.host if state.settings.mailer == "smtp" else state.settings.mailer
        return Foreign(f"mail goes through {where}, set in {via.value} by a person", Permission.REPLACE)


def _sends(state: CarrierState) -> bool:
    return state.settings.mailer not in {"", "mail"} and (state.settings.mailer != "smtp" or bool(state.settings.host))


def _fields(settings: MailSettings) -> dict[str, Value]:
    return {name: getattr(settings, name) for name in MailSettings.model_fields}


def _settings(fields: Fields) -> MailSettings:
    known = {name: fields[name] for name in MailSettings.model_fields if name in fields}
    if isinstance(known.get("password"), Marker):
        del known["password"]
    return MailSettings.model_validate(known)
