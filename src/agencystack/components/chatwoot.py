"""Chatwoot's environment: its file is changed in place, the application restarted and asked what it really has.

Chatwoot has no interface for its mail settings; they are environment variables (config/initializers/mailer.rb), read
once at start. Written from its public source and not verified against a running Chatwoot.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from agencystack.components import envfile
from agencystack.components.hostfile import Content, HostFile
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.secrets import Secret, redact

# Rails loads all of Chatwoot for one command; a small server takes a minute.
RAILS_LIMIT = 180.0
RESTART_LIMIT = 120.0
# The application's own bin folder first: it is where a Rails application keeps its bundle.
RUNNER = ("sh", "-c", 'PATH="$PWD/bin:$PATH" RAILS_ENV="${RAILS_ENV:-production}" exec bundle exec rails runner -')

# The answer stands between two nonces, as gems print at start. Values arrive as data, never as Ruby.
_RUBY = """
require "json"
require "base64"
given = JSON.parse(Base64.strict_decode64("%(data)s"))
answer = begin
%(work)s
rescue StandardError => error
  { "error" => "#{error.class}: #{error.message}" }
end
puts given["nonce"] + JSON.generate(answer) + given["nonce"]
"""
_COMPARE = """
  different = given["values"].reject { |key, value| ENV[key] == value || (value.nil? && ENV[key].to_s.empty?) }
  { "different" => different.keys }
"""
_SEND = """
  mail = ActionMailer::Base.mail(
    from: ENV.fetch("MAILER_SENDER_EMAIL", "Chatwoot <accounts@chatwoot.com>"),
    to: given["to"], subject: given["subject"], body: given["body"], content_type: "text/plain"
  )
  mail.deliver_now
  { "sent" => true }
"""
_VERSION = """
  { "version" => Chatwoot.config[:version].to_s }
