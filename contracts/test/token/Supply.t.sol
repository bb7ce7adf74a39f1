// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";

import {Token} from "../../src/Token.sol";
import {TokenTest} from "./TokenTest.sol";

contract SupplyTest is TokenTest {
    function test_a_supply_that_votes_cannot_count_is_refused() external {
        uint256 supply = uint256(type(uint208).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                ERC20Votes.ERC20ExceededSafeSupply.selector, supply, type(uint208).max
            )
        );
        new Token(ALICE, supply);
    }

    function test_more_than_the_balance_cannot_be_sent() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, ALICE, SUPPLY, SUPPLY + 1
            )
        );
        _transfer(ALICE, BOB, SUPPLY + 1);
    }

    function test_the_recipient_gets_all_there_will_ever_be() external {
        token = new Token(BOB, 7);
        vm.assertEq(token.totalSupply(), 7);
        vm.assertEq(token.balanceOf(BOB), 7);
        vm.assertEq(token.decimals(), 18);
        vm.assertEq(bytes(token.name()), bytes("Ostrom"), "the name");
        vm.assertEq(bytes(token.symbol()), "OSTR", "the symbol");
    }

    function testFuzz_transfers_keep_the_supply(uint256 amount) external {
        amount %= SUPPLY + 1;
        vm.expectEmit(address(token));
        emit IERC20.Transfer(ALICE, BOB, amount);
        _transfer(ALICE, BOB, amount);
        vm.assertEq(token.balanceOf(ALICE), SUPPLY - amount);
        vm.assertEq(token.balanceOf(BOB), amount);
        vm.assertEq(token.totalSupply(), SUPPLY);
    }
}
