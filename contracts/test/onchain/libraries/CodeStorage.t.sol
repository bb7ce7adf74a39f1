// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {CodeStorage} from "../../../src/onchain/libraries/CodeStorage.sol";
import {Vm} from "../../Vm.sol";

/// @notice Bytes that are kept as code come back as they were, whatever their length.
contract CodeStorageTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    function write(bytes calldata data) public returns (address) {
        return CodeStorage.write(data);
    }

    function read(address pointer) public view returns (bytes memory) {
        return CodeStorage.read(pointer);
    }

    function _bytes(uint256 length) private pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i = 32; i <= length; i += 32) {
            bytes32 word = keccak256(abi.encode(i));
            assembly ("memory-safe") {
                mstore(add(data, i), word)
            }
        }
    }

    function test_an_address_without_a_page_is_refused() external {
        address[3] memory wrong = [address(0x1234), address(this), address(vm)];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(CodeStorage.CodeStorageUnknown.selector, wrong[i])
            );
            this.read(wrong[i]);
        }
    }

    function test_any_length_comes_back() external {
        uint256 page = CodeStorage.PAGE_BYTES_MAX;
        uint256[8] memory lengths = [0, 1, 32, 1_024, page, page + 1, 2 * page, 2 * page + 33];
        for (uint256 i; i < lengths.length; ++i) {
            bytes memory data = _bytes(lengths[i]);
            address pointer = this.write(data);
            vm.assertEq(this.read(pointer), data, "other bytes");
            vm.assertTrue(pointer.code.length <= 24_576);
        }
    }

    function test_calling_a_page_does_nothing() external {
        address pointer = this.write(_bytes(64));
        (bool success, bytes memory answer) = pointer.call(hex"12345678");
        vm.assertTrue(success);
        vm.assertEq(answer.length, 0);
    }

    function test_a_page_costs_a_third_of_storage() external {
        uint256 before = gasleft();
        this.write(_bytes(1_024));
        vm.assertLe(before - gasleft(), 340_000, "1,024 bytes cost more");
    }
}
