// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";
import {IReplay} from "../interfaces/IReplay.sol";
import {Model} from "./Model.sol";

/// @title Centroids
/// @notice What the models of numbers share that keep means: for every row the sum of its samples and
/// how many they are. A sample is its values (16 bits each, signed); one that has fewer values (at
/// least one) than there are features goes on with zeros.
///
/// Words of the state, read from the most significant bit on: for each class the lanes (32 bits)
///   0       features (16 bits) | classes (8) | 0; in class 0 only, 0 in the others
///   1       n, how many samples
///   2 to 4  R (96 bits): k-means only
///   rest    S, the sums of the values, signed; they saturate at plus and minus (2^31 - 1)
/// Class k lies at slots (k + 1) * 2^64 and on. Words that are 0 mean zeros.
/// With n samples that sum up to S the squared distance of x is
/// `floor(2^32 * sum_i (n * x_i - S_i)^2 / n^2)`; without samples there is none.
abstract contract Centroids is Model, IReplay {
    /// @dev Where a state's words lie, in slots or in bytes of memory, and its dimensions.
    struct Rows {
        bool stored;
        uint256 start;
        /// @dev From one word to the next.
        uint256 unit;
        /// @dev From one class to the next.
        uint256 stride;
        uint256 classes;
        uint256 features;
    }

    uint256 private constant ROW_STRIDE = 1 << 64;
    uint256 private constant LANES_A_WORD = 8;
    uint256 private constant SAMPLES_SHIFT = 192;
    uint256 private constant SAMPLES_MAX = type(uint32).max;
    int256 private constant SUM_MAX = type(int32).max;
    /// @dev The distance of a class without samples.
    uint256 internal constant NEVER = type(uint256).max;

    constructor(uint256 classes_, uint256 features_, uint256 classesMin, string memory encoder_)
        Model(encoder_)
    {
        if (classes_ < classesMin || classes_ > CLASSES_MAX) revert ModelBadParameter("classes");
        if (features_ == 0 || features_ > FEATURES_MAX) revert ModelBadParameter("features");
        _grow(classes_, features_);
    }

    // Reading

    /// @inheritdoc IModel
    function classes() external view returns (uint256) {
        return _stored().classes;
    }

    /// @inheritdoc IModel
    function features() external view returns (uint256) {
        return _stored().features;
    }

    /// @inheritdoc IModel
    function predict(bytes calldata x) external view returns (uint256 label) {
        (label,) = _nearest(_stored(), x, NEVER);
    }

    /// @inheritdoc IReplay
    function predictWith(bytes calldata words, bytes calldata x)
        external
        view
        returns (uint256 label)
    {
        (label,) = _nearest(_given(words), x, NEVER);
    }

    /// @inheritdoc IModel
    /// @dev The sign of every value toggles one bit.
    function sketch(bytes calldata x) external view returns (uint64 bits) {
        _checkValues(_stored(), x);
        for (uint256 i; i < x.length / 2; ++i) {
            if (_value(x, i) < 0) bits ^= uint64(1) << uint64(i % 64);
        }
    }

    // Learning and growing

    /// @inheritdoc IModel
    function learn(bytes calldata x, uint256 label) external onlyTrainer returns (uint64 memo) {
        Rows memory rows = _stored();
        uint256 at;
        uint256[] memory words;
        (memo, at, words) = _changes(rows, x, label);
        for (uint256 i; i < words.length; ++i) {
            _store(at + i, words[i]);
        }
    }

    /// @inheritdoc IReplay
    function learnWith(bytes calldata words, bytes calldata x, uint256 label)
        external
        view
        returns (bytes memory next)
    {
        next = words;
        // What is remembered of a contribution is the caller's own affair.
        // slither-disable-next-line unused-return
        (, uint256 at, uint256[] memory changed) = _changes(_given(next), x, label);
        for (uint256 i; i < changed.length; ++i) {
            _setMemory(at + 32 * i, changed[i]);
        }
    }

    /// @inheritdoc IModel
    function addClasses(uint256 count) external onlyDeployer {
        Rows memory rows = _stored();
        if (count > CLASSES_MAX - rows.classes) revert ModelBadParameter("classes");
        _grow(rows.classes + count, rows.features);
    }

    /// @inheritdoc IModel
    function addFeatures(uint256 count) external onlyDeployer {
        Rows memory rows = _stored();
        if (count > FEATURES_MAX - rows.features) revert ModelBadParameter("features");
        _grow(rows.classes, rows.features + count);
    }

    /// @inheritdoc IModel
    function widen(bytes calldata older) external view returns (bytes memory wide) {
        Rows memory old = _given(older);
        Rows memory now_ = _stored();
        if (old.classes > now_.classes || old.features > now_.features) revert ModelBadState();
        uint256 row = 32 * _rowWords(now_.features);
        wide = new bytes(row * now_.classes);
        uint256 start;
        assembly ("memory-safe") {
            start := add(wide, 0x20)
        }
        for (uint256 k; k < old.classes; ++k) {
            for (uint256 at; at < old.stride; at += 32) {
                _setMemory(start + row * k + at, _read(old, old.start + old.stride * k + at));
            }
        }
        uint256 first = _read(now_, now_.start);
        assembly ("memory-safe") {
            mstore(start, or(shl(232, shr(232, first)), shr(24, shl(24, mload(start)))))
        }
    }

    // What a model of means says for itself

    /// @dev The lanes of a row before its sums: 2 or 5.
    function _headerLanes() internal pure virtual returns (uint256);

    /// @dev The words of the class that learns a sample, and where they begin.
    function _changes(Rows memory rows, bytes calldata x, uint256 label)
        internal
        view
        virtual
        returns (uint64 memo, uint256 at, uint256[] memory words);

    // For them

    function _checkLabel(uint256 classes_, uint256 label) internal pure {
        if (label == UPDATE) revert ModelNoUpdates();
        if (label >= classes_) revert ModelUnknownLabel(label);
    }

    function _checkValues(Rows memory rows, bytes calldata x) internal pure {
        bool fits = x.length != 0 && x.length % 2 == 0 && x.length <= 2 * rows.features;
        if (!fits) revert ModelBadLength(x.length);
    }

    /// @dev The nearest class and its distance: 0 and NEVER if there are no samples at all. `without` is
    /// the class that the sample is to be taken out of first, or NEVER.
    function _nearest(Rows memory rows, bytes calldata x, uint256 without)
        internal
        view
        returns (uint256 label, uint256 least)
    {
        _checkValues(rows, x);
        least = NEVER;
        for (uint256 k; k < rows.classes; ++k) {
            uint256 distance = _distance(rows, x, k, k == without);
            if (distance < least) (label, least) = (k, distance);
        }
    }

    /// @dev The squared distance of a sample to the mean of class `label`, times 2^32.
    function _distance(Rows memory rows, bytes calldata x, uint256 label, bool without)
        internal
        view
        returns (uint256)
    {
        unchecked {
            uint256 at = _rowAt(rows, label);
            uint256 word = _read(rows, at);
            int256 samples = int256(_samples(word));
            if (without && samples != 0) --samples;
            if (samples == 0) return NEVER;
            uint256 lane = _headerLanes();
            uint256 end = lane + rows.features;
            uint256 sum;
            for (uint256 i; lane < end; (++lane, ++i)) {
                if (lane % LANES_A_WORD == 0) word = _read(rows, at += rows.unit);
                int256 value = _value(x, i);
                int256 total = _sum(word, lane);
                if (without) total = _clip(total - value);
                // Less than 2^48, and there are less than 2^16 of them.
                int256 part = samples * value - total;
                sum += uint256(part * part);
            }
            return (sum << 32) / uint256(samples * samples);
        }
    }

    /// @dev A class's words with a sample added, and where they begin.
    function _addSample(Rows memory rows, bytes calldata x, uint256 label)
        internal
        view
        returns (uint256 at, uint256[] memory words)
    {
        _checkValues(rows, x);
        unchecked {
            at = _rowAt(rows, label);
            words = new uint256[](_rowWords(rows.features));
            for (uint256 i; i < words.length; ++i) {
                words[i] = _read(rows, at + i * rows.unit);
            }
            if (_samples(words[0]) == SAMPLES_MAX) revert ModelFull();
            words[0] += 1 << SAMPLES_SHIFT;
            uint256 lane = _headerLanes();
            for (uint256 i; i < x.length / 2; (++lane, ++i)) {
                uint256 word = words[lane / LANES_A_WORD];
                int256 total = _sum(word, lane);
                uint256 change = uint32(uint256(total ^ _clip(total + _value(x, i))));
                words[lane / LANES_A_WORD] = word ^ (change << _shift(lane));
            }
        }
    }

    /// @dev The first word of a class.
    function _rowAt(Rows memory rows, uint256 label) internal pure returns (uint256) {
        unchecked {
            return rows.start + label * rows.stride;
        }
    }

    /// @dev How many samples a class has that begins with `word`.
    function _samples(uint256 word) internal pure returns (uint256) {
        return uint32(word >> SAMPLES_SHIFT);
    }

    function _read(Rows memory rows, uint256 at) internal view returns (uint256 word) {
        if (rows.stored) {
            assembly ("memory-safe") {
                word := sload(at)
            }
        } else {
            assembly ("memory-safe") {
                word := mload(at)
            }
        }
    }

    /// @dev The model's own state.
    function _stored() internal view returns (Rows memory rows) {
        rows.stored = true;
        rows.start = ROW_STRIDE;
        rows.unit = 1;
        rows.stride = ROW_STRIDE;
        (rows.classes, rows.features) = _dimensions(_read(rows, ROW_STRIDE));
    }

    // Words

    /// @dev A state in memory, which is neither copied nor kept from being changed.
    function _given(bytes memory words) private pure returns (Rows memory rows) {
        uint256 start;
        uint256 first;
        assembly ("memory-safe") {
            start := add(words, 0x20)
            if mload(words) { first := mload(start) }
        }
        (rows.classes, rows.features) = _dimensions(first);
        rows.start = start;
        rows.unit = 32;
        rows.stride = 32 * _rowWords(rows.features);
        if (rows.classes == 0 || words.length != rows.stride * rows.classes) {
            revert ModelBadState();
        }
    }

    /// @dev Value number `i` of a sample: 0 after its end.
    function _value(bytes calldata x, uint256 i) private pure returns (int256 value) {
        assembly ("memory-safe") {
            if lt(shl(1, i), x.length) {
                value := signextend(1, shr(240, calldataload(add(x.offset, shl(1, i)))))
            }
        }
    }

    /// @dev The sum in lane number `lane` of a row, `word` being the word that has it.
    function _sum(uint256 word, uint256 lane) private pure returns (int256) {
        return int32(uint32(word >> _shift(lane)));
    }

    function _shift(uint256 lane) private pure returns (uint256) {
        unchecked {
            return 224 - 32 * (lane % LANES_A_WORD);
        }
    }

    function _clip(int256 sum) private pure returns (int256) {
        if (sum > SUM_MAX) return SUM_MAX;
        return sum < -SUM_MAX ? -SUM_MAX : sum;
    }

    function _dimensions(uint256 first) private pure returns (uint256 classes_, uint256 features_) {
        return ((first >> 232) & 0xff, first >> 240);
    }

    function _rowWords(uint256 features_) private pure returns (uint256) {
        return (_headerLanes() + features_ + LANES_A_WORD - 1) / LANES_A_WORD;
    }

    function _grow(uint256 classes_, uint256 features_) private {
        uint256 first = _read(_stored(), ROW_STRIDE);
        _store(ROW_STRIDE, (features_ << 240) | (classes_ << 232) | (first << 24 >> 24));
        emit Grown(classes_, features_);
    }

    function _store(uint256 slot, uint256 word) private {
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }

    /// @dev `at` is in memory that Solidity gave out.
    function _setMemory(uint256 at, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(at, word)
        }
    }

    /// @inheritdoc Model
    function _checkHeader(uint256 word) internal view override {
        if ((word ^ _read(_stored(), ROW_STRIDE)) >> 232 != 0) revert ModelBadState();
    }

    /// @inheritdoc Model
    function _wordCount() internal view override returns (uint256) {
        Rows memory rows = _stored();
        return rows.classes * _rowWords(rows.features);
    }

    /// @inheritdoc Model
    function _slotOf(uint256 index) internal view override returns (uint256) {
        uint256 first;
        assembly ("memory-safe") {
            first := sload(ROW_STRIDE)
        }
        (, uint256 features_) = _dimensions(first);
        uint256 words = _rowWords(features_);
        return (index / words + 1) * ROW_STRIDE + index % words;
    }

    /// @inheritdoc Model
    function _blank(uint256) internal pure override returns (uint256) {
        return 0;
    }
}
