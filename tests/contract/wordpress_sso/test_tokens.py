"""What the connector thinks of an ID token: algorithms, keys that change, a provider that does not show its keys."""

from __future__ import annotations

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from agencystack.components.wordpress import SSO, Login, SsoSettings, TokenVerdict, WordPress
from agencystack.stack.errors import Refused
from agencystack.stack.secrets import Secret
from tests.contract.wordpress_browsers import CLIENT, SigningProvider, number, person, run_php, settings
from tests.contract.wordpress_sites import Site

pytestmark = pytest.mark.real


def token_of(keycloak: SigningProvider, **changed: Any) -> str:
    now = int(time.time())
    claims = {"iss": keycloak.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **person("ada", "editor")}
    return keycloak.token(**{name: value for name, value in (claims | changed).items() if value is not None})


def verdict(wordpress: WordPress, token: str, nonce: str | None = None) -> TokenVerdict:
    return wordpress.check_token(Secret(token), nonce=nonce)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256"])
def test_signatures_that_hold_are_taken(wordpress: WordPress, keycloak: SigningProvider, algorithm: str) -> None:
    keycloak.algorithm = algorithm
    token = token_of(keycloak)
    assert verdict(wordpress, token) == TokenVerdict(accepted=True, code="", why="", roles=("editor",))
    head, body, signature = token.split(".")
    bent = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    assert verdict(wordpress, f"{head}.{body}.{bent}").code == "signature"
    other = token_of(keycloak, sub="somebody-else").split(".")[1]
    assert verdict(wordpress, f"{head}.{other}.{signature}").code == "signature"


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_algorithms_of_forgers_are_refused_before_a_key_is_looked_for(
    wordpress: WordPress, keycloak: SigningProvider, algorithm: str
) -> None:
    keycloak.algorithm = algorithm
    found = verdict(wordpress, token_of(keycloak))
    assert found.code in {"algorithm", "form"}
    assert keycloak.key_sets_read == 0


def test_a_key_of_one_kind_is_not_used_as_another(wordpress: WordPress, keycloak: SigningProvider) -> None:
    """RS256 over a key that is published for ES256 only."""
    token = token_of(keycloak)
    keycloak.algorithm = "ES256"
    assert verdict(wordpress, token).code == "key"


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "....", "ä.ö.ü", "e30.e30.e30", "x" * 70000])
def test_what_is_no_token_is_refused(wordpress: WordPress, keycloak: SigningProvider, token: str) -> None:
    assert verdict(wordpress, token).code in {"form", "algorithm"}


def test_a_new_key_is_fetched_and_a_withdrawn_one_ends_with_it(
    wordpress: WordPress, keycloak: SigningProvider, site: Site
) -> None:
    old = token_of(keycloak)
    assert verdict(wordpress, old).accepted
    assert verdict(wordpress, old).accepted
    assert keycloak.key_sets_read == 1
    keycloak.rotate("second")
    new = token_of(keycloak)
    # A forger who names unknown keys makes the site ask once a minute, not each time.
    assert verdict(wordpress, new).code == "key"
    assert keycloak.key_sets_read == 1
    run_php(
        site,
        "$k = get_transient( 'agencystack_sso_keys' ); $k['tried'] -= 61; set_transient( 'agencystack_sso_keys', $k );",
    )
    assert verdict(wordpress, new).accepted
    assert verdict(wordpress, old).code == "key"
    assert keycloak.key_sets_read == 2


def test_a_token_without_a_key_id_needs_the_only_key(wordpress: WordPress, keycloak: SigningProvider) -> None:
    keycloak.key_id = None
    assert verdict(wordpress, token_of(keycloak)).accepted
    second = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    keycloak.published["second"] = {"kty": "RSA", "kid": "second", "n": number(second), "e": "AQAB"}
    wordpress.write_sso(settings(keycloak))
    assert verdict(wordpress, token_of(keycloak)).code == "key"


def test_a_key_for_encryption_signs_nothing(wordpress: WordPress, keycloak: SigningProvider) -> None:
    keycloak.use = "enc"
    assert verdict(wordpress, token_of(keycloak)).code == "key"


def test_keys_that_cannot_be_read_are_not_the_persons_fault(wordpress: WordPress, keycloak: SigningProvider) -> None:
    keycloak.down = True
    found = verdict(wordpress, token_of(keycloak))
    assert (found.code, f"cannot read the provider's keys at {keycloak.issuer}/jwks: status 503" in found.why) == (
        "keys",
        True,
    )
    keycloak.down = False
    assert verdict(wordpress, token_of(keycloak)).accepted


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": [CLIENT, "x"], "azp": CLIENT}, ""),
        ({"aud": [CLIENT, "x"]}, "party"),
        ({"azp": "x"}, "party"),
        ({"aud": "x"}, "audience"),
        ({"aud": []}, "audience"),
        ({"sub": 7}, "subject"),
        ({"exp": 1}, "expired"),
        ({"exp": "soon"}, "time"),
        ({"nbf": 4000000000}, "future"),
        ({"iat": 4000000000, "exp": 4000000300}, "future"),
        ({"roles": ["nobody"]}, "roles"),
    ],
)
def test_claims_that_do_not_hold_have_a_name(
    wordpress: WordPress, keycloak: SigningProvider, changed: dict[str, Any], code: str
) -> None:
    assert verdict(wordpress, token_of(keycloak, **changed)).code == code


