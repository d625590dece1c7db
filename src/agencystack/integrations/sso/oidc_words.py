"""The words between braces in the settings of an application: filled in, and found again in what it has."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from agencystack.engine.values import Marker, Value
from agencystack.stack.oidc_application import CREDENTIAL, WORDS
from agencystack.stack.secrets import Secret

SECRET = "client_secret"  # noqa: S105 - the name of a word
_WORD = re.compile(r"\{(" + "|".join(WORDS) + r")\}")

Words = Mapping[str, Value]
"""By word, what stands for it; the client's secret as such, or pending where apply still has to make it."""


def filled(text: str, words: Words) -> Value:
    """Return ``text`` with its words filled in: a secret where one is in it, pending where that is not there yet.

    Other braces stay as they are: a template is mostly the application's own language.
    """
    used = {word: words[word] for word in _WORD.findall(text)}
    if any(value is Marker.PENDING for value in used.values()):
        return Marker.PENDING
    done = _WORD.sub(lambda found: clear(used[found[1]]), text)
    return Secret(done) if any(isinstance(value, Secret) for value in used.values()) else done


def names_in(template: str) -> tuple[str, ...]:
    """Return the words of a template in their order; one that comes again is numbered, as each place is compared."""
    seen: Counter[str] = Counter()
    names = []
    for word in _WORD.findall(template):
        seen[word] += 1
        names.append(word if seen[word] == 1 else f"{word} {seen[word]}")
    return tuple(names)


def found(template: str, text: str) -> dict[str, Value] | None:
    """Return what stands in ``text`` where the template has its words, None where the text around them is another."""
    # A part of it at odd places is the name of a word, at even places the text between.
    parts = _WORD.split(template)
    pattern = "".join("([^\r\n]*?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    match = re.fullmatch(pattern, text)
    if match is None:
        return None
    return {name: as_shown(name, value) for name, value in zip(names_in(template), match.groups(), strict=True)}


def written(template: str, values: Words) -> str:
    """Return the template with ``values``, by the names of :func:`names_in`, in its places."""
    names = iter(names_in(template))
    return _WORD.sub(lambda _: clear(values[next(names)]), template)


def word_of(name: str) -> str:
    """Return the word of one of :func:`names_in`."""
    return name.partition(" ")[0]


def as_shown(name: str, value: str) -> Value:
    """Return a live value as it is compared: what stands where a secret should is one."""
    return Secret(value) if word_of(name) == SECRET else value


def clear(value: Value) -> str:
    """Return the text of a value, a secret's too."""
    if isinstance(value, Marker):
        raise TypeError("a value that is still to be made has no text")
    return value.reveal() if isinstance(value, Secret) else "" if value is None else str(value)


def as_json(words: Words) -> Value:
    """Return all words as one JSON object, as a program is given them."""
    if words[SECRET] is Marker.PENDING:
        return Marker.PENDING
    return Secret(json.dumps({word: clear(words[word]) for word in WORDS}, sort_keys=True))


def filled_json(body: Any, words: Words, credential: Callable[[str], Secret]) -> Any:
    """Return JSON with the words and credentials in its texts filled in; the result holds secrets in clear."""
    if isinstance(body, str):
        done = CREDENTIAL.sub(lambda match: credential(match[1]).reveal(), body)
        return clear(filled(done, words))
    if isinstance(body, list | tuple):
        return [filled_json(item, words, credential) for item in body]
    if isinstance(body, Mapping):
        return {name: filled_json(item, words, credential) for name, item in body.items()}
    return body
