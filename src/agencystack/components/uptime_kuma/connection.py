"""The Socket.IO connection to one Uptime Kuma: the library's, with our limits of time, our errors, and one login.

``uptime-kuma-api2`` connects, logs in and keeps the lists the server pushes. Whole objects (monitors, status pages) are
not edited through it: it drops a page's refresh interval, takes no push token, and refuses what Uptime Kuma itself
accepts, such as a monitor of 5 s or one whose record type is null (``recordings/uptime-kuma/lib_api2.json``).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from socketio.exceptions import SocketIOError  # type: ignore[import-untyped]
from uptime_kuma_api import Timeout as LibraryTimeout  # type: ignore[import-untyped]
from uptime_kuma_api import UptimeKumaApi, UptimeKumaException

from agencystack.components.uptime_kuma.models import Heartbeat
from agencystack.components.uptime_kuma.session import Memory, Session
from agencystack.stack.errors import AuthenticationFailed, BadAnswer, ComponentRef, Refused, Unavailable
from agencystack.stack.secrets import Secret, redact

Found = TypeVar("Found")
LIMIT = 20.0
"""Seconds for one answer; a Kuma of a thousand monitors needs three to send its lists."""

OLDEST = 2
TOO_OFTEN = "Too frequently"
NOT_LOGGED_IN = "You are not logged in."
WRONG = ("authIncorrectCreds", "authInvalidToken", "authUserInactiveOrDeleted")


class Heartbeats:
    """The newest heartbeat of each monitor that arrived on this connection, to be waited for."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._latest: dict[int, Heartbeat] = {}
        self._over = False

    def arrived(self, data: Any) -> None:
        """Keep what the server pushed."""
        beat = Heartbeat.model_validate(data)
        with self._condition:
            self._latest[beat.monitor_id] = beat
            self._condition.notify_all()

    def end(self, *_: Any) -> None:
        """Let nobody wait for what cannot come any more."""
        with self._condition:
            self._over = True
            self._condition.notify_all()

    def forget(self, monitor_id: int) -> None:
        """Make the next wait for this monitor one for a new heartbeat."""
        with self._condition:
            self._latest.pop(monitor_id, None)

    def wait(self, monitor_id: int, accepted: Callable[[Heartbeat], bool], limit: float) -> Heartbeat | None:
        """Return the first heartbeat that is accepted, else the newest there is after ``limit`` seconds, or None."""
        end = time.monotonic() + limit
        with self._condition:
            while True:
                beat = self._latest.get(monitor_id)
                left = end - time.monotonic()
                if (beat is not None and accepted(beat)) or left <= 0 or self._over:
                    return beat
                self._condition.wait(left)


class _Library(UptimeKumaApi):  # type: ignore[misc]
    """The library's client, listening before it connects.

    The server takes calls only once it has said ``loginRequired`` or ``autoLogin``; what is sent before is lost, as it
    waits for its settings before it listens (``server/server.js``, ``io.on("connection")``).
    """

    def __init__(self, url: str, limit: float, ca_file: Path | None) -> None:
        self.greeted = threading.Event()
        self.logged_in = False
        self.beats = Heartbeats()
        self._answers: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        super().__init__(url, timeout=limit, ssl_verify=str(ca_file) if ca_file else True, wait_events=0)

    def connect(self) -> None:
        """Connect once; a lost connection is opened anew by us, as it would not be logged in."""
        self.sio.reconnection = False
        self.sio.on("loginRequired", lambda *_: self.greeted.set())
        self.sio.on("autoLogin", self._let_in)
        self.sio.on("heartbeat", self.beats.arrived)
        self.sio.on("disconnect", self._lost)
        super().connect()

    def acknowledgement(self, event: str, arguments: tuple[Any, ...]) -> Any:
        """Send one call and return its acknowledgement; one after the other.

        Raises:
            LibraryTimeout: there was none in time.
            SocketIOError: the connection was lost; the library's own call would wait for the whole time.
        """
        answers = self._answers = queue.SimpleQueue()
        self.sio.emit(event, arguments, callback=lambda *data: answers.put(data))
        try:
            data = answers.get(timeout=self.timeout)
        except queue.Empty:
            raise LibraryTimeout(event) from None
        if data is None:
            raise SocketIOError("the connection was lost")
        return data[0] if len(data) == 1 else data

    def _lost(self, *_: Any) -> None:
        self._answers.put(None)
        self.beats.end()

    def _let_in(self, *_: Any) -> None:
        self.logged_in = True
        self.greeted.set()


