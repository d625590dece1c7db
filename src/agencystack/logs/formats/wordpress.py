"""WordPress: requests and logins, the web server's errors, PHP's `debug.log`, and containers that write all in one.

Recorded from WordPress 6.9.1 on nginx and PHP-FPM, Apache 2.4.71 and PHP 8.2.36. Where `WP_DEBUG_LOG` is off, PHP's
messages go to the web server's error log and to PHP-FPM's, so a fatal error is an event in each of them: count one.
"""

from __future__ import annotations

from agencystack.logs.formats import php, php_fpm, web_errors, wording
from agencystack.logs.formats.web_servers import COMBINED, STATUS_LEVEL, access
from agencystack.logs.formats.woocommerce import WOOCOMMERCE
from agencystack.logs.model import Case, Choose, Format, Multiline, OnFailure, Regex, Stage, Timestamp, When

_LOGIN: tuple[Stage, ...] = (
    Regex(r'"POST [^\s?"]*/wp-login\.php HTTP/[\d.]+" (?P<signed>200|302) '),
    Choose("event", source="signed", cases=(Case(("200",), "login_failed"), Case(("302",), "login_ok")), keep=True),
    wording.FAILED_LOGIN_LEVEL,
    When(
        '" 401 ',
        (
            Regex(r'^\S+ \S+ [^-"\[\s]\S* \[[^\]]*\] "[A-Z]+ \S*/wp-json[^"]*" (?P<refused>401) '),
            Choose("event", source="refused", cases=(Case(("401",), "login_failed"),), keep=True),
        ),
    ),
)
"""The form is shown again (200) after a wrong password and left (302) after a right one; with a query (`?action=`) it
is another form. An application password that is refused shows as a user name with 401. Of `xmlrpc.php` no log can
tell: it answers 200 to a wrong password, too."""

_DEBUG_TIME = r"\d{2}-[A-Z][a-z]{2}-\d{4} \d{2}:\d{2}:\d{2}"

_DEBUG = Regex(rf"^\[(?:(?P<utc>{_DEBUG_TIME}) (?:UTC|GMT)|(?P<local>{_DEBUG_TIME})[^\]]*)\]")
"""PHP writes the name of its zone (`Europe/Berlin`), not its offset; WordPress sets it to UTC when it starts."""

_DEBUG_TIMES = (
    Timestamp("utc", "02-Jan-2006 15:04:05", zone="UTC", on_failure=OnFailure.SKIP),
    Timestamp("local", "02-Jan-2006 15:04:05", on_failure=OnFailure.SKIP),
)

PHP = Format(
    component="wordpress",
    stream="php",
    about="PHP's errors in WordPress's debug.log or PHP's error_log, a trace being one entry",
    multiline=Multiline(rf"^\[{_DEBUG_TIME}[^\]]*\]"),
    stages=(
        _DEBUG,
        *_DEBUG_TIMES,
        php.REST,
        Choose("level", source="utc", cases=(), otherwise="info"),
        *php.STAGES,
    ),
    known_by=("utc", "local", "rest"),
    metadata=php.METADATA,
    masks=php.MASKS,
    masked=php.MASKED,
    names=("debug*.log", "php_errors.log", "error_log"),
)

_CONTAINER = Regex(
    r"^(?:(?P<word>NOTICE|WARNING|ERROR|DEBUG): |"
    r"(?P<start>WordPress not found in |Complete! WordPress|No 'wp-config\.php' found in |oh no! ))"
)
"""PHP's messages in the container of PHP-FPM, which writes no time; the start script of the image."""

_ACCESS = r"\S+ \S+ [^\n]*?\[\d{2}/[A-Z][a-z]{2}/\d{4}:|\S+ - \S* \d{2}/[A-Z][a-z]{2}/\d{4}:"
_SAID = r"NOTICE: PHP message: |WARNING: |WordPress not found|Complete! |No 'wp-config|oh no! "

SERVER = Format(
    component="wordpress",
    stream="server",
    about="all that a container of WordPress writes: requests, the web server's errors, PHP-FPM, PHP",
    multiline=Multiline(
        rf"^(?:{_SAID}|{web_errors.FIRSTLINE}|{php_fpm.FIRSTLINE}|\[{_DEBUG_TIME} [^\]]+\] |{_ACCESS})"
    ),
    stages=(
        COMBINED,
        php_fpm.REQUEST,
        *web_errors.STAGES,
        php_fpm.LINE,
        _CONTAINER,
        _DEBUG,
        *_DEBUG_TIMES,
        Timestamp(
            "time",
            "02/Jan/2006:15:04:05 -0700",
            fallbacks=(*web_errors.LAYOUTS, "02-Jan-2006 15:04:05"),
            on_failure=OnFailure.SKIP,
        ),
        php_fpm.TOO_SLOW,
        php.REST,
        wording.LEVEL,
        Choose("level", source=STATUS_LEVEL.source, cases=STATUS_LEVEL.cases, keep=True),
        *php.STAGES,
        php_fpm.SLOW_EVENT,
        *_LOGIN,
    ),
    known_by=("status", "word", "reason", "logger", "start", "utc", "local", "rest"),
    metadata=(
        *php.METADATA, "address", "user", "method", "path", "status", "bytes", "agent", "site", "reason", "logger",
        "process", "seconds",
    ),
    masks=php.MASKS,
    masked=php.MASKED,
)  # fmt: skip

FORMATS = (
    access("wordpress", *_LOGIN, names=("*access*.log", "access_log")),
    web_errors.web_error("wordpress", names=("*error*.log", "error_log")),
    PHP,
    *php_fpm.php_fpm("wordpress"),
    WOOCOMMERCE,
    SERVER,
)
