"""Run the proofs of an integration, and keep what they saw."""

from __future__ import annotations

import time

from agencystack.engine.context import now
from agencystack.engine.integration import Evidence, Proof
from agencystack.engine.planning import IntegrationPlan
from agencystack.engine.records import ProofRecord
from agencystack.engine.values import masked
from agencystack.engine.workshop import Workshop
from agencystack.stack.errors import AgencyStackError
from agencystack.stack.secrets import redact


def prove(plan: IntegrationPlan, shop: Workshop, *, as_wanted: bool = True) -> list[ProofRecord]:
    """Run every proof of an integration and record what was seen; a proof that raises has failed.

    Args:
        plan: the integration.
        shop: where it is recorded.
        as_wanted: live is what is wanted; a proof of anything else says nothing about what is wanted.
    """
    try:
        proofs = list(plan.integration.proofs(plan.site))
        version = plan.integration.component_version(plan.site)
    except Exception as error:  # noqa: BLE001 - proofs of somebody else that cannot be set up are failed proofs
        proofs, version = [_Broken(error)], None
    shows = plan.fingerprint if as_wanted else f"not {plan.fingerprint}"
    seen = [_prove_one(plan, shop, proof, version, shows) for proof in proofs]
    if plan.record is not None:
        plan.record = plan.record.model_copy(update={"proofs": seen, "component_version": version})
        shop.records.put(plan.record)
    return seen


def _prove_one(
    plan: IntegrationPlan, shop: Workshop, proof: Proof, version: str | None, fingerprint: str
) -> ProofRecord:
    shop.observer.step(plan, f"prove: {proof.name}")
    started = time.monotonic()
    try:
        evidence = proof.run()
    except AgencyStackError as error:
        evidence = Evidence(ok=False, reason=str(error))
        shop.log.error("proof failed", error, integration=plan.name, proof=proof.name)
    except Exception as error:  # noqa: BLE001 - whatever a proof raises, it has not shown what it promised
        evidence = Evidence(ok=False, reason=f"the proof itself broke: {redact(repr(error))}")
        shop.log.error("proof broke", error, integration=plan.name, proof=proof.name)
    seconds = round(time.monotonic() - started, 2)
    shop.log.info("proof", integration=plan.name, proof=proof.name, ok=evidence.ok, seen=dict(evidence.seen),
                  reason=evidence.reason, seconds=seconds)  # fmt: skip
    return ProofRecord(
        name=proof.name,
        ok=evidence.ok,
        reason=redact(evidence.reason),
        evidence=masked(evidence.seen),
        seconds=seconds,
        at=now(),
        fingerprint=fingerprint,
        component_version=version,
    )


class _Broken(Proof):
    """Stands for proofs that could not even be set up."""

    name = "proofs can be set up"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def run(self) -> Evidence:
        raise self._error
