"""What we did to each resource, and what was there before: on disk before the write, so that a crash loses nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agencystack.engine.context import Sealed, now
from agencystack.engine.recordfile import SCHEMA, load
from agencystack.engine.resource import Action, Change, Image, Reading, Resource
from agencystack.engine.values import digest, from_stored, to_stored
from agencystack.stack.errors import ComponentRef
from agencystack.stack.files import write_atomically
from agencystack.stack.secrets import Secret

WITHOUT = "without it undo cannot know what was there before"


class Deed(BaseModel):
    """One change we made, or were making or taking back when we were stopped.

    ``before`` and ``after`` are sealed: they hold a product's own values, secrets among them.
    """

    model_config = ConfigDict(extra="forbid")

    run: str
    at: str
    by: str
    integration: str
    action: Action
    fields: list[str]
    state: Literal["writing", "applied", "removing"]
    before: str
    after: str


class Entry(BaseModel):
    """All we ever did to one resource, and which integrations use it."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA
    component: str
    key: str
    users: list[str] = []
    deeds: list[Deed] = []
    secrets: dict[str, str] = {}


class Ledger:
    """The entries of all resources, one file each.

    A file a resource keeps parallel writers apart, and makes each step of a run one atomic rename.

    Args:
        state_dir: ``integrations/state``.
        sealed: seals the images.
    """

    def __init__(self, state_dir: Path, sealed: Sealed) -> None:
        self._dir = state_dir
        self._sealed = sealed

    def entry(self, component: ComponentRef, key: str) -> Entry:
        """Return what is known of a resource; an empty entry when we never touched it."""
        found = load(self._path(component, key), Entry, WITHOUT)
        return Entry(component=str(component), key=key) if found is None else found

    def of_client(self, client: str) -> Iterator[Entry]:
        """Yield the entries of all resources in the components of ``client`` (or ``shared``)."""
        for path in sorted((self._dir / client / "resources").glob("*/*.json")):
            entry = load(path, Entry, WITHOUT)
            if entry is not None:
                yield entry

    def begin(self, resource: Resource, change: Change, run: str, by: str, integration: str) -> None:
        """Put the before-image and the intention on disk; must return before the product is touched."""
        entry = self.entry(resource.component, resource.key)
        names = [field_change.name for field_change in change.fields]
        if entry.deeds and entry.deeds[-1].state == "writing":
            # A killed write may have happened or not, or in part: what was there before it is what to go back to.
            killed = entry.deeds.pop()
            before, names = killed.before, list(dict.fromkeys([*killed.fields, *names]))
        else:
            before = self._seal(entry, Image.of(change.live))
            if entry.deeds:
                # What was being removed is wanted again.
                entry.deeds[-1].state = "applied"
        deed = Deed(
            run=run,
            at=now(),
            by=by,
            integration=integration,
            action=change.action,
            fields=names,
            state="writing",
            before=before,
            after=self._seal(entry, Image(change.target)),
        )
        entry.deeds.append(deed)
        _add(entry.users, integration)
        self._save(entry)

    def finish(self, resource: Resource, live: Reading) -> None:
        """Record that the write is done and what the product shows now."""
        entry = self.entry(resource.component, resource.key)
        deed = entry.deeds[-1]
        deed.state = "applied"
        deed.after = self._seal(entry, Image.of(live))
        wanted = resource.wanted()
        entry.secrets = {n: self._sealed.fingerprint(v) for n, v in wanted.items() if isinstance(v, Secret)}
        self._save(entry)

    def settle(self, resource: Resource, live: Reading) -> None:
        """Close what a kill left open when the product turns out to have what is wanted."""
        entry = self.entry(resource.component, resource.key)
        if entry.deeds and entry.deeds[-1].state != "applied":
            self.finish(resource, live)

    def removing(self, component: ComponentRef, key: str) -> None:
        """Put on disk that a removal begins: stopped half-way, what it has changed by then is nobody else's doing."""
        entry = self.entry(component, key)
        if entry.deeds:
            entry.deeds[-1].state = "removing"
            self._save(entry)

    def add_user(self, component: ComponentRef, key: str, user: str) -> None:
        """Record that one more integration relies on a resource; nothing is written when it is known."""
        entry = self.entry(component, key)
        if user not in entry.users:
            entry.users.append(user)
            self._save(entry)

    def drop_user(self, component: ComponentRef, key: str, user: str) -> None:
        """Record that an integration no longer relies on a resource."""
        entry = self.entry(component, key)
        if user in entry.users:
            entry.users.remove(user)
            self._save(entry)

    def forget(self, component: ComponentRef, key: str) -> None:
        """Drop the entry: the resource is as it was before us."""
        self._path(component, key).unlink(missing_ok=True)

    def cut(self, component: ComponentRef, key: str, deeds: list[Deed]) -> None:
        """Keep only ``deeds``: what came after was undone."""
        entry = self.entry(component, key)
        entry.deeds = deeds
        self._save(entry)

    def before(self, entry: Entry, deed: Deed) -> Image:
        """Open the image from before a deed."""
        return self._open(entry, deed.before)

    def after(self, entry: Entry, deed: Deed) -> Image:
        """Open the image of what a deed wrote, or meant to write."""
        return self._open(entry, deed.after)

    def _seal(self, entry: Entry, image: Image) -> str:
        fields = None if image.fields is None else to_stored(image.fields)
        data = json.dumps({"fields": fields, "extra": dict(image.extra)})
        return self._sealed.seal(data.encode(), f"{entry.component} {entry.key}")

    def _open(self, entry: Entry, sealed: str) -> Image:
        data = json.loads(self._sealed.open(sealed, f"{entry.component} {entry.key}"))
        return Image(None if data["fields"] is None else from_stored(data["fields"]), data["extra"])

    def _path(self, component: ComponentRef, key: str) -> Path:
        readable = re.sub(r"[^a-zA-Z0-9@._-]+", "-", key)[:80].strip("-.")
        return self._dir / component.client / "resources" / component.name / f"{readable}-{digest(key)[:8]}.json"

    def _save(self, entry: Entry) -> None:
        client, _, name = entry.component.partition("/")
        path = self._path(ComponentRef(client, name), entry.key)
        write_atomically(path, (entry.model_dump_json(indent=1) + "\n").encode(), 0o600)


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
