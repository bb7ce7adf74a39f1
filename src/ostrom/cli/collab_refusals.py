"""A refusal of the coupled mode's contracts as one line that says what to do.

Pure: the chain's pace and what a command was about are arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ostrom.chain.tasks import Pace
from ostrom.cli.amounts import Coin
from ostrom.cli.explain import span
from ostrom.errors import ContractError

Given: TypeAlias = Mapping[str, Any]


def name_of(error: ContractError) -> str:
    """The Solidity error's name; empty if there is none.

    >>> name_of(ContractError("the contract refused: ModelNotAscending()"))
    'ModelNotAscending'
    """
    found = re.match(r"the contract refused: (\w+)\(", str(error))
    return found[1] if found else ""


def explain(error: ContractError, verb: str, *, coin: Coin, pace: Pace) -> str:
    """One line for what refused a command's `verb`; without a better one, what the error says.

    >>> error = ContractError("the contract refused: HandlerTooEarly(open_at=99)", {"open_at": 99})
    >>> explain(error, "refund", coin=Coin(), pace=Pace(9, 63, 12.0))
    'refund opens in 3 blocks (36 s)'
    """
    name, given = name_of(error), error.arguments
    if name in _TIMED:
        return _TIMED[name](given, verb, pace)
    if name in _PLAIN:
        return _PLAIN[name](given, coin)
    return str(error)


def opens(verb: str, at: int, pace: Pace) -> str:
    """When something opens that is open from a time in Unix seconds on.

    >>> opens("report", 10, Pace(1, 10, None)), opens("report", 7_210, Pace(1, 10, None))
    ('report is open', 'report opens in 2 h 0 min')
    """
    wait = at - pace.time
    return f"{verb} is open" if wait <= 0 else f"{verb} opens in {span(wait, pace)}"


def phase_name(phase: int) -> str:
    """A market's phase as people read it.

    >>> phase_name(3)
    'participation'
    """
    from ostrom.onchain.market_contract import MarketPhase

    return MarketPhase(phase).name.lower()


def _wrong_phase(given: Given, verb: str, pace: Pace) -> str:
    wanted, actual = (phase_name(given[key]) for key in ("wanted", "actual"))
    return f"{verb} belongs to the {wanted} phase; the market is in the {actual} phase"


_TIMED: Mapping[str, Callable[[Given, str, Pace], str]] = {
    "HandlerTooEarly": lambda given, verb, pace: opens(verb, given["open_at"], pace),
    "MarketTooEarly": lambda given, verb, pace: opens(verb, given["when"], pace),
    "MarketTooLate": lambda given, verb, pace: f"{verb} is closed: its time ended",
    "MarketWrongPhase": _wrong_phase,
}

_PLAIN: Mapping[str, Callable[[Given, Coin], str]] = {
    "HandlerNoContribution": lambda given, coin: (
        "nothing is left of that contribution: it was refunded, validated, reported or cleared"
    ),
    "DepositTooLow": lambda given, coin: (
        f"the deposit is {coin.text(given['deposit'])} now, since somebody contributed: "
        "see ostrom collab status, and add again"
    ),
    "DepositModelDisagrees": lambda given, coin: (
        "the model gives that data another label, its own influence taken out: ask again when it "
        "has learnt more"
    ),
    "DepositModelAgrees": lambda given, coin: (
        "the model gives that data its label: only data that it disagrees with can be reported"
    ),
    "DepositOwnContribution": lambda given, coin: "nobody reports own data: refund it, or wait",
    "DepositNotValidated": lambda given, coin: (
        f"{given['account']} has no refunded contribution, and only who has one may report"
    ),
    "DepositAlreadyReported": lambda given, coin: (
        f"an account reports in the order of nonces, each once: from {given['next']} on, "
        f"{given['nonce']} is behind it"
    ),
    "PointsModelDisagrees": lambda given, coin: (
        "the model gives that data another label, its own influence taken out: it earns nothing now"
    ),
    "PointsModelAgrees": lambda given, coin: (
        "the model gives that data its label: validate it instead"
    ),
    "PointsOwnContribution": lambda given, coin: "nobody reports own data",
    "PointsNotValidated": lambda given, coin: (
        f"{given['account']} has no validated contribution, and only who has one may report"
    ),
    "VersionsUnknown": lambda given, coin: (
        f"there is no version {given['index']}: see ostrom collab status"
    ),
    "VersionsNotDeployer": lambda given, coin: (
        "only the deployer rolls back alone: ostrom collab vote asks the contributors"
    ),
    "VersionsNoVote": lambda given, coin: (
        f"{given['account']} has no validated contribution, so no vote"
    ),
    "ModelUnknownLabel": lambda given, coin: f"the model has no label {given['label']}",
    "ModelUnknownFeature": lambda given, coin: f"the model has no feature {given['feature']}",
    "ModelNoUpdates": lambda given, coin: "this model takes data, no updates of its weights",
    "ModelFull": lambda given, coin: "the model can count no further: it learns no more of that",
    "MarketNotProvider": lambda given, coin: "only the provider, who deployed the market, can",
    "MarketNotOver": lambda given, coin: (
        f"the last market is in the {phase_name(given['phase'])} phase, and something "
        "is left to do: see ostrom collab market collect"
    ),
    "MarketStakeTooLow": lambda given, coin: (
        f"the least stake is {coin.text(given['least'])}, not {coin.text(given['value'])}"
    ),
    "MarketContributionTooLong": lambda given, coin: (
        f"a contribution has {given['most']:,} bytes at most, not {given['length']:,}"
    ),
    "MarketWrongBond": lambda given, coin: f"the bond is {coin.text(given['bond'])}",
    "MarketClaimsPending": lambda given, coin: (
        f"claims stand that nobody refuted ({given['claims']}): ostrom collab market settle"
    ),
    "MarketBadParameter": lambda given, coin: (
        f"{given['name'].rstrip(bytes(1)).decode('ascii', 'replace')} is out of the market's range"
    ),
}
