"""What ``stack.yaml`` says of every installed product: its addresses, how commands run there, where it logs."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from agencystack.stack.log_source import LogSource
from agencystack.stack.references import SecretReference
from agencystack.stack.strict import StrictModel as _Model
from agencystack.stack.values import AbsolutePath, ContainerName, Network, OneLine, SshHost, Url, UserName

_ELSEWHERE: dict[str, JsonValue] = {"anyOf": [{"required": ["docker"]}, {"required": ["ssh"]}]}


class Exec(_Model):
    """How commands run where the product lives: on which machine, and in which container of it."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["local"]}, _ELSEWHERE]})

    local: Literal[True] | None = Field(
        default=None, description="The product runs on this machine, outside of containers."
    )
    docker: ContainerName | None = Field(default=None, description="Container, on this machine or on the ssh host.")
    ssh: SshHost | None = Field(default=None, description="HOST or USER@HOST, as for the ssh command.")
    user: UserName | None = Field(default=None, description="Runs the product's code; never root.")
    path: AbsolutePath | None = Field(default=None, description="The product's folder there, such as /var/www/html.")
    url: Url | None = Field(default=None, description="Which site of a WordPress multisite is meant.")

    @model_validator(mode="after")
    def _one_way(self) -> Exec:
        if self.local and (self.docker or self.ssh):
            raise PydanticCustomError(
                "exec",
                "names two ways at once",
                {"write": "either local: true, or docker: CONTAINER, ssh: HOST or both of them"},
            )
        if not (self.local or self.docker or self.ssh):
            raise PydanticCustomError(
                "exec",
                "does not say where commands run",
                {"write": "local: true, docker: CONTAINER, ssh: HOST, or docker and ssh"},
            )
        return self


class Component(_Model):
    """One installed product; products without settings of their own are written like this."""

    url: Url = Field(description="Public address: browsers, links, issuer.")
    internal_url: Url | None = Field(default=None, description="As other components reach it; default: url.")
    api_url: Url | None = Field(default=None, description="As we reach it; default: url.")
    ca_file: AbsolutePath | None = Field(default=None, description="Certificates of a private authority, as PEM.")
    exec: Exec | None = Field(default=None, description="How commands run where it lives.")
    sends_from: tuple[Network, ...] = Field(default=(), strict=False, description="Networks its mail leaves from.")
    logs: tuple[LogSource, ...] = Field(
        default=(), strict=False, description="Where it logs, as the log collector sees it; found by itself for Docker."
    )
    sandbox: bool = Field(default=False, description="Its data may be changed by proofs.")

    def reached_by_us(self) -> str:
        """Return the address we call."""
        return self.api_url or self.url

    def reached_by_components(self) -> str:
        """Return the address other components call."""
        return self.internal_url or self.url

    def secret_references(self) -> dict[str, SecretReference]:
        """Return every secret this component needs, by the key it stands under."""
        found = ((key, getattr(self, key)) for key in type(self).model_fields)
        return {key: value for key, value in found if isinstance(value, SecretReference)}


class Administered(Component):
    """A product that is configured as its administrator."""

    admin_user: OneLine | None = Field(default=None, description="Name of an administrator; default: admin.")
    admin_password: SecretReference | None = Field(default=None, description="That administrator's password.")
