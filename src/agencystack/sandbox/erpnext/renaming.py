"""What Frappe does when a document gets another name: it is followed wherever it is named."""

from __future__ import annotations

from agencystack.sandbox.erpnext.doctypes import DOCTYPES
from agencystack.sandbox.erpnext.document_checks import same
from agencystack.sandbox.erpnext.meta import DocType
from agencystack.sandbox.erpnext.store import Document
from agencystack.sandbox.erpnext.values import rows_of
from agencystack.sandbox.erpnext.work import Work


def move(work: Work, meta: DocType, document: Document, new: str, *, merge: bool) -> None:
    """Store a document under another name, and follow it in all links.

    Args:
        work: the request.
        meta: its doctype.
        document: what is renamed.
        new: its new name.
        merge: there is one of that name already, which stays.
    """
    old = document["name"]
    for one in meta.of_kind("Password"):
        password = work.transaction.password(meta.name, old, one.name)
        if password is not None:
            work.transaction.set_password(meta.name, new, one.name, password)
    work.transaction.delete(meta.name, old)
    document["name"] = new
    if meta.name_field:
        document[meta.name_field] = new
    for row in rows_of(document):
        row["parent"] = new
    if not merge:
        work.transaction.put(document)
    for other in DOCTYPES.values():
        if not other.is_table:
            _rename_links(work, other, meta.name, old, new)


def _rename_links(work: Work, other: DocType, doctype: str, old: str, new: str) -> None:
    """Follow a rename in the links of other documents; their ``modified`` stays as it is."""
    links = [(one.name, "") for one in other.of_kind("Link") if one.options == doctype]
    for table in other.of_kind("Table"):
        child = DOCTYPES.get(table.options)
        links += [(table.name, one.name) for one in child.of_kind("Link") if one.options == doctype] if child else []
        if child and child.field("link_name"):
            links.append((table.name, "link_name"))
    for first, second in links:
        for linked in work.transaction.having(other.name, f"{first}.{second}" if second else first, old):
            changed = work.transaction.get(other.name, linked["name"])
            for row in (changed[first] if second else [changed]) if changed else ():
                if same(row.get(second or first), old):
                    row[second or first] = new
            if changed:
                work.transaction.put(changed)
