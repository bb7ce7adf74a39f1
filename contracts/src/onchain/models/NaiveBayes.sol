// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Log2} from "../libraries/Log2.sol";
import {CountTable} from "./CountTable.sol";
import {CountWords} from "./CountWords.sol";

/// @title NaiveBayes
/// @notice Multinomial naive Bayes with the classes' shares as priors and one added to every count.
/// Class k has D documents, N tokens and c_i of them token i; with V features its score is
/// `L(D) + sum_i times_i * (L(c_i + 1) - L(N + V))`, where L is `Log2`. The highest score wins; a class
/// without documents never does, and if none has any the label is 0. Sums of logarithms do not
/// underflow, so a text may have any length.
///
/// A sample is entries of 3 bytes: token (16 bits), how often it comes (8; at least 1). The header has
/// for each class D (24 bits), N (40). All numbers saturate; D and N count also what a full count of a
/// token could not.
/// @dev Answers to texts so long that a product of likelihoods is 0, and to a contribution that makes
/// the model agree with itself. Not to many contributions that agree with each other.
contract NaiveBayes is CountTable {
    /// @dev Bytes of a token and how often it comes.
    uint256 private constant ENTRY = 3;
    uint256 private constant TOKENS_BITS = 40;
    uint256 private constant TOKENS_MAX = type(uint40).max;
    uint256 private constant DOCUMENTS_MAX = type(uint24).max;

    /// @param classes_ 2 to 255.
    /// @param features_ 1 to 65,535 tokens.
    /// @param encoder_ What makes tokens of text.
    constructor(uint256 classes_, uint256 features_, string memory encoder_)
        CountTable(classes_, features_, encoder_)
    {}

    /// @inheritdoc CountWords
    function _laneBits() internal pure override returns (uint256) {
        return 64;
    }

    /// @inheritdoc CountTable
    function _entryBytes() internal pure override returns (uint256) {
        return ENTRY;
    }

    /// @inheritdoc CountTable
    function _predict(Table memory table, bytes calldata x, uint256 without)
        internal
        view
        override
        returns (uint256 label)
    {
        _checkTokens(x, table.features);
        bytes memory logs = Log2.table();
        uint256[] memory sums = _sums(table, x, without, logs);
        uint256 length = _length(x);
        int256 best = type(int256).min;
        unchecked {
            for (uint256 k; k < sums.length; ++k) {
                (uint256 documents, uint256 tokens) = _totals(table, k);
                if (k == without) {
                    documents -= documents == 0 ? 0 : 1;
                    tokens -= tokens < length ? tokens : length;
                }
                if (documents == 0) continue;
                int256 score = int256(Log2.log2(logs, documents) + sums[k])
                    - int256(length * Log2.log2(logs, tokens + table.features));
                if (score > best) (best, label) = (score, k);
            }
        }
    }

    /// @inheritdoc CountTable
    function _learnt(uint256 lane, bytes calldata x, uint256)
        internal
        pure
        override
        returns (uint256)
    {
        (uint256 documents, uint256 tokens) = _split(lane);
        documents = Math.min(documents + 1, DOCUMENTS_MAX);
        tokens = Math.min(tokens + _length(x), TOKENS_MAX);
        return (documents << TOKENS_BITS) | tokens;
    }

    /// @inheritdoc CountTable
    function _added(uint256 count, uint256 times) internal pure override returns (uint256) {
        unchecked {
            return count + times > COUNT_MAX ? COUNT_MAX : count + times;
        }
    }

    /// @inheritdoc CountTable
    function _term(uint256 count, uint256 times, bytes memory logs)
        internal
        pure
        override
        returns (uint256)
    {
        unchecked {
            return times * Log2.log2(logs, count + 1);
        }
    }

    /// @dev The tokens of a text, each as often as it comes.
    function _length(bytes calldata x) private pure returns (uint256 length) {
        unchecked {
            for (uint256 at; at < x.length; at += ENTRY) {
                length += _times(x, at);
            }
        }
    }

    /// @inheritdoc CountTable
    function _split(uint256 lane)
        internal
        pure
        override
        returns (uint256 documents, uint256 tokens)
    {
        return (lane >> TOKENS_BITS, lane & TOKENS_MAX);
    }
}
