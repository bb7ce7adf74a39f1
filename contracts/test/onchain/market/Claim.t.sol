// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {
    ClaimState,
    IMarket,
    MarketPhase,
    MarketTerms
} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract ClaimTest is MarketTest {
    function test_the_test_set_must_be_revealed() external {
        _open();
        _addAll();
        bytes memory points = _points(15);
        _expectPhase(MarketPhase.Claim, MarketPhase.Participation);
        _claim(points);
        _pass(7 days + 1);
        _expectPhase(MarketPhase.Claim, MarketPhase.Reveal);
        _claim(points);
    }

    function test_claims_have_a_deadline() external {
        _playToClaims();
        bytes memory points = _points(15);
        uint256 deadline = market.market().deadline;
        _pass(7 days + 1);
        _expectUint(IMarket.MarketTooLate.selector, deadline);
        _claim(points);
    }

    function test_the_bond_is_exact() external {
        _playToClaims();
        bytes memory points = _points(15);
        _expectUints(IMarket.MarketWrongBond.selector, BOND, BOND - 1);
        market.claim{value: BOND - 1}(points);
        _expectUints(IMarket.MarketWrongBond.selector, BOND, BOND + 1);
        market.claim{value: BOND + 1}(points);
    }

    function test_a_stage_has_a_point_for_each_contribution_and_one_more() external {
        _playToClaims();
        bytes memory points = bytes.concat(_points(15), hex"00");
        _expectUints(IMarket.MarketWrongLength.selector, 320, 321);
        _claim(points);
        points = _points(11);
        _expectUints(IMarket.MarketWrongLength.selector, 320, 256);
        _claim(points);
    }

    function test_there_are_no_other_samples() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 2, 1, 1 << 8);
        _expectUint(IMarket.MarketUnknownSample.selector, 8);
        _claim(points);
    }

    function test_the_contract_counts_and_plays_itself() external {
        _playToClaims();
        bytes memory points = _points(15);
        vm.expectEmit(address(market));
        emit IMarket.ClaimOpened(0, 1, CLARA);
        vm.expectEmit(address(market));
        emit IMarket.StageClaimed(0, 0, 15, 25, _afterStage0(), points);
        vm.assertEq(_claim(points), 0);
        ClaimState memory claim = market.claimOf(0);
        vm.assertEq(claim.market, 1);
        vm.assertEq(claim.claimant, CLARA);
        vm.assertEq(claim.bond, BOND);
        vm.assertEq(claim.stages, 1);
        vm.assertFalse(claim.complete);
        vm.assertFalse(claim.refuted);
        bytes32 stage = keccak256(abi.encode(uint256(15), keccak256(points)));
        vm.assertEq(market.stageOf(0, 0), stage);
        vm.assertEq(market.market().pending, 0);
        vm.assertEq(market.claimCount(), 1);
    }

    function test_a_market_without_losers_needs_one_stage() external {
        _open();
        _add(ALICE, 10, _item(0));
        _add(BOB, 20, _item(1));
        _pass(7 days + 1);
        _revealRest();
        bytes memory points = _points(3);
        vm.expectEmit(address(market));
        emit IMarket.ClaimCompleted(0, _time() + 2 days);
        _claim(points);
        ClaimState memory claim = market.claimOf(0);
        vm.assertTrue(claim.complete);
        vm.assertEq(claim.rest, 407);
        vm.assertEq(claim.windowEnd, _time() + 2 days);
        vm.assertEq(market.market().pending, 1);
    }

    /// @notice Bob pays 4 a round and has 4; alice cannot pay even one.
    function test_a_market_that_everybody_leaves_is_complete() external {
        _open();
        _add(MALLORY, 1, _item(0));
        _add(MALLORY, 1, _item(2));
        _pass(7 days + 1);
        _revealRest();
        // Both learnt or not, four samples are wrong; a lie about the last point sends both home.
        bytes memory state = model.state();
        bytes32 hash = keccak256(state);
        _claim(abi.encodePacked(hash, uint256(0), hash, uint256(15), hash, uint256(255)));
        ClaimState memory claim = market.claimOf(0);
        vm.assertTrue(claim.complete);
        vm.assertEq(claim.alive, 0);
        vm.assertEq(claim.rounds, 100);
        vm.assertEq(claim.rest, BOUNTY);
        vm.assertEq(claim.stages, 1);
    }

    /// @notice Alice's two contributions are one party: what the first gains the second may lose.
    function test_the_contributions_of_a_party_stand_in_a_row() external {
        MarketTerms memory terms;
        terms.grouped = true;
        _open(terms);
        _add(ALICE, 10, _item(0));
        _add(BOB, 20, _item(1));
        _add(ALICE, 5, _item(2));
        _pass(7 days + 1);
        _revealRest();
        bytes[4] memory states;
        states[0] = model.state();
        states[1] = _learns(states[0], _item(0));
        states[2] = _learns(states[1], _item(2));
        states[3] = _learns(states[2], _item(1));
        bytes memory points;
        for (uint256 i; i < 4; ++i) {
            points = bytes.concat(points, _point(states[i]));
        }
        uint256[] memory balances = new uint256[](2);
        (balances[0], balances[1]) = (15, 20);
        vm.expectEmit(address(market));
        emit IMarket.ClaimOpened(0, 1, CLARA);
        vm.expectEmit(address(market));
        emit IMarket.StageClaimed(0, 0, 3, 100, balances, points);
        _claim(points);
    }
}
