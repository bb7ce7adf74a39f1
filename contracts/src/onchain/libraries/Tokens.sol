// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";

/// @title Tokens
/// @notice Sparse samples: the numbers of the features that are there, 2 bytes each, ascending.
library Tokens {
    /// @notice Reverts if `x` is no whole number of tokens, or the last one is no feature. That they
    /// ascend is for the caller to check.
    function checkLast(bytes calldata x, uint256 features) internal pure {
        // Bits, because the compiler guards a division against 0 even where it is by 2.
        if (x.length & 1 != 0) revert IModel.ModelBadLength(x.length);
        if (x.length == 0) return;
        uint256 last;
        assembly ("memory-safe") {
            last := shr(240, calldataload(add(x.offset, sub(x.length, 2))))
        }
        if (last >= features) revert IModel.ModelUnknownFeature(last);
    }

    /// @notice One bit for every token: bit number `keccak256(token, 2 bytes) mod 64`.
    function sketch(bytes calldata x) internal pure returns (uint64 bits) {
        if (x.length % 2 != 0) revert IModel.ModelBadLength(x.length);
        for (uint256 i; i < x.length; i += 2) {
            bits |= uint64(1 << (uint256(keccak256(x[i:i + 2])) % 64));
        }
    }
}
