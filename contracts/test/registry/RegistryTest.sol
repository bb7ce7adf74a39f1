// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Registry} from "../../src/Registry.sol";
import {Token} from "../../src/Token.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {Vm} from "../Vm.sol";

/// @notice A Registry with one locker, and alice and bob, who allow it all of their tokens.
abstract contract RegistryTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    uint256 internal constant RICHES = 1_000 ether;
    uint256 internal constant BOND_DELAY = 7 days;
    uint256 internal constant ALICE_KEY = 0xa11ce;
    address internal constant OWNER = address(0x1001);
    address internal constant LOCKER = address(0x1002);
    address internal constant TREASURY = address(0x1003);
    address internal constant BOB = address(0x1004);
    address internal constant MALLORY = address(0x1005);
    bytes32 internal constant TASK = "task";
    bytes32 internal constant OTHER_TASK = "other task";

    address internal immutable ALICE = vm.addr(ALICE_KEY);
    Token internal token;
    Registry internal registry;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        token = new Token(address(this), 1_000_000 ether);
        registry = new Registry(address(token), TREASURY, BOND_DELAY, OWNER);
        vm.prank(OWNER);
        registry.enableLocker(LOCKER);
        _equip(ALICE);
        _equip(BOB);
    }

    function _equip(address account) private {
        token.transfer(account, RICHES);
        vm.prank(account);
        token.approve(address(registry), type(uint256).max);
    }

    function _deposit(address account, uint256 amount) internal {
        vm.prank(account);
        registry.deposit(amount);
    }

    function _bond(bytes32 id, address account, uint256 amount) internal {
        vm.prank(LOCKER);
        registry.bond(id, account, amount);
    }

    function _unbond(bytes32 id, address account) internal {
        vm.prank(LOCKER);
        registry.unbond(id, account);
    }

    function _expectBond(bytes32 id, address account, uint256 amount, uint256 releaseAt)
        internal
        view
    {
        (uint256 amount_, uint256 releaseAt_) = registry.bondOf(LOCKER, id, account);
        vm.assertEq(amount_, amount, "the bond");
        vm.assertEq(releaseAt_, releaseAt, "its release");
    }

    function _expectNotLocker() internal {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryNotLocker.selector, MALLORY));
        vm.prank(MALLORY);
    }

    function _expectInsufficient(address account, uint256 free, uint256 amount) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.RegistryInsufficientFree.selector, account, free, amount
            )
        );
    }

    function _expectAlreadyUnbonding(bytes32 id, address account) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.RegistryAlreadyUnbonding.selector, LOCKER, id, account)
        );
    }
}
