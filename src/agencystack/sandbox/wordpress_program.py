"""Stands in for WP-CLI of a WordPress that is not there: takes our program's requests and answers from a JSON store.

Started by the stand-in site's ``vendor/bin/wp``. Behaviour: facts/wordpress.md, "WP Mail SMTP 4.8", and the contract
suite that also runs against the real WordPress.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agencystack.sandbox import wordpress_bridge as bridge
from agencystack.sandbox import wordpress_health as health
from agencystack.sandbox import wordpress_mail as mail
from agencystack.sandbox import wordpress_rest_user as rest_user
from agencystack.sandbox import wordpress_sso as sso
from agencystack.sandbox import wordpress_tokens as tokens
from agencystack.sandbox.wordpress_store import Plugin, Refusal, Store

WORDPRESS_ORG = {
    "wp-mail-smtp": ("wp-mail-smtp/wp_mail_smtp.php", "WP Mail SMTP", "4.8.0"),
    "miniorange-login-with-eve-online-google-facebook": (
        "miniorange-login-with-eve-online-google-facebook/mo_oauth_settings.php",
        "OAuth Single Sign On - SSO (OAuth Client)",
        "6.26.17",
    ),
    "daggerhart-openid-connect-generic": (
        "daggerhart-openid-connect-generic/openid-connect-generic.php",
        "OpenID Connect Generic",
        "3.10.3",
    ),
}
CONNECTOR = "agencystack-connector"
OWNER_OPTION = "agencystack_owner"


def site(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer versions and addresses."""
    return {
        "wordpress": "6.9.1",
        "php": "8.2.36",
        "wp_cli": "2.10.0",
        "siteurl": store.data.url,
        "home": store.data.url,
        "name": store.data.name,
        "admin_email": store.data.admin_email,
        "multisite": False,
        "environment": "local",
    }


