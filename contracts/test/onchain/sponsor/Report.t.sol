// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {ISponsor} from "../../../src/onchain/interfaces/ISponsor.sol";
import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {Given} from "../TrainerTest.sol";
import {SponsorTest} from "./SponsorTest.sol";

contract SponsorReportTest is SponsorTest {
    function _start() private returns (Given memory lie) {
        Given memory one = _sponsor(_sample(60, 61, 62), 0);
        vm.warp(block.timestamp + 1 days);
        _fetch(one);
        lie = _lie(MALLORY);
        vm.warp(block.timestamp + 1 days);
    }

    function test_a_trainer_that_is_not_enabled_is_refused() external {
        DepositRefundTake other = _deploy(0, 0, 0);
        Given memory lie = _start();
        ISponsor.Order memory order = _orderToReport(ALICE_KEY, lie);
        vm.expectRevert(abi.encodeWithSelector(ISponsor.SponsorNotTrainer.selector, address(other)));
        sponsor.report(other, _arguments(lie), order);
    }

    function test_a_newcomer_without_validated_data_is_refused() external {
        Given memory lie = _start();
        ISponsor.Order memory order = _orderToReport(0xbad, lie);
        vm.expectRevert(
            abi.encodeWithSelector(ISponsor.SponsorNotValidated.selector, vm.addr(0xbad))
        );
        sponsor.report(trainer, _arguments(lie), order);
    }

    function test_a_signature_is_for_one_contribution_and_counts_once() external {
        Given memory lie = _start();
        ISponsor.Order memory order = _orderToReport(ALICE_KEY, lie);
        Given memory other = Given(lie.features, lie.label, lie.time, lie.contributor, 9);
        vm.expectRevert(abi.encodeWithSelector(ISponsor.SponsorBadSignature.selector, ALICE));
        sponsor.report(trainer, _arguments(other), order);
        sponsor.report(trainer, _arguments(lie), order);
        vm.expectRevert(abi.encodeWithSelector(ISponsor.SponsorBadSignature.selector, ALICE));
        sponsor.report(trainer, _arguments(lie), order);
    }

    function test_sponsored_data_are_not_reported_by_the_sponsor() external {
        _start();
        vm.warp(block.timestamp + 1 hours);
        Given memory one = _sponsor(_sample(20, 21, 22), 1);
        vm.warp(block.timestamp + 1 days);
        ISponsor.Order memory order = _orderToReport(ALICE_KEY, one);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDepositRefundTake.DepositOwnContribution.selector, address(sponsor)
            )
        );
        sponsor.report(trainer, _arguments(one), order);
    }

    function test_the_reward_is_shared_and_can_be_withdrawn() external {
        Given memory lie = _start();
        uint256 reward = _claimable(lie);
        uint256 share = reward * 600 / 1_000;
        ISponsor.Order memory order = _orderToReport(ALICE_KEY, lie);
        vm.expectEmit(address(sponsor));
        emit ISponsor.Shared(ALICE, share, reward - share);
        vm.expectEmit(address(sponsor));
        emit ISponsor.Repaid(BOB, 0);
        vm.prank(BOB);
        sponsor.report(trainer, _arguments(lie), order);
        vm.assertEq(sponsor.balanceOf(ALICE), share);
        vm.assertEq(sponsor.pool(), POOL + reward - share);
        vm.prank(ALICE);
        sponsor.withdraw();
        vm.assertEq(ALICE.balance, share);
        vm.assertEq(address(sponsor).balance, sponsor.pool());
    }
}
