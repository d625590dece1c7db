"""Products that are down, slow, wrong or in other hands: named, with what to do, and nothing made meanwhile."""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agencystack.sandbox.tls import ensure_certificates
from tests.e2e.lab import APPLICATIONS, WEB, Lab, Outcome

EXIT_FAILED, EXIT_UNREACHABLE = 1, 4


@pytest.fixture
def before(lab: Lab) -> dict[str, Any]:
    found = lab.products()
    lab.forget_calls()
    return found


def reference(name: str) -> str:
    return "shared/mailu" if name == "mailu" else f"acme/{name}"


def affected(name: str) -> tuple[str, ...]:
    return APPLICATIONS if name == "mailu" else (name,)


def assert_nothing_made(lab: Lab, before: dict[str, Any]) -> None:
    assert lab.writes() == []
    lab.forgive()
    assert lab.products() == before


# -- down, slow, HTML


@pytest.mark.parametrize("name", WEB)
def test_a_product_that_is_down(lab: Lab, before: dict[str, Any], name: str):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        lab.edit(lambda stack: lab.component(stack, name).update(url=url))
        done = lab.integrate(*(f"--component={application}" for application in affected(name)))
    assert done.code == EXIT_UNREACHABLE
    for application in affected(name):
        assert done.statuses()[application] == "blocked"
        assert reference(name) in done.reason(application)
        assert url in done.reason(application)
    assert_nothing_made(lab, before)


def test_the_others_are_integrated_while_one_is_down(lab: Lab):
    lab.fault("erpnext", {"status": 503, "times": 0})
    done = lab.integrate()
    assert done.code == EXIT_UNREACHABLE
    assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied") | {"erpnext": "blocked"}
    assert lab.ours("erpnext")["user"] is None
    lab.forgive()
    assert lab.integrated().json["changes"] == len(lab.plan().json["results"][1]["changes"]) + 4


@pytest.mark.parametrize("name", WEB)
def test_a_product_that_answers_html(lab: Lab, before: dict[str, Any], name: str):
    lab.fault(name, {"html": True, "times": 0})
    done = lab.integrate(*(f"--component={application}" for application in affected(name)))
    assert done.code == EXIT_FAILED
    for application in affected(name):
        assert reference(name) in done.reason(application)
        assert "instead of JSON" in done.reason(application)
        assert "api_url" in done.reason(application)
    assert_nothing_made(lab, before)


def test_products_that_hang_are_each_given_up_after_our_own_limit(lab: Lab, before: dict[str, Any]):
    for name in WEB:
        lab.fault(name, {"hang": True, "times": 0})
    with lab.start("components", "--json") as looking:
        done = lab.integrate()
        seen = Outcome(looking.wait(), *map(str, looking.communicate()))
    assert (done.code, seen.code) == (EXIT_UNREACHABLE, EXIT_UNREACHABLE)
    states = {item["component"]: item for item in seen.json["components"]}
    for name in WEB:
        assert states[name]["state"] == "unreachable"
        assert f"{reference(name)}: did not answer" in states[name]["detail"]
    assert set(done.statuses().values()) == {"blocked"}
    assert_nothing_made(lab, before)


def test_a_slow_product_is_waited_for(lab: Lab):
    lab.fault("mailu", {"latency": 1.0, "times": 3})
    assert lab.integrate("--component", "erpnext").code == 0


def test_a_mailu_that_is_overloaded_is_not_hammered(lab: Lab, before: dict[str, Any]):
    lab.fault("mailu", {"status": 429, "retry_after": 60, "times": 0})
    done = lab.integrate()
    assert done.code == EXIT_UNREACHABLE
    assert len(lab.calls("mailu")) == 1
    assert_nothing_made(lab, before)


# -- WordPress and Chatwoot are reached by programs


def program(lab: Lab, name: str) -> Path:
    places = {"wordpress": "wordpress/acme/site/vendor/bin/wp", "chatwoot": "chatwoot/acme/bin/bundle"}
    return lab.folder / "sandbox/data" / places[name]


