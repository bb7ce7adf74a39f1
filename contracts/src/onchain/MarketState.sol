// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Accounts} from "./Accounts.sol";
import {
    ClaimState,
    IMarket,
    MarketPhase,
    MarketState as State,
    MarketTerms
} from "./interfaces/IMarket.sol";
import {IModel} from "./interfaces/IModel.sol";
import {IReplay} from "./interfaces/IReplay.sol";

/// @title MarketState
/// @notice What Market stores, and how its phases move.
abstract contract MarketState is IMarket, Accounts {
    /// @notice One bit of a word for each party.
    uint256 public constant CONTRIBUTIONS_MAX = 256;
    /// @notice Four words of a point; with 256 contributions a stage has 41 kB, see IMarket's limits.
    uint256 public constant SAMPLES_MAX = 1024;
    /// @notice One bit of `revealed` for each piece.
    uint256 public constant PIECES_MAX = 64;
    /// @notice What is left of a transaction's 128 KiB beside a state and a stage.
    uint256 public constant PIECE_BYTES_MAX = 16_384;
    /// @notice As for a piece: either is a part of a challenge.
    uint256 public constant CONTRIBUTION_BYTES_MAX = 16_384;
    /// @notice Half of a transaction's 128 KiB.
    uint256 public constant STATE_BYTES_MAX = 65_536;
    /// @notice Within the 256 blocks whose hashes a contract knows, and not yet known at creation.
    uint256 public constant DRAW_BLOCKS = 2;

    uint256 internal constant BIT_WORD = 256;

    /// @dev One word.
    struct Clock {
        MarketPhase phase;
        uint8 first;
        uint8 pieces;
        uint40 deadline;
        uint64 revealed;
        uint16 contributions;
        uint16 parties;
        uint16 collected;
        uint16 learnt;
        uint16 samples;
        uint8 classes;
    }

    /// @dev One word.
    struct Money {
        uint96 bounty;
        uint96 stakes;
        uint32 pending;
    }

    /// @dev One word: the hash is cut.
    struct Piece {
        bytes30 digest;
        uint16 count;
    }

    /// @dev One word.
    struct Party {
        address account;
        uint96 stake;
    }

    struct Market {
        Clock clock;
        Money money;
        MarketTerms terms;
        bytes32 startHash;
        bytes32 firstSalt;
        uint256 accepted;
        mapping(uint256 piece => Piece) pieces;
        mapping(uint256 party => Party) parties;
        mapping(uint256 number => bytes32 digest) contributions;
        // Of grouped markets only:
        uint8[256] partyOfContribution;
        mapping(address account => uint256 partyPlus1) partyOfAccount;
    }

    struct Claim {
        address claimant;
        uint96 bond;
        uint40 market;
        uint40 windowEnd;
        uint16 stages;
        bool complete;
        bool refuted;
        uint96 rounds;
        uint96 rest;
        uint256 alive;
        bytes32 balancesHash;
        mapping(uint256 stage => bytes32 digest) stageHashes;
    }

    address internal immutable PROVIDER;
    IModel internal immutable MODEL;

    /// @dev 0 before the first.
    uint256 internal _number;
    mapping(uint256 number => Market) internal _markets;
    Claim[] internal _claims;

    constructor(IModel model_) {
        if (address(model_).code.length == 0) revert MarketBadParameter("model");
        (PROVIDER, MODEL) = (msg.sender, model_);
    }

    /// @inheritdoc IMarket
    function model() external view returns (IModel) {
        return MODEL;
    }

    /// @inheritdoc IMarket
    function provider() external view returns (address) {
        return PROVIDER;
    }

    /// @inheritdoc IMarket
    function market() external view returns (State memory state) {
        Market storage market_ = _markets[_number];
        (Clock memory clock, Money memory money) = (_now(market_), market_.money);
        state.number = _number;
        (state.phase, state.deadline) = (clock.phase, clock.deadline);
        (state.first, state.revealed, state.samples) = (clock.first, clock.revealed, clock.samples);
        (state.contributions, state.parties) = (clock.contributions, clock.parties);
        (state.collected, state.learnt) = (clock.collected, clock.learnt);
        (state.pending, state.bounty) = (money.pending, money.bounty);
        (state.stakes, state.accepted) = (money.stakes, market_.accepted);
        state.startHash = market_.startHash;
    }

    /// @inheritdoc IMarket
    function terms() external view returns (MarketTerms memory) {
        return _markets[_number].terms;
    }

    /// @inheritdoc IMarket
    function pieceOf(uint256 piece) external view returns (bytes30 digest, uint256 count) {
        Piece storage piece_ = _markets[_number].pieces[piece];
        return (piece_.digest, piece_.count);
    }

    /// @inheritdoc IMarket
    function partyOf(uint256 party) external view returns (address account, uint256 stake) {
        Party storage party_ = _markets[_number].parties[party];
        return (party_.account, party_.stake);
    }

    /// @inheritdoc IMarket
    function contributionOf(uint256 number) external view returns (bytes32 digest, uint256 party) {
        Market storage market_ = _markets[_number];
        return (market_.contributions[number], _partyOf(market_, number));
    }

    /// @inheritdoc IMarket
    function claimCount() external view returns (uint256) {
        return _claims.length;
    }

    /// @inheritdoc IMarket
    function claimOf(uint256 id) external view returns (ClaimState memory state) {
        Claim storage claim_ = _claims[id];
        (state.market, state.claimant, state.bond) = (claim_.market, claim_.claimant, claim_.bond);
        (state.complete, state.refuted) = (claim_.complete, claim_.refuted);
        (state.windowEnd, state.stages) = (claim_.windowEnd, claim_.stages);
        (state.alive, state.rounds, state.rest) = (claim_.alive, claim_.rounds, claim_.rest);
        state.balancesHash = claim_.balancesHash;
    }

    /// @inheritdoc IMarket
    function stageOf(uint256 id, uint256 stage) external view returns (bytes32) {
        return _claims[id].stageHashes[stage];
    }

    /// @dev The clock as it is now: Participation that time has ended is Reveal, if somebody took part.
    function _now(Market storage market_) internal view returns (Clock memory clock) {
        clock = market_.clock;
        if (clock.phase != MarketPhase.Participation || block.timestamp <= clock.deadline) {
            return clock;
        }
        if (clock.contributions == 0) return clock;
        clock.phase = MarketPhase.Reveal;
        clock.deadline += market_.terms.revealSeconds;
    }

    function _save(Market storage market_, Clock memory clock) internal {
        market_.clock = clock;
    }

    /// @dev As `_now`, for what belongs to one phase.
    function _enter(MarketPhase phase)
        internal
        view
        returns (Market storage market_, Clock memory clock)
    {
        market_ = _markets[_number];
        clock = _now(market_);
        if (clock.phase != phase) revert MarketWrongPhase(phase, clock.phase);
    }

    /// @dev Starts a phase; who calls this stores the clock.
    function _start(Clock memory clock, MarketPhase phase, uint256 deadline) internal {
        (clock.phase, clock.deadline) = (phase, uint40(deadline));
        emit MarketPhaseStarted(_number, phase, deadline);
    }

    function _partyOf(Market storage market_, uint256 number) internal view returns (uint256) {
        return market_.terms.grouped ? market_.partyOfContribution[number] : number;
    }

    /// @dev The contributions of the parties that are in, in the order of a stage: by party, then by
    /// number. A step is `party << 16 | number`.
    function _steps(Market storage market_, Clock memory clock, uint256 alive)
        internal
        view
        returns (uint256[] memory steps)
    {
        (uint256 count, uint256 parties) = (clock.contributions, clock.parties);
        uint256[] memory unsorted = new uint256[](count);
        uint256[] memory next = new uint256[](parties + 1);
        bool grouped = market_.terms.grouped;
        for (uint256 number; number < count; ++number) {
            uint256 party = grouped ? market_.partyOfContribution[number] : number;
            unsorted[number] = (party << 16) | number;
            if ((alive >> party) & 1 == 1) ++next[party + 1];
        }
        for (uint256 party; party < parties; ++party) {
            next[party + 1] += next[party];
        }
        steps = new uint256[](next[parties]);
        for (uint256 number; number < count; ++number) {
            uint256 party = unsorted[number] >> 16;
            if ((alive >> party) & 1 == 1) steps[next[party]++] = unsorted[number];
        }
    }

    /// @dev The model, as what repeats steps.
    function _replay() internal view returns (IReplay) {
        return IReplay(address(MODEL));
    }
}
