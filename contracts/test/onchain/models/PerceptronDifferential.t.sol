// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Perceptron, Shape} from "../../../src/onchain/models/Perceptron.sol";
import {PerceptronTest} from "./PerceptronTest.sol";
import {PlainPerceptron} from "./PlainPerceptron.sol";

/// @notice Sequences of everything that can happen to a model, beside the plain one: every prediction,
/// memo, agreement and word of the state is equal, and every step repeats on the state in memory.
contract PerceptronDifferentialTest is PerceptronTest {
    uint256 private constant STEPS = 24;

    Perceptron private model;
    PlainPerceptron private plain;
    bytes private x;
    uint256 private label;
    uint64 private memo;

    /// forge-config: onchain.fuzz.runs = 48
    function testFuzz_sparse(uint256 seed) external {
        _play(seed, true);
    }

    /// forge-config: onchain.fuzz.runs = 48
    function testFuzz_dense(uint256 seed) external {
        _play(seed, false);
    }

    function _play(uint256 from, bool sparse) private {
        uint256[1] memory seed = [from];
        Shape memory shape = Shape({
            classes: 2 + _draw(seed, 3),
            features: 1 + _draw(seed, 80),
            one: _draw(seed, 3) == 0 ? 256 : 1,
            weightBits: 8 << _draw(seed, 3),
            averaged: _draw(seed, 2) == 0
        });
        (model, plain) = (_make(sparse, shape), new PlainPerceptron(sparse, shape));
        for (uint256 step; step < STEPS; ++step) {
            (uint256 classes, uint256 features) = (model.classes(), model.features());
            if (_draw(seed, 12) == 0) _grow(_draw(seed, 2), _draw(seed, 70));
            // Now and then the same again, so that weights come to the end of their range.
            if (step == 0 || _draw(seed, 4) != 0) {
                label = _draw(seed, 5) == 0 ? UPDATE : _draw(seed, classes);
                x = label == UPDATE
                    ? _randomUpdate(seed, classes, features)
                    : _randomSample(seed, sparse, features);
            } else if (label != UPDATE) {
                label = _draw(seed, classes);
            }
            if (_draw(seed, 3) != 0) _learn();
            _compare();
        }
        vm.assertEq(model.state(), plain.state(), "state");
    }

    function _grow(uint256 classes, uint256 features) private {
        bytes memory before = model.state();
        model.addClasses(classes);
        model.addFeatures(features);
        plain.grow(model.classes(), model.features());
        vm.assertEq(model.widen(before), plain.state(), "widen");
    }

    function _learn() private {
        bytes memory before = model.state();
        memo = model.learn(x, label);
        vm.assertEq(memo, plain.learn(x, label), "memo");
        vm.assertEq(model.learnWith(before, x, label), model.state(), "learnWith");
    }

    function _compare() private view {
        bool agrees = model.agrees(x, label, memo);
        vm.assertTrue(agrees == plain.agrees(x, label, memo), "agrees");
        if (label == UPDATE) return;
        uint256 predicted = model.predict(x);
        vm.assertEq(predicted, plain.predict(x), "predict");
        vm.assertEq(model.predictWith(model.state(), x), predicted, "predictWith");
    }
}
