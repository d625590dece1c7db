"""Secrets at rest: one sealed file each, under a key that lives elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agencystack.stack.errors import ConfigurationError
from agencystack.stack.files import create_atomically, private_folder, sync_folder, write_atomically
from agencystack.stack.paths import credentials_of
from agencystack.stack.secrets import Secret

KEY_BYTES = 32
_NONCE_BYTES = 12
_PREFIX = "agencystack-sealed:1:"
_SUFFIX = ".sealed"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*(/[A-Za-z0-9][A-Za-z0-9._@+-]*)*")


def is_secret_name(name: str) -> bool:
    """Say whether ``name`` may name a sealed secret: words joined by slashes, none of which begins with a dot."""
    return len(name) <= 200 and _NAME.fullmatch(name) is not None


class SealedStore:
    """Named secrets, and sealed pieces of text inside records.

    Every value is encrypted and authenticated (ChaCha20-Poly1305) together with its name, so that a file put in the
    place of another is refused. The key is made at the first sealing.

    Args:
        secrets_dir: folder of the sealed files.
        key_file: 32 bytes in base64, mode 0600, owned by the user who runs us; or a credential systemd gave us.
        owners: sealed files belong to the owner of their folder, for whom root then writes them.
    """

    def __init__(self, secrets_dir: Path, key_file: Path, *, owners: bool = False) -> None:
        self._folder = secrets_dir
        self._key_file = key_file
        self._owners = owners

    def put(self, name: str, secret: Secret) -> None:
        """Store the secret under ``name``, such as ``acme/email/wordpress/mailu-token``; replaces what was there."""
        path = self._path(name)
        sealed = self._seal(secret.reveal().encode(), f"secret\0{name}")
        write_atomically(path, f"{sealed}\n".encode(), 0o600, owner_of=self._folder if self._owners else None)

    def get(self, name: str) -> Secret | None:
        """Return the secret, or ``None`` where there is none of that name.

        Raises:
            ConfigurationError: the key is missing, unsafe or another one, or the file was changed.
        """
        path = self._path(name)
        try:
            sealed = path.read_text("ascii", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as refusal:
            raise ConfigurationError(
                f"cannot read {path}: {refusal.strerror}", remedy="run the command as the user who owns the file"
            ) from refusal
        return Secret(self._open(sealed.strip(), f"secret\0{name}", str(path)).decode())

    def delete(self, name: str) -> bool:
        """Remove the secret; returns whether there was one."""
        path = self._path(name)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        sync_folder(path.parent)
        return True

    def names(self) -> list[str]:
        """Return the names of all sealed secrets, in order."""
        files = self._folder.rglob(f"*{_SUFFIX}")
        return sorted(file.relative_to(self._folder).as_posix().removesuffix(_SUFFIX) for file in files)

    def seal(self, data: bytes, context: str) -> str:
        """Return ``data`` as text that only this store opens, and only for the same ``context``.

        Args:
            data: what a record must keep but not show, such as the value a secret field held before us.
            context: where it belongs; must be the same at :meth:`open`.
        """
        return self._seal(data, f"value\0{context}")

    def open(self, sealed: str, context: str) -> bytes:
        """Return what :meth:`seal` was given.

        Raises:
            ConfigurationError: another key, another context, or the text was changed.
        """
        return self._open(sealed, f"value\0{context}", context)

    def fingerprint(self, secret: Secret) -> str:
        """Return a keyed hash of the secret, to tell later whether it is the same one; useless without the key."""
        key = _derive(self._key(create=True), b"fingerprint")
        return "hmac-sha256:" + hmac.new(key, secret.reveal().encode(), hashlib.sha256).hexdigest()

    def _path(self, name: str) -> Path:
        if not is_secret_name(name):
            raise ConfigurationError(
                "this is not a name of a sealed secret",
                remedy="use letters, digits and . _ @ + - in words joined by slashes, such as acme/erpnext/api-key",
            )
        return self._folder / f"{name}{_SUFFIX}"

    def _seal(self, data: bytes, context: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        cipher = ChaCha20Poly1305(_derive(self._key(create=True), b"seal"))
        return _PREFIX + base64.b64encode(nonce + cipher.encrypt(nonce, data, context.encode())).decode()

    def _open(self, sealed: str, context: str, shown: str) -> bytes:
        try:
            raw = base64.b64decode(sealed.removeprefix(_PREFIX), validate=True)
        except ValueError:
            raw = b""
        if not sealed.startswith(_PREFIX) or len(raw) <= _NONCE_BYTES:
            raise ConfigurationError(f"{shown} is not a sealed value", remedy="restore it with: agencystack restore")
        cipher = ChaCha20Poly1305(_derive(self._key(create=False), b"seal"))
        try:
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise ConfigurationError(
                f"the key in {self._key_file} does not open {shown}: it was sealed with another key, for another"
                " place, or changed since",
                remedy="put back the key it was sealed with, name it in AGENCYSTACK_KEY_FILE, or restore a backup",
            ) from None

    def _key(self, *, create: bool) -> bytes:
        if not self._key_file.exists():
            self._make_key(create=create)
        return _read_key(self._key_file)

    def _make_key(self, *, create: bool) -> None:
        """Make the key, unless there are secrets that a new key could never open."""
        # Asked again after looking for secrets: another process may have made the key and sealed with it in between.
        if (not create or self.names()) and not self._key_file.exists():
            raise ConfigurationError(
                f"the key of the sealed store, {self._key_file}, is missing",
                remedy="put it back from your backup, or name it in AGENCYSTACK_KEY_FILE",
            )
        private_folder(self._key_file.parent)
        create_atomically(self._key_file, base64.b64encode(os.urandom(KEY_BYTES)) + b"\n", 0o600)


def _read_key(path: Path) -> bytes:
    """Read the key, refusing one that others could have read or put there."""
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            text = file.read(1024)
    except OSError as refusal:
        raise ConfigurationError(
            f"cannot read the key {path}: {refusal.strerror}",
            remedy="run the command as the user who owns it, or name another key in AGENCYSTACK_KEY_FILE",
        ) from refusal
    mode = stat.S_IMODE(facts.st_mode)
    if _is_credential(path) and facts.st_uid == 0 and not mode & 0o037:
        # Root's, and readable for us by an access list, whose mask shows as the group's right (systemd.exec(5)).
        return _decoded(path, text)
    if facts.st_uid != os.geteuid():
        raise ConfigurationError(
            f"the key {path} belongs to another user",
            remedy=f"run the command as its owner, or: chown {os.geteuid()} {path}",
        )
    if mode & 0o077:
        raise ConfigurationError(f"the key {path} is open to other users", remedy=f"chmod 600 {path}")
    return _decoded(path, text)


def _is_credential(path: Path) -> bool:
    """Say whether systemd gave the file to this very service; only root can put something there."""
    given = credentials_of(os.environ)
    return given is not None and path.parent == given


def _decoded(path: Path, text: bytes) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"the key {path} is damaged: it must be {KEY_BYTES} bytes in base64", remedy="put it back from your backup"
        )
    return key


def _derive(key: bytes, purpose: bytes) -> bytes:
    """Return the key for one purpose, so that no key serves two algorithms."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"agencystack " + purpose).derive(key)
