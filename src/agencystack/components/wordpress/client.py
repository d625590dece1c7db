"""The client of one WordPress: questions answered together in one start of PHP, and writes that check what they change.

Transport and protocol are DESIGN 4; what WordPress and WP Mail SMTP hold is facts/wordpress.md.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeVar, cast

from pydantic import ValidationError

from agencystack.components.bridge_settings import BridgeSettings
from agencystack.components.wordpress import queries
from agencystack.components.wordpress.models import (
    AppPassword,
    Carrier,
    MailImage,
    MailSettings,
    Plugin,
    SentMail,
    Written,
)
from agencystack.components.wordpress.program import CONNECTOR, connector_files
from agencystack.components.wordpress.queries import Query
from agencystack.components.wordpress.sso import Login, SsoImage, SsoSettings, SsoUser, TokenVerdict
from agencystack.components.wordpress.transport import DEFAULT_TIMEOUT, Result, Transport
from agencystack.components.wordpress.wp_config import define_lines
from agencystack.stack.errors import AgencyStackError, BadAnswer, ComponentRef, ConfigurationError, Refused
from agencystack.stack.execution import Executor
from agencystack.stack.secrets import Secret, redact

T = TypeVar("T")

# A download from wordpress.org by a slow line.
INSTALL_TIMEOUT = 300.0
# Questions that make the site call somebody: a write changes nothing of their answers.
_SLOW = frozenset({"submission", "reaches_bridge"})


class WordPress:
    """One WordPress site.

    Resources register what they will read with :meth:`ask` when they are made; the first :meth:`answer` reads all of
    it in one start of PHP. A write answers all of it anew in its own start. Safe to use from several threads.

    Args:
        where: the component, for error messages.
        executor: runs commands where the site lives, as the owner of its files.
        path: folder that holds ``wp-load.php``.
        url: address of the site; needed for one site of a multisite.
    """

    def __init__(self, where: ComponentRef, executor: Executor, path: str, *, url: str | None = None) -> None:
        self.where = where
        self._transport = Transport(where, executor, path, url)
        self._lock = threading.RLock()
        self._asked: dict[str, Query[Any]] = {}
        self._known: dict[str, Any] = {}
        self._failure: AgencyStackError | None = None

    def ask(self, query: Query[Any]) -> None:
        """Register a question, so that it is answered together with the others."""
        with self._lock:
            self._asked[query.key] = query

    def answer(self, query: Query[T]) -> T:
        """Return the answer to a question, reading everything that was asked when it is not known yet.

        Raises:
            Unavailable: the place, the database or the site is down; the same again until :meth:`forget`, so that
                a site that is down costs one wait and not one for each resource.
            Refused: WordPress could not answer this question.
            BadAnswer, ConfigurationError: see :class:`Transport`.
        """
        with self._lock:
            self._asked[query.key] = query
            if query.key not in self._known:
                self._read()
            value = self._known[query.key]
        if isinstance(value, AgencyStackError):
            raise value
        return cast(T, value)

    def forget(self) -> None:
        """Forget what was read; the next answer reads anew."""
        with self._lock:
            self._known.clear()
            self._failure = None

    def activate_plugin(self, slug: str) -> Plugin:
        """Activate an installed plugin; already active is fine.

        Raises:
            Refused: it is not installed, or WordPress declined.
        """
        return Plugin.model_validate(self._tell("activate_plugin", {"slug": slug}))

    def deactivate_plugin(self, slug: str) -> None:
        """Deactivate a plugin; not active or not installed is fine.

        Raises:
            Refused: it is active for the whole network.
        """
        self._tell("deactivate_plugin", {"slug": slug})

    def install_plugin(self, slug: str) -> Plugin:
        """Install a plugin from wordpress.org where it is missing, and activate it.

        Raises:
            Refused: wordpress.org cannot be reached from the site, or its plugins folder cannot be written.
        """
        return Plugin.model_validate(self._tell("install_plugin", {"slug": slug}, timeout=INSTALL_TIMEOUT))

    def delete_plugin(self, slug: str) -> None:
        """Deactivate a plugin, run its uninstaller and delete its files; not installed is fine."""
        self._tell("delete_plugin", {"slug": slug})

    def install_connector(self) -> Plugin:
        """Put our connector's files in place as a whole and activate it; an older version is replaced."""
        return Plugin.model_validate(self._tell("install_connector", {"files": connector_files()}))

    def remove_connector(self) -> None:
        """Deactivate and delete our connector with its settings; not installed is fine."""
        self.delete_plugin(CONNECTOR)

    def write_mail_settings(
        self, carrier: Carrier, settings: MailSettings, *, expected: MailSettings | None = None
    ) -> Written:
        """Write our fields where the site holds them: in the carrier's option, or in constants of wp-config.php.

        A person's other settings in the same option stay as they are.

        Args:
            carrier: which plugin's settings.
            settings: all our fields.
            expected: effective values the change was planned on; None for whatever is there.

        Raises:
            Refused: a value is no longer the expected one, or the carrier is not active.
            ConfigurationError: constants would have to change and wp-config.php cannot be written; the remedy holds
                the lines, the password masked.
        """
        arguments = {
            "carrier": carrier.value,
            "fields": _fields(carrier, settings),
            "expected": _fields(carrier, expected) if expected else {},
        }
        return self._written("write_mail", arguments, settings)

    def restore_mail_settings(
        self,
        carrier: Carrier,
        image: MailImage,
        *,
        applied: MailSettings,
        applied_image: MailImage | None = None,
        force: bool = False,
    ) -> Written:
        """Put mail settings back as ``image`` shows them; what a person changed since our write is left and named.

        Args:
            carrier: which plugin's settings.
            image: taken before our first write.
            applied: the values we wrote last.
            applied_image: taken right after our last write; while it is still what is there, the option goes back
                byte for byte.
            force: put everything back, a person's changes too.
        """
        arguments = {
            "carrier": carrier.value,
            "image": image.data(),
            "applied": applied_image.data() if applied_image else None,
            "fields": _fields(carrier, applied),
            "force": force,
        }
        return self._written("restore_mail", arguments, applied)

    def write_sso(self, settings: SsoSettings, *, expected: SsoSettings | None = None) -> Written:
        """Write how people log in, into the plugin that carries it and into our connector, which checks its tokens.

        Other settings a person made in the same plugin stay. Both plugins must be active.

        Args:
            settings: all our fields; ``login`` says which plugin.
            expected: effective values the change was planned on; None for whatever is there.

        Raises:
            Refused: a plugin is not active, a value is no longer the expected one, a constant says otherwise, or
                miniOrange holds several applications.
        """
        arguments = {
            "way": settings.login.value,
            "fields": settings.fields(),
            "expected": expected.fields() if expected else {},
        }
        return Written.model_validate(self._tell("write_sso", arguments))

    def restore_sso(
        self,
        login: Login,
        image: SsoImage,
        *,
        applied: SsoSettings,
        applied_image: SsoImage | None = None,
        force: bool = False,
    ) -> Written:
        """Put single sign-on back as ``image`` shows it; what a person changed since our write is left and named.

        Args:
            login: the way that was set up; the image is that way's.
            image: taken before our first write.
            applied: the values we wrote last.
            applied_image: taken right after our last write; while it is still what is there, the options go back
                byte for byte.
            force: put everything back, a person's changes too.
        """
        arguments = {
            "way": login.value,
            "image": image.data(),
            "applied": applied_image.data() if applied_image else None,
            "fields": applied.fields(),
            "force": force,
        }
        return Written.model_validate(self._tell("restore_sso", arguments))

    def sso_user(self, who: str) -> SsoUser | None:
        """Return a user by login, or by e-mail where no login matches, as it is now; None where there is none."""
        query = queries.sso_user(who)
        with self._lock:
            self._known.pop(query.key, None)
            try:
                return self.answer(query)
            finally:
                # A later run of all questions need not look for somebody who is gone.
                self._asked.pop(query.key, None)

    def forget_probe_user(self, login: str) -> bool:
        """Delete a probe user with sessions and meta; say whether it was there.

        Raises:
            Refused: the login does not start with ``agencystack-probe-``.
        """
        return bool(self._tell("sso_forget_user", {"login": login})["deleted"])

    def check_token(self, token: Secret, *, nonce: str | None = None) -> TokenVerdict:
        """Have the site's connector judge an ID token with its live settings, as a login would.

        Raises:
            Refused: the connector is not active, or its single sign-on is not set up.
        """
        given = {"token": token.reveal(), "nonce": nonce}
        return TokenVerdict.model_validate(self._tell("sso_check_token", given))

    def write_health_token(self, kept: Secret | None) -> None:
        """Set what the site keeps of the token that opens the details of its health.

        Args:
            kept: its hash (:func:`agencystack.components.health.token_hash`); None takes the token away.
        """
        self._tell("write_health", {"token": kept.reveal() if kept else None})

    def write_bridge(self, settings: BridgeSettings | None) -> None:
        """Join our connector to the data bridge; None parts it again, and what it noted down is dropped.

        Raises:
            Refused: our connector is not active, or too old.
        """
        self._tell("write_bridge", {"configuration": settings.plain() if settings else None})

    def write_rest_user(
        self, role: str, capabilities: Collection[str], password: Literal["keep", "new", "none"]
    ) -> AppPassword | None:
        """Make or change the user the bridge comes as by REST alone: this role, these capabilities and no other.

        Args:
            role: WordPress's or WooCommerce's own.
            capabilities: what it may do beside that.
            password: keep its application password, make a new one in place of all it has, or take them away.

        Raises:
            Refused: the role is not there, or the site allows no application passwords.
        """
        given = {"role": role, "capabilities": sorted(capabilities), "password": password}
        made = self._tell("write_rest_user", given)
        return AppPassword.model_validate(made) if made else None

    def delete_rest_user(self) -> None:
        """Delete that user; what it wrote stays. Not there is fine."""
        self._tell("delete_rest_user", {})

    def fill_form(self, email: str, message: str) -> None:
        """Have our connector keep a form entry, as it would one of any form plugin; no mail goes out.

        Raises:
            Refused: our connector is not active, or not joined to the data bridge.
        """
        self._tell("fill_form", {"email": email, "message": message})

    def write_owner(self, marks: Mapping[str, str | None]) -> None:
        """Mark what belongs to which integration, in the site's own option ``agencystack_owner``.

        Args:
            marks: integration (``acme/email/wordpress``) by what it owns (``mail``); None removes a mark.
        """
        self._tell("write_owner", {"marks": dict(marks)})

    def send_mail(self, to: str, subject: str, body: str) -> SentMail:
        """Send one mail through ``wp_mail()``, as every plugin of the site does."""
        return SentMail.model_validate(self._tell("send_mail", {"to": to, "subject": subject, "body": body}))

    def _read(self) -> None:
        if self._failure is not None:
            raise self._failure
        unknown = {key: query for key, query in self._asked.items() if key not in self._known}
        try:
            given = self._transport.start([], {key: query.asked() for key, query in unknown.items()})
        except AgencyStackError as failure:
            self._failure = failure
            raise
        self._learn(unknown, given.answers)

    def _learn(self, asked: Mapping[str, Query[Any]], answers: Mapping[str, Result]) -> None:
        for key, query in asked.items():
            try:
                self._known[key] = query.parse(self._value(query.name, answers[key]))
            except AgencyStackError as error:
                self._known[key] = error
            except (KeyError, TypeError, ValidationError, ValueError):
                # Not chained: a validation error quotes the answer, which may hold a password.
                self._known[key] = BadAnswer(f"the answer to {query.name} is damaged", component=self.where)

    def _tell(self, name: str, arguments: Mapping[str, Any], *, timeout: float = DEFAULT_TIMEOUT) -> Any:
        with self._lock:
            result = self._carry_out(name, arguments, timeout)
        return self._value(name, result)

    def _carry_out(self, name: str, arguments: Mapping[str, Any], timeout: float) -> Result:
        """Write, and take the fresh state from the same start; after a failure nothing is known any more."""
        self.forget()
        asked = {key: query for key, query in self._asked.items() if query.name not in _SLOW}
        given = self._transport.start(
            [{"name": name, "args": dict(arguments)}],
            {key: query.asked() for key, query in asked.items()},
            timeout=timeout,
        )
        if not given.commands:
            raise BadAnswer(f"the program did not say what became of {name}", component=self.where)
        if not isinstance(given.commands[0].value, dict) or not given.commands[0].value.get("restart"):
            self._learn(asked, given.answers)
        return given.commands[0]

    def _written(self, name: str, arguments: Mapping[str, Any], settings: MailSettings) -> Written:
        with self._lock:
            result = self._carry_out(name, arguments, DEFAULT_TIMEOUT)
        if result.reason == "constants":
            raise ConfigurationError(
                f"the site holds its mail settings as constants and {redact(result.message)}",
                component=self.where,
                remedy="put these lines into wp-config.php: "
                + " ".join(define_lines(settings, result.details["names"])),
            )
        return Written.model_validate(self._value(name, result))

    def _value(self, name: str, result: Result) -> Any:
        if result.ok:
            return result.value
        raise Refused(
            f"{name.replace('_', ' ')}: {redact(result.message)[:500]}",
            component=self.where,
            remedy=_REMEDIES.get(result.reason, ""),
        )


_REMEDIES = {
    "no-download": "let the site reach wordpress.org, install it by hand, or set mailer: connector in stack.yaml",
    "not-installed": "install it, or set mailer: connector in stack.yaml",
    "not-ours": "delete that user in WordPress, or give it another name",
    "not-writable": "give the owner of the site's files the right to write there",
    "changed": "look at the plan again: somebody changed the site in the meantime",
    "no-role": "activate WooCommerce, or share none of its entities",
    "no-passwords": "allow application passwords (security plugins switch them off), or name api_user and api_password "
    "of wordpress in stack.yaml",
    "not-active": "activate it (agencystack plan says how, where it cannot be put there), or choose another login in "
    "stack.yaml",
    "several": "delete the applications you do not need in miniOrange, or set login: connector in stack.yaml",
    "sso-constants": "take these constants away, or set login: connector in stack.yaml",
    "network": "change it in the network's administration",
}


def _fields(carrier: Carrier, settings: MailSettings) -> dict[str, Any]:
    fields = settings.fields()
    if carrier is Carrier.WP_MAIL_SMTP:
        del fields["ca"]
    return fields
