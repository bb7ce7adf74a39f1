// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {Model} from "../../../src/onchain/models/Model.sol";
import {SparseNearestCentroid} from "../../../src/onchain/models/SparseNearestCentroid.sol";
import {ModelBehaviour} from "./ModelBehaviour.sol";

/// @notice The lazily scaled means beside means that are worked out in full.
/// forge-config: default.fuzz.runs = 8
contract SparseNearestCentroidTest is ModelBehaviour {
    uint256[][] private _sums;
    uint256[] private _samples;

    function _new(uint256 classes, uint256 features) internal override returns (Model) {
        return new SparseNearestCentroid(classes, features, ENCODER);
    }

    function _sample(uint256 seed, uint256 features)
        internal
        pure
        override
        returns (bytes memory x)
    {
        for (uint256 token; token < features; ++token) {
            if (_random(seed, token) % 3 == 0) {
                x = abi.encodePacked(x, uint16(token));
            }
        }
    }

    // The definition

    function _distanceReference(bytes memory x, uint256 k) private view returns (int256) {
        uint256 squares;
        for (uint256 i; i < _sums[k].length; ++i) {
            squares += _sums[k][i] ** 2;
        }
        uint256 total;
        for (uint256 at; at < x.length; at += 2) {
            total += _sums[k][_token(x, at)];
        }
        uint256 n = _samples[k];
        return int256((squares << 32) / n ** 2) - int256((total << 33) / n);
    }

    function _predictReference(bytes memory x) private view returns (uint256 label) {
        int256 least = type(int256).max;
        for (uint256 k; k < _sums.length; ++k) {
            if (_samples[k] == 0) continue;
            int256 distance = _distanceReference(x, k);
            if (distance < least) (least, label) = (distance, k);
        }
    }

    function _token(bytes memory x, uint256 at) private pure returns (uint256) {
        return (uint256(uint8(x[at])) << 8) | uint8(x[at + 1]);
    }

    function testFuzz_it_predicts_as_the_definition_does(uint256 seed) external {
        uint256 classes = 2 + seed % 17;
        for (uint256 k; k < classes; ++k) {
            _sums.push(new uint256[](FEATURES));
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
            for (uint256 at; at < x.length; at += 2) {
                ++_sums[label][_token(x, at)];
            }
        }
    }

    // Learning

    function test_the_header_keeps_samples_and_squares() external {
        Model model = _taught(2, 9, 0, 0);
        model.learn(hex"00000008", 1);
        model.learn(hex"0008", 1);
        (uint256 samples, uint256 squares) = SparseNearestCentroid(address(model)).totalsOf(1);
        vm.assertEq(samples, 2);
        vm.assertEq(squares, 1 + 4);
        bytes memory header = abi.encodePacked(
            uint16(9), uint8(2), uint8(8), bytes6(0), bytes10(0), uint32(2), uint48(5), bytes2(0)
        );
        bytes memory expected =
            bytes.concat(header, bytes32(uint256(1) << 224), bytes32(uint256(2) << 224));
        vm.assertEq(model.state(), expected, "the words are not laid out as they are described");
    }

    function test_a_sample_that_does_not_fit_is_refused() external {
        Model model = _new(2, 4);
        model.load(1, abi.encodePacked(uint16(0), type(uint16).max, bytes28(0)));
        model.bind(address(this));
        vm.expectRevert(IModel.ModelFull.selector);
        model.learn(hex"0000", 1);
        model.learn(hex"0000", 0);
        model.learn(hex"0001", 1);
    }

    function test_a_class_with_4294967295_samples_is_full() external {
        Model model = _new(2, 4);
        bytes memory header = abi.encodePacked(
            uint16(4), uint8(2), uint8(8), bytes6(0), type(uint32).max, uint48(0), bytes12(0)
        );
        model.load(0, header);
        model.bind(address(this));
        vm.expectRevert(IModel.ModelFull.selector);
        model.learn(hex"0000", 0);
    }

    // Predicting

    function test_the_nearest_mean_wins_and_a_tie_goes_to_the_lower_label() external {
        Model model = _taught(3, 10, 0, 0);
        model.learn(hex"00000001", 1);
        model.learn(hex"00020003", 2);
        vm.assertEq(model.predict(hex"0000"), 1);
        vm.assertEq(model.predict(hex"0002"), 2);
        vm.assertEq(model.predict(hex"0009"), 1);
        vm.assertEq(model.predict(""), 1);
    }

    function test_a_lie_is_not_made_true_by_itself() external {
        Model model = _taught(2, 10, 0, 0);
        model.learn(hex"00010002", 0);
        model.learn(hex"00050006", 1);
        bytes memory lie = hex"0001";
        uint64 memo = model.learn(lie, 1);
        vm.assertFalse(model.agrees(lie, 1, memo));
    }

    // What is refused

    function test_tokens_ascend() external {
        Model model = _taught(2, FEATURES, 4, 1);
        vm.expectRevert(IModel.ModelNotAscending.selector);
        model.predict(hex"00020001");
        vm.expectRevert(IModel.ModelNotAscending.selector);
        model.learn(hex"00020002", 1);
    }

    function test_a_token_beyond_the_features_is_refused_until_there_are_more() external {
        Model model = _taught(2, 5, 4, 1);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelUnknownFeature.selector, uint256(5)));
        model.learn(hex"0005", 1);
        model.addFeatures(1);
        model.learn(hex"0005", 1);
    }
}
