"""`agencystack roles`: give and take roles where an application's own login does not."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict

from agencystack.cli.run import guarded, require_everything, session
from agencystack.cli.terminal import Terminal
from agencystack.engine.integration import Site
from agencystack.engine.session import Session, Wish
from agencystack.integrations.sso.registration import LoginIntegration
from agencystack.integrations.sso.roster import PersonChange, Roster, compare
from agencystack.stack.errors import AgencyStackError, ExitCode

app = typer.Typer(help="Roles of people in applications whose login gives none.", no_args_is_help=True)


class RoleChangeOutput(BaseModel):
    """What was, or would be, done for one person in one application."""

    model_config = ConfigDict(extra="forbid")

    client: str
    component: str
    person: str
    new: bool
    add: list[str]
    remove: list[str]
    done: bool
    error: str = ""


class RolesOutput(BaseModel):
    """What `agencystack roles sync` prints."""

    model_config = ConfigDict(extra="forbid")

    changes: list[RoleChangeOutput]
    notes: list[str]


@app.callback()
def roles() -> None:
    """Roles of people in applications whose login gives none."""


@app.command()
def sync(
    client: Annotated[list[str] | None, typer.Option("--client", help="Only this client; may be repeated.")] = None,
    component: Annotated[
        list[str] | None, typer.Option("--component", help="Only this application; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    auto: Annotated[bool, typer.Option("--auto", "--yes", help="Never ask, never read standard input.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Make roles in ERPNext (without our app) and Listmonk what the groups in Keycloak say; takes roles away, too."""
    terminal = Terminal(as_json=json)

    def action() -> ExitCode:
        with session() as opened:
            selection = opened.select(Wish(("sso",), tuple(client or ()), tuple(component or ())))
            require_everything(opened, selection, None)
            rosters = [found for one in selection.sites if (found := _roster(*one)) is not None]
            with opened.locked(selection.clients):
                planned = [(site, roster, compare(login.registration(site), roster)) for login, site, roster in rosters]
                notes = [f"{site.name}: {note}" for site, _, found in planned for note in found.notes]
                work = [(site, roster, change) for site, roster, found in planned for change in found.changes]
                if dry_run or not work or not (auto or _confirmed(terminal, work, notes)):
                    lines = [_line(site, change) for site, _, change in work]
                else:
                    lines = [_carried_out(opened, site, roster, change) for site, roster, change in work]
        terminal.show(RolesOutput(changes=lines, notes=notes), lambda output: _show(terminal, output))
        if any(line.error for line in lines):
            return ExitCode.FAILED
        return ExitCode.PENDING if dry_run and lines else ExitCode.DONE

    guarded(terminal, action)


def _roster(integration: object, site: Site) -> tuple[LoginIntegration, Site, Roster] | None:
    if not isinstance(integration, LoginIntegration) or not site.groups:
        return None
    roster = integration.roster(site)
    return None if roster is None else (integration, site, roster)


def _confirmed(terminal: Terminal, work: list[tuple[Site, Roster, PersonChange]], notes: list[str]) -> bool:
    _show(terminal, RolesOutput(changes=[_line(site, change) for site, _, change in work], notes=notes))
    return typer.confirm("Change these roles?", default=False, err=True)


def _carried_out(opened: Session, site: Site, roster: Roster, change: PersonChange) -> RoleChangeOutput:
    line = _line(site, change)
    try:
        roster.apply(change)
    except AgencyStackError as error:
        opened.log.error("role not changed", error, integration=site.name, person=change.person)
        return line.model_copy(update={"error": str(error)})
    opened.log.info("roles", integration=site.name, person=change.person, add=change.add, remove=change.remove)
    return line.model_copy(update={"done": True})


def _line(site: Site, change: PersonChange) -> RoleChangeOutput:
    return RoleChangeOutput(
        client=site.client,
        component=site.application.ref.name,
        person=change.person,
        new=change.new,
        add=list(change.add),
        remove=list(change.remove),
        done=False,
    )


def _show(terminal: Terminal, output: RolesOutput) -> None:
    for line in output.changes:
        signs = [*(f"+{role}" for role in line.add), *(f"-{role}" for role in line.remove)]
        made = " (account is made)" if line.new else ""
        state = "done" if line.done else f"failed: {line.error}" if line.error else "to do"
        terminal.say(f"{line.client}/{line.component}  {line.person}  {' '.join(signs)}{made}  {state}")
    for note in output.notes:
        terminal.say(f"note: {note}")
    if not output.changes:
        terminal.say("Every role is as the groups in Keycloak say.")
