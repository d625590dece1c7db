"""Live DNS against what Mailu expects: equal in meaning is equal, and not knowing is no failure."""

from __future__ import annotations

import socket
import time

import pytest

from agencystack.components.dns import Compared, NoAnswer, SystemResolver, compare_dns, parse_record

KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12
MX = "acme.test. 600 IN MX 10 mail.lab.test."
SPF = 'acme.test. 600 IN TXT "v=spf1 mx a:mail.lab.test ~all"'
DKIM = f'dkim._domainkey.acme.test. 600 IN TXT "v=DKIM1; k=rsa; p={KEY}"'
DMARC = '_dmarc.acme.test. 600 IN TXT "v=DMARC1; p=reject; rua=mailto:admin@lab.test; adkim=s; aspf=s"'


class Zone:
    """Answers from a table."""

    def __init__(self, records: dict[tuple[str, str], list[str]]) -> None:
        self._records = records

    def lookup(self, name: str, kind: str) -> list[str]:
        return self._records.get((name, kind), [])


def one(expected: str, *live: str) -> Compared:
    record = parse_record(expected)
    (compared,) = compare_dns([expected], Zone({(record.name, record.type): list(live)}))
    return compared


def test_every_record_has_its_purpose() -> None:
    compared = compare_dns([MX, SPF, DKIM, DMARC], Zone({}))
    assert [(record.kind, record.state) for record in compared] == [
        ("MX", "missing"),
        ("SPF", "missing"),
        ("DKIM", "missing"),
        ("DMARC", "missing"),
    ]
    assert compared[1].expected == "v=spf1 mx a:mail.lab.test ~all"


@pytest.mark.parametrize(
    ("live", "state"),
    [
        (["20 MAIL.lab.test."], "ok"),
        (["10 other.test.", "20 mail.lab.test."], "ok"),
        (["10 other.test."], "differs"),
        ([], "missing"),
    ],
)
def test_mx_is_compared_by_host(live: list[str], state: str) -> None:
    assert one(MX, *live).state == state


def test_spf_is_found_among_other_texts() -> None:
    compared = one(SPF, '"google-site-verification=x"', '"v=spf1  mx a:mail.lab.test ~all"')
    assert compared.state == "ok"
    assert compared.live == ("v=spf1  mx a:mail.lab.test ~all",)


def test_other_texts_alone_are_no_spf() -> None:
    assert one(SPF, '"google-site-verification=x"').state == "missing"


def test_another_spf_differs_and_is_shown() -> None:
    compared = one(SPF, '"v=spf1 include:_spf.example.com -all"')
    assert (compared.state, compared.live) == ("differs", ("v=spf1 include:_spf.example.com -all",))


def test_two_spf_records_are_wrong_even_if_one_is_right() -> None:
    assert one(SPF, '"v=spf1 mx a:mail.lab.test ~all"', '"v=spf1 -all"').state == "differs"


def test_dkim_key_in_pieces_is_joined() -> None:
    text = f"v=DKIM1;k=rsa;  p={KEY}"
    assert one(DKIM, f'"{text[:255]}" "{text[255:]}"').state == "ok"


def test_dkim_key_is_compared_with_case() -> None:
    assert one(DKIM, f'"v=DKIM1; k=rsa; p={KEY.lower()}"').state == "differs"


def test_dmarc_tags_may_be_spaced_and_ended() -> None:
    live = '"v=DMARC1;p=reject;rua=mailto:admin@lab.test;adkim=s;aspf=s;"'
    assert one(DMARC, live).state == "ok"
    assert one(DMARC, live.replace("reject", "none")).state == "differs"


def test_escaped_semicolons_are_plain_ones() -> None:
    live = '"v=DMARC1\\; p=reject\\; rua=mailto:admin@lab.test\\; adkim=s\\; aspf=s"'
    assert one(DMARC, live).state == "ok"


def test_no_answer_is_unknown_with_its_reason() -> None:
    class Silent:
        def lookup(self, name: str, kind: str) -> list[str]:
            raise NoAnswer("the resolver did not answer")

    (compared,) = compare_dns([MX], Silent())
    assert (compared.state, compared.reason, compared.live) == ("unknown", "the resolver did not answer", ())


def test_silent_resolver_is_unknown_in_time() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = SystemResolver(["127.0.0.1"], port=silent.getsockname()[1], lifetime=0.5)
        began = time.monotonic()
        (compared,) = compare_dns([MX], resolver)
    assert compared.state == "unknown"
    assert compared.reason
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("line", ["", "acme.test. MX 10 mail.test.", "acme.test. x IN MX 10 mail.test."])
def test_a_line_that_is_no_record(line: str) -> None:
    with pytest.raises(ValueError, match="is no zone file line"):
        parse_record(line)
