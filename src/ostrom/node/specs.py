"""From the mechanisms that somebody chose to the spec that all recompute.

The simulator and `ostrom task create` make their specs here, so a task that went well in one goes
the same way in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from ostrom.aggregation import pipeline
from ostrom.compression import compression
from ostrom.incentives import incentive
from ostrom.mechanisms import Mechanism, only, parse_mechanisms
from ostrom.participation import participation
from ostrom.spec import Spec, installed_code
from ostrom.targets import target
from ostrom.tensors import FRACTION_BITS
from ostrom.verification import scorer

if TYPE_CHECKING:
    from ostrom.training import Model

COUNT_SHARES = ("scaffold", "feddyn")
"""Server steps whose state is a sum over all trainers, of whom a round sees a share."""


class Choice(Protocol):
    """What a sponsor chooses, as canonical text; `rounds` is the most that there will be."""

    @property
    def algorithm(self) -> str: ...
    @property
    def aggregation(self) -> str: ...
    @property
    def scorer(self) -> str: ...
    @property
    def incentive(self) -> str: ...
    @property
    def compression(self) -> str: ...
    @property
    def participation(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def rounds(self) -> int: ...


def build_spec(choice: Choice, model: Model) -> Spec:
    """The spec of a task that trains `model` with the chosen mechanisms.

    The pipeline gets the server step that the local algorithm needs, and updates get the checks
    that fit them.

    Raises:
        InputError: a mechanism does not exist, or does not fit the others.
    """
    from ostrom.training import local_algorithm

    algorithm = local_algorithm(choice.algorithm)
    for named, check in _NAMED.items():
        check(getattr(choice, named))
    layout, whole = algorithm.layout(model), algorithm.dtype == "int64"
    return Spec(
        model=model.text,
        shape=model.shape,
        classes=model.classes,
        parameters=model.parameters,
        layout=layout,
        dtype="int64" if whole else "int32",
        fraction_bits=FRACTION_BITS,
        algorithm=algorithm.text,
        aggregation=pipeline(_aggregation(choice, algorithm.server(model))).text,
        # Statistics grow with the data; only a change of the model has a natural bound.
        checks="duplicate" if whole else "range(abs=64)|norm(max=100)|duplicate",
        scorer=choice.scorer,
        incentive=choice.incentive,
        compression=compression(choice.compression, layout=layout).text,
        participation=choice.participation,
        target=choice.target,
        code=installed_code(),
    )


def _aggregation(choice: Choice, server_step: str) -> str:
    """The pipeline's text, with the server step that the local algorithm needs."""
    if not server_step:
        return choice.aggregation
    step, share = only(server_step), only(choice.participation).arguments.get("share")
    if any(one.name == step.name for one in parse_mechanisms(choice.aggregation)):
        return choice.aggregation
    if step.name == "natural_step":
        step = Mechanism(step.name, {**step.arguments, "last": choice.rounds})
    if share is not None and step.name in COUNT_SHARES:
        step = Mechanism(step.name, {**step.arguments, "share": share})
    return f"{choice.aggregation}|{step.text}"


_NAMED: Mapping[str, Callable[[str], object]] = {
    "incentive": incentive,
    "scorer": scorer,
    "participation": participation,
    "target": target,
}
"""Mechanisms that stand in the spec as the user wrote them, once they are known to exist."""
