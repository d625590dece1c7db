"""A text file of a product, on the machine that runs it: read, replaced at once, made, removed; never half-written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused, Unavailable
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.secrets import redact

LIMIT = 30.0
"""Seconds for one file."""

_ABSENT, _CHANGED, _FORBIDDEN = 4, 3, 5

_READ = """
[ -e "$1" ] || [ -L "$1" ] || exit 4
[ -f "$1" ] && [ -r "$1" ] || exit 5
exec cat -- "$1"
"""
# $1 file, $2 SHA-256 it must have. Content comes on standard input. A link stays a link, mode and owner stay.
_REPLACE = """
set -eu
file=$(readlink -f -- "$1")
[ -f "$file" ] || exit 4
[ -r "$file" ] && [ -w "$(dirname -- "$file")" ] || exit 5
draft=$(mktemp -- "$file.XXXXXX") || exit 5
trap 'rm -f -- "$draft"' EXIT
cp -p -- "$file" "$draft"
cat > "$draft"
sync -- "$draft" 2>/dev/null || sync
[ "$(stat -c '%a %u %g' -- "$file")" = "$(stat -c '%a %u %g' -- "$draft")" ] || exit 5
[ "$(sha256sum < "$file" | cut -d ' ' -f 1)" = "$2" ] || exit 3
mv -f -- "$draft" "$file"
trap - EXIT
sync -- "$(dirname -- "$file")" 2>/dev/null || sync
"""
# $2 mode. A link to the draft fails where a file is there: nobody's file is ever replaced by a new one.
_MAKE = """
set -eu
folder=$(dirname -- "$1")
[ -d "$folder" ] || exit 4
[ -w "$folder" ] || exit 5
umask 077
draft=$(mktemp -- "$1.XXXXXX") || exit 5
trap 'rm -f -- "$draft"' EXIT
cat > "$draft"
chown --reference="$folder" -- "$draft" 2>/dev/null || :
chmod "$2" -- "$draft"
sync -- "$draft" 2>/dev/null || sync
ln -- "$draft" "$1" 2>/dev/null || exit 3
sync -- "$folder" 2>/dev/null || sync
"""
_REMOVE = """
set -eu
[ -f "$1" ] || exit 4
[ "$(sha256sum < "$1" | cut -d ' ' -f 1)" = "$2" ] || exit 3
rm -f -- "$1" || exit 5
"""


@dataclass(frozen=True)
class Content:
    """What a file held when it was read; may be secret.

    Args:
        text: all of it.
        digest: SHA-256 of its bytes, which tells whether somebody wrote it since.
    """

    text: str = field(repr=False)
    digest: str


class HostFile:
    """One file.

    Args:
        where: the component it belongs to, for error messages.
        executor: runs programs on the machine it is on.
        path: absolute path there.
    """

    def __init__(self, where: ComponentRef, executor: Executor, path: str) -> None:
        self.where, self.path = where, path
        self._executor = executor

    def read(self) -> Content | None:
        """Return what it holds, None where there is no such file.

        Raises:
            ConfigurationError: it cannot be read, or is not UTF-8.
        """
        finished = self._run(_READ)
        if finished.returncode == _ABSENT:
            return None
        self._check(finished, "read")
        try:
            return Content(finished.stdout.decode(), _digest(finished.stdout))
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{self.path} is not UTF-8 text", component=self.where, remedy="correct it with an editor"
            ) from error

    def replace(self, before: Content, text: str) -> Content:
        """Replace the whole content, keeping mode and owner, and return what it holds now; a link stays a link.

        Args:
            before: what the change was made from.
            text: the new content.

        Raises:
            Refused: somebody wrote the file meanwhile; nothing was changed.
            ConfigurationError: it may not be written.
        """
        self._check(self._run(_REPLACE, before.digest, content=text), "written")
        return Content(text, _digest(text.encode()))

    def make(self, text: str, mode: str = "640") -> None:
        """Make the file, its folder's owner's and group's.

        Args:
            text: its content.
            mode: as for chmod; by default for the owner to read and write and the group to read.

        Raises:
            Refused: somebody made one meanwhile.
            ConfigurationError: there is no such folder, or it may not be written.
        """
        self._check(self._run(_MAKE, mode, content=text), "made")

    def remove(self, content: Content) -> None:
        """Remove the file, where it still holds ``content``; raises as :meth:`replace`."""
        self._check(self._run(_REMOVE, content.digest), "removed")

    def _run(self, program: str, *arguments: str, content: str = "") -> Finished:
        argv = ["sh", "-c", program, "sh", self.path, *arguments]
        return self._executor.run(argv, stdin=content.encode(), timeout=LIMIT)

    def _check(self, finished: Finished, done: str) -> None:
        if finished.returncode == 0:
            return
        place = f"{self.path} on {self._executor.description}"
        if finished.returncode == _CHANGED:
            raise Refused(
                f"{self.path} was changed by somebody else just now; it was not {done}",
                component=self.where,
                remedy="run again",
            )
        if finished.returncode == _ABSENT:
            what = "its folder" if done == "made" else "it"
            raise ConfigurationError(
                f"{place} cannot be {done}: {what} is not there", component=self.where, remedy="correct its path"
            )
        if finished.returncode == _FORBIDDEN:
            raise ConfigurationError(
                f"{place} may not be {done}",
                component=self.where,
                remedy="run as its owner or as root, and check that it is a file in a folder that may be written",
            )
        lines = redact(finished.stderr.decode(errors="replace")).strip().splitlines()
        raise Unavailable(
            f"{place} could not be {done}: {lines[-1][:300] if lines else 'no message'}",
            component=self.where,
            remedy="check the disk and the rights of its folder, then run again",
        )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
