// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {AllowList} from "../../src/AllowList.sol";
import {Vm} from "../Vm.sol";

/// @notice An empty list.
abstract contract AllowListTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    address internal constant OWNER = address(0x1001);
    address internal constant ALICE = address(0x1003);
    address internal constant BOB = address(0x1004);
    address internal constant MALLORY = address(0x1005);
    AllowList internal list;

    function setUp() public virtual {
        list = new AllowList(OWNER);
    }

    function _both(address first, address second) internal pure returns (address[] memory both) {
        both = new address[](2);
        (both[0], both[1]) = (first, second);
    }

    function _add(address first, address second) internal {
        vm.prank(OWNER);
        list.add(_both(first, second));
    }

    function _remove(address first, address second) internal {
        vm.prank(OWNER);
        list.remove(_both(first, second));
    }
}
