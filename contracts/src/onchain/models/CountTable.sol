// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";
import {IReplay} from "../interfaces/IReplay.sol";
import {CountWords} from "./CountWords.sol";

/// @title CountTable
/// @notice What the models of text share that count: for every token and class how often it came, and
/// a few sums about every class. A sample is its tokens in strictly ascending order. How a state is
/// written: see `CountWords`.
abstract contract CountTable is CountWords, IReplay {
    /// @dev A token that a sample says comes 0 times.
    error CountTableZeroTimes(uint256 token);

    uint256 internal constant COUNT_MAX = type(uint16).max;
    /// @dev Of `without`: nothing is taken out.
    uint256 internal constant NONE = type(uint256).max;

    constructor(uint256 classes_, uint256 features_, string memory encoder_)
        CountWords(classes_, features_, encoder_)
    {}

    // Reading

    /// @inheritdoc IModel
    function predict(bytes calldata x) external view returns (uint256) {
        return _predict(_stored(), x, NONE);
    }

    /// @inheritdoc IReplay
    function predictWith(bytes calldata words, bytes calldata x) external view returns (uint256) {
        return _predict(_given(words), x, NONE);
    }

    /// @inheritdoc IModel
    /// @dev Exactly the model that had not learnt the sample, unless a count is full.
    function agrees(bytes calldata x, uint256 label, uint64 memo) external view returns (bool) {
        Table memory table = _stored();
        _checkLabel(table, label);
        return _predict(table, x, memo == 0 ? NONE : label) == label;
    }

    /// @inheritdoc IModel
    /// @dev One bit for each token: the hash of its two bytes, modulo 64.
    function sketch(bytes calldata x) external view returns (uint64 bits) {
        _checkTokens(x, _stored().features);
        unchecked {
            for (uint256 at; at < x.length; at += _entryBytes()) {
                uint256 bit = uint256(keccak256(x[at:at + 2])) % 64;
                bits |= uint64(1 << bit);
            }
        }
    }

    /// @notice How many samples of a class were learnt, and what else the model sums up of a class.
    function totalsOf(uint256 label) external view returns (uint256 samples, uint256 rest) {
        Table memory table = _stored();
        _checkLabel(table, label);
        return _totals(table, label);
    }

    // Learning

    /// @inheritdoc IModel
    /// @return memo 1: the sample and its label say the rest.
    function learn(bytes calldata x, uint256 label) external onlyTrainer returns (uint64 memo) {
        uint256[] memory pairs = _changes(_stored(), x, label);
        for (uint256 i; i < pairs.length; i += 2) {
            _store(pairs[i], pairs[i + 1]);
        }
        return 1;
    }

    /// @inheritdoc IReplay
    function learnWith(bytes calldata words, bytes calldata x, uint256 label)
        external
        view
        returns (bytes memory next)
    {
        next = words;
        uint256[] memory pairs = _changes(_given(next), x, label);
        for (uint256 i; i < pairs.length; i += 2) {
            _setMemory(pairs[i], pairs[i + 1]);
        }
    }

    // What a model of counts says for itself

    /// @dev The bytes of a sample for each token.
    function _entryBytes() internal pure virtual returns (uint256);

    /// @dev The label that the words of `table` give, without the sample in class `without`.
    function _predict(Table memory table, bytes calldata x, uint256 without)
        internal
        view
        virtual
        returns (uint256 label);

    /// @dev A class's lane of the header, read.
    function _split(uint256 lane) internal pure virtual returns (uint256 samples, uint256 rest);

    /// @dev A class's lane of the header after it has learnt a sample; `sum` is what the class's counts
    /// of the sample's tokens added up to before.
    function _learnt(uint256 lane, bytes calldata x, uint256 sum)
        internal
        pure
        virtual
        returns (uint256);

    /// @dev A count, at most 65,535, after a sample in which the token comes `times` times.
    function _added(uint256 count, uint256 times) internal pure virtual returns (uint256);

    /// @dev What a count adds to its class's sum in a prediction. `aid` is what `_sums` was given.
    function _term(uint256 count, uint256 times, bytes memory aid)
        internal
        pure
        virtual
        returns (uint256);

    // For them

    /// @dev For every class the sum over the sample's tokens of `_term`, without one sample in class
    /// `without`.
    function _sums(Table memory table, bytes calldata x, uint256 without, bytes memory aid)
        internal
        view
        returns (uint256[] memory sums)
    {
        sums = new uint256[](table.classes);
        unchecked {
            for (uint256 at; at < x.length; at += _entryBytes()) {
                _addTerms(table, sums, _token(x, at), _times(x, at), without, aid);
            }
        }
    }

    /// @dev What the header says about a class.
    function _totals(Table memory table, uint256 label)
        internal
        view
        returns (uint256 samples, uint256 rest)
    {
        (uint256 at, uint256 shift) = _laneAt(table, label);
        return _split((_read(table, at) >> shift) & _laneMask());
    }

    // One token, one word

    /// @dev One token's part of `_sums`.
    function _addTerms(
        Table memory table,
        uint256[] memory sums,
        uint256 token,
        uint256 times,
        uint256 without,
        bytes memory aid
    ) private view {
        unchecked {
            uint256 word;
            uint256 shift;
            for (uint256 k; k < sums.length; ++k) {
                if (k % table.columns == 0) {
                    uint256 at;
                    (at, shift) = _countAt(table, token, k);
                    word = _read(table, at);
                }
                uint256 count = (word >> shift) & COUNT_MAX;
                shift -= 16;
                if (k == without) count = count > times ? count - times : 0;
                sums[k] += _term(count, times, aid);
            }
        }
    }

    /// @dev The words that change when a sample is learnt, each once: pairs of where and what.
    function _changes(Table memory table, bytes calldata x, uint256 label)
        private
        view
        returns (uint256[] memory pairs)
    {
        _checkLabel(table, label);
        _checkTokens(x, table.features);
        unchecked {
            pairs = new uint256[](2 * (x.length / _entryBytes() + 1));
            uint256 pair;
            assembly ("memory-safe") {
                pair := sub(pairs, 0x20)
            }
            uint256 last;
            uint256 sum;
            for (uint256 i; i < x.length; i += _entryBytes()) {
                (uint256 at, uint256 shift) = _countAt(table, _token(x, i), label);
                if (at != last) {
                    last = at;
                    pair += 64;
                    _setPair(pair, at, _read(table, at));
                }
                sum += _addTimes(pair, shift, _times(x, i));
            }
            pair += 64;
            _setHeader(pair, table, label, x, sum);
            assembly ("memory-safe") {
                mstore(pairs, add(shr(5, sub(pair, pairs)), 1))
            }
        }
    }

    /// @dev Adds to the count that lies above `shift` in a pair's word. Returns what it was.
    function _addTimes(uint256 pair, uint256 shift, uint256 times)
        private
        pure
        returns (uint256 count)
    {
        uint256 word;
        assembly ("memory-safe") {
            word := mload(add(pair, 0x20))
            count := and(shr(shift, word), 0xffff)
        }
        uint256 next = _added(count, times);
        assembly ("memory-safe") {
            mstore(add(pair, 0x20), xor(word, shl(shift, xor(count, next))))
        }
    }

    /// @dev The pair of the header's word after a sample.
    function _setHeader(
        uint256 pair,
        Table memory table,
        uint256 label,
        bytes calldata x,
        uint256 sum
    ) private view {
        (uint256 at, uint256 shift) = _laneAt(table, label);
        uint256 word = _read(table, at);
        uint256 lane = (word >> shift) & _laneMask();
        _setPair(pair, at, word ^ ((lane ^ _learnt(lane, x, sum)) << shift));
    }

    /// @dev `pair` is in memory that Solidity gave out.
    function _setPair(uint256 pair, uint256 at, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(pair, at)
            mstore(add(pair, 0x20), word)
        }
    }

    function _checkLabel(Table memory table, uint256 label) private pure {
        if (label == UPDATE) revert ModelNoUpdates();
        if (label >= table.classes) revert ModelUnknownLabel(label);
    }

    /// @dev Reverts unless tokens ascend, all below `limit`, and come at least once.
    function _checkTokens(bytes calldata x, uint256 limit) internal pure {
        uint256 entry = _entryBytes();
        if (x.length % entry != 0) revert ModelBadLength(x.length);
        uint256 least;
        bool ascending = true;
        bool present = true;
        assembly ("memory-safe") {
            let end := add(x.offset, x.length)
            for { let at := x.offset } lt(at, end) { at := add(at, entry) } {
                let head := calldataload(at)
                let token := shr(240, head)
                ascending := iszero(lt(token, least))
                // Entries of two bytes have no number of times.
                present := or(eq(entry, 2), iszero(iszero(byte(2, head))))
                least := add(token, 1)
                if iszero(and(ascending, present)) { break }
            }
        }
        if (!ascending) revert ModelNotAscending();
        if (!present) revert CountTableZeroTimes(least - 1);
        if (least > limit) revert ModelUnknownFeature(least - 1);
    }

    /// @dev The token that begins at byte `at` of a sample.
    function _token(bytes calldata x, uint256 at) internal pure returns (uint256 token) {
        assembly ("memory-safe") {
            token := shr(240, calldataload(add(x.offset, at)))
        }
    }

    /// @dev How often the token at byte `at` comes: the entry's third byte, or 1 if it has none.
    function _times(bytes calldata x, uint256 at) internal pure returns (uint256 times) {
        if (_entryBytes() == 2) return 1;
        assembly ("memory-safe") {
            times := byte(2, calldataload(add(x.offset, at)))
        }
    }

    function _laneMask() private pure returns (uint256) {
        return (1 << _laneBits()) - 1;
    }
}
