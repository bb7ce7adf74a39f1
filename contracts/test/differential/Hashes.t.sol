// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Training} from "../../src/Training.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {ITrainingErrors} from "../../src/interfaces/ITrainingErrors.sol";
import {Opening} from "../../src/interfaces/TrainingTypes.sol";
import {Hashes} from "../../src/libraries/Hashes.sol";
import {Base} from "../Base.t.sol";

/// @dev Opens what is written in assembly, with arguments that may have dirty upper bits.
contract AssemblyHarness is Training {
    constructor(IRegistry registry_, IModelRegistry models_)
        Training(registry_, models_, msg.sender)
    {}

    function signedCommit(bytes32 domain, bytes32 task, uint256 round, bytes32 commitment)
        external
        pure
        returns (bytes32 first, bytes32 second, bytes memory after_)
    {
        first = Hashes.signedCommit(domain, task, round, commitment);
        after_ = abi.encode(task, round);
        second = Hashes.signedCommit(domain, task, round, commitment);
    }

    function update(bytes32 task, uint256 round, uint256 dirty, Opening calldata opening)
        external
        pure
        returns (bytes32 first, bytes memory after_)
    {
        address trainer;
        assembly {
            trainer := dirty
        }
        first = Hashes.update(task, round, trainer, opening);
        after_ = abi.encode(task, round);
    }

    function refuse(bytes4 reason, bytes32 task, address account) external pure {
        _refuse(reason, task, account);
    }
}

/// @notice Hand-written assembly against what the compiler makes of the same words.
contract HashesTest is Base {
    AssemblyHarness private _harness;

    function setUp() public override {
        super.setUp();
        _harness = new AssemblyHarness(registry, models);
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_signedCommit_is_the_EIP_712_digest(
        bytes32 domain,
        bytes32 task,
        uint256 round,
        bytes32 commitment
    ) external view {
        (bytes32 first, bytes32 second, bytes memory after_) =
            _harness.signedCommit(domain, task, round, commitment);
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Commit(bytes32 taskId,uint256 round,bytes32 commitment)"),
                task,
                round,
                commitment
            )
        );
        vm.assertEq(first, keccak256(abi.encodePacked("\x19\x01", domain, message)));
        vm.assertEq(second, first);
        vm.assertEq(after_, abi.encode(task, round), "memory was spoiled");
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_update_is_the_hash_of_the_encoded_opening(
        bytes32 task,
        uint256 round,
        uint256 dirty,
        Opening calldata o
    ) external view {
        (bytes32 digest, bytes memory after_) = _harness.update(task, round, dirty, o);
        address trainer = address(uint160(dirty));
        vm.assertEq(
            digest,
            keccak256(abi.encode(task, round, trainer, o.update, o.chunkRoot, o.samples, o.salt))
        );
        vm.assertEq(after_, abi.encode(task, round), "memory was spoiled");
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_refuse_reverts_like_the_compiler(bytes32 task, address account) external {
        bytes4[3] memory reasons = [
            ITrainingErrors.TrainingNotTrainer.selector,
            ITrainingErrors.TrainingWrongOpening.selector,
            ITrainingErrors.TrainingNothingToReveal.selector
        ];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(reasons[i], task, account));
            _harness.refuse(reasons[i], task, account);
        }
    }
}
