// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Perceptron, Shape} from "../../../src/onchain/models/Perceptron.sol";

/// @notice The perceptron as a book writes it: numbers in arrays, no words, no assembly. Index 0 of a
/// row is the bias, whose feature is `one`. What it says is what the contract must say.
contract PlainPerceptron {
    uint256 internal constant UPDATE = 65_535;

    bool public immutable sparse;
    Shape public shape;
    int256 public c = 1;
    /// @dev Row 0 stays 0.
    int256[][] public w;
    int256[][] public u;

    constructor(bool sparse_, Shape memory shape_) {
        sparse = sparse_;
        shape = shape_;
        for (uint256 k; k < shape_.classes; ++k) {
            w.push(new int256[](1 + shape_.features));
            u.push(new int256[](1 + shape_.features));
        }
    }

    function grow(uint256 classes, uint256 features) external {
        for (uint256 k; k < shape.classes; ++k) {
            for (uint256 i = shape.features; i < features; ++i) {
                w[k].push(0);
                u[k].push(0);
            }
        }
        for (uint256 k = shape.classes; k < classes; ++k) {
            w.push(new int256[](1 + features));
            u.push(new int256[](1 + features));
        }
        (shape.classes, shape.features) = (classes, features);
    }

    function predict(bytes calldata x) external view returns (uint256) {
        return _best(_scores(_sample(x), shape.averaged));
    }

    function learn(bytes calldata x, uint256 label) external returns (uint64 memo) {
        uint64 time = shape.averaged ? uint64(uint256(c)) << 8 : 0;
        if (label == UPDATE) {
            for (uint256 i; i < x.length; i += 5) {
                (uint256 row, uint256 index, int256 change) = _entry(x, i);
                _move(row, index, change);
            }
            return time | 1;
        }
        int256[] memory sample = _sample(x);
        uint256 winner = _best(_scores(sample, false));
        if (winner != label) {
            for (uint256 i; i < sample.length; ++i) {
                _move(label, i, sample[i]);
                _move(winner, i, -sample[i]);
            }
            memo = time | uint64(winner + 1);
        }
        if (shape.averaged) ++c;
    }

    function agrees(bytes calldata x, uint256 label, uint64 memo) external view returns (bool) {
        int256 own = memo == 0 ? int256(0) : int256(1);
        if (memo != 0 && shape.averaged) own = c - int256(uint256(memo >> 8));
        if (label == UPDATE) return _product(x, own) > 0;
        int256[] memory sample = _sample(x);
        int256[] memory scores = _scores(sample, shape.averaged);
        for (uint256 i; memo != 0 && i < sample.length; ++i) {
            scores[label] -= own * sample[i] * sample[i];
            scores[uint8(memo) - 1] += own * sample[i] * sample[i];
        }
        scores[0] = 0;
        return _best(scores) == label;
    }

    function _product(bytes calldata x, int256 own) private view returns (int256 sum) {
        for (uint256 i; i < x.length; i += 5) {
            (uint256 row, uint256 index, int256 change) = _entry(x, i);
            int256 weight = w[row][index];
            if (shape.averaged) weight = c * weight - u[row][index];
            sum += change * (weight - own * change);
        }
    }

    function _move(uint256 row, uint256 index, int256 change) private {
        if (row == 0) return;
        uint256 bits = index == 0 ? 32 : shape.weightBits;
        int256 most = int256(1 << (bits - 1)) - 1;
        int256 old = w[row][index];
        int256 next = old + change;
        next = next > most ? most : next < -most ? -most : next;
        w[row][index] = next;
        u[row][index] += (next - old) * c;
    }

    function _scores(int256[] memory sample, bool mean) private view returns (int256[] memory s) {
        s = new int256[](shape.classes);
        for (uint256 k = 1; k < s.length; ++k) {
            for (uint256 i; i < sample.length; ++i) {
                s[k] += (mean ? c * w[k][i] - u[k][i] : w[k][i]) * sample[i];
            }
        }
    }

    function _best(int256[] memory scores) private pure returns (uint256 best) {
        for (uint256 k; k < scores.length; ++k) {
            if (scores[k] > scores[best]) best = k;
        }
    }

    function _sample(bytes calldata x) private view returns (int256[] memory sample) {
        sample = new int256[](1 + shape.features);
        sample[0] = int256(shape.one);
        for (uint256 i; i < x.length; i += 2) {
            uint16 number = uint16(bytes2(x[i:i + 2]));
            if (sparse) sample[1 + number] = 1;
            else sample[1 + i / 2] = int16(number);
        }
    }

    function _entry(bytes calldata x, uint256 at)
        private
        pure
        returns (uint256 row, uint256 index, int256 change)
    {
        row = uint8(x[at]);
        index = uint16(bytes2(x[at + 1:at + 3]));
        change = int16(uint16(bytes2(x[at + 3:at + 5])));
    }

    // The state, as the contract's own page says

    function state() external view returns (bytes memory words) {
        for (uint256 k = 1; k < shape.classes; ++k) {
            bytes memory row = abi.encodePacked(
                uint16(k == 1 ? shape.features : 0),
                uint8(k == 1 ? shape.classes : 0),
                uint8(0),
                uint32(uint256(w[k][0] + (1 << 31)))
            );
            if (shape.averaged) {
                uint64 bias = uint64(uint256(u[k][0] + (1 << 63)));
                row = abi.encodePacked(row, bias, uint64(0), uint64(k == 1 ? uint256(c) : 0));
            }
            for (uint256 i = 1; i <= shape.features; ++i) {
                row = bytes.concat(row, _lane(w[k][i], u[k][i]));
            }
            while (row.length % 32 != 0) row = bytes.concat(row, _lane(0, 0));
            words = bytes.concat(words, row);
        }
    }

    function _lane(int256 weight, int256 sum) private view returns (bytes memory) {
        (uint256 bits, uint256 all) = (shape.weightBits, shape.weightBits);
        uint256 value = uint256(weight + int256(1 << (bits - 1)));
        if (shape.averaged) {
            all = bits == 32 ? 128 : 64;
            value |= uint256(sum + int256(1 << (all - bits - 1))) << bits;
        }
        bytes memory word = abi.encodePacked(value);
        bytes memory lane = new bytes(all / 8);
        for (uint256 i; i < lane.length; ++i) {
            lane[i] = word[32 - lane.length + i];
        }
        return lane;
    }
}
