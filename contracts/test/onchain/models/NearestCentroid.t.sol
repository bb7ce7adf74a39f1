// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {Model} from "../../../src/onchain/models/Model.sol";
import {NearestCentroid} from "../../../src/onchain/models/NearestCentroid.sol";
import {ModelBehaviour} from "./ModelBehaviour.sol";

/// @notice The means beside means that are worked out in arrays.
/// forge-config: default.fuzz.runs = 8
contract NearestCentroidTest is ModelBehaviour {
    int256[][] private _sums;
    int256[] private _samples;

    function _new(uint256 classes, uint256 features) internal override returns (Model) {
        return new NearestCentroid(classes, features, ENCODER);
    }

    /// @dev Now and then a sample ends early.
    function _sample(uint256 seed, uint256 features)
        internal
        pure
        override
        returns (bytes memory x)
    {
        if (seed % 7 == 0) features = 1 + seed % features;
        for (uint256 i; i < features; ++i) {
            x = abi.encodePacked(x, int16(uint16(_random(seed, i))));
        }
    }

    // The definition

    function _value(bytes memory x, uint256 i) private pure returns (int256) {
        if (2 * i >= x.length) return 0;
        return int16((uint16(uint8(x[2 * i])) << 8) | uint8(x[2 * i + 1]));
    }

    function _predictReference(bytes memory x) private view returns (uint256 label) {
        uint256 least = type(uint256).max;
        for (uint256 k; k < _sums.length; ++k) {
            int256 n = _samples[k];
            if (n == 0) continue;
            uint256 squares;
            for (uint256 i; i < FEATURES; ++i) {
                squares += uint256((n * _value(x, i) - _sums[k][i]) ** 2);
            }
            uint256 distance = (squares << 32) / uint256(n * n);
            if (distance < least) (least, label) = (distance, k);
        }
    }

    function testFuzz_it_predicts_as_the_definition_does(uint256 seed) external {
        uint256 classes = 2 + seed % 17;
        for (uint256 k; k < classes; ++k) {
            _sums.push(new int256[](FEATURES));
            _samples.push(0);
        }
        Model model = _taught(classes, FEATURES, 0, seed);
        for (uint256 i; i < 10; ++i) {
            uint256 next = _random(seed, i);
            bytes memory x = _sample(next, FEATURES);
            vm.assertEq(model.predict(x), _predictReference(x), "it predicts something else");
            uint256 label = _label(next, classes);
            vm.assertEq(model.learn(x, label), 1);
            ++_samples[label];
            for (uint256 j; j < FEATURES; ++j) {
                _sums[label][j] += _value(x, j);
            }
        }
    }

    // Learning

    function test_rows_are_laid_out_as_they_are_described() external {
        Model model = _taught(2, 7, 0, 0);
        model.learn(hex"0001fffe", 1);
        bytes memory expected = abi.encodePacked(
            uint16(7),
            uint8(2),
            bytes29(0),
            bytes32(0),
            uint32(0),
            uint32(1),
            int32(1),
            int32(-2),
            bytes16(0),
            bytes32(0)
        );
        vm.assertEq(model.state(), expected, "the words are not laid out as they are described");
    }

    function test_a_sum_saturates() external {
        Model model = _new(2, 2);
        model.load(
            1, abi.encodePacked(uint32(0), uint32(1), type(int32).max, -type(int32).max, bytes16(0))
        );
        model.bind(address(this));
        bytes memory x = hex"7fff8000";
        uint64 memo = model.learn(x, 1);
        bytes memory expected = abi.encodePacked(
            uint16(2),
            uint8(2),
            bytes29(0),
            uint32(0),
            uint32(2),
            type(int32).max,
            -type(int32).max,
            bytes16(0)
        );
        vm.assertEq(model.state(), expected, "a sum does not saturate");
        vm.assertTrue(model.agrees(x, 1, memo));
    }

    function test_a_class_with_4294967295_samples_is_full() external {
        Model model = _new(2, 2);
        model.load(1, abi.encodePacked(uint32(0), type(uint32).max, bytes24(0)));
        model.bind(address(this));
        vm.expectRevert(IModel.ModelFull.selector);
        model.learn(hex"0001", 1);
    }

    // Predicting

    function test_the_nearest_mean_wins_and_a_tie_goes_to_the_lower_label() external {
        Model model = _taught(3, 1, 0, 0);
        model.learn(abi.encodePacked(int16(100)), 1);
        model.learn(abi.encodePacked(int16(-100)), 2);
        vm.assertEq(model.predict(abi.encodePacked(int16(1))), 1);
        vm.assertEq(model.predict(abi.encodePacked(int16(-1))), 2);
        vm.assertEq(model.predict(abi.encodePacked(int16(0))), 1);
    }

    function test_a_lie_is_not_made_true_by_itself() external {
        Model model = _taught(2, 1, 0, 0);
        model.learn(abi.encodePacked(int16(-10)), 0);
        model.learn(abi.encodePacked(int16(20)), 1);
        bytes memory lie = abi.encodePacked(int16(-12));
        uint64 memo = model.learn(lie, 1);
        vm.assertFalse(model.agrees(lie, 1, memo));
    }

    function test_a_sample_that_ends_early_goes_on_with_zeros() external {
        Model model = _taught(2, 3, 0, 0);
        model.learn(hex"000100020000", 0);
        bytes memory words = model.state();
        Model other = _taught(2, 3, 0, 0);
        other.learn(hex"00010002", 0);
        vm.assertEq(other.state(), words, "zeros differ from nothing");
        vm.assertEq(model.sketch(hex"8001ffff"), 3);
    }

    // What is refused

    function test_an_empty_sample_and_one_with_too_many_values_are_refused() external {
        Model model = _taught(2, 2, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelBadLength.selector, uint256(0)));
        model.predict("");
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelBadLength.selector, uint256(6)));
        model.learn(hex"000100020003", 0);
        model.addFeatures(1);
        model.learn(hex"000100020003", 0);
    }
}
