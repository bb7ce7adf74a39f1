// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";

/// @title Vectors
/// @notice Dense samples: features as signed numbers of 2 bytes, from the first on. Features left out
/// at the end are 0, so that what was given before a model grew can still be judged.
library Vectors {
    /// @notice The sum of the squares of the features.
    function square(bytes calldata x) internal pure returns (uint256 sum) {
        assembly ("memory-safe") {
            for { let i := 0 } lt(i, x.length) { i := add(i, 2) } {
                let value := signextend(1, shr(240, calldataload(add(x.offset, i))))
                sum := add(sum, mul(value, value))
            }
        }
    }

    /// @notice Feature i toggles bit `i mod 64` if it is negative.
    function sketch(bytes calldata x) internal pure returns (uint64 bits) {
        if (x.length == 0 || x.length % 2 != 0) revert IModel.ModelBadLength(x.length);
        for (uint256 i; i < x.length; i += 2) {
            if (uint8(x[i]) > 127) bits ^= uint64(1 << ((i / 2) % 64));
        }
    }

    /// @notice Reverts if `x` is no sample of so many features.
    function check(bytes calldata x, uint256 features) internal pure {
        bool fits = x.length != 0 && x.length % 2 == 0 && x.length <= 2 * features;
        if (!fits) revert IModel.ModelBadLength(x.length);
    }
}
