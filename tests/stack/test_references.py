"""References to secrets: what is missing is said all at once, with what to do, and never with the secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agencystack.stack.errors import ConfigurationError
from agencystack.stack.references import SecretReference, SecretResolver
from agencystack.stack.secrets import Secret


class Sealed:
    """A sealed store with one secret."""

    def get(self, name: str) -> Secret | None:
        return Secret("from the store") if name == "acme/token" else None


def _resolver(**environment: str) -> SecretResolver:
    return SecretResolver(Sealed(), environment)


@pytest.mark.parametrize("text", ["env:TOKEN", "file:/etc/token", "secret:acme/email/token"])
def test_reference_reads_as_it_is_written(text: str) -> None:
    assert str(SecretReference.parse(text)) == text


@pytest.mark.parametrize("text", ["hunter2", "env:", "env:A B", "file:relative", "secret:../x", "ENV:X", "vault:x", ""])
def test_anything_else_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SecretReference.parse(text)
    assert not text or text not in str(caught.value).replace("env:NAME", "")
    assert "secret:NAME" in caught.value.remedy


def test_environment() -> None:
    assert _resolver(TOKEN="abcd").resolve(SecretReference("env", "TOKEN")) == Secret("abcd")


@pytest.mark.parametrize(("environment", "state"), [({}, "not set"), ({"TOKEN": ""}, "empty")])
def test_missing_variable_names_the_way_through_sudo(environment: dict[str, str], state: str) -> None:
    with pytest.raises(ConfigurationError, match=state) as caught:
        _resolver(**environment).resolve(SecretReference("env", "TOKEN"))
    assert "sudo --preserve-env=TOKEN" in caught.value.remedy
    assert "secret:" in caught.value.remedy


def test_under_sudo_the_cause_is_said() -> None:
    with pytest.raises(ConfigurationError, match="sudo drops variables"):
        _resolver(SUDO_COMMAND="/usr/bin/make").resolve(SecretReference("env", "TOKEN"))


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_file_without_its_line_end(tmp_path: Path, ending: str) -> None:
    (tmp_path / "token").write_bytes(f" a b {ending}".encode())
    (tmp_path / "token").chmod(0o640)
    assert _resolver().resolve(SecretReference("file", str(tmp_path / "token"))) == Secret(" a b ")


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (b"token", 0o644, "open to all"),
        (b"token", 0o602, "open to all"),
        (b"", 0o600, "is empty"),
        (b"\n", 0o600, "is empty"),
        (b"\xff\xfe", 0o600, "is not text"),
        (b"x" * 70_000, 0o600, "is too large"),
    ],
)
def test_unusable_file_is_explained(tmp_path: Path, content: bytes, mode: int, message: str) -> None:
    (tmp_path / "token").write_bytes(content)
    (tmp_path / "token").chmod(mode)
    with pytest.raises(ConfigurationError, match=message) as caught:
        _resolver().resolve(SecretReference("file", str(tmp_path / "token")))
    assert caught.value.remedy


def test_pipe_and_folder_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        with pytest.raises(ConfigurationError, match="is not a file"):
            _resolver().resolve(SecretReference("file", str(tmp_path / name)))


def test_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        _resolver().resolve(SecretReference("file", str(tmp_path / "none")))


def test_sealed_secret() -> None:
    assert _resolver().resolve(SecretReference("secret", "acme/token")) == Secret("from the store")
    with pytest.raises(ConfigurationError, match="no secret acme/other") as caught:
        _resolver().resolve(SecretReference("secret", "acme/other"))
    assert "agencystack secret set acme/other" in caught.value.remedy


def test_all_that_is_missing_is_one_error() -> None:
    references = {
        "clients.acme.components.erpnext.api_key": SecretReference("env", "ERP_KEY"),
        "clients.acme.components.erpnext.api_secret": SecretReference("secret", "acme/erp"),
        "shared.components.mailu.api_token": SecretReference("secret", "acme/token"),
    }
    with pytest.raises(ConfigurationError) as caught:
        _resolver().resolve_all(references)
    assert list(caught.value.missing) == list(references)[:2]
    assert "sudo --preserve-env=ERP_KEY" in str(caught.value)
    assert "agencystack secret set acme/erp" in str(caught.value)
    assert "from the store" not in str(caught.value)


def test_all_that_is_there_is_returned_by_place() -> None:
    found = _resolver(A="aaaa").resolve_all(
        {"x": SecretReference("env", "A"), "y": SecretReference("secret", "acme/token")}
    )
    assert found == {"x": Secret("aaaa"), "y": Secret("from the store")}
