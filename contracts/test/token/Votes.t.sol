// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";

import {TokenTest} from "./TokenTest.sol";

contract VotesTest is TokenTest {
    function _delegate(address from, address to) private {
        vm.prank(from);
        token.delegate(to);
    }

    function test_the_votes_of_a_block_that_is_not_over_cannot_be_read() external {
        vm.expectRevert(
            abi.encodeWithSelector(Votes.ERC5805FutureLookup.selector, 1_000, uint48(1_000))
        );
        token.getPastVotes(ALICE, 1_000);
    }

    function test_tokens_that_are_not_delegated_have_no_votes() external {
        vm.assertEq(token.getVotes(ALICE), 0);
        _delegate(ALICE, ALICE);
        vm.assertEq(token.getVotes(ALICE), SUPPLY);
        _delegate(ALICE, address(0));
        vm.assertEq(token.getVotes(ALICE), 0);
    }

    function test_tokens_that_come_and_go_within_a_block_never_have_votes() external {
        _delegate(MALLORY, MALLORY);
        _transfer(ALICE, MALLORY, SUPPLY);
        vm.assertEq(token.getVotes(MALLORY), SUPPLY);
        _transfer(MALLORY, ALICE, SUPPLY);
        vm.roll(1_001);
        vm.assertEq(token.getPastVotes(MALLORY, 999), 0);
        vm.assertEq(token.getPastVotes(MALLORY, 1_000), 0);
    }

    function test_the_clock_counts_blocks() external view {
        vm.assertEq(token.clock(), 1_000);
        vm.assertEq(bytes(token.CLOCK_MODE()), "mode=blocknumber&from=default", "the clock's mode");
    }

    function testFuzz_votes_follow_the_tokens_and_the_past_stays(uint256 amount) external {
        amount = 1 + amount % SUPPLY;
        vm.expectEmit(address(token));
        emit IVotes.DelegateChanged(ALICE, address(0), ALICE);
        vm.expectEmit(address(token));
        emit IVotes.DelegateVotesChanged(ALICE, 0, SUPPLY);
        _delegate(ALICE, ALICE);
        _delegate(BOB, MALLORY);
        vm.roll(1_010);
        _transfer(ALICE, BOB, amount);
        vm.roll(1_020);
        vm.assertEq(token.getVotes(ALICE), SUPPLY - amount);
        vm.assertEq(token.getVotes(BOB), 0);
        vm.assertEq(token.getVotes(MALLORY), amount);
        vm.assertEq(token.getPastVotes(ALICE, 1_009), SUPPLY);
        vm.assertEq(token.getPastVotes(ALICE, 1_010), SUPPLY - amount);
        vm.assertEq(token.getPastVotes(MALLORY, 1_009), 0);
        vm.assertEq(token.getPastTotalSupply(1_010), SUPPLY);
        vm.assertEq(token.delegates(BOB), MALLORY);
    }
}
