// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Perceptron} from "../../../src/onchain/models/Perceptron.sol";
import {PerceptronTest} from "./PerceptronTest.sol";

/// @notice What a sparse perceptron of 1,000 weights of 8 bits costs, as a transaction of its own (see
/// contracts/test/Gas.t.sol). The typical sample is 20 words of English prose in a vocabulary ordered
/// by frequency, whose weights lie in 10 slots (the median of 2,000 samples; with a vocabulary in no
/// order 16); the worst one's lie in 20.
contract PerceptronGasTest is PerceptronTest {
    string private constant GROUP = "Perceptron";

    Perceptron private model;
    bytes private typical;
    bytes private worst;

    function setUp() external {
        model = _sparse(2, 1_000);
        model.load(0, model.state());
        uint16[20] memory tokens =
            [0, 2, 4, 6, 9, 12, 15, 18, 20, 58, 146, 148, 332, 334, 344, 451, 531, 547, 607, 784];
        for (uint256 i; i < 20; ++i) {
            typical = abi.encodePacked(typical, tokens[i]);
            worst = abi.encodePacked(worst, uint16(i * 32));
        }
    }

    function test_a_model_of_1000_weights_is_deployed_for_less_than_3000000() external {
        // Of a creation forge does not keep the gas; this is 1,000 or so too much.
        uint256 before = gasleft();
        model = _sparse(2, 1_000);
        uint256 gas = before - gasleft();
        vm.snapshotValue(GROUP, "deploy: create", gas);
        bytes memory words = model.state();
        model.load(0, words);
        gas += _note("deploy: load 1,000 weights");

        vm.snapshotValue(GROUP, "deploy", gas);
        vm.assertLe(gas, 3_000_000, "a model of 1,000 weights costs more than 3,000,000 gas");
    }

    function test_learning_and_agreeing() external {
        _measure(typical, "typical");
        _measure(worst, "worst");
    }

    function _measure(bytes memory x, string memory kind) private {
        uint256 label = 1 - model.predict(x);
        _note(string.concat("predict, ", kind));
        uint64 memo = model.learn(x, label);
        _note(string.concat("learn a mistake, ", kind));
        model.agrees(x, label, memo);
        _note(string.concat("agrees, ", kind));
        model.learn(x, model.predict(x));
        _note(string.concat("learn nothing, ", kind));
    }

    function _note(string memory name) private returns (uint256 gas) {
        gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue(GROUP, name, gas);
    }
}
