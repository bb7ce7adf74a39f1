// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../../src/onchain/interfaces/IModel.sol";
import {Shape} from "../../src/onchain/models/Perceptron.sol";
import {SparsePerceptron} from "../../src/onchain/models/SparsePerceptron.sol";
import {Vm} from "../Vm.sol";

/// @notice Cheat codes that trainers' tests need besides.
interface VmMoney {
    function deal(address account, uint256 balance) external;
    function fee(uint256 basefee) external;
    function txGasPrice(uint256 price) external;
}

/// @notice A contribution as whoever saw its event knows it.
struct Given {
    bytes features;
    uint256 label;
    uint256 time;
    address contributor;
    uint256 nonce;
}

/// @notice Named actors, and a perceptron of two classes that has learnt nothing: it says 0 to all.
abstract contract TrainerTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    VmMoney internal constant money = VmMoney(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant RICHES = 1_000 ether;
    uint256 internal constant ALICE_KEY = 0xa11ce;
    address internal constant OWNER = address(0x1001);
    address internal constant BOB = address(0x1002);
    address internal constant CAROL = address(0x1003);
    address internal constant MALLORY = address(0x1004);
    address internal immutable ALICE = vm.addr(ALICE_KEY);

    IModel internal model;

    function setUp() public virtual {
        vm.warp(START);
        address[5] memory all = [OWNER, ALICE, BOB, CAROL, MALLORY];
        for (uint256 i; i < all.length; ++i) {
            money.deal(all[i], RICHES);
        }
        model = _makeModel(64, 2);
    }

    function _makeModel(uint256 features, uint256 classes) internal returns (IModel) {
        Shape memory shape =
            Shape({classes: classes, features: features, one: 1, weightBits: 8, averaged: false});
        vm.prank(OWNER);
        return new SparsePerceptron(shape, "vocabulary(cid=test)");
    }

    function _bind(address trainer) internal {
        vm.prank(OWNER);
        model.bind(trainer);
    }

    /// @dev A sample of three features.
    function _sample(uint16 a, uint16 b, uint16 c) internal pure returns (bytes memory) {
        return abi.encodePacked(a, b, c);
    }

    function _keyOf(Given memory one) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256(one.features), one.label, one.time, one.contributor, one.nonce)
        );
    }
}
