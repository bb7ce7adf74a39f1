// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DataHandler} from "./DataHandler.sol";
import {Versions} from "./Versions.sol";
import {IModel} from "./interfaces/IModel.sol";
import {Record, Records} from "./libraries/Records.sol";
import {Totals} from "./libraries/Totals.sol";

/// @title CollaborativeTrainer
/// @notice Contributions that a model learns: what every incentive mechanism builds on.
/// @dev The deployer makes the model, loads it, makes the trainer, and binds the model to it.
abstract contract CollaborativeTrainer is Versions {
    constructor(IModel model_) DataHandler(model_) {}

    /// @dev Makes the model learn the caller's data, and records them. The totals must be fresh
    /// from storage.
    function _add(Totals totals_, bytes calldata features, uint256 label, uint256 deposit)
        internal
        returns (uint256 nonce)
    {
        nonce = totals_.count();
        bytes32 key = _key(features, label, block.timestamp, msg.sender, nonce);
        _totals = totals_.withContribution(key, block.timestamp);
        _records[key] = Records.open(deposit, _learn(features, label));
        emit Added(nonce, msg.sender, block.timestamp, label, deposit, features);
    }

    /// @dev True if the model, without the contribution's own influence, gives it its label.
    function _agrees(
        bytes calldata features,
        uint256 label,
        uint256 nonce,
        Record record,
        bool isRolledBack
    ) internal view returns (bool isAgreed) {
        uint256 memo = _memoNow(record, nonce, isRolledBack);
        uint256 size = _encode(IModel.agrees.selector, features, label, memo);
        address target = address(model);
        assembly ("memory-safe") {
            let ok := staticcall(gas(), target, mload(0x40), size, 0, 0x20)
            if or(iszero(ok), lt(returndatasize(), 0x20)) {
                returndatacopy(mload(0x40), 0, returndatasize())
                revert(mload(0x40), returndatasize())
            }
            isAgreed := iszero(iszero(mload(0)))
        }
    }

    function _learn(bytes calldata features, uint256 label) private returns (uint64 memo) {
        uint256 size = _encode(IModel.learn.selector, features, label, 0);
        address target = address(model);
        assembly ("memory-safe") {
            let ok := call(gas(), target, 0, mload(0x40), size, 0, 0x20)
            if or(iszero(ok), lt(returndatasize(), 0x20)) {
                returndatacopy(mload(0x40), 0, returndatasize())
                revert(mload(0x40), returndatasize())
            }
            memo := and(mload(0), 0xffffffffffffffff)
        }
    }

    /// @dev Writes a call of the model into free memory, without allocating it: `(features, label,
    /// memo)`, and returns its length. Assembly, because data are the most of a call: they are
    /// copied once, and not padded. A function that takes no memo does not see it.
    function _encode(bytes4 selector, bytes calldata features, uint256 label, uint256 memo)
        private
        pure
        returns (uint256 size)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, selector)
            mstore(add(free, 0x04), 0x60)
            mstore(add(free, 0x24), label)
            mstore(add(free, 0x44), memo)
            mstore(add(free, 0x64), features.length)
            calldatacopy(add(free, 0x84), features.offset, features.length)
            size := add(0x84, features.length)
        }
    }
}
