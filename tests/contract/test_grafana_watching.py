"""Grafana's data sources, dashboards and alerting, as a real Grafana 10.0 was recorded: the stand-in, and that Grafana.

The real one is the server that ``scripts/sandbox-grafana`` builds; where it is not built, its half is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agencystack.components.grafana import Alerting, ContactPoint, Grafana
from agencystack.sandbox.grafana import GrafanaStandIn
from agencystack.sandbox.tls import ensure_certificates
from agencystack.stack.errors import ComponentRef
from agencystack.stack.secrets import Secret
from tests.grafana_real import real_grafana
from tests.mail_servers import Mailbox, smtp
from tests.serving import served

RECORDING = json.loads((Path(__file__).parent / "recordings" / "grafana" / "watching.json").read_text())
ADMIN, PASSWORD = "admin", "a-password-of-the-admin"
CALLERS = {"admin": (ADMIN, PASSWORD), "viewer": ("viewer", "viewer-password")}
VIEWER = {"name": "Viewer", "login": "viewer", "email": "viewer@acme.example", "password": "viewer-password"}
EDITABLE = {"X-Disable-Provenance": "true"}


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def grafana(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "real":
        with real_grafana(tmp_path, PASSWORD) as url:
            made = httpx.post(f"{url}/api/admin/users", json=VIEWER, auth=CALLERS["admin"])
            assert made.status_code == 200, made.text
            yield url
        return
    app = GrafanaStandIn(tmp_path, root_url="http://grafana.acme.example", admin_password=PASSWORD)
    app.people.add_viewer(VIEWER["login"], VIEWER["email"], VIEWER["password"])
    with served(app) as url:
        yield url


def test_it_answers_as_recorded(grafana: str) -> None:
    for exchange in RECORDING["exchanges"]:
        request, response = exchange["request"], exchange["response"]
        answer = httpx.request(
            request["method"],
            grafana + request["path"],
            json=request.get("body"),
            auth=CALLERS[request["as"]],
            headers=EDITABLE,
            timeout=30,
        )
        assert answer.status_code == response["status"], f"{exchange['name']}: {answer.text}"
        told = json.loads(answer.text or '"nothing"')
        if "json" in response:
            assert told == response["json"], exchange["name"]
        if "has" in response:
            assert _part(told, response["has"]) == response["has"], exchange["name"]


def _part(answer: Any, wanted: Any) -> Any:
    if isinstance(wanted, dict) and isinstance(answer, dict):
        return {key: _part(answer.get(key), value) for key, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(answer, list) and len(answer) == len(wanted):
        return [_part(one, other) for one, other in zip(answer, wanted, strict=True)]
    return answer


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real)])
def mailing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Alerting, Mailbox]]:
    """Give the alerting of a Grafana that sends through a mail server of the test's own, and what that got."""
    mailbox, folder = Mailbox(), tmp_path / "mail"
    folder.mkdir()
    with smtp(mailbox, folder) as port:
        said = {
            "enabled": "true",
            "host": f"localhost:{port}",
            "user": "grafana@acme.example",
            "password": mailbox.password,
            "from_address": "grafana@acme.example",
            "from_name": "Acme",
            "startTLS_policy": "MandatoryStartTLS",
        }
        authority = ensure_certificates(folder).ca
        if request.param == "real":
            named = {f"GF_SMTP_{name.upper()}": value for name, value in said.items()}
            made = real_grafana(tmp_path / "grafana", PASSWORD, {**named, "SSL_CERT_FILE": str(authority)})
        else:
            app = GrafanaStandIn(
                tmp_path / "grafana", root_url="http://g", admin_password=PASSWORD, ca_file=authority, smtp=said
            )
            made = served(app)
        with made as url:
            client = Grafana(ComponentRef("shared", "grafana"), url, user=ADMIN, password=Secret(PASSWORD))
            used = client.smtp()
            assert (used.enabled, used.user, used.host) == (True, said["user"], said["host"])
            yield Alerting(client.calls), mailbox
            client.close()


def test_a_test_alert_is_sent_with_our_subject_over_tls(mailing: tuple[Alerting, Mailbox]) -> None:
    alerting, mailbox = mailing
    point = ContactPoint(
        uid="", name="t", type="email", settings={"addresses": "ops@acme.example", "subject": "AgencyStack 4711"}
    )
    result = alerting.test(point, {"summary": "nothing is wrong"}, {"agencystack": "acme"})
    assert (result.status, result.error) == ("ok", "")
    [mail] = mailbox.received
    assert (mail.sender, mail.to, mail.tls) == ("grafana@acme.example", ["ops@acme.example"], True)
    assert "Subject: AgencyStack 4711" in mail.data
    assert "nothing is wrong" in mail.data


def test_what_the_mail_server_refuses_is_told(mailing: tuple[Alerting, Mailbox]) -> None:
    alerting, mailbox = mailing
    mailbox.refuse_sender = "somebody@else.example"
    point = ContactPoint(uid="", name="t", type="email", settings={"addresses": "ops@acme.example"})
    result = alerting.test(point, {}, {"agencystack": "acme"})
    assert result.status == "failed"
    assert "553" in result.error
