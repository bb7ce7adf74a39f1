// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {Log2} from "../../../src/onchain/libraries/Log2.sol";
import {CountTable} from "../../../src/onchain/models/CountTable.sol";
import {Model} from "../../../src/onchain/models/Model.sol";
import {NaiveBayes} from "../../../src/onchain/models/NaiveBayes.sol";
import {ModelBehaviour} from "./ModelBehaviour.sol";

/// @notice Naive Bayes beside its definition: counts in arrays, scores summed as they are written down.
/// forge-config: default.fuzz.runs = 8
contract NaiveBayesTest is ModelBehaviour {
    uint256[][] private _counts;
    uint256[] private _documents;
    uint256[] private _tokens;

    function _new(uint256 classes, uint256 features) internal virtual override returns (Model) {
        return new NaiveBayes(classes, features, ENCODER);
    }

    /// @dev About every third token, one to three times, now and then 255 times.
    function _sample(uint256 seed, uint256 features)
        internal
        pure
        override
        returns (bytes memory x)
    {
        for (uint256 token; token < features; ++token) {
            uint256 chance = _random(seed, token);
            if (chance % 3 != 0) continue;
            uint256 times = chance % 89 == 0 ? 255 : 1 + (chance >> 128) % 3;
            x = abi.encodePacked(x, uint16(token), uint8(times));
        }
    }

    // The definition

    function _startReference(uint256 classes, uint256 features) private {
        for (uint256 k; k < classes; ++k) {
            _counts.push(new uint256[](features));
            _documents.push(0);
            _tokens.push(0);
        }
    }

    function _learnReference(bytes memory x, uint256 label) private {
        ++_documents[label];
        for (uint256 at; at < x.length; at += 3) {
            (uint256 token, uint256 times) = _entry(x, at);
            _tokens[label] += times;
            uint256 count = _counts[label][token] + times;
            _counts[label][token] = count > 65_535 ? 65_535 : count;
        }
    }

    function _predictReference(bytes memory x) private view returns (uint256 label) {
        bytes memory table = Log2.table();
        int256 best;
        bool found;
        for (uint256 k; k < _counts.length; ++k) {
            if (_documents[k] == 0) continue;
            int256 all = int256(Log2.log2(table, _tokens[k] + _counts[k].length));
            int256 score = int256(Log2.log2(table, _documents[k]));
            for (uint256 at; at < x.length; at += 3) {
                (uint256 token, uint256 times) = _entry(x, at);
                score += int256(times) * (int256(Log2.log2(table, _counts[k][token] + 1)) - all);
            }
            if (!found || score > best) (found, best, label) = (true, score, k);
        }
    }

    function _entry(bytes memory x, uint256 at)
        private
        pure
        returns (uint256 token, uint256 times)
    {
        return ((uint256(uint8(x[at])) << 8) | uint8(x[at + 1]), uint8(x[at + 2]));
    }

    function testFuzz_it_predicts_as_the_definition_does(uint256 seed) external {
        uint256 classes = 2 + seed % 17;
        _startReference(classes, FEATURES);
        Model model = _taught(classes, FEATURES, 0, seed);
        for (uint256 i; i < 10; ++i) {
            uint256 next = _random(seed, i);
            bytes memory x = _sample(next, FEATURES);
            vm.assertEq(model.predict(x), _predictReference(x), "it predicts something else");
            uint256 label = _label(next, classes);
            vm.assertEq(model.learn(x, label), 1);
            _learnReference(x, label);
            (uint256 documents, uint256 tokens) = NaiveBayes(address(model)).totalsOf(label);
            vm.assertEq(documents, _documents[label]);
            vm.assertEq(tokens, _tokens[label]);
        }
    }

    // Learning

    function test_counts_of_two_classes_lie_beside_each_other() external {
        Model model = _taught(2, 9, 0, 0);
        // Token 0 twice and token 8 three times in class 1; token 0 five times in class 0.
        model.learn(hex"000002000803", 1);
        model.learn(hex"000005", 0);
        bytes memory words = model.state();
        vm.assertEq(words.length, 3 * 32);
        bytes memory header = abi.encodePacked(
            uint16(9), uint8(2), uint8(8), uint32(0), uint24(1), uint40(5), uint24(1), uint40(5)
        );
        bytes memory expected = bytes.concat(
            header, bytes8(0), bytes32(uint256((5 << 16) | 2) << 224), bytes32(uint256(3) << 224)
        );
        vm.assertEq(words, expected, "the words are not laid out as they are described");
    }

    function test_a_count_saturates_and_the_tokens_of_the_class_do_not() external {
        Model model = _taught(2, 4, 0, 0);
        bytes memory word = abi.encodePacked(bytes2(0), bytes2(0xfff0), bytes28(0));
        model.addFeatures(0);
        bytes memory words = model.state();
        Model fresh = _new(2, 4);
        fresh.load(1, word);
        fresh.bind(address(this));
        fresh.learn(hex"0000ff", 1);
        words = fresh.state();
        vm.assertEq(uint256(uint8(words[34])) * 256 + uint8(words[35]), 65_535);
        (, uint256 tokens) = NaiveBayes(address(fresh)).totalsOf(1);
        vm.assertEq(tokens, 255);
    }

    function test_documents_and_tokens_saturate() external {
        NaiveBayes model = new NaiveBayes(2, 4, ENCODER);
        bytes memory header = abi.encodePacked(
            uint16(4), uint8(2), uint8(8), uint32(0), type(uint64).max, uint64(0), uint64(0)
        );
        model.load(0, header);
        model.bind(address(this));
        model.learn(hex"0000ff", 0);
        vm.assertEq(model.state(), bytes.concat(header, bytes32(uint256(255) << 240)), "overflow");
    }

    function test_only_the_label_and_its_counts_change() external {
        Model model = _taught(2, 16, 8, 7);
        bytes memory before = model.state();
        model.learn(hex"000301", 0);
        bytes memory later = model.state();
        uint256 changed;
        for (uint256 i; i < later.length; ++i) {
            if (later[i] != before[i]) ++changed;
        }
        // The counts of documents, of tokens and of token 3 in class 0 (no byte overflowed).
        vm.assertEq(changed, 3);
    }

    // Predicting

    function test_the_likelier_label_wins_and_a_tie_goes_to_the_lower() external {
        Model model = _taught(3, 10, 0, 0);
        model.learn(hex"000001", 1);
        model.learn(hex"000101", 2);
        vm.assertEq(model.predict(hex"000001"), 1);
        vm.assertEq(model.predict(hex"000101"), 2);
        vm.assertEq(model.predict(hex"000201"), 1);
        // Without a token only the classes' shares count.
        vm.assertEq(model.predict(""), 1);
        model.learn(hex"000301", 2);
        vm.assertEq(model.predict(""), 2);
    }

    /// @dev A product of 60,000 likelihoods has no fixed point; of 255 times 21 tokens neither.
    function test_a_long_text_is_as_easy_as_a_short_one() external {
        Model model = _taught(2, FEATURES, 0, 0);
        bytes memory long;
        for (uint256 token; token < FEATURES; ++token) {
            long = abi.encodePacked(long, uint16(token), uint8(255));
        }
        model.learn(long, 1);
        model.learn(hex"000001", 0);
        vm.assertEq(model.predict(long), 1);
        vm.assertEq(model.predict(hex"000001"), 0);
    }

    function test_a_lie_is_not_made_true_by_itself() external {
        Model model = _taught(2, 10, 0, 0);
        for (uint256 i; i < 3; ++i) {
            model.learn(hex"000101000201", 0);
            model.learn(hex"000501000601", 1);
        }
        bytes memory lie = hex"00010a00020a";
        uint64 memo = model.learn(lie, 1);
        vm.assertEq(model.predict(lie), 1);
        vm.assertFalse(model.agrees(lie, 1, memo));
        vm.assertTrue(model.agrees(lie, 1, 0));
    }

    function test_a_class_is_not_predicted_if_its_only_document_is_taken_out() external {
        Model model = _taught(2, 10, 0, 0);
        uint64 memo = model.learn(hex"000101", 1);
        vm.assertFalse(model.agrees(hex"000101", 1, memo));
        vm.assertTrue(model.agrees(hex"000101", 1, 0));
    }

    // What is refused

    function test_a_token_that_comes_0_times_is_refused() external {
        Model model = _taught(2, FEATURES, 4, 1);
        bytes memory refused =
            abi.encodeWithSelector(CountTable.CountTableZeroTimes.selector, uint256(2));
        vm.expectRevert(refused);
        model.predict(hex"000101000200");
        vm.expectRevert(refused);
        model.learn(hex"000101000200", 1);
    }

    function test_tokens_ascend() external {
        Model model = _taught(2, FEATURES, 4, 1);
        vm.expectRevert(IModel.ModelNotAscending.selector);
        model.predict(hex"000201000101");
        vm.expectRevert(IModel.ModelNotAscending.selector);
        model.learn(hex"000201000201", 1);
        vm.expectRevert(IModel.ModelNotAscending.selector);
        model.sketch(hex"000201000201");
    }

    function test_a_token_beyond_the_features_is_refused_until_there_are_more() external {
        Model model = _taught(2, 5, 4, 1);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelUnknownFeature.selector, uint256(5)));
        model.learn(hex"000501", 1);
        model.addFeatures(1);
        model.learn(hex"000501", 1);
    }

    function test_similar_texts_have_similar_sketches() external {
        Model model = _new(2, FEATURES);
        uint64 left = model.sketch(hex"000101000201");
        vm.assertEq(left, model.sketch(hex"0001ff000203"));
        vm.assertEq(left, model.sketch(hex"000101") | model.sketch(hex"000201"));
        uint256 bit = uint256(keccak256(abi.encodePacked(uint16(1)))) % 64;
        vm.assertEq(model.sketch(hex"000101"), 1 << bit);
        vm.assertEq(model.sketch(""), 0);
    }
}
