"""The few lines of shell that run first at another place: become the right user, refuse root, bound the time.

Another user gets a home and search path of its own, as the ones of root lead where it may not go.

They also announce that the program starts. Without that line an exit status is docker's or ssh's, with it the
program's own: both use 1, 126, 127 and 255 for themselves too. What a login shell prints before is cut off.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from agencystack.stack.execution import Finished
from agencystack.stack.users import UserRule

Reason = Literal["root", "no-owner", "no-user", "no-sudo", "no-folder"]

_SCRIPT = r"""nonce=$1 seconds=$2 root=$3 folder=$4 user=$5 files=$6; shift 6
say() { printf '%s:%s\n' "$nonce" "$1"; printf '%s:%s\n' "$nonce" "$1" >&2; }
stop() { say "$1"; exit 126; }
if [ -n "$folder" ]; then cd "$folder" 2>/dev/null || stop no-folder; fi
while [ "$files" -gt 0 ]; do
    if [ -z "$user" ] && [ -e "$1" ]; then user=$(stat -c %U "$1") || stop no-owner; fi
    files=$((files - 1)); shift
    if [ "$files" -eq 0 ] && [ -z "$user" ]; then stop no-owner; fi
done
me=$(id -u) || stop no-user
uid=$me
if [ -n "$user" ]; then uid=$(id -u "$user" 2>/dev/null) || stop no-user; fi
if [ "$root" = never ] && [ "$uid" = 0 ]; then stop root; fi
if command -v timeout >/dev/null 2>&1; then set -- timeout -s KILL "$seconds" "$@"; fi
if [ "$uid" != "$me" ]; then
    if [ "$me" = 0 ]; then
        HOME=$(getent passwd "$user" | cut -d: -f6)
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        export HOME PATH
        set -- runuser -u "$user" -- "$@"
    else
        sudo -n -l -u "$user" -- "$@" >/dev/null 2>&1 || stop no-sudo
        set -- sudo -n -u "$user" -- "$@"
    fi
fi
say started
exec "$@"
"""


@dataclass(frozen=True)
class Guard:
    """One guarded start.

    Args:
        user: as whom the program runs.
        folder: working folder; where we arrive when empty.
        nonce: marks our lines, so that nothing a product prints is taken for them.
    """

    user: UserRule
    folder: str = ""
    nonce: str = field(default_factory=lambda: f"agencystack-{secrets.token_hex(8)}")

    def wrap(self, argv: Sequence[str], timeout: float) -> list[str]:
        """Return the command that runs ``argv`` guarded.

        Args:
            argv: program and arguments.
            timeout: seconds; the place itself ends the program shortly after, as killing docker's or ssh's client
                leaves it running.
        """
        seconds = str(math.ceil(timeout) + 1)
        root = "allowed" if self.user.may_be_root else "never"
        files = () if self.user.name else self.user.owner_of
        settings = (self.nonce, seconds, root, self.folder, self.user.name, str(len(files)))
        return ["sh", "-c", _SCRIPT, "sh", *settings, *files, *argv]

    def started(self, finished: Finished) -> Finished | None:
        """Return what the program itself left, or ``None`` if it was never started."""
        mark = f"{self.nonce}:started\n".encode()
        _, found, stdout = finished.stdout.partition(mark)
        if not found:
            return None
        stderr = finished.stderr.partition(mark)[2]
        return Finished(finished.returncode, stdout, stderr)

    def refusal(self, finished: Finished) -> Reason | None:
        """Return why the guard did not start the program, if it was the guard that did not."""
        _, found, rest = finished.stdout.partition(f"{self.nonce}:".encode())
        word = rest.split(b"\n")[0].decode(errors="replace") if found else ""
        match word:
            case "root" | "no-owner" | "no-user" | "no-sudo" | "no-folder":
                return word
        return None
