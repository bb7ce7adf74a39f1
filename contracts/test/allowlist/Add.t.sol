// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {IAllowList} from "../../src/interfaces/IAllowList.sol";
import {AllowListTest} from "./AllowListTest.sol";

contract AllowListAddTest is AllowListTest {
    function test_only_the_owner_adds() external {
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, MALLORY)
        );
        vm.prank(MALLORY);
        list.add(_both(MALLORY, ALICE));
    }

    function test_a_member_is_refused_and_nobody_else_is_added() external {
        _add(ALICE, MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IAllowList.AllowListAlreadyMember.selector, ALICE));
        _add(BOB, ALICE);
        vm.assertFalse(list.isMember(0, BOB));
    }

    function test_an_account_named_twice_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IAllowList.AllowListAlreadyMember.selector, ALICE));
        _add(ALICE, ALICE);
    }

    function testFuzz_members_are_members_in_every_task(bytes32 taskId, address other) external {
        vm.assume(other != ALICE && other != BOB);
        vm.expectEmit(address(list));
        emit IAllowList.MemberAdded(ALICE);
        vm.expectEmit(address(list));
        emit IAllowList.MemberAdded(BOB);
        _add(ALICE, BOB);
        vm.assertTrue(list.isMember(taskId, ALICE));
        vm.assertTrue(list.isMember(taskId, BOB));
        vm.assertFalse(list.isMember(taskId, other));
    }
}
