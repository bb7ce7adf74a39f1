// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IPoints} from "../../../src/onchain/interfaces/IPoints.sol";
import {Given} from "../TrainerTest.sol";
import {PointsTest} from "./PointsTest.sol";

contract BadgesTest is PointsTest {
    /// @dev So many contributions on each of so many days, all validated.
    function _work(uint256 days_, uint256 each, bool isDiverse) private {
        for (uint256 day; day < days_; ++day) {
            Given[] memory given = new Given[](each);
            for (uint256 i; i < each; ++i) {
                bool isFar = isDiverse && i % 2 == 0;
                given[i] = _add(ALICE, _tokens(isFar ? 40 : 0), 0);
            }
            vm.warp(block.timestamp + 1 days);
            for (uint256 i; i < each; ++i) {
                _judge(given[i]);
            }
        }
    }

    function _expect(uint256 quantity, uint256 diversity, uint256 regularity) private view {
        IPoints.Badges memory badges = trainer.badges(ALICE);
        vm.assertEq(badges.quantity, quantity);
        vm.assertEq(badges.diversity, diversity);
        vm.assertEq(badges.regularity, regularity);
    }

    function test_a_stranger_has_no_badges() external view {
        _expect(0, 0, 0);
    }

    function test_quantity_counts_validated_data() external {
        _work(1, 9, false);
        _expect(0, 0, 0);
        _work(1, 1, false);
        _expect(1, 0, 0);
        _work(1, 90, false);
        _expect(2, 0, 1);
        _work(1, 900, false);
        _expect(3, 0, 1);
    }

    function test_regularity_counts_days_in_a_row() external {
        uint256[3] memory more = [uint256(3), 4, 23];
        for (uint256 i; i < 3; ++i) {
            _work(more[i] - 1, 1, false);
            vm.assertEq(trainer.badges(ALICE).regularity, i);
            _work(1, 1, false);
            vm.assertEq(trainer.badges(ALICE).regularity, i + 1);
        }
    }

    function test_diversity_asks_for_all_labels_and_different_data() external {
        _work(1, 10, true);
        _expect(1, 0, 0);
        // The other label, which the model knows from another contributor.
        _add(BOB, _sample(60, 61, 62), 1);
        Given memory one = _add(ALICE, _sample(60, 61, 62), 1);
        vm.warp(block.timestamp + 1 days);
        _judge(one);
        vm.assertEq(trainer.accountOf(ALICE).labels, 3);
        _expect(1, 1, 0);
        _add(BOB, abi.encodePacked(uint8(1), uint16(0), int16(-9)), 65_535);
        _work(1, 45, true);
        vm.assertEq(trainer.badges(ALICE).diversity, 2);
        _work(1, 460, true);
        vm.assertEq(trainer.badges(ALICE).diversity, 3);
    }

    function test_of_many_labels_the_first_32_count() external {
        vm.prank(OWNER);
        model.addClasses(100);
        _work(1, 10, true);
        vm.assertEq(trainer.badges(ALICE).diversity, 0);
        vm.assertEq(trainer.accountOf(ALICE).labels, 1);
    }

    function test_the_leaderboard_lists_who_has_validated_data_in_pages() external {
        _add(CAROL, _tokens(0), 0);
        _work(1, 10, false);
        _earn(BOB, _tokens(0));
        vm.assertEq(trainer.contributorCount(), 2);
        IPoints.Standing[] memory page = trainer.leaderboard(0, 10);
        vm.assertEq(page.length, 2);
        vm.assertEq(page[0].account, ALICE);
        vm.assertEq(page[0].points, 110);
        vm.assertEq(page[0].validated, 10);
        vm.assertEq(page[0].badges.quantity, 1);
        vm.assertEq(page[1].account, BOB);
        page = trainer.leaderboard(1, 1);
        vm.assertEq(page.length, 1);
        vm.assertEq(page[0].account, BOB);
        vm.assertEq(trainer.leaderboard(2, 5).length, 0);
        vm.assertEq(trainer.leaderboard(9, type(uint256).max).length, 0);
    }
}
