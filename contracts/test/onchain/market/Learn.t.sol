// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, Item, MarketPhase} from "../../../src/onchain/interfaces/IMarket.sol";
import {Claims} from "../../../src/onchain/libraries/Claims.sol";
import {MarketTest} from "./MarketTest.sol";

contract LearnTest is MarketTest {
    function _items(Item memory one) private pure returns (Item[] memory items) {
        items = new Item[](1);
        items[0] = one;
    }

    function test_the_market_must_be_settled() external {
        _playToClaims();
        _expectPhase(MarketPhase.Settled, MarketPhase.Claim);
        market.learn(_items(_item(0)));
    }

    function test_contributions_are_learnt_in_their_order() external {
        _playToSettled();
        _expectUint(IMarket.MarketWrongContribution.selector, 0);
        market.learn(_items(_item(1)));
    }

    function test_those_who_left_are_not_learnt() external {
        _playToSettled();
        _learnAll();
        _expect(abi.encodeWithSelector(IMarket.MarketAllLearnt.selector));
        market.learn(_items(_item(3)));
    }

    function test_anyone_may_page_through() external {
        _playToSettled();
        bytes memory learnt = _stateAt(3, 1);
        vm.expectEmit(address(market));
        emit IMarket.ContributionLearnt(1, 0, false);
        vm.prank(WENDY);
        market.learn(_items(_item(0)));
        vm.assertEq(model.state(), learnt, "alice's");
        vm.assertEq(market.market().learnt, 1);
        market.learn(_items(_item(1)));
        vm.assertEq(market.market().learnt, 2);
    }

    function _settleOne(Item memory item) private {
        _open();
        _add(MALLORY, 1, item);
        _pass(7 days + 1);
        _revealRest();
        bytes memory points =
            bytes.concat(_point(model.state()), _point(_learns(model.state(), item)));
        uint256 id = _claim(points);
        _pass(2 days + 1);
        market.accept(id);
    }

    function test_a_refused_contribution_is_passed_over() external {
        Item memory item = Item(1, hex"0009");
        _settleOne(item);
        bytes memory state = model.state();
        vm.expectEmit(address(market));
        emit IMarket.ContributionLearnt(1, 0, true);
        market.learn(_items(item));
        vm.assertEq(model.state(), state, "the model changed");
        market.collect(_one(1), 1);
        _create();
    }

    function test_too_little_gas_passes_nothing_over() external {
        _settleOne(_item(0));
        bool isStarved;
        for (uint256 gas_ = 40_000; gas_ < 100_000 && !isStarved; gas_ += 500) {
            try market.learn{gas: gas_}(_items(_item(0))) {
                vm.assertEq(model.predict(hex"0000"), 1);
                break;
            } catch (bytes memory reason) {
                isStarved = bytes4(reason) == Claims.ClaimsOutOfGas.selector;
            }
        }
        vm.assertTrue(isStarved, "the model never ran out of gas");
    }

    function _one(uint256 balance) private pure returns (uint256[] memory balances) {
        balances = new uint256[](1);
        balances[0] = balance;
    }
}
