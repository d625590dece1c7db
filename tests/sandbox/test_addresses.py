"""Ports and certificates are made once and stay true."""

from __future__ import annotations

import socket
import ssl
import stat

import pytest
from cryptography import x509

from agencystack.sandbox.ports import FIRST, LAST, ensure_ports, taken
from agencystack.sandbox.tls import ensure_certificates
from agencystack.stack.errors import ConfigurationError


def test_ports_are_kept_and_new_names_get_others(tmp_path):
    first = ensure_ports(tmp_path / "ports.json", ["a", "b"])
    assert ensure_ports(tmp_path / "ports.json", ["b", "a"]) == first
    more = ensure_ports(tmp_path / "ports.json", ["a", "b", "c"])
    assert more.items() > first.items()
    assert len(set(more.values())) == 3
    assert all(FIRST <= port < LAST for port in more.values())


def test_a_port_in_use_is_never_chosen_and_is_reported(tmp_path):
    port = ensure_ports(tmp_path / "one.json", ["a"])["a"]
    assert taken({"a": port}) == {}
    with socket.create_server(("127.0.0.1", port)):
        assert taken({"a": port}) == {"a": port}
        others = ensure_ports(tmp_path / "other.json", [str(number) for number in range(500)])
        assert port not in others.values()


def test_a_damaged_file_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "ports.json").write_text("{")
    with pytest.raises(ConfigurationError, match="is damaged"):
        ensure_ports(tmp_path / "ports.json", ["a"])


def test_certificates_are_made_once_for_the_names_of_the_sandbox(tmp_path):
    made = ensure_certificates(tmp_path / "tls")
    before = made.certificate.read_bytes()
    assert ensure_certificates(tmp_path / "tls").certificate.read_bytes() == before
    names = x509.load_pem_x509_certificate(before).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "mail.sandbox.test"]
    assert "127.0.0.1" in [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == ["ca.pem", "server.key", "server.pem"]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "mail.sandbox.test"])
def test_a_strict_client_trusts_them_under_each_name(tmp_path, name):
    made = ensure_certificates(tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(made.certificate, made.key)
    client_side = ssl.create_default_context(cafile=made.ca)
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    handshake(client_side, server_side, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client_side, server_side, "elsewhere.example")


def handshake(client_side: ssl.SSLContext, server_side: ssl.SSLContext, name: str) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