def put_program(lab: Lab, name: str, script: str) -> None:
    """Put another program in the place of a product's, with the rights of the one that was there."""
    lab.edit(lambda _: None)
    program(lab, name).write_text(f"#!/bin/sh\ncat >/dev/null\n{script}\n")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'PHP Fatal error:  Uncaught Error in a plugin' >&2; exit 255", "Uncaught Error"),
        ("echo 'Error: Error establishing a database connection.' >&2; exit 1", "database"),
        ("echo '<!DOCTYPE html><html><body>Briefly unavailable</body></html>'", ""),
    ],
    ids=["dies", "has no database", "answers HTML"],
)
def test_a_wordpress_that_does_not_work(lab: Lab, before: dict[str, Any], script: str, words: str):
    put_program(lab, "wordpress", script)
    done = lab.integrate()
    assert done.code in (EXIT_FAILED, EXIT_UNREACHABLE)
    assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied") | {"wordpress": "blocked"}
    assert "acme/wordpress" in done.reason("wordpress")
    assert words in done.reason("wordpress")
    assert lab.ours("wordpress") == {"user": None, "tokens": []}
    assert lab.products()["wordpress"] == before["wordpress"]


def test_without_wp_cli_and_php_wordpress_alone_is_blocked(lab: Lab):
    program(lab, "wordpress").unlink()
    lab.edit(lambda _: None)
    done = lab.integrate(env={"PATH": "/nonexistent"})
    assert done.statuses()["wordpress"] == "blocked"
    assert "acme/wordpress" in done.reason("wordpress")
    assert lab.ours("wordpress") == {"user": None, "tokens": []}


def test_a_chatwoot_that_does_not_start_is_put_right_by_the_next_run(lab: Lab):
    working = program(lab, "chatwoot").read_text()
    put_program(lab, "chatwoot", "echo 'Could not find rails' >&2; exit 7")
    done = lab.integrate()
    assert done.code == EXIT_FAILED
    assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied") | {"chatwoot": "pending"}
    assert "acme/chatwoot" in done.reason("chatwoot")
    program(lab, "chatwoot").write_text(working)
    lab.integrated()


# -- credentials and rights


def test_a_wrong_mailu_token_is_tried_exactly_once(lab: Lab, before: dict[str, Any]):
    right = lab.credential("mailu/api-token")
    path = lab.folder / "sandbox/credentials/mailu/api-token"
    lab.edit(lambda _: None)
    path.write_text("wrong-token-0123456789\n")
    done = lab.integrate()
    path.write_text(right)
    assert done.code == EXIT_FAILED
    assert [call["status"] for call in lab.calls("mailu")] == [403]
    for application in APPLICATIONS:
        assert done.statuses()[application] == "blocked"
        assert "shared/mailu" in done.reason(application)
        assert "api_token" in done.reason(application) or "API_TOKEN" in done.reason(application)
    assert "wrong-token" not in done.out + done.err
    assert_nothing_made(lab, before)


def test_an_erpnext_user_without_rights(lab: Lab, before: dict[str, Any]):
    lab.erpnext(
        *("POST", "resource/User"),
        email="reader@acme.example",
        first_name="Reader",
        send_welcome_email=0,
        roles=[],
    )
    keys = lab.erpnext("POST", "method/frappe.core.doctype.user.user.generate_keys", user="reader@acme.example")
    key = lab.erpnext("GET", "resource/User/reader@acme.example")["data"]["api_key"]
    credentials = lab.folder / "sandbox/credentials/acme/erpnext"
    admin = [(credentials / name).read_text() for name in ("api-key", "api-secret")]
    (credentials / "api-key").write_text(key)
    (credentials / "api-secret").write_text(keys["message"]["api_secret"])
    lab.forget_calls()
    done = lab.integrate("--component", "erpnext")
    for name, value in zip(("api-key", "api-secret"), admin, strict=True):
        (credentials / name).write_text(value)
    assert done.code == EXIT_FAILED
    assert done.statuses() == {"erpnext": "blocked"}
    assert "acme/erpnext" in done.reason("erpnext")
    assert "System Manager" in done.reason("erpnext")
    assert_nothing_made(lab, before)


