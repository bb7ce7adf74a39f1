// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, Result, TaskParams} from "./TrainingTypes.sol";

/// @title ITrainingEvents
/// @notice What Training reports. An auditor needs nothing else from the chain.
interface ITrainingEvents {
    event TokenEnabled(address indexed token);
    event TaskCreated(bytes32 indexed taskId, TaskParams params);
    event TaskFinished(bytes32 indexed taskId);
    event TaskCancelled(bytes32 indexed taskId);
    event Refunded(bytes32 indexed taskId, uint256 amount);

    event Joined(bytes32 indexed taskId, address indexed account, uint8 role, uint256 stake);
    /// @notice Entry `index` of a batch was refused; `reason` is the selector of the error.
    event JoinSkipped(bytes32 indexed taskId, uint256 index, bytes4 reason);
    event Left(bytes32 indexed taskId, address indexed account);
    event Sanctioned(
        bytes32 indexed taskId,
        address indexed account,
        uint256 strikes,
        uint256 slashed,
        bool expelled
    );

    /// @notice A phase began; what comes after `deadline` is late. Joining is in round 0.
    event PhaseStarted(bytes32 indexed taskId, uint256 round, Phase phase, uint256 deadline);
    event Committed(
        bytes32 indexed taskId, uint256 round, address indexed trainer, bytes32 commitment
    );
    event CommitSkipped(bytes32 indexed taskId, uint256 round, uint256 index, bytes4 reason);
    event Revealed(
        bytes32 indexed taskId,
        uint256 round,
        address indexed trainer,
        bytes32 update,
        bytes32 chunkRoot,
        uint64 samples
    );
    event RevealSkipped(bytes32 indexed taskId, uint256 round, uint256 index, bytes4 reason);
    event ScoresCommitted(
        bytes32 indexed taskId, uint256 round, address indexed validator, bytes32 commitment
    );
    event ScoresRevealed(
        bytes32 indexed taskId, uint256 round, address indexed validator, bytes32 scores
    );
    event Attested(
        bytes32 indexed taskId,
        uint256 round,
        address indexed validator,
        bytes32 digest,
        Result result
    );
    event RoundSettled(
        bytes32 indexed taskId, uint256 round, bytes32 digest, uint256 version, uint256 paid
    );
    event RoundVoided(bytes32 indexed taskId, uint256 round);
    event Claimed(
        bytes32 indexed taskId, address indexed account, uint256 amount, uint256 cumulative
    );
}
