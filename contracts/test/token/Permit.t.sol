// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

import {TokenTest} from "./TokenTest.sol";

contract PermitTest is TokenTest {
    uint256 private constant DEADLINE = 1_700_000_000;

    function _sign(uint256 key, uint256 value) private view returns (uint8, bytes32, bytes32) {
        return vm.sign(key, _digest(value, 0));
    }

    function _digest(uint256 value, uint256 nonce) private view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        );
        bytes32 message = keccak256(abi.encode(typeHash, ALICE, BOB, value, nonce, DEADLINE));
        return keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), message));
    }

    function test_a_permit_past_its_deadline_is_refused() external {
        (uint8 v, bytes32 r, bytes32 s) = _sign(ALICE_KEY, 5);
        vm.warp(DEADLINE + 1);
        vm.expectRevert(
            abi.encodeWithSelector(ERC20Permit.ERC2612ExpiredSignature.selector, DEADLINE)
        );
        token.permit(ALICE, BOB, 5, DEADLINE, v, r, s);
    }

    function test_another_signer_is_refused() external {
        (uint8 v, bytes32 r, bytes32 s) = _sign(0xbad, 5);
        vm.expectRevert(
            abi.encodeWithSelector(ERC20Permit.ERC2612InvalidSigner.selector, vm.addr(0xbad), ALICE)
        );
        token.permit(ALICE, BOB, 5, DEADLINE, v, r, s);
    }

    function test_a_second_use_is_refused() external {
        (uint8 v, bytes32 r, bytes32 s) = _sign(ALICE_KEY, 5);
        token.permit(ALICE, BOB, 5, DEADLINE, v, r, s);
        // With the next nonce, the same signature is that of some other account.
        address other = ecrecover(_digest(5, 1), v, r, s);
        vm.expectRevert(
            abi.encodeWithSelector(ERC20Permit.ERC2612InvalidSigner.selector, other, ALICE)
        );
        token.permit(ALICE, BOB, 5, DEADLINE, v, r, s);
    }

    function testFuzz_a_permit_is_an_allowance_and_uses_the_nonce(uint256 value) external {
        (uint8 v, bytes32 r, bytes32 s) = _sign(ALICE_KEY, value);
        vm.prank(MALLORY);
        token.permit(ALICE, BOB, value, DEADLINE, v, r, s);
        vm.assertEq(token.allowance(ALICE, BOB), value);
        vm.assertEq(token.nonces(ALICE), 1);
        vm.assertEq(token.nonces(BOB), 0);
    }
}
