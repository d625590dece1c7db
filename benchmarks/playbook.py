"""What single sign-on set in Keycloak, as tasks of Ansible that declare exactly what is live.

One task an object, as a person writes it: realm, client scopes, groups, clients with their mappers, roles, and which
group gives which role. What of it is compared is what our integration compares; Ansible has no module for the search
for left-over probe users that our run makes on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic.alias_generators import to_camel

from benchmarks.admin_api import AdminApi

Task = Mapping[str, Any]
REALM = ("enabled", "verify_email", "registration_allowed", "duplicate_emails_allowed", "brute_force_protected")
SCOPES = ("basic", "email", "profile")
CLIENT = (
    "name",
    "enabled",
    "protocol",
    "base_url",
    "redirect_uris",
    "public_client",
    "standard_flow_enabled",
    "implicit_flow_enabled",
    "direct_access_grants_enabled",
    "service_accounts_enabled",
    "full_scope_allowed",
    "secret",
)
ATTRIBUTES = ("agencystack.owner", "pkce.code.challenge.method", "post.logout.redirect.uris")
MAPPER = ("name", "protocol", "protocolMapper", "config")
# Keycloak stores this beside what it was given.
ADDED_BY_KEYCLOAK = {"oidc-group-membership-mapper": {"multivalued"}}
CLIENT_MODULE = "community.general.keycloak_client"


def tasks(keycloak: AdminApi, realm: str, group: str, client_ids: Sequence[str]) -> Iterator[Task]:
    """Yield one task for each object.

    Args:
        keycloak: where it is live; a login was made.
        realm: whose.
        group: the client's own group, which has the groups of people in it.
        client_ids: the applications.
    """
    root = f"/admin/realms/{realm}"
    live = keycloak.get(root)
    yield _task("realm", f"realm {realm}", realm=realm, **{name: live[to_camel(name)] for name in REALM})
    for scope in keycloak.get(f"{root}/client-scopes"):
        if scope["name"] in SCOPES:
            yield _task("clientscope", scope["name"], realm=realm, name=scope["name"], protocol=scope["protocol"])
    top = keycloak.get(f"{root}/group-by-path/{group}")
    yield _task("group", group, realm=realm, name=group)
    people = keycloak.get(f"{root}/groups/{top['id']}/children?briefRepresentation=false")
    for one in people:
        yield _task("group", one["path"], realm=realm, name=one["name"], parents=[{"name": group}])
    for client_id in client_ids:
        [client] = keycloak.get(f"{root}/clients?clientId={client_id}")
        yield _client(realm, client)
        for role in keycloak.get(f"{root}/clients/{client['id']}/roles"):
            yield _task("role", f"{client_id} {role['name']}", realm=realm, client_id=client_id, name=role["name"])
        for one in people:
            yield from _mapping(realm, group, one, client_id)


def as_written(play: Iterable[Task]) -> Iterator[Task]:
    """Yield the tasks for clients as they were before Keycloak added anything: what a person has in their files."""
    for task in play:
        if CLIENT_MODULE in task:
            values = task[CLIENT_MODULE]
            mappers = [_without_added(mapper) for mapper in values["protocol_mappers"]]
            yield {**task, CLIENT_MODULE: {**values, "protocol_mappers": mappers}}


def _without_added(mapper: Mapping[str, Any]) -> Mapping[str, Any]:
    added = ADDED_BY_KEYCLOAK.get(mapper["protocolMapper"], set())
    return {**mapper, "config": {name: value for name, value in mapper["config"].items() if name not in added}}


def _client(realm: str, live: Mapping[str, Any]) -> Task:
    attributes = {name: live["attributes"][name] for name in ATTRIBUTES if name in live["attributes"]}
    scopes = [scope for scope in SCOPES if scope in live["defaultClientScopes"]]
    return _task(
        "client",
        live["clientId"],
        realm=realm,
        client_id=live["clientId"],
        attributes=attributes,
        default_client_scopes=scopes,
        client_scopes_behavior="patch",
        protocol_mappers=[{name: mapper[name] for name in MAPPER} for mapper in live["protocolMappers"]],
        **{name: live[to_camel(name)] for name in CLIENT},
    )


def _mapping(realm: str, group: str, people: Mapping[str, Any], client_id: str) -> Iterator[Task]:
    roles = [{"name": name} for name in people["clientRoles"].get(client_id, ())]
    if roles:
        values = {"realm": realm, "client_id": client_id, "roles": roles}
        what = f"{people['path']} of {client_id}"
        yield _task("client_rolemapping", what, group_name=people["name"], parents=[{"name": group}], **values)


def _task(kind: str, what: str, **values: Any) -> Task:
    module = f"keycloak_{kind}"
    return {"name": f"{module}: {what}", f"community.general.{module}": values}
