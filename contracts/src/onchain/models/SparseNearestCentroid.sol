// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {CountTable} from "./CountTable.sol";
import {CountWords} from "./CountWords.sol";

/// @title SparseNearestCentroid
/// @notice The nearest mean of samples that are sets of tokens (a feature is 1 or 0). Class k has n
/// samples, of which S_i have token i, and Q, the sum of all S_i squared: its mean is S / n, and the
/// sample's squared distance to it, less what all classes have in common, is
/// `floor(2^32 * Q / n^2) - floor(2^33 * T / n)` with T the sum of S_i over the sample's tokens. So only
/// these tokens are read or written, however many features there are: the mean is never scaled, only n
/// grows. The lowest distance wins; a class without samples never does, and if none has any the label
/// is 0.
///
/// A sample is its tokens (16 bits each). The header has for each class n (32 bits), Q (48). A sample
/// with which a number would not fit is refused.
/// @dev Answers to a contribution that makes the model agree with itself, not to many that agree with
/// each other.
contract SparseNearestCentroid is CountTable {
    /// @dev Bytes of a token.
    uint256 private constant ENTRY = 2;
    uint256 private constant SQUARES_BITS = 48;
    uint256 private constant SQUARES_MAX = type(uint48).max;
    uint256 private constant SAMPLES_MAX = type(uint32).max;

    /// @param classes_ 2 to 255.
    /// @param features_ 1 to 65,535 tokens.
    /// @param encoder_ What makes tokens of data.
    constructor(uint256 classes_, uint256 features_, string memory encoder_)
        CountTable(classes_, features_, encoder_)
    {}

    /// @inheritdoc CountWords
    function _laneBits() internal pure override returns (uint256) {
        return 80;
    }

    /// @inheritdoc CountTable
    function _entryBytes() internal pure override returns (uint256) {
        return ENTRY;
    }

    /// @inheritdoc CountTable
    function _predict(Table memory table, bytes calldata x, uint256 without)
        internal
        view
        override
        returns (uint256 label)
    {
        _checkTokens(x, table.features);
        uint256[] memory sums = _sums(table, x, without, "");
        int256 best = type(int256).max;
        for (uint256 k; k < sums.length; ++k) {
            (uint256 samples, uint256 squares) = _totals(table, k);
            if (k == without) {
                // (S - 1)^2 = S^2 - 2 (S - 1) - 1, and `sums` is of S - 1 already.
                uint256 own = 2 * sums[k] + x.length / ENTRY;
                samples -= samples == 0 ? 0 : 1;
                squares -= squares < own ? squares : own;
            }
            if (samples == 0) continue;
            int256 distance =
                int256((squares << 32) / (samples * samples)) - int256((sums[k] << 33) / samples);
            if (distance < best) (best, label) = (distance, k);
        }
    }

    /// @inheritdoc CountTable
    function _learnt(uint256 lane, bytes calldata x, uint256 sum)
        internal
        pure
        override
        returns (uint256)
    {
        (uint256 samples, uint256 squares) = _split(lane);
        squares += 2 * sum + x.length / ENTRY;
        if (samples == SAMPLES_MAX || squares > SQUARES_MAX) revert ModelFull();
        return ((samples + 1) << SQUARES_BITS) | squares;
    }

    /// @inheritdoc CountTable
    function _added(uint256 count, uint256) internal pure override returns (uint256) {
        if (count == COUNT_MAX) revert ModelFull();
        return count + 1;
    }

    /// @inheritdoc CountTable
    function _term(uint256 count, uint256, bytes memory) internal pure override returns (uint256) {
        return count;
    }

    /// @inheritdoc CountTable
    function _split(uint256 lane)
        internal
        pure
        override
        returns (uint256 samples, uint256 squares)
    {
        return (lane >> SQUARES_BITS, lane & SQUARES_MAX);
    }
}
