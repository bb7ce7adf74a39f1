// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract ReturnBondTest is MarketTest {
    function test_there_must_be_such_a_claim() external {
        _expectUint(IMarket.MarketUnknownClaim.selector, 0);
        market.returnBond(0);
    }

    function test_the_bond_is_held_until_the_market_ends() external {
        _playToClaims();
        uint256 id = _claimAll();
        _pass(2 days + 1);
        _expectUint(IMarket.MarketBondHeld.selector, id);
        market.returnBond(id);
    }

    function test_a_refuted_claims_bond_is_lost() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 0, 0, 1);
        uint256 id = _claim(points);
        market.challengeStart(id, _proof(0, 15, points, 0));
        _expectUint(IMarket.MarketClaimRefuted.selector, id);
        market.returnBond(id);
    }

    function test_a_bond_is_returned_once() external {
        _playToSettled();
        market.returnBond(0);
        _expectUint(IMarket.MarketBondHeld.selector, 0);
        market.returnBond(0);
    }

    function test_claims_that_were_not_needed_get_theirs_too() external {
        _playToClaims();
        uint256 half = _claim(_points(15));
        uint256 id = _claimAll();
        _pass(2 days + 1);
        market.accept(id);
        vm.expectEmit(address(market));
        emit IMarket.BondReturned(half, BOND);
        vm.prank(MALLORY);
        market.returnBond(half);
        market.returnBond(id);
        _assertBalance(CLARA, 2 * BOND);
    }

    function test_incomplete_claims_about_a_forfeited_market_get_theirs() external {
        _playToClaims();
        uint256 half = _claim(_points(15));
        _pass(7 days + 1);
        market.forfeit();
        market.returnBond(half);
        _assertBalance(CLARA, BOND);
    }

    function test_the_bond_of_an_earlier_market_stays_available() external {
        _playToSettled();
        market.collect(_afterStage2(), 4);
        _learnAll();
        _create();
        market.returnBond(0);
        _assertBalance(CLARA, BOND);
    }
}
