"""The application tokens of a mailbox in Mailu: issued, limited to networks, rotated, revoked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.components.mailu import Mailu, Token
from agencystack.engine.integration import SealedValue
from agencystack.engine.resource import ABSENT, Change, Image, Reading, Resource
from agencystack.engine.values import Fields, Value
from agencystack.stack.secrets import Secret

MARK = "agencystack: "
"""Begins the comment of everything that is ours in Mailu; followed by the integration's name."""


class _Issued:
    """A token that was issued to us."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.id = int(data["id"])
        self.secret = Secret(data["token"])


class IssuedToken:
    """The token in our sealed store: the only place that knows its value, as Mailu tells it once."""

    def __init__(self, sealed: SealedValue) -> None:
        self._sealed = sealed

    @property
    def current(self) -> _Issued | None:
        """The token in use; None where none was issued, the store was lost, or a new one was asked for."""
        data = self._data()
        return None if data is None or data.get("rotate") else _Issued(data)

    def keep(self, token_id: int, secret: Secret) -> None:
        """Keep a token that was just issued."""
        self._put({"id": token_id, "token": secret.reveal()})

    def rotate(self) -> Callable[[], None]:
        """Ask for a new one; return what forgets that wish and goes back to the present one."""
        data = self._data()
        if data is None:
            return lambda: None
        before = {"id": data["id"], "token": data["token"]}
        self._put({**before, "rotate": True})
        return lambda: self._put(before)

    def forget(self) -> None:
        """Drop it."""
        self._sealed.delete()

    def _data(self) -> dict[str, Any] | None:
        stored = self._sealed.get()
        if stored is None:
            return None
        data: dict[str, Any] = json.loads(stored.reveal())
        Secret(data["token"])  # known to the redactor from now on
        return data

    def _put(self, data: Mapping[str, Any]) -> None:
        self._sealed.put(Secret(json.dumps(dict(data))))


class MailToken(Resource):
    """The application token the application logs in with, limited to the networks it sends from."""

    def __init__(self, mailu: Mailu, address: str, owner: str, networks: tuple[str, ...], issued: IssuedToken) -> None:
        self.component, self.key = mailu.where, f"token of {address}"
        self._mailu, self._address, self._mark = mailu, address, f"{MARK}{owner}"
        self._networks, self._issued = networks, issued

    def read(self) -> Reading:
        """Return the token whose value we hold; one we do not know the value of is of no use."""
        token = self._live()
        return ABSENT if token is None else Reading({"networks": tuple(sorted(token.networks))})

    def wanted(self) -> Fields:
        """Want it usable from these networks only."""
        return {"networks": self._networks}

    def write(self, change: Change) -> None:
        """Issue a token, or set the networks of ours."""
        token = self._live()
        networks = _texts(change.target["networks"])
        if token is None:
            self._issued.keep(*self._mailu.create_token(self._address, self._mark, networks))
        else:
            self._mailu.update_token(token.id, comment=self._mark, networks=networks)

    def remove(self, live: Reading, before: Image) -> str:
        """Revoke it, and every other that is ours."""
        for token in _ours(self._mailu, self._address, self._mark):
            self._mailu.delete_token(token.id)
        self._issued.forget()
        return ""

    def _live(self) -> Token | None:
        current = self._issued.current
        if current is None:
            return None
        # Mailu gives the number of a deleted token again (contract/mailu/numbers_and_lists.json): the mark counts too.
        return next((token for token in _ours(self._mailu, self._address, self._mark) if token.id == current.id), None)


class OldTokens(Resource):
    """Tokens of ours that are no longer in use: revoked once a mail sent with the new one has arrived."""

    stays = ""  # the mailbox goes, and all its tokens with it
    after_proof = True

    def __init__(self, mailu: Mailu, address: str, owner: str, issued: IssuedToken) -> None:
        self.component, self.key = mailu.where, f"old tokens of {address}"
        self._mailu, self._address, self._mark, self._issued = mailu, address, f"{MARK}{owner}", issued

    def read(self) -> Reading:
        """Return the numbers of the tokens with our mark that are not the current one."""
        return Reading({"tokens": tuple(str(token.id) for token in self._old())})

    def wanted(self) -> Fields:
        """Want none; as long as a new one is still to be issued, the present one stays."""
        return {"tokens": ()}

    def write(self, change: Change) -> None:
        """Revoke them."""
        for token in self._old():
            self._mailu.delete_token(token.id)

    def _old(self) -> list[Token]:
        current = self._issued.current
        if current is None:
            return []
        return [token for token in _ours(self._mailu, self._address, self._mark) if token.id != current.id]


def _ours(mailu: Mailu, address: str, mark: str) -> list[Token]:
    return [token for token in mailu.tokens(address) if token.comment == mark]


def _texts(value: Value) -> list[str]:
    return [str(item) for item in value] if isinstance(value, tuple) else []
