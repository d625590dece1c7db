"""Promtail's configuration file: jobs of ours are added and taken out, what else is in it stays a person's.

Promtail is at its end of life since 2 March 2026 (Loki's documentation); it has no interface to change it by.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agencystack.components.hostfile import Content, HostFile
from agencystack.components.http import HttpApi
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor
from agencystack.stack.secrets import redact

RESTART_LIMIT = 120.0
READY_SECONDS = 30.0
POLL_SECONDS = 0.2

Job = Mapping[str, Any]


class Promtail:
    """One Promtail.

    Args:
        where: the component, for error messages.
        url: its HTTP interface as we reach it.
        machine: runs programs on the machine it is on.
        config: its configuration file there.
        restart: program and arguments that restart it there.
        ca_file: authority of its certificate, where it has TLS.
    """

    def __init__(
        self,
        where: ComponentRef,
        url: str,
        machine: Executor,
        config: str,
        restart: Sequence[str],
        *,
        ca_file: Path | None = None,
    ) -> None:
        self.where, self.config = where, config
        self._api = HttpApi(where, url, ca_file=ca_file)
        self._machine, self._restart = machine, tuple(restart)
        self._file = HostFile(where, machine, config)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def jobs(self, prefix: str) -> list[dict[str, Any]]:
        """Return the jobs whose names begin with ``prefix``, as plain data.

        Raises:
            ConfigurationError: there is no such file, or it is no YAML.
        """
        return [_plain(job) for job in self._jobs(self._document(self._content())) if _named(job, prefix)]

    def set_jobs(self, prefix: str, jobs: Sequence[Job]) -> None:
        """Have exactly these jobs of the prefix, and restart; where Promtail does not come back, it gets its file back.

        Args:
            prefix: how the names of all of ``jobs``, and of none of a person's, begin.
            jobs: as plain data; none takes them out.

        Raises:
            Refused: Promtail did not start with them; the file is what it was before.
        """
        before = self._content()
        after = self._file.replace(before, self._with(before, prefix, jobs))
        try:
            self.restart()
        except (Refused, Unavailable) as error:
            # Where a run that was killed had written them already, what was there before is not known any more.
            unfinished = after.text == before.text
            self._file.replace(after, self._with(before, prefix, []) if unfinished else before.text)
            raise Refused(
                f"does not start with what was written into {self.config}: {error.message}",
                component=self.where,
                remedy=f"{self.config} is without that again{self._started_again()}; see the log of Promtail",
            ) from error

    def restart(self) -> None:
        """Restart it, and wait until it is ready.

        Raises:
            Refused: the command failed.
            Unavailable: it is not ready after 30 s.
        """
        finished = self._machine.run(self._restart, timeout=RESTART_LIMIT)
        if finished.returncode != 0:
            said = redact(finished.stderr.decode(errors="replace")).strip()[-300:]
            raise Refused(
                f"`{' '.join(self._restart)}` ended with {finished.returncode}: {said or 'no message'}",
                component=self.where,
                remedy="correct restart in stack.yaml",
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline:
                raise Unavailable(f"is not ready {READY_SECONDS:g} s after its restart", component=self.where)
            time.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return self._api.send("GET", "/ready").is_success
        except (Unavailable, BadAnswer):
            return False

    def _started_again(self) -> str:
        try:
            self.restart()
        except (Refused, Unavailable) as error:
            return f", but Promtail does not start with that, too ({error.message})"
        return " and Promtail runs with it"

    def _content(self) -> Content:
        content = self._file.read()
        if content is None:
            raise ConfigurationError(
                f"there is no file {self.config} on {self._machine.description}",
                component=self.where,
                remedy="set config in stack.yaml to the file Promtail is started with",
            )
        return content

    def _with(self, before: Content, prefix: str, jobs: Sequence[Job]) -> str:
        document = self._document(before)
        kept = self._jobs(document)
        for number in reversed([number for number, job in enumerate(kept) if _named(job, prefix)]):
            del kept[number]
        kept.extend(jobs)
        document["scrape_configs"] = kept
        text = io.StringIO()
        _yaml().dump(document, text)
        return text.getvalue()

    def _document(self, content: Content) -> Any:
        try:
            document = _yaml().load(content.text)
        except YAMLError as error:
            raise self._damaged(str(error)) from error
        if not isinstance(document, dict):
            raise self._damaged("it is no map")
        return document

    def _jobs(self, document: Any) -> Any:
        jobs = document.get("scrape_configs")
        if jobs is not None and not isinstance(jobs, list):
            raise self._damaged("its scrape_configs is no list")
        return [] if jobs is None else jobs

    def _damaged(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.config} cannot be read as Promtail's configuration: {redact(why)[:300]}",
            component=self.where,
            remedy="correct it, or name the right file as config in stack.yaml",
        )


def _yaml() -> YAML:
    """Return what keeps comments, order and quotes, and breaks no line."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _named(job: Any, prefix: str) -> bool:
    return isinstance(job, dict) and str(job.get("job_name", "")).startswith(prefix)


def _plain(value: Any) -> Any:
    """Return YAML with comments as plain data that can be compared."""
    if isinstance(value, dict):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return str(value) if isinstance(value, str) else value
