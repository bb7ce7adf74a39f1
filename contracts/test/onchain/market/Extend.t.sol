// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, MarketPhase} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract ExtendTest is MarketTest {
    function test_there_must_be_such_a_claim() external {
        _playToClaims();
        bytes memory points = _points(11);
        _expectUint(IMarket.MarketUnknownClaim.selector, 0);
        _extend(0, _afterStage0(), points);
    }

    function test_only_the_claimant_may() external {
        _playToClaims();
        uint256 id = _claim(_points(15));
        bytes memory points = _points(11);
        _expect(abi.encodeWithSelector(IMarket.MarketNotClaimant.selector, id, MALLORY));
        vm.prank(MALLORY);
        market.extend(id, _afterStage0(), points);
    }

    function test_a_complete_claim_has_no_more_stages() external {
        _playToClaims();
        uint256 id = _claimAll();
        bytes memory points = _points(3);
        _expectUint(IMarket.MarketClaimComplete.selector, id);
        _extend(id, _afterStage2(), points);
    }

    function test_a_refuted_claim_has_no_more_stages() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 0, 0, 1);
        uint256 id = _claim(points);
        market.challengeStart(id, _proof(0, 15, points, 0));
        points = _points(11);
        _expectUint(IMarket.MarketClaimRefuted.selector, id);
        _extend(id, _afterStage0(), points);
    }

    function test_the_balances_are_those_that_the_stage_before_left() external {
        _playToClaims();
        uint256 id = _claim(_points(15));
        bytes memory points = _points(11);
        _expectUint(IMarket.MarketWrongBalances.selector, id);
        _extend(id, _balances(10, 121, 1, 81), points);
    }

    function test_claims_have_a_deadline() external {
        _playToClaims();
        uint256 id = _claim(_points(15));
        bytes memory points = _points(11);
        uint256 deadline = market.market().deadline;
        _pass(7 days + 1);
        _expectUint(IMarket.MarketTooLate.selector, deadline);
        _extend(id, _afterStage0(), points);
    }

    function test_a_claim_about_an_ended_market_is_not_extended() external {
        _playToClaims();
        uint256 half = _claim(_points(15));
        bytes memory points = _points(11);
        uint256 id = _claimAll();
        _pass(2 days + 1);
        market.accept(id);
        _expectPhase(MarketPhase.Claim, MarketPhase.Settled);
        _extend(half, _afterStage0(), points);
    }

    function test_the_next_stage_starts_from_what_the_last_one_left() external {
        _playToClaims();
        uint256 id = _claim(_points(15));
        bytes memory points = _points(11);
        vm.expectEmit(address(market));
        emit IMarket.StageClaimed(id, 1, 11, 40, _afterStage1(), points);
        _extend(id, _afterStage0(), points);
        vm.assertEq(market.claimOf(id).stages, 2);
        bytes32 stage = keccak256(abi.encode(uint256(11), keccak256(points)));
        vm.assertEq(market.stageOf(id, 1), stage);
    }
}
