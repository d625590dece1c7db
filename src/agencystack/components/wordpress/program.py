"""The fixed bootstrap that starts PHP inside a WordPress, and the program that travels to it on standard input.

DESIGN 4: nothing but the bootstrap, the path and the URL is ever an argument; program and data are standard input.
"""

from __future__ import annotations

import base64
import functools
from importlib import resources
from pathlib import Path

PARTS = (
    *("program.php", "site.php", "options.php", "plugins.php"),
    *("mail.php", "wp_config.php", "submission.php"),
    *("sso.php", "sso_write.php", "sso_users.php"),
    *("health.php", "bridge.php", "rest_user.php"),
)
CONNECTOR = "agencystack-connector"

# Marks on standard error by which a failed start is told apart; WordPress's own words may be in any language.
NO_FOLDER = "agencystack: no-folder"
NO_WORDPRESS = "agencystack: no-wordpress"
NO_PHP = "agencystack: no-php"
NO_DATABASE = "agencystack: no-database"
NOT_INSTALLED = "agencystack: not-installed"
NO_SITE = "agencystack: no-site"

_TAKE = """
$agencystack_in = fopen( "php://stdin", "rb" );
$agencystack_left = (int) fgets( $agencystack_in );
$agencystack_program = "";
while ( $agencystack_left > 0 && ! feof( $agencystack_in ) ) {
	$agencystack_piece = (string) fread( $agencystack_in, $agencystack_left );
	$agencystack_program .= $agencystack_piece;
	$agencystack_left -= strlen( $agencystack_piece );
}
eval( $agencystack_program );
"""
# Without WP-CLI: the address must be there before wp-config.php, which chooses by it on Debian and on multisites.
# The function run at the end tells why WordPress never came up, in no human language.
_LOAD = """
ini_set( "display_errors", "stderr" );
ini_set( "html_errors", "0" );
ini_set( "zend.exception_ignore_args", "1" );
$agencystack_url = parse_url( $argv[2] ) ?: array();
$agencystack_host = $agencystack_url["host"] ?? "localhost";
$agencystack_port = isset( $agencystack_url["port"] ) ? ":" . $agencystack_url["port"] : "";
$_SERVER["HTTP_HOST"] = $agencystack_host . $agencystack_port;
$_SERVER["SERVER_NAME"] = $agencystack_host;
$_SERVER["SERVER_PROTOCOL"] = "HTTP/1.1";
$_SERVER["REQUEST_METHOD"] = "GET";
$_SERVER["REQUEST_URI"] = $agencystack_url["path"] ?? "/";
$_SERVER["REMOTE_ADDR"] = "127.0.0.1";
if ( "https" === ( $agencystack_url["scheme"] ?? "" ) ) {
	$_SERVER["HTTPS"] = "on";
}
$agencystack_loaded = false;
register_shutdown_function( function () {
	global $agencystack_loaded, $wpdb;
	if ( $agencystack_loaded ) {
		return;
	}
	$connected = $wpdb instanceof wpdb && $wpdb->check_connection( false );
	if ( $wpdb instanceof wpdb && ! $connected ) {
		fwrite( STDERR, "agencystack: no-database\\n" );
	} elseif ( $connected && function_exists( "is_multisite" ) && is_multisite() ) {
		fwrite( STDERR, "agencystack: no-site\\n" );
	} elseif ( $connected && function_exists( "is_blog_installed" ) && ! is_blog_installed() ) {
		fwrite( STDERR, "agencystack: not-installed\\n" );
	}
} );
require $argv[1] . "/wp-load.php";
$agencystack_loaded = true;
"""
# One shell command decides how to start; probing for WP-CLI first would cost a start of its own. A site made with
# Composer brings its WP-CLI along.
_SHELL = """
cd "$1" 2>/dev/null || { echo "agencystack: no-folder" >&2; exit 1; }
[ -f wp-load.php ] || { echo "agencystack: no-wordpress" >&2; exit 1; }
for wp in "$1/vendor/bin/wp" "$1/../vendor/bin/wp" "$1/../../vendor/bin/wp" "$(command -v wp 2>/dev/null)"; do
	if [ -x "$wp" ] && [ ! -d "$wp" ]; then
		exec "$wp" eval "$3" --path="$1" ${2:+"--url=$2"} --no-color
	fi
done
command -v php >/dev/null 2>&1 || { echo "agencystack: no-php" >&2; exit 1; }
exec php -r "$4$3" -- "$1" "$2"
"""


def bootstrap(path: str, url: str | None) -> list[str]:
    """Return the command that starts PHP in the WordPress at ``path``.

    Args:
        path: folder that holds ``wp-load.php``.
        url: address of the site, for a multisite and for a wp-config.php that chooses by host.
    """
    return ["sh", "-c", _SHELL, "agencystack", path, url or "", _TAKE, _LOAD]


@functools.cache
def program() -> bytes:
    """Return the PHP program, without open tags, as it is evaluated."""
    folder = resources.files(__package__) / "php"
    parts = [(folder / part).read_text(encoding="utf-8").removeprefix("<?php\n") for part in PARTS]
    return "\n".join([*parts, "main( stream_get_contents( $agencystack_in ) );\n"]).encode()


def plugins_folder() -> Path:
    """Return the folder of the plugins shipped with AgencyStack: in the wheel, or in the checkout."""
    package = Path(__file__).resolve().parents[2]
    shipped = package / "plugins"
    return shipped if shipped.is_dir() else package.parents[1] / "plugins"


@functools.cache
def connector_files() -> dict[str, str]:
    """Return the connector plugin: base64 contents by path below its folder."""
    folder = plugins_folder() / "wordpress" / CONNECTOR
    return {
        file.relative_to(folder).as_posix(): base64.b64encode(file.read_bytes()).decode()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@functools.cache
def connector_version() -> str:
    """Return the version in the connector's header."""
    main = (plugins_folder() / "wordpress" / CONNECTOR / f"{CONNECTOR}.php").read_text(encoding="utf-8")
    header = next(line for line in main.splitlines() if "Version:" in line)
    return header.split("Version:")[1].strip()
