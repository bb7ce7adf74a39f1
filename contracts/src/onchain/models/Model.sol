// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";

/// @title Model
/// @notice What all models share: who may do what, and the state as words of storage.
/// @dev A model says where in storage word number `index` of its state lies (`_slotOf`), how many words
/// there are (`_wordCount`) and what a word means that was never written (`_blank`). Words must lie at
/// slots from 2^64 on: those below belong to Solidity.
abstract contract Model is IModel {
    /// @notice The label of a contribution that is an update of the model, no data.
    uint256 internal constant UPDATE = 65_535;
    /// @notice Samples write a feature in 16 bits, and an update adds 1 to it.
    uint256 internal constant FEATURES_MAX = 65_535;
    /// @notice A memo writes a label plus 1 in 8 bits.
    uint256 internal constant CLASSES_MAX = 255;

    /// @inheritdoc IModel
    address public deployer;
    /// @inheritdoc IModel
    address public trainer;
    /// @inheritdoc IModel
    string public encoder;

    constructor(string memory encoder_) {
        deployer = msg.sender;
        encoder = encoder_;
    }

    modifier onlyDeployer() {
        if (msg.sender != deployer) revert ModelNotDeployer(msg.sender);
        _;
    }

    modifier onlyTrainer() {
        if (msg.sender != trainer) revert ModelNotTrainer(msg.sender);
        _;
    }

    /// @inheritdoc IModel
    function bind(address trainer_) external onlyDeployer {
        if (trainer != address(0)) revert ModelAlreadyBound(trainer);
        if (trainer_ == address(0)) revert ModelBadParameter("trainer");
        trainer = trainer_;
        emit Bound(trainer_);
    }

    /// @inheritdoc IModel
    function load(uint256 first, bytes calldata words) external {
        address trainer_ = trainer;
        if (trainer_ == address(0)) {
            if (msg.sender != deployer) revert ModelNotDeployer(msg.sender);
        } else if (msg.sender != trainer_) {
            revert ModelNotTrainer(msg.sender);
        }
        if (words.length % 32 != 0) revert ModelBadLength(words.length);
        uint256 end = first + words.length / 32;
        if (end > _wordCount()) revert ModelBadState();
        if (first == 0 && end > 0) _checkHeader(uint256(bytes32(words[:32])));
        for (uint256 index = first; index < end; ++index) {
            uint256 slot = _slotOf(index);
            assembly {
                sstore(slot, calldataload(add(words.offset, shl(5, sub(index, first)))))
            }
        }
        emit Loaded(first, words);
    }

    /// @inheritdoc IModel
    function state() external view returns (bytes memory words) {
        uint256 count = _wordCount();
        words = new bytes(count * 32);
        for (uint256 index; index < count; ++index) {
            uint256 slot = _slotOf(index);
            uint256 word;
            assembly ("memory-safe") {
                word := sload(slot)
            }
            if (word == 0) word = _blank(index);
            assembly ("memory-safe") {
                mstore(add(add(words, 0x20), shl(5, index)), word)
            }
        }
    }

    /// @dev Reverts with ModelBadState if the state's first word is one of other dimensions.
    function _checkHeader(uint256 word) internal view virtual;

    function _wordCount() internal view virtual returns (uint256);

    function _slotOf(uint256 index) internal view virtual returns (uint256);

    /// @dev What word number `index` is while its slot holds 0.
    function _blank(uint256 index) internal view virtual returns (uint256);
}
