"""The ways an application is told its login settings: an environment file, a file, a program, a call."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agencystack.components import envfile
from agencystack.components.hostfile import Content, HostFile
from agencystack.engine.integration import SealedValue
from agencystack.engine.resource import ABSENT, Change, Foreign, Image, Permission, Reading, Resource
from agencystack.engine.values import Fields, Marker, Value
from agencystack.integrations.restart import OwedRestart
from agencystack.integrations.sso import oidc_words
from agencystack.integrations.sso.oidc_words import SECRET, Words
from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused
from agencystack.stack.secrets import Secret

RESTARTED = "restarted"
"""The field that says the application runs with what was written."""

FORM = "the text around them"
"""The field that says a file is the template's, whatever stands for its words."""


@dataclass(frozen=True)
class Told:
    """What an application is told, and what follows.

    Args:
        client_id: as Keycloak has it; what names it is ours.
        words: what the settings are made of; asked for late, as apply makes the secret.
        restart: makes the settings count.
    """

    client_id: str
    words: Callable[[], Words]
    restart: OwedRestart


class _Settings(Resource):
    """Settings that count after a restart."""

    def __init__(self, where: ComponentRef, key: str, told: Told) -> None:
        self.component, self.key, self._told = where, key, told

    def write(self, change: Change) -> None:
        """Write what differs, then restart; where we died in between, the restart alone is left to do."""
        self._told.restart.owe()
        if change.names - {RESTARTED}:
            self._put(change)
        self._told.restart.pay()

    @abstractmethod
    def _put(self, change: Change) -> None:
        """Write the settings."""

    def _with_restart(self, fields: Fields) -> Fields:
        return {**fields, RESTARTED: not self._told.restart.due}

    def _foreign(self, given: str) -> Foreign | None:
        """Say that settings which do not name our client are somebody's."""
        if not given.strip() or self._told.client_id in given:
            return None
        return Foreign(
            f"{self.key}: set by a person, for another client than {self._told.client_id}", Permission.REPLACE
        )


