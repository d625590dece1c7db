"""WordPress fails on purpose, and what PHP writes of it (a line, a trace, where it was thrown) is one entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agencystack.components.loki import Entry
from agencystack.components.wordpress import canary
from agencystack.engine.integration import Capability, Site, Support
from agencystack.integrations import products
from agencystack.integrations.monitoring.canary import Canary, CanaryIsFound
from agencystack.integrations.monitoring.health_token import sealed_token
from agencystack.stack.errors import ConfigurationError

ONE_ENTRY = "a PHP fatal with a trace is one entry"
CAPABILITY = Capability(
    "an error of PHP with its trace is one entry",
    Support.PARTIAL,
    proof=ONE_ENTRY,
    reason="where stack.yaml says which file PHP's errors go to",
    alternative="add `{stream: php, file: ...}` to logs of wordpress",
)

PARTS = ("PHP Fatal error:", "Stack trace:", "#0 ", "thrown in ")
"""What PHP writes of an uncaught exception, on lines of its own (contract/wordpress/logs/wp-debug.log)."""


@dataclass(frozen=True)
class PhpFailure(Canary):
    """Throws in our plugin, where nobody catches.

    Args:
        site: the WordPress; its token opens the plugin's door.
    """

    site: Site

    def sing(self, nonce: str) -> Mapping[str, Any]:
        """Throw."""
        application, token = self.site.application, sealed_token(self.site).get()
        if token is None:
            raise ConfigurationError(
                "cannot be made to fail on purpose: its connector plugin has no token of ours",
                component=application.ref,
                remedy="add exec to it in stack.yaml, then integrate again",
            )
        settings = application.settings
        url, authority = settings.reached_by_us(), products.ca_file(settings)
        status = canary.fail(application.ref, url, nonce, token, ca_file=authority)
        return {"event": f"an uncaught exception: {nonce}", "answered": status}


class FatalIsOneEntry(CanaryIsFound):
    """The exception is in Loki once, with its whole trace."""

    name = ONE_ENTRY

    def wrong_with(self, entries: list[Entry]) -> list[str]:
        """Return what is wrong with the entries that hold the exception's message."""
        [first, *more] = entries
        missing = [part for part in PARTS if part not in first.line]
        wrong = [f"its entry lacks {', '.join(missing)}: the lines of one error are several entries"] if missing else []
        if more:
            wrong.append(f"it stands in {len(entries)} entries: two sources read the same log, or its lines were split")
        if first.metadata.get("event") != "php_fatal":
            wrong.append(f"it is taken for {first.metadata.get('event', 'nothing special')} instead of php_fatal")
        return wrong
