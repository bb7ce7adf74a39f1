// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {
    Opening,
    Phase,
    SignedCommit,
    TaskParams,
    TaskState,
    TrainerOpening
} from "../../src/interfaces/TrainingTypes.sol";
import {Hashes} from "../../src/libraries/Hashes.sol";
import {TrainingTest} from "./TrainingTest.sol";

/// @notice 10,000 generated misuses of commitments and signatures: none may be accepted.
contract MisuseTest is TrainingTest {
    bytes32 private _otherTask;

    /// @dev Two running tasks with the same members; ours is in its second round.
    function setUp() public override {
        super.setUp();
        _begin(3);
        _otherTask = taskId;
        TaskParams memory params = _params(3, 3);
        params.salt = "ours";
        _createTask(params);
        _joinAll();
        _pass();
    }

    /// forge-config: default.fuzz.runs = 6000
    function test_no_misused_signature_is_accepted(uint256 seed) external {
        TaskState memory expected = training.task(taskId);
        SignedCommit memory entry = _misuse(seed);
        training.commitBatch(taskId, 2, _one(entry));
        _assertTask(expected);
    }

    /// @dev A signature that is right but for one thing.
    function _misuse(uint256 seed) private view returns (SignedCommit memory entry) {
        uint256 kind = seed % 10;
        uint256 noise = uint256(keccak256(abi.encode(seed)));
        bytes32 commitment = bytes32(noise);
        uint256 key = trainers[noise % 3];
        bytes32 task = kind == 0 ? _otherTask : taskId;
        uint256 round = kind == 1 ? _otherRound(noise) : 2;
        if (kind == 2) key = _bound(noise, 1, ORDER - 1);
        bytes32 typeHash = kind == 3 ? Hashes.JOIN_TYPEHASH : Hashes.COMMIT_TYPEHASH;
        bytes32 domain = training.domainSeparator();
        if (kind == 4) domain = registry.domainSeparator();
        bytes32 digest = _typed(domain, keccak256(abi.encode(typeHash, task, round, commitment)));
        if (kind == 5) digest = keccak256(abi.encode(typeHash, task, round, commitment));
        (entry.r, entry.vs) = _signCompact(key, digest);
        entry.commitment = kind == 6 ? bytes32(~noise) : commitment;
        if (kind == 7) entry.vs = _flip(entry.vs);
        if (kind == 8) entry.vs ^= bytes32(uint256(1) << (noise >> 8) % 256);
        if (kind == 9) entry.r ^= bytes32(uint256(1) << (noise >> 8) % 256);
    }

    function _otherRound(uint256 noise) private pure returns (uint256) {
        if (noise % 4 == 0) return 0;
        if (noise % 4 == 1) return 1;
        return noise % 4 == 2 ? 3 : noise | 4;
    }

    /// forge-config: default.fuzz.runs = 4000
    function test_no_misused_opening_is_accepted(uint256 seed) external {
        _playCommit(2);
        TaskState memory expected = training.task(taskId);
        TrainerOpening[] memory batch = new TrainerOpening[](1);
        batch[0] = _wrongOpening(seed);
        training.revealBatch(taskId, 2, batch);
        _assertTask(expected);
    }

    function _wrongOpening(uint256 seed) private view returns (TrainerOpening memory entry) {
        uint256 kind = seed % 7;
        uint256 noise = uint256(keccak256(abi.encode(seed)));
        uint256 i = noise % 3;
        entry.trainer = vm.addr(trainers[i]);
        Opening memory o = _opening(trainers[i], kind == 0 ? noise : 2);
        bytes32 bit = bytes32(uint256(1) << (noise >> 8) % 256);
        if (kind == 1) o = _opening(trainers[(i + 1) % 3], 2);
        if (kind == 2) entry.trainer = address(uint160(noise));
        if (kind == 3) o.update ^= bit;
        if (kind == 4) o.chunkRoot ^= bit;
        if (kind == 5) o.samples ^= uint64(1) << uint64((noise >> 8) % 64);
        if (kind == 6) o.salt ^= bit;
        entry.opening = o;
    }

    function test_misuses_are_wrong_in_one_thing_only() external {
        SignedCommit memory entry = _signedCommit(trainers[0], 2);
        training.commitBatch(taskId, 2, _one(entry));
        vm.assertEq(training.task(taskId).commits, 1);
        _assertPhase(Phase.Commit, 2);
    }
}
