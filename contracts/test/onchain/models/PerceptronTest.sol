// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DensePerceptron} from "../../../src/onchain/models/DensePerceptron.sol";
import {Perceptron, Shape} from "../../../src/onchain/models/Perceptron.sol";
import {SparsePerceptron} from "../../../src/onchain/models/SparsePerceptron.sol";
import {Vm} from "../../Vm.sol";

/// @notice Perceptrons, samples and updates as the tests write them.
abstract contract PerceptronTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    address internal constant MALLORY = address(0x1005);
    uint256 internal constant UPDATE = 65_535;
    string internal constant ENCODER = "hashing(bits=10)";

    /// @dev A model of any kind that this test may teach.
    function _make(bool sparse, Shape memory shape) internal returns (Perceptron model) {
        if (sparse) model = new SparsePerceptron(shape, ENCODER);
        else model = new DensePerceptron(shape, ENCODER);
        model.bind(address(this));
    }

    function _sparse(uint256 classes, uint256 features) internal returns (Perceptron) {
        return _make(true, Shape(classes, features, 1, 8, false));
    }

    /// @dev `one` is 1, so that numbers stay small enough to follow.
    function _dense(uint256 classes, uint256 features) internal returns (Perceptron) {
        return _make(false, Shape(classes, features, 1, 32, false));
    }

    function _x(int16 a) internal pure returns (bytes memory) {
        return abi.encodePacked(a);
    }

    function _x(int16 a, int16 b) internal pure returns (bytes memory) {
        return abi.encodePacked(a, b);
    }

    function _x(int16 a, int16 b, int16 c) internal pure returns (bytes memory) {
        return abi.encodePacked(a, b, c);
    }

    function _entry(uint8 row, uint16 index, int16 change) internal pure returns (bytes memory) {
        return abi.encodePacked(row, index, change);
    }

    /// @dev Next number of a sequence, below `limit`.
    function _draw(uint256[1] memory seed, uint256 limit) internal pure returns (uint256) {
        seed[0] = uint256(keccak256(abi.encode(seed[0])));
        return seed[0] % limit;
    }

    function _randomSample(uint256[1] memory seed, bool sparse, uint256 features)
        internal
        pure
        returns (bytes memory x)
    {
        if (!sparse) {
            for (uint256 i = _draw(seed, features) + 1; i > 0; --i) {
                uint256 kind = _draw(seed, 4);
                int256 value = int256(_draw(seed, kind == 0 ? 65_536 : 21));
                value -= kind == 0 ? int256(32_768) : int256(10);
                x = abi.encodePacked(x, kind == 1 ? int16(0) : int16(value));
            }
            return x;
        }
        uint256 least = _draw(seed, 1 + features / 4);
        for (uint256 i = _draw(seed, 8); i > 0 && least < features; --i) {
            x = abi.encodePacked(x, uint16(least));
            least += 1 + _draw(seed, 1 + features / 4);
        }
    }

    function _randomUpdate(uint256[1] memory seed, uint256 classes, uint256 features)
        internal
        pure
        returns (bytes memory x)
    {
        uint256 row = 1 + _draw(seed, classes - 1);
        for (; row < classes; ++row) {
            uint256 index = _draw(seed, 2);
            for (uint256 i = 1 + _draw(seed, 5); i > 0 && index <= features; --i) {
                int16 change = int16(uint16(_draw(seed, 65_536)));
                if (_draw(seed, 2) == 0) change %= 20;
                x = abi.encodePacked(x, _entry(uint8(row), uint16(index), change));
                index += 1 + _draw(seed, 1 + features / 4);
            }
        }
    }
}