# -- certificates and the way in


def test_a_mail_server_whose_certificate_is_not_trusted(lab: Lab, before: dict[str, Any], tmp_path: Path):
    other = tmp_path / "tls"
    ensure_certificates(other)
    authority = lab.folder / "other-ca.pem"
    authority.write_bytes((other / "ca.pem").read_bytes())
    authority.chmod(0o644)
    lab.edit(lambda stack: lab.component(stack, "mailu").update(ca_file=str(authority)))
    done = lab.integrate()
    assert done.code == EXIT_FAILED
    for application in APPLICATIONS:
        assert done.statuses()[application] == "blocked"
        assert "certificate" in done.reason(application)
    assert_nothing_made(lab, before)


def test_a_product_whose_certificate_is_not_trusted(lab: Lab, before: dict[str, Any]):
    with https_server(lab) as port:
        url = f"https://localhost:{port}"
        lab.edit(lambda stack: lab.component(stack, "erpnext").update(url=url))
        done = lab.integrate("--component", "erpnext")
    assert done.code == EXIT_UNREACHABLE
    assert f"acme/erpnext: its certificate at {url} is not trusted" in done.reason("erpnext")
    assert "ca_file" in done.reason("erpnext")
    assert_nothing_made(lab, before)


@contextmanager
def https_server(lab: Lab) -> Iterator[int]:
    """Serve nothing at all, with the certificate of the sandbox."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.folder / "sandbox/tls/server.pem", lab.folder / "sandbox/tls/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


INSIDE = "mail.sandbox.test"


def inside(lab: Lab, patch: str) -> None:
    """Change what the products' own processes see of the network, and nothing else."""
    lab.edit(lambda _: None)
    for name in ("wordpress", "chatwoot"):
        path = program(lab, name)
        text = path.read_text()
        assert "import sys;" in text
        path.write_text(text.replace("import sys;", f"import sys, socket; {patch};", 1))


def test_a_mail_server_that_only_the_application_reaches(lab: Lab):
    """Its name exists inside alone: we never connect to it ourselves."""
    inside(
        lab,
        "real = socket.getaddrinfo; socket.getaddrinfo = lambda host, *rest, **named: "
        f'real("localhost" if host == "{INSIDE}" else host, *rest, **named)',
    )
    lab.edit(lambda stack: lab.component(stack, "mailu").update(hostname=INSIDE))
    lab.edit(lambda stack: lab.component(stack, "mailu")["submission"].update(host=INSIDE))
    done = lab.integrate("--component", "wordpress")
    assert done.code == 0, done.reason("wordpress")
    assert lab.integrate("--component", "erpnext").statuses() == {"erpnext": "blocked"}


def test_a_mail_server_that_only_we_reach(lab: Lab, before: dict[str, Any]):
    inside(lab, "socket.getaddrinfo = lambda *_, **__: (_ for _ in ()).throw(socket.gaierror(-2))")
    done = lab.integrate("--component", "wordpress")
    assert done.code == EXIT_FAILED
    assert done.statuses() == {"wordpress": "blocked"}
    assert "acme/wordpress" in done.reason("wordpress")
    assert "inside" in done.reason("wordpress")
    assert lab.integrate("--component", "erpnext").code == 0
    assert lab.products()["wordpress"] == before["wordpress"]
    assert lab.ours("wordpress") == {"user": None, "tokens": []}


# -- what is somebody else's


def test_a_mailbox_that_a_person_has_is_blocked_until_adopted_and_given_back(lab: Lab):
    lab.mailu("POST", "/user", email="wordpress@acme.example", raw_password="of-a-person", comment="Anna's")
    plan, before = lab.planned(), lab.products()
    done = lab.integrate()
    assert done.code == EXIT_FAILED
    assert done.statuses() == dict.fromkeys(APPLICATIONS, "applied") | {"wordpress": "blocked"}
    assert "wordpress@acme.example exists and is not ours" in done.reason("wordpress")
    assert "adopt: true" in done.reason("wordpress")
    assert lab.ours("wordpress")["user"]["comment"] == "Anna's"
    lab.allow("adopt", "wordpress")
    adopted = lab.integrated()
    [change] = [
        c for c in adopted.json["results"][-1]["changes"] if c["resource"].endswith("user wordpress@acme.example")
    ]
    assert change["action"] == "adopt"
    assert lab.undo().code == 0
    assert lab.products() == before
    lab.edit(lambda stack: stack["clients"]["acme"].pop("integrations"))
    assert lab.planned() == plan


