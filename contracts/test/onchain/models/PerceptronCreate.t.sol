// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {Perceptron, Shape} from "../../../src/onchain/models/Perceptron.sol";
import {SparsePerceptron} from "../../../src/onchain/models/SparsePerceptron.sol";
import {PerceptronTest} from "./PerceptronTest.sol";

/// @notice What a perceptron may be made of, who it belongs to, and how it grows.
contract PerceptronCreateTest is PerceptronTest {
    /// @dev So that a revert of the constructor is one of a call.
    function make(Shape calldata shape) external returns (SparsePerceptron) {
        return new SparsePerceptron(shape, ENCODER);
    }

    function test_a_shape_out_of_range_is_refused() external {
        _refuse("classes", Shape(1, 10, 1, 8, false));
        _refuse("classes", Shape(256, 10, 1, 8, false));
        _refuse("features", Shape(2, 0, 1, 8, false));
        _refuse("features", Shape(2, 65_536, 1, 8, false));
        _refuse("one", Shape(2, 10, 0, 8, false));
        _refuse("one", Shape(2, 10, 32_768, 8, false));
        _refuse("weightBits", Shape(2, 10, 1, 0, false));
        _refuse("weightBits", Shape(2, 10, 1, 24, false));
        _refuse("weightBits", Shape(2, 10, 1, 64, true));
    }

    function _refuse(bytes32 name, Shape memory shape) private {
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelBadParameter.selector, name));
        this.make(shape);
    }

    function test_a_new_one_says_what_it_is_and_predicts_label_0() external {
        Perceptron model = this.make(Shape(255, 65_535, 32_767, 16, true));
        vm.assertEq(model.classes(), 255);
        vm.assertEq(model.features(), 65_535);
        vm.assertEq(model.one(), 32_767);
        vm.assertEq(model.weightBits(), 16);
        vm.assertTrue(model.averaged());
        vm.assertEq(bytes(model.encoder()), bytes(ENCODER), "encoder");
        vm.assertEq(model.deployer(), address(this));
        vm.assertEq(model.trainer(), address(0));
        model = _sparse(3, 10);
        vm.assertEq(model.predict(""), 0);
        vm.assertEq(model.predict(_x(0, 9)), 0);
    }

    function test_a_state_of_zeros_is_never_words_of_0() external {
        bytes memory words = _sparse(3, 25).state();
        bytes memory lanes = hex"808080808080808080808080808080808080808080808080";
        bytes memory full = bytes.concat(lanes, hex"8080808080808080");
        bytes memory rows = bytes.concat(hex"0019030080000000", lanes, full);
        rows = bytes.concat(rows, hex"0000000080000000", lanes, full);
        vm.assertEq(words, rows, "a new model's state");
    }

    // Bind

    function test_only_the_deployer_binds_a_trainer_and_only_once() external {
        SparsePerceptron model = new SparsePerceptron(Shape(2, 10, 1, 8, false), ENCODER);
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotDeployer.selector, MALLORY));
        model.bind(MALLORY);
        vm.expectRevert(
            abi.encodeWithSelector(IModel.ModelBadParameter.selector, bytes32("trainer"))
        );
        model.bind(address(0));
        vm.expectEmit(address(model));
        emit IModel.Bound(MALLORY);
        model.bind(MALLORY);
        vm.assertEq(model.trainer(), MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelAlreadyBound.selector, MALLORY));
        model.bind(address(this));
    }

    // Load

    function test_the_deployer_loads_before_bind_and_the_trainer_after_it() external {
        SparsePerceptron model = new SparsePerceptron(Shape(2, 10, 1, 8, false), ENCODER);
        bytes memory words = model.state();
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotDeployer.selector, MALLORY));
        model.load(0, words);
        words[8] = 0x85;
        vm.expectEmit(address(model));
        emit IModel.Loaded(0, words);
        model.load(0, words);
        vm.assertEq(model.state(), words, "the loaded state");
        vm.assertEq(model.predict(_x(0)), 1);
        model.bind(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotTrainer.selector, address(this)));
        model.load(0, words);
        vm.prank(MALLORY);
        model.load(0, words);
    }

    function test_words_that_are_no_part_of_the_state_are_refused() external {
        Perceptron model = _sparse(2, 30);
        bytes memory words = model.state();
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelBadLength.selector, 33));
        model.load(0, new bytes(33));
        vm.expectRevert(IModel.ModelBadState.selector);
        model.load(1, words);
        words[1] = 0x1f;
        vm.expectRevert(IModel.ModelBadState.selector);
        model.load(0, words);
        model.load(2, "");
        model.load(0, "");
    }

    // Grow

    function test_only_the_deployer_lets_it_grow_up_to_its_limits() external {
        Perceptron model = _sparse(2, 10);
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotDeployer.selector, MALLORY));
        model.addClasses(1);
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotDeployer.selector, MALLORY));
        model.addFeatures(1);
        vm.expectRevert(
            abi.encodeWithSelector(IModel.ModelBadParameter.selector, bytes32("classes"))
        );
        model.addClasses(254);
        vm.expectRevert(
            abi.encodeWithSelector(IModel.ModelBadParameter.selector, bytes32("features"))
        );
        model.addFeatures(65_526);
        vm.expectRevert(
            abi.encodeWithSelector(IModel.ModelBadParameter.selector, bytes32("features"))
        );
        model.addFeatures(type(uint256).max);
        vm.expectRevert(
            abi.encodeWithSelector(IModel.ModelBadParameter.selector, bytes32("classes"))
        );
        model.addClasses(type(uint256).max);
        vm.expectEmit(address(model));
        emit IModel.Grown(255, 10);
        model.addClasses(253);
        vm.expectEmit(address(model));
        emit IModel.Grown(255, 65_535);
        model.addFeatures(65_525);
    }

    function test_what_was_learnt_stays_and_what_is_new_can_be_learnt() external {
        Perceptron model = _sparse(2, 10);
        model.learn(_x(1, 2), 1);
        bytes memory before = model.state();
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelUnknownFeature.selector, 10));
        model.learn(_x(2, 10), 0);
        model.addFeatures(50);
        model.addClasses(1);
        vm.assertEq(model.widen(before), model.state(), "the old state in today's dimensions");
        vm.assertEq(model.predict(_x(1)), 1);
        vm.assertEq(model.learn(_x(2, 59), 2), 2);
        vm.assertEq(model.predict(_x(59)), 2);
        vm.assertEq(model.predict(_x(1)), 1);
    }

    function test_a_state_of_a_model_that_was_larger_cannot_be_widened() external {
        Perceptron model = _sparse(2, 10);
        bytes[3] memory wrong = [_sparse(3, 10).state(), _sparse(2, 11).state(), bytes("")];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(IModel.ModelBadState.selector);
            model.widen(wrong[i]);
        }
    }
}
