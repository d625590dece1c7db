"""A browser and a provider for the logins of a WordPress: what wrong providers answer, and the flow over plain HTTP."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agencystack.components.wordpress import Login, SsoSettings
from agencystack.sandbox.tls import Certificates
from agencystack.stack.secrets import Secret
from tests.contract.wordpress_sites import Site
from tests.oidc_provider import OidcProvider
from tests.serving import free_port, served

CLIENT = "acme-wordpress"
START = "/wp-login.php?action=agencystack-sso"
# Everything that is lost where a secret is put into a header unescaped, or a form unencoded.
CLIENT_SECRET = "s:e%c/r+e t&ü\\'\""


@dataclass
class SigningProvider(OidcProvider):
    """A provider that signs as the test says.

    Attributes:
        algorithm: of the next tokens; ``none`` and ``HS256`` are what a forger tries.
        key_id: of the next tokens; None names none.
        published: by id, what the key set shows besides the key in use.
        key_sets_read: how often the key set was asked for.
        down: the key set cannot be read.
        use: what the published key is for.
    """

    algorithm: str = "RS256"
    key_id: str | None = "first"
    published: dict[str, Any] = field(default_factory=dict)
    key_sets_read: int = 0
    down: bool = False
    use: str = "sig"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._curve_key = ec.generate_private_key(ec.SECP256R1())

    def rotate(self, key_id: str) -> None:
        """Sign with a new key and publish no other."""
        self._key = rsa.generate_private_key(65537, 2048)
        self.key_id = key_id

    async def _authorize(self, request: Request) -> Response:
        answer = await super()._authorize(request)
        if "location" in answer.headers:
            # The site's address has a query of its own, to which a provider adds.
            address, _, query = answer.headers["location"].rpartition("?")
            answer.headers["location"] = f"{address}{'&' if '?' in address else '?'}{query}"
        return answer

    async def _jwks(self, request: Request) -> Response:
        self.key_sets_read += 1
        if self.down:
            return JSONResponse({"error": "down"}, status_code=503)
        return JSONResponse({"keys": [self._public(), *self.published.values()]})

    def _public(self) -> dict[str, str]:
        named = {"kid": self.key_id} if self.key_id else {}
        if self.algorithm == "ES256":
            point = self._curve_key.public_key().public_numbers()
            x, y = (_text(number.to_bytes(32, "big")) for number in (point.x, point.y))
            return {"kty": "EC", "crv": "P-256", "use": self.use, "alg": "ES256", "x": x, "y": y, **named}
        n = self._key.public_key().public_numbers().n
        return {"kty": "RSA", "use": self.use, "n": number(n), "e": "AQAB", **named}

    def token(self, **claims: Any) -> str:
        """Return a token with these claims, signed as the attributes say."""
        return self._signed(claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        head = {"alg": self.algorithm, "typ": "JWT", **({"kid": self.key_id} if self.key_id else {})}
        text = ".".join(_text(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{_text(self._signature(text.encode()))}"

    def _signature(self, data: bytes) -> bytes:
        if self.algorithm == "none":
            return b""
        if self.algorithm == "HS256":
            mac = hmac.HMAC(CLIENT_SECRET.encode(), hashes.SHA256())
            mac.update(data)
            return mac.finalize()
        if self.algorithm == "ES256":
            r, s = utils.decode_dss_signature(self._curve_key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        key = self._other_key if self.forge else self._key
        digest = {"RS256": hashes.SHA256(), "RS384": hashes.SHA384(), "RS512": hashes.SHA512()}[self.algorithm]
        return key.sign(data, padding.PKCS1v15(), digest)


@contextmanager
def provider(certificates: Certificates | None = None) -> Iterator[SigningProvider]:
    """A running provider that knows the site's client, over TLS where there are certificates."""
    made = SigningProvider(clients={CLIENT: CLIENT_SECRET})
    with served(made.app) if certificates is None else _served_over_tls(made.app, certificates) as address:
        made.issuer = address
        yield made


