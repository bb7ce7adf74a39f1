"""A small transformer that reads a window of tokens and foretells the next one."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ostrom.errors import InputError
from ostrom.training.models import Model, Shape, Tensors

WINDOW_MAX = 1024


def transformer(
    shape: Shape, classes: int, /, width: int = 32, blocks: int = 2, heads: int = 4
) -> Model:
    """Token and place embeddings, pre-norm blocks of attention and a ReLU network, tied output.

    h = E[x] + P,  h <- h + Attention(norm(h)),  h <- h + MLP(norm(h)),  logits = E norm(h_last)

    Every place sees the whole window, since only the token behind it is foretold. Norms have no
    parameters, so that all but the biases are matrices.

    Args:
        shape: (T,), the window of examples: bytes that number tokens below `classes`.
        classes: the vocabulary.
        width: of the embeddings; a multiple of `heads`.
        blocks: at least 1.
        heads: of the attention, at least 1.

    Returns:
        A model that a cohort trains side by side.

    Raises:
        InputError: an argument is out of range, or examples are no windows of at most 1,024.

    >>> model = transformer((8,), 50, width=16, blocks=1)
    >>> x = model.prepare(np.zeros((3, 8), np.uint8))
    >>> tuple(model.logits(torch.from_numpy(model.initial(0)), x).shape)
    (3, 50)

    Source: Vaswani et al. (2017), "Attention Is All You Need"; pre-norm: Radford et al. (2019),
    "Language Models are Unsupervised Multitask Learners".
    """
    for name, size in {"width": width, "blocks": blocks, "heads": heads}.items():
        if not isinstance(size, int) or size < 1:
            raise InputError(f"transformer: {name} must be an integer of at least 1, not {size}")
    if width % heads:
        raise InputError(f"transformer: width must be a multiple of heads, not {width} and {heads}")
    if len(shape) != 1 or not 1 <= shape[0] <= WINDOW_MAX:
        raise InputError(f"transformer takes windows of tokens, not examples of shape {shape}")
    tensors: dict[str, Shape] = {
        "tokens.weight": (classes, width),
        "places.weight": (shape[0], width),
    }
    for i in range(blocks):
        tensors |= _block(f"block{i}", width)
    return Model(
        f"transformer(blocks={blocks},heads={heads},width={width})",
        shape,
        classes,
        tensors,
        partial(_forward, blocks, heads),
        partial(_prepare, classes),
        small=True,
    )


def _block(name: str, width: int) -> dict[str, Shape]:
    return {
        f"{name}_read.weight": (3 * width, width),
        f"{name}_write.weight": (width, width),
        f"{name}_up.weight": (4 * width, width),
        f"{name}_up.bias": (4 * width,),
        f"{name}_down.weight": (width, 4 * width),
        f"{name}_down.bias": (width,),
    }


def _prepare(classes: int, x: npt.NDArray[Any]) -> Tensor:
    if x.dtype != np.uint8 or (x.size and int(x.max()) >= classes):
        raise InputError(f"transformer takes bytes that number tokens, each below {classes}")
    return torch.from_numpy(x.astype(np.int64))


def _forward(blocks: int, heads: int, p: Tensors, x: Tensor, _: torch.Generator | None) -> Tensor:
    h = functional.embedding(x, p["tokens.weight"]) + p["places.weight"]
    for i in range(blocks):
        name = f"block{i}"
        h = h + _attention(heads, p, name, _norm(h))
        up = functional.linear(_norm(h), p[f"{name}_up.weight"], p[f"{name}_up.bias"])
        down = p[f"{name}_down.weight"], p[f"{name}_down.bias"]
        h = h + functional.linear(functional.relu(up), *down)
    return functional.linear(_norm(h)[..., -1, :], p["tokens.weight"])


def _norm(h: Tensor) -> Tensor:
    return functional.layer_norm(h, h.shape[-1:])


def _attention(heads: int, p: Tensors, name: str, h: Tensor) -> Tensor:
    read = functional.linear(h, p[f"{name}_read.weight"])
    parts = read.reshape(*read.shape[:-1], 3, heads, -1)
    query, key, value = (part.transpose(-2, -3) for part in parts.unbind(-3))
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    mixed = torch.softmax(scores, dim=-1) @ value
    return functional.linear(mixed.transpose(-2, -3).flatten(-2), p[f"{name}_write.weight"])
