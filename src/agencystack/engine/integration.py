"""The public interface of an integration: what a module declares, and the site it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from agencystack.engine.resource import Resource
from agencystack.stack.errors import AgencyStackError, ComponentRef
from agencystack.stack.model import Bridge
from agencystack.stack.secrets import Secret, redact
from agencystack.stack.sharing import Sharing

if TYPE_CHECKING:
    from agencystack.engine.context import Component, Context


class Support(StrEnum):
    """How far an integration does what its capability says."""

    SUPPORTED = "supported"
    PARTIAL = "partial"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Capability:
    """One thing an integration can, or cannot, do; the table in the documentation is made of these.

    Args:
        name: short, as a user would say it: ``sends mail through its own mailbox``.
        support: how far.
        proof: name of the proof that shows it; required unless unsupported.
        reason: why it is partial or unsupported.
        alternative: what a user can do instead.
    """

    name: str
    support: Support
    proof: str = ""
    reason: str = ""
    alternative: str = ""


class Blocked(AgencyStackError):
    """A prerequisite is absent, unreachable or in foreign hands: nothing is written."""

    code = "blocked"


class Unsupported(AgencyStackError):
    """This product, version or edition cannot do it; the message says why, the remedy what to do instead."""

    code = "unsupported"


class Manual(AgencyStackError):
    """A person must do a step we cannot; never counts as applied."""

    code = "manual"


class Unattended(Manual):
    """A person must start what does the work: the rest is carried out, and nothing comes of it until then."""

    code = "blocked"


@dataclass(frozen=True)
class Evidence:
    """What a proof saw.

    Args:
        ok: whether what was promised happened.
        seen: facts a person can check, never a secret.
        reason: why it failed, with the remedy; empty when ok.
    """

    ok: bool
    seen: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


class Proof(ABC):
    """Uses an integration end to end, and says what it saw.

    Attributes:
        name: unique in its integration; named by a :class:`Capability`.
    """

    name: str

    @abstractmethod
    def run(self) -> Evidence:
        """Use the integration as its users will, and clean up whatever happens."""


@dataclass(frozen=True)
class Declaration:
    """What the ``@integration`` line above a class says."""

    type: str
    application: str
    provider: str | None
    version: int


@dataclass
class Site:
    """One application of one client, and the provider it is connected to: all an integration needs to know.

    Args:
        client: id of the client.
        domain: the client's domain, ``acme.example``.
        application: the component to configure.
        provider: the component it is connected to, None for an integration without one.
        settings: what ``stack.yaml`` says for this application and type.
        context: connections, sealed secrets and exec of this run.
        name: ``acme/email/wordpress``.
        groups: by group of the client's people, the roles it has in this application.
        companions: all components that serve the client, by name; shared ones included.
        alerts_to: who is told of trouble with the client's applications.
        owner_alerts_to: who is told of trouble with this application; of a shared one, as for all clients.
        bridge: the service that keeps products in step, where there is one.
        shares: what the client's WordPress and ERPNext share.
    """

    client: str
    domain: str
    application: Component
    provider: Component | None
    settings: Any
    context: Context
    name: str
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    companions: Mapping[str, Component] = field(default_factory=dict)
    alerts_to: tuple[str, ...] = ()
    owner_alerts_to: tuple[str, ...] = ()
    bridge: Bridge | None = None
    shares: Sharing | None = None

    @property
    def owner(self) -> str:
        """Whose the application is: the client's, or ``shared`` by all clients."""
        return self.application.ref.client

    def companion(self, name: str) -> Component | None:
        """Return another component that serves the client, or None where it has none of that name."""
        return self.companions.get(name)

    def setting(self, key: str, default: Any) -> Any:
        """Return what ``stack.yaml`` says for ``key``, else ``default``."""
        value = getattr(self.settings, key, None)
        if value is None:
            value = (getattr(self.settings, "settings", None) or {}).get(key)
        return default if value is None else value

    def sealed(self, name: str) -> SealedValue:
        """Return the handle of a secret that belongs to this integration."""
        return SealedValue(self.context, f"{self.name}/{name}")


class SealedValue:
    """A secret of ours that may not exist yet, kept in the sealed store."""

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self.name = name

    def get(self) -> Secret | None:
        """Return the value, or None when it was never made (or the store was lost)."""
        return self._context.sealed.get(self.name)

    def put(self, value: Secret) -> None:
        """Keep ``value``; on disk before this returns."""
        self._context.sealed.put(self.name, value)

    def delete(self) -> None:
        """Forget the value."""
        self._context.sealed.delete(self.name)


