"""Joining through a relay: the account signs, the relay pays. A trainer then needs no coins.

What a relay says proves nothing; the chain is asked whether it was carried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ostrom.chain.contracts import SignedJoin, SignedPermit
from ostrom.chain.wallet import Join, Permit, Register, registry_domain, token_domain
from ostrom.cli.console import say
from ostrom.errors import InputError
from ostrom.node.relay.client import RelayClient
from ostrom.node.relay.messages import Place, join_message, registration_message
from ostrom.types import Role

if TYPE_CHECKING:
    from ostrom.cli.connection import Session
    from ostrom.types import Digest

WISH_SECONDS = 3_600
"""How long a relay may take, on the chain's clock, before the signatures expire."""

WAIT_SECONDS_MAX = 600
"""How long the command waits for a relay, on this machine's clock."""

LOOK_SECONDS = 1.0


def join_by_relay(session: Session, task_id: Digest, stake: int, relays: Sequence[str]) -> None:
    """Have an account registered as a trainer and seated in a task, as far as that is missing.

    Raises:
        InputError: every relay refuses, or none carried it in time.
        LedgerError: the chain cannot be reached.
    """
    client, at, ledger = RelayClient(relays), session.at, session.ledger
    place = Place(ledger.chain_id, at.training.address)

    def registered() -> bool:
        return bool(at.registry.roles_of(ledger, session.account) & Role.TRAINER)

    def seated() -> bool:
        return at.training.member(ledger, task_id, account=session.account).seated

    if not registered():
        _hand_in(client, "registration", _registration(session, place))
        _wait("registration", registered)
    if not seated():
        _hand_in(client, "join", join_message(place, task_id, _join(session, task_id, stake)))
        _wait("join", seated)


def _hand_in(client: RelayClient, what: str, data: bytes) -> None:
    answer = client.offer(data)
    if not answer.accepted:
        raise InputError(f"no relay takes the {what}: {answer.line}")
    say(f"{what}: handed to a relay")


def _wait(what: str, done: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS_MAX
    while not done():
        if time.monotonic() > until:
            raise InputError(
                f"no relay carried the {what} in {WAIT_SECONDS_MAX} s: run the command again, name "
                "another --relay, or leave it out and pay yourself"
            )
        time.sleep(LOOK_SECONDS)


def _registration(session: Session, place: Place) -> bytes:
    registry, ledger, account = session.at.registry, session.ledger, session.account
    wish = Register(
        account,
        Role.TRAINER,
        bytes(32),
        nonce=registry.nonce_of(ledger, account),
        deadline=ledger.now() + WISH_SECONDS,
    )
    signature = session.key.sign(wish.digest(registry_domain(ledger.chain_id, registry.address)))
    return registration_message(place, wish, signature)


def _join(session: Session, task_id: Digest, stake: int) -> SignedJoin:
    """The wish to join, and the permit for what the free stake lacks."""
    at, ledger = session.at, session.ledger
    deadline = ledger.now() + WISH_SECONDS
    wish = Join(session.account, Role.TRAINER, stake, deadline)
    domain = Place(ledger.chain_id, at.training.address).domain
    signature = session.key.sign(wish.digest(domain, task_id))
    missing = max(stake - at.registry.free_of(ledger, session.account), 0)
    permit = _permit(session, missing, deadline) if missing else None
    return SignedJoin.of(wish, signature, permit=permit)


def _permit(session: Session, amount: int, deadline: int) -> SignedPermit:
    token, ledger, account = session.at.token, session.ledger, session.account
    nonce = token.nonce_of(ledger, account)
    wish = Permit(account, session.at.registry.address, amount, nonce, deadline)
    signature = session.key.sign(wish.digest(token_domain(ledger.chain_id, token.address)))
    return SignedPermit.of(amount, deadline, signature=signature)