def plugins(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer the installed plugins."""
    return [_shown(slug, plugin) for slug, plugin in sorted(store.data.plugins.items())]


def plugins_folder(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer where plugins lie, and whether one can be put there."""
    return {"path": "/var/www/html/wp-content/plugins", "writable": store.data.plugins_writable}


def owner(store: Store, _args: Mapping[str, Any]) -> Any:
    """Answer the marks of what we own."""
    return {"marks": store.get_option(OWNER_OPTION, {})}


def write_owner(store: Store, args: Mapping[str, Any]) -> Any:
    """Set or remove marks."""
    marks = {**store.get_option(OWNER_OPTION, {}), **args["marks"]}
    kept = {what: who for what, who in sorted(marks.items()) if who is not None}
    store.set_option(OWNER_OPTION, kept or None)
    return owner(store, {})


def activate(store: Store, args: Mapping[str, Any]) -> Any:
    """Switch an installed plugin on; WP Mail SMTP then stores its defaults."""
    slug = args["slug"]
    if slug not in store.data.plugins:
        raise Refusal("not-installed", f"the plugin {slug} is not installed")
    store.data.plugins[slug].active = True
    if slug == "wp-mail-smtp" and store.get_option("wp_mail_smtp") is None:
        store.set_option("wp_mail_smtp", mail.wp_mail_smtp_defaults(store))
    return _shown(slug, store.data.plugins[slug])


def deactivate(store: Store, args: Mapping[str, Any]) -> Any:
    """Switch a plugin off."""
    plugin = store.data.plugins.get(args["slug"])
    if plugin is None:
        return None
    plugin.active = False
    return _shown(args["slug"], plugin)


def delete(store: Store, args: Mapping[str, Any]) -> None:
    """Remove a plugin; our connector's option goes with it, WP Mail SMTP keeps its own unless told otherwise."""
    store.data.plugins.pop(args["slug"], None)
    if args["slug"] == CONNECTOR:
        store.set_option("agencystack_connector", None)
        store.set_option("agencystack_connector_sso", None)
        for option in (health.OPTION, bridge.OPTION, bridge.INSTANCE_OPTION):
            store.set_option(option, None)
        for user in store.data.users:
            user.subject, user.made_by_sso = "", False


def install(store: Store, args: Mapping[str, Any]) -> Any:
    """Install a plugin as wordpress.org would give it."""
    slug = args["slug"]
    if slug not in store.data.plugins:
        _need_folder(store)
        if slug not in WORDPRESS_ORG or not store.data.wordpress_org:
            raise Refusal("no-download", f"{slug} cannot be had from wordpress.org: Plugin not found.")
        file, name, version = WORDPRESS_ORG[slug]
        store.data.plugins[slug] = Plugin(file=file, name=name, version=version)
    return activate(store, args)


def install_connector(store: Store, args: Mapping[str, Any]) -> Any:
    """Take our connector; its main file must be among what travelled."""
    _need_folder(store)
    if f"{CONNECTOR}.php" not in args["files"]:
        raise Refusal("plugin", f"{CONNECTOR} cannot be activated: Plugin file does not exist.")
    header = mail.decoded(args["files"][f"{CONNECTOR}.php"])
    version = next(line.split("Version:")[1].strip() for line in header.splitlines() if "Version:" in line)
    store.data.plugins[CONNECTOR] = Plugin(
        file=f"{CONNECTOR}/{CONNECTOR}.php", name="AgencyStack Connector", version=version
    )
    return activate(store, {"slug": CONNECTOR})


def _need_folder(store: Store) -> None:
    if not store.data.plugins_writable:
        raise Refusal("not-writable", f"the plugins folder {plugins_folder(store, {})['path']} cannot be written")


def _shown(slug: str, plugin: Plugin) -> dict[str, Any]:
    return {"slug": slug, "network_active": False, **plugin.model_dump()}


Handler = Callable[[Store, Mapping[str, Any]], Any]

QUERIES: Mapping[str, Handler] = {
    "site": site,
    "plugins": plugins,
    "mail": mail.state,
    "owner": owner,
    "submission": mail.submission,
    "sso": sso.state,
    "sso_user": sso.user,
    "health": health.token,
    "bridge": bridge.bridge,
    "reaches_bridge": bridge.reaches_bridge,
    "plugins_folder": plugins_folder,
    "rest_user": rest_user.rest_user,
}
COMMANDS: Mapping[str, Handler] = {
    "activate_plugin": activate,
    "deactivate_plugin": deactivate,
    "install_plugin": install,
    "delete_plugin": delete,
    "install_connector": install_connector,
    "write_mail": mail.write,
    "restore_mail": mail.restore,
    "write_owner": write_owner,
    "send_mail": mail.send,
    "write_sso": sso.write,
    "restore_sso": sso.restore,
    "sso_forget_user": sso.forget_user,
    "sso_check_token": tokens.check,
    "write_health": health.write_token,
    "write_bridge": bridge.write_bridge,
    "fill_form": bridge.fill_form,
    "write_rest_user": rest_user.write_rest_user,
    "delete_rest_user": rest_user.delete_rest_user,
}


def _unknown(_store: Store, _args: Mapping[str, Any]) -> Any:
    raise Refusal("unknown", "the program does not know that")


def attempt(handlers: Mapping[str, Handler], asked: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """Run one command or query; a refusal becomes an answer."""
    handler = handlers.get(asked["name"], _unknown)
    try:
        return {"ok": True, "value": handler(store, asked["args"])}
    except Refusal as refusal:
        return {"ok": False, "reason": refusal.reason, "message": str(refusal), "details": refusal.details}


def carry_out(request: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """Run the commands until one is refused, then answer the queries."""
    done = []
    for command in request["commands"]:
        done.append(attempt(COMMANDS, command, store))
        if not done[-1]["ok"]:
            break
    store.save()
    answers = {key: attempt(QUERIES, query, store) for key, query in request["queries"].items()}
    return {"protocol": 1, "commands": done, "answers": answers}


def main(argv: list[str]) -> int:
    """Behave as ``wp eval CODE --path=FOLDER`` does when CODE is our bootstrap."""
    path = next((arg.partition("=")[2] for arg in argv if arg.startswith("--path=")), None)
    if argv[:1] != ["eval"] or path is None:
        sys.stderr.write("Error: the stand-in only knows 'wp eval CODE --path=FOLDER'.\n")
        return 1
    length = int(sys.stdin.buffer.readline() or b"0")
    program = sys.stdin.buffer.read(length)
    if b"namespace AgencyStack\\Program;" not in program:
        sys.stderr.write("PHP Parse error:  the stand-in runs no other program than AgencyStack's\n")
        return 255
    request = json.loads(sys.stdin.buffer.read())
    with Store.locked(Path(path)) as store:
        answer = json.dumps(carry_out(request, store))
    sys.stdout.write(f"\n{request['nonce']} {len(answer)}\n{answer}\n{request['nonce']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
