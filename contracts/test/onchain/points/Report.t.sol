// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {IPoints} from "../../../src/onchain/interfaces/IPoints.sol";
import {Given} from "../TrainerTest.sol";
import {PointsTest} from "./PointsTest.sol";

contract PointsReportTest is PointsTest {
    function test_own_data_cannot_be_reported() external {
        _earn(MALLORY, _tokens(0));
        Given memory lie = _add(MALLORY, _tokens(0), 1);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IPoints.PointsOwnContribution.selector, MALLORY));
        _report(MALLORY, lie);
    }

    function test_a_reporter_without_validated_data_is_refused() external {
        Given memory lie = _add(MALLORY, _tokens(0), 1);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IPoints.PointsNotValidated.selector, ALICE));
        _report(ALICE, lie);
    }

    function test_data_that_the_model_agrees_with_cannot_be_reported() external {
        _earn(ALICE, _tokens(0));
        Given memory truth = _add(BOB, _tokens(0), 0);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IPoints.PointsModelAgrees.selector, _keyOf(truth)));
        _report(ALICE, truth);
    }

    function test_the_wait_is_kept() external {
        _earn(ALICE, _tokens(0));
        Given memory lie = _add(MALLORY, _tokens(0), 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, lie.time + 1 days)
        );
        _report(ALICE, lie);
    }

    function test_a_report_earns_closes_and_ends_the_liar_s_streak() external {
        _earn(ALICE, _tokens(0));
        _earn(MALLORY, _tokens(0));
        Given memory lie = _add(MALLORY, _tokens(0), 1);
        vm.warp(block.timestamp + 1 days);
        vm.expectEmit(address(trainer));
        emit IPoints.Reported(lie.nonce, ALICE, 5);
        _report(ALICE, lie);
        vm.assertEq(trainer.accountOf(ALICE).points, 25);
        vm.assertEq(trainer.accountOf(ALICE).validated, 1);
        vm.assertEq(trainer.accountOf(MALLORY).streak, 0);
        vm.assertEq(trainer.accountOf(MALLORY).bestStreak, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerNoContribution.selector, _keyOf(lie))
        );
        _report(ALICE, lie);
    }

    function test_a_streak_begins_anew_on_the_day_it_was_ended() external {
        _earn(ALICE, _tokens(0));
        Given memory lie = _add(MALLORY, _tokens(0), 1);
        Given memory first = _add(MALLORY, abi.encodePacked(uint16(60)), 0);
        Given memory second = _add(MALLORY, abi.encodePacked(uint16(61)), 0);
        _add(BOB, abi.encodePacked(uint8(1), uint16(0), int16(-9)), 65_535);
        vm.warp(block.timestamp + 1 days);
        _judge(first);
        _report(ALICE, lie);
        _judge(second);
        vm.assertEq(trainer.accountOf(MALLORY).streak, 1);
    }
}
