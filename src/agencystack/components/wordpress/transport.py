"""One start of PHP inside a WordPress: the request in, the framed answer out, every failure a clear error."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agencystack.components.wordpress import program
from agencystack.stack.errors import AgencyStackError, BadAnswer, ComponentRef, ConfigurationError, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.secrets import redact

# WP-CLI starts in about 0.6 s and 1.7 s on a loaded machine (facts/wordpress.md, "WP-CLI"); a mail waits up to 30 s
# for its server and a plugin download takes as long as the network does.
DEFAULT_TIMEOUT = 120.0
LONGEST_EXCERPT = 300


class Result(BaseModel):
    """What one command or query gave: a value, or why not."""

    model_config = ConfigDict(frozen=True)

    ok: bool
    value: Any = None
    reason: str = ""
    message: str = ""
    details: dict[str, Any] = Field(default_factory=dict)


class Answer(BaseModel):
    """What the program answers."""

    model_config = ConfigDict(frozen=True)

    commands: list[Result] = Field(default_factory=list)
    answers: dict[str, Result] = Field(default_factory=dict)


class Transport:
    """Starts the program in one WordPress.

    Args:
        where: the component, for error messages.
        executor: runs commands where the site lives, as the owner of its files.
        path: folder that holds ``wp-load.php``.
        url: address of the site; needed for one site of a multisite.
    """

    def __init__(self, where: ComponentRef, executor: Executor, path: str, url: str | None) -> None:
        self._where = where
        self._executor = executor
        self._path = path
        self._url = url
        self._argv = program.bootstrap(path, url)

    def start(
        self,
        commands: Sequence[Mapping[str, Any]],
        queries: Mapping[str, Mapping[str, Any]],
        *,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Answer:
        """Run commands and then queries in one start of PHP.

        Args:
            commands: ``name`` and ``args`` each, carried out in order until one fails.
            queries: ``name`` and ``args`` by key.
            timeout: seconds until PHP is ended.

        Raises:
            Unavailable: the place, the database or the site is down, or in maintenance.
            ConfigurationError: there is no PHP, or no WordPress in the folder.
            BadAnswer: PHP died or something else answered.
        """
        nonce = secrets.token_hex(16)
        asked = {"nonce": nonce, "url": self._url or "", "commands": list(commands), "queries": dict(queries)}
        request = json.dumps(asked).encode()
        code = program.program()
        finished = self._executor.run(self._argv, stdin=b"%d\n%b%b" % (len(code), code, request), timeout=timeout)
        frame = _frame(finished.stdout, nonce)
        if frame is None:
            raise self._not_started(finished)
        return self._understood(frame)

    def _understood(self, frame: bytes) -> Answer:
        try:
            data = json.loads(frame)
            if "unavailable" in data:
                make = {"maintenance": _maintenance, "site": _no_wp_site}[data["unavailable"]]
                raise make(self._where, self._path, self._executor.description)
            if "fatal" in data:
                raise BadAnswer(
                    f"PHP stopped while it did {data.get('doing', 'its work')}: {_excerpt(str(data['fatal']))}",
                    component=self._where,
                    remedy="correct the plugin or theme the message names, then run again",
                )
            return Answer.model_validate(data)
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError, ValidationError):
            # Not chained: the answer may hold secrets, and a validation error quotes what it was given.
            raise BadAnswer("the program's answer is damaged", component=self._where) from None

    def _not_started(self, finished: Finished) -> AgencyStackError:
        errors = finished.stderr.decode(errors="replace")
        said = errors + "\n" + finished.stdout.decode(errors="replace")
        for mark, make in _MARKS:
            if mark in said:
                return make(self._where, self._path, self._executor.description)
        if re.search(r"PHP Fatal error|Fatal error:|PHP Parse error|Parse error:|critical error", said):
            return BadAnswer(
                f"WordPress stops with a PHP error while it loads: {_excerpt(_error_lines(said))}",
                component=self._where,
                remedy="correct the plugin or theme the message names, then run again",
            )
        return BadAnswer(
            f"WordPress did not answer (exit status {finished.returncode}): {_excerpt(said) or 'it printed nothing'}",
            component=self._where,
            remedy="open the site in a browser; for one site of a multisite set exec.url in stack.yaml",
        )


def _frame(stdout: bytes, nonce: str) -> bytes | None:
    """Find the answer between what plugins print; None where there is none or it is cut off."""
    opening = re.search(rb"(?:^|\n)%b (\d+)\n" % nonce.encode(), stdout)
    if opening is None:
        return None
    length = int(opening.group(1))
    body = stdout[opening.end() : opening.end() + length]
    rest = stdout[opening.end() + length :]
    return body if len(body) == length and rest.startswith(b"\n%b\n" % nonce.encode()) else None


def _error_lines(said: str) -> str:
    """Keep the message, leave out the stack trace: its arguments can be secrets."""
    lines = [line for line in said.splitlines() if re.search(r"error", line, re.IGNORECASE)]
    return " ".join(lines[:2])


def _excerpt(text: str) -> str:
    plain = re.sub(r"<[^>]*>", " ", redact(text))
    kept = [line for line in plain.splitlines() if not re.match(r"\s*(#\d+ |thrown in|Stack trace)", line)]
    short = " ".join(" ".join(kept).split())
    return short if len(short) <= LONGEST_EXCERPT else short[:LONGEST_EXCERPT] + " ..."


def _no_folder(where: ComponentRef, path: str, place: str) -> AgencyStackError:
    return ConfigurationError(
        f"there is no folder {path} ({place})", component=where, remedy="correct exec.path in stack.yaml"
    )


def _no_wordpress(where: ComponentRef, path: str, place: str) -> AgencyStackError:
    return ConfigurationError(
        f"{path} holds no WordPress: wp-load.php is missing ({place})",
        component=where,
        remedy="set exec.path in stack.yaml to the folder that holds wp-load.php",
    )


def _no_php(where: ComponentRef, _path: str, place: str) -> AgencyStackError:
    return ConfigurationError(
        f"there is neither WP-CLI nor PHP ({place})",
        component=where,
        remedy="set exec in stack.yaml to where the site's PHP runs, or install php-cli or WP-CLI there",
    )


def _no_database(where: ComponentRef, _path: str, _place: str) -> AgencyStackError:
    return Unavailable(
        "WordPress cannot reach its database",
        component=where,
        remedy="start the database, or correct DB_HOST and its credentials in wp-config.php",
    )


def _not_installed(where: ComponentRef, path: str, _place: str) -> AgencyStackError:
    return ConfigurationError(
        f"the WordPress at {path} is not installed yet, or exec.url names no site of it",
        component=where,
        remedy="finish its installation in a browser, or correct exec.url in stack.yaml",
    )


def _no_wp_site(where: ComponentRef, _path: str, _place: str) -> AgencyStackError:
    return ConfigurationError(
        "it is a network of sites (multisite), and exec.url names none of them",
        component=where,
        remedy="set exec.url in stack.yaml to the address of one of its sites",
    )


def _maintenance(where: ComponentRef, path: str, _place: str) -> AgencyStackError:
    return Unavailable(
        "WordPress is in maintenance mode",
        component=where,
        remedy=f"wait until its update has ended; a left-over {path}/.maintenance is deleted by hand",
    )


# Our own marks first; then words of WP-CLI, which loads WordPress itself, and of WordPress.
_MARKS = (
    (program.NO_FOLDER, _no_folder),
    (program.NO_WORDPRESS, _no_wordpress),
    (program.NO_PHP, _no_php),
    (program.NO_DATABASE, _no_database),
    (program.NOT_INSTALLED, _not_installed),
    (program.NO_SITE, _no_wp_site),
    ("Error establishing a database connection", _no_database),
    ("you have requested is not installed", _not_installed),
    ("matches an existing site", _no_wp_site),
    ("'wp-config.php' not found", _not_installed),
    ("Briefly unavailable for scheduled maintenance", _maintenance),
    ("env: php: No such file", _no_php),
    ("env: 'php': No such file", _no_php),
    ("env: ‘php’: No such file", _no_php),
)
