// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Token} from "../../src/Token.sol";
import {Vm} from "../Vm.sol";

/// @notice The token, all of it alice's.
abstract contract TokenTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    uint256 internal constant SUPPLY = 1_000 ether;
    uint256 internal constant ALICE_KEY = 0xa11ce;
    address internal constant BOB = address(0x1004);
    address internal constant MALLORY = address(0x1005);
    address internal immutable ALICE = vm.addr(ALICE_KEY);
    Token internal token;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        vm.roll(1_000);
        token = new Token(ALICE, SUPPLY);
    }

    function _transfer(address from, address to, uint256 amount) internal {
        vm.prank(from);
        token.transfer(to, amount);
    }
}
