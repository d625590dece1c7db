"""How WordPress's plugin and ERPNext's app are joined to the bridge: pairing, where to call, keys, what is shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agencystack.components.bridge_settings import BridgeKey, BridgeSettings, BridgeState
from agencystack.components.erpnext import ErpNext
from agencystack.components.wordpress import BRIDGE, WordPress
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Marker
from agencystack.integrations.data_bridge.shared_keys import SharedKeys
from agencystack.stack.errors import ComponentRef

KEY = "bridge"
FORMER_KEYS = "bridge's former keys"


class Keeper(Protocol):
    """A product that keeps how it is joined."""

    where: ComponentRef

    def state(self) -> BridgeState | None:
        """Return how it is joined; None where it has no plugin or app that knows the bridge."""

    def configure(self, settings: BridgeSettings) -> None:
        """Join it."""

    def part(self, *, purge: bool) -> None:
        """Part it again.

        Args:
            purge: what the bridge wrote beside people's own values is forgotten, too.
        """


class WordPressKeeper:
    """A WordPress with our connector."""

    def __init__(self, wordpress: WordPress) -> None:
        self.where, self._wordpress = wordpress.where, wordpress
        wordpress.ask(BRIDGE)

    def state(self) -> BridgeState | None:
        """Return what the connector says; its answer comes with everything else that is read."""
        return self._wordpress.answer(BRIDGE)

    def configure(self, settings: BridgeSettings) -> None:
        """Have the connector keep it."""
        self._wordpress.write_bridge(settings)

    def part(self, *, purge: bool) -> None:
        """Have the connector forget it; its uninstaller takes along what it kept with people's records."""
        self._wordpress.write_bridge(None)


class NobodysKeeper:
    """A WordPress whose PHP nothing leads to: there is nobody to tell how it is joined.

    Args:
        where: the component.
    """

    def __init__(self, where: ComponentRef) -> None:
        self.where = where

    def state(self) -> BridgeState | None:
        """Return nothing."""
        return None

    def configure(self, settings: BridgeSettings) -> None:
        """Keep nothing."""

    def part(self, *, purge: bool) -> None:
        """Forget nothing."""


class ErpNextKeeper:
    """An ERPNext, with our app or without.

    Args:
        erpnext: its client.
        has_app: says whether it has the app, in a version that knows the bridge.
    """

    def __init__(self, erpnext: ErpNext, has_app: Callable[[], bool]) -> None:
        self.where, self._bridge, self._has_app = erpnext.where, erpnext.bridge, has_app

    def state(self) -> BridgeState | None:
        """Return what the app says."""
        return self._bridge.state() if self._has_app() else None

    def configure(self, settings: BridgeSettings) -> None:
        """Have the app keep it."""
        self._bridge.configure(settings)

    def part(self, *, purge: bool) -> None:
        """Have the app forget it."""
        self._bridge.clear(purge=purge)


class KnownKeys(Protocol):
    """What the workers know of the keys shared with one product, newest first; they sign with the first."""

    def known(self) -> tuple[BridgeKey, ...]:
        """Return them; none while the pairing is not set up."""

    def take(self, keys: Sequence[BridgeKey]) -> None:
        """Know these keys and no other."""


@dataclass(frozen=True)
class Joining:
    """How a product shall be joined.

    Args:
        pairing: the pairing.
        hook_url: where it calls.
        entities: which way each shared entity goes.
        keys: the keys shared with it.
        workers: what the workers know of these keys.
    """

    pairing: str
    hook_url: str
    entities: Mapping[str, str]
    keys: SharedKeys
    workers: KnownKeys

    def settings(self) -> BridgeSettings:
        """Return it with the keys; the first is made where there is none."""
        return BridgeSettings(self.pairing, self.hook_url, self.keys.ensure(), self.entities)


