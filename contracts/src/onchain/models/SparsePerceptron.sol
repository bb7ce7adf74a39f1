// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";
import {Tokens} from "../libraries/Tokens.sol";
import {Perceptron, Shape} from "./Perceptron.sol";

/// @title SparsePerceptron
/// @notice A perceptron for features that are there or not: words of a text. A sample is the features
/// that are there, 2 bytes each, ascending; there may be none. See `Perceptron`.
/// @dev The loops are assembly, because they are what a contribution pays for besides storage. A
/// lane is found by its position in the row, in bits; a word is read once for all lanes wanted of it.
/// The row and what an empty word stands for wait in scratch space: the stack is full.
contract SparsePerceptron is Perceptron {
    constructor(Shape memory shape, string memory encoder_) Perceptron(shape, encoder_) {}

    /// @inheritdoc IModel
    function sketch(bytes calldata x) external pure returns (uint64) {
        return Tokens.sketch(x);
    }

    function _checkSample(bytes calldata x, uint256 features_) internal pure override {
        Tokens.checkLast(x, features_);
    }

    function _square(bytes calldata x) internal pure override returns (uint256) {
        return x.length >> 1;
    }

    function _score(uint256 row, bytes calldata x, uint256 c)
        internal
        view
        override
        returns (int256 total)
    {
        if (LANE_BITS == 8 && row >> 64 != 0) return _scoreBytes(row, x);
        uint256 word = _read(row, 0);
        unchecked {
            // Lanes hold weights plus half their range: less that much for every token.
            int256 halves = _halves(c) * int256(x.length >> 1);
            total = _bias(word, c) * int256(one) - halves;
        }
        (uint256 blank, uint256 bits) = (BLANK, weightBits);
        (uint256 lane, uint256 header) = (LANE_BITS, HEADER_BITS);
        bool disorder;
        assembly ("memory-safe") {
            mstore(0x00, row)
            mstore(0x20, blank)
            row := header // From here on the least position that a next token may have.
            let end := 256 // Of the word that is read.
            let aside := sub(256, lane)
            x.length := add(x.offset, x.length)
            if iszero(c) {
                // Without u only the end of a lane is wanted: begin there.
                header := add(header, sub(lane, bits))
                aside := sub(256, bits)
            }
            for {} lt(x.offset, x.length) { x.offset := add(x.offset, 2) } {
                let position := add(mul(shr(240, calldataload(x.offset)), lane), header)
                if iszero(lt(sub(position, row), sub(end, row))) {
                    if lt(position, row) { disorder := 1 }
                    end := shr(8, position)
                    word := mload(0x00)
                    switch shr(64, word)
                    case 0 { word := mload(add(word, shl(5, end))) }
                    default { word := sload(add(word, end)) }
                    if iszero(word) { word := mload(0x20) }
                    end := shl(8, add(end, 1))
                }
                row := add(position, 1)
                position := shr(aside, shl(and(position, 0xff), word)) // The lane there.
                if c {
                    let u := shr(bits, position)
                    position := sub(mul(c, sub(position, shl(bits, u))), u)
                }
                total := add(total, position)
            }
        }
        if (disorder) revert ModelNotAscending();
    }

    /// @dev `_score` of a row in storage whose lanes are bytes, which is what most ask for. The tokens are copied, with a 0 behind the last, which
    /// ascends from none: so one comparison a token finds the end of a word, the end of the data and
    /// what is out of order. `left` is how many tokens of the word are above this one.
    function _scoreBytes(uint256 row, bytes calldata x) private view returns (int256 total) {
        uint256 word = _read(row, 0);
        unchecked {
            total = _bias(word, 0) * int256(one) - int256(x.length << 6);
        }
        uint256 blank = BLANK;
        bool isEnd;
        assembly ("memory-safe") {
            let at := mload(0x40)
            let end := add(at, x.length)
            calldatacopy(at, x.offset, x.length)
            mstore(end, 0)
            let last := 23 // The last token of the word.
            let left := sub(last, shr(240, mload(at)))
            for {} lt(at, end) {} {
                for { let before := 32 } lt(left, before) {} {
                    total := add(total, byte(sub(31, left), word))
                    before := left
                    at := add(at, 2)
                    left := sub(last, shr(240, mload(at)))
                }
                if sgt(left, not(0)) { break }
                last := add(sub(last, left), 8) // The token's position in the row, in bytes.
                word := sload(add(row, shr(5, last)))
                left := and(not(last), 31)
                last := add(sub(last, 8), left)
                if iszero(word) { word := blank }
            }
            isEnd := eq(at, end)
        }
        if (!isEnd) revert ModelNotAscending();
    }

    /// @dev Weights move by 1, so that one at the end of its range stays where it is.
    function _turn(uint256 row, bytes calldata x, int256 sign, uint256 c, uint256 next)
        internal
        view
        override
        returns (uint256)
    {
        uint256 word;
        unchecked {
            word = _biasMoved(_read(row, 0), sign * int256(one), c);
        }
        (uint256 blank, uint256 bits) = (BLANK, weightBits);
        (uint256 lane, uint256 header) = (LANE_BITS, HEADER_BITS);
        assembly ("memory-safe") {
            mstore(0x00, row)
            mstore(0x20, blank)
            row := 0 // From here on the number of the word.
            let mask := sub(shl(bits, 1), 1)
            c := mul(sign, add(shl(bits, c), 1)) // From here on what is added to a lane.
            x.length := add(x.offset, x.length)
            for {} lt(x.offset, x.length) { x.offset := add(x.offset, 2) } {
                let shift := add(mul(shr(240, calldataload(x.offset)), lane), header)
                if xor(shr(8, shift), row) {
                    let place := mload(0x00)
                    mstore(add(next, 0x20), word)
                    switch shr(64, place)
                    case 0 {
                        mstore(next, add(place, shl(5, row)))
                        row := shr(8, shift)
                        word := mload(add(place, shl(5, row)))
                    }
                    default {
                        mstore(next, add(place, row))
                        row := shr(8, shift)
                        word := sload(add(place, row))
                    }
                    if iszero(word) { word := mload(0x20) }
                    next := add(next, 0x40)
                }
                shift := sub(sub(256, lane), and(shift, 0xff))
                let weight := add(and(shr(shift, word), mask), sign)
                if lt(sub(weight, 1), mask) { word := add(word, shl(shift, c)) }
            }
            c := row
            row := mload(0x00)
        }
        return _note(next, row, c, word);
    }
}
