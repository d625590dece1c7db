"""The connector plugin and the mail plugin in WordPress: several integrations need them, so they belong to none."""

from __future__ import annotations

from agencystack.components.wordpress import (
    MAIL,
    PLUGINS,
    PLUGINS_FOLDER,
    SITE,
    Carrier,
    CarrierState,
    MailImage,
    Plugin,
    WordPress,
)
from agencystack.components.wordpress.program import CONNECTOR, connector_version
from agencystack.engine.integration import Manual
from agencystack.engine.resource import Action, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Value
from agencystack.stack.secrets import Secret


class WordPressPlugin(Resource):
    """The plugin that carries the mail settings, installed and active; our connector in the version we ship."""

    def __init__(self, wordpress: WordPress, carrier: Carrier) -> None:
        self.component, self.key = wordpress.where, f"plugin {carrier.plugin}"
        self._wordpress, self._carrier = wordpress, carrier
        for question in (SITE, PLUGINS, PLUGINS_FOLDER, MAIL):
            wordpress.ask(question)

    def read(self) -> Reading:
        """Return whether it is active, and for our own its version; beside it its settings, which outlive it.

        Raises:
            Manual: our own is missing or an older one, and the plugins folder cannot be written.
        """
        plugin = self._wordpress.answer(PLUGINS).get(self._carrier.plugin)
        if self._carrier is Carrier.CONNECTOR and not can_have_connector(self._wordpress):
            raise self._by_hand(plugin)
        settings = {"mail": self._state().image.content.reveal()}
        if plugin is None:
            return Reading(None, settings)
        fields: dict[str, Value] = {"active": plugin.active}
        if self._carrier is Carrier.CONNECTOR:
            fields["version"] = plugin.version
        return Reading(fields, settings)

    def wanted(self) -> Fields:
        """Want it active, and our own as we ship it."""
        if self._carrier is Carrier.CONNECTOR:
            return {"active": True, "version": connector_version()}
        return {"active": True}

    def write(self, change: Change) -> None:
        """Install, activate, or (in an undo) deactivate it."""
        if not change.target["active"]:
            self._wordpress.deactivate_plugin(self._carrier.plugin)
        elif self._carrier is Carrier.CONNECTOR:
            self._wordpress.install_connector()
        elif change.action is Action.CREATE:
            self._wordpress.install_plugin(self._carrier.plugin)
        else:
            self._wordpress.activate_plugin(self._carrier.plugin)

    def remove(self, live: Reading, before: Image) -> str:
        """Delete the plugin we installed, and the settings it made for itself when we activated it."""
        self._wordpress.delete_plugin(self._carrier.plugin)
        self._drop_settings(image_of(before))
        return ""

    def restore(self, change: Change, before: Image, applied: Image) -> None:
        """Deactivate it, and drop the settings that activating it made, unless somebody changed them since."""
        self.write(change)
        if not change.target["active"] and self._state().image == written_image(applied):
            self._drop_settings(image_of(before))

    def _by_hand(self, plugin: Plugin | None) -> Manual:
        has, folder = f"version {plugin.version}" if plugin else "missing", self._wordpress.answer(PLUGINS_FOLDER).path
        return Manual(
            f"our plugin {CONNECTOR} is {has}, {connector_version()} is wanted, and {folder} cannot be written",
            component=self.component,
            remedy=f"copy plugins/wordpress/{CONNECTOR} of this version to {folder}/{CONNECTOR}, or pack it (zip -r "
            f"{CONNECTOR}.zip {CONNECTOR}) and hand it over in WordPress under Plugins > Add Plugin > Upload Plugin; "
            "or give the owner of the site's files the right to write there. Then run again: the run activates it",
        )

    def _drop_settings(self, before: MailImage) -> None:
        if before.data()["option"] is None:
            self._wordpress.restore_mail_settings(self._carrier, before, applied=self._state().settings, force=True)

    def _state(self) -> CarrierState:
        return self._wordpress.answer(MAIL).carrier(self._carrier)


def can_have_connector(wordpress: WordPress) -> bool:
    """Say whether a WordPress has our connector as we ship it, or can be given it."""
    plugin = wordpress.answer(PLUGINS).get(CONNECTOR)
    as_shipped = plugin is not None and plugin.version == connector_version()
    return as_shipped or wordpress.answer(PLUGINS_FOLDER).writable


def written_image(applied: Image) -> MailImage | None:
    """Return the option as it was right after our write; None where a death left nobody to look at it."""
    content = applied.extra.get("mail")
    return MailImage(content=Secret(content)) if content else None


def image_of(kept: Image) -> MailImage:
    """Return the mail settings that were kept with an image."""
    return MailImage(content=Secret(kept.extra["mail"]))
