"""From revealed bytes to a `Verdict`, the same on every machine.

| check | refuses | a strike? |
|---|---|---|
| available | content that nobody serves | no: nobody can prove who withheld it |
| samples | a sample count outside 1..samples_max | yes |
| decodes | bytes that are no canonical integer tensor of the spec's dtype and length | yes |
| chunk_root | a chunk root that is not the tensor's | yes |
| zero | an update of nothing but zeros | no |
| range(abs) | a value beyond +-abs, in the model's units | yes |
| norm(max) | an Euclidean norm beyond max, in the model's units | no |
| drawn | an update that the round did not ask for | no |
| duplicate | all but one of identical updates | no |

Strikes are for what the bytes prove and an honest trainer never does. A large norm or an odd
direction may be unusual data: such an update is left out of the sum and nobody loses stake for it.

Identical updates count once and share one reward: no bytes prove who wrote them, and who committed
first may be the thief. They count under the lowest address, with the largest of their sample
counts, so that nobody makes another's update weigh less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from ostrom.errors import InputError, TensorError
from ostrom.mechanisms import Mechanism, parse_mechanisms
from ostrom.spec import Spec
from ostrom.tensors import chunk_root
from ostrom.types import Address, Digest, IntVector, Revealed, Verdict
from ostrom.updates import decode_update


@dataclass(frozen=True)
class Checked:
    """A verdict with the decoded update, None where it was refused.

    `samples` is what it weighs; `copies` are the other trainers who sent the very same update.
    """

    verdict: Verdict
    values: IntVector | None
    samples: int
    copies: tuple[Address, ...] = ()

    @property
    def holders(self) -> tuple[Address, ...]:
        """All who share this update's reward."""
        return (self.verdict.trainer, *self.copies)


@dataclass(frozen=True)
class Bounds:
    """The limits that a spec's `checks` text sets, as integers in fixed point."""

    value_max: int | None = None
    norm_squared_max: int | None = None
    duplicates: bool = False


@lru_cache(maxsize=16)
def bounds(spec: Spec) -> Bounds:
    """Read the spec's `checks` text.

    Raises:
        InputError: an unknown check or argument.

    >>> from ostrom.spec import example
    >>> bounds(example()).value_max == 64 << 20
    True
    """
    mechanisms = parse_mechanisms(spec.checks) if spec.checks else ()
    found = {m.name: m for m in mechanisms}
    unknown = set(found) - {"range", "norm", "duplicate"}
    if unknown:
        raise InputError(f"unknown check {min(unknown)!r}: there are range, norm and duplicate")
    if len(found) < len(mechanisms):
        raise InputError(f"write each check once, not {spec.checks!r}")
    if "duplicate" in found and found["duplicate"].arguments:
        raise InputError("the check 'duplicate' takes no arguments")
    value, norm = _fixed(found.get("range"), "abs", spec), _fixed(found.get("norm"), "max", spec)
    return Bounds(
        value_max=None if value is None else math.floor(value),
        norm_squared_max=None if norm is None else math.floor(norm * norm),
        duplicates="duplicate" in found,
    )


def _fixed(mechanism: Mechanism | None, argument: str, spec: Spec) -> Fraction | None:
    if mechanism is None:
        return None
    value = mechanism.arguments.get(argument)
    one_number = set(mechanism.arguments) == {argument} and isinstance(value, (int, float))
    if not one_number or Fraction(str(value)) <= 0:
        raise InputError(f"write the check {mechanism.name!r} as {mechanism.name}({argument}=1.0)")
    return Fraction(str(value)) * (1 << spec.fraction_bits)


