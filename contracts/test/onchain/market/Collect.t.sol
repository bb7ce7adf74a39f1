// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, MarketPhase} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract CollectTest is MarketTest {
    function test_the_market_must_be_over() external {
        _playToClaims();
        _expectPhase(MarketPhase.Settled, MarketPhase.Claim);
        market.collect(_afterStage2(), 4);
    }

    function test_the_balances_are_those_of_the_accepted_claim() external {
        _playToSettled();
        _expectUint(IMarket.MarketWrongBalances.selector, 0);
        market.collect(_afterStage1(), 4);
        _expectUint(IMarket.MarketWrongBalances.selector, 0);
        market.collect(new uint256[](0), 4);
    }

    function test_everybody_is_paid_once() external {
        _playToSettled();
        market.collect(_afterStage2(), 100);
        _expect(abi.encodeWithSelector(IMarket.MarketAllCollected.selector));
        market.collect(_afterStage2(), 1);
    }

    function test_parties_are_paid_in_pages_by_anyone() external {
        _playToSettled();
        vm.expectEmit(address(market));
        emit IMarket.Collected(1, 0, ALICE, 10);
        vm.expectEmit(address(market));
        emit IMarket.Collected(1, 1, BOB, 420);
        vm.prank(WENDY);
        market.collect(_afterStage2(), 2);
        vm.assertEq(market.market().collected, 2);
        _assertBalance(BOB, 420);
        _assertBalance(CAROL, 0);
        market.collect(_afterStage2(), 2);
        _assertBalance(CAROL, 1);
        _assertBalance(MALLORY, 1);
    }
}
