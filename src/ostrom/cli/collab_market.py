"""`ostrom collab market`: a prediction market for contributions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostrom.cli.collab_claims import challenge, claim, collect, settle
from ostrom.cli.collab_market_state import market_log, market_session, market_state, tell_phase
from ostrom.cli.collab_session import (
    COIN,
    FILE_DEFAULT,
    CollabPath,
    Data,
    Label,
    Place,
    Session,
    encode,
    encoder_of,
    label_of,
)
from ostrom.cli.connection import RPC_DEFAULT, KeyPath, Rpc
from ostrom.cli.console import AsJson, clean_exit
from ostrom.cli.passphrase import PassphraseFile
from ostrom.errors import InputError

if TYPE_CHECKING:
    from ostrom.onchain.claims import Piece
    from ostrom.onchain.market_contract import MarketState

SECRET_DEFAULT = Path("market-secret.json")

TestSet = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATA",
        help="The test set: passages, digits or breast_cancer, or a file of labelled lines.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="What cuts named data into parts.")]
Samples = Annotated[
    int | None,
    typer.Option("--samples", metavar="N", min=2, help="Use the first N.", show_default="all"),
]
Pieces = Annotated[
    int, typer.Option("--pieces", metavar="N", min=2, max=64, help="One of so many is shown first.")
]
Bounty = Annotated[str, typer.Option("--bounty", metavar="AMOUNT", help="What good data earn.")]
Lasts = Annotated[
    int,
    typer.Option(
        "--participation", metavar="SECONDS", min=0, help="How long data are taken; 0: 7 days."
    ),
]
RevealTime = Annotated[
    int,
    typer.Option(
        "--reveal-time", metavar="SECONDS", min=0, help="How long a reveal may take; 0: 2 days."
    ),
]
ClaimTime = Annotated[
    int,
    typer.Option("--claim-time", metavar="SECONDS", min=0, help="How long to claim; 0: 7 days."),
]
ChallengeTime = Annotated[
    int,
    typer.Option(
        "--challenge-time",
        metavar="SECONDS",
        min=0,
        help="How long a claim can be challenged; 0: 2 days.",
    ),
]
Most = Annotated[
    int,
    typer.Option(
        "--most", metavar="N", min=0, max=256, help="It ends with so many contributions; 0: 256."
    ),
]
Grouped = Annotated[
    bool, typer.Option("--grouped", help="All contributions of an account count as one.")
]
LeastStake = Annotated[
    str, typer.Option("--stake-min", metavar="AMOUNT", help="The least stake; 0: a wei.")
]
Bond = Annotated[
    str,
    typer.Option("--bond", metavar="AMOUNT", help="A claim's bond; 0: a tenth of the bounty."),
]
Secret = Annotated[
    Path, typer.Option("--secret", metavar="FILE", help="Keeps the test set until its reveal.")
]
Stake = Annotated[
    str | None,
    typer.Option(
        "--stake",
        metavar="AMOUNT",
        help="What is at stake on the data.",
        show_default="the least",
    ),
]

market_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@market_app.callback()
def market() -> None:
    """Stake on data, and be paid for what they improve on a test set that was fixed before."""


def open_market(
    data: TestSet,
    bounty: Bounty,
    key: KeyPath,
    seed: Seed = 1,
    samples: Samples = None,
    pieces: Pieces = 10,
    participation: Lasts = 0,
    reveal_time: RevealTime = 0,
    claim_time: ClaimTime = 0,
    challenge_time: ChallengeTime = 0,
    most: Most = 0,
    grouped: Grouped = False,
    stake_min: LeastStake = "0",
    bond: Bond = "0",
    secret: Secret = SECRET_DEFAULT,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    store: Place = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Escrow a bounty and commit to a test set. Keep --secret: without it the bounty is lost."""
    with clean_exit():
        from ostrom.onchain.market_contract import MarketTerms

        session = market_session(rpc, collab, key, passphrase_file)
        terms = MarketTerms(
            participation_seconds=participation,
            reveal_seconds=reveal_time,
            claim_seconds=claim_time,
            challenge_seconds=challenge_time,
            contributions_max=most,
            grouped=grouped,
            stake_min=COIN.units(stake_min),
            bond=COIN.units(bond),
        )
        kept = _kept(session, secret) or _cut(
            session, secret, collab, store, data, seed, samples, pieces
        )
        amount = COIN.units(bounty)
        if market_log(session).digests != tuple(piece.digest for piece in kept):
            session.send(session.market.create(kept, terms, bounty=amount), "opening a market")
        state = session.market.market(session.ledger)
        said = f"market {state.number} has a bounty of {COIN.text(state.bounty)}; keep {secret}"
        session.tell(
            as_json, said, market=state.number, bounty=str(state.bounty), secret=str(secret)
        )


