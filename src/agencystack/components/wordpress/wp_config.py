"""wp-config.php as seen from outside: whose it is, and lines a person puts into it."""

from __future__ import annotations

from collections.abc import Iterable

from agencystack.components.wordpress.models import MailSettings
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.execution import Executor

_CONSTANTS = {
    "WPMS_MAIL_FROM": "from_email",
    "WPMS_MAIL_FROM_NAME": "from_name",
    "WPMS_MAIL_FROM_FORCE": "from_email_force",
    "WPMS_MAIL_FROM_NAME_FORCE": "from_name_force",
    "WPMS_SET_RETURN_PATH": "return_path",
    "WPMS_MAILER": "mailer",
    "WPMS_SMTP_HOST": "host",
    "WPMS_SMTP_PORT": "port",
    "WPMS_SSL": "encryption",
    "WPMS_SMTP_AUTH": "auth",
    "WPMS_SMTP_AUTOTLS": "autotls",
    "WPMS_SMTP_USER": "user",
}


def define_lines(settings: MailSettings, names: Iterable[str]) -> list[str]:
    """Return the lines a person puts into wp-config.php; the password is named, never shown.

    Args:
        settings: what they are to say.
        names: of the constants.
    """
    lines = []
    for name in names:
        if name not in _CONSTANTS:
            lines.append(f"define( '{name}', '...' ); (the password of {settings.user})")
            continue
        value = getattr(settings, _CONSTANTS[name])
        lines.append(f"define( '{name}', {_php(value)} );")
    return lines


def _php(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def owner_of_wp_config(executor: Executor, path: str) -> str:
    """Return the user who owns a site's wp-config.php: the one its code runs as when ``exec.user`` is not set.

    Args:
        executor: runs commands where the site lives; no code of the product is run.
        path: folder that holds ``wp-load.php``; wp-config.php may lie one folder above, as WordPress allows.

    Raises:
        ConfigurationError: there is no wp-config.php.
    """
    script = (
        'for f in "$1/wp-config.php" "$1/../wp-config.php"; do [ -f "$f" ] && exec stat -L -c %U "$f"; done; exit 1'
    )
    finished = executor.run(["sh", "-c", script, "agencystack", path])
    owner = finished.stdout.decode().strip()
    if finished.returncode or not owner:
        raise ConfigurationError(
            f"there is no wp-config.php in {path} ({executor.description})",
            remedy="correct exec.path in stack.yaml, or set exec.user",
        )
    return owner
