"""The interfaces for users and roles."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from agencystack.sandbox.listmonk.answers import Declined, data, json_body
from agencystack.sandbox.listmonk.people import People


class PeopleApi:
    """Answers what is asked of users and roles."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def users(self, _: Request) -> Response:
        """Answer all users."""
        return data(self._people.users())

    async def user(self, request: Request) -> Response:
        """Answer one user."""
        return data(self._people.shown(self._people.get(_id(request))))

    async def create(self, request: Request) -> Response:
        """Make a user."""
        return data(self._people.shown(self._people.create(await json_body(request, "unexpected EOF", 400))))

    async def update(self, request: Request) -> Response:
        """Change a user."""
        body = await json_body(request, "unexpected EOF", 400)
        return data(self._people.shown(self._people.update(_id(request), body)))

    async def delete(self, request: Request) -> Response:
        """Delete a user."""
        self._people.delete(_id(request))
        return data(True)

    async def roles(self, _: Request) -> Response:
        """Answer the user roles."""
        return data(self._people.roles())

    async def list_roles(self, _: Request) -> Response:
        """Answer the list roles."""
        return data(self._people.list_roles())

    async def create_role(self, request: Request) -> Response:
        """Make a user role."""
        return data(self._people.create_role(await json_body(request, "unexpected EOF", 400), "user"))

    async def create_list_role(self, request: Request) -> Response:
        """Make a list role."""
        return data(self._people.create_role(await json_body(request, "unexpected EOF", 400), "list"))

    async def delete_role(self, request: Request) -> Response:
        """Delete a role of either kind."""
        self._people.delete_role(_id(request))
        return data(True)


def _id(request: Request) -> int:
    given = request.path_params["id"]
    if not given.isdigit():
        raise Declined(400, "invalid ID")
    return int(given)
