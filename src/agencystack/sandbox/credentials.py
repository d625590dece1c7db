"""The credentials of a sandbox: made once, one private file each; stack.yaml only names the files."""

from __future__ import annotations

from pathlib import Path

from agencystack.stack.files import write_atomically
from agencystack.stack.secrets import Secret, generate


class Credentials:
    """Makes and finds credentials by name, such as ``mailu/api-token`` or ``acme/erpnext/api-key``.

    Args:
        folder: where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ensure(self, name: str) -> Secret:
        """Return the credential; made on the first call."""
        path = self.path(name)
        try:
            return Secret(path.read_text().strip())
        except FileNotFoundError:
            secret = generate()
            self.keep(name, secret)
            return secret

    def keep(self, name: str, secret: Secret) -> None:
        """Keep a credential that a product made itself."""
        write_atomically(self.path(name), f"{secret.reveal()}\n".encode(), 0o600)

    def path(self, name: str) -> Path:
        """Return the file that holds the credential."""
        return self._folder / name

    def reference(self, name: str) -> str:
        """Return what stack.yaml says instead of the credential, which is made where it is missing."""
        self.ensure(name)
        return f"file:{self.path(name)}"
