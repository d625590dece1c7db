"""The status pages of one Uptime Kuma: read as the public sees them, saved as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from agencystack.components.http import HttpApi
from agencystack.components.uptime_kuma.connection import Connection
from agencystack.components.uptime_kuma.models import PageGroup, StatusPage
from agencystack.stack.errors import BadAnswer, Refused

ABSENT = "No slug?"
"""What the server says of a page it does not have (``status-page-socket-handler.js``)."""


class StatusPages:
    """Status pages by their slug.

    Args:
        connection: logged in.
        http: the same server, for what only the public interface says: which monitors a page lists.
    """

    def __init__(self, connection: Connection, http: HttpApi) -> None:
        self._connection, self._http = connection, http

    def page(self, slug: str) -> StatusPage | None:
        """Return a page, or None."""
        try:
            answer = self._connection.call("getStatusPage", slug)
        except Refused as refused:
            if ABSENT in refused.message:
                return None
            raise
        # A page that was just made lists nothing, and for 5 minutes the public may be told that there is none
        # (apicache; emptied by saving a page, not by making one).
        return StatusPage(dict(answer["config"]), self.public(slug) or ())

    def public(self, slug: str) -> tuple[PageGroup, ...] | None:
        """Return what everybody sees on a page, None where there is none; up to 5 minutes old unless it was saved."""
        answer = self._http.send("GET", f"/api/status-page/{slug}")
        if answer.status_code == 404:
            return None
        data = self._http.decode(answer)
        if not answer.is_success:
            raise Refused(
                f"answered {answer.status_code} to GET /api/status-page/{slug}", component=self._connection.where
            )
        try:
            return tuple(PageGroup.model_validate(group) for group in data["publicGroupList"])
        except (ValidationError, KeyError, TypeError) as error:
            raise BadAnswer("shows a status page in an unknown form", component=self._connection.where) from error

    def add(self, slug: str, title: str) -> None:
        """Make an empty page.

        Raises:
            Refused: the slug is taken (the words are the database's), or holds more than letters, digits and hyphens.
        """
        self._connection.call("addStatusPage", title, slug)

    def save(self, page: StatusPage, config: Mapping[str, Any], groups: Iterable[PageGroup]) -> None:
        """Save a page with some settings changed and these groups; all other settings stay.

        Args:
            page: as it was read.
            config: the settings that change.
            groups: all there shall be; what is missing here is deleted.
        """
        whole = {**page.config, **config}
        icon = str(whole.get("icon") or "")
        self._connection.call("saveStatusPage", page.slug, whole, icon, [group.wire() for group in groups])

    def delete(self, slug: str) -> None:
        """Delete a page.

        Raises:
            Refused: there is none of that slug.
        """
        self._connection.call("deleteStatusPage", slug)