def test_a_nonce_that_was_sent_must_come_back(wordpress: WordPress, keycloak: SigningProvider) -> None:
    assert verdict(wordpress, token_of(keycloak, nonce="n-1"), "n-1").accepted
    assert verdict(wordpress, token_of(keycloak, nonce="n-2"), "n-1").code == "nonce"
    assert verdict(wordpress, token_of(keycloak), "n-1").code == "nonce"


# Settings of the connector itself


def test_settings_go_back_to_the_byte_and_the_secret_is_not_readable_in_between(
    site: Site, keycloak: SigningProvider
) -> None:
    run_php(site, "delete_option( 'agencystack_connector_sso' );")
    wordpress = site.wordpress()
    before = wordpress.answer(SSO).logins[Login.CONNECTOR]
    assert (before.configured, before.settings) == (False, SsoSettings(scope=""))
    with pytest.raises(Refused, match="is not set up"):
        wordpress.check_token(Secret("a.b.c"))
    wanted = settings(keycloak, ca="-----BEGIN CERTIFICATE-----\n", label="L'été \"\\ ü")
    wordpress.write_sso(wanted, expected=before.settings)
    after = wordpress.answer(SSO).logins[Login.CONNECTOR]
    assert (after.configured, after.settings, after.wrong) == (True, wanted, ())
    stored = run_php(site, "echo serialize( get_option( 'agencystack_connector_sso' ) );")
    assert wanted.client_secret.reveal() not in stored
    assert wanted.client_secret.reveal() not in repr(after)
    wordpress.write_sso(wanted)
    assert wordpress.answer(SSO).logins[Login.CONNECTOR].image.data() == after.image.data()
    assert wordpress.restore_sso(Login.CONNECTOR, before.image, applied=wanted, applied_image=after.image).left == ()
    assert wordpress.answer(SSO).logins[Login.CONNECTOR].image.data() == before.image.data()


def test_the_answer_names_addresses_and_roles(site: Site) -> None:
    state = site.wordpress().answer(SSO)
    assert state.redirect_uris == {
        Login.CONNECTOR: f"{site.url}/wp-login.php?action=agencystack-sso",
        Login.MINIORANGE: site.url,
        Login.OPENID_CONNECT_GENERIC: f"{site.url}/wp-admin/admin-ajax.php?action=openid-connect-authorize",
    }
    assert state.logged_out_uri == f"{site.url}/wp-login.php?loggedout=true"
    assert state.roles["editor"] == "Editor"
    assert state.foreign is None


# Probe users


def test_only_probe_users_are_deleted_with_what_they_left(wordpress: WordPress, site: Site) -> None:
    name = "agencystack-probe-1800000000-abc"
    with pytest.raises(Refused, match="only those are deleted"):
        wordpress.forget_probe_user("admin")
    assert wordpress.forget_probe_user(name) is False
    run_php(site, f"wp_create_user( '{name}', 'p', 'p@acme.example' );")
    run_php(
        site,
        f"$id = get_user_by( 'login', '{name}' )->ID; update_user_meta( $id, 'agencystack_sso_made', '1' );"
        "WP_Session_Tokens::get_instance( $id )->create( time() + 99 );",
    )
    assert wordpress.forget_probe_user(name) is True
    assert wordpress.sso_user(name) is None
    left = "SELECT COUNT(*) FROM $wpdb->usermeta LEFT JOIN $wpdb->users ON ID = user_id WHERE ID IS NULL"
    assert run_php(site, f'echo $wpdb->get_var( "{left}" );') == "0"


def test_deleting_the_connector_takes_along_what_it_kept(site: Site, keycloak: SigningProvider) -> None:
    wordpress = site.wordpress()
    wordpress.write_sso(settings(keycloak))
    run_php(site, "update_user_meta( 1, 'agencystack_sso_subject', 'x y' );")
    wordpress.remove_connector()
    try:
        found = run_php(
            site,
            "echo (int) get_option( 'agencystack_connector_sso', 0 );"
            "echo get_user_meta( 1, 'agencystack_sso_subject', true );",
        )
        assert found == "0"
    finally:
        wordpress.install_connector()