class KeysExpected(Resource):
    """Before a product's keys change: the workers take every key, and sign with one that is good before and after.

    So neither their calls nor the product's are refused for a moment.
    """

    stays = ""

    def __init__(self, component: ComponentRef, keeper: Keeper, joining: Joining) -> None:
        self.component, self.key = component, f"keys expected of {keeper.where.name}"
        self._keeper, self._joining = keeper, joining

    def read(self) -> Reading:
        """Return whether they know all keys, and sign with the right one; nothing is to be known before they work."""
        known = [key.id for key in self._joining.workers.known()]
        ready = not known or (set(self._joining.keys.ids()) <= set(known) and known[0] == (self._common() or known[0]))
        return Reading({"ready": ready})

    def wanted(self) -> Fields:
        """Want them to sign with one that the product takes now and will take, and to take all."""
        return {"ready": True}

    def write(self, change: Change) -> None:
        """Tell the workers."""
        first = self._common()
        keys = {key.id: key for key in (*self._joining.workers.known(), *self._joining.keys.kept())}
        self._joining.workers.take(sorted(keys.values(), key=lambda key: key.id != first))

    def _common(self) -> str:
        state = self._keeper.state()
        taken = state.keys if state else ()
        return next((id_ for id_ in self._joining.keys.ids() if id_ in taken), "")


class Joined(Resource):
    """One product joined to the bridge.

    Args:
        keeper: the product.
        joining: how it shall be joined.
        without: says what the plan warns of where the product has neither plugin nor app that knows the bridge, and
            does not get it in this run; nothing where it does.
        purged: says whether what the bridge wrote beside people's values goes, too.
    """

    def __init__(
        self, keeper: Keeper, joining: Joining, without: Callable[[], str], purged: Callable[[], bool]
    ) -> None:
        self.component, self.key = keeper.where, KEY
        self._keeper, self._joining, self._without, self._purged = keeper, joining, without, purged

    def read(self) -> Reading:
        """Return how it is joined."""
        state = self._keeper.state()
        if state is None and (without := self._without()):
            return Reading({}, warnings=(without,))
        return Reading(_shown(state)) if state and state.pairing else ABSENT

    def wanted(self) -> Fields:
        """Want it joined to this pairing, with the keys both sides know."""
        joining = self._joining
        if self._keeper.state() is None and self._without():
            return {}
        return {
            "pairing": joining.pairing,
            "hook_url": joining.hook_url,
            "entities": _words(joining.entities),
            "keys": joining.keys.ids() or Marker.PENDING,
        }

    def write(self, change: Change) -> None:
        """Join it."""
        self._keeper.configure(self._joining.settings())

    def remove(self, live: Reading, before: Image) -> str:
        """Part it again; the keys are forgotten when nobody takes them any more."""
        self._keeper.part(purge=self._purged())
        self._joining.keys.forget()
        return ""


class FormerKeysGone(Resource):
    """After an exchange that was proven: the product takes the newest key alone."""

    after_proof = True
    stays = "an exchanged key is not taken back into use"

    def __init__(self, keeper: Keeper, joining: Joining) -> None:
        self.component, self.key = keeper.where, FORMER_KEYS
        self._keeper, self._joining = keeper, joining

    def read(self) -> Reading:
        """Return how many keys are taken."""
        state = self._keeper.state()
        return Reading({"keys": len(state.keys) if state and state.pairing else 1})

    def wanted(self) -> Fields:
        """Want one."""
        return {"keys": 1}

    def write(self, change: Change) -> None:
        """Forget the former key, here and there."""
        self._joining.keys.settle()
        self._keeper.configure(self._joining.settings())
        self._joining.workers.take(self._joining.keys.kept())


def _shown(state: BridgeState) -> Fields:
    return {
        "pairing": state.pairing,
        "hook_url": state.hook_url,
        "entities": _words(state.entities),
        "keys": state.keys,
    }


def _words(entities: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(f"{name} {direction}" for name, direction in entities.items()))
