// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Log2} from "../../../src/onchain/libraries/Log2.sol";
import {Vm} from "../../Vm.sol";

/// @notice The logarithm that naive Bayes sums: exact where it must be, never above, never falling.
contract Log2Test {
    Vm private constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    function _log2(uint256 n) private pure returns (uint256) {
        return Log2.log2(Log2.table(), n);
    }

    function test_a_power_of_two_is_exact() external pure {
        bytes memory table = Log2.table();
        for (uint256 e; e < 64; ++e) {
            vm.assertEq(Log2.log2(table, 1 << e), e << 32);
        }
    }

    function test_the_reference_says_the_same() external pure {
        vm.assertEq(_log2(3), 6_807_362_106);
        vm.assertEq(_log2(10), 14_267_572_527);
        vm.assertEq(_log2(511), 38_642_591_627);
        vm.assertEq(_log2(513), 38_666_784_291);
        vm.assertEq(_log2(2 ** 40 - 1), 171_798_691_839);
        vm.assertEq(_log2(2 ** 64 - 1), 274_877_906_943);
    }

    function test_the_table_has_257_entries() external pure {
        vm.assertEq(Log2.table().length, 4 * 257);
    }

    /// @dev The same definition in plain words: search the highest bit, then interpolate.
    function testFuzz_the_assembly_is_the_definition(uint64 n, uint8 bits) external pure {
        uint256 value = (uint256(n) >> (bits % 64)) | 1;
        uint256 e;
        while (value >> (e + 1) != 0) ++e;
        uint256 fraction = (value << (63 - e)) & (2 ** 63 - 1);
        uint256 low = _entry(fraction >> 55);
        uint256 high = fraction >> 55 == 255 ? 2 ** 32 : _entry((fraction >> 55) + 1);
        uint256 step = (high - low) * (fraction & (2 ** 55 - 1)) >> 55;
        vm.assertEq(_log2(value), (e << 32) + low + step);
    }

    function testFuzz_it_never_falls(uint64 n) external pure {
        vm.assume(n != 0 && n != type(uint64).max);
        vm.assertTrue(_log2(n) <= _log2(uint256(n) + 1));
    }

    /// @dev The product's logarithm is the sum: off by the two roundings of 2.75e-6 (11,811 units).
    function testFuzz_a_product_is_a_sum(uint32 a, uint32 b) external pure {
        vm.assume(a != 0 && b != 0);
        uint256 sum = _log2(a) + _log2(b);
        uint256 product = _log2(uint256(a) * b);
        uint256 gap = sum > product ? sum - product : product - sum;
        vm.assertLe(gap, 2 * 11_812, "the logarithm is further off than 2.75e-6");
    }

    function _entry(uint256 j) private pure returns (uint256 value) {
        bytes memory table = Log2.table();
        for (uint256 i; i < 4; ++i) {
            value = (value << 8) | uint8(table[4 * j + i]);
        }
    }
}