def check_update(revealed: Revealed, content: bytes | None, spec: Spec) -> Checked:
    """Check one update by itself.

    Args:
        revealed: what the trainer opened on the chain.
        content: the update file, already verified against its CID; None if nobody serves it.
        spec: the task's spec.
    """

    def refuse(check: str, reason: str, *, strike: bool = False) -> Checked:
        return Checked(Verdict(revealed.trainer, check, reason, strike), None, revealed.samples)

    if not 1 <= revealed.samples <= spec.samples_max:
        reason = f"{revealed.samples} samples, allowed are 1 to {spec.samples_max}"
        return refuse("samples", reason, strike=True)
    if content is None:
        return refuse("available", "nobody serves the update")
    try:
        values = decode_update(content, spec)
    except TensorError as error:
        return refuse("decodes", str(error), strike=True)
    if chunk_root(values) != revealed.chunk_root:
        return refuse("chunk_root", "the revealed chunk root is not the update's", strike=True)
    for check, fault, reason, strike in _FAULTS:
        if fault(values, bounds(spec)):
            return refuse(check, reason, strike=strike)
    return Checked(Verdict(revealed.trainer), values, revealed.samples)


def _beyond_range(values: IntVector, limits: Bounds) -> bool:
    top = limits.value_max
    return top is not None and (int(values.max()) > top or int(values.min()) < -top)


def _beyond_norm(values: IntVector, limits: Bounds) -> bool:
    top = limits.norm_squared_max
    if top is None:
        return False
    # 16-bit halves keep every partial sum of squares far below 2**63.
    whole = values.astype(np.int64)
    high, low = whole >> 16, whole & 0xFFFF
    if int(np.abs(high).max()) >= 1 << 16:
        return sum(int(v) ** 2 for v in values.tolist()) > top
    parts = [int((high * high).sum()), int((high * low).sum()), int((low * low).sum())]
    return (parts[0] << 32) + (parts[1] << 17) + parts[2] > top


_FAULTS: tuple[tuple[str, Callable[[IntVector, Bounds], bool], str, bool], ...] = (
    ("zero", lambda values, _: not values.any(), "every value is zero", False),
    ("range", _beyond_range, "a value is beyond the spec's range", True),
    ("norm", _beyond_norm, "the norm is beyond the spec's bound", False),
)


def check_round(
    reveals: Sequence[Revealed],
    contents: Mapping[Address, bytes | None],
    spec: Spec,
    *,
    drawn: frozenset[Address] | None = None,
) -> list[Checked]:
    """Check a round's updates, whatever the order they came in.

    Args:
        reveals: what the trainers opened on the chain.
        contents: the update files by trainer, None where nobody serves one.
        spec: the task's spec.
        drawn: who may contribute to this round; None for everybody.

    Returns:
        One `Checked` per reveal, sorted by trainer address.
    """
    checked = [check_update(one, contents.get(one.trainer), spec) for one in reveals]
    if drawn is not None:
        checked = [_if_drawn(one, drawn) for one in checked]
    checked.sort(key=lambda one: one.verdict.trainer.lower())
    if not bounds(spec).duplicates:
        return checked
    roots = {one.trainer: one.chunk_root for one in reveals}
    return _count_once(checked, roots)


def _if_drawn(one: Checked, drawn: frozenset[Address]) -> Checked:
    """Refuse an update that the round did not ask for; its bytes are no fault."""
    if one.verdict.trainer in drawn or not one.verdict.accepted:
        return one
    verdict = Verdict(one.verdict.trainer, "drawn", "the trainer was not drawn for this round")
    return Checked(verdict, None, one.samples)


def _count_once(checked: Sequence[Checked], roots: Mapping[Address, Digest]) -> list[Checked]:
    """Let the first of identical accepted updates stand for all of them."""
    groups: dict[Digest, list[Checked]] = {}
    for one in checked:
        if one.verdict.accepted:
            groups.setdefault(roots[one.verdict.trainer], []).append(one)
    kept: dict[Address, Checked] = {}
    for first, *copies in groups.values():
        names = tuple(one.verdict.trainer for one in copies)
        samples = max(one.samples for one in (first, *copies))
        trainer = first.verdict.trainer
        kept[trainer] = replace(first, samples=samples, copies=names)
        reason = f"the very update of {trainer}: it counts once"
        kept |= {
            one.verdict.trainer: Checked(
                Verdict(one.verdict.trainer, "duplicate", reason), None, one.samples
            )
            for one in copies
        }
    return [kept.get(one.verdict.trainer, one) for one in checked]
