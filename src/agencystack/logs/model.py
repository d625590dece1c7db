"""The stages a log rule is made of: exactly those of Alloy's `loki.process` that we use, with what each one does.

A rule is data. `evaluate` runs it here, `alloy` and `promtail` write it down for the collectors, `lint` judges it.
What is said of a stage below was read in Alloy 1.10.0, internal/component/loki/process/stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LEVELS = ("debug", "info", "warning", "error", "critical")
LABELS = ("client", "component", "stream", "level")

METADATA = (
    "event", "status", "method", "path", "bytes", "address", "user", "agent", "seconds", "queue_id", "mail_status",
    "dsn", "delay", "reason", "site", "logger", "process", "file", "line", "exception", "job", "verdict", "score",
    "realm", "oidc_client", "pairing", "parsed",
)  # fmt: skip

EVENTS = (
    "login_ok", "login_failed", "mail_sent", "mail_deferred", "mail_bounced", "mail_rejected", "spam_rejected",
    "php_fatal", "exception", "job_ok", "job_failed", "slow_request",
)  # fmt: skip

MAX_LINES = 1000
"""Lines of one entry. Alloy's 128 cut traces of frameworks and of recursion in two; PHP prints one line a frame."""

MAX_WAIT_SECONDS = 3
"""How long Alloy waits for another line of an entry before it sends what it has."""

MAX_BYTES = 250_000
"""Bytes of one entry's text. Loki refuses lines above 256 KiB (`limits_config.max_line_size`), it does not cut them."""


LONG_BYTES = 60_000
"""Lines above this get their metadata shortened: Loki refuses an entry with more than 64 KiB of it."""

MAX_VALUE_BYTES = 1000
"""What is left of one metadata value of such a line: enough to see what it was, and all of them fit."""


class Wrapping(StrEnum):
    """What was put round each line before the collector reads it."""

    NONE = "none"
    DOCKER = "docker"
    """Docker's json-file: `{"log": ..., "stream": ..., "time": ...}`. Parts of lines above 16 KiB stay entries."""
    DOCKER_API = "docker-api"
    """Lines as Docker's API gives them with times: where it split a long one, a time stands in the middle."""
    CRI = "cri"
    """Kubernetes' container runtimes: `TIME stdout F TEXT`."""


class OnFailure(StrEnum):
    """What an entry without a readable time gets."""

    FUDGE = "fudge"
    """The last time of the same labels plus a nanosecond; when there was none, the time it was read."""
    SKIP = "skip"
    """The time it was read."""


@dataclass(frozen=True)
class Multiline:
    """Lines up to the next one that matches `firstline` are one entry.

    Lines before the first match pass as entries of their own. An entry ends, too, after `max_lines` or when nothing
    follows for `wait_seconds`; what then still belongs to it makes a further entry. It drops structured metadata set
    before it, and keeps one buffer per set of labels, so two files never mix.
    """

    firstline: str
    max_lines: int = MAX_LINES
    wait_seconds: int = MAX_WAIT_SECONDS


@dataclass(frozen=True)
class Regex:
    """Put the named groups of the first match into the extracted values; without a match nothing changes.

    A group that took no part in the match gives the empty text. `source` is an extracted value instead of the line.
    """

    expression: str
    source: str | None = None


@dataclass(frozen=True)
class Json:
    """Put members of a JSON object into the extracted values.

    `fields`: name of the value, and where it stands (`error.message`: a member of a member). An absent member makes
    the value null, which no later stage takes. Text that is no JSON object changes nothing.
    """

    fields: tuple[tuple[str, str], ...]
    source: str | None = None


@dataclass(frozen=True)
class Logfmt:
    """Put values of `key=value key="va lue"` text into the extracted values: (name of the value, key in the text)."""

    fields: tuple[tuple[str, str], ...]
    source: str | None = None


@dataclass(frozen=True)
class Timestamp:
    """Take the entry's time from an extracted value.

    `layout` is Go's: 2006-01-02 15:04:05.000. A layout without a year gets the year that makes it nearest to now. The
    `zone` (IANA) counts only where the layout has none; when it is not set here, the host's is used (see `pipeline`).
    """

    source: str
    layout: str
    fallbacks: tuple[str, ...] = ()
    zone: str | None = None
    on_failure: OnFailure = OnFailure.FUDGE


