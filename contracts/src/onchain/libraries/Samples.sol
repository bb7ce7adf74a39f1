// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title Samples
/// @notice A piece of a test set as bytes: for each sample its label (uint16), the length of its
/// features (uint16) and the features.
library Samples {
    error SamplesMalformed(uint256 offset);
    error SamplesUnknown(uint256 index);

    uint256 private constant HEAD_BYTES = 4;

    /// @notice How many samples there are. Reverts if the bytes end within one, or if a label is not
    /// below `classes`.
    function count(bytes calldata samples, uint256 classes) internal pure returns (uint256 number) {
        uint256 offset;
        while (offset < samples.length) {
            (uint256 label,, uint256 end) = _head(samples, offset);
            if (label >= classes) revert SamplesMalformed(offset);
            offset = end;
            ++number;
        }
    }

    /// @notice Sample number `index`.
    function at(bytes calldata samples, uint256 index)
        internal
        pure
        returns (uint256 label, bytes calldata x)
    {
        uint256 start;
        uint256 end;
        for (uint256 number; number <= index; ++number) {
            if (end == samples.length) revert SamplesUnknown(index);
            (label, start, end) = _head(samples, end);
        }
        x = samples[start:end];
    }

    function _head(bytes calldata samples, uint256 offset)
        private
        pure
        returns (uint256 label, uint256 start, uint256 end)
    {
        start = offset + HEAD_BYTES;
        if (start > samples.length) revert SamplesMalformed(offset);
        label = uint16(bytes2(samples[offset:offset + 2]));
        end = start + uint16(bytes2(samples[offset + 2:start]));
        if (end > samples.length) revert SamplesMalformed(offset);
    }
}
