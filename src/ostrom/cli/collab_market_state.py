"""What the commands of a market share: the market as it stands, and a last line that says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ostrom.cli.collab_file import Incentive
from ostrom.cli.collab_session import Session, open_session

if TYPE_CHECKING:
    from ostrom.cli.collab_market_log import MarketLog
    from ostrom.onchain.market_contract import MarketState


def market_session(rpc: str, collab: Path, key: Path, passphrase_file: Path | None) -> Session:
    session = open_session(rpc, collab, key, passphrase_file)
    session.need(Incentive.MARKET)
    return session


def market_log(session: Session) -> MarketLog:
    """The market as it is in the head block."""
    from ostrom.cli.collab_market_log import read_log

    return read_log(session.ledger.events(session.collab.block, session.ledger.block_number))


def market_state(session: Session) -> MarketState:
    return session.market.market(session.ledger)


def tell_phase(session: Session, as_json: bool) -> None:
    """Where the market is now."""
    from ostrom.cli.collab_refusals import phase_name

    state = market_state(session)
    said = f"market {state.number} is in the {phase_name(state.phase)} phase"
    session.tell(as_json, said, market=state.number, phase=phase_name(state.phase))
