"""The kinds of text ``stack.yaml`` is made of, each with what to write instead; a wrong value is never repeated.

The same patterns stand in the JSON Schema, so an editor and we agree.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(\.{_LABEL})+"
_HOST = rf"({_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])"
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

ADDRESS = rf"{_HOST}:{_PORT}"
"""Pattern of an address to listen at."""


@dataclass(frozen=True)
class Written:
    """How a text must be written.

    Args:
        pattern: regular expression for the whole text, in the common subset of Python and JSON Schema.
        wrong: what is wrong with a text that does not match, as ``... is not a web address``.
        write: what to write instead.
        check: what a pattern cannot say.
    """

    pattern: str
    wrong: str
    write: str
    check: Callable[[str], bool] = lambda _: True

    def validate(self, value: str) -> str:
        """Return ``value``, or raise Pydantic's error with our two texts."""
        if re.fullmatch(self.pattern, value) is None or not self.check(value):
            raise PydanticCustomError("value", "{wrong}", {"wrong": self.wrong, "write": self.write})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Check after Pydantic made sure that it is text."""
        return core_schema.no_info_after_validator_function(self.validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Give the pattern to the JSON Schema."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$", "description": f"Write {self.write}."}


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=True)
    except ValueError:
        return False
    return True


Url = Annotated[
    str,
    Written(
        rf"https?://{_HOST}(:{_PORT})?(/[^\s?#@]*)?",
        "is not a web address that can be used here",
        "https://host or http://host:port/path, without user name, password, ? or #",
    ),
]
Domain = Annotated[str, Written(_DOMAIN, "is not a domain", "a domain such as acme.example")]
Host = Annotated[str, Written(_HOST, "is not a host name", "a host name such as mail.agency.example, or an address")]
HostPort = Annotated[
    str,
    Written(ADDRESS, "is not an address to listen at", "HOST:PORT, such as 127.0.0.1:8095"),
]
Email = Annotated[
    str,
    Written(
        rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{_DOMAIN}",
        "is not a mail address",
        "an address such as shop@acme.example",
    ),
]
Network = Annotated[
    str,
    Written(
        r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?",
        "is not an address or network",
        "an address such as 192.0.2.7 or a network such as 10.0.0.0/8 (no bits set after the prefix)",
        _is_network,
    ),
]
AbsolutePath = Annotated[
    str, Written(r"/[^\x00-\x1f]*", "is not an absolute path", "a path that begins with /, without line breaks")
]
OneLine = Annotated[
    str, Written(r"[^\x00-\x1f\x7f]*[^\x00-\x20\x7f]", "is empty or has line breaks", "text on one line")
]
_CLIENT = r"(?!shared$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
ClientId = Annotated[
    str,
    Written(
        _CLIENT,
        "cannot name a client",
        "lower-case letters, digits and dashes, such as acme-shop; 'shared' is what all clients share",
    ),
]
Name = Annotated[
    str,
    Written(
        "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "cannot be a name here",
        "lower-case letters, digits and dashes, such as my-shop",
    ),
]
RealmName = Annotated[
    str,
    Written(
        r"(?!master$)([A-Za-z0-9_.-]|\{client\})+",
        "cannot be a realm for people",
        "letters, digits, dashes, dots and underscores, with {client} in it for one realm a client; never master",
    ),
]
ContainerName = Annotated[
    str,
    Written(
        "[A-Za-z0-9][A-Za-z0-9_.-]*", "is not a container's name", "the name docker ps shows, such as acme_wordpress"
    ),
]
# A host that begins with a dash would be read by ssh as an option.
SshHost = Annotated[
    str,
    Written(
        r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?([A-Za-z0-9][A-Za-z0-9_.-]*|[0-9A-Fa-f:]+)",
        "is not a host for ssh",
        "HOST or USER@HOST, as for the ssh command; ports and keys belong in ~/.ssh/config",
    ),
]
UserName = Annotated[
    str, Written("[A-Za-z_][A-Za-z0-9_.-]*", "is not a user name", "a user of that machine, such as www-data")
]


def is_client(text: str) -> bool:
    """Say whether a text may be the id of a client."""
    return re.fullmatch(_CLIENT, text) is not None
