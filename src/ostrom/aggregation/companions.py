"""Server steps that complete a local algorithm of the same name.

An algorithm may send more integers than the model has; its server step makes the model's change of
them. All three are exact integers for `lr` and `share` of 1 as long as values stay below 2**53.

Answer: trainers that drift apart, or do unequal work, when their data differ. Do not answer:
hostile updates; a control variate or a step count can lie like any other integer.
"""

from __future__ import annotations

import numpy as np

from ostrom.aggregation.exact import Int64Vector
from ostrom.aggregation.rules import State
from ostrom.aggregation.stepping import ServerStep, assert_positive, to_integers, zeros
from ostrom.errors import InputError


def scaffold(*, lr: float = 1.0, share: float = 1.0) -> ServerStep:
    """SCAFFOLD's server: it moves the model, and its control variate by the trainers' changes.

    x = (mean change of the model, mean change of the controls)
    delta = round(lr * x_1),  c' = round(c + share * x_2)

    Args:
        lr: the server's learning rate, > 0.
        share: the share of all trainers that take part in a round, in (0, 1].

    Returns:
        A server step with the state "control", (d,) int64; it takes updates of 2 d integers.

    Raises:
        InputError: an argument is out of range, or an update has an odd length.

    >>> step = scaffold(share=0.5)
    >>> delta, state = step.update(np.array([7, 8]), step.init(2))
    >>> delta.tolist(), state["control"].tolist()
    ([7], [4])

    Source: Karimireddy et al. (2020), "SCAFFOLD: Stochastic Controlled Averaging for Federated
    Learning". Every trainer counts alike: use it after `mean(weights=equal)`.
    """
    assert_positive("scaffold", lr=lr)
    _assert_share("scaffold", share)

    def init(length: int) -> State:
        if length % 2:
            raise InputError(f"scaffold needs updates of two equal halves, not {length} values")
        return zeros("control")(length // 2)

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        change, control = x.astype(np.float64).reshape(2, -1)
        kept = to_integers(state["control"].astype(np.float64) + control * share)
        return to_integers(change * lr), {"control": kept}

    return ServerStep(init, update)


def fednova(*, lr: float = 1.0, fraction_bits: int) -> ServerStep:
    """FedNova's server: the mean of normalised changes, times the mean number of steps.

    x = (mean of change_i / steps_i, mean of steps_i),  delta = round(lr * x_1 * x_2)

    Args:
        lr: the server's learning rate, > 0.
        fraction_bits: the pipeline's fixed point, in which the steps are given too.

    Returns:
        A server step without state; it takes updates of d + 1 integers.

    Raises:
        InputError: an argument is out of range, or an update has no room for its steps.

    >>> step = fednova(fraction_bits=2)
    >>> step.update(np.array([3, -5, 8]), step.init(3))[0].tolist()
    [6, -10]

    Source: Wang et al. (2020), "Tackling the Objective Inconsistency Problem in Heterogeneous
    Federated Optimization".
    """
    assert_positive("fednova", lr=lr)
    unit = float(1 << fraction_bits)

    def init(length: int) -> State:
        if length < 2:
            raise InputError("fednova needs updates of a change and, last, its steps")
        return {}

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        steps = float(x[-1]) / unit
        return to_integers(x[:-1].astype(np.float64) * steps * lr), {}

    return ServerStep(init, update)


def feddyn(*, share: float = 1.0) -> ServerStep:
    """FedDyn's server: the mean change, plus all that the trainers have moved so far.

    m' = round(m + share * x),  delta = x + m'

    In the paper's terms m = -h / alpha, so that alpha is the trainers' alone.

    Args:
        share: the share of all trainers that take part in a round, in (0, 1].

    Returns:
        A server step with the state "moved", (d,) int64.

    Raises:
        InputError: an argument is out of range.

    >>> step = feddyn()
    >>> delta, state = step.update(np.array([3]), {"moved": np.array([-2])})
    >>> delta.tolist(), state["moved"].tolist()
    ([4], [1])

    Source: Acar et al. (2021), "Federated Learning Based on Dynamic Regularization". Every trainer
    counts alike: use it after `mean(weights=equal)`.
    """
    _assert_share("feddyn", share)

    def update(x: Int64Vector, state: State) -> tuple[Int64Vector, State]:
        now = x.astype(np.float64)
        moved = to_integers(state["moved"].astype(np.float64) + now * share)
        return to_integers(now + moved.astype(np.float64)), {"moved": moved}

    return ServerStep(zeros("moved"), update)


def _assert_share(name: str, share: float) -> None:
    if not 0 < share <= 1:
        raise InputError(f"{name} needs 0 < share <= 1, not {share}")