"""


class EnvFile(Content):
    """The environment file as it was read; holds secrets."""

    @property
    def values(self) -> dict[str, str]:
        """Return what the application reads from it at its next start."""
        return envfile.parse(self.text)


class Chatwoot:
    """One Chatwoot.

    Args:
        where: the component, for error messages.
        executor: runs programs where the application lives, in its folder.
        env_file: its environment file, on the machine around the container.
        restart: program and arguments that make it read the file again, on that machine.
        container: its container; ``docker restart`` of it is the restart where none is given.
    """

    def __init__(
        self,
        where: ComponentRef,
        executor: Executor,
        env_file: str,
        restart: tuple[str, ...] | None = None,
        *,
        container: str | None = None,
    ) -> None:
        self.where = where
        self._executor = executor
        self._host = executor.host()
        self._env_file = env_file
        self._file = HostFile(where, self._host, env_file)
        self._restart = restart or (("docker", "restart", container) if container else None)
        self._known: EnvFile | None = None

    def env(self) -> EnvFile:
        """Return the environment file; read once, until :meth:`forget` or a change.

        Raises:
            ConfigurationError: it is missing, cannot be read, or is not UTF-8.
        """
        if self._known is None:
            read = self._file.read()
            if read is None:
                raise ConfigurationError(
                    f"there is no file {self._env_file} on {self._host.description}",
                    component=self.where,
                    remedy="set env_file in stack.yaml to the file Chatwoot is started with",
                )
            self._known = EnvFile(read.text, read.digest)
        return self._known

    def forget(self) -> None:
        """Read the file again at the next use."""
        self._known = None

    def write(self, before: EnvFile, text: str) -> EnvFile:
        """Replace the file at once, keeping mode and owner; a link stays a link.

        Args:
            before: what the change was made from.
            text: the whole new content.

        Raises:
            Refused: somebody wrote the file meanwhile; nothing was changed.
            ConfigurationError: it may not be written.
        """
        self.forget()
        written = self._file.replace(before, text)
        self._known = EnvFile(written.text, written.digest)
        return self._known

    def set(self, changes: Mapping[str, str | Secret | None]) -> EnvFile:
        """Set or remove variables in the file, leaving every other byte; the application is not restarted.

        Raises:
            ConfigurationError: a value cannot be written to such a file.
            Refused: somebody wrote the file meanwhile.
        """
        before = self.env()
        try:
            text = envfile.set(before.text, _clear(changes))
        except envfile.UnwritableValue as error:
            raise ConfigurationError(
                f"{self._env_file}: {error}", component=self.where, remedy="choose another value"
            ) from error
        return before if text == before.text else self.write(before, text)

    def restart(self) -> None:
        """Restart the application.

        Raises:
            ConfigurationError: it is not known how.
            Unavailable: the command failed.
        """
        if self._restart is None:
            raise ConfigurationError(
                "it is not known how to restart it",
                component=self.where,
                remedy="set restart in stack.yaml, such as [systemctl, restart, chatwoot.target]",
            )
        finished = self._host.run(self._restart, timeout=RESTART_LIMIT)
        if finished.returncode != 0:
            raise Unavailable(
                f"{' '.join(self._restart)} ended with {finished.returncode}: {_tail(finished.stderr)}",
                component=self.where,
                remedy="run it by hand and correct restart in stack.yaml",
            )

    def different(self, expected: Mapping[str, str | Secret | None]) -> tuple[str, ...]:
        """Return the names of variables that differ in the application's own environment.

        Args:
            expected: None for a variable that is to be absent or empty.

        Raises:
            Unavailable, BadAnswer, Refused: the application does not run our program.
        """
        answer = self._rails(_COMPARE, {"values": _clear(expected)})
        return tuple(str(key) for key in answer.get("different", ()))

    def apply(self, changes: Mapping[str, str | Secret | None]) -> None:
        """Write the variables, restart, and make sure the application has them.

        Raises:
            Refused: it still has other values after the restart, because ``docker restart`` does not read an
                ``env_file`` again; else as :meth:`set` and :meth:`restart`.
        """
        self.set(changes)
        self.restart()
        self.check_effective(changes)

    def check_effective(self, expected: Mapping[str, str | Secret | None]) -> None:
        """Raise :class:`Refused`, with the remedy, where the application does not have ``expected``."""
        different = self.different(expected)
        if different:
            raise Refused(
                f"was restarted but still has other values of {', '.join(different)}",
                component=self.where,
                remedy=(
                    "docker restart does not read an env_file again: set restart in stack.yaml to "
                    "[docker, compose, --project-directory, FOLDER, up, -d, rails, sidekiq]; also look for "
                    "environment: in the compose file, which wins over env_file"
                ),
            )

    def send_mail(self, to: str, subject: str, body: str) -> None:
        """Send a mail with the application's own settings, at once.

        Raises:
            Refused: it could not be sent; with the words of ActionMailer.
        """
        self._rails(_SEND, {"to": to, "subject": subject, "body": body})

    def version(self) -> str:
        """Return the version of the application."""
        return str(self._rails(_VERSION, {}).get("version", ""))

    def _rails(self, work: str, data: Mapping[str, Any]) -> dict[str, Any]:
        nonce = token_hex(16)
        encoded = base64.b64encode(json.dumps({**data, "nonce": nonce}).encode()).decode()
        program = _RUBY % {"data": encoded, "work": work}
        finished = self._executor.run(RUNNER, stdin=program.encode(), timeout=RAILS_LIMIT)
        answer = self._framed(finished, nonce)
        if "error" in answer:
            raise Refused(
                f"its mailer says: {redact(str(answer['error']))[:500]}",
                component=self.where,
                remedy=f"check the SMTP_ variables in {self._env_file} and the mail server",
            )
        return answer

    def _framed(self, finished: Finished, nonce: str) -> dict[str, Any]:
        parts = finished.stdout.decode(errors="replace").split(nonce)
        if len(parts) != 3:
            raise BadAnswer(
                f"its rails runner ended with {finished.returncode} and no answer: {_tail(finished.stderr)}",
                component=self.where,
                remedy="check exec in stack.yaml: bundle exec rails runner must work there (path is its folder)",
            )
        answer: dict[str, Any] = json.loads(parts[1])
        return answer


def _clear(values: Mapping[str, str | Secret | None]) -> dict[str, str | None]:
    return {key: value.reveal() if isinstance(value, Secret) else value for key, value in values.items()}


def _tail(complaint: bytes) -> str:
    lines = redact(complaint.decode(errors="replace")).strip().splitlines()
    return lines[-1][:300] if lines else "no message"
