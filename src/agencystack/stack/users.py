"""As whom a product's code runs, and the errors for users that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agencystack.stack.errors import ComponentRef, ConfigurationError


@dataclass(frozen=True)
class UserRule:
    """Which user a product's code runs as.

    Args:
        name: this one; empty means the next rule.
        owner_of: the owner of the first of these files that exists; empty means the user we arrive as.
        may_be_root: whether root is allowed, as for work on files of the machine.
    """

    name: str = ""
    owner_of: tuple[str, ...] = ()
    may_be_root: bool = False


HOST_WORK = UserRule(may_be_root=True)


def refuse_root(component: ComponentRef | None) -> ConfigurationError:
    """Return the error for product code that would run as root."""
    return ConfigurationError(
        "its code would run as root, which gives any plugin of it the whole machine",
        component=component,
        remedy="set exec.user to the user it runs as, such as www-data",
    )


def no_user(component: ComponentRef | None, user: str) -> ConfigurationError:
    """Return the error for a user who does not exist where the product lives."""
    return ConfigurationError(
        f"there is no user {user} where it lives", component=component, remedy="set exec.user to the user it runs as"
    )


def no_owner(component: ComponentRef | None, files: Sequence[str]) -> ConfigurationError:
    """Return the error for a product that is not where ``exec.path`` says."""
    return ConfigurationError(
        f"there is no {files[0] if files else 'file'} where it lives",
        component=component,
        remedy="set exec.path to its folder, or exec.user to the user it runs as",
    )


def no_folder(component: ComponentRef | None, folder: str, place: str) -> ConfigurationError:
    """Return the error for a working folder that is not there."""
    return ConfigurationError(
        f"there is no folder {folder} on {place} that can be entered",
        component=component,
        remedy="set exec.path to the product's folder",
    )
