// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {IReplay} from "../../../src/onchain/interfaces/IReplay.sol";
import {KMeans} from "../../../src/onchain/models/KMeans.sol";
import {Model} from "../../../src/onchain/models/Model.sol";
import {ModelBehaviour} from "./ModelBehaviour.sol";

/// @notice Clusters: what moves them, and what is an outlier.
/// forge-config: default.fuzz.runs = 8
contract KMeansTest is ModelBehaviour {
    uint256 private constant LIMIT = 3 << 16;

    /// @dev Clusters with a sample each, so that something can be nearest.
    function _new(uint256 classes, uint256 features) internal override returns (Model model) {
        model = new KMeans(classes, features, LIMIT, ENCODER);
        uint256 words = (5 + features + 7) / 8;
        for (uint256 k; k < classes && classes < 100; ++k) {
            uint256 first = k == 0 ? (features << 240) | (classes << 232) : 0;
            first |= (1 << 192) | (2e9 << 96) | (uint32(int32(int256(9_000 * k))) << 64);
            model.load(k * words, abi.encodePacked(first));
        }
    }

    function _empty(uint256 classes, uint256 features) internal override returns (Model) {
        return new KMeans(classes, features, LIMIT, ENCODER);
    }

    function _sample(uint256 seed, uint256 features)
        internal
        pure
        override
        returns (bytes memory x)
    {
        for (uint256 i; i < features; ++i) {
            x = abi.encodePacked(x, int16(uint16(_random(seed, i))));
        }
    }

    function _label(uint256, uint256) internal pure override returns (uint256) {
        return 0;
    }

    function _wouldAgree(Model model, bytes memory x, uint256)
        internal
        view
        override
        returns (bool)
    {
        return KMeans(address(model)).outlierScore(x) <= LIMIT;
    }

    function _line(int256 left, int256 right) private returns (KMeans model) {
        model = new KMeans(2, 1, 0, ENCODER);
        bytes memory words = abi.encodePacked(
            uint16(1), uint8(2), uint8(0), uint32(2), uint96(200), int32(2 * left), bytes8(0)
        );
        model.load(0, words);
        words = abi.encodePacked(uint32(0), uint32(2), uint96(200), int32(2 * right), bytes8(0));
        model.load(1, words);
        model.bind(address(this));
    }

    function _x(int256 value) private pure returns (bytes memory) {
        return abi.encodePacked(int16(value));
    }

    // Learning

    function test_a_sample_moves_the_nearest_cluster() external {
        KMeans model = _line(-100, 100);
        uint64 memo = model.learn(_x(70), 0);
        vm.assertEq(memo, (900 << 8) | 2);
        (uint256 samples, uint256 spread) = model.totalsOf(1);
        vm.assertEq(samples, 3);
        vm.assertEq(spread, 1_100);
        // The right cluster is at 90 now: -5 is as far from it as from the left one.
        vm.assertEq(model.predict(_x(-5)), 0);
        vm.assertEq(model.predict(_x(-4)), 1);
    }

    function test_words_are_laid_out_as_they_are_described() external {
        KMeans model = _line(-100, 100);
        model.learn(_x(-90), 0);
        bytes memory expected = abi.encodePacked(
            uint16(1),
            uint8(2),
            uint8(0),
            uint32(3),
            uint96(300),
            int32(-290),
            bytes8(0),
            uint32(0),
            uint32(2),
            uint96(200),
            int32(200),
            bytes8(0)
        );
        vm.assertEq(model.state(), expected, "the words are not laid out as they are described");
    }

    function test_without_any_cluster_it_does_not_learn() external {
        KMeans model = new KMeans(2, 1, 0, ENCODER);
        model.bind(address(this));
        vm.expectRevert(IModel.ModelBadState.selector);
        model.learn(_x(1), 0);
        vm.expectRevert(IModel.ModelBadState.selector);
        model.outlierScore(_x(1));
        vm.assertFalse(model.agrees(_x(1), 0, 0));
        vm.assertEq(model.predict(_x(1)), 0);
    }

    // Outliers

    function test_the_outlier_score_is_the_distance_over_the_mean_distance() external {
        KMeans model = _line(-100, 100);
        // The mean distance is 100, the sample's 400.
        vm.assertEq(model.outlierScore(_x(120)), 4 << 16);
        vm.assertEq(model.limit(), 4 << 16);
        vm.assertTrue(model.agrees(_x(120), 0, 0));
        vm.assertFalse(model.agrees(_x(121), 0, 0));
    }

    function test_an_outlier_does_not_excuse_itself() external {
        KMeans model = _line(-100, 100);
        uint64 memo = model.learn(_x(400), 0);
        // Itself it moved the mean to 200 and the mean distance to 30,066.
        vm.assertTrue(model.agrees(_x(400), 0, 0));
        vm.assertFalse(model.agrees(_x(400), 0, memo));
    }

    function test_a_sample_is_judged_in_the_cluster_that_it_joined() external {
        KMeans model = _line(-100, 100);
        uint64 memo = model.learn(_x(-5), 0);
        vm.assertEq(memo & 0xff, 1);
        // A third of the left cluster's 9,225 is the mean distance; without it the sample is far away.
        vm.assertFalse(model.agrees(_x(-5), 0, memo));
        // Where it is judged is the memo's say: this one was at 100.
        vm.assertFalse(model.agrees(_x(100), 0, memo));
        vm.assertTrue(model.agrees(_x(100), 0, 0));
    }

    function test_a_cluster_of_one_has_no_opinion_of_it() external {
        KMeans model = new KMeans(1, 1, 0, ENCODER);
        bytes memory words =
            abi.encodePacked(uint16(1), uint8(1), uint8(0), uint32(1), uint96(7), bytes12(0));
        model.load(0, words);
        model.bind(address(this));
        vm.assertFalse(model.agrees(_x(0), 0, 1));
    }

    function test_a_memo_of_a_cluster_that_does_not_exist_is_not_agreed_with() external {
        KMeans model = _line(-100, 100);
        vm.assertFalse(model.agrees(_x(100), 0, 3));
        vm.assertFalse(model.agrees(_x(100), 0, 256));
    }

    function test_a_distance_that_is_too_large_is_bounded() external {
        KMeans model = new KMeans(1, 65_535, 0, ENCODER);
        vm.assertEq(model.features(), 65_535);
        // 65,535 values at a distance of 65,535 each are a square of less than 2^48: it always fits.
        vm.assertTrue(uint256(65_535) ** 3 < type(uint56).max);
    }

    // What is refused

    function test_a_label_but_0_is_refused() external {
        KMeans model = _line(-100, 100);
        bytes memory refused = abi.encodeWithSelector(IModel.ModelUnknownLabel.selector, uint256(1));
        vm.expectRevert(refused);
        model.learn(_x(1), 1);
        vm.expectRevert(refused);
        model.agrees(_x(1), 1, 0);
        bytes memory words = model.state();
        vm.expectRevert(refused);
        IReplay(address(model)).learnWith(words, _x(1), 1);
    }
}
