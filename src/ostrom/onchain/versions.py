"""Checkpoints, roll-backs and votes: the reference of `Versions.sol`, see `records`.

Threat: somebody spoils the model; the deployer, or contributors with more than half of all
validated contributions, give it an older state back. Not answered: one person with many accounts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ostrom.onchain.models.model import Model
from ostrom.onchain.records import Checkpoint, Epoch, Message, Refused, Trainer, put
from ostrom.types import Address

S = TypeVar("S")


def checkpoint(trainer: Trainer[S], message: Message) -> Trainer[S]:
    """Stores the model's state as the next version. Anyone may."""
    one = Checkpoint(
        trainer.model_state, message.block, trainer.count, trainer.epoch, trainer.history
    )
    return replace(trainer, versions=(*trainer.versions, one))


def roll_back(model: Model[S], trainer: Trainer[S], message: Message, *, index: int) -> Trainer[S]:
    """Gives the model the state of a version. Only the deployer.

    Raises:
        Refused: VersionsNotDeployer, VersionsUnknown.
    """
    if message.sender != trainer.deployer:
        raise Refused("VersionsNotDeployer", account=message.sender)
    return _rolled_back(model, trainer, index)


def vote(
    model: Model[S], trainer: Trainer[S], message: Message, *, index: int, weight: int
) -> Trainer[S]:
    """Votes for a version with the weight of the sender's validated contributions.

    The model gets its state as soon as it has more than half of all.

    Raises:
        Refused: VersionsUnknown, VersionsNoVote.
    """
    _version(trainer, index)
    if weight == 0:
        raise Refused("VersionsNoVote", account=message.sender)
    cast = (trainer.epoch, weight, index)
    after = replace(trainer, votes=put(trainer.votes, message.sender, cast))
    if 2 * votes_for(after, index) > after.validated:
        return _rolled_back(model, after, index)
    return after


def retract(trainer: Trainer[S], message: Message) -> Trainer[S]:
    """Takes the sender's vote back.

    Raises:
        Refused: VersionsNoVote.
    """
    if not _counts(trainer, message.sender):
        raise Refused("VersionsNoVote", account=message.sender)
    return replace(trainer, votes=put(trainer.votes, message.sender, None))


def votes_for(trainer: Trainer[S], index: int) -> int:
    """The votes for a version since the model was last rolled back."""
    now = (trainer.epoch, index)
    return sum(weight for epoch, weight, found in trainer.votes.values() if (epoch, found) == now)


def _counts(trainer: Trainer[S], account: Address) -> bool:
    return account in trainer.votes and trainer.votes[account][0] == trainer.epoch


def _version(trainer: Trainer[S], index: int) -> Checkpoint[S]:
    if not 0 <= index < len(trainer.versions):
        raise Refused("VersionsUnknown", index=index)
    return trainer.versions[index]


def _rolled_back(model: Model[S], trainer: Trainer[S], index: int) -> Trainer[S]:
    one = _version(trainer, index)
    now = trainer.model_state
    state = model.widen(
        one.state,
        classes=model.classes(now) - model.classes(one.state),
        features=model.features(now) - model.features(one.state),
    )
    epoch = Epoch(trainer.count, one.nonce, one.nonce, one.epoch)
    return replace(trainer, model_state=state, epochs=(*trainer.epochs, epoch))
