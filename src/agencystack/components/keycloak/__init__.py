"""Keycloak: realms, clients, mappers, roles, groups and users, over its Admin REST API (versions 21 to 26)."""

from agencystack.components.keycloak.client import Keycloak
from agencystack.components.keycloak.errors import Absent
from agencystack.components.keycloak.login import AdminLogin
from agencystack.components.keycloak.models import Client, Group, Mapper, RealmSettings, Role, User
from agencystack.components.keycloak.realm import Realm

__all__ = ["Absent", "AdminLogin", "Client", "Group", "Keycloak", "Mapper", "Realm", "RealmSettings", "Role", "User"]
