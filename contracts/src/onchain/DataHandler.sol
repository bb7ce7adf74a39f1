// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDataHandler} from "./interfaces/IDataHandler.sol";
import {IModel} from "./interfaces/IModel.sol";
import {Record} from "./libraries/Records.sol";
import {Totals} from "./libraries/Totals.sol";

/// @title DataHandler
/// @notice Contributions and their records.
/// @dev A contribution costs one new word, and one that all contributions share.
abstract contract DataHandler is IDataHandler {
    /// @inheritdoc IDataHandler
    IModel public immutable model;
    /// @inheritdoc IDataHandler
    address public immutable deployer;

    Totals internal _totals;
    mapping(bytes32 key => Record) internal _records;

    constructor(IModel model_) {
        if (address(model_).code.length == 0) revert HandlerNoModel(address(model_));
        model = model_;
        deployer = msg.sender;
    }

    /// @inheritdoc IDataHandler
    function keyOf(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external pure returns (bytes32) {
        return _key(features, label, time, contributor, nonce);
    }

    /// @inheritdoc IDataHandler
    function recordOf(bytes32 key)
        external
        view
        returns (uint256 claimable, uint256 initial, uint256 memo)
    {
        Record record = _records[key];
        return (record.claimable(), record.initial(), record.memo());
    }

    /// @inheritdoc IDataHandler
    function totals() external view returns (uint256 lastTime, uint256 count, uint256 validated) {
        Totals totals_ = _totals;
        return (totals_.lastTime(), totals_.count(), totals_.validated());
    }

    /// @inheritdoc IDataHandler
    function history() external view returns (bytes32) {
        return _totals.history();
    }

    /// @inheritdoc IDataHandler
    function validatedOf(address account) external view returns (uint256) {
        return _validatedOf(account);
    }

    /// @dev The record of a contribution of which something is left.
    function _open(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) internal view returns (bytes32 key, Record record) {
        key = _key(features, label, time, contributor, nonce);
        record = _records[key];
        if (record.claimable() == 0) revert HandlerNoContribution(key);
    }

    /// @dev `time` is proved by a key before or after this; the sum cannot overflow then.
    function _requireAge(uint256 time, uint256 wait) internal view {
        unchecked {
            if (block.timestamp < time + wait) revert HandlerTooEarly(time + wait);
        }
    }

    function _close(bytes32 key) internal {
        _records[key] = Record.wrap(0);
    }

    /// @dev `keyOf` says what. Assembly, because every call does it: free memory is used, not
    /// allocated.
    function _key(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) internal pure returns (bytes32 key) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, features.offset, features.length)
            mstore(free, keccak256(free, features.length))
            mstore(add(free, 0x20), label)
            mstore(add(free, 0x40), time)
            mstore(add(free, 0x60), shr(96, shl(96, contributor)))
            mstore(add(free, 0x80), nonce)
            key := keccak256(free, 0xa0)
        }
    }

    function _validatedOf(address account) internal view virtual returns (uint256);
}
