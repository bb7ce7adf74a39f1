// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {KMeans} from "../../../src/onchain/models/KMeans.sol";
import {Model} from "../../../src/onchain/models/Model.sol";
import {NaiveBayes} from "../../../src/onchain/models/NaiveBayes.sol";
import {NearestCentroid} from "../../../src/onchain/models/NearestCentroid.sol";
import {SparseNearestCentroid} from "../../../src/onchain/models/SparseNearestCentroid.sol";
import {Vm} from "../../Vm.sol";

/// @notice What models of counts and means cost, as transactions of their own (see
/// contracts/test/Gas.t.sol): two classes, all counts loaded. The typical text is 20 words of English
/// prose in a vocabulary of 1,000 ordered by frequency; the worst one's lie in 20 slots.
contract ModelsGasTest {
    Vm private constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    string private constant GROUP = "Models";
    string private constant ENCODER = "vocabulary(cid=bafkreib)";

    uint16[20] private _typical =
        [0, 2, 4, 6, 9, 12, 15, 18, 20, 58, 146, 148, 332, 334, 344, 451, 531, 547, 607, 784];

    function _note(string memory name) private returns (uint256 gas) {
        gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue(GROUP, name, gas);
    }

    /// @dev A text of 20 tokens, each written in `entry` bytes.
    function _text(bool worst, uint256 entry) private view returns (bytes memory x) {
        for (uint256 i; i < 20; ++i) {
            x = abi.encodePacked(x, worst ? uint16(48 * i) : _typical[i]);
            if (entry == 3) x = abi.encodePacked(x, uint8(1));
        }
    }

    /// @dev 125 words in which every one of 1,000 tokens came 1 to 64 times in both classes.
    function _counts() private pure returns (bytes memory words) {
        words = new bytes(125 * 32);
        for (uint256 i; i < words.length; i += 2) {
            words[i + 1] = bytes1(uint8(uint256(keccak256(abi.encode(i))) % 64 + 1));
        }
    }

    /// @dev Names what loading a state costs, and what is done with the model then.
    function _measure(Model model, bytes memory words, bytes memory x, string memory kind) private {
        if (words.length != 0) {
            model.load(0, words);
            model.bind(address(this));
        }
        uint256 label = model.predict(x);
        _note(string.concat("predict, ", kind));
        uint64 memo = model.learn(x, label);
        _note(string.concat("learn, ", kind));
        model.agrees(x, label, memo);
        _note(string.concat("agrees, ", kind));
    }

    function _bayesWords() private pure returns (bytes memory) {
        bytes memory header = abi.encodePacked(
            uint16(1_000),
            uint8(2),
            uint8(8),
            uint32(0),
            uint24(800),
            uint40(32_000),
            uint24(800),
            uint40(32_000)
        );
        return bytes.concat(header, bytes8(0), _counts());
    }

    function test_naive_bayes_of_1000_tokens_is_deployed_for_less_than_4000000() external {
        // Of a creation forge does not keep the gas; this is 1,000 or so too much.
        uint256 before = gasleft();
        NaiveBayes code = new NaiveBayes(2, 1_000, ENCODER);
        vm.snapshotValue(GROUP, "naive Bayes: code, once on a chain", before - gasleft());
        NaiveBayes model = NaiveBayes(code.create(2, 1_000, ENCODER));
        uint256 gas = _note("naive Bayes: create");
        model.load(0, _bayesWords());
        gas += _note("naive Bayes: load 2 x 1,000 counts");
        model.bind(address(this));
        gas += _note("naive Bayes: bind");
        vm.snapshotValue(GROUP, "naive Bayes: create, load and bind", gas);
        vm.assertLe(gas, 4_000_000, "naive Bayes of 2 x 1,000 costs more than 4,000,000 gas");
    }

    function test_naive_bayes() external {
        NaiveBayes code = new NaiveBayes(2, 1_000, ENCODER);
        Model model = Model(code.create(2, 1_000, ENCODER));
        _measure(model, _bayesWords(), _text(false, 3), "naive Bayes, typical");
        _measure(model, "", _text(true, 3), "naive Bayes, worst");
        _measure(code, _bayesWords(), _text(false, 3), "naive Bayes that is no clone, typical");
    }

    function test_sparse_centroids() external {
        Model model = new SparseNearestCentroid(2, 1_000, ENCODER);
        bytes memory header = abi.encodePacked(
            uint16(1_000),
            uint8(2),
            uint8(8),
            bytes6(0),
            uint32(800),
            uint48(1e6),
            uint32(800),
            uint48(1e6),
            bytes2(0)
        );
        _measure(
            model, bytes.concat(header, _counts()), _text(false, 2), "sparse centroid, typical"
        );
        _measure(model, "", _text(true, 2), "sparse centroid, worst");
    }

    /// @dev As in scikit-learn's breast cancer data: 30 values, two classes.
    function test_dense_means_of_30_values() external {
        bytes memory x;
        for (uint256 i; i < 30; ++i) {
            x = abi.encodePacked(x, int16(int256(17 * i) - 250));
        }
        Model model = new NearestCentroid(2, 30, "quantise(scale=256)");
        model.bind(address(this));
        model.learn(x, 0);
        model.learn(x, 1);
        _measure(model, "", x, "nearest centroid of 30 values");
        model = new KMeans(2, 30, 0, "quantise(scale=256)");
        model.load(0, abi.encodePacked(uint16(30), uint8(2), uint8(0), uint32(1), bytes24(0)));
        model.bind(address(this));
        model.learn(x, 0);
        uint64 memo = model.learn(x, 0);
        _note("learn, k-means of 30 values");
        model.agrees(x, 0, memo);
        _note("agrees, k-means of 30 values");
        KMeans(address(model)).outlierScore(x);
        _note("outlierScore, k-means of 30 values");
    }
}
