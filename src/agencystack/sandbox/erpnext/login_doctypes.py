"""Documents that decide who may log in: users and roles, Social Login Keys, settings, and those of our own app."""

from __future__ import annotations

from agencystack.sandbox.erpnext.meta import DocType, Field, checks, data

# Everybody has these by themselves; they cannot be given (frappe/permissions.py).
AUTOMATIC_ROLES = frozenset({"Guest", "All", "Desk User", "Administrator"})
_WEBSITE_MANAGER = frozenset({"Website Manager"})
_PROVIDERS = "Custom\nFacebook\nFrappe\nGitHub\nGoogle\nOffice 365\nSalesforce\nfairlogin\nKeycloak"

_USER = DocType(
    "User",
    (
        Field("enabled", "Check", 1),
        Field("email", required=True),
        Field("first_name", required=True, label="First Name"),
        *data("last_name full_name username language time_zone api_key"),
        Field("api_secret", "Password"),
        Field("send_welcome_email", "Check", 1),
        Field("user_type", "Data", "Website User"),
        Field("new_password", "Password"),
        *data("role_profile_name last_login"),
        Field("social_logins", "Table", options="User Social Login"),
        Field("roles", "Table", options="Has Role"),
    ),
    may_be_renamed=True,
)
_USER_SOCIAL_LOGIN = DocType("User Social Login", data("provider username userid"), is_table=True)
_HAS_ROLE = DocType("Has Role", (Field("role", "Link", options="Role"),), is_table=True)
_ROLE = DocType(
    "Role", (Field("role_name", required=True), Field("desk_access", "Check", 1), Field("disabled", "Check", 0))
)
_SOCIAL_LOGIN_KEY = DocType(
    "Social Login Key",
    (
        *checks("enable_social_login"),
        Field("social_login_provider", "Select", "Custom", options=_PROVIDERS, set_only_once=True),
        Field("client_id"),
        Field("provider_name", required=True, set_only_once=True),
        Field("client_secret", "Password"),
        *data("icon base_url"),
        Field("sign_ups", "Select", "", options="\nAllow\nDeny"),
        *data("authorize_url access_token_url redirect_url api_endpoint"),
        *checks("custom_base_url"),
        *data("api_endpoint_args auth_url_data user_id_property"),
    ),
)
_SYSTEM_SETTINGS = DocType(
    "System Settings",
    (*data("app_name country language time_zone"), *checks("disable_user_pass_login enable_two_factor_auth")),
    is_single=True,
)
# A System Manager may neither read nor write these two.
_WEBSITE_SETTINGS = DocType(
    "Website Settings", checks("disable_signup"), readers=_WEBSITE_MANAGER, writers=_WEBSITE_MANAGER, is_single=True
)
_PORTAL_SETTINGS = DocType(
    "Portal Settings", data("default_role"), readers=_WEBSITE_MANAGER, writers=_WEBSITE_MANAGER, is_single=True
)
CONNECTOR_SETTINGS = DocType(
    "AgencyStack Settings",
    (
        *checks("sso_enabled"),
        *data("issuer jwks_url end_session_url"),
        Field("roles_claim", default="roles"),
        Field("managed_roles", "Text"),
        *data("health_token_hash"),
    ),
    is_single=True,
)

ALL = (
    _USER,
    _USER_SOCIAL_LOGIN,
    _HAS_ROLE,
    _ROLE,
    _SOCIAL_LOGIN_KEY,
    _SYSTEM_SETTINGS,
    _WEBSITE_SETTINGS,
    _PORTAL_SETTINGS,
    CONNECTOR_SETTINGS,
)
