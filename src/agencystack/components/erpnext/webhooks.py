"""ERPNext's own webhooks: it calls an address when a document is saved, signed with a secret (facts, "Webhook")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agencystack.components.erpnext.site import FrappeSite
from agencystack.stack.secrets import Secret

WEBHOOK = "Webhook"

# Names alone: a hint says where to look, and no value of a customer travels for it.
_BODY = (
    '{"doctype": {{ doc.doctype | tojson }}, "name": {{ doc.name | tojson }}, '
    '"variant_of": {{ (doc.get("variant_of") or "") | tojson }}}'
)


@dataclass(frozen=True)
class Webhook:
    """One webhook.

    Args:
        doctype: whose documents.
        event: when: ``on_update``, ``on_trash``, ...
        url: what is called.
        enabled: it is.
    """

    doctype: str
    event: str
    url: str
    enabled: bool

    def fields(self) -> Mapping[str, str | bool]:
        """Return all that can be read of it."""
        return {"doctype": self.doctype, "event": self.event, "url": self.url, "enabled": self.enabled}


class Webhooks:
    """The webhooks of one site.

    Args:
        site: its client, with the key of a System Manager.
    """

    def __init__(self, site: FrappeSite) -> None:
        self.where, self._site = site.where, site

    def read(self, name: str) -> Webhook | None:
        """Return a webhook, None where there is none of that name; its secret shows itself nowhere."""
        found = self._site.document(WEBHOOK, name)
        if found is None:
            return None
        doctype, event, url = (str(found.get(f) or "") for f in ("webhook_doctype", "webhook_docevent", "request_url"))
        return Webhook(doctype, event, url, bool(found.get("enabled")))

    def write(self, name: str, wanted: Webhook, secret: Secret, *, new: bool) -> None:
        """Make it, or change it."""
        values: dict[str, object] = {
            "webhook_doctype": wanted.doctype,
            "webhook_docevent": wanted.event,
            "request_url": wanted.url,
            "request_method": "POST",
            "request_structure": "JSON",
            "webhook_json": _BODY,
            "enable_security": 1,
            "webhook_secret": secret.reveal(),
            "enabled": int(wanted.enabled),
        }
        if new:
            self._site.insert(WEBHOOK, {"name": name, **values})
        else:
            self._site.update(WEBHOOK, name, values)

    def silence(self, name: str) -> None:
        """Have it call no more; it is disabled, as it would be called from the cache in Redis still."""
        self._site.update(WEBHOOK, name, {"enabled": 0})

    def remove(self, name: str) -> str:
        """Delete it; return why it stays, which it never does.

        It is disabled first: deleting leaves it in Redis, and ERPNext goes on calling until somebody saves a webhook.
        """
        if self.read(name) is not None:
            self.silence(name)
            self._site.delete(WEBHOOK, name)
        return ""
