// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, MarketPhase, PointProof} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice What all challenges check, and the first kind: another start.
contract ChallengeStartTest is MarketTest {
    function _challenge(uint256 id, PointProof memory proof) private {
        vm.prank(WENDY);
        market.challengeStart(id, proof);
    }

    function test_there_must_be_such_a_claim() external {
        _playToClaims();
        PointProof memory proof = _proof(0, 15, _points(15), 0);
        _expectUint(IMarket.MarketUnknownClaim.selector, 0);
        _challenge(0, proof);
    }

    function test_there_must_be_such_a_stage() external {
        _playToClaims();
        bytes memory points = _points(15);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(1, 15, points, 0);
        _expectUints(IMarket.MarketUnknownStage.selector, id, 1);
        _challenge(id, proof);
        proof.stage = 0;
        proof.alive = 7;
        _expectUints(IMarket.MarketUnknownStage.selector, id, 0);
        _challenge(id, proof);
        proof.alive = 15;
        proof.points = _spoil(points, 0, 0, 1);
        _expectUints(IMarket.MarketUnknownStage.selector, id, 0);
        _challenge(id, proof);
    }

    function test_a_true_claim_holds() external {
        _playToClaims();
        uint256 id = _claimAll();
        PointProof memory proof = _proof(1, 11, _points(11), 0);
        _expectUint(IMarket.MarketClaimHolds.selector, id);
        _challenge(id, proof);
    }

    function test_a_claim_is_refuted_once() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 0, 0, 1);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(0, 15, points, 0);
        _challenge(id, proof);
        _expectUint(IMarket.MarketClaimRefuted.selector, id);
        _challenge(id, proof);
    }

    function test_what_settled_a_market_is_not_challenged_any_more() external {
        _playToSettled();
        PointProof memory proof = _proof(0, 15, _points(15), 0);
        _expectPhase(MarketPhase.Claim, MarketPhase.Settled);
        _challenge(0, proof);
    }

    function test_another_start_is_refuted_and_half_of_the_bond_is_the_challengers() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 0, 0, 1);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(0, 15, points, 0);
        vm.expectEmit(address(market));
        emit IMarket.ClaimRefuted(id, WENDY, 40);
        _challenge(id, proof);
        _assertBalance(WENDY, 40);
        _assertBalance(NOBODY, 41);
        vm.assertTrue(market.claimOf(id).refuted);
        vm.assertEq(market.claimOf(id).bond, 0);
    }

    /// @notice Every stage starts from the model as it is, not from where the last one ended.
    function test_another_start_of_a_later_stage_is_refuted() external {
        _playToClaims();
        uint256 id = _claim(_points(15));
        bytes memory points = _spoil(_points(11), 0, 0, 1);
        _extend(id, _afterStage0(), points);
        _challenge(id, _proof(1, 11, points, 0));
        _assertBalance(WENDY, 40);
    }

    /// @notice A liar who sees the challenge come gets half of the bond back at most.
    function test_a_liar_who_refutes_himself_loses_half() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 0, 0, 1);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(0, 15, points, 0);
        vm.prank(CLARA);
        market.challengeStart(id, proof);
        _assertBalance(CLARA, 40);
    }
}