@contextmanager
def _served_over_tls(app: Any, certificates: Certificates) -> Iterator[str]:
    port = free_port()
    config = uvicorn.Config(
        app,
        port=port,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=1,
        ssl_certfile=certificates.certificate,
        ssl_keyfile=certificates.key,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the provider did not start"
    try:
        yield f"https://localhost:{port}"
    finally:
        server.should_exit = True
        thread.join(5)


def settings(of: OidcProvider, login: Login = Login.CONNECTOR, **changed: Any) -> SsoSettings:
    """Return the settings of a site for that provider."""
    return SsoSettings(
        login=login,
        issuer=of.issuer,
        client_id=CLIENT,
        client_secret=Secret(CLIENT_SECRET),
        authorize_url=f"{of.issuer}/authorize",
        token_url=f"{of.issuer}/token",
        userinfo_url=f"{of.issuer}/userinfo",
        jwks_url=f"{of.issuer}/jwks",
        end_session_url=f"{of.issuer}/logout",
        roles=("editor", "author"),
        label="Acme login",
    ).model_copy(update=changed)


def person(name: str, *roles: str, **changed: Any) -> dict[str, Any]:
    """Return the claims of somebody whose address is verified."""
    claims = {
        "sub": f"sub-{name}",
        "preferred_username": name,
        "email": f"{name}@acme.example",
        "email_verified": True,
        "given_name": "Ada",
        "family_name": "Lovelace",
        "name": "Ada Lovelace",
        "roles": list(roles),
    }
    return {key: value for key, value in (claims | changed).items() if value is not None}


@dataclass
class Page:
    """What a browser shows in the end.

    Args:
        status: of the last answer.
        url: its address.
        text: what a person reads.
    """

    status: int
    url: str
    text: str


class Browser:
    """Follows a login as a browser does, with a jar of cookies."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Whose certificate a site trusts is what is tested, not whose this browser does.
        self._client = httpx.Client(follow_redirects=True, timeout=30, verify=False)

    def open(self, path: str, **form: str) -> Page:
        """Open a page of the site, or send a form to it."""
        address = path if path.startswith("http") else self.url + path
        answer = self._client.post(address, data=form) if form else self._client.get(address)
        text = re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]*>", " ", answer.text, flags=re.DOTALL)
        return Page(answer.status_code, str(answer.url), " ".join(text.split()))

    def first(self, path: str) -> httpx.Response:
        """Open a page and follow nothing."""
        return self._client.get(path if path.startswith("http") else self.url + path, follow_redirects=False)

    def ask(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """Ask as a script of the page does."""
        return self._client.get(self.url + path, headers=headers, follow_redirects=False)

    def cookies(self) -> dict[str, str]:
        """Return the jar."""
        return {cookie.name: cookie.value or "" for cookie in self._client.cookies.jar}

    def bring(self, cookies: dict[str, str]) -> None:
        """Put cookies into the jar, as a thief of them would."""
        self._client.cookies.update(cookies)

    def logged_in(self) -> str | None:
        """Return the login the site knows this browser by; a cookie the site does not take counts as none."""
        answer = self._client.get(f"{self.url}/wp-admin/profile.php", follow_redirects=False)
        if answer.status_code != 200:
            return None
        found = re.search(r'id="user_login" value="([^"]*)"', answer.text)
        return found[1] if found else None

    def log_out(self) -> Page:
        """Use the link of the profile page."""
        page = self._client.get(f"{self.url}/wp-admin/profile.php").text
        link = re.search(r'href="([^"]*action=logout[^"]*)"', page)
        assert link, "not logged in"
        return self.open(link[1].replace("&amp;", "&").replace("&#038;", "&"))


def log_in(site: Site, of: OidcProvider, claims: dict[str, Any]) -> str | None:
    """Log somebody in by our connector; return the account the site then knows them by."""
    of.person = claims
    browser = Browser(site.url)
    browser.open(START)
    return browser.logged_in()


def run_php(site: Site, code: str, *, url: str = "") -> str:
    """Run code inside the site and return what it prints; a network needs the address of one of its sites."""
    host = "$_SERVER['HTTP_HOST'] = preg_replace( '#^https?://|/.*#', '', $argv[2] );" if url else ""
    argv = ["php", "-r", f'{host} require $argv[1] . "/wp-load.php"; {code}', "--", str(site.path), url]
    finished = site.executor.run(argv)
    assert finished.returncode == 0, finished
    return finished.stdout.decode()


def make_user(site: Site, name: str, *roles: str, password: str = "a-password") -> None:
    """Make a user as a person would, with the address ``<name>@acme.example``."""
    made = f"wp_create_user( '{name}', '{password}', '{name}@acme.example' )"
    add = "".join(f"$user->add_role( '{role}' );" for role in roles)
    run_php(site, f"$user = new WP_User( {made} ); $user->set_role( '' ); {add}")


def number(value: int) -> str:
    """Return a number as a key set holds it."""
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
