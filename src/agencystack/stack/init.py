"""Make ``stack.yaml``: from a discovered proposal or from questions, with comments, and never over an existing one."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from agencystack.stack.discovery import Proposal
from agencystack.stack.errors import ConfigurationError
from agencystack.stack.files import create_atomically, write_atomically
from agencystack.stack.load import StackMistakes, load_text
from agencystack.stack.model import SHARED, Stack
from agencystack.stack.paths import Home
from agencystack.stack.products import KNOWN_COMPONENTS, USUALLY_SHARED, required_credentials
from agencystack.stack.sealed import SealedStore

_HEADER = """\
What is installed here and how it is reached. Secrets are references, never values:
  env:NAME              an environment variable
  file:/path            the content of a file
  secret:NAME           sealed by: agencystack secret set NAME"""


@dataclass(frozen=True)
class Question:
    """One thing to ask a person.

    Args:
        path: where the answer goes in ``stack.yaml``; a stable name for tests and prepared answers.
        text: the question.
        default: the answer when nothing is typed; without one an answer is required.
        problem: what was wrong with the answer before.
    """

    path: str
    text: str
    default: str | None = None
    problem: str = ""


Ask = Callable[[Question], str]


def render(stack: Stack, comments: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return ``stack.yaml`` as text that :func:`agencystack.stack.load.load_text` reads back as the same stack.

    Args:
        stack: what to write; keys nobody set are left out.
        comments: lines to put above a key, by its path.
    """
    tree = _commented(stack.model_dump(mode="json", by_alias=True, exclude_unset=True), (), comments or {})
    tree.yaml_set_start_comment(_HEADER)
    writer = YAML()
    writer.width = 120
    writer.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    writer.dump(tree, text)
    return text.getvalue()


def render_proposal(proposal: Proposal) -> str:
    """Return a proposal as ``stack.yaml``, each component with where it was found and what it lacks."""
    comments: dict[str, list[str]] = {path: [f"Found: {', '.join(seen)}."] for path, seen in proposal.sources.items()}
    for lack in proposal.to_fill_in:
        path = lack.path if _is_set(proposal.stack, lack.path) else lack.path.rpartition(".")[0]
        key = "" if path == lack.path else f"{lack.path.rpartition('.')[2]}: "
        comments.setdefault(path, []).append(f"Fill in: {key}{lack.remedy}")
    return render(proposal.stack, comments)


def write_stack(home: Home, text: str, *, force: bool = False) -> None:
    """Write ``stack.yaml``; one that exists is replaced only with ``force`` and kept as ``stack.yaml.old``.

    Raises:
        ConfigurationError: it exists, or cannot be written.
        StackMistakes: the text is no stack; nothing is written.
    """
    load_text(text)
    file = home.stack_file
    data = text.encode()
    if create_atomically(file, data, 0o640):
        return
    if not force:
        raise ConfigurationError(f"{file} exists", remedy="edit it, or replace it with: agencystack init --force")
    write_atomically(file.with_name("stack.yaml.old"), file.read_bytes(), 0o640)
    write_atomically(file, data, 0o640)


def accept(home: Home, proposal: Proposal, sealed: SealedStore, *, force: bool = False) -> None:
    """Write a proposal and seal the passwords it refers to; sealed ones that exist stay as they are.

    Raises:
        ConfigurationError: as :func:`write_stack`.
    """
    write_stack(home, render_proposal(proposal), force=force)
    for name, secret in proposal.to_seal.items():
        if sealed.get(name) is None:
            sealed.put(name, secret)


def from_questions(ask: Ask) -> Stack:
    """Ask for one client and its components; an answer that cannot be used is asked for again.

    Args:
        ask: shows a question and returns what was typed.
    """
    client = _answer(ask, Question("client", "Short name of the client", "default"), _client_probe)
    domain = _answer(ask, Question(f"clients.{client}.domain", "Domain of its mail addresses"), _domain_probe)
    text = f"Installed components, with spaces between ({' '.join(KNOWN_COMPONENTS)})"
    chosen = _answer(ask, Question("components", text, "wordpress erpnext mailu"), _names_probe).split()
    data: dict[str, Any] = {"version": 1, "shared": {"components": {}}}
    own: dict[str, Any] = {}
    for name in dict.fromkeys(chosen):
        shared = name in USUALLY_SHARED
        owner = SHARED if shared else client
        path = f"shared.components.{name}" if shared else f"clients.{client}.components.{name}"
        group = data["shared"]["components"] if shared else own
        group[name] = _ask_component(ask, owner, path, name, domain)
    data["clients"] = {client: {"domain": domain, "components": own}}
    return Stack.model_validate(data)


