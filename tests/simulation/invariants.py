"""What must hold: after every block, at every transaction that is handed in, and at the end.

The truth is computed here a second time from the chain's own logs, by branch, apart from all nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

from eth_abi.abi import decode
from tests.simulation.blocks import SimBlock
from tests.simulation.machine import JOURNAL, Machine
from tests.simulation.setting import SUPPLY, Setting
from tests.simulation.transactions import Transaction

from ostrom.chain.artifacts import Signature, abi_type, artifact, encode_call
from ostrom.chain.client import Block
from ostrom.chain.hashes import score_commitment, update_commitment
from ostrom.chain.ledger import Call
from ostrom.codec import keccak
from ostrom.errors import ProtocolError
from ostrom.evidence import balances_of
from ostrom.node.journal import Journal
from ostrom.node.parts import evidence_digest
from ostrom.node.relay.messages import CommitMessage, RevealMessage, decode_message
from ostrom.protocol import TaskState, apply
from ostrom.records import decode_record, record_balances
from ostrom.registry import load_model
from ostrom.settlement import STRIKES_MAX
from ostrom.storage import cid_of, digest_of
from ostrom.types import Address, Digest, Logged, Phase, RoundSettled, Sanctioned

SECRETS = ("commit", "commitScores")
OPENINGS = {"reveal": Phase.REVEAL, "revealScores": Phase.SCORE_REVEAL}
ONCE = ("commit", "reveal", "commitScores", "revealScores", "attest")


class Violation(AssertionError):
    """Something that must always hold does not."""


class Invariants:
    """Watches one network. `machines` are all nodes by name."""

    def __init__(self, setting: Setting, machines: Mapping[str, Machine]) -> None:
        self._setting, self._machines = setting, machines
        self._chain = setting.chain
        self.states: dict[Digest, TaskState] = {}
        self._signed: dict[tuple[str, str, int], dict[Digest, bytes]] = {}
        self._seen: set[Digest] = set()
        self._heard: set[bytes] = set()
        for block in setting.chain.line[setting.first :]:
            self._follow(block)

    # After every block

    def after_block(self, block: SimBlock) -> None:
        """The new head keeps every rule."""
        behind = block.header.number
        while self._chain.line[behind - 1].header.hash not in self.states:
            behind -= 1
        for one in self._chain.line[behind : block.header.number + 1]:
            self._follow(one)
        self._money(block)

    def state_at(self, block: Block) -> TaskState:
        """The task after a block, on whatever branch."""
        return self.states[block.hash]

    @property
    def state(self) -> TaskState:
        """The task at the canonical head."""
        for block in reversed(self._chain.line):
            if block.header.hash in self.states:
                return self.states[block.header.hash]
        raise Violation("the task was never created")

    def _follow(self, block: SimBlock) -> None:
        header = block.header
        state = self.states.get(header.parent, TaskState(task_id=self._setting.task_id))
        for logged in self._chain.logs_of(block, self.contracts):
            try:
                state = apply(state, logged.event, logged.time)
            except ProtocolError as error:
                raise Violation(f"the contracts break the protocol: {error}") from error
            self._judge(state, logged)
        self.states[header.hash] = state

    def _judge(self, state: TaskState, logged: Logged) -> None:
        event = logged.event
        if isinstance(event, Sanctioned):
            self._spare(event.account, "is sanctioned on the chain")
        if isinstance(event, RoundSettled):
            self._judge_record(state, event.round)

    def _judge_record(self, state: TaskState, number: int) -> None:
        """The record that a quorum attested to blames no honest party."""
        settled = state.rounds[number].settled
        assert settled is not None
        record = self._anywhere(settled.record)
        if record is None:
            raise Violation(f"nobody has the record of round {number}")
        document: Any = decode_record(record)
        for account, fault in document["faults"]:
            self._spare(Address(account), f"is blamed for {fault} in round {number}")

    def _spare(self, account: Address, what: str) -> None:
        name = self._setting.accounts.get(account, account)
        if self._machines[name].honest:
            raise Violation(f"the honest {name} {what}")

    def _anywhere(self, digest: Digest) -> bytes | None:
        for machine in self._machines.values():
            for cid, block in machine.store.blocks.items():
                if digest_of(cid) == digest:
                    return block
        return None

    # Money

    def _money(self, block: SimBlock) -> None:
        held = {name: self._chain.view(*call) for name, call in self._balances.items()}
        if sum(held.values()) != SUPPLY:
            raise Violation(f"{sum(held.values()) - SUPPLY:+} tokens out of nothing: {held}")
        state = self.states[block.header.hash]
        open_ = state.rules.pool - state.claimed_total - state.refunded
        if held["training"] != open_:
            raise Violation(f"Training holds {held['training']} tokens, it must hold {open_}")
        owed = sum(self._chain.view(*call) for call in self._stakes)
        if held["registry"] != owed:
            raise Violation(f"Registry holds {held['registry']} tokens and owes {owed}")

    @cached_property
    def _balances(self) -> dict[str, tuple[Address, bytes]]:
        token = self._setting.deployment.token
        return {
            name: (token.address, encode_call(Call("Token", token.address, "balanceOf", (one,))))
            for one, name in self._setting.accounts.items()
        }

    @cached_property
    def _stakes(self) -> list[tuple[Address, bytes]]:
        registry = self._setting.deployment.registry.address
        training = self._setting.deployment.training.address
        calls = []
        for one in self._setting.accounts:
            calls.append(Call("Registry", registry, "freeOf", (one,)))
            bond = (training, self._setting.task_id, one)
            calls.append(Call("Registry", registry, "bondOf", bond))
        return [(registry, encode_call(call)) for call in calls]

    @cached_property
    def contracts(self) -> dict[Address, str]:
        """The contracts whose events count."""
        found = self._setting.deployment
        return {
            one.address: type(one).__name__
            for one in (found.registry, found.models, found.training)
        }

    # What honest nodes sign

    def submitted(self, machine: Machine, made: Transaction) -> None:
        """A transaction that a node hands in; what it says is compared with all that it said."""
        if not machine.honest or made.hash in self._seen:
            return
        self._seen.add(made.hash)
        function, args = read_call(made)
        agent = machine.agent
        if agent is None or agent.view is None:
            raise Violation(f"{machine.name} sends before it has looked")
        self._is_written_down(machine, made, function, args)
        if function in OPENINGS:
            self._is_closed(machine, agent.view.head, function, args[1])
        if function in ONCE:
            self._is_the_same(machine, agent.view.safe, function, args)

    def _is_written_down(
        self, machine: Machine, made: Transaction, function: str, args: tuple[Any, ...]
    ) -> None:
        """What a power cut would leave now holds the transaction, and the secret behind it."""
        with self._journal(machine) as journal:
            if made.hash not in {one.hash for one in journal.flights()}:
                raise Violation(f"{machine.name} sends {function} before it is written down")
            if function in SECRETS and not self._is_kept(journal, machine, function, args):
                raise Violation(f"{machine.name} sends {function} before its secret is safe")

    @contextmanager
    def _journal(self, machine: Machine) -> Iterator[Journal]:
        """The journal as a power cut would leave it now."""
        disk = machine.disk.copy()
        try:
            yield Journal(JOURNAL, machine.about, connect=disk.connect)
        finally:
            disk.unmount()

    def offered(self, machine: Machine, data: bytes) -> None:
        """A message that a trainer hands to a relay keeps the same rules as a transaction."""
        if not machine.honest or data in self._heard:
            return
        self._heard.add(data)
        message = decode_message(data)
        assert machine.agent is not None
        assert machine.agent.view is not None
        view = machine.agent.view
        if isinstance(message, RevealMessage):
            self._is_closed(machine, view.head, "reveal", message.round)
        if isinstance(message, CommitMessage):
            args = (message.task, message.round, message.commitment)
            with self._journal(machine) as journal:
                if not self._is_kept(journal, machine, "commit", args):
                    raise Violation(f"{machine.name} offers a commitment before it is safe")
            self._is_the_same(machine, view.safe, "commit", args)

    def _is_kept(
        self, journal: Journal, machine: Machine, function: str, args: tuple[Any, ...]
    ) -> bool:
        task_id, number, commitment = args
        account = machine.key.address
        if function == "commit":
            sealed = journal.updates().get(number)
            if sealed is not None and _here(machine.store.blocks, sealed.opening.update):
                raise Violation(f"{machine.name} publishes an update before it is revealed")
            return sealed is not None and commitment == update_commitment(
                task_id, number, trainer=account, opening=sealed.opening
            )
        salt = machine.validator_salt(number)
        return commitment in {
            score_commitment(
                task_id, number, validator=account, scores=digest_of(cid_of(one)), salt=salt
            )
            for one in journal.scores(number).values()
        }

    def _is_closed(self, machine: Machine, head: Block, function: str, number: int) -> None:
        """A secret is opened only once the end of the commitments is confirmed."""
        block = self._chain.blocks[head.hash]
        confirmed = self._chain.at(head.number - self._setting.plan.confirmations, block)
        state = self.states[confirmed.header.hash] if confirmed else TaskState()
        if (state.number, state.phase) != (number, OPENINGS[function]):
            raise Violation(
                f"{machine.name} opens a secret of round {number} too early: confirmed is "
                f"{state.phase.name} of round {state.number}"
            )

    def _is_the_same(
        self, machine: Machine, safe: TaskState, function: str, args: tuple[Any, ...]
    ) -> None:
        """On the same evidence nobody signs two different things."""
        number = args[1]
        evidence = evidence_digest(safe)
        if function == "attest":
            evidence += repr(sorted(safe.round.score_reveals.items())).encode()
            evidence += repr(self._readable(machine, safe)).encode()
        if function == "commit":
            evidence = safe.versions[safe.round.parent].model
        said = self._signed.setdefault((machine.name, function, number), {})
        words = repr(args).encode()
        if said.setdefault(evidence, words) != words:
            raise Violation(f"{machine.name} signs two different {function} in round {number}")

    @staticmethod
    def _readable(machine: Machine, state: TaskState) -> list[str]:
        here = state.round
        blocks = machine.store.blocks
        found = [a for a, r in here.reveals.items() if _here(blocks, r.update)]
        found += [a for a, digest in here.score_reveals.items() if _here(blocks, digest)]
        return sorted(found)

    # The end

    def at_end(self) -> None:
        """Everybody has the same models, and what the last record promises is paid."""
        state = self.state
        for version in state.versions.values():
            found = {
                bytes(load_model(one.reads, version, self._setting.spec)["parameters"])
                for one in self._machines.values()
                if one.honest
            }
            if len(found) != 1:
                raise Violation(f"{len(found)} different models of version {version.version}")
        settled = [r.settled for r in state.rounds.values() if r.settled]
        if not settled:
            return
        record = balances_of(self._machines["sponsor"].reads, settled[-1].record)
        for account, amount in record.payouts.items():
            if state.claimed.get(account, 0) != amount:
                name = self._setting.accounts[account]
                raise Violation(f"{name} was promised {amount}, got {state.claimed.get(account)}")

    def unpunished(self) -> list[str]:
        """Whose strikes stand in the last record and not on the chain yet."""
        state = self.state
        settled = [r.settled for r in state.rounds.values() if r.settled]
        record = self._anywhere(settled[-1].record) if settled else None
        if record is None:
            return []
        return [
            self._setting.accounts[account]
            for account, strikes in record_balances(decode_record(record)).strikes.items()
            if state.members[account].strikes != min(strikes, STRIKES_MAX)
        ]


def _here(blocks: Iterable[Any], digest: Digest) -> bool:
    return any(digest_of(cid) == digest for cid in blocks)


def read_call(made: Transaction) -> tuple[str, tuple[Any, ...]]:
    """The function of Training that a transaction calls, and with what."""
    found = _functions().get(made.data[:4])
    if found is None:
        raise Violation(f"a node calls what Training does not have: {made.data[:4].hex()}")
    return found.name, decode([abi_type(p) for p in found.inputs], made.data[4:])


@cache
def _functions() -> dict[bytes, Signature]:
    every = artifact("Training").functions.values()
    return {keccak(one.text.encode())[:4]: one for one in every}