class Integration(ABC):
    """One type for one application. Declared with :func:`integration`; built-ins use exactly this interface.

    Attributes:
        capabilities: what it can do, and cannot.
        purges: undo keeps something of it on purpose that :meth:`purge` forgets for good.
        all_or_nothing: where its proof fails, application and provider return to what they were before; for what is
            worse half-way than not at all, such as a login.
    """

    declaration: ClassVar[Declaration]
    capabilities: ClassVar[Sequence[Capability]] = ()
    all_or_nothing: ClassVar[bool] = False
    purges: ClassVar[bool] = False

    def serves(self, name: str, settings: Any) -> bool:
        """Say whether a component is this integration's application: by default, the one it is declared for.

        An integration for a kind of product says so of components of any name; one that is declared for such a
        component's own name goes before it.

        Args:
            name: of the component in ``stack.yaml``.
            settings: what ``stack.yaml`` says of it.
        """
        return name == self.declaration.application

    def lacks(self, components: Container[str]) -> str:
        """Say for want of what an application cannot be connected; empty where it can: by default, its provider.

        Args:
            components: the names of what serves the client.
        """
        provider = self.declaration.provider
        return (
            f"there is no {provider} for this client in stack.yaml" if provider and provider not in components else ""
        )

    @abstractmethod
    def resources(self, site: Site) -> Iterable[Resource]:
        """Yield what shall be, in the order it is written (undone in reverse). Makes no call to any product.

        Raises:
            Blocked, Unsupported, Manual: nothing can be planned, with the reason.
        """

    @abstractmethod
    def proofs(self, site: Site) -> Iterable[Proof]:
        """Yield what shows that it works, end to end."""

    def missing(self, site: Site) -> Iterable[str]:
        """Yield the keys of ``stack.yaml`` that this integration cannot do without and that are not there.

        Secrets need not be named: a reference that leads nowhere is found by itself.
        """
        return ()

    def component_version(self, site: Site) -> str | None:
        """Return the live version of the application, from what was read anyway, or None when it does not tell."""
        return None

    def warnings(self, site: Site) -> Iterable[str]:
        """Yield what the plan should say beforehand: limits that will bite, choices with consequences."""
        return ()

    def snippet(self, site: Site) -> str:
        """Return configuration a person can put in by hand where we cannot, ready to be copied; empty for none."""
        return ""

    def former(self, site: Site, key: str) -> Resource | None:
        """Return the resource that once had ``key`` and is no longer wanted, so that it can be removed or undone."""
        return None

    def purge(self, site: Site) -> str:
        """Forget what undo kept, after an undo (``undo --purge``); return what was forgotten, in a sentence."""
        raise NotImplementedError(f"{type(self).__name__} says that it purges, and therefore needs purge()")

    def rotate(self, site: Site) -> Callable[[], None] | None:
        """Ask for new secrets at the next apply; return what takes that back, or None when nothing is generated."""
        return None


Declared = TypeVar("Declared", bound=type[Integration])


def integration(
    type: str,  # noqa: A002 - the word of our commands
    application: str,
    *,
    provider: str | None = None,
    version: int,
) -> Callable[[Declared], Declared]:
    """Declare the class below as an integration.

    Args:
        type: ``email``, ``sso``, ``monitoring`` or ``data-bridge``, or a type of your own.
        application: name of the component it configures.
        provider: name of the component it is connected to.
        version: raised whenever what it writes changes; a raise re-applies and re-proves.
    """

    def declare(cls: Declared) -> Declared:
        cls.declaration = Declaration(type, application, provider, version)
        return cls

    return declare


def address_of(client: str, declaration: Declaration, application: str) -> str:
    """Return the name of an integration of a client: ``acme/email/wordpress``."""
    return f"{client}/{declaration.type}/{application}"


def as_failure(error: Exception, doing: str, component: ComponentRef) -> AgencyStackError:
    """Return ``error`` itself where it speaks to a user, else the failure that stands for a defect of an integration.

    Args:
        error: what was raised.
        doing: what was being done, as the beginning of a sentence.
        component: where.
    """
    if isinstance(error, AgencyStackError):
        return error
    failure = AgencyStackError(
        f"{doing} failed: {redact(repr(error))}",
        component=component,
        remedy="this is a defect of the integration; where something was being changed, the run log has the traceback",
    )
    failure.__cause__ = error
    return failure


def component_of(site: Site) -> ComponentRef:
    """Return the application's reference, for error messages."""
    return site.application.ref
