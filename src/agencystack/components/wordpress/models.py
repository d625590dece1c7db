"""What a WordPress holds, as AgencyStack reads and writes it. Source: facts/wordpress.md, "WP Mail SMTP 4.8"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agencystack.stack.secrets import Secret


class Model(BaseModel):
    """A frozen value made from PHP's answer."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Carrier(StrEnum):
    """What can carry our mail settings."""

    WP_MAIL_SMTP = "wp-mail-smtp"
    CONNECTOR = "connector"

    @property
    def plugin(self) -> str:
        """Slug of the plugin."""
        return "agencystack-connector" if self is Carrier.CONNECTOR else self.value


class Via(StrEnum):
    """Who carries the site's mail now; NONE is PHP's own mail(), the factory default."""

    NONE = "none"
    WP_MAIL_SMTP = "wp-mail-smtp"
    CONNECTOR = "connector"
    FOREIGN = "foreign"


class Source(StrEnum):
    """Where an effective value comes from; DEFAULT where nobody set it."""

    CONSTANT = "constant"
    OPTION = "option"
    DEFAULT = "default"


class Site(Model):
    """Versions and addresses.

    Args:
        wordpress: version of WordPress.
        php: version of the PHP that runs it.
        wp_cli: version of WP-CLI, None where the site was reached without.
        siteurl: address of WordPress; no slash at the end is promised.
        home: address of the site's front page.
        name: title of the site.
        admin_email: the administrator's address.
        multisite: whether it is part of a network.
        environment: ``production``, ``staging``, ``development`` or ``local``.
    """

    wordpress: str
    php: str
    wp_cli: str | None
    siteurl: str
    home: str
    name: str
    admin_email: str
    multisite: bool
    environment: str


class Plugin(Model):
    """One installed plugin."""

    slug: str
    file: str
    name: str
    version: str
    active: bool
    network_active: bool


class PluginsFolder(Model):
    """Where plugins lie.

    Args:
        path: of the folder, on the machine the site lives on.
        writable: whoever runs our program there may put a plugin into it.
    """

    path: str
    writable: bool


class RestUser(Model):
    """The user the bridge comes as by REST alone.

    Args:
        roles: its roles.
        capabilities: what it may do beside them.
        passwords: ids of its application passwords; they show themselves never again.
    """

    roles: tuple[str, ...]
    capabilities: tuple[str, ...]
    passwords: tuple[str, ...]


class AppPassword(Model):
    """An application password that was just made.

    Args:
        uuid: its id.
        password: itself, shown this once.
    """

    uuid: str
    password: Secret

    @field_validator("password", mode="before")
    @classmethod
    def _hide(cls, value: object) -> object:
        return Secret(value) if isinstance(value, str) else value


class MailSettings(Model):
    """How mail is sent, in the words of WP Mail SMTP.

    Args:
        from_email: sender's address.
        from_name: sender's name.
        from_email_force: put the address in place of what other plugins chose.
        from_name_force: likewise the name.
        return_path: use the sender's address as the envelope's.
        mailer: ``smtp``, ``mail`` (PHP's own) or another service of WP Mail SMTP.
        host: server.
        port: its port.
        encryption: ``ssl`` (TLS at once), ``tls`` (STARTTLS) or ``none``.
        auth: log in.
        autotls: use STARTTLS when the server offers it.
        user: name to log in with.
        password: its password; empty where there is none or it cannot be decrypted.
        ca: PEM of a private authority; only our connector can hold it.
    """

    from_email: str = ""
    from_name: str = ""
    from_email_force: bool = True
    from_name_force: bool = False
    return_path: bool = True
    mailer: str = "smtp"
    host: str = ""
    port: int = 465
    encryption: str = "ssl"
    auth: bool = True
    autotls: bool = True
    user: str = ""
    password: Secret = Field(default_factory=lambda: Secret(""))
    ca: str = ""

    @field_validator("password", mode="before")
    @classmethod
    def _hide(cls, value: object) -> object:
        return Secret(value) if isinstance(value, str) else value

    def fields(self) -> dict[str, Any]:
        """Return every field by name as PHP takes it, the password readable: for standard input only."""
        return {
            name: value.reveal() if isinstance(value := getattr(self, name), Secret) else value
            for name in type(self).model_fields
        }


