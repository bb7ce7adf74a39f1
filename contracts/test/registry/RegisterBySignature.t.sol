// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Registry} from "../../src/Registry.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

interface VmChain {
    function chainId(uint256 id) external;
}

contract RegisterBySignatureTest is RegistryTest {
    uint256 private constant CURVE_ORDER =
        0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function _registration(uint8 roles)
        private
        view
        returns (IRegistry.Registration memory registration)
    {
        return IRegistry.Registration(ALICE, roles, "metadata", block.timestamp + 1 hours);
    }

    function _digest(IRegistry.Registration memory registration, uint256 nonce)
        private
        view
        returns (bytes32)
    {
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "Register(address account,uint8 roles,bytes32 metadata,uint256 nonce,uint256 deadline)"
                ),
                registration.account,
                registration.roles,
                registration.metadata,
                nonce,
                registration.deadline
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", registry.domainSeparator(), message));
    }

    function _sign(uint256 key, IRegistry.Registration memory registration, uint256 nonce)
        private
        view
        returns (bytes32, bytes32)
    {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(registration, nonce));
        return (r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
    }

    function _expectBadSignature() private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryBadSignature.selector, ALICE));
    }

    function test_a_signature_past_its_deadline_is_refused() external {
        IRegistry.Registration memory registration = _registration(1);
        (bytes32 r, bytes32 vs) = _sign(ALICE_KEY, registration, 0);
        vm.warp(registration.deadline + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.RegistryExpired.selector, registration.deadline)
        );
        registry.registerBySignature(registration, r, vs);
    }

    function test_another_signer_is_refused() external {
        IRegistry.Registration memory registration = _registration(1);
        (bytes32 r, bytes32 vs) = _sign(0xbad, registration, 0);
        _expectBadSignature();
        registry.registerBySignature(registration, r, vs);
    }

    function test_a_signature_that_recovers_nobody_is_refused_for_the_zero_account() external {
        IRegistry.Registration memory registration = _registration(1);
        registration.account = address(0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryBadSignature.selector, address(0)));
        registry.registerBySignature(registration, 0, 0);
    }

    function test_a_second_use_is_refused() external {
        IRegistry.Registration memory registration = _registration(1);
        (bytes32 r, bytes32 vs) = _sign(ALICE_KEY, registration, 0);
        registry.registerBySignature(registration, r, vs);
        _expectBadSignature();
        registry.registerBySignature(registration, r, vs);
    }

    function test_a_nonce_out_of_order_is_refused() external {
        IRegistry.Registration memory registration = _registration(1);
        (bytes32 r, bytes32 vs) = _sign(ALICE_KEY, registration, 1);
        _expectBadSignature();
        registry.registerBySignature(registration, r, vs);
    }

    function test_a_signature_for_another_registry_is_refused() external {
        IRegistry.Registration memory registration = _registration(1);
        (bytes32 r, bytes32 vs) = _sign(ALICE_KEY, registration, 0);
        registry = new Registry(address(token), TREASURY, BOND_DELAY, OWNER);
        _expectBadSignature();
        registry.registerBySignature(registration, r, vs);
    }

    function test_a_signature_for_another_chain_is_refused() external {
        IRegistry.Registration memory registration = _registration(1);
        (bytes32 r, bytes32 vs) = _sign(ALICE_KEY, registration, 0);
        VmChain(address(vm)).chainId(7);
        _expectBadSignature();
        registry.registerBySignature(registration, r, vs);
    }

    function test_the_mirror_image_of_a_signature_is_refused() external {
        IRegistry.Registration memory registration = _registration(1);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE_KEY, _digest(registration, 0));
        bytes32 mirrored = bytes32(CURVE_ORDER - uint256(s));
        // A high s has no room for the parity bit: it is read as another s, of another signer.
        bytes32 vs = bytes32(uint256(mirrored) | (uint256(28 - v) << 255));
        _expectBadSignature();
        registry.registerBySignature(registration, r, vs);
    }

    function test_signed_but_unknown_roles_are_refused() external {
        IRegistry.Registration memory registration = _registration(8);
        (bytes32 r, bytes32 vs) = _sign(ALICE_KEY, registration, 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnknownRoles.selector, uint8(8)));
        registry.registerBySignature(registration, r, vs);
    }

    function test_anybody_registers_an_account_with_its_signature_at_the_last_second() external {
        IRegistry.Registration memory registration = _registration(3);
        (bytes32 r, bytes32 vs) = _sign(ALICE_KEY, registration, 0);
        vm.warp(registration.deadline);
        vm.expectEmit(address(registry));
        emit IRegistry.Registered(ALICE, 3, "metadata");
        vm.prank(MALLORY);
        registry.registerBySignature(registration, r, vs);
        vm.assertEq(registry.rolesOf(ALICE), 3);
        vm.assertEq(registry.nonceOf(ALICE), 1);
        vm.assertEq(registry.rolesOf(MALLORY), 0);
        registration = _registration(0);
        (r, vs) = _sign(ALICE_KEY, registration, 1);
        registry.registerBySignature(registration, r, vs);
        vm.assertEq(registry.rolesOf(ALICE), 0);
        vm.assertEq(registry.nonceOf(ALICE), 2);
    }

    function testFuzz_a_signature_covers_every_field(uint8 field, uint256 change) external {
        IRegistry.Registration memory registration = _registration(1);
        (bytes32 r, bytes32 vs) = _sign(ALICE_KEY, registration, 0);
        change = 1 + change % 6;
        if (field % 4 == 0) registration.roles = uint8(1 + change);
        else if (field % 4 == 1) registration.metadata = bytes32(change);
        else if (field % 4 == 2) registration.deadline += change;
        else registration.account = address(uint160(change));
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.RegistryBadSignature.selector, registration.account)
        );
        registry.registerBySignature(registration, r, vs);
    }
}
