"""One Loki: whether it is ready, what stands in it, and writing into it.

Source: Loki 3.7.8 itself (``tests/contract/recordings/loki``). It answers errors as plain text, not as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from agencystack.components.http import HttpApi
from agencystack.stack.errors import BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret, redact

NANO = 1_000_000_000
LIMIT = 1000
"""Entries of one answer; Loki's own ceiling is 5000 (``max_entries_limit_per_query``)."""
MOST_WORDS = 500
# Otherwise structured metadata comes mixed with the labels.
APART = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


@dataclass(frozen=True)
class Entry:
    """One log entry.

    Args:
        nanoseconds: its time, since 1970.
        line: its text.
        labels: of its stream.
        metadata: its structured metadata.
    """

    nanoseconds: int
    line: str
    labels: Mapping[str, str]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def time(self) -> datetime:
        """Its time, cut to microseconds."""
        return datetime.fromtimestamp(self.nanoseconds // NANO, UTC).replace(
            microsecond=self.nanoseconds % NANO // 1000
        )


@dataclass(frozen=True)
class Sample:
    """One number a metric query answers.

    Args:
        labels: what it was grouped by.
        value: the number.
    """

    labels: Mapping[str, str]
    value: float


class Loki:
    """One Loki.

    Args:
        where: the component, for error messages.
        api_url: as we reach it.
        tenant: whose logs, where it has several (``auth_enabled``).
        user: name for HTTP Basic, where a proxy before it asks for that.
        password: of ``user``.
        ca_file: certificate authority of ``api_url``; the system's when absent.
    """

    def __init__(
        self,
        where: ComponentRef,
        api_url: str,
        *,
        tenant: str | None = None,
        user: str = "",
        password: Secret | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.where = where
        self._api = HttpApi(
            where,
            api_url,
            auth=(user, password.reveal()) if password else None,
            headers={**APART, **({"X-Scope-OrgID": tenant} if tenant else {})},
            ca_file=ca_file,
            remedies={
                401: "check user and password of loki in stack.yaml; where Loki has tenants (auth_enabled), set tenant",
                429: "it takes no more at the moment: see limits_config in its configuration, then run again",
            },
        )

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def ready(self) -> None:
        """Make sure that it is ready to take and to give entries; it is not for 15 s after its start.

        Raises:
            Unavailable: it is not, or it cannot be reached.
        """
        answer = self._api.send("GET", "/ready")
        if answer.text.strip() != "ready":
            raise BadAnswer(
                f"answered {answer.status_code} to GET /ready, and not that it is ready",
                component=self.where,
                remedy="check that api_url in stack.yaml leads to Loki",
            )

    def version(self) -> str:
        """Return the version, such as ``3.7.8``.

        Raises:
            AuthenticationFailed, Unavailable, BadAnswer: as for every call.
        """
        said = self._read("/loki/api/v1/status/buildinfo")
        return str(self._member(said, "version", str)).removeprefix("v")

    def push(self, entries: Iterable[Entry]) -> None:
        """Write entries; Loki has them when this returns, and a query finds them at once.

        Args:
            entries: each needs a label. Entries that Loki has already (same labels, time, line) are not doubled.

        Raises:
            Refused: it takes none or not all of them, with the reason: too old, too long, too many labels.
        """
        streams: dict[tuple[tuple[str, str], ...], list[Any]] = {}
        for entry in entries:
            values = streams.setdefault(tuple(sorted(entry.labels.items())), [])
            values.append([str(entry.nanoseconds), entry.line, dict(entry.metadata)])
        body = {"streams": [{"stream": dict(labels), "values": values} for labels, values in streams.items()]}
        self._checked(self._api.send("POST", "/loki/api/v1/push", body=body))

    def query_range(self, logql: str, start: datetime, end: datetime, limit: int = LIMIT) -> list[Entry]:
        """Return the entries a log query finds, the oldest first.

        Args:
            logql: the query, such as ``{client="acme"} |= "text"``.
            start: of the entries, inclusive.
            end: of the entries, exclusive.
            limit: of their number; the oldest ones.

        Raises:
            Refused: Loki does not take the query; with its words.
            BadAnswer: it is a metric query.
        """
        params = {
            "query": logql,
            "start": str(_nanoseconds(start)),
            "end": str(_nanoseconds(end)),
            "limit": str(limit),
            "direction": "forward",
        }
        data = self._member(self._read("/loki/api/v1/query_range", params), "data", dict)
        if data.get("resultType") != "streams":
            raise BadAnswer(f"answered {data.get('resultType')} instead of entries", component=self.where)
        found = [entry for stream in self._member(data, "result", list) for entry in self._entries(stream)]
        return sorted(found, key=lambda entry: entry.nanoseconds)

    def query(self, logql: str, at: datetime) -> list[Sample]:
        """Return what a metric query answers for one moment.

        Args:
            logql: the query, such as ``sum by (client) (count_over_time({client=~".+"} [5m]))``.
            at: the moment.

        Raises:
            Refused: Loki does not take the query; with its words.
            BadAnswer: it is a log query.
        """
        params = {"query": logql, "time": str(_nanoseconds(at))}
        data = self._member(self._read("/loki/api/v1/query", params), "data", dict)
        if data.get("resultType") != "vector":
            raise BadAnswer(f"answered {data.get('resultType')} instead of numbers", component=self.where)
        try:
            return [Sample(row["metric"], float(row["value"][1])) for row in data["result"]]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise self._unknown_form() from error

    def labels(self, start: datetime, end: datetime) -> list[str]:
        """Return the names of the labels that entries of a time have, sorted."""
        return self._names("/loki/api/v1/labels", start, end)

    def label_values(self, label: str, start: datetime, end: datetime) -> list[str]:
        """Return the values of one label that entries of a time have, sorted."""
        return self._names(f"/loki/api/v1/label/{label}/values", start, end)

    def series(self, selector: str, start: datetime, end: datetime) -> list[dict[str, str]]:
        """Return the label sets of the streams that a selector such as ``{client="acme"}`` chooses."""
        params = {"match[]": selector, **_between(start, end)}
        found = self._member(self._read("/loki/api/v1/series", params), "data", list)
        return [{str(name): str(value) for name, value in labels.items()} for labels in found]

    def _names(self, path: str, start: datetime, end: datetime) -> list[str]:
        answer = self._read(path, _between(start, end))
        # No data at all where there is none.
        found = self._member(answer, "data", list) if answer.get("data") is not None else []
        return sorted(str(name) for name in found)

    def _entries(self, stream: Any) -> list[Entry]:
        try:
            labels = {str(name): str(value) for name, value in stream["stream"].items()}
            return [
                Entry(int(when), line, labels, (more[0] if more else {}).get("structuredMetadata", {}))
                for when, line, *more in stream["values"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._unknown_form() from error

    def _read(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        answer = self._api.send("GET", path, params=params)
        self._checked(answer)
        data = self._api.decode(answer)
        if not isinstance(data, dict):
            raise self._unknown_form()
        return data

    def _checked(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        request = f"{answer.request.method} {answer.request.url.path}"
        words = f"answered {answer.status_code} to {request}: {redact(_words(answer))}"
        if answer.is_server_error:
            raise Unavailable(words, component=self.where, remedy="see its log, then run again")
        raise Refused(words, component=self.where)

    def _member(self, data: Mapping[str, Any], name: str, kind: type) -> Any:
        if not isinstance(data.get(name), kind):
            raise self._unknown_form()
        return data[name]

    def _unknown_form(self) -> BadAnswer:
        return BadAnswer(
            "answered in a form this client does not know",
            component=self.where,
            remedy="check that api_url in stack.yaml leads to Loki 3",
        )


def _words(answer: httpx.Response) -> str:
    """Return what Loki says of an error; text, and where a proxy stands before it anything."""
    try:
        said = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return answer.text.strip()[:MOST_WORDS]
    return str(said.get("message") or said.get("error") or said)[:MOST_WORDS] if isinstance(said, dict) else str(said)


def _between(start: datetime, end: datetime) -> dict[str, str]:
    return {"start": str(_nanoseconds(start)), "end": str(_nanoseconds(end))}


def _nanoseconds(moment: datetime) -> int:
    """Return a time as Loki takes it; by whole numbers, as a float loses microseconds."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NANO + since.microseconds * 1000