def _ask_component(ask: Ask, owner: str, path: str, name: str, domain: str) -> dict[str, Any]:
    """Ask for what this component cannot do without; secrets are only referred to."""
    keys: list[tuple[str, str, str | None]] = [("url", f"Public address of {name}", f"https://{_host(name, domain)}")]
    if name == "listmonk":
        keys.append(("api_user", "Name of its API user", "agencystack"))
    for key in required_credentials(name):
        reference = f"secret:{owner}/{name}/{key.replace('_', '-')}"
        keys.append((key, f"Where is {key} of {name}? (env:NAME, file:/path or secret:NAME)", reference))
    if name == "chatwoot":
        keys.append(("env_file", "Path of its .env file", "/opt/chatwoot/.env"))
    component: dict[str, Any] = {}
    for key, text, default in keys:
        component[key] = _answer(ask, Question(f"{path}.{key}", text, default), _key_probe(name, key))
    if name in ("wordpress", "erpnext", "chatwoot"):
        component["exec"] = _ask_exec(ask, path, name)
    return component


def _ask_exec(ask: Ask, path: str, name: str) -> dict[str, Any]:
    question = Question(
        f"{path}.exec", f"Where do commands of {name} run? (local, docker:CONTAINER or ssh:HOST)", "local"
    )
    where = _answer(ask, question, lambda text: _with_component(name, "exec", _exec(text)))
    values = _exec(where)
    folder = Question(f"{path}.exec.path", f"Folder of {name} there", "/var/www/html" if name == "wordpress" else "")
    values_path = _answer(
        ask, folder, lambda text: _with_component(name, "exec", values | ({"path": text} if text else {}))
    )
    return values | ({"path": values_path} if values_path else {})


def _exec(text: str) -> dict[str, Any]:
    way, _, target = text.partition(":")
    return {"local": True} if text == "local" else {way: target}


def _answer(ask: Ask, question: Question, probe: Callable[[str], dict[str, Any]]) -> str:
    """Ask until the answer makes a stack without mistakes."""
    while True:
        typed = ask(question).strip()
        answer = typed or (question.default if question.default is not None else "")
        problem = _problem(probe(answer))
        if not problem:
            return answer
        question = Question(question.path, question.text, question.default, problem)


def _problem(data: dict[str, Any]) -> str:
    """Return the first mistake of a stack, in the words its file would get; the answer itself is not repeated."""
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(data, text)
    try:
        load_text(text.getvalue())
    except StackMistakes as mistakes:
        first = mistakes.mistakes[0]
        return f"this {first.wrong}; write {first.write}"
    return ""


def _client_probe(answer: str) -> dict[str, Any]:
    return {"version": 1, "clients": {answer: {"domain": "a.example"}}}


def _domain_probe(answer: str) -> dict[str, Any]:
    return {"version": 1, "clients": {"a": {"domain": answer}}}


def _names_probe(answer: str) -> dict[str, Any]:
    """Only the names matter here, so known ones are left out and unknown ones are the mistake."""
    unknown: dict[str, Any] = {name: {} for name in answer.split() if name not in KNOWN_COMPONENTS}
    return {"version": 1, "clients": {"a": {"domain": "a.example", "components": unknown}}}


def _key_probe(name: str, key: str) -> Callable[[str], dict[str, Any]]:
    return lambda answer: _with_component(name, key, answer)


def _with_component(name: str, key: str, value: Any) -> dict[str, Any]:
    """Return a stack in which only ``key`` can be wrong; what is not asked yet has a value that is right."""
    right: dict[str, Any] = {"url": "https://a.example", **dict.fromkeys(required_credentials(name), "env:X")}
    if name == "listmonk":
        right["api_user"] = "x"
    component = right | {key: value}
    return {"version": 1, "clients": {"a": {"domain": "a.example", "components": {name: component}}}}


def _host(name: str, domain: str) -> str:
    names = {"wordpress": domain, "mailu": f"mail.{domain}", "erpnext": f"erp.{domain}", "listmonk": f"news.{domain}"}
    return names.get(name, f"{name}.{domain}")


def _is_set(stack: Stack, path: str) -> bool:
    """Say whether the rendered file has the key."""
    node: Any = stack.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for part in path.split("."):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def _commented(value: Mapping[str, Any], path: tuple[str, ...], comments: Mapping[str, Sequence[str]]) -> CommentedMap:
    """Return the mapping with comments above the keys that have some."""
    tree = CommentedMap()
    for key, item in value.items():
        here = (*path, key)
        tree[key] = _node(item, here, comments)
        lines = comments.get(".".join(here), ())
        if lines:
            tree.yaml_set_comment_before_after_key(key, before="\n".join(lines), indent=2 * len(path))
    return tree


def _node(item: Any, path: tuple[str, ...], comments: Mapping[str, Sequence[str]]) -> Any:
    if isinstance(item, Mapping):
        return _commented(item, path, comments)
    if isinstance(item, list):
        sequence = CommentedSeq(item)
        sequence.fa.set_flow_style()
        return sequence
    return item
