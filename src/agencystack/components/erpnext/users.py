"""ERPNext's users: who they are, the roles we manage for them, and probe users with what they leave behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agencystack.components.erpnext.models import Check, Text
from agencystack.components.erpnext.refusals import ErpNextRefused
from agencystack.components.erpnext.roles import RoleChange, WantedRoles, role_changes
from agencystack.components.erpnext.site import FrappeSite, Values
from agencystack.stack.errors import Refused

USER = "User"
_LINKED = "LinkExistsError"


class SocialLogin(BaseModel):
    """Who a user is at an identity provider."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: Text = ""
    userid: Text = ""


def _role_names(rows: object) -> object:
    return tuple(row["role"] for row in rows) if isinstance(rows, list) else rows


class User(BaseModel):
    """A user. ``user_type`` is ``System User`` where a role opens the desk, else ``Website User``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    email: Text = ""
    enabled: Check = False
    full_name: Text = ""
    user_type: Text = ""
    role_profile_name: Text = ""
    roles: Annotated[tuple[str, ...], BeforeValidator(_role_names)] = ()
    social_logins: tuple[SocialLogin, ...] = Field(default=())
    creation: str = ""
    modified: str = ""

    def userid(self, provider: str) -> str:
        """Return who the user is at ``provider``; empty where never linked to it."""
        return next((one.userid for one in self.social_logins if one.provider == provider), "")


@dataclass(frozen=True)
class Removal:
    """What became of a user that should go.

    Args:
        user: ``deleted``, ``disabled`` where documents refer to the user, or ``absent``.
        contacts: names of the contacts made for the user, deleted too.
        because: why the user was only disabled, in ERPNext's words.
    """

    user: str
    contacts: tuple[str, ...] = ()
    because: str = ""


class ErpNextUsers:
    """Users of one site.

    Args:
        site: the site; its key must be a System Manager's.
    """

    def __init__(self, site: FrappeSite) -> None:
        self._site = site

    def user(self, email: str) -> User | None:
        """Return a user, or ``None``. Raises as :meth:`FrappeSite.document`."""
        found = self._site.document(USER, email.lower())
        return None if found is None else self._site.model(User, found)

    def names(self, prefix: str) -> tuple[str, ...]:
        """Return the names of all users that begin with ``prefix``, such as leftover probe users."""
        # Frappe takes "_" for any character and knows no way to quote it.
        rows = self._site.documents(USER, filters=[["name", "like", f"{prefix}%"]], order_by="name asc")
        found = (str(row["name"]) for row in rows)
        return tuple(name for name in found if name.lower().startswith(prefix.lower()))

    def holders(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return the names of the users who have one of ``roles``, sorted. Raises as :meth:`FrappeSite.document`."""
        wanted = sorted(roles)
        if not wanted:
            return ()
        # One row a role: who has two of them comes twice.
        rows = self._site.documents(USER, filters=[["Has Role", "role", "in", wanted]])
        return tuple(sorted({str(row["name"]) for row in rows}))

    def create(self, email: str, first_name: str, *, last_name: str = "", roles: Iterable[str] = ()) -> User:
        """Create a user without a password, to whom no mail is sent.

        Raises:
            Refused: there is one of that address (kind ``DuplicateEntryError``), or a role does not exist.
            ComponentError: as :meth:`FrappeSite.document`.
        """
        values: Values = {
            "email": email.lower(),
            "first_name": first_name,
            "last_name": last_name,
            "send_welcome_email": 0,
            "roles": [{"role": role} for role in sorted(roles)],
        }
        return self._site.model(User, self._site.insert(USER, values))

    def set_enabled(self, email: str, enabled: bool) -> User:
        """Let a user log in, or no longer. Raises as :meth:`FrappeSite.update`."""
        return self._site.model(User, self._site.update(USER, email.lower(), {"enabled": int(enabled)}))

    def unlink(self, email: str, provider: str) -> User:
        """Forget who a user is at an identity provider, so that the next person of its address is bound to it.

        That is needed when a realm was made anew: everybody in it has a new subject then, and our app takes them for
        other people.

        Raises:
            Refused: there is no such user.
            ComponentError: as :meth:`FrappeSite.document`.
        """
        live = self._live(email)
        rows = [row for row in live["social_logins"] if row["provider"] != provider]
        saved = self._site.update(USER, email.lower(), {"social_logins": rows}, modified=str(live["modified"]))
        return self._site.model(User, saved)

    def role_changes(self, wanted: Iterable[WantedRoles], managed: Iterable[str]) -> tuple[RoleChange, ...]:
        """Return what to add and remove for the given persons; reads each of them.

        Args:
            wanted: persons and their roles.
            managed: the roles we add and remove; all others stay.

        Raises:
            ComponentError: as :meth:`FrappeSite.document`.
        """
        asked = tuple(wanted)
        users = (self.user(email) for email in sorted({one.email.lower() for one in asked}))
        held = {user.name.lower(): user.roles for user in users if user is not None}
        return role_changes(asked, held, managed)

    def apply(self, change: RoleChange) -> User:
        """Apply a change of roles to the user as it is now; roles the change does not name stay.

        Raises:
            Refused: there is no such user, a role does not exist or is disabled, or the user has a Role Profile, which
                sets the roles at each save.
            ComponentError: as :meth:`FrappeSite.document`.
        """
        live = self._live(change.email)
        rows: list[dict[str, Any]] = [row for row in live["roles"] if row["role"] not in change.remove]
        rows += [{"role": role} for role in change.add if role not in {row["role"] for row in rows}]
        saved = self._site.update(USER, change.email, {"roles": rows}, modified=str(live["modified"]))
        user = self._site.model(User, saved)
        self._check_roles(change, user)
        return user

    def _live(self, email: str) -> dict[str, Any]:
        live = self._site.document(USER, email.lower())
        if live is None:
            raise Refused(
                f"has no user {email}",
                component=self._site.where,
                remedy="let the person log in once, or create the user in ERPNext",
            )
        return live

    def _check_roles(self, change: RoleChange, user: User) -> None:
        wrong = sorted({*change.add} - {*user.roles} | {*change.remove} & {*user.roles})
        if not wrong:
            return
        if user.role_profile_name:
            remedy = f"take the Role Profile {user.role_profile_name!r} off the user: it sets the roles at each save"
        else:
            remedy = "enable these roles in ERPNext's Role list: it drops disabled ones"
        raise Refused(
            f"accepted the roles of {change.email} but did not keep the change of {', '.join(wrong)}",
            component=self._site.where,
            remedy=remedy,
        )

    def remove(self, email: str) -> Removal:
        """Delete a user and the contact ERPNext made for it; a user that documents refer to is disabled instead.

        ERPNext deletes the user's sessions, shares and notification settings itself and leaves the contact, without its
        user. What it keeps besides is its log, which a System Manager may not delete ("Activity Log") or which tells of
        this deletion ("Deleted Document"), and the user's time zone in a table REST does not show ("DefaultValue").
        The contact is made by a background job: on a busy site it can appear after this; call it again later.

        Raises:
            Refused: the user is the one of our own key, whose secret ERPNext would wipe even when it then refuses.
            ComponentError: as :meth:`FrappeSite.document`.
        """
        name = email.lower()
        if name == self._site.whoami().lower():
            raise Refused(f"{name} is the user of our own key", component=self._site.where)
        try:
            became = Removal("deleted" if self._site.delete(USER, name) else "absent")
        except ErpNextRefused as error:
            if error.kind != _LINKED:
                raise
            self.set_enabled(name, False)
            return Removal("disabled", because=error.message)
        return Removal(became.user, contacts=self._delete_contacts(name))

    def _delete_contacts(self, email: str) -> tuple[str, ...]:
        rows = self._site.documents("Contact", filters=[["email_id", "=", email]], fields=["name", "user"])
        names = [str(row["name"]) for row in rows if not row["user"]]
        return tuple(name for name in names if self._site.delete("Contact", name))
