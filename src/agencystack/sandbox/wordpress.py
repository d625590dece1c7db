"""Debian's real WordPress on loopback: PHP's own web server and its own MariaDB, without root or system services.

Several clients share one MariaDB, each with its own site folder, database and database user.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agencystack.sandbox import process
from agencystack.sandbox.ports import LOOPBACK, ensure_ports
from agencystack.stack.errors import ConfigurationError, Unavailable
from agencystack.stack.files import write_atomically

DEBIAN_WORDPRESS = Path("/usr/share/wordpress")
DEBIAN_CONTENT = Path("/var/lib/wordpress/wp-content")
PROGRAMS = ("php", "mariadbd", "mariadb-install-db")
EXTENSIONS = ("mysqli", "openssl", "mbstring", "sodium", "tokenizer")
# As root, products run as one of these: MariaDB refuses root, and our executor refuses root for WordPress.
UNPRIVILEGED = ("www-data", "nobody")
START_TIMEOUT = 60.0
ADMIN = "admin"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_INSTALL = """
$in = json_decode( stream_get_contents( STDIN ), true );
define( "WP_INSTALLING", true );
$_SERVER["HTTP_HOST"] = $in["host"];
$_SERVER["REQUEST_URI"] = "/";
require $in["path"] . "/wp-load.php";
function wp_new_blog_notification() {}
require ABSPATH . "wp-admin/includes/upgrade.php";
if ( ! is_blog_installed() ) {
	wp_install( $in["title"], $in["user"], $in["email"], false, "", $in["password"] );
}
update_option( "siteurl", $in["url"] );
update_option( "home", $in["url"] );
update_option( "permalink_structure", "/%postname%/" );
$GLOBALS["wp_rewrite"]->init();
$GLOBALS["wp_rewrite"]->flush_rules( false );
echo "installed";
"""
_ROUTER = """<?php
// PHP's web server has no rewriting: what is not a file is WordPress's to answer.
require __DIR__ . '/access_log.php';
$path = (string) parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
$file = __DIR__ . '/site' . $path;
if ( is_file( $file ) || ( '/' !== $path && is_file( rtrim( $file, '/' ) . '/index.php' ) ) ) {
	return false;
}
$_SERVER['SCRIPT_NAME'] = '/index.php';
$_SERVER['PHP_SELF']    = '/index.php';
chdir( __DIR__ . '/site' );
require __DIR__ . '/site/index.php';
"""
CRON_SECONDS = 1800
"""Seconds between two calls of wp-cron.php."""

_ACCESS_LOG = Path(__file__).with_name("access_log.php")


@dataclass(frozen=True)
class RealSite:
    """One running WordPress.

    Args:
        client: whose it is.
        path: folder that holds ``wp-load.php``.
        url: its address on loopback.
        admin_password_file: holds the password of the user ``admin``.
    """

    client: str
    path: Path
    url: str
    admin_password_file: Path

    @property
    def access_log(self) -> Path:
        """Requests, as nginx would write them."""
        return self.path.parent / "log" / "access.log"

    @property
    def php_log(self) -> Path:
        """What PHP has to complain of, in the form of a ``debug.log``."""
        return self.path.parent / "log" / "php.log"


class RealWordPress:
    """The real WordPress for the clients of one sandbox.

    Args:
        directory: holds database, sites, logs and records of the processes; must be reachable by an unprivileged
            user when we are root.
        clients: ids of the clients, one site each.
        ports: loopback ports by ``database`` and client id; chosen and kept in ``directory`` when absent.
        cache: where an initialised database is kept for the next time; the user's cache folder when absent.
    """

    def __init__(
        self,
        directory: Path,
        clients: Sequence[str] = ("acme",),
        *,
        ports: Mapping[str, int] | None = None,
        cache: Path | None = None,
    ) -> None:
        self._directory = directory.absolute()
        self._clients = tuple(clients)
        self._given_ports = ports
        self._cache = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agencystack"
        self._user = unprivileged_user()

    @staticmethod
    def available() -> str | None:
        """Return why this machine cannot run it, None when it can."""
        missing = [program for program in PROGRAMS if _program(program) is None]
        if missing:
            return f"not installed: {', '.join(missing)}"
        if not (DEBIAN_WORDPRESS / "wp-load.php").is_file():
            return f"Debian's package wordpress is not installed: {DEBIAN_WORDPRESS} is missing"
        modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=False).stdout.lower().split()
        lacking = [name for name in EXTENSIONS if name not in modules]
        if lacking:
            return f"PHP lacks the extensions {', '.join(lacking)}"
        if os.geteuid() == 0 and unprivileged_user() is None:
            return f"as root one of the users {', '.join(UNPRIVILEGED)} is needed"
        return None

    def sites(self) -> dict[str, RealSite]:
        """Return the sites by client, whether they run or not."""
        ports = self._ports()
        return {client: self._site(client, ports[client]) for client in self._clients}

    def up(self) -> dict[str, RealSite]:
        """Start what does not run yet, and return the sites by client.

        Raises:
            ConfigurationError: this machine cannot run it, or the folder cannot be reached by its user.
            Unavailable: a program did not start; its log is named.
        """
        reason = self.available()
        if reason:
            raise ConfigurationError(f"the real WordPress cannot run here: {reason}", remedy="use --real none")
        self._directory.mkdir(parents=True, exist_ok=True)
        self._must_be_reachable()
        self._database_up()
        sites = self.sites()
        for site in sites.values():
            self._site_up(site)
        return sites

    def down(self) -> None:
        """End exactly the processes :meth:`up` started: web servers first, then the database."""
        for client in self._clients:
            process.stop(self._record(f"{client}-cron"))
            process.stop(self._record(client))
        process.stop(self._record("database"), timeout=30.0)

    def running(self) -> dict[str, bool]:
        """Say of the database and each client's web server whether it runs."""
        names = ("database", *self._clients)
        return {name: process.is_running(process.read_record(self._record(name))) for name in names}

    def run_as(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs ``argv`` as the user of the sites."""
        if self._user is None or os.geteuid() != 0:
            return list(argv)
        ids = [f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, *argv]

    # The database

    def _database_up(self) -> None:
        port = self._ports()["database"]
        if process.is_running(process.read_record(self._record("database"))):
            return
        data = self._directory / "database"
        if not (data / "mysql").is_dir():
            self._make_database(data)
        start_sql = self._directory / "database.sql"
        self._write(start_sql, self._grants())
        log = self._directory / "log" / "mariadb.log"
        # Relative to the data folder, which is the working folder: a socket's path may have 107 bytes only.
        options = [
            *("--no-defaults", f"--datadir={data}", "--socket=db.sock", "--pid-file=db.pid"),
            *(f"--bind-address={LOOPBACK}", f"--port={port}", "--skip-name-resolve", f"--init-file={start_sql}"),
            *("--innodb-buffer-pool-size=48M", "--innodb-flush-log-at-trx-commit=2", "--skip-log-bin"),
            *("--performance-schema=OFF", "--max-connections=40", "--innodb-log-file-size=16M"),
        ]
        argv = self.run_as([_program("mariadbd") or "mariadbd", *options])
        child = process.start_detached(
            argv, log=log, record=self._record("database"), cwd=data, env={"PATH": SYSTEM_PATH}
        )
        _wait_for_port(port, child, log, "MariaDB")

    def _make_database(self, data: Path) -> None:
        """Initialise the data folder, or copy one initialised before by the same version."""
        template = self._cache / f"mariadb-{_database_version()}"
        draft = self._directory / "database.new"
        shutil.rmtree(draft, ignore_errors=True)
        if template.is_dir():
            shutil.copytree(template, draft)
        else:
            self._initialise(draft)
            _keep(draft, template)
        self._own(draft)
        draft.rename(data)

    def _initialise(self, draft: Path) -> None:
        draft.mkdir()
        self._own(draft)
        options = ["--no-defaults", f"--datadir={draft}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        done = subprocess.run(
            self.run_as(["mariadb-install-db", *options, "--innodb-log-file-size=16M"]),
            capture_output=True,
            text=True,
            check=False,
            cwd=draft,
            env={"PATH": SYSTEM_PATH},
        )
        if done.returncode:
            raise Unavailable(f"MariaDB cannot be initialised: {(done.stderr or done.stdout).strip()[-400:]}")

    def _grants(self) -> str:
        """SQL run at each start: a database and a user for each client; nobody logs in as root."""
        lines = ["ALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket;"]
        for client in self._clients:
            name, password = _database_name(client), self._credential(f"{client}-database")
            lines += [
                f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4;",
                f"CREATE USER IF NOT EXISTS '{name}'@'{LOOPBACK}' IDENTIFIED BY '{password}';",
                f"GRANT ALL ON `{name}`.* TO '{name}'@'{LOOPBACK}';",
            ]
        return "\n".join(lines) + "\n"

    # One site

    def _site_up(self, site: RealSite) -> None:
        if process.is_running(process.read_record(self._record(site.client))):
            return
        folder = site.path.parent
        if not (site.path / "wp-config.php").is_file():
            self._make_site(site)
        self._install(site)
        port = int(site.url.rpartition(":")[2])
        log = self._directory / "log" / f"{site.client}-php.log"
        self._make_server_files(site)
        options = ["-dlog_errors=1", f"-derror_log={site.php_log}", "-S", f"{LOOPBACK}:{port}", "-t", str(site.path)]
        argv = self.run_as(["php", *options, str(folder / "router.php")])
        child = process.start_detached(
            argv, log=log, record=self._record(site.client), cwd=folder, env={"PATH": SYSTEM_PATH}
        )
        _wait_for_port(port, child, log, "PHP's web server")
        self._cron_up(site)

    def _cron_up(self, site: RealSite) -> None:
        """Call wp-cron.php now and then, as hosts do where visitors must not; a site without that is not well."""
        record = self._record(f"{site.client}-cron")
        process.stop(record)
        loop = f"while ( true ) {{ sleep( {CRON_SECONDS} ); exec( 'php wp-cron.php' ); }}"
        log = self._directory / "log" / f"{site.client}-cron.log"
        argv = self.run_as(["php", "-r", loop])
        process.start_detached(argv, log=log, record=record, cwd=site.path, env={"PATH": SYSTEM_PATH})

    def _make_server_files(self, site: RealSite) -> None:
        (site.path.parent / "router.php").write_text(_ROUTER)
        shutil.copyfile(_ACCESS_LOG, site.path.parent / _ACCESS_LOG.name)
        site.access_log.parent.mkdir(exist_ok=True)
        self._own(site.access_log.parent)

    def _make_site(self, site: RealSite) -> None:
        folder = site.path.parent
        draft = folder / "site.new"
        shutil.rmtree(draft, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        # Copied, not linked: WordPress finds its wp-config.php beside the real place of its files.
        shutil.copytree(
            DEBIAN_WORDPRESS, draft, ignore=shutil.ignore_patterns(".htaccess", "wp-config.php", "wp-content")
        )
        content = draft / "wp-content"
        for kind in ("plugins", "themes", "uploads"):
            (content / kind).mkdir(parents=True)
        themes = (DEBIAN_WORDPRESS / "wp-content" / "themes", DEBIAN_CONTENT / "themes")
        for theme in (theme for place in themes if place.is_dir() for theme in place.iterdir() if theme.is_dir()):
            shutil.copytree(theme, content / "themes" / theme.name, dirs_exist_ok=True)
        (draft / "wp-config.php").write_text(self._wp_config(site.client))
        (draft / "wp-config.php").chmod(0o640)
        self._own(draft)
        draft.rename(site.path)

    def _wp_config(self, client: str) -> str:
        name = _database_name(client)
        salts = [f"{use}_{kind}" for use in ("AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE") for kind in ("KEY", "SALT")]
        lines = [
            "<?php",
            "/** Written by AgencyStack's sandbox. */",
            f"define( 'DB_NAME', '{name}' );",
            f"define( 'DB_USER', '{name}' );",
            f"define( 'DB_PASSWORD', '{self._credential(f'{client}-database')}' );",
            f"define( 'DB_HOST', '{LOOPBACK}:{self._ports()['database']}' );",
            "define( 'DB_CHARSET', 'utf8mb4' );",
            "define( 'DB_COLLATE', '' );",
            *(f"define( '{salt}', '{secrets.token_urlsafe(48)}' );" for salt in salts),
            "define( 'WP_ENVIRONMENT_TYPE', 'local' );",
            "define( 'DISABLE_WP_CRON', true ); // PHP's web server answers one request at a time; see _cron_up.",
            "define( 'AUTOMATIC_UPDATER_DISABLED', true );",
            "define( 'FS_METHOD', 'direct' );",
            "$table_prefix = 'wp_';",
            "if ( ! defined( 'ABSPATH' ) ) {",
            "\tdefine( 'ABSPATH', __DIR__ . '/' );",
            "}",
            "require_once ABSPATH . 'wp-settings.php';",
        ]
        return "\n".join(lines) + "\n"

    def _install(self, site: RealSite) -> None:
        done_mark = site.path.parent / "installed"
        wanted = f"{site.url}\n"
        if done_mark.is_file() and done_mark.read_text() == wanted:
            return
        request = {
            "path": str(site.path),
            "url": site.url,
            "host": site.url.removeprefix("http://"),
            "title": f"{site.client.capitalize()} shop",
            "user": ADMIN,
            "email": f"admin@{site.client}.example",
            "password": self._credential(f"{site.client}-admin"),
        }
        done = subprocess.run(
            self.run_as(["php", "-r", _INSTALL]),
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            cwd=site.path,
            env={"PATH": SYSTEM_PATH},
            timeout=START_TIMEOUT,
        )
        if done.stdout.strip()[-9:] != "installed":
            said = (done.stderr or done.stdout).strip()[-400:]
            raise Unavailable(f"WordPress of {site.client} cannot be installed: {said}")
        done_mark.write_text(wanted)

    # Files

    def _site(self, client: str, port: int) -> RealSite:
        return RealSite(
            client=client,
            path=self._directory / client / "site",
            url=f"http://{LOOPBACK}:{port}",
            admin_password_file=self._credential_file(f"{client}-admin"),
        )

    def _ports(self) -> Mapping[str, int]:
        if self._given_ports is not None:
            return self._given_ports
        return ensure_ports(self._directory / "ports.json", ("database", *self._clients))

    def _record(self, name: str) -> Path:
        return self._directory / "run" / f"{name}.json"

    def _credential_file(self, name: str) -> Path:
        return self._directory / "credentials" / name

    def _credential(self, name: str) -> str:
        file = self._credential_file(name)
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(file, secrets.token_urlsafe(24).encode(), 0o600)
        return file.read_text()

    def _write(self, path: Path, text: str) -> None:
        write_atomically(path, text.encode(), 0o600)
        self._own(path)

    def _own(self, path: Path) -> None:
        """Give files to the user of the sites; nothing to do when that is us."""
        if self._user is None or os.geteuid() != 0:
            return
        ids = self._user.pw_uid, self._user.pw_gid
        os.chown(path, *ids, follow_symlinks=False)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), *ids, follow_symlinks=False)

    def _must_be_reachable(self) -> None:
        if self._user is None or os.geteuid() != 0:
            return
        if not all_can_enter(self._directory):
            raise ConfigurationError(
                f"{self._directory} cannot be entered by {self._user.pw_name}, who runs WordPress when we are root",
                remedy="use another --dir, or run as an ordinary user",
            )


def all_can_enter(folder: Path) -> bool:
    """Say whether every user may enter a folder and all above it."""
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def unprivileged_user() -> pwd.struct_passwd | None:
    """Return who runs products when we are root."""
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)


def _database_name(client: str) -> str:
    plain = "".join(letter if letter.isalnum() else "_" for letter in client)
    return f"wp_{plain}_{hashlib.sha256(client.encode()).hexdigest()[:6]}"


def _database_version() -> str:
    program = _program("mariadbd") or "mariadbd"
    said = subprocess.run([program, "--no-defaults", "--version"], capture_output=True, check=False).stdout
    return hashlib.sha256(said).hexdigest()[:16]


def _keep(made: Path, template: Path) -> None:
    """Keep a copy as a template; whoever is first wins, and a cache that cannot be written is no failure."""
    draft = template.with_name(f"{template.name}.{secrets.token_hex(4)}")
    try:
        template.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, draft)
        draft.rename(template)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)


def _wait_for_port(port: int, child: subprocess.Popen[bytes], log: Path, name: str) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        if child.poll() is not None:
            raise Unavailable(f"{name} ended while it started: {_tail(log)}")
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise Unavailable(f"{name} did not start within {START_TIMEOUT:g} s: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-400:] if log.is_file() else "it wrote no log"
