// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {MarketState} from "./MarketState.sol";
import {IMarket, Item, MarketPhase, PointProof, SampleProof} from "./interfaces/IMarket.sol";
import {Claims} from "./libraries/Claims.sol";
import {MarketRule, Position} from "./libraries/MarketRule.sol";
import {Samples} from "./libraries/Samples.sol";

/// @title MarketClaims
/// @notice What came out of a market: claims, challenges, acceptance.
abstract contract MarketClaims is MarketState {
    using MarketRule for Position;
    using SafeCast for uint256;

    // Posting

    /// @inheritdoc IMarket
    function claim(bytes calldata points) external payable returns (uint256 id) {
        (Market storage market_, Clock memory clock) = _enterClaiming();
        if (msg.value != market_.terms.bond) {
            revert MarketWrongBond(market_.terms.bond, msg.value);
        }
        id = _claims.length;
        Claim storage claim_ = _claims.push();
        (claim_.claimant, claim_.bond) = (msg.sender, uint96(msg.value));
        claim_.market = uint40(_number);
        emit ClaimOpened(id, _number, msg.sender);
        uint256 bounty = market_.money.bounty;
        claim_.rest = uint96(bounty);
        Position memory position;
        position.alive = type(uint256).max >> (CONTRIBUTIONS_MAX - clock.parties);
        position.rounds = bounty / clock.samples;
        position.balances = new uint256[](clock.parties);
        for (uint256 p; p < clock.parties; ++p) {
            position.balances[p] = market_.parties[p].stake;
        }
        _post(id, market_, clock, position, points);
    }

    /// @inheritdoc IMarket
    function extend(uint256 id, uint256[] calldata balances, bytes calldata points) external {
        (Market storage market_, Clock memory clock) = _enterClaiming();
        Claim storage claim_ = _current(id);
        if (claim_.complete) revert MarketClaimComplete(id);
        if (msg.sender != claim_.claimant) revert MarketNotClaimant(id, msg.sender);
        _requireBalances(id, claim_, balances);
        _post(id, market_, clock, Position(claim_.alive, claim_.rounds, balances), points);
    }

    // Challenges

    /// @inheritdoc IMarket
    function challengeStart(uint256 id, PointProof calldata proof) external {
        (Market storage market_, Clock memory clock) = _challenge(id, proof);
        if (_stateAt(clock, proof.points, 0) == market_.startHash) revert MarketClaimHolds(id);
        _refute(id, market_);
    }

    /// @inheritdoc IMarket
    function challengeStep(uint256 id, PointProof calldata proof, Item calldata item) external {
        (Market storage market_, Clock memory clock) = _challenge(id, proof);
        _requireState(clock, proof);
        uint256[] memory steps = _steps(market_, clock, proof.alive);
        if (proof.point >= steps.length) revert MarketUnknownPoint(proof.point);
        _requireContribution(market_, uint16(steps[proof.point]), item);
        bytes32 next = Claims.stateAfter(_replay(), proof.state, item.x, item.label);
        if (_stateAt(clock, proof.points, proof.point + 1) == next) revert MarketClaimHolds(id);
        _refute(id, market_);
    }

    /// @inheritdoc IMarket
    function challengeSample(uint256 id, PointProof calldata proof, SampleProof calldata sample)
        external
    {
        (Market storage market_, Clock memory clock) = _challenge(id, proof);
        _requireState(clock, proof);
        uint256 place = _placeOf(market_, clock, sample);
        (uint256 label, bytes calldata x) = Samples.at(sample.samples, sample.index);
        bool isWrong = Claims.prediction(_replay(), proof.state, x) != label;
        if (isWrong == _bitAt(clock, proof, place)) revert MarketClaimHolds(id);
        _refute(id, market_);
    }

    // Afterwards

    /// @inheritdoc IMarket
    function accept(uint256 id) external {
        (Market storage market_, Clock memory clock) = _enter(MarketPhase.Claim);
        Claim storage claim_ = _current(id);
        if (!claim_.complete) revert MarketClaimNotComplete(id);
        if (block.timestamp <= claim_.windowEnd) revert MarketTooEarly(claim_.windowEnd);
        market_.accepted = id;
        emit ClaimAccepted(id, _number, claim_.rest);
        _start(clock, MarketPhase.Settled, 0);
        _save(market_, clock);
        _credit(PROVIDER, claim_.rest);
    }

    /// @inheritdoc IMarket
    function returnBond(uint256 id) external {
        if (id >= _claims.length) revert MarketUnknownClaim(id);
        Claim storage claim_ = _claims[id];
        if (claim_.refuted) revert MarketClaimRefuted(id);
        bool isOver = _markets[claim_.market].clock.phase > MarketPhase.Claim;
        uint256 bond = claim_.bond;
        if (!isOver || bond == 0) revert MarketBondHeld(id);
        claim_.bond = 0;
        emit BondReturned(id, bond);
        _credit(claim_.claimant, bond);
    }

    // Inside

    function _enterClaiming() private view returns (Market storage market_, Clock memory clock) {
        (market_, clock) = _enter(MarketPhase.Claim);
        if (block.timestamp > clock.deadline) revert MarketTooLate(clock.deadline);
    }

    /// @dev A claim about the market that is going on which is not refuted.
    function _current(uint256 id) private view returns (Claim storage claim_) {
        if (id >= _claims.length || _claims[id].market != _number) revert MarketUnknownClaim(id);
        claim_ = _claims[id];
        if (claim_.refuted) revert MarketClaimRefuted(id);
    }

    function _requireBalances(uint256 id, Claim storage claim_, uint256[] calldata balances)
        internal
        view
    {
        if (keccak256(abi.encode(balances)) != claim_.balancesHash) revert MarketWrongBalances(id);
    }

    function _requirePiece(
        Market storage market_,
        uint256 piece,
        bytes32 salt,
        bytes calldata samples
    ) internal view {
        if (bytes30(keccak256(abi.encodePacked(salt, samples))) != market_.pieces[piece].digest) {
            revert MarketWrongPiece(piece);
        }
    }

    function _requireContribution(Market storage market_, uint256 number, Item calldata item)
        internal
        view
    {
        if (market_.contributions[number] != keccak256(abi.encode(keccak256(item.x), item.label))) {
            revert MarketWrongContribution(number);
        }
    }

    /// @dev The next stage: counts its errors, plays its rounds.
    function _post(
        uint256 id,
        Market storage market_,
        Clock memory clock,
        Position memory position,
        bytes calldata points
    ) private {
        Claim storage claim_ = _claims[id];
        uint256 alive = position.alive;
        (int256[] memory scores, int256 gain) =
            _scores(clock, points, _steps(market_, clock, alive));
        uint256 played = position.play(scores);
        uint256 stage = claim_.stages;
        claim_.stages = uint16(stage + 1);
        claim_.stageHashes[stage] = keccak256(abi.encode(alive, keccak256(points)));
        claim_.balancesHash = keccak256(abi.encode(position.balances));
        (claim_.alive, claim_.rounds) = (position.alive, uint96(position.rounds));
        int256 rest = int256(uint256(claim_.rest)) - gain * int256(played);
        claim_.rest = uint256(rest).toUint96();
        emit StageClaimed(id, stage, alive, played, position.balances, points);
        if (position.rounds != 0 && position.alive != 0) return;
        claim_.complete = true;
        claim_.windowEnd = uint40(block.timestamp + market_.terms.challengeSeconds);
        ++market_.money.pending;
        emit ClaimCompleted(id, claim_.windowEnd);
    }

    /// @dev What a round pays every party, and all of them together.
    function _scores(Clock memory clock, bytes calldata points, uint256[] memory steps)
        private
        pure
        returns (int256[] memory scores, int256 gain)
    {
        uint256 width = _width(clock);
        uint256 length = (steps.length + 1) * width;
        if (points.length != length) revert MarketWrongLength(length, points.length);
        scores = new int256[](clock.parties);
        int256 start = _errors(clock, points[:width]);
        int256 before = start;
        for (uint256 i; i < steps.length; ++i) {
            int256 errors = _errors(clock, points[(i + 1) * width:(i + 2) * width]);
            scores[steps[i] >> 16] += before - errors;
            before = errors;
        }
        gain = start - before;
    }

    /// @dev The wrong samples of a point. Bits of samples that do not exist must be 0.
    function _errors(Clock memory clock, bytes calldata point) private pure returns (int256) {
        uint256 count;
        uint256 word;
        for (uint256 at = 32; at < point.length; at += 32) {
            word = uint256(bytes32(point[at:at + 32]));
            count += Claims.popCount(word);
        }
        uint256 used = clock.samples % BIT_WORD;
        if (used != 0 && word >> used != 0) revert MarketUnknownSample(clock.samples);
        return int256(count);
    }

    function _width(Clock memory clock) private pure returns (uint256) {
        return 32 * (1 + (uint256(clock.samples) + BIT_WORD - 1) / BIT_WORD);
    }

    function _challenge(uint256 id, PointProof calldata proof)
        private
        view
        returns (Market storage market_, Clock memory clock)
    {
        (market_, clock) = _enter(MarketPhase.Claim);
        bytes32 digest = keccak256(abi.encode(proof.alive, keccak256(proof.points)));
        if (_current(id).stageHashes[proof.stage] != digest) {
            revert MarketUnknownStage(id, proof.stage);
        }
    }

    function _stateAt(Clock memory clock, bytes calldata points, uint256 point)
        private
        pure
        returns (bytes32)
    {
        uint256 width = _width(clock);
        if (point >= points.length / width) revert MarketUnknownPoint(point);
        return bytes32(points[point * width:]);
    }

    function _bitAt(Clock memory clock, PointProof calldata proof, uint256 place)
        private
        pure
        returns (bool)
    {
        uint256 at = proof.point * _width(clock) + 32 * (1 + place / BIT_WORD);
        return (uint256(bytes32(proof.points[at:])) >> (place % BIT_WORD)) & 1 == 1;
    }

    function _requireState(Clock memory clock, PointProof calldata proof) private pure {
        bytes32 expected = _stateAt(clock, proof.points, proof.point);
        bytes32 actual = keccak256(proof.state);
        if (actual != expected) revert MarketWrongState(expected, actual);
    }

    /// @dev The place of a proved sample among those that count.
    function _placeOf(Market storage market_, Clock memory clock, SampleProof calldata sample)
        private
        view
        returns (uint256 place)
    {
        (uint256 piece, uint256 first) = (sample.piece, clock.first);
        if (piece >= clock.pieces || piece == first) revert MarketUnknownPiece(piece);
        _requirePiece(market_, piece, sample.salt, sample.samples);
        for (uint256 p; p < piece; ++p) {
            if (p != first) place += market_.pieces[p].count;
        }
        place += sample.index;
    }

    function _refute(uint256 id, Market storage market_) private {
        Claim storage claim_ = _claims[id];
        uint256 bond = claim_.bond;
        (claim_.refuted, claim_.bond) = (true, 0);
        if (claim_.complete) --market_.money.pending;
        uint256 share = Claims.challengerShare(bond);
        emit ClaimRefuted(id, msg.sender, share);
        _credit(msg.sender, share);
        _credit(Claims.NOBODY, bond - share);
    }
}
