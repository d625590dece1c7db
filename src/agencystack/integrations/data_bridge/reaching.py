"""Whether each product reaches the bridge from where it lives; a warning alone, as it is asked for changes, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agencystack.bridge.serving.place import Place
from agencystack.components.wordpress import WordPress
from agencystack.components.wordpress.queries import Reach, reaches_bridge
from agencystack.engine.resource import Change, Reading, Resource
from agencystack.engine.values import Fields
from agencystack.integrations.data_bridge.joined import Keeper
from agencystack.integrations.data_bridge.worker import living
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.execution import Executor

UNSIGNED = 401
"""What the bridge answers to a call without a signature: who hears it has reached the bridge."""

MEANWHILE = "changes arrive within half a minute instead of at once"
_REMEDY = "let it reach bridge.url of stack.yaml (proxy, firewall, name), or correct that address"
_LIMITS = (
    "WooCommerce's own webhooks may not call it: WordPress lets them call ports 80, 443 and 8080 and no private "
    "address; use such a port, or allow it by the filters http_allowed_safe_ports and http_request_host_is_external"
)

# urllib is Python's own; the bench's interpreter is the one ERPNext calls from.
_CALL = """
import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], b"{}", method="POST"), timeout=5).status)
except urllib.error.HTTPError as answer:
    print(answer.code)
except Exception as why:
    print(why)
"""


class WordPressReaches(Resource):
    """WordPress calls the bridge, from inside; nothing is written.

    Args:
        wordpress: its client.
        hook_url: where our connector calls.
        place: tells whether a worker lives; without one nobody could answer.
        by_connector: says whether our connector calls; else WooCommerce's webhooks do, under WordPress's limits.
    """

    def __init__(self, wordpress: WordPress, hook_url: str, place: Place, by_connector: Callable[[], bool]) -> None:
        self.component, self.key = wordpress.where, "way to the bridge"
        self._wordpress, self._url, self._place, self._by_connector = wordpress, hook_url, place, by_connector

    def read(self) -> Reading:
        """Call it, and say how that ended."""
        if not living(self._place):
            return Reading({})
        reach = self._wordpress.answer(reaches_bridge(self._url))
        return Reading({}, warnings=tuple(self._wrong(reach)))

    def wanted(self) -> Fields:
        """Want nothing: the bridge works without."""
        return {}

    def write(self, change: Change) -> None:
        """Write nothing."""

    def _wrong(self, reach: Reach) -> Sequence[str]:
        wrong = [] if reach.status == UNSIGNED else [unreached("WordPress", self._url, reach.status, reach.error)]
        if not reach.allowed and not self._by_connector():
            wrong.append(_LIMITS)
        return wrong


class ErpNextReaches(Resource):
    """ERPNext calls the bridge: from its bench where there is a way to it, else as our app counts its failed calls.

    Args:
        keeper: the site.
        hook_url: where our app calls.
        place: tells whether a worker lives.
        bench: runs programs where the bench is, and its folder; None where nothing says how to get there.
    """

    def __init__(self, keeper: Keeper, hook_url: str, place: Place, bench: tuple[Executor, str] | None) -> None:
        self.component, self.key = keeper.where, "way to the bridge"
        self._keeper, self._url, self._place, self._bench = keeper, hook_url, place, bench

    def read(self) -> Reading:
        """Call it, and say how that ended."""
        if not living(self._place):
            return Reading({})
        if self._bench is not None:
            status, error = self._called(*self._bench)
            return Reading({}, warnings=() if status == UNSIGNED else (unreached("ERPNext", self._url, status, error),))
        state = self._keeper.state()
        failed = state.failed_hints if state else 0
        told = f"the last {failed} calls of our app failed"
        return Reading({}, warnings=(unreached("ERPNext", self._url, 0, told),) if failed else ())

    def wanted(self) -> Fields:
        """Want nothing: the bridge works without."""
        return {}

    def write(self, change: Change) -> None:
        """Write nothing."""

    def _called(self, run: Executor, folder: str) -> tuple[int, str]:
        try:
            done = run.run([f"{folder}/env/bin/python", "-c", _CALL, self._url], timeout=20.0)
        except AgencyStackError as error:
            return 0, str(error)
        said = (done.stdout or done.stderr).decode(errors="replace").strip()
        return (int(said), "") if said.isdigit() else (0, said[-300:])


def unreached(who: str, url: str, status: int, error: str) -> str:
    """Return the warning that a product does not reach the bridge."""
    how = f"it was answered {status} by somebody else" if status else error
    return f"{who} does not reach the bridge at {url}: {how}. {MEANWHILE}; {_REMEDY}"
