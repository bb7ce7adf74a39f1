// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";
import {IReplay} from "../interfaces/IReplay.sol";
import {PerceptronWords, Shape} from "./PerceptronWords.sol";

/// @title Perceptron
/// @notice The multi-class perceptron in integers: a row of weights and a bias for every class but
/// class 0, whose score is 0; the score of class k is `b_k * one + sum_i w_ki * x_i`, the highest wins.
/// It learns from its mistakes only: the right class's row gains the sample (and `one`), the row that
/// won loses it.
///
/// The averaged variant (Freund and Schapire, 1999) predicts with the mean of the weights over time. A
/// sum `u` of every change times the counter `c`, which starts at 1 and counts samples, makes that the
/// scores of `c * w - u`. Mistakes are judged by `w`.
///
/// An update of the model has the label 65535 and entries of 5 bytes, ascending in the first two: row
/// (8 bits), index (16; 0 is the bias, i + 1 feature i), and what to add (16, signed).
/// @dev Answers to contributions that teach the model to agree with them: `agrees` takes what a
/// contribution changed out again. Not to a crowd that says the same: each is judged by the others'.
abstract contract Perceptron is PerceptronWords, IReplay {
    uint256 private constant ENTRY_BYTES = 5;

    constructor(Shape memory shape, string memory encoder_) PerceptronWords(shape, encoder_) {}

    // What everybody may ask

    /// @inheritdoc IModel
    function predict(bytes calldata x) external view returns (uint256) {
        return _predict(0, x);
    }

    /// @inheritdoc IReplay
    function predictWith(bytes calldata words, bytes calldata x) external view returns (uint256) {
        return _predict(_at(_checked(words)), x);
    }

    /// @inheritdoc IModel
    /// @dev What a sample has added to the scores since is known from what won when it was learnt: its
    /// square (with `one`'s) for its label and against the label that won; times the steps since then
    /// if averaged. An update agrees if its product with the weights less itself is positive, which
    /// is the same rule. That a weight had saturated in between is not undone.
    function agrees(bytes calldata x, uint256 label, uint64 memo) external view returns (bool) {
        unchecked {
            uint256 header = _header(0);
            uint256 c = averaged ? uint64(header) : 0;
            int256 own;
            if (memo != 0) own = averaged ? int256(c) - int256(uint256(memo) >> 8) : int256(1);
            if (label == UPDATE) return _product(_deltas(0, header, x), c, own) > 0;
            _checkLabel(header, label);
            _checkSample(x, header >> 240);
            if (memo == 0) return _argmax(0, header, x, c, 0) == label;
            own *= int256(_square(x) + one * one);
            uint256 less = (uint256(own) << 16) | (label << 8) | uint8(memo - 1);
            return _argmax(0, header, x, c, less) == label;
        }
    }

    // Learning

    /// @inheritdoc IModel
    /// @return memo 0 if nothing was changed; else the label that won plus 1 (1 for an update), and from
    /// bit 8 on the counter c if averaged.
    function learn(bytes calldata x, uint256 label) external onlyTrainer returns (uint64 memo) {
        uint256 next;
        uint256 end;
        (memo, next, end) = _changes(0, x, label);
        assembly ("memory-safe") {
            for {} lt(next, end) { next := add(next, 0x40) } {
                sstore(mload(next), mload(add(next, 0x20)))
            }
        }
        if (averaged && label != UPDATE) _setHeader(_stepped(_header(0)));
    }

    /// @inheritdoc IReplay
    function learnWith(bytes calldata words, bytes calldata x, uint256 label)
        external
        view
        returns (bytes memory changed)
    {
        changed = _checked(words);
        uint256 source = _at(changed);
        // slither-disable-next-line unused-return
        (, uint256 next, uint256 end) = _changes(source, x, label);
        assembly ("memory-safe") {
            for {} lt(next, end) { next := add(next, 0x40) } {
                mstore(mload(next), mload(add(next, 0x20)))
            }
        }
        if (!averaged || label == UPDATE) return changed;
        uint256 header = _stepped(_header(source));
        assembly ("memory-safe") {
            mstore(source, header)
        }
    }

    // Samples

    /// @dev Reverts if `x` is no sample of so many features. The order is checked by `_score`.
    function _checkSample(bytes calldata x, uint256 features_) internal pure virtual;

    /// @dev The sum of the squares of the features.
    function _square(bytes calldata x) internal pure virtual returns (uint256);

    /// @dev The score of a row by its weights, or by `c * w - u` if c is not 0.
    function _score(uint256 row, bytes calldata x, uint256 c)
        internal
        view
        virtual
        returns (int256 total);

    /// @dev Adds the sample to a row, or takes it away, and writes what changes at `next`, of which it
    /// returns the end. If c is not 0 then u moves by c times what a weight has really moved.
    function _turn(uint256 row, bytes calldata x, int256 sign, uint256 c, uint256 next)
        internal
        view
        virtual
        returns (uint256);

    function _predict(uint256 source, bytes calldata x) private view returns (uint256) {
        uint256 header = _header(source);
        uint256 c = averaged ? uint64(header) : 0;
        _checkSample(x, header >> 240);
        return _argmax(source, header, x, c, 0);
    }

    /// @param less What a contribution has added to the score of a class and taken from that of the one
    /// that won: the amount, above 8 bits each for the two. Class 0 has no score to change.
    function _argmax(uint256 source, uint256 header, bytes calldata x, uint256 c, uint256 less)
        private
        view
        returns (uint256 best)
    {
        unchecked {
            (uint256 count, uint256 rowWords) = _extent(header);
            int256 most;
            for (uint256 class = 1; class < count; ++class) {
                int256 score = _score(_row(source, class, rowWords), x, c);
                if (class == uint8(less >> 8)) score -= int256(less) >> 16;
                if (class == uint8(less)) score += int256(less) >> 16;
                if (score > most) (most, best) = (score, class);
            }
        }
    }

    // Changes

    /// @dev What learning changes, in memory from `next` to `end`: pairs of a place (a slot, or an
    /// address in memory) and its new word.
    function _changes(uint256 source, bytes calldata x, uint256 label)
        private
        view
        returns (uint64 memo, uint256 next, uint256 end)
    {
        unchecked {
            uint256 header = _header(source);
            uint256 c = averaged ? uint64(header) : 0;
            if (label == UPDATE) {
                uint256[] memory deltas = _deltas(source, header, x);
                next = _reserve(deltas.length);
                return (uint64(1 | (c << 8)), next, _update(deltas, c, next));
            }
            _checkLabel(header, label);
            _checkSample(x, header >> 240);
            uint256 winner = _argmax(source, header, x, 0, 0);
            if (winner == label) return (0, 0, 0);
            memo = uint64((winner + 1) | (c << 8));
            next = end = _reserve(x.length + 2);
            uint256 rowWords = _rowWords(header >> 240);
            if (label != 0) end = _turn(_row(source, label, rowWords), x, 1, c, end);
            if (winner != 0) end = _turn(_row(source, winner, rowWords), x, -1, c, end);
        }
    }

    /// @dev Room for so many changes.
    function _reserve(uint256 count) private pure returns (uint256 next) {
        assembly ("memory-safe") {
            next := mload(0x40)
            mstore(0x40, add(next, shl(6, count)))
        }
    }

    /// @dev Adds an update to the rows, as `_turn` does.
    function _update(uint256[] memory deltas, uint256 c, uint256 next)
        private
        view
        returns (uint256)
    {
        unchecked {
            uint256 row;
            uint256 at;
            uint256 word;
            for (uint256 i; i < deltas.length; ++i) {
                uint256 delta = deltas[i];
                uint256 position = uint32(delta >> 16);
                if (delta >> 48 != row || position >> 8 != at) {
                    if (row != 0) next = _note(next, row, at, word);
                    (row, at) = (delta >> 48, position >> 8);
                    word = _read(row, at);
                }
                int256 change = int16(uint16(delta));
                word = position == 0
                    ? _biasMoved(word, change, c)
                    : _laneMoved(word, position, change, c);
            }
            return _note(next, row, at, word);
        }
    }

    /// @dev The product of an update and the weights less `own` times the update.
    function _product(uint256[] memory deltas, uint256 c, int256 own)
        private
        view
        returns (int256 sum)
    {
        unchecked {
            for (uint256 i; i < deltas.length; ++i) {
                uint256 position = uint32(deltas[i] >> 16);
                uint256 word = _read(deltas[i] >> 48, position >> 8);
                int256 weight = position == 0 ? _bias(word, c) : _weight(word, position, c);
                int256 change = int16(uint16(deltas[i]));
                sum += change * (weight - own * change);
            }
        }
    }

    /// @dev The entries of an update: what to add (16 bits), above it where in its row the lane begins
    /// (32 bits; 0 for the bias), above that the row's place. Reverts if `x` is no update.
    function _deltas(uint256 source, uint256 header, bytes calldata x)
        private
        view
        returns (uint256[] memory deltas)
    {
        unchecked {
            (uint256 count, uint256 rowWords) = _extent(header);
            deltas = new uint256[](x.length / ENTRY_BYTES);
            if (deltas.length == 0 || x.length % ENTRY_BYTES != 0) revert ModelBadLength(x.length);
            uint256 least;
            for (uint256 i; i < deltas.length; ++i) {
                uint256 entry;
                assembly ("memory-safe") {
                    entry := shr(216, calldataload(add(x.offset, mul(i, ENTRY_BYTES))))
                }
                (uint256 row, uint256 index) = (entry >> 32, uint16(entry >> 16));
                if (entry >> 16 < least) revert ModelNotAscending();
                if (row == 0 || row >= count) revert ModelUnknownLabel(row);
                if (index > header >> 240) revert ModelUnknownFeature(index - 1);
                least = (entry >> 16) + 1;
                deltas[i] = (_row(source, row, rowWords) << 48) | uint16(entry)
                    | (index == 0 ? 0 : ((index - 1) * LANE_BITS + HEADER_BITS) << 16);
            }
        }
    }

    /// @dev Writes one change at `next`, and returns where the following one goes.
    function _note(uint256 next, uint256 row, uint256 at, uint256 word)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 place = row >> 64 == 0 ? row + 32 * at : row + at;
            assembly ("memory-safe") {
                mstore(next, place)
                mstore(add(next, 0x20), word)
            }
            return next + 64;
        }
    }
}
