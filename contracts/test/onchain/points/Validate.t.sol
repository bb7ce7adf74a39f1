// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Points} from "../../../src/onchain/Points.sol";
import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {IPoints} from "../../../src/onchain/interfaces/IPoints.sol";
import {Given} from "../TrainerTest.sol";
import {PointsTest} from "./PointsTest.sol";

contract ValidateTest is PointsTest {
    function test_a_wait_of_more_than_a_century_is_refused_and_none_is_a_day() external {
        vm.expectRevert(abi.encodeWithSelector(IPoints.PointsWaitTooLong.selector, 36_500 days + 1));
        new Points(model, 36_500 days + 1);
        vm.assertEq(trainer.wait(), 1 days);
        vm.assertEq(new Points(model, 7).wait(), 7);
    }

    function test_contributions_are_free_and_recorded() external {
        Given memory one = _add(ALICE, _tokens(0), 1);
        (uint256 claimable, uint256 initial, uint256 memo) = trainer.recordOf(_keyOf(one));
        vm.assertEq(claimable, 1);
        vm.assertEq(initial, 1);
        vm.assertEq(memo, 1);
        vm.assertEq(address(trainer).balance, 0);
    }

    function test_unknown_data_are_refused() external {
        Given memory one = _add(ALICE, _tokens(0), 0);
        one.contributor = MALLORY;
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerNoContribution.selector, _keyOf(one))
        );
        _judge(one);
    }

    function test_the_wait_is_kept() external {
        Given memory one = _add(ALICE, _tokens(0), 0);
        vm.warp(one.time + 1 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, one.time + 1 days)
        );
        _judge(one);
    }

    function test_a_lie_earns_nothing_although_it_was_learnt() external {
        Given memory one = _add(MALLORY, _tokens(0), 1);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(model.predict(one.features), 1);
        vm.expectRevert(abi.encodeWithSelector(IPoints.PointsModelDisagrees.selector, _keyOf(one)));
        _judge(one);
    }

    function test_anybody_validates_data_once_for_their_contributor() external {
        Given memory one = _add(ALICE, _tokens(0), 0);
        vm.warp(block.timestamp + 1 days);
        vm.expectEmit(address(trainer));
        emit IPoints.Validated(one.nonce, ALICE, 20, true);
        vm.prank(BOB);
        trainer.validate(one.features, one.label, one.time, one.contributor, one.nonce);
        IPoints.Account memory account = trainer.accountOf(ALICE);
        vm.assertEq(account.points, 20);
        vm.assertEq(account.validated, 1);
        vm.assertEq(account.diverse, 1);
        vm.assertEq(account.labels, 1);
        vm.assertEq(account.sketch, model.sketch(one.features));
        vm.assertEq(account.lastDay, START / 1 days);
        vm.assertEq(account.streak, 1);
        vm.assertEq(account.bestStreak, 1);
        vm.assertEq(trainer.validatedOf(ALICE), 1);
        vm.assertEq(trainer.accountOf(BOB).points, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerNoContribution.selector, _keyOf(one))
        );
        _judge(one);
    }

    function test_similar_data_earn_half_of_what_different_data_earn() external {
        vm.assertEq(_earn(ALICE, _tokens(0)), 20);
        vm.assertEq(_earn(ALICE, _tokens(0)), 10);
        vm.assertEq(_earn(ALICE, _tokens(1)), 10);
        vm.assertEq(_earn(ALICE, _tokens(40)), 20);
        vm.assertEq(_earn(BOB, _sample(1, 2, 3)), 10);
        vm.assertEq(trainer.accountOf(ALICE).diverse, 2);
        vm.assertEq(trainer.accountOf(ALICE).points, 60);
    }

    function test_days_in_a_row_are_a_streak() external {
        uint256[6] memory hoursLater = [uint256(0), 5, 24, 24, 72, 24];
        uint256[6] memory streaks = [uint256(1), 1, 2, 3, 1, 2];
        vm.warp(START / 1 days * 1 days);
        for (uint256 i; i < 6; ++i) {
            vm.warp(block.timestamp + hoursLater[i] * 1 hours);
            Given memory one = _add(ALICE, _tokens(0), 0);
            uint256 now_ = block.timestamp;
            vm.warp(now_ + 1 days);
            _judge(one);
            vm.warp(now_);
            vm.assertEq(trainer.accountOf(ALICE).streak, streaks[i]);
        }
        vm.assertEq(trainer.accountOf(ALICE).bestStreak, 3);
    }

    function test_one_day_s_data_validated_on_many_days_are_no_streak() external {
        Given memory first = _add(ALICE, _tokens(0), 0);
        Given memory second = _add(ALICE, _tokens(0), 0);
        vm.warp(block.timestamp + 1 days);
        _judge(first);
        vm.warp(block.timestamp + 1 days);
        _judge(second);
        vm.assertEq(trainer.accountOf(ALICE).bestStreak, 1);
    }

    function test_older_data_validated_later_change_no_streak() external {
        Given memory older = _add(ALICE, _tokens(0), 0);
        vm.warp(block.timestamp + 1 days);
        Given memory newer = _add(ALICE, _tokens(0), 0);
        vm.warp(block.timestamp + 1 days);
        _judge(newer);
        _judge(older);
        IPoints.Account memory account = trainer.accountOf(ALICE);
        vm.assertEq(account.streak, 1);
        vm.assertEq(account.lastDay, newer.time / 1 days);
    }

    function test_an_update_is_neither_a_label_nor_different() external {
        _earn(ALICE, _tokens(0));
        uint64 sketch = trainer.accountOf(ALICE).sketch;
        bytes memory update = abi.encodePacked(uint8(1), uint16(0), int16(1));
        Given memory one = _add(ALICE, update, 65_535);
        _add(BOB, abi.encodePacked(uint8(1), uint16(0), int16(3)), 65_535);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(_judge(one), 10);
        IPoints.Account memory account = trainer.accountOf(ALICE);
        vm.assertEq(account.labels, 1);
        vm.assertEq(account.validated, 2);
        vm.assertEq(account.diverse, 1);
        vm.assertEq(account.sketch, sketch);
    }
}
