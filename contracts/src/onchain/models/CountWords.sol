// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IModel} from "../interfaces/IModel.sol";
import {Model} from "./Model.sol";

/// @title CountWords
/// @notice A table of counts of tokens and classes as words of storage, how it grows and how it is
/// deployed for less.
///
/// Words of the state, read from the most significant bit on:
///   header  lanes of 64 or 80 bits (the model says): features (16 bits) | classes (8) | t (8) | 0,
///           then one lane for each class
///   counts  for each group of t tokens, one word for each block of 16 / t classes: the counts (16
///           bits) of the group's first token, then the next token's
/// So all classes' counts of a token lie beside each other: predicting reads one slot a token, and
/// tokens that are often together (a vocabulary in order of frequency) share slots. A new model has
/// t = 16 / classes (at least 1), which never changes; classes that are added later fill what is left
/// of a block, then another. Header word w lies at slot 2^64 + w; group g's block b at slot
/// 2^65 + 256 * g + b. Words that are 0 mean zeros: nothing has to be loaded.
///
/// Most of what a deployment costs is code. `create` makes another model of the same code, for good,
/// with a state and a deployer of its own, and everybody pays some 3,000 gas a call for that.
abstract contract CountWords is Model {
    event Created(address indexed model, address indexed deployer);

    /// @dev Where a state's words lie, in slots or in bytes of memory, and its dimensions.
    struct Table {
        bool stored;
        uint256 header;
        uint256 counts;
        /// @dev From one word to the next.
        uint256 unit;
        /// @dev From one group of tokens to the next.
        uint256 stride;
        uint256 classes;
        uint256 features;
        /// @dev Tokens that share a word.
        uint256 tokens;
        /// @dev Classes whose counts of a token share a word.
        uint256 columns;
    }

    uint256 private constant HEADER = 1 << 64;
    uint256 private constant COUNTS = 1 << 65;
    uint256 private constant GROUP_STRIDE = 256;
    uint256 private constant COUNTS_A_WORD = 16;

    /// @dev Where this code is: in a clone another address than the model's.
    address private immutable CODE = address(this);

    constructor(uint256 classes_, uint256 features_, string memory encoder_) Model(encoder_) {
        _start(classes_, features_);
    }

    /// @notice Deploys another model of this code (a clone, EIP-1167); its deployer is the caller.
    function create(uint256 classes_, uint256 features_, string calldata encoder_)
        external
        returns (address model)
    {
        model = Clones.clone(CODE);
        emit Created(model, msg.sender);
        CountWords(model).initialise(msg.sender, classes_, features_, encoder_);
    }

    /// @notice What the constructor does, for a clone: `create` calls it, and nobody can again.
    function initialise(
        address deployer_,
        uint256 classes_,
        uint256 features_,
        string calldata encoder_
    ) external {
        if (deployer != address(0)) revert ModelNotDeployer(msg.sender);
        deployer = deployer_;
        encoder = encoder_;
        _start(classes_, features_);
    }

    /// @inheritdoc IModel
    function classes() external view returns (uint256) {
        return _stored().classes;
    }

    /// @inheritdoc IModel
    function features() external view returns (uint256) {
        return _stored().features;
    }

    /// @inheritdoc IModel
    function addClasses(uint256 count) external onlyDeployer {
        Table memory table = _stored();
        if (count > CLASSES_MAX - table.classes) revert ModelBadParameter("classes");
        _grow(table.classes + count, table.features, table.tokens);
    }

    /// @inheritdoc IModel
    function addFeatures(uint256 count) external onlyDeployer {
        Table memory table = _stored();
        if (count > FEATURES_MAX - table.features) revert ModelBadParameter("features");
        _grow(table.classes, table.features + count, table.tokens);
    }

    /// @inheritdoc IModel
    function widen(bytes calldata older) external view returns (bytes memory wide) {
        Table memory now_ = _stored();
        Table memory old = _given(older);
        if (old.classes > now_.classes || old.features > now_.features || old.tokens != now_.tokens)
        {
            revert ModelBadState();
        }
        uint256 first = _read(now_, HEADER) >> 224 << 224;
        wide = new bytes(32 * _wordCount());
        uint256 start;
        assembly ("memory-safe") {
            start := add(wide, 0x20)
            mstore(start, first)
        }
        Table memory next = _given(wide);
        unchecked {
            uint256 end = old.counts - old.header;
            for (uint256 at; at < end; at += 32) {
                _setMemory(start + at, _read(old, old.header + at));
            }
            end = older.length - end;
            for (uint256 at; at < end; at += 32) {
                uint256 to = next.counts + at / old.stride * next.stride + at % old.stride;
                _setMemory(to, _read(old, old.counts + at));
            }
        }
        // The old header came with the old dimensions.
        assembly ("memory-safe") {
            mstore(start, or(first, shr(32, shl(32, mload(start)))))
        }
    }

    /// @dev The bits of a lane of the header: at least 64, and not more than 85.
    function _laneBits() internal pure virtual returns (uint256);

    // For the models

    /// @dev One count: its word, and the bits below it.
    function _countAt(Table memory table, uint256 token, uint256 label)
        internal
        pure
        returns (uint256 at, uint256 shift)
    {
        uint256 columns = table.columns;
        uint256 tokens = table.tokens;
        uint256 stride = table.stride;
        uint256 unit = table.unit;
        at = table.counts;
        // Solidity would check four times that it does not divide by 0.
        assembly ("memory-safe") {
            at := add(at, mul(div(token, tokens), stride))
            at := add(at, mul(div(label, columns), unit))
            let column := add(mul(mod(token, tokens), columns), mod(label, columns))
            shift := sub(240, shl(4, column))
        }
    }

    /// @dev A class's lane of the header: its word, and the bits below it.
    function _laneAt(Table memory table, uint256 label)
        internal
        pure
        returns (uint256 at, uint256 shift)
    {
        unchecked {
            uint256 lanes = 256 / _laneBits();
            at = table.header + (label + 1) / lanes * table.unit;
            shift = 256 - _laneBits() * ((label + 1) % lanes + 1);
        }
    }

    /// @dev The model's own state.
    function _stored() internal view returns (Table memory table) {
        uint256 first;
        assembly ("memory-safe") {
            first := sload(HEADER)
        }
        _setDimensions(table, first);
        table.stored = true;
        table.header = HEADER;
        table.counts = COUNTS;
        table.unit = 1;
        table.stride = GROUP_STRIDE;
    }

    /// @dev A state in memory, which is neither copied nor kept from being changed.
    function _given(bytes memory words) internal pure returns (Table memory table) {
        uint256 start;
        uint256 first;
        assembly ("memory-safe") {
            start := add(words, 0x20)
            if mload(words) { first := mload(start) }
        }
        _setDimensions(table, first);
        if (table.columns == 0 || words.length != 32 * _wordsOf(table)) revert ModelBadState();
        unchecked {
            table.header = start;
            table.counts = start + 32 * _headerWords(table);
            table.unit = 32;
            table.stride = 32 * _blocks(table);
        }
    }

    function _read(Table memory table, uint256 at) internal view returns (uint256 word) {
        if (table.stored) {
            assembly ("memory-safe") {
                word := sload(at)
            }
        } else {
            assembly ("memory-safe") {
                word := mload(at)
            }
        }
    }

    function _store(uint256 slot, uint256 word) internal {
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }

    /// @dev `at` is in memory that Solidity gave out.
    function _setMemory(uint256 at, uint256 word) internal pure {
        assembly ("memory-safe") {
            mstore(at, word)
        }
    }

    // Dimensions

    function _setDimensions(Table memory table, uint256 first) private pure {
        table.features = first >> 240;
        table.classes = (first >> 232) & 0xff;
        table.tokens = (first >> 224) & 0xff;
        if (table.tokens != 0) table.columns = COUNTS_A_WORD / table.tokens;
    }

    function _start(uint256 classes_, uint256 features_) private {
        if (classes_ < 2 || classes_ > CLASSES_MAX) revert ModelBadParameter("classes");
        if (features_ == 0 || features_ > FEATURES_MAX) revert ModelBadParameter("features");
        _grow(classes_, features_, classes_ > COUNTS_A_WORD ? 1 : COUNTS_A_WORD / classes_);
    }

    function _grow(uint256 classes_, uint256 features_, uint256 tokens) private {
        uint256 first;
        assembly ("memory-safe") {
            first := shr(32, shl(32, sload(HEADER)))
        }
        _store(HEADER, (features_ << 240) | (classes_ << 232) | (tokens << 224) | first);
        emit Grown(classes_, features_);
    }

    function _headerWords(Table memory table) private pure returns (uint256) {
        return table.classes / (256 / _laneBits()) + 1;
    }

    /// @dev Blocks of classes.
    function _blocks(Table memory table) private pure returns (uint256) {
        return (table.classes + table.columns - 1) / table.columns;
    }

    function _wordsOf(Table memory table) private pure returns (uint256) {
        uint256 groups = (table.features + table.tokens - 1) / table.tokens;
        return _headerWords(table) + groups * _blocks(table);
    }

    /// @inheritdoc Model
    function _checkHeader(uint256 word) internal view override {
        if ((word ^ _read(_stored(), HEADER)) >> 224 != 0) revert ModelBadState();
    }

    /// @inheritdoc Model
    function _wordCount() internal view override returns (uint256) {
        return _wordsOf(_stored());
    }

    /// @inheritdoc Model
    function _slotOf(uint256 index) internal view override returns (uint256) {
        // No table in memory: this runs once for every word of a load or a copy.
        uint256 first;
        assembly ("memory-safe") {
            first := sload(HEADER)
        }
        unchecked {
            uint256 classes_ = (first >> 232) & 0xff;
            uint256 header = classes_ / (256 / _laneBits()) + 1;
            if (index < header) return HEADER + index;
            uint256 columns = COUNTS_A_WORD / ((first >> 224) & 0xff);
            uint256 blocks = (classes_ + columns - 1) / columns;
            index -= header;
            return COUNTS + index / blocks * GROUP_STRIDE + index % blocks;
        }
    }

    /// @inheritdoc Model
    function _blank(uint256) internal pure override returns (uint256) {
        return 0;
    }
}
