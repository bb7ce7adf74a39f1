// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {ISponsor} from "../../../src/onchain/interfaces/ISponsor.sol";
import {Given} from "../TrainerTest.sol";
import {SponsorTest} from "./SponsorTest.sol";

contract SponsorRefundTest is SponsorTest {
    function test_what_was_not_sponsored_cannot_be_fetched() external {
        Given memory one = _add(CAROL, _sample(1, 2, 3), 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISponsor.SponsorNotSponsored.selector, trainer, one.nonce)
        );
        _fetch(one);
    }

    function test_the_trainer_s_refusal_is_passed_on() external {
        Given memory one = _sponsor(_sample(1, 2, 3), 0);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, one.time + 1 days)
        );
        _fetch(one);
    }

    function test_the_deposit_comes_back_to_pool_and_budget_once() external {
        Given memory one = _sponsor(_sample(1, 2, 3), 0);
        vm.warp(block.timestamp + 1 days);
        vm.expectEmit(address(sponsor));
        emit ISponsor.Returned(trainer, one.nonce, BASE);
        _fetch(one);
        vm.assertEq(sponsor.pool(), POOL);
        vm.assertEq(_budget(), BUDGET);
        vm.assertEq(sponsor.newcomerOf(ALICE).validated, 1);
        vm.assertEq(trainer.validatedOf(address(sponsor)), 1);
        vm.assertEq(address(sponsor).balance, POOL);
        vm.expectRevert(
            abi.encodeWithSelector(ISponsor.SponsorNotSponsored.selector, trainer, one.nonce)
        );
        _fetch(one);
    }

    function test_a_lost_deposit_stays_lost_to_the_budget() external {
        _validate(CAROL, 1);
        vm.warp(block.timestamp + 1 hours);
        uint256 price = trainer.deposit();
        Given memory one = _sponsor(_sample(1, 2, 3), 1);
        vm.warp(block.timestamp + 1 days);
        _report(CAROL, one);
        vm.assertEq(_budget(), BUDGET - price);
        vm.assertEq(sponsor.pool(), POOL - price);
    }
}
