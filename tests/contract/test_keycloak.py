"""Keycloak's client on a real Keycloak: each thing made, read, changed and removed, and what it refuses.

On the one this machine has (keycloak_server.py says how), or the one AGENCYSTACK_TEST_STACK=stack.yaml names. Nothing
outside a realm of its own is touched.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from ruamel.yaml import YAML

from agencystack.components.keycloak import Absent, AdminLogin, Keycloak, Realm
from agencystack.sandbox.keycloak import KeycloakService
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, Refused, Unavailable
from agencystack.stack.model import Stack
from agencystack.stack.products import Keycloak as KeycloakSettings
from agencystack.stack.references import SecretResolver
from agencystack.stack.secrets import Secret
from tests.contract.keycloak_server import WHERE, connected, running
from tests.serving import free_port

pytestmark = pytest.mark.real
CLIENT = {
    "redirectUris": ["http://wp.acme.example/callback"],
    "attributes": {"agencystack.owner": "acme/sso/wordpress", "pkce.code.challenge.method": "S256"},
    "fullScopeAllowed": False,
}
ROLES_MAPPER = {
    "protocolMapper": "oidc-usermodel-client-role-mapper",
    "config": {"claim.name": "roles", "multivalued": "true", "id.token.claim": "true"},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeycloakService | None]:
    """The Keycloak of this machine; None where AGENCYSTACK_TEST_STACK names another."""
    if os.environ.get("AGENCYSTACK_TEST_STACK"):
        yield None
        return
    with running(tmp_path_factory.mktemp("keycloak")) as found:
        yield found


@pytest.fixture(scope="module")
def keycloak(service: KeycloakService | None) -> Iterator[Keycloak]:
    client = connected(service) if service else _named_by_stack(Path(os.environ["AGENCYSTACK_TEST_STACK"]))
    yield client
    client.close()


@pytest.fixture
def ours(service: KeycloakService | None) -> KeycloakService:
    if service is None:
        pytest.skip("AGENCYSTACK_TEST_STACK names a Keycloak we did not start")
    return service


@pytest.fixture(scope="module")
def realm(keycloak: Keycloak) -> Iterator[Realm]:
    """A realm of our own."""
    made = keycloak.realm(f"agencystack-contract-{uuid.uuid4().hex[:8]}")
    made.create()
    yield made
    made.delete()


@pytest.fixture
def client_id(realm: Realm) -> Iterator[str]:
    """A client with the settings of an integration; gone after the test."""
    name = f"acme-{uuid.uuid4().hex[:8]}"
    realm.create_client(name, CLIENT)
    yield name
    realm.delete_client(name)


@pytest.fixture
def top(realm: Realm) -> Iterator[str]:
    """A top group of this test."""
    path = f"/acme-{uuid.uuid4().hex[:8]}"
    realm.create_group(path)
    yield path
    realm.delete_group(path)


def _named_by_stack(path: Path) -> Keycloak:
    stack = Stack.model_validate(YAML(typ="safe").load(path.read_text()))
    for ref, component in stack.all_components().items():
        if isinstance(component, KeycloakSettings) and not component.sandbox:
            secrets = {k: SecretResolver(_NoSealed()).resolve(v) for k, v in component.secret_references().items()}
            login = AdminLogin(
                realm=component.admin_realm,
                user=component.admin_user or "admin",
                password=secrets.get("admin_password"),
                client_id=component.admin_client,
                client_secret=secrets.get("admin_client_secret"),
            )
            return Keycloak(ref, component.reached_by_us(), login, ca_file=component.ca_file)
    pytest.skip("AGENCYSTACK_TEST_STACK names no real Keycloak")


class _NoSealed:
    def get(self, name: str) -> Secret | None:
        return None


def probe(realm: Realm, name: str, **other: Any) -> str:
    values = {"email": f"{name}@acme.example", "first_name": "Probe", "last_name": "User"}
    return realm.create_user(name, password=Secret("probe-password-1"), **{**values, **other})


def test_version_is_one_we_know(keycloak: Keycloak) -> None:
    assert 21 <= int(keycloak.version().split(".")[0]) <= 26


def test_absent_realm_reads_as_absent_in_every_part(keycloak: Keycloak) -> None:
    nowhere = keycloak.realm("agencystack-contract-absent")
    assert nowhere.settings() is None
    assert nowhere.clients() == {}
    assert nowhere.client_scopes() == {}
    assert nowhere.roles("acme-wordpress") == {}
    assert nowhere.group("/acme/staff") is None
    assert nowhere.users_with_prefix("agencystack-probe-") == ()
    nowhere.delete()
    with pytest.raises(Absent, match="Realm"):
        nowhere.discovery()


def test_realm_is_made_once(realm: Realm) -> None:
    with pytest.raises(Refused, match=r"409.*(already exists|Conflict)"):
        realm.create()


def test_realm_update_changes_what_it_names_and_nothing_else(realm: Realm) -> None:
    realm.update({"bruteForceProtected": True, "attributes": {"kept": "1", "gone": "2"}})
    before = realm.settings()
    assert before is not None
    after = realm.update({"verifyEmail": not before.verify_email, "attributes": {"gone": None, "new": "3"}})
    assert after.attributes == {**{k: v for k, v in before.attributes.items() if k != "gone"}, "new": "3"}
    unchanged = {"verify_email": before.verify_email, "attributes": before.attributes}
    assert after.model_copy(update=unchanged) == before


def test_realm_mail_password_is_masked_and_the_mask_keeps_it(realm: Realm) -> None:
    server = {"host": "mail.acme.example", "port": "465", "from": "login@acme.example", "auth": "true", "user": "u"}
    written = realm.update({"smtpServer": {**server, "password": "mail-password-of-a-test"}})
    assert written.smtp["password"] == "**********"
    again = realm.update({"smtpServer": {**written.smtp, "port": "587"}})
    assert again.smtp == {**written.smtp, "port": "587"}


def test_realm_mail_goes_out_with_the_password_a_mask_kept(ours: KeycloakService, realm: Realm) -> None:
    seen: list[LoginPassword] = []
    mail = Controller(_Accepting(), "127.0.0.1", free_port(), authenticator=_remembering(seen), auth_require_tls=False)
    server = {"host": "127.0.0.1", "port": str(mail.port), "from": "login@acme.example", "auth": "true", "user": "u"}
    written = realm.update({"smtpServer": {**server, "password": "mail-password-of-a-test"}})
    realm.update({"smtpServer": {**written.smtp, "fromDisplayName": "Acme"}})
    realm.update({"attributes": {"agencystack.test": "sent with the whole realm"}})
    user = probe(realm, "agencystack-probe-mail", email_verified=False)
    mail.start()
    try:
        realm.mail_link(user)
    finally:
        mail.stop()
        realm.delete_user(user)
    assert seen
    assert {login.password for login in seen} == {b"mail-password-of-a-test"}


class _Accepting:
    async def handle_DATA(self, *_: object) -> str:
        return "250 taken"


def _remembering(seen: list[LoginPassword]) -> Any:
    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        seen.append(data)
        return AuthResult(success=True)

    return authenticate


def test_realm_mail_without_a_server_is_refused(realm: Realm) -> None:
    realm.update({"smtpServer": {}})
    user = probe(realm, "agencystack-probe-no-mail", email_verified=False)
    try:
        with pytest.raises(Refused, match="mail"):
            realm.mail_link(user)
    finally:
        realm.delete_user(user)


def test_client_is_confidential_and_has_what_was_asked(realm: Realm, client_id: str) -> None:
    realm.forget()
    client = realm.client(client_id)
    assert client is not None
    assert not client.public_client
    assert not client.direct_access_grants_enabled
    assert not client.full_scope_allowed
    assert client.redirect_uris == ("http://wp.acme.example/callback",)
    assert client.attributes["agencystack.owner"] == "acme/sso/wordpress"
    assert client.secret is not None
    assert len(client.secret.reveal()) >= 32
    assert client.secret.reveal() not in repr(client)
    assert "secret" not in client.raw


def test_client_update_keeps_what_a_person_set(realm: Realm, client_id: str) -> None:
    secret = realm.client_secret(client_id)
    realm.create_mapper(client_id, "of a person", ROLES_MAPPER)
    realm.add_client_scope(client_id, "address")
    realm.update_client(client_id, {"description": "of a person", "attributes": {"login_theme": "keycloak"}})
    before = realm.client(client_id)
    realm.update_client(client_id, {"redirectUris": ["http://new.acme.example/callback"]})
    realm.forget()
    after = realm.client(client_id)
    assert before is not None
    assert after is not None
    assert after.redirect_uris == ("http://new.acme.example/callback",)
    assert after.secret == secret
    assert after.attributes == before.attributes
    assert after.description == "of a person"
    assert after.protocol_mappers == before.protocol_mappers
    assert set(after.default_client_scopes) == set(before.default_client_scopes)


def test_client_attribute_set_to_none_goes(realm: Realm, client_id: str) -> None:
    changed = realm.update_client(client_id, {"attributes": {"pkce.code.challenge.method": None}})
    assert "pkce.code.challenge.method" not in changed.attributes
    assert changed.attributes["agencystack.owner"] == "acme/sso/wordpress"


def test_new_secret_replaces_the_old(realm: Realm, client_id: str) -> None:
    old = realm.client_secret(client_id)
    new = realm.new_client_secret(client_id)
    assert new != old
    assert realm.client_secret(client_id) == new
    realm.forget()
    assert realm.client_secret(client_id) == new


def test_public_client_has_no_secret(realm: Realm) -> None:
    realm.create_client("acme-public", {"publicClient": True})
    try:
        with pytest.raises(Refused, match="has no secret"):
            realm.client_secret("acme-public")
    finally:
        realm.delete_client("acme-public")


def test_refusals_carry_keycloaks_words(realm: Realm, client_id: str) -> None:
    with pytest.raises(Refused, match=f"Client {client_id} already exists"):
        realm.create_client(client_id, {})
    with pytest.raises(Refused, match="fragment"):
        realm.create_client("acme-bad", {"redirectUris": ["http://wp.acme.example/#part"]})
    with pytest.raises(Refused, match="fragment"):
        realm.update_client(client_id, {"redirectUris": ["http://wp.acme.example/#part"]})
    with pytest.raises(Absent, match="no client acme-nobody"):
        realm.update_client("acme-nobody", {"name": "x"})


def test_deleting_what_is_absent_is_nothing(realm: Realm, client_id: str) -> None:
    def held() -> object:
        realm.forget()
        return dict(realm.clients()), dict(realm.roles(client_id)), realm.count_users()

    before = held()
    realm.delete_client("acme-nobody")
    realm.delete_mapper(client_id, "nothing")
    realm.delete_role(client_id, "nothing")
    realm.delete_group("/nowhere/at-all")
    realm.delete_user(str(uuid.uuid4()))
    assert held() == before


def test_client_deleted_by_somebody_else_meanwhile(realm: Realm, keycloak: Keycloak) -> None:
    realm.create_client("acme-gone", {})
    _behind_our_back(keycloak, realm, "acme-gone")
    realm.delete_client("acme-gone")
    assert realm.client("acme-gone") is None


def _behind_our_back(keycloak: Keycloak, realm: Realm, client_id: str) -> None:
    other = Keycloak(WHERE, keycloak.url, keycloak._login)
    other.realm(realm.name).delete_client(client_id)
    other.close()


def test_mapper_life(realm: Realm, client_id: str) -> None:
    realm.create_mapper(client_id, "roles", ROLES_MAPPER)
    with pytest.raises(Refused, match="same name"):
        realm.create_mapper(client_id, "roles", ROLES_MAPPER)
    realm.update_mapper(client_id, "roles", {"config": {"claim.name": "our_roles"}})
    realm.forget()
    mapper = _client(realm, client_id).mapper("roles")
    assert mapper is not None
    assert mapper.config["claim.name"] == "our_roles"
    assert mapper.config["multivalued"] == "true"
    assert mapper.protocol_mapper == "oidc-usermodel-client-role-mapper"
    realm.delete_mapper(client_id, "roles")
    realm.forget()
    assert _client(realm, client_id).protocol_mappers == ()


def test_client_scopes_are_given_and_taken(realm: Realm, client_id: str) -> None:
    assert {"profile", "email", "address"} <= set(realm.client_scopes())
    realm.add_client_scope(client_id, "address", optional=True)
    realm.remove_client_scope(client_id, "profile")
    client = _client(realm, client_id)
    assert "address" in client.optional_client_scopes
    assert "profile" not in client.default_client_scopes
    realm.remove_client_scope(client_id, "address", optional=True)
    realm.add_client_scope(client_id, "profile")
    realm.forget()
    client = _client(realm, client_id)
    assert "address" not in client.optional_client_scopes
    assert "profile" in client.default_client_scopes
    with pytest.raises(Absent, match="no client scope nothing"):
        realm.add_client_scope(client_id, "nothing")


def test_roles_of_any_name(realm: Realm, client_id: str) -> None:
    names = {"editor", "Sales User", "we/ird%?#;", "Büro"}
    for name in names:
        realm.create_role(client_id, name, "from a test")
    realm.forget()
    assert set(realm.roles(client_id)) == names
    assert realm.roles(client_id)["editor"].description == "from a test"
    with pytest.raises(Refused, match="already exists"):
        realm.create_role(client_id, "editor")
    for name in names:
        realm.delete_role(client_id, name)
    realm.forget()
    assert realm.roles(client_id) == {}


def test_groups_at_any_depth(realm: Realm, top: str) -> None:
    made = realm.create_group(f"{top}/staff/Büro & Co")
    assert made.path == f"{top}/staff/Büro & Co"
    realm.forget()
    assert realm.group(f"{top}/staff") is not None
    assert realm.group(f"{top}/staff/Büro & Co") == made
    assert realm.group(f"{top}/nobody") is None
    assert realm.group("/nobody/at-all") is None
    with pytest.raises(Refused, match="already exists"):
        realm.create_group(f"{top}/staff")
    realm.delete_group(f"{top}/staff")
    assert realm.group(f"{top}/staff/Büro & Co") is None


def test_all_of_many_groups_are_seen(realm: Realm, top: str) -> None:
    for number in range(12):  # Keycloak shows 10 unless asked for more
        realm.create_group(f"{top}/group-{number}")
    realm.forget()
    assert all(realm.group(f"{top}/group-{number}") for number in range(12))


def test_group_with_people_or_groups_in_it_has_members(realm: Realm, top: str) -> None:
    assert not realm.has_members(top)
    assert not realm.has_members("/nobody")
    realm.create_group(f"{top}/staff")
    realm.forget()
    assert realm.has_members(top)
    assert not realm.has_members(f"{top}/staff")
    before = realm.count_users()
    user = probe(realm, "agencystack-probe-member", groups=[f"{top}/staff"])
    try:
        assert realm.has_members(f"{top}/staff")
        assert realm.count_users() == before + 1
    finally:
        realm.delete_user(user)


def test_group_gives_roles_and_takes_them(realm: Realm, client_id: str, top: str) -> None:
    for name in ("editor", "Sales User"):
        realm.create_role(client_id, name)
    realm.create_group(f"{top}/staff")
    realm.add_group_client_roles(f"{top}/staff", client_id, ["editor", "Sales User"])
    realm.forget()
    assert realm.group_client_roles(f"{top}/staff", client_id) == ("Sales User", "editor")
    assert realm.group_client_roles(top, client_id) == ()
    realm.remove_group_client_roles(f"{top}/staff", client_id, ["Sales User"])
    realm.forget()
    assert realm.group_client_roles(f"{top}/staff", client_id) == ("editor",)
    realm.add_group_client_roles(top, client_id, ["Sales User"])
    realm.forget()
    assert realm.group_client_roles(top, client_id) == ("Sales User",)
    with pytest.raises(Absent, match="no role nothing"):
        realm.add_group_client_roles(top, client_id, ["nothing"])


def test_user_gets_roles_through_groups(realm: Realm, client_id: str, top: str) -> None:
    realm.create_role(client_id, "editor")
    realm.create_group(f"{top}/staff")
    realm.add_group_client_roles(f"{top}/staff", client_id, ["editor"])
    user = probe(realm, "agencystack-probe-1-Ab", groups=[f"{top}/staff"])
    try:
        assert realm.effective_client_roles(user, client_id) == ("editor",)
        assert realm.user_groups(user) == (f"{top}/staff",)
        realm.set_user_groups(user, [top])
        assert realm.user_groups(user) == (top,)
        assert realm.effective_client_roles(user, client_id) == ()
    finally:
        realm.delete_user(user)


def test_users_are_found_by_name_address_and_prefix(realm: Realm) -> None:
    made = [probe(realm, f"agencystack-probe-{number}-X") for number in range(3)]
    other = probe(realm, "not-agencystack-probe-")
    try:
        found = realm.user("agencystack-probe-1-X")
        assert found is not None
        assert found.id == made[1]
        assert found.email_verified
        assert realm.user("agencystack-probe-1") is None
        assert [user.id for user in realm.users_with_email("Agencystack-Probe-2-X@acme.example")] == [made[2]]
        assert [user.id for user in realm.users_with_prefix("agencystack-probe-")] == made
    finally:
        for user in (*made, other):
            realm.delete_user(user)
    assert realm.users_with_prefix("agencystack-probe-") == ()


def test_user_refusals(realm: Realm) -> None:
    user = probe(realm, "agencystack-probe-taken")
    try:
        with pytest.raises(Refused, match=r"409.*User exists with same"):
            probe(realm, "agencystack-probe-taken")
        with pytest.raises(Refused, match="User exists with same email"):
            probe(realm, "agencystack-probe-other", email="agencystack-probe-taken@acme.example")
        with pytest.raises(Refused, match=r"(?i)invalid.email"):
            probe(realm, "agencystack-probe-other", email="none")
        with pytest.raises(Absent, match="no group /nowhere"):
            probe(realm, "agencystack-probe-other", groups=["/nowhere"])
        with pytest.raises(Absent, match="404"):
            realm.logout_user(str(uuid.uuid4()))
    finally:
        realm.delete_user(user)


def test_probe_user_logs_in_and_is_asked_for_nothing(keycloak: Keycloak, realm: Realm) -> None:
    user = probe(realm, "agencystack-probe-login")
    try:
        answer = _login(keycloak, realm, "agencystack-probe-login", "probe-password-1")
        assert answer.status_code == 200, answer.text
        realm.logout_user(user)
        spent = _token(
            keycloak, realm, {"grant_type": "refresh_token", "refresh_token": answer.json()["refresh_token"]}
        )
        assert spent.status_code == 400, "its session went on after the logout"
    finally:
        realm.delete_user(user)


def _login(keycloak: Keycloak, realm: Realm, user: str, password: str) -> httpx.Response:
    return _token(keycloak, realm, {"grant_type": "password", "username": user, "password": password})


def _token(keycloak: Keycloak, realm: Realm, form: dict[str, str]) -> httpx.Response:
    address = f"{keycloak.url}/realms/{realm.name}/protocol/openid-connect/token"
    return httpx.post(address, data={"client_id": "admin-cli", **form}, verify=False)


def test_somebody_without_permission_is_refused_not_told_that_it_is_absent(keycloak: Keycloak, realm: Realm) -> None:
    user = probe(realm, "agencystack-probe-weak")
    login = AdminLogin(realm=realm.name, user="agencystack-probe-weak", password=Secret("probe-password-1"))
    weak = Keycloak(WHERE, keycloak.url, login)
    try:
        for ask in (weak.version, weak.realm(realm.name).settings, weak.realm(realm.name).clients):
            with pytest.raises(AuthenticationFailed, match="403"):
                ask()
    finally:
        weak.close()
        realm.delete_user(user)


def test_service_account_of_the_realm_can_do_all_of_it(keycloak: Keycloak, realm: Realm) -> None:
    realm.create_client("agencystack-admin", {"serviceAccountsEnabled": True, "standardFlowEnabled": False})
    account = realm._admin.get_client_service_account_user(_client(realm, "agencystack-admin").id)["id"]
    managing = _client(realm, "realm-management").id
    role = realm._admin.get_client_role(managing, "realm-admin")
    realm._admin.assign_client_role(account, managing, [role])
    login = AdminLogin(
        realm=realm.name, client_id="agencystack-admin", client_secret=realm.client_secret("agencystack-admin")
    )
    itself = Keycloak(WHERE, keycloak.url, login)
    try:
        assert itself.version() == keycloak.version()
        own = itself.realm(realm.name)
        assert own.settings() == realm.settings()
        own.create_client("acme-by-service-account", {})
        assert own.client_secret("acme-by-service-account")
        own.delete_client("acme-by-service-account")
    finally:
        itself.close()
        realm.delete_client("agencystack-admin")


def test_wrong_password_is_tried_once(keycloak: Keycloak, realm: Realm) -> None:
    user = probe(realm, "agencystack-probe-locked")
    realm.update({"bruteForceProtected": True, "failureFactor": 3, "quickLoginCheckMilliSeconds": 0})
    login = AdminLogin(realm=realm.name, user="agencystack-probe-locked", password=Secret("wrong-password-1"))
    wrong = Keycloak(WHERE, keycloak.url, login)
    try:
        for _ in range(6):
            with pytest.raises(AuthenticationFailed, match="Invalid user credentials") as refused:
                wrong.realm(realm.name).settings()
            assert "wrong-password-1" not in str(refused.value)
        state = realm._admin.get_bruteforce_detection_status(user)
        assert state["numFailures"] == 1
    finally:
        realm.update({"bruteForceProtected": False})
        realm.delete_user(user)


def test_token_that_expires_in_the_middle_is_renewed(keycloak: Keycloak, realm: Realm) -> None:
    user = probe(realm, "agencystack-probe-short")
    managing = _client(realm, "realm-management").id
    realm._admin.assign_client_role(user, managing, [realm._admin.get_client_role(managing, "realm-admin")])
    realm.update({"accessTokenLifespan": 1})
    login = AdminLogin(realm=realm.name, user="agencystack-probe-short", password=Secret("probe-password-1"))
    short = Keycloak(WHERE, keycloak.url, login)
    try:
        own = short.realm(realm.name)
        for _ in range(3):
            own.forget()
            assert own.settings() is not None
            time.sleep(1.1)
        sessions = realm._admin.get_sessions(user)
        assert len(sessions) == 1, "it logged in again instead of renewing its token"
    finally:
        short.close()
        realm.update({"accessTokenLifespan": 300})
        realm.delete_user(user)


def test_session_ended_in_the_middle_is_begun_anew(keycloak: Keycloak, realm: Realm) -> None:
    user = probe(realm, "agencystack-probe-ended")
    managing = _client(realm, "realm-management").id
    realm._admin.assign_client_role(user, managing, [realm._admin.get_client_role(managing, "realm-admin")])
    login = AdminLogin(realm=realm.name, user="agencystack-probe-ended", password=Secret("probe-password-1"))
    own = Keycloak(WHERE, keycloak.url, login)
    try:
        assert own.realm(realm.name).settings() is not None
        realm.logout_user(user)
        own.realm(realm.name).create_client("acme-after-logout", {})
        assert "acme-after-logout" in own.realm(realm.name).clients()
    finally:
        own.realm(realm.name).delete_client("acme-after-logout")
        own.close()
        realm.delete_user(user)


def test_discovery_names_public_and_internal_addresses(ours: KeycloakService, realm: Realm) -> None:
    found = realm.discovery()
    public, internal = (f"{base}/realms/{realm.name}" for base in (ours.url, ours.internal_url))
    assert found["issuer"] == public
    assert found["authorization_endpoint"].startswith(public)
    assert found["end_session_endpoint"].startswith(public)
    for name in ("token_endpoint", "userinfo_endpoint", "jwks_uri"):
        assert found[name].startswith(internal)
    assert any(key["alg"] == "RS256" for key in realm.jwks()["keys"])


def test_wrong_path_says_so(keycloak: Keycloak) -> None:
    base = keycloak.url.removesuffix("/auth") if keycloak.url.endswith("/auth") else f"{keycloak.url}/auth"
    with pytest.raises(BadAnswer, match=r"no realm master.*/auth"):
        Keycloak(WHERE, base, keycloak._login).version()


def test_one_connection_serves_many_threads(keycloak: Keycloak, realm: Realm) -> None:
    def life(number: int) -> set[str]:
        name = f"acme-thread-{number}"
        realm.create_client(name, CLIENT)
        realm.create_role(name, "editor")
        found = set(realm.roles(name))
        realm.update_client(name, {"name": f"thread {number}"})
        return found

    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(life, range(16))) == [{"editor"}] * 16
        kept = dict(realm.clients())
        realm.forget()
        assert realm.clients() == kept
        assert {realm.clients()[f"acme-thread-{number}"].name for number in range(16)} == {
            f"thread {number}" for number in range(16)
        }
    finally:
        for number in range(16):
            realm.delete_client(f"acme-thread-{number}")


def test_restart_in_the_middle(ours: KeycloakService, keycloak: Keycloak, realm: Realm) -> None:
    before = realm.settings()
    ours.stop()
    realm.forget()
    with pytest.raises(Unavailable, match="cannot be reached"):
        realm.settings()
    with pytest.raises(Unavailable, match="cannot be reached"):
        realm.create_client("acme-meanwhile", {})
    ours.start()
    assert realm.settings() == before
    assert realm.client("acme-meanwhile") is None


def _client(realm: Realm, client_id: str) -> Any:
    found = realm.client(client_id)
    assert found is not None
    return found
