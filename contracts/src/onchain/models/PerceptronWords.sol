// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";
import {Model} from "./Model.sol";

/// @notice What a perceptron is made of, given when it is created.
struct Shape {
    uint256 classes;
    uint256 features;
    /// @dev What the bias is multiplied with: 1, or the scale of features that have one. At most 32,767.
    uint256 one;
    /// @dev 8, 16 or 32.
    uint256 weightBits;
    /// @dev True to predict with the mean of the weights over time.
    bool averaged;
}

/// @title PerceptronWords
/// @notice How a perceptron's weights lie in 32-byte words, in storage or in memory.
///
/// Words of the state: rows 1 to K-1 of as many words each, read from the most significant bit on. A
/// row is a header of 64 bits (256 if averaged), one lane for every feature, and empty lanes:
///   header  features (16 bits, row 1 only), classes (8, row 1 only), 0 (8), bias (32),
///           and if averaged u of the bias (64), 0 (64), c (64, row 1 only)
///   lane    weight (8, 16 or 32 bits); if averaged u (56, 48 or 96) above it
/// Numbers are written plus half their range (a weight of 8 bits plus 128), because setting a slot that
/// holds 0 costs four times as much as changing one that does not. Weights and biases saturate at plus
/// and minus 2^(bits-1) - 1, so that no word that was written is 0: one that is was never written, and
/// stands for zeros. Row k lies at the slots from k * 2^64 on.
abstract contract PerceptronWords is Model {
    /// @dev So that u, which is at most c * 2^weightBits, fits in its lane.
    uint256 private constant STEPS_MAX = (1 << 31) - 1;

    /// @notice What the bias is multiplied with.
    uint256 public immutable one;
    /// @notice The bits of a weight.
    uint256 public immutable weightBits;
    /// @notice True if predictions are those of the weights' mean over time.
    bool public immutable averaged;

    uint256 internal immutable LANE_BITS;
    uint256 internal immutable HEADER_BITS;
    /// @dev What zeros are written as: a header (without dimensions and c), and a word of lanes.
    uint256 private immutable BLANK_HEADER;
    uint256 internal immutable BLANK;

    constructor(Shape memory shape, string memory encoder_) Model(encoder_) {
        uint256 bits = shape.weightBits;
        if (shape.one == 0 || shape.one > 32_767) revert ModelBadParameter("one");
        if (bits != 8 && bits != 16 && bits != 32) revert ModelBadParameter("weightBits");
        (one, weightBits, averaged) = (shape.one, bits, shape.averaged);
        uint256 laneBits = bits;
        uint256 lane = 1 << (bits - 1);
        if (shape.averaged) {
            laneBits = bits == 32 ? 128 : 64;
            lane |= 1 << (laneBits - 1);
        }
        uint256 blank;
        for (uint256 shift; shift < 256; shift += laneBits) {
            blank |= lane << shift;
        }
        uint256 header = (1 << 223) | (shape.averaged ? 1 << 191 : blank >> 64);
        (LANE_BITS, HEADER_BITS) = (laneBits, shape.averaged ? 256 : 64);
        (BLANK_HEADER, BLANK) = (header, blank);
        _resize(shape.averaged ? header | 1 : header, shape.classes, shape.features);
    }

    // What everybody may ask

    /// @inheritdoc IModel
    function classes() external view returns (uint256 count) {
        (count,) = _dimensions(_header(0));
    }

    /// @inheritdoc IModel
    function features() external view returns (uint256 count) {
        (, count) = _dimensions(_header(0));
    }

    /// @inheritdoc IModel
    function widen(bytes calldata older) external view returns (bytes memory words) {
        _checked(older);
        uint256 header = _header(0);
        (uint256 count, uint256 length) = _dimensions(header);
        uint256 olderHeader = uint256(bytes32(older[:32]));
        (uint256 olderCount, uint256 olderLength) = _dimensions(olderHeader);
        if (olderCount > count || olderLength > length) revert ModelBadState();
        (uint256 rowWords, uint256 olderWords) = (_rowWords(length), _rowWords(olderLength));
        words = new bytes((count - 1) * rowWords * 32);
        for (uint256 index; index < words.length / 32; ++index) {
            (uint256 row, uint256 at) = (index / rowWords, index % rowWords);
            uint256 word = at == 0 ? BLANK_HEADER : BLANK;
            if (row < olderCount - 1 && at < olderWords) {
                uint256 from = (row * olderWords + at) * 32;
                word = uint256(bytes32(older[from:from + 32]));
            }
            if (index == 0) word = ((header >> 232) << 232) | ((word << 24) >> 24);
            assembly ("memory-safe") {
                mstore(add(add(words, 0x20), shl(5, index)), word)
            }
        }
    }

    // Growing

    /// @inheritdoc IModel
    function addClasses(uint256 count) external onlyDeployer {
        _grow(count, 0);
    }

    /// @inheritdoc IModel
    function addFeatures(uint256 count) external onlyDeployer {
        _grow(0, count);
    }

    // Words

    /// @dev A row is a slot (2^64 or more) or an address in memory (less).
    function _read(uint256 row, uint256 at) internal view returns (uint256 word) {
        assembly ("memory-safe") {
            switch shr(64, row)
            case 0 { word := mload(add(row, shl(5, at))) }
            default { word := sload(add(row, at)) }
        }
        if (word == 0) word = at == 0 ? BLANK_HEADER : BLANK;
    }

    function _bias(uint256 word, uint256 c) internal pure returns (int256 bias) {
        unchecked {
            bias = int256(uint256(uint32(word >> 192))) - (1 << 31);
            if (c != 0) bias = int256(c) * bias - int256(uint256(uint64(word >> 128))) + (1 << 63);
        }
    }

    /// @dev What a lane holds above the number it stands for, `w`, or `c * w - u` if c is not 0.
    function _halves(uint256 c) internal view returns (int256 halves) {
        unchecked {
            halves = int256(1 << (weightBits - 1));
            if (c != 0) halves = halves * int256(c) - int256(1 << (LANE_BITS - weightBits - 1));
        }
    }

    function _weight(uint256 word, uint256 position, uint256 c)
        internal
        view
        returns (int256 weight)
    {
        unchecked {
            uint256 bits = weightBits;
            uint256 lane = (word << uint8(position)) >> (256 - LANE_BITS);
            weight = int256(lane & ((1 << bits) - 1));
            if (c != 0) weight = int256(c) * weight - int256(lane >> bits);
            weight -= _halves(c);
        }
    }

    /// @dev Moves the bias, and its u by c times as much as the bias has really moved.
    function _biasMoved(uint256 word, int256 change, uint256 c) internal pure returns (uint256) {
        unchecked {
            int256 old = int256(uint256(uint32(word >> 192)));
            int256 moved = _saturated(old + change, (1 << 32) - 1) - old;
            return word + (uint256(moved) << 192) + (uint256(moved) * c << 128);
        }
    }

    /// @dev Moves a weight, and its u by c times as much as the weight has really moved.
    function _laneMoved(uint256 word, uint256 position, int256 change, uint256 c)
        internal
        view
        returns (uint256)
    {
        unchecked {
            uint256 shift = 256 - LANE_BITS - uint8(position);
            uint256 mask = (1 << weightBits) - 1;
            int256 old = int256((word >> shift) & mask);
            uint256 moved = uint256(_saturated(old + change, int256(mask)) - old);
            return word + (moved << shift) + (moved * c << (shift + weightBits));
        }
    }

    function _saturated(int256 value, int256 most) private pure returns (int256) {
        return value > most ? most : value < 1 ? int256(1) : value;
    }

    // Dimensions and places

    /// @dev The header of row 1, as it is written. A source is 0 for storage, or where in memory a
    /// state's words begin.
    function _header(uint256 source) internal view returns (uint256 header) {
        assembly ("memory-safe") {
            switch source
            case 0 { header := sload(shl(64, 1)) }
            default { header := mload(source) }
        }
    }

    function _setHeader(uint256 header) internal {
        assembly ("memory-safe") {
            sstore(shl(64, 1), header)
        }
    }

    function _stepped(uint256 header) internal pure returns (uint256) {
        if (uint64(header) >= STEPS_MAX) revert ModelFull();
        return header + 1;
    }

    /// @dev A count that is no number of features is cut: it is refused all the same, and the sums
    /// cannot overflow.
    function _grow(uint256 moreClasses, uint256 moreFeatures) private {
        uint256 header = _header(0);
        (uint256 classes_, uint256 features_) = _dimensions(header);
        unchecked {
            classes_ += _cut(moreClasses);
            features_ += _cut(moreFeatures);
        }
        _resize(header, classes_, features_);
        emit Grown(classes_, features_);
    }

    function _cut(uint256 count) private pure returns (uint256) {
        return count > FEATURES_MAX ? FEATURES_MAX : count;
    }

    function _resize(uint256 header, uint256 classes_, uint256 features_) private {
        if (classes_ < 2 || classes_ > CLASSES_MAX) revert ModelBadParameter("classes");
        if (features_ == 0 || features_ > FEATURES_MAX) revert ModelBadParameter("features");
        _setHeader((features_ << 240) | (classes_ << 232) | ((header << 24) >> 24));
    }

    function _dimensions(uint256 header)
        private
        pure
        returns (uint256 classes_, uint256 features_)
    {
        return (uint8(header >> 232), header >> 240);
    }

    function _extent(uint256 header) internal view returns (uint256 classes_, uint256 rowWords) {
        return (uint8(header >> 232), _rowWords(header >> 240));
    }

    function _rowWords(uint256 features_) internal view returns (uint256) {
        unchecked {
            return (HEADER_BITS + features_ * LANE_BITS + 255) >> 8;
        }
    }

    function _row(uint256 source, uint256 row, uint256 rowWords) internal pure returns (uint256) {
        unchecked {
            return source == 0 ? row << 64 : source + 32 * (row - 1) * rowWords;
        }
    }

    function _checkLabel(uint256 header, uint256 label) internal pure {
        if (label >= uint8(header >> 232)) revert ModelUnknownLabel(label);
    }

    /// @dev A state in memory, if its length is what its header says.
    function _checked(bytes calldata words) internal view returns (bytes memory) {
        if (words.length < 32) revert ModelBadState();
        (uint256 count, uint256 rowWords) = _extent(uint256(bytes32(words[:32])));
        if (count < 2 || words.length != (count - 1) * rowWords * 32) revert ModelBadState();
        return words;
    }

    function _at(bytes memory words) internal pure returns (uint256 source) {
        assembly ("memory-safe") {
            source := add(words, 0x20)
        }
    }

    function _checkHeader(uint256 word) internal view override {
        if (word >> 232 != _header(0) >> 232) revert ModelBadState();
    }

    function _wordCount() internal view override returns (uint256) {
        (uint256 count, uint256 rowWords) = _extent(_header(0));
        return (count - 1) * rowWords;
    }

    function _slotOf(uint256 index) internal view override returns (uint256) {
        (, uint256 rowWords) = _extent(_header(0));
        return ((index / rowWords + 1) << 64) | (index % rowWords);
    }

    function _blank(uint256 index) internal view override returns (uint256) {
        (, uint256 rowWords) = _extent(_header(0));
        return index % rowWords == 0 ? BLANK_HEADER : BLANK;
    }
}
