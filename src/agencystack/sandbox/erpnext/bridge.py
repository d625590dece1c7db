"""The bridge's calls of our app on the stand-in: signed, as its own user; marks and steps are the app's code."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agencystack.sandbox.erpnext.birth import BRIDGE_USER
from agencystack.sandbox.erpnext.connector import APP, part
from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.documents import Documents, Work
from agencystack.sandbox.erpnext.errors import FrappeError, invalid, not_whitelisted
from agencystack.sandbox.erpnext.groups import TOKEN, Groups
from agencystack.sandbox.erpnext.listing import rows
from agencystack.sandbox.erpnext.outbox import Outbox
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.values import shown
from agencystack.sandbox.erpnext.work import SITE_ZONE

ROUTE = f"{APP}.bridge."
SIGNED = frozenset({"changes", "documents", "select", "find", "walk", "digest", "rows", "apply"})
_SETTINGS = "__AgencyStack Bridge"
_NOTHING = "0" * 16
MOST_CHANGES = 2000
MOST_KEYS = 2
SHORTEST_SECRET = 32
# Doctypes of a real site that the stand-in has no fields of.
_ELSEWHERE = frozenset({"Employee"})


class Bridge:
    """The app's part in the data bridge.

    Args:
        documents: the site's.
        outbox: of the app.
        url: the site's address.
    """

    def __init__(self, documents: Documents, outbox: Outbox, url: str) -> None:
        self._documents = documents
        self._outbox = outbox
        self._url = url
        self._groups = Groups(documents, outbox)
        self._signing, self._entities = part("bridge.signing"), part("bridge.entities")
        self._steps = part("bridge.steps")
        self._groups.allow = self.allow
        self._nonces: set[str] = set()
        self._calls: Mapping[str, Callable[[Work, Mapping[str, Any]], dict[str, Any]]] = {
            "changes": self._changes,
            "documents": lambda work, body: {"documents": self._shown(work, body["doctype"], body["names"])},
            "select": self._select,
            "find": self._find,
            "walk": self._walk,
            "digest": self._digest,
            "rows": lambda work, body: {"rows": self._digests(work, body["doctype"], body["range"], body)},
            "apply": lambda work, body: {"saved": self._groups.save(work, body["groups"])},
        }

    def configure(self, work: Work, given: Mapping[str, Any]) -> dict[str, Any]:
        """Set the pairing and its keys, as a System Manager."""
        _only_managers(work, "configure")
        self._refuse_bad(given)
        keys = {str(one["id"]): str(one["secret"]) for one in given["keys"]}
        told = {key: given.get(key) or "" for key in ("pairing", "hook_url")}
        work.transaction.put({**self._settings(work), **told, "entities": dict(given["entities"]), "keys": keys})
        self._make_fields(work)
        return self.state(work, given)

    def _make_fields(self, work: Work) -> None:
        """Make the app's own fields where they are missing; those that are there are left as they are."""
        for doctype, fields in part("bridge.fields").wanted().items():
            if doctype not in DOCTYPES:
                continue
            for field in fields:
                if not work.meta(doctype).field(str(field["fieldname"])):
                    self._documents.plant(
                        work, "Custom Field", f"{doctype}-{field['fieldname']}", {"dt": doctype, **field}
                    )

    def clear(self, work: Work, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget the pairing."""
        _only_managers(work, "clear")
        work.transaction.put({**self._settings(work), "pairing": "", "hook_url": "", "entities": {}, "keys": {}})
        ours = part("bridge.fields").names()
        if int(given.get("purge") or 0):
            for doctype in part("bridge.fields").wanted():
                for one in work.transaction.scan(doctype) if doctype in DOCTYPES else ():
                    work.transaction.put({name: value for name, value in one.items() if name not in ours})
        for field in work.transaction.scan("Custom Field"):
            if field.get("fieldname") in ours:
                # What stands in its columns stays, as on the real site.
                work.transaction.delete("Custom Field", str(field["name"]))
        return self.state(work, {})

    def state(self, work: Work, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return how the site is set up for the bridge; never a secret."""
        _only_managers(work, "state")
        kept = self._settings(work)
        marks, _more = self._outbox.oldest(work.transaction, 10**6)
        return {
            "version": str(part("").__version__),
            "url": self._url,
            "instance": kept["instance"],
            "pairing": kept.get("pairing") or "",
            "hook_url": kept.get("hook_url") or "",
            "keys": list(kept["keys"]),
            "user": BRIDGE_USER if kept["keys"] else "",
            "entities": kept.get("entities") or {},
            "narrowed": {"revision": 0, "entities": {}},
            "missing": [],
            "backlog": len(marks),
            "epoch": self._outbox.epoch(work.transaction),
            "last_contact": "",
            "failed_hints": 0,
        }

    def _refuse_bad(self, given: Mapping[str, Any]) -> None:
        """Refuse settings as the app does (its ``bridge/admin.py``)."""
        keys, entities = given.get("keys"), given.get("entities")
        if not given.get("pairing"):
            raise invalid("A pairing needs a name.")
        if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
            raise invalid(f"One key is needed, and {MOST_KEYS} while one is being exchanged.")
        if any(not one.get("id") or len(str(one.get("secret") or "")) < SHORTEST_SECRET for one in keys):
            raise invalid(f"A key needs an id, and a secret of at least {SHORTEST_SECRET} characters.")
        if not isinstance(entities, dict) or self._entities.unknown(entities):
            raise invalid(f"These are not entities: {', '.join(self._entities.unknown(entities or ()))}")
        wrong = sorted(str(one) for one in entities.values() if one not in self._entities.DIRECTIONS)
        if wrong:
            raise invalid(f"These are not directions: {', '.join(wrong)}")

    def answer(self, work: Work, call: str, raw: bytes, header: Callable[[str], str]) -> tuple[int, dict[str, Any]]:
        """Answer a signed call."""
        keys = self._settings(work)["keys"]
        try:
            self._signing.check(keys, ROUTE + call, raw, header, self._first_time)
            body = json.loads(raw)
        except self._signing.Unsigned as why:
            refused: Any = why
            return 401, {"code": refused.code, "message": refused.says}
        except ValueError:
            return 401, {"code": "agencystack_unsigned", "message": "its body is no JSON object"}
        work.user = BRIDGE_USER
        try:
            self._look_over(work, call, body)
            answer = self._calls[call](work, body)
        except _BadCall as why:
            return 400, {"code": "agencystack_bad_call", "message": str(why)}
        except (KeyError, TypeError) as why:
            return 400, {"code": "agencystack_bad_call", "message": f"{call} misses {why}"}
        except FrappeError as error:
            if error.kind != "PermissionError":
                raise
            return 403, {"code": "agencystack_forbidden", "message": error.error_message or error.text}
        return 200, {"message": answer}

    def _first_time(self, nonce: str) -> bool:
        new = nonce not in self._nonces
        self._nonces.add(nonce)
        return new

    def _settings(self, work: Work) -> Document:
        kept = work.transaction.get(_SETTINGS, _SETTINGS)
        if kept is None:
            kept = {"doctype": _SETTINGS, "name": _SETTINGS, "instance": secrets.token_hex(16), "keys": {}}
            work.transaction.put(kept)
        return kept

    def _look_over(self, work: Work, call: str, body: Mapping[str, Any]) -> None:
        """Refuse what the app refuses before it looks at any document.

        Raises:
            _BadCall: it asks for what there is not.
            FrappeError: nothing that is shared needs it.
        """
        filters = body.get("filters") or []
        if not isinstance(filters, list) or not all(isinstance(one, list) and len(one) in (3, 4) for one in filters):
            raise _BadCall("filters must be a list of [field, operator, value]")
        if call in {"digest", "rows"}:
            for one in filters:
                if one[-2] not in {"=", "!=", "is"}:
                    raise _BadCall(f"a digest cannot be filtered by {one[-2]!r}")
        if call == "changes" and not 0 <= int(body.get("limit", 500)) <= MOST_CHANGES:
            raise _BadCall(f"limit must be a number up to {MOST_CHANGES}")
        if call == "apply" and len(body["groups"]) > self._steps.MOST_GROUPS:
            raise _BadCall(f"groups must be a list of at most {self._steps.MOST_GROUPS}")
        named = str(body.get("parent") or body.get("doctype") or "")
        if named:
            if work.known(named) is None and named not in _ELSEWHERE:
                raise _BadCall(f"there is no doctype {named!r} on this site")
            self.allow(work, named, "read")

    def allow(self, work: Work, doctype: str, right: str) -> None:
        """Let the bridge do something with a doctype where what is shared needs it.

        Raises:
            FrappeError: nothing does.
        """
        if right not in self._rights(work).get(doctype, ()):
            raise _forbidden(right, doctype)

    def _rights(self, work: Work) -> Mapping[str, Sequence[str]]:
        shared: Mapping[str, Sequence[str]] = self._entities.rights(self._settings(work).get("entities") or {})
        return shared

    def _select(self, work: Work, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {"rows": rows(work, body["doctype"], {**body, "limit_page_length": 0})}
        except FrappeError as error:
            if error.kind != "DataError":
                raise
            field = error.text.rpartition(" ")[2]
            raise _BadCall(f"{body['doctype']} has no field {field} on this site") from error

    def _changes(self, work: Work, body: Mapping[str, Any]) -> dict[str, Any]:
        self._outbox.acknowledge(work.transaction, body.get("acknowledge") or [])
        marks, more = self._outbox.oldest(work.transaction, int(body.get("limit", 500)))
        return {
            "url": self._url,
            "instance": self._settings(work)["instance"],
            "epoch": self._outbox.epoch(work.transaction),
            "time_zone": str(SITE_ZONE),
            "more": more and bool(body.get("limit", 500)),
            "changes": [{"mark": one["number"], "entity": one["entity"], "id": one["record"]} for one in marks],
            "narrowed": {"revision": 0, "entities": {}},
        }

    def _shown(self, work: Work, doctype: str, names: Sequence[str]) -> dict[str, Document]:
        meta = work.meta(doctype)
        work.require(meta, "read")
        found = {}
        for name in names:
            stored = work.transaction.peek(doctype, name)
            if stored is not None:
                empty: Document = {one.name: [] for one in meta.of_kind("Table")}
                utc = datetime.fromisoformat(stored["modified"]).replace(tzinfo=SITE_ZONE).astimezone(UTC)
                told = {"agencystack_modified_utc": utc.isoformat().replace("+00:00", "Z")}
                found[name] = shown({**empty, **stored, **told, "agencystack_row": self._row(work, stored)})
        return found

    def _find(self, work: Work, body: Mapping[str, Any]) -> dict[str, Any]:
        made = work.transaction.having(body["doctype"], TOKEN, *body["tokens"]) if body["tokens"] else []
        return {"found": {one[TOKEN]: one["name"] for one in made}}

    def _walk(self, work: Work, body: Mapping[str, Any]) -> dict[str, Any]:
        asked = {"filters": body.get("filters") or [], "fields": ["name", "creation"], "limit_page_length": 0}
        found: Any = rows(work, body["doctype"], {**asked, "order_by": "creation asc, name asc"})
        after = tuple(json.loads(body["after"])) if body.get("after") else ("", "")
        limit = int(body["limit"])
        left = [one for one in found if (one["creation"], one["name"]) > after]
        page = left[:limit]
        last = json.dumps([page[-1]["creation"], page[-1]["name"]]) if len(page) == limit else ""
        return {"ids": [one["name"] for one in page], "next": last}

    def _digest(self, work: Work, body: Mapping[str, Any]) -> dict[str, Any]:
        summaries = []
        for one in body["ranges"]:
            digests = self._digests(work, body["doctype"], one, body).values()
            whole = 0
            for digest in digests:
                whole ^= int(digest, 16)
            summaries.append([len(digests), f"{whole:016x}"])
        return {"summaries": summaries}

    def _digests(self, work: Work, doctype: str, within: Sequence[str], body: Mapping[str, Any]) -> dict[str, str]:
        asked = {"filters": body.get("filters") or [], "fields": ["name", "creation"], "limit_page_length": 0}
        found: Any = rows(work, doctype, asked)
        start, end = within
        chosen = [one["name"] for one in found if one["creation"] >= start and (not end or one["creation"] < end)]
        return {name: self._row(work, work.transaction.peek(doctype, name) or {}) for name in chosen}

    def _row(self, work: Work, document: Document) -> str:
        """Return a digest of a document and what hangs on it, as the app works one out in SQL."""
        told = json.dumps([document, *self._hanging(work, document)], sort_keys=True, default=str)
        return hashlib.md5(told.encode(), usedforsecurity=False).hexdigest()[:16] if document else _NOTHING

    def _hanging(self, work: Work, document: Document) -> list[Document]:
        name, having = document.get("name", ""), work.transaction.having
        if document.get("doctype") == "Customer":
            return [*having("Contact", "links.link_name", name), *having("Address", "links.link_name", name)]
        if document.get("doctype") == "Item":
            return [*having("Item Price", "item_code", name), *having("Bin", "item_code", name)]
        return having("Communication", "reference_name", name) if document.get("doctype") == "Lead" else []


class _BadCall(Exception):
    """A signed call that asks for what there is not; the text says what."""


def _forbidden(right: str, doctype: str) -> FrappeError:
    text = f"nothing that is shared needs to {right} a {doctype}"
    return FrappeError("PermissionError", text, status=403)


def _only_managers(work: Work, call: str) -> None:
    if "System Manager" not in work.roles():
        raise not_whitelisted(f"{ROUTE}admin.{call}")
