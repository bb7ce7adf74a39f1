"""Who owed something and did not do it: the faults that the chain alone proves."""

from __future__ import annotations

from ostrom.protocol import RoundState, TaskState
from ostrom.types import Address


def chain_faults(state: TaskState) -> dict[Address, str]:
    """The faults that the chain alone proves, since the last settled round.

    A trainer who commits and does not reveal; a validator who does not reveal scores, who attests
    to another digest than the settled one, or who lets a void round's deadline pass.
    """
    faults: dict[Address, str] = {}
    settled = [n for n, r in state.rounds.items() if r.settled]
    last = max(settled, default=0)
    if last:
        faults |= _dissent(state.rounds[last])
    for number in range(last + 1, state.number + 1):
        faults |= dict.fromkeys(state.rounds[number].missed, "missed_reveal")
        faults |= _silence(state, state.rounds[number])
    return faults


def _dissent(here: RoundState) -> dict[Address, str]:
    votes = here.attestations.values()
    return {v.validator: "wrong_attestation" for v in votes if v.result != here.settled}


def _silence(state: TaskState, here: RoundState) -> dict[Address, str]:
    """Validators who owed scores or an attestation and gave none."""
    if not here.reveals:
        return {}
    validators = state.committee()
    faults = dict.fromkeys((v for v in validators if v not in here.score_reveals), "missed_scores")
    if here.void:
        late = (v for v in validators if v not in here.attestations)
        faults |= dict.fromkeys(late, "missed_attestation")
    return faults
