"""The folder of ``*.alloy`` files that Alloy is started with, on its machine."""

from __future__ import annotations

import hashlib
import io
import tarfile

from agencystack.components.hostfile import LIMIT, Content, HostFile
from agencystack.stack.errors import BadAnswer, ComponentRef, ConfigurationError
from agencystack.stack.execution import Executor

SUFFIX = ".alloy"
BEFORE = ".before"
"""Ends the name of the file that keeps what a configuration file was until Alloy has accepted its change.

Alloy reads ``*.alloy`` alone. What is kept lies beside the file, not with us, so that whoever comes after a crash knows
of it, also with another state folder or none."""

READABLE = "644"
"""Mode of a file that Alloy reads under a user of its own, and that holds no secret."""
PRIVATE = "640"

_ABSENT, _FORBIDDEN = 4, 5

# One start for all files, however many clients there are; names and contents arrive framed.
_READ = """
cd -- "$1" 2>/dev/null || { [ -e "$1" ] && exit 5; exit 4; }
ls . >/dev/null 2>&1 || exit 5
set --
for file in ./*.alloy ./.*.alloy ./agencystack-*.before ./agencystack-*.password; do
  if [ -f "$file" ]; then set -- "$@" "$file"; fi
done
[ $# -gt 0 ] || exit 0
exec tar -c -h -f - "$@"
"""


class Folder:
    """What stands in the folder; read once, until :meth:`forget` or a change.

    Args:
        where: the Alloy, for error messages.
        machine: runs programs on the machine the folder is on.
        path: absolute path there.
    """

    def __init__(self, where: ComponentRef, machine: Executor, path: str) -> None:
        self.where, self.path = where, path.rstrip("/")
        self._machine = machine
        self._known: dict[str, bytes] | None = None

    def forget(self) -> None:
        """Read the folder again at the next question."""
        self._known = None

    def files(self) -> dict[str, bytes]:
        """Return what Alloy reads: content by name.

        Raises:
            ConfigurationError: there is no such folder, or it may not be read.
        """
        return {name: content for name, content in self._read().items() if name.endswith(SUFFIX)}

    def text(self, name: str) -> str | None:
        """Return what a file holds, None where there is none; bytes that are no UTF-8 are shown as such."""
        content = self._read().get(name)
        return None if content is None else content.decode(errors="backslashreplace")

    def hash(self) -> str:
        """Return the hash Alloy itself has of these files: SHA-256 over their contents in the order of their names."""
        whole = hashlib.sha256()
        for _, content in sorted(self.files().items(), key=lambda file: file[0].encode()):
            whole.update(content)
        return whole.hexdigest()

    def store(self, name: str, text: str | None, mode: str = READABLE) -> None:
        """Make the file hold ``text`` and nothing else, at once; None removes it.

        Args:
            name: of the file.
            text: its content.
            mode: of a new file; one that is there keeps its own.

        Raises:
            ConfigurationError: the folder is not there, or may not be written.
            Refused: somebody changed the file since it was read.
        """
        file = HostFile(self.where, self._machine, f"{self.path}/{name}")
        live = self._read().get(name)
        self.forget()
        if live is None:
            if text is not None:
                file.make(text, mode)
            return
        before = Content(live.decode(errors="replace"), hashlib.sha256(live).hexdigest())
        if text is None:
            file.remove(before)
        elif live != text.encode():
            file.replace(before, text)

    def keep(self, name: str) -> None:
        """Keep what the file is now, until :meth:`drop`; what is kept already stays."""
        if self.kept(name) is None:
            self.store(name + BEFORE, self.text(name) or "")

    def kept(self, name: str) -> str | None:
        """Return what the file was before a change that nobody finished: empty for no file, None for no such change."""
        return self.text(name + BEFORE)

    def drop(self, name: str) -> None:
        """Keep it no longer: Alloy accepted the change, or it was put back."""
        if self.kept(name) is not None:
            self.store(name + BEFORE, None)

    def _read(self) -> dict[str, bytes]:
        if self._known is None:
            self._known = self._read_anew()
        return self._known

    def _read_anew(self) -> dict[str, bytes]:
        finished = self._machine.run(["sh", "-c", _READ, "sh", self.path], timeout=LIMIT)
        place = f"{self.path} on {self._machine.description}"
        if finished.returncode == _ABSENT:
            raise ConfigurationError(
                f"there is no folder {place}",
                component=self.where,
                remedy="set config in stack.yaml to the folder of *.alloy files that Alloy is started with",
            )
        if finished.returncode != 0:
            lines = finished.stderr.decode(errors="replace").strip().splitlines()
            raise ConfigurationError(
                f"{place} may not be read{': ' + lines[-1][:200] if lines else ''}",
                component=self.where,
                remedy="run as its owner or as root, and check that it is a folder",
            )
        try:
            return unpacked(finished.stdout)
        except tarfile.TarError as error:
            raise BadAnswer(f"{place} was not read whole: {error}", component=self.where) from error


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Return the plain files of a tar archive, by their names without the leading ``./``."""
    if not archive:
        return {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        # A second name of the same file is a link of the archive.
        plain = [member for member in tar if member.isfile() or member.islnk()]
        members = [(member.name.removeprefix("./"), tar.extractfile(member)) for member in plain]
        return {name: file.read() for name, file in members if file is not None and "/" not in name}


def packed(files: dict[str, bytes]) -> bytes:
    """Return a tar archive of ``files``, for one standard input."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()
