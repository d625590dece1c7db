"""How each key of a batch ends: what its outcomes mean for its link, base, dead letters and hints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agencystack.bridge.merge import RECORD, Base
from agencystack.bridge.plan import Intent, Situation, advanced, plan
from agencystack.bridge.record import Observed, Presence, Ref, SideName
from agencystack.bridge.side import Action, Outcome, Result
from agencystack.bridge.store.audits import Event
from agencystack.bridge.store.dead import DeadLetter
from agencystack.bridge.store.inbox import record_key
from agencystack.bridge.store.links import Link, LinkState
from agencystack.bridge.work.batch import Again, Key
from agencystack.bridge.work.carrying import Carried, Effect
from agencystack.bridge.work.context import Context
from agencystack.bridge.work.observing import relevant
from agencystack.bridge.work.references import Known, linked
from agencystack.bridge.work.settling import IN_FLIGHT, most_alike
from agencystack.bridge.work.trouble import letter

AT_ONCE = 5
"""So often a record is looked at again without a pause when it changed under our hands."""


class Ends:
    """What a batch's outcomes come to, gathered so that each table is written once.

    Args:
        context: the pairing.
        known: links that the batch's records name.
        taken: links of records that creations answered with, where they have one already.
    """

    def __init__(self, context: Context, known: Known, taken: Mapping[tuple[SideName, str, str], str]) -> None:
        self._context = context
        self._known = known
        self._taken = taken
        self.touched: list[Key] = []
        self.links: list[Link] = []
        self.dropped: list[str] = []
        self.buried: list[str] = []
        self.bases: dict[str, Base] = {}
        self.unknown: list[str] = []
        self.known: list[str] = []
        self.letters: list[DeadLetter] = []
        self.revived: list[tuple[str, SideName]] = []
        self.solved: list[int] = []
        self.events: list[Event] = []
        self.awake: set[str] = set()
        self.anew: list[tuple[SideName, str, str]] = []

    def end(self, key: Key, effects: Sequence[Effect], carried: Carried) -> None:
        """End one key."""
        if key.planned.dropped:
            self._drop(key)
        elif key.planned.tombstone:
            self._bury(key, key.pair)
        else:
            self._finish(key, effects, {one.intent.side: carried.outcomes[one.operation.token] for one in effects})

    def _drop(self, key: Key) -> None:
        """Forget a link whose second record was never made, and whose first is gone.

        One that was asked for and not found may still be made, by whoever stood still just before asking: the link
        stays then, so that such a record is known for what it is.
        """
        if key.undone:
            self.links.append(replace(key.pair, state=LinkState.RETIRED))
        elif key.pair.state is LinkState.PROVISIONAL:
            self.dropped.append(key.pair.id)
        self.revived += [(key.name, side) for side in key.letters]
        key.end()

    def _bury(self, key: Key, link: Link) -> None:
        gone = all(seen.presence is Presence.GONE for seen in key.seen.values())
        self.links.append(replace(link, state=LinkState.RETIRED if gone else LinkState.TOMBSTONED))
        self.buried.append(link.id)
        self.revived += [(key.name, side) for side in key.letters]
        key.end()

    def _finish(self, key: Key, effects: Sequence[Effect], outcomes: Mapping[SideName, Outcome]) -> None:
        before = key.pair
        done: dict[SideName, Intent] = {}
        again: list[Again] = []
        refused = False
        for one in effects:
            outcome = self._checked(key, one, outcomes[one.intent.side])
            if (pause := self._outcome(key, one, outcome)) is not None:
                again.append(pause)
            if outcome.result is Result.DONE and key.link is before:
                done[one.intent.side] = one.intent
            refused = refused or outcome.result is Result.REFUSED
        link = self._link(key, key.pair, done)
        self._solve(key, done)
        if any(intent.action is Action.RETIRE for intent in done.values()):
            self._bury(key, link)
            return
        key.base = advanced(key.base, key.merged, done, key.planned)
        self._revive(key, done)
        if not again and done and not refused:
            again += self._more(key)
        if key.base != key.stored:
            self.bases[link.id] = key.base
        if link != before:
            self.links.append(link)
        key.link = link
        key.end(max(again, key=lambda one: one.delay) if again else None)

    def _checked(self, key: Key, effect: Effect, outcome: Outcome) -> Outcome:
        """Return an outcome as it counts: a creation must say what it made, and not what another link has.

        Where an earlier request, which asked for something else, made the record, it is looked up as that.
        """
        if effect.intent.action is not Action.CREATE or outcome.result is not Result.DONE:
            return outcome
        if outcome.observed is None or self._is_earlier(effect, outcome.observed):
            return replace(outcome, result=Result.UNKNOWN)
        id_ = outcome.observed.id
        if self._taken.get((effect.intent.side, key.entity.name, id_), key.name) != key.name:
            message = f"{effect.intent.side} answered with {id_}, which is linked to another record"
            return replace(outcome, result=Result.REFUSED, message=message, remedy="tell one of the two apart")
        return outcome

    @staticmethod
    def _is_earlier(effect: Effect, made: Observed) -> bool:
        """Tell whether a record shows that an earlier request for the same made it."""
        asked = effect.intent.fields
        return bool(effect.earlier) and most_alike(made.fields, (asked, *effect.earlier)) is not asked

    def _outcome(self, key: Key, effect: Effect, outcome: Outcome) -> Again | None:
        """Note one outcome; returns when to look again, if that is what it means."""
        side, token = effect.intent.side, effect.operation.token
        # Whatever this request came to, an earlier one for the same may still arrive.
        open_ = outcome.result is Result.UNKNOWN or (effect.key.undone and outcome.result is not Result.DONE)
        (self.unknown if open_ else self.known).append(token)
        match outcome.result:
            case Result.DONE:
                return self._done(key, effect, outcome)
            case Result.REFUSED:
                if effect.intent.restores:
                    return self._make_anew(key, side)
                self._refused(key, effect, outcome)
                return None
            case Result.STALE:
                if effect.intent.restores and not key.seen[side].version:
                    return self._make_anew(key, side)  # nothing is left there that could be brought back
                delay = 0 if key.attempts < AT_ONCE else self._context.pause(key.attempts)
                return Again(f"{side} changed meanwhile", delay)
            case Result.LATER:
                delay = max(int(outcome.after * 1000), self._context.pause(key.attempts))
                return Again(outcome.message or f"{side} puts it off", delay)
            case Result.UNKNOWN:
                created = effect.intent.action is Action.CREATE
                delay = max(IN_FLIGHT if created else 0, self._context.pause(key.attempts))
                return Again(outcome.message or f"nobody knows what {side} did", delay, shared=True)

    def _done(self, key: Key, effect: Effect, outcome: Outcome) -> Again | None:
        side, intent = effect.intent.side, effect.intent
        id_ = outcome.observed.id if outcome.observed else effect.operation.id
        names = tuple(intent.fields)
        self.events.append(
            Event(key.entity.name, side, id_, str(intent.action), key.name, names, effect.operation.token)
        )
        if outcome.observed is None:
            # What it holds now nobody said: it counts as holding what it was told, and is looked at again.
            told = {**key.merged[side].fields, **intent.fields}
            key.merged[side] = replace(key.merged[side], fields=told)
            return Again("look at what was written")
        if intent.restores and outcome.observed.presence is Presence.GONE:
            return self._make_anew(key, side)
        self._see(key, side, relevant(key.entity, outcome.observed))
        return None

    def _see(self, key: Key, side: SideName, seen: Observed) -> None:
        key.seen[side] = seen
        self.touched.append(key)
        resolved = linked(key.entity, seen, side, self._known)
        if isinstance(resolved, Ref):
            # It names a record that is not known here yet: what it was told is what it holds, until the next look.
            key.merged.pop(side, None)
        else:
            key.merged[side] = resolved

    def _refused(self, key: Key, effect: Effect, outcome: Outcome) -> None:
        side, names = effect.intent.side, tuple(effect.intent.fields)
        self.letters.append(letter(key, side, outcome.message, outcome.remedy, fields=names, tried=effect.tried))
        self.events.append(
            Event(key.entity.name, side, effect.operation.id, "refused", key.name, names, effect.operation.token)
        )

    def _make_anew(self, key: Key, side: SideName) -> Again:
        """Let a record that cannot be brought back be made anew."""
        key.link = key.pair.alone(side.other, self._context.token())
        key.base = {}
        self.buried.append(key.pair.id)
        # What was hinted at may be the record that is gone, which is nobody's any more.
        self.anew.append((side.other, key.entity.name, key.pair.on(side.other)))
        return Again("it is made anew")

    def _link(self, key: Key, link: Link, done: Mapping[SideName, Intent]) -> Link:
        """Return the link after the operations: complete, alive, with the times its records were made at."""
        for side, intent in done.items():
            if intent.action is Action.CREATE:
                seen = key.seen[side]
                link = link.completed(side, seen.id, seen.created)
                self.awake |= {record_key(at, key.entity.name, link.on(at)) for at in SideName}
        for side, seen in key.seen.items():
            if seen.presence is Presence.PRESENT and seen.created and link.on(side) == seen.id:
                link = link.made(side, seen.created)
        if link.state is LinkState.TOMBSTONED or (link.state is LinkState.RETIRED and self._whole(key, done)):
            link = replace(link, state=LinkState.LINKED)
        return link

    @staticmethod
    def _whole(key: Key, done: Mapping[SideName, Intent]) -> bool:
        """Tell whether both records are there (again)."""
        back = {side for side, intent in done.items() if intent.restores}
        return all(side in back or seen.presence is Presence.PRESENT for side, seen in key.seen.items())

    def _solve(self, key: Key, done: Mapping[SideName, Intent]) -> None:
        """Close the conflicts whose decision has been carried out; what may not be written now waits until it may."""
        for one in key.conflicts:
            if one.field in key.decided:
                writers = [
                    intent for intent in key.planned.intents if one.field in intent.fields or one.field == RECORD
                ]
                carried = all(intent.side in done for intent in writers)
                if carried and (writers or one.field == RECORD or key.agree(one.field)):
                    self.solved.append(one.id)

    def _revive(self, key: Key, done: Mapping[SideName, Intent]) -> None:
        """Forget dead letters of what went through, or is not wanted any more."""
        wanted = {intent.side for intent in key.planned.intents}
        self.revived += [(key.name, side) for side in key.letters if side in done or side not in wanted]

    def _more(self, key: Key) -> list[Again]:
        """Look again at once where what was read back shows that there is more to do."""
        delay = 0 if key.attempts < AT_ONCE else self._context.pause(key.attempts)
        if set(key.merged) != set(SideName):
            return [Again("look at what was written", delay)]
        rest = plan(Situation(key.entity, key.base, key.merged, contested=key.contested))
        if rest.intents or rest.conflicts or rest.tombstone:
            return [Again("more to do", delay)]
        key.base = {**key.base, **rest.agreed}
        return []
