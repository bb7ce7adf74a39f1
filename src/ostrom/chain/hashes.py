"""What members commit to, attest to and prove: the same hashes as `contracts/src/libraries`.

A commitment binds task, round and author, so that a copied one opens for nobody else; its salt
keeps a small set of possible contents from being tried out.
"""

from __future__ import annotations

from ostrom.codec import keccak, words
from ostrom.types import Address, Digest, Opening, Result, TaskParams


def task_id_of(params: TaskParams) -> Digest:
    """`keccak256(abi.encode(params))`: a task's name."""
    before = words(
        params.sponsor,
        params.token,
        params.pool,
        params.trainer_stake,
        params.validator_stake,
        params.rounds,
        params.max_trainers,
        params.quorum_bps,
        params.join_time,
        params.commit_time,
        params.reveal_time,
        params.score_time,
        params.score_reveal_time,
        params.attest_time,
        params.membership,
    )
    after = words(params.spec, params.model, params.model_root, params.salt)
    head = len(before) + 32 + len(after)
    committee = words(len(params.validators), *params.validators)
    return keccak(words(32) + before + words(head) + after + committee)


def update_commitment(task_id: Digest, round: int, *, trainer: Address, opening: Opening) -> Digest:
    """What a trainer commits to before anybody sees its update."""
    return keccak(
        words(
            task_id,
            round,
            trainer,
            opening.update,
            opening.chunk_root,
            opening.samples,
            opening.salt,
        )
    )


def score_commitment(
    task_id: Digest, round: int, *, validator: Address, scores: Digest, salt: Digest
) -> Digest:
    """What a validator commits to before anybody sees its scores."""
    return keccak(words(task_id, round, validator, scores, salt))


def result_digest(task_id: Digest, round: int, *, result: Result) -> Digest:
    """What a quorum of validators must agree on."""
    return keccak(
        words(
            task_id,
            round,
            result.model,
            result.model_root,
            result.record,
            result.payouts,
            result.paid,
            result.sanctions,
        )
    )
