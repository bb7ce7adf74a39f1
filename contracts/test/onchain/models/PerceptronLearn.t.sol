// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {Perceptron, Shape} from "../../../src/onchain/models/Perceptron.sol";
import {PerceptronTest} from "./PerceptronTest.sol";

/// @notice Samples and what they change. PerceptronDifferential says the same of any sequence.
contract PerceptronLearnTest is PerceptronTest {
    function test_only_the_trainer_makes_it_learn() external {
        Perceptron model = _sparse(2, 10);
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotTrainer.selector, MALLORY));
        model.learn(_x(1), 1);
    }

    function test_a_label_that_does_not_exist_is_refused() external {
        Perceptron model = _sparse(3, 10);
        bytes memory refused = abi.encodeWithSelector(IModel.ModelUnknownLabel.selector, 3);
        vm.expectRevert(refused);
        model.learn(_x(1), 3);
        vm.expectRevert(refused);
        model.agrees(_x(1), 3, 0);
        bytes memory words = model.state();
        vm.expectRevert(refused);
        model.learnWith(words, _x(1), 3);
    }

    function test_tokens_that_do_not_ascend_are_refused() external {
        Perceptron model = _sparse(2, 100);
        bytes[4] memory wrong = [_x(1, 1), _x(2, 1), _x(99, 3, 99), _x(40, 1)];
        for (uint256 i; i < 4; ++i) {
            _refuse(model, wrong[i], abi.encodeWithSelector(IModel.ModelNotAscending.selector));
        }
    }

    function test_tokens_that_are_no_features_are_refused() external {
        Perceptron model = _sparse(2, 100);
        bytes memory refused = abi.encodeWithSelector(IModel.ModelUnknownFeature.selector, 100);
        _refuse(model, _x(1, 100), refused);
        refused = abi.encodeWithSelector(IModel.ModelUnknownFeature.selector, 65_535);
        _refuse(model, _x(1, -1), refused);
    }

    function test_samples_of_a_wrong_length_are_refused() external {
        Perceptron model = _sparse(2, 100);
        _refuse(model, hex"000102", abi.encodeWithSelector(IModel.ModelBadLength.selector, 3));
        model = _dense(2, 2);
        bytes[3] memory wrong = [bytes(""), hex"000102", _x(1, 2, 3)];
        for (uint256 i; i < 3; ++i) {
            bytes memory refused =
                abi.encodeWithSelector(IModel.ModelBadLength.selector, wrong[i].length);
            _refuse(model, wrong[i], refused);
        }
    }

    function _refuse(Perceptron model, bytes memory x, bytes memory refused) private {
        bytes memory words = model.state();
        vm.expectRevert(refused);
        model.learn(x, 1);
        vm.expectRevert(refused);
        model.predict(x);
        vm.expectRevert(refused);
        model.agrees(x, 1, 1);
        vm.expectRevert(refused);
        model.predictWith(words, x);
        vm.expectRevert(refused);
        model.learnWith(words, x, 1);
    }

    function test_a_mistake_moves_two_rows_and_a_right_guess_none() external {
        Perceptron model = _sparse(3, 10);
        vm.assertEq(model.learn(_x(1, 3), 0), 0);
        vm.assertEq(model.learn(_x(1, 3), 1), 1);
        vm.assertEq(model.predict(_x(1, 3)), 1);
        vm.assertEq(model.learn(_x(1, 3), 1), 0);
        vm.assertEq(model.learn(_x(3, 4), 2), 2);
        bytes memory words = model.state();
        // Row 1: +1, -1 is a bias of 0; 1 for token 1; token 3 gained and lost; -1 for token 4.
        vm.assertEq(bytes32(words), _word(hex"000a030080000000808180807f80"));
        vm.assertEq(_second(words), _word(hex"0000000080000001808080818180"));
    }

    function _word(bytes memory head) private pure returns (bytes32) {
        while (head.length < 32) head = bytes.concat(head, hex"80");
        return bytes32(head);
    }

    function _second(bytes memory words) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(words, 0x40))
        }
    }

    function test_ties_go_to_the_lowest_label() external {
        Perceptron model = _sparse(4, 10);
        model.learn(bytes.concat(_entry(2, 1, 5), _entry(3, 1, 5)), UPDATE);
        vm.assertEq(model.predict(_x(0)), 2);
        vm.assertEq(model.predict(_x(1)), 0);
    }

    function test_an_empty_text_is_judged_by_the_biases() external {
        Perceptron model = _sparse(2, 10);
        vm.assertEq(model.learn("", 1), 1);
        vm.assertEq(model.predict(""), 1);
    }

    function test_features_left_out_at_the_end_are_0() external {
        Perceptron model = _dense(2, 20);
        model.learn(_x(3, -2), 1);
        vm.assertEq(model.predict(_x(3, -2)), model.predict(_x(3, -2, 0)));
        vm.assertEq(model.predict(_x(-3, 2)), 0);
        model.addFeatures(1_000);
        vm.assertEq(model.predict(_x(3, -2)), 1);
    }

    function test_weights_stay_within_their_width() external {
        Perceptron model = _sparse(2, 10);
        model.learn(_entry(1, 4, 130), UPDATE);
        model.learn(_entry(1, 5, -130), UPDATE);
        bytes memory words = model.state();
        vm.assertEq(uint8(words[8 + 3]), 255, "not +127");
        vm.assertEq(uint8(words[8 + 4]), 1, "not -127");
        // A bias out of the way of what follows.
        model.learn(_entry(1, 0, -1_000), UPDATE);
        vm.assertEq(model.learn(_x(3), 1), 1);
        vm.assertEq(uint8(model.state()[8 + 3]), 255, "more than +127");
        model.learn(_entry(1, 0, 2_000), UPDATE);
        vm.assertEq(model.learn(_x(4), 0), 2);
        vm.assertEq(uint8(model.state()[8 + 4]), 1, "less than -127");
    }

    function test_the_mean_of_the_weights_outlives_a_late_mistake() external {
        Perceptron model = _make(true, Shape(2, 10, 1, 16, true));
        vm.assertEq(model.learn(_x(1), 1), (1 << 8) | 1);
        for (uint256 i; i < 8; ++i) {
            vm.assertEq(model.learn(_x(1), 1), 0);
        }
        vm.assertEq(model.learn(_x(1), 0), (10 << 8) | 2);
        vm.assertEq(model.learn(_x(1), 1), (11 << 8) | 1, "mistakes are judged by the weights");
        model.learn(_x(1), 0);
        vm.assertEq(model.predict(_x(1)), 1, "predictions are made by their mean");
    }

    function test_the_counter_of_steps_has_an_end() external {
        Perceptron model = _make(true, Shape(2, 10, 1, 8, true));
        bytes memory words = model.state();
        (words[28], words[29], words[30], words[31]) = (0x7f, 0xff, 0xff, 0xff);
        model.load(0, words);
        vm.expectRevert(IModel.ModelFull.selector);
        model.learn(_x(1), 1);
        model.learn(_entry(1, 1, 1), UPDATE);
    }

    // States in memory

    function test_a_given_state_has_the_length_that_it_says() external {
        Perceptron model = _sparse(2, 30);
        bytes memory words = model.state();
        bytes memory longer = bytes.concat(words, bytes32(0));
        bytes memory headless = bytes.concat(bytes32(0), words);
        bytes[4] memory wrong = [bytes(""), longer, headless, new bytes(32)];
        for (uint256 i; i < 4; ++i) {
            vm.expectRevert(IModel.ModelBadState.selector);
            model.predictWith(wrong[i], _x(1));
            vm.expectRevert(IModel.ModelBadState.selector);
            model.learnWith(wrong[i], _x(1), 1);
        }
    }

    // Sketches

    function test_sketches_of_similar_samples_share_most_bits() external {
        Perceptron model = _sparse(2, 100);
        uint64 one = model.sketch(_x(7));
        vm.assertEq(one, uint64(1 << (uint256(keccak256(hex"0007")) % 64)));
        vm.assertEq(model.sketch(_x(7, 8)), one | model.sketch(_x(8)));
        vm.assertEq(model.sketch(""), 0);
        model = _dense(2, 100);
        vm.assertEq(model.sketch(_x(-5, 0, -1)), 5);
        vm.assertEq(model.sketch(abi.encodePacked(_x(-5), new bytes(126), _x(-1))), 0);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelBadLength.selector, 1));
        model.sketch(hex"01");
    }
}