def reveal(
    key: KeyPath,
    secret: Secret = SECRET_DEFAULT,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish what is due: the piece that was drawn, and after participation all others."""
    with clean_exit():
        from ostrom.cli.collab_market_log import read_secret
        from ostrom.onchain.market_contract import MarketPhase

        session = market_session(rpc, collab, key, passphrase_file)
        kept = read_secret(secret)
        if market_log(session).digests != tuple(piece.digest for piece in kept):
            raise InputError(f"{secret} is not the test set of this market")
        if market_state(session).phase == MarketPhase.DRAW:
            _draw(session)
        state = market_state(session)
        if state.phase == MarketPhase.SHOW:
            session.send(session.market.reveal(state.first, kept[state.first]), "the first piece")
        elif state.phase == MarketPhase.REVEAL:
            for number, piece in enumerate(kept):
                if not state.revealed >> number & 1:
                    session.send(session.market.reveal(number, piece), "a reveal")
        elif state.phase == MarketPhase.PARTICIPATION:
            _say_when(session, state, "the rest is revealed when participation ends")
        tell_phase(session, as_json)


def stake(
    data: Data,
    key: KeyPath,
    label: Label = None,
    stake: Stake = None,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    store: Place = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Stake on data. The model learns them at the end, if they are still in."""
    with clean_exit():
        from ostrom.onchain.data import Sample

        session = market_session(rpc, collab, key, passphrase_file)
        x = encode(encoder_of(session.collab.encoder, store, collab), data)
        sample = Sample(x, label_of(label, session))
        least = session.market.terms(session.ledger).stake_min
        amount = least if stake is None else COIN.units(stake)
        before = session.model.predict(session.ledger, x)
        session.send(session.market.add(sample, amount), "participation")
        number = len(market_log(session).staked) - 1
        said = f"contribution {number}, label {sample.label}, stake {COIN.text(amount)}"
        said += f"; the model says {before}"
        session.tell(as_json, said, number=number, stake=str(amount), predicted=before)


def end(
    key: KeyPath,
    rpc: Rpc = RPC_DEFAULT,
    collab: CollabPath = FILE_DEFAULT,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """End a market that does not go on: nobody takes part, reveals or claims in time."""
    with clean_exit():
        from ostrom.onchain.market_contract import MarketPhase

        session = market_session(rpc, collab, key, passphrase_file)
        state = market_state(session)
        if state.phase in (MarketPhase.REVEAL, MarketPhase.CLAIM):
            session.send(session.market.forfeit(), "forfeit")
        elif state.phase < MarketPhase.SETTLED:
            session.send(session.market.cancel(), "cancelling")
        tell_phase(session, as_json)


def _kept(session: Session, secret: Path) -> tuple[Piece, ...] | None:
    """A test set that was kept and not yet used, or is this market's.

    Raises:
        InputError: it is another market's.
    """
    from ostrom.cli.collab_market_log import read_secret, used_digests
    from ostrom.onchain.market_contract import MarketPhase

    if not secret.exists():
        return None
    kept = read_secret(secret)
    digests = tuple(piece.digest for piece in kept)
    is_over = market_state(session).phase >= MarketPhase.SETTLED
    is_current = digests == market_log(session).digests and not is_over
    if set(digests) & set(used_digests(session.log)) and not is_current:
        raise InputError(f"{secret} is the test set of an earlier market: give another --secret")
    return kept


def _cut(
    session: Session,
    secret: Path,
    collab: Path,
    store: str | None,
    data: str,
    seed: int,
    samples: int | None,
    pieces: int,
) -> tuple[Piece, ...]:
    """A test set in pieces, which is kept before anything is sent."""
    from ostrom.cli.collab_market_log import cut, write_secret
    from ostrom.cli.collab_start import samples_of

    by = encoder_of(session.collab.encoder, store, collab)
    made = cut(samples_of(data, by, seed=seed)[:samples], pieces)
    write_secret(secret, made)
    return made


def _draw(session: Session) -> None:
    state = market_state(session)
    head = session.ledger.block_number
    # The block after the head must come after the one whose hash is drawn from.
    if head < state.deadline:
        raise InputError(
            f"the first piece is drawn after block {state.deadline}, and this is {head}: try again"
        )
    session.send(session.market.draw(), "the draw")


def _say_when(session: Session, state: MarketState, what: str) -> None:
    from ostrom.cli.explain import span

    wait = state.deadline - session.pace.time
    if wait >= 0:
        raise InputError(f"{what}, in {span(wait + 1, session.pace)} at the latest")


for name, command, summary in (
    ("open", open_market, "Escrow a bounty for a test set."),
    ("reveal", reveal, "Publish what is due of the test set."),
    ("stake", stake, "Stake on data."),
    ("end", end, "End a market that does not go on."),
    ("claim", claim, "Post what came out."),
    ("challenge", challenge, "Refute false claims."),
    ("settle", settle, "Accept a claim after its window."),
    ("collect", collect, "Credit everybody, and learn."),
):
    market_app.command(name, short_help=summary)(command)
