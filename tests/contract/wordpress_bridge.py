"""A WordPress with our connector, joined to a bridge that is the test itself."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agencystack.bridge.signing import SigningKey
from agencystack.components.bridge_settings import BridgeKey
from agencystack.sandbox.wordpress import RealWordPress
from agencystack.stack.secrets import Secret
from tests.contract import wordpress_sites
from tests.contract.wordpress_sites import Site

DOUBLES = Path(__file__).parents[1] / "doubles"
KEY = BridgeKey("k1", Secret("the-secret-of-a-test-that-is-long-enough"))
ENTITIES = dict.fromkeys(
    ("category", "customer", "product", "variation", "order", "refund", "submission", "post", "page"), "both"
)
LOAD = """
$_SERVER += array( "HTTP_HOST" => parse_url( $argv[2], PHP_URL_HOST ) . ":" . parse_url( $argv[2], PHP_URL_PORT ),
	"REQUEST_URI" => parse_url( $argv[2], PHP_URL_PATH ) . "/", "REQUEST_METHOD" => "GET",
	"SERVER_PROTOCOL" => "HTTP/1.1" );
require $argv[1] . "/wp-load.php";
require_once ABSPATH . "wp-admin/includes/admin.php";
$in = isset( $argv[3] ) ? json_decode( $argv[3], true ) : null;
"""


def new_token() -> str:
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(10)}"


@dataclass(frozen=True)
class Joined:
    """A site that is joined to the test.

    Args:
        site: the site.
        key: what calls are signed with.
        url: address of the site within its network.
    """

    site: Site
    key: BridgeKey = KEY
    url: str = ""

    @property
    def address(self) -> str:
        return self.url or self.site.url

    def post(self, name: str, body: object, **headers: str) -> httpx.Response:
        """A signed call; headers replace those of the signature."""
        raw, route = json.dumps(body).encode(), f"agencystack/v1/bridge/{name}"
        signed = SigningKey(self.key.id, self.key.secret).headers(route, raw)
        told = {"Content-Type": "application/json", **signed, **headers}
        return httpx.post(f"{self.address}/?rest_route=/{route}", content=raw, headers=told, timeout=60)

    def ask(self, name: str, body: object) -> Any:
        answer = self.post(name, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def changes(self, acknowledge: Sequence[str] = (), limit: int = 100) -> dict[str, Any]:
        return dict(self.ask("changes", {"acknowledge": list(acknowledge), "limit": limit}))

    def taken(self) -> set[tuple[str, str]]:
        """What changed; all of it is acknowledged."""
        answer = self.changes()
        self.changes([one["mark"] for one in answer["changes"]], 0)
        return {(one["entity"], one["id"]) for one in answer["changes"]}

    def record(self, kind: str, id_: object) -> dict[str, Any]:
        return dict(self.ask("records", {"kind": kind, "ids": [str(id_)]})["records"][str(id_)])

    def write(
        self, kind: str, action: str, values: Mapping[str, object] | None = None, **more: object
    ) -> dict[str, Any]:
        one = {"token": new_token(), "kind": kind, "action": action, "values": values or {}, **more}
        return dict(self.ask("apply", {"writes": [one]})["written"][one["token"]])

    def php(self, code: str, given: object = None, *, returns: int = 0) -> str:
        """Run PHP within the site, as any plugin's code; ``$in`` is what was given."""
        arguments = ["php", "-r", LOAD + code, "--", str(self.site.path), self.address, json.dumps(given)]
        made = self.site.executor.run(arguments)
        assert made.returncode == returns, made
        return made.stdout.decode()

    def told(self, code: str, given: object = None) -> Any:
        """Return what an expression of PHP is."""
        return json.loads(self.php(f'echo "\\n##" . wp_json_encode( {code} );', given).rpartition("##")[2])

    def join(
        self, *keys: BridgeKey, entities: Mapping[str, str] = ENTITIES, hook: str = "", pairing: str = "acme"
    ) -> Any:
        """Join the site to the test; returns what its connector then knows, or ``None`` where it refuses."""
        told = [{"id": key.id, "secret": key.secret.reveal()} for key in keys or (self.key,)]
        given = {"pairing": pairing, "hook": hook, "keys": told, "entities": dict(entities)}
        return self.told(
            "( function ( $in ) { try { return AgencyStack\\Connector\\Bridge_Settings::configure( $in ); }"
            " catch ( InvalidArgumentException $error ) { return null; } } )( $in )",
            given,
        )

    def drop_in(self, double: str) -> None:
        """Put one of our doubles of other plugins in place, for good."""
        folder = self.site.path / "wp-content" / "mu-plugins"
        folder.mkdir(exist_ok=True)
        for file in (DOUBLES / double).glob("*.php"):
            shutil.copy(file, folder)


@contextmanager
def joined(*doubles: str) -> Iterator[Joined]:
    """Debian's WordPress, joined to the test."""
    with wordpress_sites.real() as site:
        found = Joined(site)
        for double in doubles:
            found.drop_in(double)
        site.wordpress().install_connector()
        assert found.join()
        yield found


def unavailable() -> str | None:
    return RealWordPress.available()
