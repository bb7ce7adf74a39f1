// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {IAllowList} from "../../src/interfaces/IAllowList.sol";
import {AllowListTest} from "./AllowListTest.sol";

contract AllowListRemoveTest is AllowListTest {
    function test_only_the_owner_removes() external {
        _add(ALICE, BOB);
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, MALLORY)
        );
        vm.prank(MALLORY);
        list.remove(_both(ALICE, BOB));
    }

    function test_a_stranger_is_refused_and_nobody_else_is_removed() external {
        _add(ALICE, BOB);
        vm.expectRevert(abi.encodeWithSelector(IAllowList.AllowListNotMember.selector, MALLORY));
        _remove(ALICE, MALLORY);
        vm.assertTrue(list.isMember(0, ALICE));
    }

    function testFuzz_who_is_removed_may_come_back(bytes32 taskId) external {
        _add(ALICE, BOB);
        vm.expectEmit(address(list));
        emit IAllowList.MemberRemoved(BOB);
        vm.expectEmit(address(list));
        emit IAllowList.MemberRemoved(ALICE);
        _remove(BOB, ALICE);
        vm.assertFalse(list.isMember(taskId, ALICE));
        vm.assertFalse(list.isMember(taskId, BOB));
        _add(ALICE, MALLORY);
        vm.assertTrue(list.isMember(taskId, ALICE));
        vm.assertFalse(list.isMember(taskId, BOB));
    }
}