class EnvironmentSettings(_Settings):
    """Variables of an environment file; every other byte of it stays."""

    def __init__(self, file: HostFile, variables: Mapping[str, str], told: Told) -> None:
        super().__init__(file.where, f"login variables in {file.path}", told)
        self._file, self._variables = file, variables

    def read(self) -> Reading:
        """Return the variables as the application reads them, and the lines they stand in."""
        content = self._content()
        values = envfile.parse(content.text)
        fields = {name: self._shown(name, values.get(name)) for name in self._variables}
        naming = [values.get(name, "") for name, text in self._variables.items() if "{client_id}" in text]
        image = envfile.lines_of(content.text, self._variables).model_dump(mode="json")
        return Reading(self._with_restart(fields), image, self._foreign("\n".join(naming)))

    def wanted(self) -> Fields:
        """Want what stack.yaml says, filled in."""
        words = self._told.words()
        return {**{name: oidc_words.filled(text, words) for name, text in self._variables.items()}, RESTARTED: True}

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put the lines back byte for byte, and restart with them."""
        saved = envfile.SavedLines.model_validate(dict(before.extra))
        keys = tuple(key for key in saved.keys if key in change.names)
        lines = tuple(line for line in saved.lines if line.key in change.names)
        content = self._content()
        self._told.restart.owe()
        text = envfile.restore(content.text, saved.model_copy(update={"keys": keys, "lines": lines}))
        self._file.replace(content, text)
        self._told.restart.pay(wait=False)

    def _put(self, change: Change) -> None:
        content = self._content()
        changes = {name: oidc_words.clear(change.target[name]) for name in change.names - {RESTARTED}}
        try:
            text = envfile.set(content.text, changes)
        except envfile.UnwritableValue as error:
            raise ConfigurationError(
                f"{self._file.path}: {error}", component=self.component, remedy="write it in stack.yaml in another way"
            ) from error
        self._file.replace(content, text)

    def _shown(self, name: str, value: str | None) -> Value:
        holds_secret = f"{{{SECRET}}}" in self._variables[name]
        return Secret(value) if value and holds_secret else value

    def _content(self) -> Content:
        content = self._file.read()
        if content is None:
            raise ConfigurationError(
                f"there is no file {self._file.path}",
                component=self.component,
                remedy="correct env_file in stack.yaml, or make the file the application is started with",
            )
        return content


class FileSettings(_Settings):
    """A whole file, made from a template; compared word by word."""

    def __init__(self, file: HostFile, template: str, told: Told) -> None:
        super().__init__(file.where, f"login settings in {file.path}", told)
        self._file, self._template = file, template

    def read(self) -> Reading:
        """Return what stands in the places of the words, and the whole text."""
        content = self._file.read()
        if content is None:
            return ABSENT
        live = oidc_words.found(self._template, content.text)
        fields: dict[str, Value] = {FORM: live is not None, **dict.fromkeys(self._names), **(live or {})}
        return Reading(self._with_restart(fields), {"text": content.text}, self._foreign(content.text))

    def wanted(self) -> Fields:
        """Want the template, filled in."""
        words = self._told.words()
        return {FORM: True, **{name: words[oidc_words.word_of(name)] for name in self._names}, RESTARTED: True}

    def remove(self, live: Reading, before: Image) -> str:
        """Remove the file we made."""
        content = self._file.read()
        self._told.restart.owe()
        if content is not None:
            self._file.remove(content)
        self._told.restart.pay(wait=False)
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Put the file back byte for byte; where a person changed a word since, only the others.

        Raises:
            Refused: they changed it, and before us it was another file altogether.
        """
        content = self._file.read()
        if content is None:
            return
        names = (FORM, *self._names)
        was = before.fields or {}
        if all(change.target.get(name) == was.get(name) for name in names):
            text = str(before.extra["text"])
        elif change.target.get(FORM) and was.get(FORM):
            text = oidc_words.written(self._template, change.target)
        else:
            raise Refused(
                f"{self._file.path} was changed by somebody since, and was another file before",
                component=self.component,
                remedy="keep what you need of it, then undo with --force, which puts the former file back",
            )
        self._told.restart.owe()
        self._file.replace(content, text)
        self._told.restart.pay(wait=False)

    def _put(self, change: Change) -> None:
        text = oidc_words.written(self._template, change.target)
        content = self._file.read()
        if content is None:
            self._file.make(text)
        else:
            self._file.replace(content, text)

    @property
    def _names(self) -> tuple[str, ...]:
        return oidc_words.names_in(self._template)


class GivenSettings(_Settings):
    """Settings given away, to a program or in a call, and never shown again.

    They are compared by the hash of what was last given; that they work is for the proof to show.

    Args:
        key: the resource's name.
        give: gives them; told what :attr:`wanted` said.
        take_back: takes them back; None where stack.yaml names no way.
        memory: remembers that something was given.
    """

    def __init__(
        self,
        where: ComponentRef,
        key: str,
        told: Told,
        *,
        wanted: Callable[[Words], Value],
        give: Callable[[Secret], None],
        take_back: Callable[[], None] | None,
        memory: SealedValue,
    ) -> None:
        super().__init__(where, key, told)
        self._wanted, self._give, self._take_back, self._memory = wanted, give, take_back, memory

    def read(self) -> Reading:
        """Return whether anything was given; what the application has now, nobody can say."""
        if self._memory.get() is None:
            return ABSENT
        return Reading(self._with_restart({"settings": Marker.UNREADABLE}))

    def wanted(self) -> Fields:
        """Want all that is to be given."""
        return {"settings": self._wanted(self._told.words()), RESTARTED: True}

    def remove(self, live: Reading, before: Image) -> str:
        """Take them back, where there is a way."""
        if self._take_back is None:
            self._memory.delete()
            return "stack.yaml names no `undo` for it, so the application keeps the settings it was given"
        self._told.restart.owe()
        self._take_back()
        self._told.restart.pay(wait=False)
        self._memory.delete()
        return ""

    def _put(self, change: Change) -> None:
        # Before it is given: whoever dies in between gives it again, and undo knows of it.
        self._memory.put(Secret("given"))
        settings = change.target["settings"]
        if isinstance(settings, Secret):
            self._give(settings)
