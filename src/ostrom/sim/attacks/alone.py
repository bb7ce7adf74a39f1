"""Attacks that need no accomplice: what each attacker sends follows from little knowledge."""

from __future__ import annotations

import numpy as np

from ostrom.aggregation.exact import IntMatrix
from ostrom.sim.attacks.shape import (
    Aggregate,
    Attack,
    blurred,
    lengths,
    not_negative,
    quantised,
    repeated,
    row,
)
from ostrom.tensors import FRACTION_BITS
from ostrom.types import IntVector


def zeros() -> Attack:
    """Free riding with nothing: b_i = 0.

    Returns:
        An attack on updates of any dtype.

    >>> zeros()(np.ones((2, 2), int), np.ones((1, 2), int), np.random.default_rng(0)).tolist()
    [[0, 0]]

    Source: Lin, Du and Liu, "Free-riders in Federated Learning" (2019).
    """
    return lambda honest, own, rng, aggregate=None, /: np.zeros_like(own)


def sign_flip() -> Attack:
    """Every attacker sends the opposite of its own update: b_i = -x_i.

    ByzFL's attack of this name sends the opposite of the honest mean: here `ipm(epsilon=1)`.

    Returns:
        An attack on updates of any dtype.

    >>> sign_flip()(np.ones((2, 2), int), np.ones((1, 2), int), np.random.default_rng(0)).tolist()
    [[-1, -1]]

    Source: Li et al., "RSA: Byzantine-Robust Stochastic Aggregation Methods" (2019).
    """
    return scale(by=-1.0)


def scale(by: float = 100.0) -> Attack:
    """Every attacker sends its own update many times over: b_i = by x_i.

    Args:
        by: the factor; a negative one flips the sign too. Values stay inside the dtype.

    Returns:
        An attack on updates of any dtype.

    >>> own = np.array([[1, 2**30]], dtype=np.int32)
    >>> scale(by=3)(own, own, np.random.default_rng(0)).tolist()
    [[3, 2147483646]]

    Source: Bagdasaryan et al., "How To Backdoor Federated Learning" (2020), model replacement.
    """
    return lambda honest, own, rng, aggregate=None, /: quantised(
        own.astype(np.float64) * by, own.dtype
    )


def gaussian(sigma: float = 1.0, *, fraction_bits: int = FRACTION_BITS) -> Attack:
    """Every attacker sends independent noise: b_i ~ N(0, sigma^2 I).

    Args:
        sigma: the standard deviation of every value, in the model's units; at least 0.
        fraction_bits: the fixed point of the updates.

    Returns:
        An attack on updates of any dtype.

    Raises:
        InputError: sigma is negative.

    >>> rows = np.zeros((1, 2), dtype=np.int32)
    >>> gaussian(sigma=0)(rows, rows, np.random.default_rng(0)).tolist()
    [[0, 0]]

    Source: Blanchard et al., "Machine Learning with Adversaries" (2017).
    """
    not_negative(sigma, "gaussian: sigma")
    unit = sigma * 2.0**fraction_bits
    return lambda honest, own, rng, aggregate=None, /: quantised(
        rng.standard_normal(own.shape) * unit, own.dtype
    )


def noise(by: float = 1.0) -> Attack:
    """Free riding in disguise: b_i = by m u_i, m the mean length of an honest update, |u_i| = 1.

    Args:
        by: the length of what is sent, in lengths of an honest update; at least 0.

    Returns:
        An attack on updates of any dtype; the directions u_i are independent and random.

    Raises:
        InputError: by is negative.

    >>> rows = np.full((1, 4), 50)
    >>> sent = noise()(rows, rows, np.random.default_rng(0))
    >>> round(float(np.linalg.norm(sent)))
    100

    Source: Fraboni, Vidal and Lorenzi, "Free-rider Attacks on Model Aggregation in Federated
    Learning" (2021).
    """
    not_negative(by, "noise: by")

    def send(
        honest: IntMatrix,
        own: IntMatrix,
        rng: np.random.Generator,
        aggregate: Aggregate | None = None,
        /,
    ) -> IntMatrix:
        draws = rng.standard_normal(own.shape)
        length = by * float(lengths(honest).mean())
        return quantised(draws * (length / lengths(draws))[:, None], own.dtype)

    return send


def last_delta(previous: IntVector | None = None) -> Attack:
    """Free riding on the crowd: b_i = the last change of the global model.

    Args:
        previous: (d,) that change in fixed point, None before there is one (then zeros are sent).

    Returns:
        An attack on updates of any dtype.

    >>> rows = np.ones((1, 2), dtype=np.int32)
    >>> last_delta(np.array([7, 8]))(rows, rows, np.random.default_rng(0)).tolist()
    [[7, 8]]

    Source: Lin, Du and Liu, "Free-riders in Federated Learning" (2019), delta weights.
    """

    def send(
        honest: IntMatrix,
        own: IntMatrix,
        rng: np.random.Generator,
        aggregate: Aggregate | None = None,
        /,
    ) -> IntMatrix:
        if previous is None:
            return np.zeros_like(own)
        return repeated(previous.astype(np.float64), own)

    return send


def copy(victim: int = 0) -> Attack:
    """Every attacker sends an honest trainer's very update: b_i = x_victim.

    Args:
        victim: the row of the honest trainer, counted round.

    Returns:
        An attack on updates of any dtype.

    Raises:
        InputError: victim is negative.

    >>> honest = np.array([[1, 2], [3, 4]])
    >>> copy(victim=1)(honest, honest[:1], np.random.default_rng(0)).tolist()
    [[3, 4]]

    Source: this project; its answer is the `duplicate` check.
    """
    return noisy_copy(sigma=0.0, victim=victim)


def noisy_copy(sigma: float = 0.1, victim: int = 0) -> Attack:
    """A copy in disguise: b_i = x_victim + sigma |x_victim| u_i, with random |u_i| = 1.

    Args:
        sigma: the length of the noise, in lengths of the victim's update; at least 0.
        victim: the row of the honest trainer, counted round.

    Returns:
        An attack on updates of any dtype.

    Raises:
        InputError: an argument is negative.

    >>> honest = np.array([[300, 400]])
    >>> sent = noisy_copy(sigma=0.1)(honest, honest, np.random.default_rng(0))
    >>> round(float(np.linalg.norm(sent - honest)))
    50

    Source: this project.
    """
    not_negative(sigma, "noisy_copy: sigma")
    not_negative(victim, "copy: victim")

    def send(
        honest: IntMatrix,
        own: IntMatrix,
        rng: np.random.Generator,
        aggregate: Aggregate | None = None,
        /,
    ) -> IntMatrix:
        rows = repeated(row(honest, victim).astype(np.float64), own)
        return rows if sigma == 0 else blurred(rows, rng.standard_normal(own.shape), sigma)

    return send