@dataclass(frozen=True)
class Case:
    """The values (or, with `prefix`, beginnings of values) that mean `result`."""

    values: tuple[str, ...]
    result: str
    prefix: bool = False


@dataclass(frozen=True)
class Choose:
    """Set `target` to the result of the first case that fits the extracted value `source`, else to `otherwise`.

    With no `otherwise` the target is removed; with `keep` it stays as it is. `fold` compares in lower case. Rendered
    as a template that can yield only what is written here: this is how levels stay a bounded set.
    """

    target: str
    source: str
    cases: tuple[Case, ...]
    otherwise: str | None = None
    keep: bool = False
    fold: bool = False


@dataclass(frozen=True)
class Put:
    """Set an extracted value to a constant; the empty text removes it."""

    target: str
    value: str


@dataclass(frozen=True)
class PutUnlessAny:
    """Set `target` to a constant when none of the extracted values `names` has text, else remove it."""

    target: str
    value: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class CopyIfAny:
    """Set `target` to the line when, in lower case, it has one of `words` in it, else remove it.

    A word that one of `harmless` follows does not count, nor one within a text of `aside`, in lower case; spaces
    before = and : are not seen.
    """

    target: str
    words: tuple[str, ...]
    harmless: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replace:
    """Replace what the groups of every match captured by a constant, in the line or in an extracted value."""

    expression: str
    replacement: str
    source: str | None = None


@dataclass(frozen=True)
class Measure:
    """Set `target` to "yes" when the line has more than `above` bytes, else remove it."""

    target: str
    above: int = LONG_BYTES


@dataclass(frozen=True)
class Cut:
    """Shorten the line to `limit` bytes and say so at its end."""

    limit: int = MAX_BYTES


@dataclass(frozen=True)
class Shorten:
    """Shorten an extracted value to `limit` bytes."""

    name: str
    limit: int = MAX_VALUE_BYTES


@dataclass(frozen=True)
class When:
    """Run `stages` for the entries whose line matches.

    Entering it, Alloy puts the labels into the extracted values again, and entries may overtake one another: a
    `Timestamp` belongs before it.
    """

    pattern: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class WhenLabel:
    """Run `stages` for the entries that have the label `name` with this value; what is said of `When` holds."""

    name: str
    value: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Labels:
    """Make labels of extracted values."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class StaticLabels:
    """Set labels to constants."""

    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class KeepLabels:
    """Remove every label but these."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class DropLabels:
    """Remove these labels."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Metadata:
    """Make structured metadata of extracted values, and of labels of these names, which cease to be labels."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Output:
    """Make an extracted value the line."""

    source: str


@dataclass(frozen=True)
class Drop:
    """Throw the entry away when its line matches. For lines without text only: nothing else is ever lost."""

    expression: str


@dataclass(frozen=True)
class Docker:
    """Unwrap Docker's json-file: text, time, and a label `stream` (stdout, stderr), which ours replaces at the end."""


@dataclass(frozen=True)
class Cri:
    """Unwrap a container runtime's line and join its parts."""


Stage = (
    Multiline | Regex | Json | Logfmt | Timestamp | Choose | Put | PutUnlessAny | CopyIfAny | Replace | Measure | Cut
    | Shorten | When | WhenLabel | Labels | StaticLabels | KeepLabels | DropLabels | Metadata | Output | Drop
    | Docker | Cri
)  # fmt: skip


@dataclass(frozen=True)
class Format:
    """What one stream of one component writes.

    `known_by` names extracted values; an entry where none of them has text is marked `parsed="false"`. `metadata`
    lists the extracted values that become structured metadata. The stages must set `level` by `Choose` or `Put`.
    `masks` are replacements of this format, on top of those of `masking` that every line gets; `masked` says in
    words what they hide. `redacted` says that the writer lets no secret through, so that none is looked for by its
    key. `harmless` are texts, in lower case, that the product writes often and that only sound as if a secret followed:
    a line with no other sign of one is not looked at closely, which would cost more than all its other stages.
    `names` are patterns (fnmatch) of the file names a product gives this stream.
    """

    component: str
    stream: str
    about: str
    stages: tuple[Stage, ...]
    known_by: tuple[str, ...]
    metadata: tuple[str, ...]
    multiline: Multiline | None = None
    masks: tuple[Replace, ...] = ()
    masked: str = ""
    redacted: bool = False
    harmless: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
