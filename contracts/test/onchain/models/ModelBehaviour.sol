// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {IReplay} from "../../../src/onchain/interfaces/IReplay.sol";
import {Model} from "../../../src/onchain/models/Model.sol";
import {Vm} from "../../Vm.sol";

/// @notice What every model of counts and means does, whatever it computes.
abstract contract ModelBehaviour {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    address internal constant MALLORY = address(0x1005);
    uint256 internal constant UPDATE = 65_535;
    uint256 internal constant FEATURES = 21;
    string internal constant ENCODER = "hashing(bits=10)";

    /// @dev A model that this contract has deployed.
    function _new(uint256 classes, uint256 features) internal virtual returns (Model);

    /// @dev One that has nothing loaded either.
    function _empty(uint256 classes, uint256 features) internal virtual returns (Model) {
        return _new(classes, features);
    }

    /// @dev A sample of up to `features` features, a label that it may have.
    function _sample(uint256 seed, uint256 features) internal pure virtual returns (bytes memory);

    function _label(uint256 seed, uint256 classes) internal pure virtual returns (uint256) {
        return uint256(keccak256(abi.encode("label", seed))) % classes;
    }

    /// @dev What `agrees` has to say of a sample that the model has not learnt yet.
    function _wouldAgree(Model model, bytes memory x, uint256 label)
        internal
        view
        virtual
        returns (bool)
    {
        return model.predict(x) == label;
    }

    function _random(uint256 seed, uint256 i) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, i)));
    }

    /// @dev A model that has learnt `count` samples of this contract.
    function _taught(uint256 classes, uint256 features, uint256 count, uint256 seed)
        internal
        returns (Model model)
    {
        model = _new(classes, features);
        model.bind(address(this));
        _teach(model, count, seed);
    }

    function _teach(Model model, uint256 count, uint256 seed) internal {
        for (uint256 i; i < count; ++i) {
            uint256 next = _random(seed, i);
            model.learn(_sample(next, model.features()), _label(next, model.classes()));
        }
    }

    // Who may do what

    function test_only_the_trainer_makes_it_learn() external {
        Model model = _new(2, FEATURES);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotTrainer.selector, address(this)));
        model.learn(_sample(1, FEATURES), 0);
        model.bind(address(this));
        model.learn(_sample(1, FEATURES), 0);
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotTrainer.selector, MALLORY));
        model.learn(_sample(1, FEATURES), 0);
    }

    function test_only_the_deployer_lets_it_grow() external {
        Model model = _new(2, FEATURES);
        bytes memory refused = abi.encodeWithSelector(IModel.ModelNotDeployer.selector, MALLORY);
        vm.prank(MALLORY);
        vm.expectRevert(refused);
        model.addClasses(1);
        vm.prank(MALLORY);
        vm.expectRevert(refused);
        model.addFeatures(1);
    }

    function test_dimensions_have_limits() external {
        vm.expectRevert(_badParameter("classes"));
        this.deploy(0, FEATURES);
        vm.expectRevert(_badParameter("classes"));
        this.deploy(256, FEATURES);
        vm.expectRevert(_badParameter("features"));
        this.deploy(2, 0);
        vm.expectRevert(_badParameter("features"));
        this.deploy(2, 65_536);
        Model model = _new(255, 65_535);
        vm.expectRevert(_badParameter("classes"));
        model.addClasses(1);
        vm.expectRevert(_badParameter("features"));
        model.addFeatures(1);
        vm.expectRevert(_badParameter("features"));
        model.addFeatures(type(uint256).max);
    }

    /// @dev So that a revert of the constructor is one of a call.
    function deploy(uint256 classes, uint256 features) external {
        _new(classes, features);
    }

    function _badParameter(bytes32 name) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IModel.ModelBadParameter.selector, name);
    }

    // What is refused

    function test_an_update_of_the_model_is_refused() external {
        Model model = _taught(2, FEATURES, 4, 1);
        bytes memory x = _sample(1, FEATURES);
        vm.expectRevert(IModel.ModelNoUpdates.selector);
        model.learn(x, UPDATE);
        vm.expectRevert(IModel.ModelNoUpdates.selector);
        model.agrees(x, UPDATE, 1);
        bytes memory words = model.state();
        vm.expectRevert(IModel.ModelNoUpdates.selector);
        IReplay(address(model)).learnWith(words, x, UPDATE);
    }

    function test_a_label_that_does_not_exist_is_refused() external {
        Model model = _taught(3, FEATURES, 4, 1);
        bytes memory x = _sample(1, FEATURES);
        bytes memory refused = abi.encodeWithSelector(IModel.ModelUnknownLabel.selector, uint256(3));
        vm.expectRevert(refused);
        model.learn(x, 3);
        vm.expectRevert(refused);
        model.agrees(x, 3, 1);
    }

    function test_a_sample_with_a_byte_too_many_is_refused() external {
        Model model = _taught(2, FEATURES, 4, 1);
        bytes memory x = bytes.concat(_sample(1, FEATURES), hex"01");
        bytes memory refused = abi.encodeWithSelector(IModel.ModelBadLength.selector, x.length);
        vm.expectRevert(refused);
        model.predict(x);
        vm.expectRevert(refused);
        model.learn(x, 0);
        vm.expectRevert(refused);
        model.agrees(x, 0, 1);
        vm.expectRevert(refused);
        model.sketch(x);
    }

    function test_a_state_of_other_dimensions_is_refused() external {
        Model model = _taught(2, FEATURES, 4, 1);
        bytes memory other = _new(3, FEATURES).state();
        bytes memory wider = _new(2, FEATURES + 40).state();
        vm.expectRevert(IModel.ModelBadState.selector);
        model.load(0, other);
        vm.expectRevert(IModel.ModelBadState.selector);
        model.load(0, wider);
        bytes memory own = model.state();
        vm.expectRevert(IModel.ModelBadState.selector);
        model.load(1, own);
        bytes memory cut = _cut(own, own.length - 1);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelBadLength.selector, cut.length));
        model.load(0, cut);
    }

    function test_a_given_state_has_the_length_that_it_says() external {
        Model model = _taught(2, FEATURES, 4, 1);
        bytes memory x = _sample(1, FEATURES);
        bytes memory words = model.state();
        bytes[3] memory wrong =
            [bytes(""), _cut(words, words.length - 32), bytes.concat(words, bytes32(0))];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(IModel.ModelBadState.selector);
            IReplay(address(model)).predictWith(wrong[i], x);
            vm.expectRevert(IModel.ModelBadState.selector);
            IReplay(address(model)).learnWith(wrong[i], x, 0);
            vm.expectRevert(IModel.ModelBadState.selector);
            model.widen(wrong[i]);
        }
    }

    // What it does

    function testFuzz_it_agrees_as_if_it_had_never_learnt_the_sample(uint256 seed) external {
        uint256 classes = 2 + seed % 17;
        Model model = _taught(classes, FEATURES, 12, seed);
        for (uint256 i; i < 4; ++i) {
            bytes memory x = _sample(_random(seed, 100 + i), FEATURES);
            uint256 label = _label(_random(seed, 100 + i), classes);
            bool expected = _wouldAgree(model, x, label);
            vm.assertTrue(model.agrees(x, label, 0) == expected, "it agrees with what is not in it");
            uint64 memo = model.learn(x, label);
            vm.assertTrue(model.agrees(x, label, memo) == expected, "its own influence counts");
        }
    }

    function testFuzz_a_step_on_a_given_state_is_a_step_of_the_model(uint256 seed) external {
        uint256 classes = 2 + seed % 17;
        Model model = _taught(classes, FEATURES, 6, seed);
        IReplay replay = IReplay(address(_new(classes, 1)));
        bytes memory words = model.state();
        for (uint256 i; i < 6; ++i) {
            uint256 next = _random(seed, 100 + i);
            bytes memory x = _sample(next, FEATURES);
            uint256 label = _label(next, classes);
            vm.assertEq(replay.predictWith(words, x), model.predict(x), "predictions differ");
            words = replay.learnWith(words, x, label);
            model.learn(x, label);
            vm.assertEq(words, model.state(), "states differ");
        }
    }

    function testFuzz_a_loaded_state_is_the_same_model(uint256 seed) external {
        uint256 classes = 2 + seed % 17;
        Model model = _taught(classes, FEATURES, 12, seed);
        Model copy = _new(classes, FEATURES);
        bytes memory words = model.state();
        uint256 half = words.length / 64;
        copy.load(0, _cut(words, half * 32));
        bytes memory rest = _from(words, half * 32);
        copy.load(half, rest);
        vm.assertEq(copy.state(), words, "states differ");
        bytes memory x = _sample(seed, FEATURES);
        vm.assertEq(copy.predict(x), model.predict(x));
    }

    function testFuzz_growing_changes_nothing_that_was_learnt(uint256 seed, uint8 more) external {
        uint256 classes = 2 + seed % 17;
        Model model = _taught(classes, FEATURES, 12, seed);
        bytes memory words = model.state();
        Model wide = _new(classes, FEATURES);
        wide.load(0, words);
        wide.bind(address(this));
        wide.addFeatures(more);
        wide.addClasses(more % 29);
        vm.assertEq(wide.features(), FEATURES + more);
        vm.assertEq(wide.classes(), classes + more % 29);
        vm.assertEq(wide.widen(words), wide.state(), "a widened state is another one");
        vm.assertEq(wide.widen(wide.state()), wide.state(), "widening is not idempotent");
        Model narrow = _new(classes, FEATURES - 1);
        vm.expectRevert(IModel.ModelBadState.selector);
        narrow.widen(words);
        bytes memory x = _sample(seed, FEATURES + more);
        uint256 label = _label(seed, classes + more % 29);
        bytes memory stepped = IReplay(address(model)).learnWith(wide.state(), x, label);
        wide.learn(x, label);
        vm.assertEq(wide.state(), stepped, "a grown model learns otherwise");
    }

    function test_a_new_model_predicts_label_0_and_has_a_state_without_samples() external {
        Model model = _empty(3, FEATURES);
        vm.assertEq(model.predict(_sample(1, FEATURES)), 0);
        bytes memory words = model.state();
        for (uint256 i = 4; i < words.length; ++i) {
            vm.assertTrue(words[i] == 0, "something was learnt of nothing");
        }
        vm.assertEq(model.classes(), 3);
        vm.assertEq(model.features(), FEATURES);
        vm.assertEq(bytes(model.encoder()), bytes(ENCODER), "another encoder");
    }

    function _cut(bytes memory words, uint256 length) internal pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i; i < length; ++i) {
            part[i] = words[i];
        }
    }

    function _from(bytes memory words, uint256 start) internal pure returns (bytes memory part) {
        part = new bytes(words.length - start);
        for (uint256 i; i < part.length; ++i) {
            part[i] = words[start + i];
        }
    }
}
