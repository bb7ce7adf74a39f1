// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {MarketClaims} from "./MarketClaims.sol";
import {MarketState} from "./MarketState.sol";
import {IMarket, Item, MarketPhase, MarketTerms} from "./interfaces/IMarket.sol";
import {IModel} from "./interfaces/IModel.sol";
import {Claims} from "./libraries/Claims.sol";
import {Samples} from "./libraries/Samples.sol";

/// @title Market
/// @notice A prediction market for contributions to a model; see IMarket.
contract Market is MarketClaims {
    using SafeCast for uint256;

    /// @notice Less would leave nobody time to act; more would hold stakes for ever.
    uint256 public constant SECONDS_MIN = 1 hours;
    uint256 public constant SECONDS_MAX = 365 days;

    uint32 private constant PARTICIPATION_SECONDS = 7 days;
    uint32 private constant REVEAL_SECONDS = 2 days;
    uint32 private constant CLAIM_SECONDS = 7 days;
    uint32 private constant CHALLENGE_SECONDS = 2 days;
    uint256 private constant BOND_PART = 10;

    /// @param model_ A model that can repeat its steps (IReplay). Its deployer must bind it to this.
    constructor(IModel model_) MarketState(model_) {}

    // The provider

    /// @inheritdoc IMarket
    function create(
        bytes32[] calldata pieces,
        uint16[] calldata counts,
        MarketTerms calldata terms_
    ) external payable returns (uint256 number) {
        _requireProvider();
        _requireOver();
        if (MODEL.trainer() != address(this)) revert MarketBadParameter("model");
        if (pieces.length < 2 || pieces.length > PIECES_MAX) revert MarketBadParameter("pieces");
        if (counts.length != pieces.length) revert MarketBadParameter("counts");
        number = ++_number;
        Market storage market_ = _markets[number];
        uint256 samples;
        for (uint256 p; p < counts.length; ++p) {
            if (counts[p] == 0) revert MarketBadParameter("counts");
            samples += counts[p];
            market_.pieces[p] = Piece(bytes30(pieces[p]), counts[p]);
        }
        if (samples > SAMPLES_MAX) revert MarketBadParameter("counts");
        if (msg.value < samples) revert MarketBadParameter("bounty");
        (market_.money.bounty, market_.terms) = (msg.value.toUint96(), _complete(terms_));
        emit MarketCreated(number, msg.value, pieces, counts, market_.terms);
        Clock memory clock;
        (clock.pieces, clock.samples) = (uint8(pieces.length), uint16(samples));
        _start(clock, MarketPhase.Draw, block.number + DRAW_BLOCKS);
        _save(market_, clock);
    }

    /// @inheritdoc IMarket
    function draw() external {
        (Market storage market_, Clock memory clock) = _enter(MarketPhase.Draw);
        if (block.number <= clock.deadline) revert MarketTooEarly(clock.deadline);
        bytes32 entropy = blockhash(clock.deadline);
        if (entropy == 0) {
            _start(clock, MarketPhase.Draw, block.number + DRAW_BLOCKS);
        } else {
            clock.first = uint8(uint256(entropy) % clock.pieces);
            clock.samples -= market_.pieces[clock.first].count;
            emit FirstPieceDrawn(_number, clock.first);
            _start(clock, MarketPhase.Show, block.timestamp + market_.terms.revealSeconds);
        }
        _save(market_, clock);
    }

    /// @inheritdoc IMarket
    function reveal(uint256 piece, bytes32 salt, bytes calldata samples) external {
        _requireProvider();
        Market storage market_ = _markets[_number];
        Clock memory clock = _now(market_);
        bool isFirst = clock.phase == MarketPhase.Show;
        if (!isFirst && clock.phase != MarketPhase.Reveal) {
            revert MarketWrongPhase(MarketPhase.Reveal, clock.phase);
        }
        if (block.timestamp > clock.deadline) revert MarketTooLate(clock.deadline);
        if (piece >= clock.pieces) revert MarketUnknownPiece(piece);
        if (isFirst && piece != clock.first) revert MarketNotFirst(piece, clock.first);
        if ((clock.revealed >> piece) & 1 == 1) revert MarketAlreadyRevealed(piece);
        if (isFirst) _openModel(market_, clock);
        _requireSamples(market_, clock, piece, salt, samples);
        clock.revealed |= uint64(1) << uint64(piece);
        emit PieceRevealed(_number, piece, salt, samples);
        if (isFirst) {
            market_.firstSalt = salt;
            _start(
                clock,
                MarketPhase.Participation,
                block.timestamp + market_.terms.participationSeconds
            );
        } else if (clock.revealed == type(uint64).max >> (PIECES_MAX - clock.pieces)) {
            _start(clock, MarketPhase.Claim, block.timestamp + market_.terms.claimSeconds);
        }
        _save(market_, clock);
    }

    /// @inheritdoc IMarket
    function cancel() external {
        Market storage market_ = _markets[_number];
        Clock memory clock = _now(market_);
        MarketPhase phase = clock.phase;
        if (phase < MarketPhase.Draw || phase > MarketPhase.Participation) {
            revert MarketWrongPhase(MarketPhase.Participation, phase);
        }
        bool isOverdue = phase != MarketPhase.Draw && block.timestamp > clock.deadline;
        if (!isOverdue) {
            _requireProvider();
            if (phase == MarketPhase.Participation) revert MarketTooEarly(clock.deadline);
        }
        _start(clock, MarketPhase.Cancelled, 0);
        _save(market_, clock);
        _credit(PROVIDER, market_.money.bounty);
    }

    // Participants

    /// @inheritdoc IMarket
    function add(bytes calldata x, uint256 label) external payable returns (uint256 number) {
        (Market storage market_, Clock memory clock) = _enter(MarketPhase.Participation);
        if (block.timestamp > clock.deadline) revert MarketTooLate(clock.deadline);
        if (msg.value < market_.terms.stakeMin) {
            revert MarketStakeTooLow(market_.terms.stakeMin, msg.value);
        }
        if (x.length > CONTRIBUTION_BYTES_MAX) {
            revert MarketContributionTooLong(CONTRIBUTION_BYTES_MAX, x.length);
        }
        number = clock.contributions++;
        market_.contributions[number] = keccak256(abi.encode(keccak256(x), label));
        market_.money.stakes = (market_.money.stakes + msg.value).toUint96();
        uint256 party = _seat(market_, clock, number);
        emit ContributionQueued(_number, number, msg.sender, party, msg.value, label, x);
        if (clock.contributions == market_.terms.contributionsMax) {
            _start(clock, MarketPhase.Reveal, block.timestamp + market_.terms.revealSeconds);
        }
        _save(market_, clock);
    }

    // Ends

    /// @inheritdoc IMarket
    function forfeit() external {
        Market storage market_ = _markets[_number];
        Clock memory clock = _now(market_);
        if (clock.phase != MarketPhase.Reveal && clock.phase != MarketPhase.Claim) {
            revert MarketWrongPhase(MarketPhase.Claim, clock.phase);
        }
        if (block.timestamp <= clock.deadline) revert MarketTooEarly(clock.deadline);
        uint256 pending = market_.money.pending;
        if (pending != 0) revert MarketClaimsPending(pending);
        _start(clock, MarketPhase.Forfeited, 0);
        _save(market_, clock);
    }

    /// @inheritdoc IMarket
    function collect(uint256[] calldata balances, uint256 most) external {
        Market storage market_ = _markets[_number];
        Clock memory clock = _now(market_);
        bool isSettled = clock.phase == MarketPhase.Settled;
        if (!isSettled && clock.phase != MarketPhase.Forfeited) {
            revert MarketWrongPhase(MarketPhase.Settled, clock.phase);
        }
        if (clock.collected == clock.parties) revert MarketAllCollected();
        if (isSettled) _requireBalances(market_.accepted, _claims[market_.accepted], balances);
        for (; most != 0 && clock.collected < clock.parties; --most) {
            uint256 party = clock.collected++;
            address account = market_.parties[party].account;
            uint256 amount = isSettled ? balances[party] : _share(market_, party);
            emit Collected(_number, party, account, amount);
            _credit(account, amount);
        }
        _save(market_, clock);
    }

    /// @inheritdoc IMarket
    function learn(Item[] calldata items) external {
        (Market storage market_, Clock memory clock) = _enter(MarketPhase.Settled);
        uint256[] memory steps = _steps(market_, clock, _claims[market_.accepted].alive);
        uint256 done = clock.learnt;
        if (done + items.length > steps.length) revert MarketAllLearnt();
        clock.learnt = uint16(done + items.length);
        _save(market_, clock);
        for (uint256 i; i < items.length; ++i) {
            uint256 number = uint16(steps[done + i]);
            _requireContribution(market_, number, items[i]);
            bool refused;
            try MODEL.learn(items[i].x, items[i].label) {}
            catch (bytes memory reason) {
                Claims.mustHaveReason(reason);
                refused = true;
            }
            emit ContributionLearnt(_number, number, refused);
        }
    }

    // Inside

    function _requireProvider() private view {
        if (msg.sender != PROVIDER) revert MarketNotProvider(msg.sender);
    }

    /// @dev Nothing of the last market must be left to do.
    function _requireOver() private view {
        Market storage market_ = _markets[_number];
        Clock memory clock = _now(market_);
        bool isPaid = clock.collected == clock.parties;
        if (clock.phase == MarketPhase.None || clock.phase == MarketPhase.Cancelled) return;
        if (clock.phase == MarketPhase.Forfeited && isPaid) return;
        if (clock.phase == MarketPhase.Settled && isPaid) {
            uint256 alive = _claims[market_.accepted].alive;
            if (clock.learnt == _steps(market_, clock, alive).length) return;
        }
        revert MarketNotOver(clock.phase);
    }

    function _complete(MarketTerms calldata given)
        private
        view
        returns (MarketTerms memory terms_)
    {
        terms_ = given;
        terms_.participationSeconds = _duration(given.participationSeconds, PARTICIPATION_SECONDS);
        terms_.revealSeconds = _duration(given.revealSeconds, REVEAL_SECONDS);
        terms_.claimSeconds = _duration(given.claimSeconds, CLAIM_SECONDS);
        terms_.challengeSeconds = _duration(given.challengeSeconds, CHALLENGE_SECONDS);
        if (terms_.contributionsMax == 0) terms_.contributionsMax = uint16(CONTRIBUTIONS_MAX);
        if (terms_.contributionsMax > CONTRIBUTIONS_MAX) {
            revert MarketBadParameter("contributionsMax");
        }
        if (terms_.stakeMin == 0) terms_.stakeMin = 1;
        if (terms_.bond == 0) {
            terms_.bond = ((msg.value + BOND_PART - 1) / BOND_PART).toUint96();
        }
    }

    function _duration(uint32 given, uint32 otherwise) private pure returns (uint32) {
        if (given == 0) return otherwise;
        if (given < SECONDS_MIN || given > SECONDS_MAX) revert MarketBadParameter("seconds");
        return given;
    }

    /// @dev What participants bet on is the model as it is now. It does not learn before the end; if its
    /// deployer lets it grow meanwhile, claims are still about this state.
    function _openModel(Market storage market_, Clock memory clock) private {
        bytes memory state = MODEL.state();
        if (state.length > STATE_BYTES_MAX) revert MarketBadParameter("model");
        market_.startHash = keccak256(state);
        clock.classes = MODEL.classes().toUint8();
    }

    function _requireSamples(
        Market storage market_,
        Clock memory clock,
        uint256 piece,
        bytes32 salt,
        bytes calldata samples
    ) private view {
        if (salt == 0 || salt == market_.firstSalt) revert MarketUnsalted(piece);
        if (samples.length > PIECE_BYTES_MAX) revert MarketWrongPiece(piece);
        _requirePiece(market_, piece, salt, samples);
        uint256 count = Samples.count(samples, clock.classes);
        uint256 expected = market_.pieces[piece].count;
        if (count != expected) revert MarketWrongCount(piece, expected, count);
    }

    /// @dev The party that the caller's contribution belongs to.
    function _seat(Market storage market_, Clock memory clock, uint256 number)
        private
        returns (uint256 party)
    {
        bool grouped = market_.terms.grouped;
        uint256 known = grouped ? market_.partyOfAccount[msg.sender] : 0;
        if (known != 0) {
            party = known - 1;
            market_.parties[party].stake += uint96(msg.value);
        } else {
            party = clock.parties++;
            market_.parties[party] = Party(msg.sender, uint96(msg.value));
            if (grouped) market_.partyOfAccount[msg.sender] = party + 1;
        }
        if (grouped) market_.partyOfContribution[number] = uint8(party);
    }

    /// @dev A party's stake and its part of the bounty. The rest is divided anew for each party, so that
    /// the last takes what rounding left.
    function _share(Market storage market_, uint256 party) private returns (uint256 amount) {
        Money memory money = market_.money;
        uint256 stake = market_.parties[party].stake;
        uint256 part = uint256(money.bounty) * stake / money.stakes;
        (money.bounty, money.stakes) = (money.bounty - uint96(part), money.stakes - uint96(stake));
        market_.money = money;
        return stake + part;
    }
}
