"""The error logs of nginx and Apache, with the requests they are about."""

from __future__ import annotations

from agencystack.logs.formats import php, wording
from agencystack.logs.model import Format, Multiline, Regex, Stage, Timestamp

FIRSTLINE = r"\d{4}/\d{2}/\d{2} \d{2}:|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:|AH\d{5}: |(?:nginx|apache2|httpd): "
"""How an entry of either begins."""

_NGINX = r"^(?P<time>\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) \[(?P<word>\w+)\] (?P<process>\d+)#\d+: (?:\*\d+ )?"

NGINX = Regex(rf"(?s){_NGINX}(?P<said>.*)")
"""An error of nginx, for who reads on in what it said."""

_REQUEST = (
    r', client: (?P<address>[^,\s]+)(?:, server: [^,]*)?(?:, request: "(?P<method>[A-Z]+) (?P<path>[^?" ]*)[^"]*")?'
    r'(?:[^\n]*?, host: "(?P<site>[^":]*))?'
)

NGINX_REQUEST = Regex(rf"{_NGINX}(?:(?P<reason>[^F\n][^\n]*?)(?: while [a-z ]+)?{_REQUEST})?")
"""The same with the request it was about, in one go: copying all that was said costs as much again."""

NGINX_FASTCGI = Regex(rf'" while [a-z ]+{_REQUEST}')
"""The end of `FastCGI sent in stderr: "..."`: PHP's text stands between, on as many lines as PHP wrote."""

APACHE = Regex(
    r"^\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}\.\d{6} \d{4})\] "
    r"\[(?P<logger>\w*):(?P<word>[a-z]+)\d?\] \[pid (?P<process>\d+)(?::tid \d+)?\] "
    r"(?:\[client (?P<address>[^\]\s]+):\d+\] )?(?P<reason>AH\d{5})?"
)
"""Apache 2.4. It writes the line ends within a message as `\\n`: each entry is one line."""

UNDATED = Regex(r"^(?:(?P<reason>AH\d{5}): |(?P<logger>nginx|apache2|httpd): )")
"""What Apache and nginx say before their log is open."""

LAYOUTS = ("2006/01/02 15:04:05", "Mon Jan 02 15:04:05.000000 2006")

STAGES: tuple[Stage, ...] = (NGINX_REQUEST, NGINX_FASTCGI, APACHE, UNDATED)


def web_error(component: str, names: tuple[str, ...] = ()) -> Format:
    """Return the error log of the web server before a PHP application; `names` are patterns of its files."""
    return Format(
        component=component,
        stream="web-error",
        about="nginx or Apache: failed requests, and what PHP wrote during them",
        multiline=Multiline(f"^(?:{FIRSTLINE})"),
        stages=(
            *STAGES,
            Timestamp("time", LAYOUTS[0], fallbacks=LAYOUTS[1:]),
            php.REST,
            wording.LEVEL,
            *php.STAGES,
        ),
        known_by=("word", "reason", "logger", "rest"),
        metadata=(*php.METADATA, "address", "method", "path", "site", "reason", "logger", "process"),
        masks=php.MASKS,
        masked=php.MASKED,
        names=names,
    )