def relay_in_wordpress(lab: Lab) -> None:
    with lab.wordpress() as store:
        store["plugins"]["wp-mail-smtp"] = {
            "file": "wp-mail-smtp/wp_mail_smtp.php",
            "name": "WP Mail SMTP",
            "version": "4.8.0",
            "active": True,
        }
        store["options"]["wp_mail_smtp"] = {
            "mail": {"from_email": "a@acme.example", "from_name": "A", "mailer": "smtp", "return_path": True},
            "smtp": {"host": "smtp.relay.example", "port": 587, "encryption": "tls", "auth": True, "user": "u"},
            "general": {"summary_report_email_disabled": True},
        }


def relay_in_erpnext(lab: Lab) -> None:
    lab.mailu("POST", "/user", email="relay@acme.example", raw_password="of-a-person")
    ports = lab.ports
    servers = {"smtp_server": "localhost", "smtp_port": ports["smtps"], "use_ssl_for_outgoing": 1, "use_tls": 0}
    lab.erpnext(
        *("POST", "resource/Email Account"),
        email_id="relay@acme.example",
        email_account_name="Relay",
        password="of-a-person",
        enable_outgoing=1,
        default_outgoing=1,
        **servers,
    )


def relay_in_listmonk(lab: Lab) -> None:
    settings = lab.listmonk("GET", "settings")["data"]
    server = {**settings["smtp"][0], "host": "smtp.relay.example", "username": "u", "password": "p", "enabled": True}
    lab.listmonk("PUT", "settings", {**settings, "smtp": [server]})


def relay_in_chatwoot(lab: Lab) -> None:
    lab.change_env("SMTP_ADDRESS", "smtp.relay.example")
    lab.change_env("SMTP_USERNAME", "u")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (relay_in_wordpress, "wordpress"),
        (relay_in_erpnext, "erpnext"),
        (relay_in_listmonk, "listmonk"),
        (relay_in_chatwoot, "chatwoot"),
    ],
    ids=["wordpress", "erpnext", "listmonk", "chatwoot"],
)
def test_a_mail_relay_of_somebody_else(lab: Lab, make: Callable[[Lab], None], name: str):
    make(lab)
    before = lab.products()
    lab.forget_calls()
    blocked = lab.integrate("--component", name)
    assert blocked.code == EXIT_FAILED
    assert blocked.statuses() == {name: "blocked"}
    assert "replace: true" in blocked.reason(name)
    assert "relay" in blocked.reason(name).lower()
    assert_nothing_made(lab, before)
    lab.allow("replace", name)
    assert lab.integrate("--component", name).statuses() == {name: "applied"}
    assert lab.undo("--component", name).code == 0
    assert lab.products() == before


# -- the disk


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Put a small file system in the place of a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs the right to mount one")
def test_a_disk_that_is_full_stops_before_the_product_is_touched_and_the_next_run_goes_on(lab: Lab):
    before = lab.products()
    with small_disk(lab.folder / "integrations/state", "16k"):
        full = lab.integrate("--component", "erpnext")
        assert full.code == 2
        assert "No space left" in full.reason("erpnext")
        assert "free space" in full.reason("erpnext")
        subprocess.run(["mount", "-o", "remount,size=4m", str(lab.folder / "integrations/state")], check=True)
        again = lab.integrate("--component", "erpnext")
        assert again.statuses() == {"erpnext": "applied"}, again.out
        assert len(lab.ours("erpnext")["tokens"]) == 1
        assert lab.undo().code == 0
    assert lab.products() == before


def test_records_are_readable_by_their_owner_alone(applied: Lab):
    for path in (applied.folder / "integrations").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
