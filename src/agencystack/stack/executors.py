"""Choose where and as whom a component's programs run."""

from __future__ import annotations

from collections.abc import Sequence

from agencystack.stack.component import Exec
from agencystack.stack.errors import ComponentRef
from agencystack.stack.execution import Executor
from agencystack.stack.local import LocalExecutor
from agencystack.stack.remote import RemoteExecutor
from agencystack.stack.users import UserRule


def default_user(product: str, where: Exec) -> UserRule:
    """Return as whom a product's code runs when ``stack.yaml`` does not say.

    WordPress: ``www-data`` in containers, else the owner of ``wp-config.php``, which may stand one folder above.
    ERPNext: in containers the image's own user, else the owner of the bench. Others: the user we arrive as.
    """
    if where.user:
        return UserRule(name=where.user)
    if product == "wordpress":
        if where.docker:
            return UserRule(name="www-data")
        return UserRule(owner_of=_config_files(where.path)) if where.path else UserRule()
    if product == "erpnext" and where.path and not where.docker:
        return UserRule(owner_of=(where.path,))
    return UserRule()


def executor_for(
    component: ComponentRef, where: Exec, *, ssh_options: Sequence[str] = (), user: UserRule | None = None
) -> Executor:
    """Return the executor for a product's own code; it refuses to run that as root.

    Args:
        component: whose code it is, for the default user and for errors.
        where: ``exec`` of ``stack.yaml``.
        ssh_options: further arguments for ssh, such as ``("-F", "/path/ssh_config")``.
        user: as whom; :func:`default_user` when not given.
    """
    rule = default_user(component.name, where) if user is None else user
    if where.docker or where.ssh:
        return RemoteExecutor(
            component=component,
            docker=where.docker,
            ssh=where.ssh,
            user=rule,
            folder=where.path,
            ssh_options=tuple(ssh_options),
        )
    return LocalExecutor(component=component, user=rule, folder=where.path)


def _config_files(path: str) -> tuple[str, str]:
    return f"{path.rstrip('/')}/wp-config.php", f"{path.rstrip('/')}/../wp-config.php"
