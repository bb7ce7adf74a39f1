// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {ISponsor} from "../../../src/onchain/interfaces/ISponsor.sol";
import {Given} from "../TrainerTest.sol";
import {SponsorTest} from "./SponsorTest.sol";

contract SponsorAddTest is SponsorTest {
    bytes private _features = _sample(1, 2, 3);

    function test_a_trainer_that_is_not_enabled_is_refused() external {
        DepositRefundTake other = _deploy(0, 0, 0);
        ISponsor.Order memory order = _orderToAdd(ALICE_KEY, _features, 0);
        vm.expectRevert(abi.encodeWithSelector(ISponsor.SponsorNotTrainer.selector, address(other)));
        sponsor.add(other, _features, 0, order);
    }

    function test_a_signature_past_its_deadline_is_refused() external {
        ISponsor.Order memory order = _orderToAdd(ALICE_KEY, _features, 0);
        vm.warp(order.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(ISponsor.SponsorExpired.selector, order.deadline));
        sponsor.add(trainer, _features, 0, order);
    }

    function _expectBadSignature(address newcomer) private {
        vm.expectRevert(abi.encodeWithSelector(ISponsor.SponsorBadSignature.selector, newcomer));
    }

    function test_other_data_another_signer_and_garbage_are_refused() external {
        ISponsor.Order memory order = _orderToAdd(ALICE_KEY, _features, 0);
        _expectBadSignature(ALICE);
        sponsor.add(trainer, _features, 1, order);
        _expectBadSignature(ALICE);
        sponsor.add(trainer, _sample(1, 2, 4), 0, order);
        order.newcomer = MALLORY;
        _expectBadSignature(MALLORY);
        sponsor.add(trainer, _features, 0, order);
        (order.newcomer, order.r, order.vs) = (address(0), 0, 0);
        _expectBadSignature(address(0));
        sponsor.add(trainer, _features, 0, order);
    }

    function test_a_signature_counts_once() external {
        ISponsor.Order memory order = _orderToAdd(ALICE_KEY, _features, 0);
        sponsor.add(trainer, _features, 0, order);
        _expectBadSignature(ALICE);
        sponsor.add(trainer, _features, 0, order);
    }

    function test_who_has_no_budget_is_refused() external {
        ISponsor.Order memory order = _orderToAdd(0xbad, _features, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ISponsor.SponsorBudgetTooLow.selector, vm.addr(0xbad), BASE, 0)
        );
        sponsor.add(trainer, _features, 0, order);
    }

    function test_an_empty_pool_pays_nothing() external {
        vm.prank(OWNER);
        sponsor.defund(POOL);
        ISponsor.Order memory order = _orderToAdd(ALICE_KEY, _features, 0);
        vm.expectRevert(abi.encodeWithSelector(ISponsor.SponsorPoolTooLow.selector, BASE, 0));
        sponsor.add(trainer, _features, 0, order);
    }

    function test_the_pool_pays_the_deposit_and_the_newcomer_s_budget_shrinks() external {
        vm.expectEmit(address(sponsor));
        emit ISponsor.Sponsored(trainer, 0, ALICE, BASE, BOB, 0);
        Given memory one = _sponsor(_features, 1);
        vm.assertEq(_claimable(one), BASE);
        vm.assertEq(model.predict(_features), 1);
        vm.assertEq(sponsor.pool(), POOL - BASE);
        vm.assertEq(_budget(), BUDGET - BASE);
        (address newcomer, uint256 deposit) = sponsor.sponsored(trainer, one.nonce);
        vm.assertEq(newcomer, ALICE);
        vm.assertEq(deposit, BASE);
        vm.assertEq(sponsor.newcomerOf(ALICE).nonce, 1);
        vm.assertEq(ALICE.balance, 0);
    }
}
