// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {Recovery} from "../../../src/onchain/Recovery.sol";
import {Logged, PageData} from "../../../src/onchain/interfaces/IRecovery.sol";
import {Shape} from "../../../src/onchain/models/Perceptron.sol";
import {SparsePerceptron} from "../../../src/onchain/models/SparsePerceptron.sol";
import {RecoveryTest} from "./RecoveryTest.sol";

/// @notice What a recovery costs: a model of 1,000 words and 100 contributions of 20 words, of which one in
/// ten is left out.
contract RecoveryGasTest is RecoveryTest {
    string private constant GROUP = "Recovery";
    uint256 private constant MANY = 100;

    function _note(string memory name) private {
        vm.snapshotValue(GROUP, name, vm.lastCallGas().gasTotalUsed);
    }

    function _words(uint256 from) private pure returns (bytes memory x) {
        for (uint256 i; i < 20; ++i) {
            x = abi.encodePacked(x, uint16(from % 50 + 50 * i));
        }
    }

    function setUp() public override {
        super.setUp();
        delete log;
        vm.startPrank(OWNER);
        model = new SparsePerceptron(Shape(2, 1_000, 1, 8, false), "");
        trainer = new DepositRefundTake(model, BASE, 0, 0, 0);
        model.bind(address(trainer));
        recovery = new Recovery(address(trainer), BOND, 0);
        trainer.enableRecovery(address(recovery));
        vm.stopPrank();
    }

    function test_a_recovery_of_100_contributions() external {
        bytes memory state = model.state();
        bytes32 start = keccak256(state);
        trainer.checkpoint();
        bytes memory steps;
        uint256[] memory excluded = new uint256[](MANY / 10);
        for (uint256 i; i < MANY; ++i) {
            _add(ALICE, _words(i), i % 2);
            bool isOut = i % 10 == 9;
            if (isOut) excluded[i / 10] = i;
            else state = _learnt(state, i);
            steps = abi.encodePacked(steps, _key(i), isOut ? bytes32(0) : keccak256(state));
        }
        trainer.checkpoint();
        _add(ALICE, _words(7), 1);
        vm.prank(OWNER);
        uint256 id = recovery.propose{value: BOND}(0, 1);
        _note("propose");
        vm.prank(OWNER);
        recovery.extend(id, steps);
        _note("extend by 100 contributions");
        _pass(2 days + 1);
        recovery.finish(id, excluded, state);
        _note("finish with 10 of 100 left out");
        vm.assertEq(model.state(), state, "the state");
        Logged[] memory data = new Logged[](1);
        data[0] = log[MANY];
        recovery.relearn(id, data, new bytes32[](0));
        _note("relearn one contribution");
        steps[63] = ~steps[63];
        _measureChallenge(steps, start);
    }

    function _measureChallenge(bytes memory steps, bytes32 start) private {
        (address pointer,,,,) = trainer.version(0);
        bytes memory code = pointer.code;
        bytes memory state = new bytes(code.length - 2);
        for (uint256 i; i < state.length; ++i) {
            state[i] = code[i + 2];
        }
        vm.prank(MALLORY);
        uint256 id = recovery.propose{value: BOND}(0, 1);
        vm.prank(MALLORY);
        recovery.extend(id, steps);
        recovery.challenge(id, PageData(0, start, steps), 0, state, log[0]);
        _note("challenge a page of 100 contributions");
    }
}
