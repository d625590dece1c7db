"""A bench, from inside: puts our app beside Frappe's others and into one site."""

from __future__ import annotations

import functools
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from agencystack.stack.errors import ComponentRef, ConfigurationError, Refused
from agencystack.stack.execution import Executor, Finished
from agencystack.stack.secrets import redact

APP = "agencystack_connector"
COPY_SECONDS = 120.0
SITE_SECONDS = 900.0
"""``migrate`` of a large site; it shows its maintenance page meanwhile."""

_NO_BENCH, _LINK, _DAMAGED = 4, 5, 6

# $1 bench, $2 app. The archive comes on standard input. The former version stays until the new one is in place.
_COPY = """
set -eu
cd "$1" 2>/dev/null && [ -d apps ] && [ -f sites/apps.txt ] && [ -x env/bin/python ] || exit 4
[ ! -L "apps/$2" ] || exit 5
draft=$(mktemp -d "apps/.$2.XXXXXX")
trap 'rm -rf "$draft"' EXIT
tar -xf - -C "$draft"
[ -f "$draft/pyproject.toml" ] && [ -f "$draft/$2/hooks.py" ] || exit 6
rm -rf "apps/.$2.old"
[ ! -e "apps/$2" ] || mv "apps/$2" "apps/.$2.old"
chmod 755 "$draft"
mv "$draft" "apps/$2"
rm -rf "apps/.$2.old"
trap - EXIT
# As pip's own editable install does it, without a network: Python finds the app by a line in a .pth file.
packages=$(env/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\\n' "$(pwd)/apps/$2" > "$packages/$2.pth"
if ! grep -qxF "$2" sites/apps.txt; then
	[ -z "$(tail -c 1 sites/apps.txt)" ] || echo >> sites/apps.txt
	echo "$2" >> sites/apps.txt
fi
"""
_SITE = """
set -eu
cd "$1/sites" 2>/dev/null || exit 4
exec ../env/bin/python -m frappe.utils.bench_helper frappe --site "$2" $3
"""


class Bench:
    """The bench an ERPNext site lives in.

    Args:
        where: the component, for messages.
        executor: runs commands where the bench is, as its owner.
        path: folder of the bench, with ``apps``, ``sites`` and ``env`` in it.
        site: name of the site.
        restart: program and arguments that restart its web server and workers; they keep old code until then.
    """

    def __init__(self, where: ComponentRef, executor: Executor, path: str, site: str, restart: Sequence[str]) -> None:
        self.where = where
        self._executor, self._path, self._site, self._restart = executor, path, site, tuple(restart)

    def install(self, *, first: bool) -> None:
        """Put our app, as we ship it, into the bench and the site, and restart.

        Args:
            first: the site does not have it yet; else its tables are brought to the new version.

        Raises:
            ConfigurationError: there is no bench at the path, or its copy of the app is a link to somebody's own.
            Refused: Frappe said no; its words are in the message.
        """
        self._done(
            self._executor.run(["sh", "-c", _COPY, "sh", self._path, APP], stdin=archive(), timeout=COPY_SECONDS)
        )
        doing = f"install-app {APP}" if first else "migrate"
        command = ["sh", "-c", _SITE, "sh", self._path, self._site, doing]
        self._done(self._executor.run(command, timeout=SITE_SECONDS))
        self.restart()

    def uninstall(self) -> None:
        """Take our app out of the site; its files stay, as other sites of the bench may use them."""
        doing = f"uninstall-app {APP} --yes --no-backup"
        self._done(self._executor.run(["sh", "-c", _SITE, "sh", self._path, self._site, doing], timeout=SITE_SECONDS))
        self.restart()

    def restart(self) -> None:
        """Restart web server and workers."""
        self._done(self._executor.host().run(list(self._restart), timeout=COPY_SECONDS))

    def _done(self, finished: Finished) -> None:
        if finished.returncode == 0:
            return
        words = redact((finished.stderr or finished.stdout).decode(errors="replace")).strip()
        reasons = {
            _NO_BENCH: (f"there is no bench in {self._path}", "set exec.path to the folder with apps, sites and env"),
            _LINK: (f"apps/{APP} is a link to a checkout", "update that checkout and run bench migrate"),
            _DAMAGED: ("the app did not arrive whole", "run again"),
        }
        if finished.returncode in reasons:
            what, remedy = reasons[finished.returncode]
            raise ConfigurationError(f"{what} on {self._executor.description}", component=self.where, remedy=remedy)
        raise Refused(
            f"the bench said: {words[-800:] or f'exit code {finished.returncode}'}",
            component=self.where,
            remedy="run the same by hand as the bench's owner to see all of it; then run again",
        )


@functools.cache
def archive() -> bytes:
    """Return our app as a tar archive, the same bytes for the same files."""
    folder = app_folder()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not _leave_out(file.relative_to(folder)):
                entry = tarfile.TarInfo(file.relative_to(folder).as_posix())
                entry.size, entry.mode = file.stat().st_size, 0o644
                with file.open("rb") as content:
                    tar.addfile(entry, content)
    return packed.getvalue()


def app_folder() -> Path:
    """Return the app's folder: in the wheel, or in the checkout."""
    package = Path(__file__).resolve().parents[2]
    shipped = package / "plugins"
    plugins = shipped if shipped.is_dir() else package.parents[1] / "plugins"
    return plugins / "erpnext" / APP


@functools.cache
def app_version() -> str:
    """Return the version of the app we ship."""
    text = (app_folder() / APP / "__init__.py").read_text(encoding="utf-8")
    return text.split("__version__", 1)[1].split('"')[1]


def _leave_out(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
