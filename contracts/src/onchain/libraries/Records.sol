// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @notice The one word that the chain keeps of a contribution: from the top, what is left of the
/// deposit (96 bits), the deposit (96 bits) and the model's memo (64 bits). 0 is no contribution.
type Record is uint256;

using Records for Record global;

/// @title Records
/// @notice Reads and makes records.
library Records {
    uint256 private constant CLAIMABLE_SHIFT = 160;
    uint256 private constant INITIAL_SHIFT = 64;

    /// @dev Deposits fit in 96 bits: who asks for them sees to it.
    function open(uint256 deposit, uint64 memo_) internal pure returns (Record) {
        return Record.wrap((deposit << CLAIMABLE_SHIFT) | (deposit << INITIAL_SHIFT) | memo_);
    }

    function claimable(Record record) internal pure returns (uint256) {
        return Record.unwrap(record) >> CLAIMABLE_SHIFT;
    }

    function initial(Record record) internal pure returns (uint256) {
        return uint96(Record.unwrap(record) >> INITIAL_SHIFT);
    }

    function memo(Record record) internal pure returns (uint64) {
        return uint64(Record.unwrap(record));
    }

    /// @notice The record after `amount` of what is left was taken: nothing if that was all.
    function without(Record record, uint256 amount) internal pure returns (Record) {
        if (amount == record.claimable()) return Record.wrap(0);
        return Record.wrap(Record.unwrap(record) - (amount << CLAIMABLE_SHIFT));
    }

    function withMemo(Record record, uint64 memo_) internal pure returns (Record) {
        uint256 word = Record.unwrap(record);
        return Record.wrap((word - uint64(word)) | memo_);
    }
}
