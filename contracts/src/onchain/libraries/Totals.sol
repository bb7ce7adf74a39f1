// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @notice What all contributions share, in one word. From the bottom: when the last one came (40
/// bits), how many there were (32), how many were validated (32), whether the model was ever
/// rolled back (8), the history of all keys (144).
/// @dev A collision of the history takes 2^72 hashes, between two contributions.
type Totals is uint256;

using TotalsWord for Totals global;

/// @title TotalsWord
/// @notice Reads and changes the word. Counts are checked: 2^32 contributions are the end.
library TotalsWord {
    uint256 private constant COUNT_SHIFT = 40;
    uint256 private constant VALIDATED_SHIFT = 72;
    uint256 private constant ROLLED_BACK = 1 << 104;
    uint256 private constant HISTORY_SHIFT = 112;
    uint256 private constant MASK = type(uint32).max;

    error TotalsFull();

    function lastTime(Totals totals) internal pure returns (uint256) {
        return uint40(Totals.unwrap(totals));
    }

    function count(Totals totals) internal pure returns (uint256) {
        return (Totals.unwrap(totals) >> COUNT_SHIFT) & MASK;
    }

    function validated(Totals totals) internal pure returns (uint256) {
        return (Totals.unwrap(totals) >> VALIDATED_SHIFT) & MASK;
    }

    function isRolledBack(Totals totals) internal pure returns (bool) {
        return Totals.unwrap(totals) & ROLLED_BACK != 0;
    }

    /// @notice 18 bytes, left-aligned.
    function history(Totals totals) internal pure returns (bytes32) {
        return bytes32((Totals.unwrap(totals) >> HISTORY_SHIFT) << HISTORY_SHIFT);
    }

    /// @notice With one contribution more, at `time`.
    function withContribution(Totals totals, bytes32 key, uint256 time)
        internal
        pure
        returns (Totals)
    {
        if (totals.count() == MASK) revert TotalsFull();
        uint256 chain = uint256(_hash(totals.history(), key)) >> HISTORY_SHIFT;
        uint256 word = uint256(uint112(Totals.unwrap(totals)) >> COUNT_SHIFT) + 1;
        return Totals.wrap((chain << HISTORY_SHIFT) | (word << COUNT_SHIFT) | uint40(time));
    }

    /// @notice With one more that was validated: each contribution is once at most.
    function withValidated(Totals totals) internal pure returns (Totals) {
        unchecked {
            return Totals.wrap(Totals.unwrap(totals) + (1 << VALIDATED_SHIFT));
        }
    }

    function withRollBack(Totals totals) internal pure returns (Totals) {
        return Totals.wrap(Totals.unwrap(totals) | ROLLED_BACK);
    }

    function _hash(bytes32 left, bytes32 right) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            digest := keccak256(0x00, 0x40)
        }
    }
}
