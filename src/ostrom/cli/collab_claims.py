"""`ostrom collab market claim`, `challenge`, `settle` and `collect`: what came out of a market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostrom.cli.collab_market_state import market_log, market_session, market_state, tell_phase
from ostrom.cli.collab_session import FILE_DEFAULT, CollabPath, Session
from ostrom.cli.connection import RPC_DEFAULT, KeyPath, Rpc
from ostrom.cli.console import AsJson, clean_exit
from ostrom.cli.passphrase import PassphraseFile
from ostrom.errors import InputError

if TYPE_CHECKING:
    from ostrom.cli.collab_market_log import MarketLog
    from ostrom.onchain.claims import Fault, Stage
    from ostrom.onchain.market_contract import ClaimState, MarketState

PARTIES_A_PAGE = 100
LEARNT_A_PAGE = 20


def claim(
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Compute what came out of the market and post it with a bond; goes on where it stopped."""
    with clean_exit():
        from ostrom.onchain.claims import make_claim

        session = market_session(rpc, collab, key, passphrase_file)
        _need_claim_phase(session)
        stages, settlement = make_claim(
            session.reference, _start(session), market_log(session).rule
        )
        number = _posted(session, stages)
        if number is None:
            bond = session.market.terms(session.ledger).bond
            number = session.market.claim_count(session.ledger)
            session.send(session.market.claim(stages[0], bond=bond), "a claim")
        done = session.market.claim_of(session.ledger, number).stages
        for stage, position in list(zip(stages, settlement.positions))[done:]:
            call = session.market.extend(number, position.balances, stage=stage)
            session.send(call, "a claim's stage")
        found = session.market.claim_of(session.ledger, number)
        said = f"claim {number} is complete; {_window(session, found)}"
        session.tell(as_json, said, claim=number, stages=found.stages, window_end=found.window_end)


def challenge(
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Repeat every claim that stands, and refute each false one by its first fault."""
    with clean_exit():
        from ostrom.onchain.claims import find_fault

        session = market_session(rpc, collab, key, passphrase_file)
        _need_claim_phase(session)
        log, start, refuted = market_log(session), _start(session), []
        for number, posted in log.claims.items():
            if posted.refuted:
                continue
            for at, stage in enumerate(posted.stages):
                fault = find_fault(session.reference, start, log.rule, stage)
                if fault is not None:
                    _refute(session, log, number, (at, stage), fault)
                    refuted.append(number)
                    break
        named = ", ".join(map(str, refuted))
        said = (
            f"refuted: {named}" if refuted else f"checked {len(log.claims)}: no false claim stands"
        )
        session.tell(as_json, said, refuted=refuted)


def settle(
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Accept a claim whose window has passed unrefuted."""
    with clean_exit():
        from ostrom.onchain.market_contract import MarketPhase

        session = market_session(rpc, collab, key, passphrase_file)
        state = market_state(session)
        if state.phase != MarketPhase.SETTLED:
            if state.phase != MarketPhase.CLAIM:
                _need_claim_phase(session)
            session.send(session.market.accept(_ripe(session)), "settling")
        tell_phase(session, as_json)


def collect(
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Credit all parties, have the model learn what is in, and return bonds; then: withdraw."""
    with clean_exit():
        from ostrom.onchain.market_contract import MarketPhase

        session = market_session(rpc, collab, key, passphrase_file)
        state, log = market_state(session), market_log(session)
        is_settled = state.phase == MarketPhase.SETTLED
        if not is_settled and state.phase != MarketPhase.FORFEITED:
            raise InputError("the market is not over: see ostrom collab status")
        balances = log.claims[state.accepted].balances if is_settled else ()
        while state.collected < state.parties:
            call = session.market.collect(balances, most=PARTIES_A_PAGE)
            session.send(call, "collecting")
            state = market_state(session)
        if is_settled:
            _learn(session, log, state)
        _return_bonds(session, log)
        tell_phase(session, as_json)


def _start(session: Session) -> Any:
    """The model as it was when participation began; it does not learn before the end.

    Raises:
        InputError: it grew since then.
    """
    from ostrom.codec import keccak

    words = session.model.state(session.ledger)
    if keccak(words) != market_state(session).start_hash:
        raise InputError(
            "the model is not as it was when participation began: its deployer let it grow"
        )
    return session.reference.load(words)


def _need_claim_phase(session: Session) -> None:
    from ostrom.cli.collab_refusals import phase_name
    from ostrom.onchain.market_contract import MarketPhase

    phase = market_state(session).phase
    if phase != MarketPhase.CLAIM:
        raise InputError(f"claims stand in the claim phase; the market is in {phase_name(phase)}")


def _posted(session: Session, stages: tuple[Stage, ...]) -> int | None:
    """A claim that stands and says the same, and is complete or the account's own."""
    for number, posted in market_log(session).claims.items():
        is_same = tuple(posted.stages) == stages[: len(posted.stages)]
        is_ours = posted.claimant == session.account or len(posted.stages) == len(stages)
        if is_same and is_ours and not posted.refuted:
            return number
    return None


def _window(session: Session, found: ClaimState) -> str:
    from ostrom.cli.explain import span

    wait = found.window_end - session.ledger.now()
    return f"it can be settled in {span(max(wait + 1, 0), session.pace)}"


def _ripe(session: Session) -> int:
    """A claim whose window has passed.

    Raises:
        InputError: there is none yet, with how far it is.
    """
    found = {
        number: session.market.claim_of(session.ledger, number)
        for number in market_log(session).claims
    }
    stands = {number: one for number, one in found.items() if one.complete and not one.refuted}
    if not stands:
        raise InputError("no claim stands: ostrom collab market claim makes one")
    number = min(stands, key=lambda each: stands[each].window_end)
    if session.ledger.now() <= stands[number].window_end:
        raise InputError(f"claim {number} stands; {_window(session, stands[number])}")
    return number


def _refute(
    session: Session, log: MarketLog, number: int, stage: tuple[int, Stage], fault: Fault
) -> None:
    from ostrom.onchain.claims import place_in_pieces

    proof: Any = None
    if fault.kind == "step":
        proof = log.staked[log.rule.order(stage[1].alive)[fault.point][1]].sample
    if fault.kind == "sample":
        assert log.first is not None, "what is claimed was drawn"
        piece, index = place_in_pieces(log.all_pieces, log.first, fault.sample)
        proof = (piece, log.all_pieces[piece], index)
    session.send(session.market.challenge(number, fault, stage=stage, proof=proof), "a challenge")


def _learn(session: Session, log: MarketLog, state: MarketState) -> None:
    """Have the model learn the contributions of those still in, in pages."""
    bits = session.market.claim_of(session.ledger, state.accepted).alive
    alive = frozenset(party for party in range(bits.bit_length()) if bits >> party & 1)
    order = [log.staked[number].sample for _, number in log.rule.order(alive)]
    for at in range(state.learnt, len(order), LEARNT_A_PAGE):
        session.send(session.market.learn(order[at : at + LEARNT_A_PAGE]), "learning")


def _return_bonds(session: Session, log: MarketLog) -> None:
    for number, posted in log.claims.items():
        bond = session.market.claim_of(session.ledger, number).bond
        if bond and not posted.refuted:
            session.send(session.market.return_bond(number), "returning a bond")
