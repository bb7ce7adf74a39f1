// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, MarketPhase} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract AcceptTest is MarketTest {
    function test_there_must_be_claims() external {
        _open();
        _expectPhase(MarketPhase.Claim, MarketPhase.Participation);
        market.accept(0);
    }

    function test_there_must_be_such_a_claim() external {
        _playToClaims();
        _expectUint(IMarket.MarketUnknownClaim.selector, 0);
        market.accept(0);
    }

    function test_an_incomplete_claim_is_not_accepted() external {
        _playToClaims();
        uint256 id = _claim(_points(15));
        _pass(3 days);
        _expectUint(IMarket.MarketClaimNotComplete.selector, id);
        market.accept(id);
    }

    function test_the_window_must_pass() external {
        _playToClaims();
        uint256 id = _claimAll();
        uint256 end = market.claimOf(id).windowEnd;
        _pass(2 days);
        _expectUint(IMarket.MarketTooEarly.selector, end);
        market.accept(id);
    }

    function test_a_refuted_claim_is_not_accepted() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 0, 0, 1);
        uint256 id = _claim(points);
        market.challengeStart(id, _proof(0, 15, points, 0));
        _expectUint(IMarket.MarketClaimRefuted.selector, id);
        market.accept(id);
    }

    function test_one_claim_settles() external {
        _playToClaims();
        uint256 id = _claimAll();
        uint256 same = _claimAll();
        _pass(2 days + 1);
        market.accept(same);
        _expectPhase(MarketPhase.Claim, MarketPhase.Settled);
        market.accept(id);
    }

    function test_a_claim_about_an_earlier_market_is_none_about_this() external {
        _playToSettled();
        market.collect(_afterStage2(), 4);
        _learnAll();
        _playToClaims();
        _expectUint(IMarket.MarketUnknownClaim.selector, 0);
        market.accept(0);
    }

    function test_the_provider_gets_the_rest_of_the_bounty() external {
        _playToClaims();
        uint256 id = _claimAll();
        _pass(2 days + 1);
        vm.expectEmit(address(market));
        emit IMarket.ClaimAccepted(id, 1, 537);
        vm.expectEmit(address(market));
        emit IMarket.MarketPhaseStarted(1, MarketPhase.Settled, 0);
        market.accept(id);
        _assertBalance(PROVIDER, 537);
        vm.assertEq(market.market().accepted, id);
    }

    /// @notice A false claim beside it delays a true one by nothing.
    function test_a_true_claim_does_not_wait_for_a_false_one() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 0, 0, 1);
        vm.prank(MALLORY);
        uint256 liar = market.claim{value: BOND}(points);
        uint256 id = _claimAll();
        _pass(2 days + 1);
        market.accept(id);
        vm.assertFalse(market.claimOf(liar).refuted);
    }

    /// @notice After the claims' time a complete one still has its whole window.
    function test_a_claim_of_the_last_second_has_its_window() external {
        _playToClaims();
        _pass(7 days);
        uint256 id = _claimAll();
        _pass(1);
        _expectUint(IMarket.MarketClaimsPending.selector, 1);
        market.forfeit();
        _pass(2 days);
        market.accept(id);
    }
}
