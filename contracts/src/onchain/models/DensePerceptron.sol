// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";
import {Vectors} from "../libraries/Vectors.sol";
import {Perceptron, Shape} from "./Perceptron.sol";

/// @title DensePerceptron
/// @notice A perceptron for features that are numbers. A sample is all features from the first on, 2
/// bytes each, signed; those left out at the end are 0. See `Perceptron`.
/// @dev Assembly as in SparsePerceptron. Features that are 0 are passed over, and so are words that
/// are wanted for such only.
contract DensePerceptron is Perceptron {
    constructor(Shape memory shape, string memory encoder_) Perceptron(shape, encoder_) {}

    /// @inheritdoc IModel
    function sketch(bytes calldata x) external pure returns (uint64) {
        return Vectors.sketch(x);
    }

    function _checkSample(bytes calldata x, uint256 features_) internal pure override {
        Vectors.check(x, features_);
    }

    function _square(bytes calldata x) internal pure override returns (uint256) {
        return Vectors.square(x);
    }

    function _score(uint256 row, bytes calldata x, uint256 c)
        internal
        view
        override
        returns (int256 total)
    {
        uint256 word = _read(row, 0);
        unchecked {
            total = _bias(word, c) * int256(one);
        }
        (uint256 blank, uint256 bits) = (BLANK, weightBits);
        (uint256 lane, uint256 position) = (LANE_BITS, HEADER_BITS);
        uint256 aside = 256 - (c == 0 ? bits : lane);
        int256 halves = _halves(c);
        assembly ("memory-safe") {
            mstore(0x00, row)
            mstore(0x20, blank)
            row := 0 // From here on the number of the word.
            // Without u only the end of a lane is wanted: begin there.
            if iszero(c) { position := add(position, sub(lane, bits)) }
            x.length := add(x.offset, x.length)
            for {} lt(x.offset, x.length) { x.offset := add(x.offset, 2) } {
                let value := shr(240, calldataload(x.offset))
                if value {
                    if xor(shr(8, position), row) {
                        row := shr(8, position)
                        word := mload(0x00)
                        switch shr(64, word)
                        case 0 { word := mload(add(word, shl(5, row))) }
                        default { word := sload(add(word, row)) }
                        if iszero(word) { word := mload(0x20) }
                    }
                    let weight := shr(aside, shl(and(position, 0xff), word))
                    if c {
                        let u := shr(bits, weight)
                        weight := sub(mul(c, sub(weight, shl(bits, u))), u)
                    }
                    total := add(total, mul(signextend(1, value), sub(weight, halves)))
                }
                position := add(position, lane)
            }
        }
    }

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
        (uint256 lane, uint256 position) = (LANE_BITS, HEADER_BITS);
        assembly ("memory-safe") {
            mstore(0x00, row)
            mstore(0x20, blank)
            row := 0 // From here on the number of the word.
            c := add(shl(bits, c), 1) // From here on what a lane moves by for each step of its weight.
            bits := sub(shl(bits, 1), 1) // From here on a weight's mask and its most.
            x.length := add(x.offset, x.length)
            for {} lt(x.offset, x.length) { x.offset := add(x.offset, 2) } {
                let weight := mul(sign, signextend(1, shr(240, calldataload(x.offset))))
                if weight {
                    if xor(shr(8, position), row) {
                        let place := mload(0x00)
                        mstore(add(next, 0x20), word)
                        switch shr(64, place)
                        case 0 {
                            mstore(next, add(place, shl(5, row)))
                            row := shr(8, position)
                            word := mload(add(place, shl(5, row)))
                        }
                        default {
                            mstore(next, add(place, row))
                            row := shr(8, position)
                            word := sload(add(place, row))
                        }
                        if iszero(word) { word := mload(0x20) }
                        next := add(next, 0x40)
                    }
                    let shift := sub(sub(256, lane), and(position, 0xff))
                    let old := and(shr(shift, word), bits)
                    weight := add(old, weight)
                    if slt(weight, 1) { weight := 1 }
                    if sgt(weight, bits) { weight := bits }
                    word := add(word, shl(shift, mul(sub(weight, old), c)))
                }
                position := add(position, lane)
            }
            c := row
            row := mload(0x00)
        }
        return _note(next, row, c, word);
    }
}
