"""A WordPress for machines without PHP: a folder that is started like one, its REST root, and its login."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from agencystack.sandbox import wordpress_health
from agencystack.sandbox.interpreter import python_for_products
from agencystack.sandbox.shop_site import ShopSite
from agencystack.sandbox.wordpress import all_can_enter, unprivileged_user
from agencystack.sandbox.wordpress_login import LoginPages
from agencystack.sandbox.wordpress_store import SiteData, User
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.secrets import Secret

_WP_CONFIG = "<?php\n/** Written by AgencyStack's sandbox: a stand-in, no PHP runs here. */\n$table_prefix = 'wp_';\n"


class _ByQuery(Route):
    """A way to the REST interface that needs no pretty permalinks; without the parameter it is an ordinary page."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match where the parameter is given."""
        return super().matches(scope) if b"rest_route=" in scope.get("query_string", b"") else (Match.NONE, {})


class WordPressStandIn:
    """A stand-in WordPress of one client.

    Args:
        directory: holds the site's folder ``site`` and its store; must be reachable by an unprivileged user when we
            are root, because product code never runs as root.
        url: address of the REST root, where :attr:`app` is served.
        name: title of the site.
        admin_email: the administrator's address.
        wordpress_org: whether plugins can be downloaded.
        shop_password: application password of its administrator; with one it has WooCommerce.
        plugins_writable: plugins can be put into its folder.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        *,
        name: str,
        admin_email: str,
        wordpress_org: bool = True,
        shop_password: Secret | None = None,
        plugins_writable: bool = True,
    ) -> None:
        self._shop_password = shop_password
        self._shop: ShopSite | None = None
        self._directory = directory.absolute()
        admin = User(id=1, login="admin", email=admin_email, name="admin", roles=["administrator"])
        self._data = SiteData(
            url=url,
            name=name,
            admin_email=admin_email,
            wordpress_org=wordpress_org,
            plugins_writable=plugins_writable,
            woocommerce=shop_password is not None,
            users=[admin],
        )

    @property
    def path(self) -> Path:
        """The site's folder, for ``exec.path``."""
        return self._directory / "site"

    @property
    def app(self) -> Starlette:
        """The REST root and the pages people log in by."""
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        rest = [Route("/wp-json", self._root), Route("/wp-json/{rest:path}", self._root, methods=methods)]
        return Starlette(routes=[_ByQuery("/", self._root, methods=methods), *rest, *LoginPages(self.path).routes])

    def up(self) -> None:
        """Make the folder; a site that is there keeps what it holds.

        Raises:
            ConfigurationError: as root, an unprivileged user cannot reach the folder.
        """
        program = self.path / "vendor" / "bin" / "wp"
        program.parent.mkdir(parents=True, exist_ok=True)
        (self.path / "wp-load.php").write_text("<?php // Stand-in.\n")
        command = python_for_products("agencystack.sandbox.wordpress_program", self.path.parents[2] / "libraries")
        program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        program.chmod(0o755)
        if not (self.path / "wp-config.php").is_file():
            (self.path / "wp-config.php").write_text(_WP_CONFIG)
        store = self._directory / "store.json"
        if not store.is_file():
            store.write_text(self._data.model_dump_json(indent=1))
            store.chmod(0o600)
        # Both we and the owner of the site's files hold it, whoever comes first.
        (self._directory / "lock").touch()
        self._own()

    def _open_shop(self) -> ShopSite | None:
        if self._shop is None and self._shop_password is not None:
            self._shop = ShopSite(self.path, self._data.url, self._shop_password.reveal())
        return self._shop

    def _own(self) -> None:
        user = unprivileged_user()
        if os.geteuid() != 0 or user is None:
            return
        if not all_can_enter(self._directory.parent):
            raise ConfigurationError(
                f"{self._directory} cannot be entered by {user.pw_name}, who runs WordPress when we are root",
                remedy="use another --dir, or run as an ordinary user",
            )
        os.chown(self._directory, user.pw_uid, user.pw_gid)
        for place, folders, files in os.walk(self._directory):
            for name in (*folders, *files):
                os.chown(os.path.join(place, name), user.pw_uid, user.pw_gid, follow_symlinks=False)

    async def _root(self, request: Request) -> Response:
        route = "/" + (request.path_params.get("rest") or request.query_params.get("rest_route", "").lstrip("/"))
        if route == wordpress_health.ROUTE:
            return await run_in_threadpool(wordpress_health.answer, self.path, request)
        if route != "/" and (shop := self._open_shop()):
            return await run_in_threadpool(shop.answer, request, f"/wp-json{route}", await request.body())
        if route != "/":
            return wordpress_health.no_route()
        return JSONResponse(
            {
                "name": self._data.name,
                "description": "",
                "url": self._data.url,
                "home": self._data.url,
                "gmt_offset": "0",
                "timezone_string": "",
                "namespaces": ["oembed/1.0", "wp/v2", "wp-site-health/v1", "wp-block-editor/v1"],
                "authentication": {},
                "routes": {},
            }
        )
