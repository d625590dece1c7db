"""Pages as ERPNext keeps them: Web Pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agencystack.bridge.entities.content_erpnext import ContentOnErpNext
from agencystack.bridge.record import Fields
from agencystack.bridge.side import Action, Operation
from agencystack.bridge.sides.erpnext.documents import Step
from agencystack.bridge.sides.erpnext.form import Native


class PageOnErpNext(ContentOnErpNext):
    """A Web Page."""

    entity: ClassVar[str] = "page"
    doctype: ClassVar[str] = "Web Page"
    stem: ClassVar[str] = "main_section"

    def own_fields(self, native: Native) -> Fields:
        """Return the canonical values of a Web Page."""
        return self.text_fields(native)

    def own_steps(self, operation: Operation, native: Native | None) -> Sequence[Step]:
        """Return what is done to a Web Page."""
        if operation.action is Action.RETIRE:
            return self.retired(operation)
        values = self.text_values(operation.fields, native)
        if slug := operation.fields.get("slug"):
            values["route"] = slug
        if native is not None:
            return [self.update(operation, values)] if values else []
        return self.made(operation, values)
