// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {CountWords} from "../../../src/onchain/models/CountWords.sol";
import {Model} from "../../../src/onchain/models/Model.sol";
import {NaiveBayes} from "../../../src/onchain/models/NaiveBayes.sol";
import {NaiveBayesTest} from "./NaiveBayes.t.sol";

/// @notice A model that `create` made of another's code does all that the other does.
/// forge-config: default.fuzz.runs = 8
contract CountWordsTest is NaiveBayesTest {
    NaiveBayes private _code;

    function setUp() external {
        _code = new NaiveBayes(5, 11, "hashing(bits=3)");
        _code.bind(address(0x7ea));
    }

    function _new(uint256 classes, uint256 features) internal override returns (Model) {
        return Model(_code.create(classes, features, ENCODER));
    }

    function test_it_is_small_and_has_a_state_of_its_own() external {
        vm.prank(MALLORY);
        NaiveBayes model = NaiveBayes(_code.create(2, 3, ENCODER));
        vm.assertEq(address(model).code.length, 45);
        vm.assertEq(uint160(model.deployer()), uint160(MALLORY));
        vm.assertEq(uint160(model.trainer()), 0);
        vm.assertEq(model.classes(), 2);
        vm.assertEq(model.features(), 3);
        vm.assertEq(_code.classes(), 5);
        vm.expectRevert(abi.encodeWithSelector(IModel.ModelNotDeployer.selector, address(this)));
        model.bind(address(this));
    }

    function test_it_is_announced() external {
        vm.expectEmit(address(_code));
        emit CountWords.Created(_next(), address(this));
        _code.create(2, 3, ENCODER);
    }

    function test_it_starts_once() external {
        Model model = _new(2, 3);
        bytes memory refused =
            abi.encodeWithSelector(IModel.ModelNotDeployer.selector, address(this));
        vm.expectRevert(refused);
        CountWords(address(model)).initialise(MALLORY, 2, 3, ENCODER);
        vm.expectRevert(refused);
        _code.initialise(MALLORY, 2, 3, ENCODER);
    }

    function test_a_clone_of_a_clone_has_the_same_code() external {
        address model = NaiveBayes(address(_new(2, 3))).create(4, 6, ENCODER);
        vm.assertEq(model.code, address(_new(2, 3)).code, "it delegates twice");
        vm.assertEq(Model(model).classes(), 4);
    }

    /// @dev The address of the first contract that `_code` creates.
    function _next() private view returns (address) {
        bytes memory rlp = abi.encodePacked(hex"d694", address(_code), hex"01");
        return address(uint160(uint256(keccak256(rlp))));
    }
}