class MailImage(Model):
    """All that an undo puts back, byte for byte: the option's column and the constants' source text.

    Args:
        content: JSON; holds the password as it is stored.
    """

    content: Secret

    def data(self) -> dict[str, Any]:
        """Return the image as PHP takes it: for standard input only."""
        data: dict[str, Any] = json.loads(self.content.reveal())
        return data

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> MailImage:
        """Make an image from PHP's answer."""
        return cls(content=Secret(json.dumps(data, sort_keys=True)))


class CarrierState(Model):
    """One carrier of mail settings as it is.

    Args:
        installed: whether its plugin is there.
        active: whether it is switched on; else ``settings`` has no effect.
        version: of the plugin.
        settings: effective values, constants before option.
        sources: where each value comes from, by field.
        do_not_send: WP Mail SMTP is told to send nothing at all.
        image: for an undo.
    """

    installed: bool
    active: bool
    version: str | None
    settings: MailSettings
    sources: Mapping[str, Source]
    do_not_send: bool
    image: MailImage

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> CarrierState:
        """Make the state from PHP's answer."""
        return cls(
            installed=data["installed"],
            active=data["active"],
            version=data["version"],
            settings=MailSettings.model_validate(data["fields"]),
            sources={field: Source(source) for field, source in data["sources"].items()},
            do_not_send=data["do_not_send"],
            image=MailImage.of(data["image"]),
        )


class MailState(Model):
    """How the site sends mail.

    Args:
        via: who carries it now.
        foreign: the other plugin that does, when ``via`` says so.
        wp_mail_smtp: WP Mail SMTP as it is.
        connector: our connector as it is.
    """

    via: Via
    foreign: str | None
    wp_mail_smtp: CarrierState
    connector: CarrierState

    def carrier(self, carrier: Carrier) -> CarrierState:
        """Return the state of one carrier."""
        return self.connector if carrier is Carrier.CONNECTOR else self.wp_mail_smtp

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> MailState:
        """Make the state from PHP's answer."""
        return cls(
            via=Via(data["via"]),
            foreign=data["foreign"],
            wp_mail_smtp=CarrierState.of(data["carriers"]["wp-mail-smtp"]),
            connector=CarrierState.of(data["carriers"]["connector"]),
        )


class Written(Model):
    """What a write left behind.

    Args:
        left: fields a person changed since our write; an undo leaves them as they are.
        restart: constants changed, which the next start of PHP sees.
    """

    left: tuple[str, ...] = ()
    restart: bool = False


class SentMail(Model):
    """What became of one mail.

    Args:
        sent: whether the server took it.
        error: what WordPress and PHPMailer said when not.
        from_email: sender's address.
        host: server it was given to.
        mailer: ``smtp`` or ``mail``.
        message_id: its Message-ID with the angle brackets.
    """

    sent: bool
    error: str
    from_email: str = Field(alias="from")
    host: str
    mailer: str
    message_id: str


class Outcome(StrEnum):
    """What a way of submission gave, seen from inside the site's PHP."""

    USABLE = "usable"
    CERTIFICATE_NAME = "certificate-name"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted"
    UNKNOWN_HOST = "unknown-host"
    CLOSED = "closed"
    NO_ANSWER = "no-answer"
    TLS_FAILED = "tls-failed"
    NO_STARTTLS = "no-starttls"
    NO_AUTH = "no-auth"
    NOT_SMTP = "not-smtp"


class SubmissionWay(Model):
    """A port and how it is secured: ``tls`` at once or ``starttls``."""

    port: int
    security: str


class SubmissionTry(SubmissionWay):
    """What one way of submission gave."""

    outcome: Outcome
    detail: str
