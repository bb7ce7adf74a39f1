"""Fixed random convolutional features in small integers, the same on every machine.

Two layers: oriented Gabor filters, then random ones, each followed by a threshold, ReLU and sums
over windows. Every weight is an integer and every partial sum stays below 2**24, so float32
arithmetic is exact in any order. Nothing is learned from data: anybody can make the features
from the seed.

Coates, Lee, Ng: "An Analysis of Single-Layer Networks in Unsupervised Feature Learning" (2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ostrom.training.threads import one_thread

EXACT_MAX = (1 << 24) - 1
FEATURE_MAX = 127
GABORS = 32
GABOR_SIDE = 5
GABOR_SUM = 256
GABOR_THRESHOLD = 5_000
GABOR_SHIFT = 8
INNER_MEAN = 20
MIXED_SIDE = 4
MIXED_STEP = 4.0
MIXED_WEIGHT_MAX = 12
MIXED_THRESHOLD = 3_000
MIXED_SHIFT = 9
GRID = 3
SMALL_SIDE = 16
BATCH = 250


@dataclass(frozen=True, eq=False)
class Bank:
    """The integer weights and thresholds of both layers, as float32."""

    gabors: Tensor
    gabor_thresholds: Tensor
    mixed: Tensor
    mixed_thresholds: Tensor
    small: bool


@lru_cache(maxsize=4)
def bank(shape: tuple[int, int, int], features: int, seed: int) -> Bank:
    """The filters for images (height, width, channels)."""
    rng = np.random.default_rng([seed, 0x05704])
    small = min(shape[:2]) < SMALL_SIDE
    side = MIXED_SIDE - small
    channels = -(-features // GRID**2)
    gabors = _gabors(rng, shape[2])
    lows = np.rint(rng.uniform(-0.5, 1, GABORS) * GABOR_THRESHOLD)
    mixed = np.rint(rng.normal(size=(channels, GABORS, side, side)) * MIXED_STEP)
    mixed = np.clip(mixed, -MIXED_WEIGHT_MAX, MIXED_WEIGHT_MAX)
    highs = np.rint(rng.uniform(-0.5, 1, channels) * MIXED_THRESHOLD)
    highs += INNER_MEAN * mixed.sum(axis=(1, 2, 3))
    return Bank(
        gabors=_tensor(gabors),
        gabor_thresholds=_tensor(-lows),
        mixed=_tensor(mixed),
        mixed_thresholds=_tensor(-highs),
        small=small,
    )


def integer_features(
    x: npt.NDArray[Any], shape: tuple[int, int, int], *, features: int, seed: int
) -> Tensor:
    """Features (n, features) of uint8 images: float32 holding integers from 0 to 127.

    The last one is constant, for the intercept.

    >>> x = np.zeros((2, 28, 28), np.uint8)
    >>> integer_features(x, (28, 28, 1), features=5, seed=0)[0, -1].item()
    127.0
    """
    filters = bank(shape, features - 1, seed)
    images = x.reshape(len(x), *shape)
    with one_thread(), torch.no_grad():
        made = torch.full((len(x), features), float(FEATURE_MAX))
        for start in range(0, len(x), BATCH):
            part = _tensor(images[start : start + BATCH]).permute(0, 3, 1, 2)
            made[start : start + BATCH, :-1] = _two_layers(part, filters)[:, : features - 1]
        return made


def _two_layers(images: Tensor, filters: Bank) -> Tensor:
    padding = GABOR_SIDE // 2 if filters.small else 0
    first = functional.conv2d(images, filters.gabors, filters.gabor_thresholds, padding=padding)
    pooled = _sums(functional.relu(first), 1 if filters.small else 2)
    inner = _shifted(pooled, GABOR_SHIFT - 2 * filters.small, 255.0)
    second = functional.relu(functional.conv2d(inner, filters.mixed, filters.mixed_thresholds))
    rows, columns = second.shape[2] // GRID, second.shape[3] // GRID
    top, left = (second.shape[2] - GRID * rows) // 2, (second.shape[3] - GRID * columns) // 2
    centre = second[:, :, top : top + GRID * rows, left : left + GRID * columns]
    # The cap is far above what images reach; it keeps every sum exact whatever the window.
    centre = centre.clamp(max=float(EXACT_MAX // (rows * columns)))
    sums = functional.avg_pool2d(centre, (rows, columns), divisor_override=1)
    extra = max(rows * columns // 9, 1).bit_length() - 1
    return _shifted(sums, MIXED_SHIFT + extra, float(FEATURE_MAX)).flatten(1)


def _sums(x: Tensor, window: int) -> Tensor:
    return x if window == 1 else functional.avg_pool2d(x, window, divisor_override=1)


def _shifted(x: Tensor, bits: int, maximum: float) -> Tensor:
    """Divide by 2**bits, rounding down; both steps are exact in float32."""
    return x.mul_(2.0**-bits).floor_().clamp_(max=maximum)


def _gabors(rng: np.random.Generator, channels: int) -> npt.NDArray[np.float64]:
    """Oriented waves under a Gaussian (GABORS, channels, side, side), rounded to integers."""
    y, x = np.mgrid[:GABOR_SIDE, :GABOR_SIDE] - (GABOR_SIDE - 1) / 2
    angle, frequency, phase, spread = (
        rng.uniform(low, high, (GABORS, 1, 1))
        for low, high in ((0, 2), (0.13, 0.53), (0, 2), (GABOR_SIDE / 6, GABOR_SIDE / 3))
    )
    along = x * np.cos(np.pi * angle) + y * np.sin(np.pi * angle)
    waves = np.cos(np.pi * (frequency * along + phase)) * np.exp(-(x**2 + y**2) / 2 / spread**2)
    waves -= waves.mean(axis=(1, 2), keepdims=True)
    scaled = waves * GABOR_SUM / np.abs(waves).sum(axis=(1, 2), keepdims=True)
    tints = rng.dirichlet(np.ones(channels), GABORS)[:, :, None, None]
    tinted: npt.NDArray[np.float64] = np.rint(scaled[:, None] * tints)
    return tinted


def _tensor(values: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
