"""Balances in a Merkle tree: what every account ever earned in a task, and its strikes.

Both are cumulative: a claim is one proof against the newest root, however many rounds it covers,
and a sanction likewise. A leaf is
keccak(keccak(abi.encode(bytes32 taskId, address account, uint256 amount))), as the contract and
OpenZeppelin's MerkleProof (https://docs.openzeppelin.com/contracts/5.x/api/utils#MerkleProof)
expect it; leaves stand in order of address.
"""

from __future__ import annotations

from collections.abc import Mapping

from ostrom.codec import address_bytes, merkle_leaf, merkle_proof, merkle_root, words
from ostrom.errors import InputError
from ostrom.types import Address, Digest

AMOUNT_MAX = (1 << 256) - 1


def accumulate(
    previous: Mapping[Address, int], payouts: Mapping[Address, int]
) -> dict[Address, int]:
    """Everybody's earnings after one more round.

    total'_a = total_a + payout_a

    Args:
        previous: earnings before the round, in the token's smallest unit.
        payouts: the round's payouts, >= 0.

    Returns:
        Earnings of all who ever earned, in order of address; who earned nothing is not listed.

    Raises:
        InputError: a negative amount, or a total beyond uint256.

    >>> alice, bob = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
    >>> accumulate({bob: 5}, {alice: 3, bob: 1}) == {alice: 3, bob: 6}
    True
    """
    if min((*previous.values(), *payouts.values()), default=0) < 0:
        raise InputError("earnings and payouts must not be negative")
    accounts = sorted({*previous, *payouts}, key=address_bytes)
    totals = {one: previous.get(one, 0) + payouts.get(one, 0) for one in accounts}
    if max(totals.values(), default=0) > AMOUNT_MAX:
        raise InputError("an account's earnings exceed uint256")
    return {account: total for account, total in totals.items() if total}


def balance_leaves(task_id: Digest, earnings: Mapping[Address, int]) -> list[Digest]:
    """The tree's leaves, in order of address.

    >>> len(balance_leaves(bytes(32), {Address("0x" + "11" * 20): 5}))
    1
    """
    accounts = sorted(earnings, key=address_bytes)
    return [merkle_leaf(words(task_id, account, earnings[account])) for account in accounts]


def balance_root(task_id: Digest, earnings: Mapping[Address, int]) -> Digest:
    """The root that validators attest to; 32 zero bytes while nobody has earned.

    >>> balance_root(bytes(32), {}) == bytes(32)
    True
    """
    return merkle_root(balance_leaves(task_id, earnings))


def balance_proof(
    task_id: Digest, earnings: Mapping[Address, int], account: Address
) -> list[Digest]:
    """What `account` shows the contract to claim its earnings.

    Raises:
        InputError: the account never earned.

    >>> balance_proof(bytes(32), {Address("0x" + "11" * 20): 5}, Address("0x" + "11" * 20))
    []
    """
    if account not in earnings:
        raise InputError(f"{account} has earned nothing in this task yet")
    index = sorted(earnings, key=address_bytes).index(account)
    return merkle_proof(balance_leaves(task_id, earnings), index)
