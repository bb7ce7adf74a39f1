// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title Slots
/// @notice A member's one storage word per task, used again in every round: the round it last acted
/// in (32 bits) above what it did there (224 bits): the end of an open commitment, or a mark.
/// 0 means no seat. A word is never 0 while the seat is held, so writing it costs 5,000 gas.
library Slots {
    /// @notice Nothing open: the commitment was revealed, or the member has just joined.
    uint256 internal constant DONE = 1;
    /// @notice The validator attested.
    uint256 internal constant ATTESTED = 2;

    uint256 private constant ROUND_SHIFT = 224;

    function pack(uint256 round, uint256 mark) internal pure returns (uint256) {
        return (round << ROUND_SHIFT) | mark;
    }

    function packCommitment(uint256 round, bytes32 commitment) internal pure returns (uint256) {
        return pack(round, uint224(uint256(commitment)));
    }

    function roundOf(uint256 word) internal pure returns (uint256) {
        return word >> ROUND_SHIFT;
    }

    /// @notice True if the word holds a commitment of that round which is not revealed.
    function isOpen(uint256 word, uint256 round) internal pure returns (bool) {
        return roundOf(word) == round && uint224(word) > ATTESTED;
    }

    /// @notice True if a commitment cannot be mistaken for a mark.
    function isCommitment(bytes32 commitment) internal pure returns (bool) {
        return uint224(uint256(commitment)) > ATTESTED;
    }
}
