"""Which way a model would have to move for each class: gradients on somebody's own examples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ostrom.data import Dataset
from ostrom.tensors import dequantise
from ostrom.training.local import check_data
from ostrom.training.models import Model
from ostrom.training.threads import one_thread
from ostrom.types import IntVector


def class_gradients(model: Model, params: IntVector, data: Dataset) -> npt.NDArray[np.float64]:
    """The mean loss's gradient on each class's examples.

    g_c = mean over examples x of class c of grad_w cross_entropy(model(w, x), c)

    Args:
        model: the model; dropout is off.
        params: (d,) int32, fixed point.
        data: the examples.

    Returns:
        (model.classes, d) float64; zeros for a class without an example.

    Raises:
        InputError: parameters or data that do not fit the model.

    >>> from ostrom.data import load_dataset
    >>> from ostrom.training.catalogue import build_model
    >>> digits = load_dataset("digits").train
    >>> model = build_model("logistic", shape=digits.shape, classes=10)
    >>> class_gradients(model, np.zeros(model.parameters, np.int32), digits).shape
    (10, 650)

    Source: the gradient of empirical risk, class by class.
    """
    check_data(model, params, data)
    found = np.zeros((model.classes, len(params)))
    with one_thread():
        x, y = model.prepare(data.x), torch.from_numpy(data.y)
        for label in np.unique(data.y):
            weights = torch.from_numpy(dequantise(params)).requires_grad_()
            mine = y == int(label)
            loss = functional.cross_entropy(model.logits(weights, x[mine]), y[mine])
            (gradient,) = torch.autograd.grad(loss, weights)
            found[label] = gradient.double().numpy()
    return found
