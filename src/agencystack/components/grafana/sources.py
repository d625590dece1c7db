"""Grafana's data sources, and queries run through them as its panels do.

Source: ``pkg/api/datasources.go`` and ``pkg/api/ds_query.go`` of Grafana.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agencystack.components.grafana.calls import Calls
from agencystack.stack.secrets import Secret, redact

QUERY_LIMIT = 60.0
"""Seconds for the queries of one panel."""


class DataSource(BaseModel):
    """A data source.

    Attributes:
        type: the plugin, such as ``loki``.
        url: as Grafana's server reaches it.
        basic_auth_user: its name there, where ``basic_auth`` is on.
        json_data: settings of the plugin, without secrets.
        secure_json_fields: which secrets are stored; none can be read back.
        read_only: it comes from a provisioning file, and only that may change it.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    uid: str
    name: str
    type: str
    url: str = ""
    access: str = "proxy"
    basic_auth: bool = False
    basic_auth_user: str = ""
    is_default: bool = False
    json_data: dict[str, Any] = Field(default_factory=dict)
    secure_json_fields: dict[str, bool] = Field(default_factory=dict)
    read_only: bool = False

    def wire(self, secrets: Mapping[str, Secret]) -> dict[str, Any]:
        """Return what is sent to save it; a secret that is not among ``secrets`` stays as it is stored."""
        body = self.model_dump(by_alias=True, exclude={"secure_json_fields", "read_only"})
        return {**body, "secureJsonData": {name: secret.reveal() for name, secret in secrets.items()}}


@dataclass(frozen=True)
class Answer:
    """What a query gave.

    Attributes:
        error: what Grafana or the data source said was wrong, empty where nothing was.
        frames: names, labels and values as Grafana frames them.
    """

    error: str
    frames: tuple[Mapping[str, Any], ...] = ()

    @property
    def rows(self) -> int:
        """How many values or lines came."""
        return sum(max((len(column) for column in _columns(frame)), default=0) for frame in self.frames)

    def texts(self) -> tuple[str, ...]:
        """Return every text among the values: the lines, where lines were asked for."""
        found = (value for frame in self.frames for column in _columns(frame) for value in column)
        return tuple(value for value in found if isinstance(value, str))


def _columns(frame: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    columns: Sequence[Sequence[Any]] = (frame.get("data") or {}).get("values") or ()
    return columns


class DataSources:
    """The data sources of the organisation the credential belongs to.

    Args:
        calls: into that Grafana.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def all(self) -> tuple[DataSource, ...]:
        """Return all of them; their secrets are named by :meth:`get` alone."""
        rows = self._calls.get("/api/datasources") or ()
        return tuple(self._calls.parsed(DataSource.model_validate, row) for row in rows)

    def get(self, uid: str) -> DataSource | None:
        """Return one, or None."""
        row = self._calls.get(f"/api/datasources/uid/{quote(uid, safe='')}")
        return None if row is None else self._calls.parsed(DataSource.model_validate, row)

    def create(self, source: DataSource, secrets: Mapping[str, Secret]) -> None:
        """Make one.

        Raises:
            Refused: the name is taken (409).
        """
        self._calls.send("POST", "/api/datasources", source.wire(secrets))

    def save(self, source: DataSource, secrets: Mapping[str, Secret]) -> None:
        """Change one; a stored secret that is not among ``secrets`` stays."""
        self._calls.send("PUT", f"/api/datasources/uid/{quote(source.uid, safe='')}", source.wire(secrets))

    def delete(self, uid: str) -> None:
        """Delete one; nothing to do where it is gone."""
        self._calls.delete(f"/api/datasources/uid/{quote(uid, safe='')}")

    def query(self, queries: Iterable[Mapping[str, Any]], *, minutes: int) -> dict[str, Answer]:
        """Run queries as a panel does, over the last ``minutes``, and return what each gave, by its ``refId``.

        Grafana answers 400 or 207 where one of several fails, with the reasons in the same form.
        """
        asked = [dict(query) for query in queries]
        body = {"queries": asked, "from": f"now-{minutes}m", "to": "now"}
        fine = (207, 400, 404, 500)
        said = self._calls.send("POST", "/api/ds/query", body, fine=fine, timeout=QUERY_LIMIT, reads=True)
        results = said.get("results") if isinstance(said, dict) else None
        if not results:
            words = said.get("message") if isinstance(said, dict) else said
            return {str(query["refId"]): Answer(redact(str(words or "no answer"))[:500]) for query in asked}
        return {ref: self._calls.parsed(_answer, result) for ref, result in results.items()}


def _answer(result: Any) -> Answer:
    return Answer(redact(str(result.get("error") or ""))[:500], tuple(result.get("frames") or ()))
