"""Where a product logs, as the collector on its machine sees it."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from agencystack.stack.strict import StrictModel
from agencystack.stack.values import AbsolutePath, ContainerName, Name, OneLine, Written

Zone = Annotated[
    str,
    Written(
        "[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*",
        "is not a time zone",
        "a name of the IANA time zone database, such as Europe/Zurich or UTC",
        lambda name: name in available_timezones(),
    ),
]


class LogSource(StrictModel):
    """One file, container or journal entry that lines come from."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["file"]}, {"required": ["docker"]}, {"required": ["journal"]}],
        }
    )

    stream: Name | None = Field(
        default=None, description="Which of the product's logs it is, such as access; docs/log-formats.md lists them."
    )
    file: AbsolutePath | None = Field(default=None, description="A file, or several by * in its name.")
    docker: ContainerName | None = Field(default=None, description="A container's output.")
    journal: OneLine | None = Field(
        default=None, description="The identifier its lines have in the journal, such as mailu-smtp."
    )
    zone: Zone | None = Field(default=None, description="Time zone of lines that do not say theirs; default: UTC.")

    @model_validator(mode="after")
    def _one_place(self) -> LogSource:
        places = [name for name in ("file", "docker", "journal") if getattr(self, name) is not None]
        if len(places) != 1:
            raise PydanticCustomError(
                "logs",
                "names no place" if not places else "names several places at once",
                {"write": "one of file: /var/log/..., docker: CONTAINER, journal: IDENTIFIER"},
            )
        return self