class Connection:
    """One login to one Uptime Kuma, made when it is first needed and again, by its token, after it was lost.

    Args:
        where: the component, for error messages.
        url: as we reach it.
        user: name of its user.
        password: of that user.
        ca_file: certificate authority of ``url``; the system's when absent.
        limit: seconds for one answer.
        memory: keeps the token of its login over runs.
    """

    def __init__(
        self,
        where: ComponentRef,
        url: str,
        user: str,
        password: Secret,
        *,
        ca_file: Path | None = None,
        limit: float = LIMIT,
        memory: Memory | None = None,
    ) -> None:
        self.where, self.url, self.limit = where, url.rstrip("/"), limit
        self._user, self._password, self._ca_file = user, password, ca_file
        self._library: _Library | None = None
        self._session = Session(self.url, user, memory)
        self._lock = threading.RLock()

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            if self._library is not None:
                self._library.disconnect()
            self._library = None

    @property
    def beats(self) -> Heartbeats:
        """The heartbeats of the connection as it is now."""
        with self._lock:
            beats: Heartbeats = self._logged_in().beats
            return beats

    def call(self, event: str, *arguments: Any) -> dict[str, Any]:
        """Send one call and return its acknowledgement.

        Raises:
            Refused: it was not acknowledged as done; with the server's words, which may be those of its database.
            Unavailable, AuthenticationFailed, BadAnswer: as for :meth:`ask`.
        """
        answer = self.ask(event, lambda library: library.acknowledgement(event, arguments))
        if not isinstance(answer, dict):
            raise BadAnswer(f"acknowledged {event} with {type(answer).__name__}", component=self.where)
        if answer.get("ok") is False:
            raise self._refusal(event, str(answer.get("msg")))
        return answer

    def ask(self, doing: str, of: Callable[[Any], Found]) -> Found:
        """Ask the library for something, logged in.

        Args:
            doing: the event, for errors.
            of: what to ask it.

        Raises:
            Unavailable: it cannot be reached, did not answer in time, lost the connection, or counts too many logins.
            AuthenticationFailed: user, password, or a second factor.
            Refused: the server declined, is not set up, or is older than 2.
        """
        with self._lock:
            library = self._logged_in()
            try:
                return of(library)
            except (LibraryTimeout, SocketIOError) as error:
                raise self._silence(library, doing) from error
            except UptimeKumaException as error:
                raise self._refusal(doing, str(error)) from error

    def _logged_in(self) -> _Library:
        if self._library is None or not self._library.sio.connected:
            self._library = self._opened()
        return self._library

    def _opened(self) -> _Library:
        try:
            library = _Library(self.url, self.limit, self._ca_file)
        except UptimeKumaException as error:
            raise Unavailable(
                f"cannot be reached at {self.url}: {redact(str(error.__context__ or error))}",
                component=self.where,
                remedy="check the address in stack.yaml (api_url is the one we use) and that Uptime Kuma runs",
            ) from error
        try:
            self._log_in(library)
            self._check_version(str(library.version))
        except (LibraryTimeout, SocketIOError) as error:
            failure = self._silence(library, "login")
            library.disconnect()
            raise failure from error
        except UptimeKumaException as error:
            library.disconnect()
            raise self._refusal("login", str(error)) from error
        except BaseException:
            library.disconnect()
            raise
        return library

    def _log_in(self, library: _Library) -> None:
        if not library.greeted.wait(self.limit):
            raise BadAnswer(
                f"did not greet as Uptime Kuma does within {self.limit:g} s",
                component=self.where,
                remedy="check that api_url in stack.yaml leads to Uptime Kuma 2",
            )
        if library.logged_in:
            return
        if library.need_setup():
            raise Refused(
                "is not set up: it has no user yet",
                component=self.where,
                remedy=f"open {self.url}, make its user, and write admin_user and admin_password into stack.yaml",
            )
        if self._logged_in_by_token(library):
            return
        answer = library.login(self._user, self._password.reveal())
        if answer.get("tokenRequired"):
            raise AuthenticationFailed(
                f"asks for the second factor of {self._user}, which only a person has",
                component=self.where,
                remedy="switch two-factor authentication off in its Settings, Security; a gate in front of it can ask "
                "people for theirs: agencystack integration snippet sso uptime-kuma",
            )
        self._session.keep(str(answer["token"]))

    def _logged_in_by_token(self, library: _Library) -> bool:
        """Log in as before; say no where that does not count any more, as after a change of the password."""
        if self._session.token is None:
            return False
        try:
            library.login_by_token(self._session.token)
        except UptimeKumaException as error:
            if isinstance(error, LibraryTimeout):
                raise
            self._session.forget()
            return False
        return True

    def _check_version(self, version: str) -> None:
        major = version.partition(".")[0]
        if major.isdigit() and int(major) < OLDEST:
            raise Refused(
                f"is version {version}, and only 2.x can be configured",
                component=self.where,
                remedy="upgrade Uptime Kuma to 2.x (its wiki: Migration From v1 To v2)",
            )

    def _silence(self, library: _Library, doing: str) -> Unavailable:
        if not library.sio.connected:
            return Unavailable(
                f"closed the connection during {doing}, so it is not known whether that was done",
                component=self.where,
                remedy="run again: what was made is found by its mark and not made twice",
            )
        return Unavailable(
            f"did not answer {doing} within {self.limit:g} s",
            component=self.where,
            remedy=f"check that {self.url} is up, then run again",
        )

    def _refusal(self, doing: str, words: str) -> Exception:
        if words.startswith(TOO_OFTEN):
            return Unavailable(
                f"answered {doing}: {words}",
                component=self.where,
                remedy="wait a minute and run again: it takes 20 logins a minute from all together",
            )
        if words in WRONG:
            self._session.forget()
            return AuthenticationFailed(
                f"refused the login of {self._user}: {words}",
                component=self.where,
                remedy="check admin_user and admin_password in stack.yaml",
            )
        if words == NOT_LOGGED_IN:
            return AuthenticationFailed(f"answered {doing}: {words}", component=self.where, remedy="run again")
        return Refused(f"answered {doing}: {redact(words)[:500]}", component=self.where)
