// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {Perceptron, Shape} from "../../../src/onchain/models/Perceptron.sol";
import {PerceptronTest} from "./PerceptronTest.sol";

/// @notice A contribution is judged by what the others taught, also if it is an update.
contract PerceptronAgreesTest is PerceptronTest {
    uint256 private constant TOKENS = 20;

    /// @dev The first 20 of 100 tokens, or from `from` on.
    function _text(uint256 from) private pure returns (bytes memory x) {
        for (uint256 i; i < TOKENS; ++i) {
            x = abi.encodePacked(x, uint16(from + i));
        }
    }

    /// @dev The published implementation asked the model as it was after it had learnt the lie.
    function test_a_lie_does_not_make_the_model_agree_with_itself() external {
        bool[2] memory variants = [false, true];
        for (uint256 i; i < 2; ++i) {
            Perceptron model = _make(true, Shape(2, 100, 1, 8, variants[i]));
            model.learn(_text(0), 1);
            bytes memory lie = _text(1);
            uint64 memo = model.learn(lie, 0);
            vm.assertTrue(memo != 0);
            if (!variants[i]) vm.assertEq(model.predict(lie), 0);
            vm.assertFalse(model.agrees(lie, 0, memo));
        }
    }

    function test_a_truth_agrees_as_soon_as_others_have_said_the_same() external {
        Perceptron model = _sparse(2, 100);
        uint64 memo = model.learn(_text(0), 1);
        vm.assertFalse(model.agrees(_text(0), 1, memo));
        model.learn(_entry(1, 5, 3), UPDATE);
        vm.assertTrue(model.agrees(_text(0), 1, memo));
    }

    function test_what_changed_nothing_is_judged_by_the_whole_model() external {
        Perceptron model = _sparse(2, 100);
        model.learn(_text(0), 1);
        vm.assertEq(model.learn(_text(3), 1), 0);
        vm.assertTrue(model.agrees(_text(3), 1, 0));
        vm.assertFalse(model.agrees(_text(3), 0, 0));
    }

    // Updates

    function test_an_update_that_is_none_is_refused() external {
        Perceptron model = _sparse(3, 10);
        bytes memory length = abi.encodeWithSelector(IModel.ModelBadLength.selector, 0);
        _refuse(model, "", length);
        length = abi.encodeWithSelector(IModel.ModelBadLength.selector, 6);
        _refuse(model, bytes.concat(_entry(1, 1, 1), hex"00"), length);
        bytes memory order = abi.encodeWithSelector(IModel.ModelNotAscending.selector);
        _refuse(model, bytes.concat(_entry(1, 1, 1), _entry(1, 1, 1)), order);
        _refuse(model, bytes.concat(_entry(1, 1, 1), _entry(1, 0, 1)), order);
        _refuse(model, bytes.concat(_entry(2, 1, 1), _entry(1, 3, 1)), order);
        _refuse(
            model, _entry(0, 1, 1), abi.encodeWithSelector(IModel.ModelUnknownLabel.selector, 0)
        );
        _refuse(
            model, _entry(3, 1, 1), abi.encodeWithSelector(IModel.ModelUnknownLabel.selector, 3)
        );
        bytes memory feature = abi.encodeWithSelector(IModel.ModelUnknownFeature.selector, 10);
        _refuse(model, _entry(1, 11, 1), feature);
    }

    function _refuse(Perceptron model, bytes memory x, bytes memory refused) private {
        bytes memory words = model.state();
        vm.expectRevert(refused);
        model.learn(x, UPDATE);
        vm.expectRevert(refused);
        model.agrees(x, UPDATE, 1);
        vm.expectRevert(refused);
        model.learnWith(words, x, UPDATE);
    }

    function test_an_update_moves_weights_and_biases_of_any_row() external {
        Perceptron model = _sparse(3, 50);
        bytes memory x = bytes.concat(_entry(1, 0, 300), _entry(1, 50, -7), _entry(2, 0, -1));
        x = bytes.concat(x, _entry(2, 24, 2), _entry(2, 25, 3));
        vm.assertEq(model.learn(x, UPDATE), 1);
        bytes memory words = model.state();
        vm.assertEq(uint8(words[6]), 1, "bias of row 1, high");
        vm.assertEq(uint8(words[7]), 44, "bias of row 1, low");
        vm.assertEq(uint8(words[8 + 49]), 121, "the last weight of row 1");
        vm.assertEq(uint8(words[64 + 7]), 255, "bias of row 2");
        vm.assertEq(uint8(words[64 + 8 + 23]), 130, "the last weight of row 2's first word");
        vm.assertEq(uint8(words[64 + 8 + 24]), 131, "the first weight of its second");
    }

    function test_an_update_agrees_by_its_product_with_the_others_weights() external {
        Perceptron model = _sparse(2, 10);
        bytes memory x = bytes.concat(_entry(1, 1, 2), _entry(1, 2, -1));
        vm.assertEq(model.learn(x, UPDATE), 1);
        vm.assertFalse(model.agrees(x, UPDATE, 1));
        vm.assertTrue(model.agrees(x, UPDATE, 0), "it does not count itself");
        model.learn(_entry(1, 1, 1), UPDATE);
        vm.assertTrue(model.agrees(x, UPDATE, 1), "2 * 1 is positive");
        model.learn(_entry(1, 2, 3), UPDATE);
        vm.assertFalse(model.agrees(x, UPDATE, 1));
    }

    function test_a_sample_and_the_update_that_it_is_agree_alike() external {
        Perceptron model = _sparse(2, 10);
        model.learn(_entry(1, 4, -3), UPDATE);
        bytes memory sample = _x(2, 3);
        bytes memory update = bytes.concat(_entry(1, 0, 1), _entry(1, 3, 1), _entry(1, 4, 1));
        bytes memory words = model.state();
        uint64 memo = model.learn(sample, 1);
        vm.assertEq(model.state(), model.learnWith(words, update, UPDATE), "another change");
        vm.assertTrue(model.agrees(sample, 1, memo) == model.agrees(update, UPDATE, 1));
        model.learn(_entry(1, 3, 9), UPDATE);
        vm.assertTrue(model.agrees(sample, 1, memo));
        vm.assertTrue(model.agrees(update, UPDATE, 1));
    }
}
