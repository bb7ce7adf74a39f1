// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ITrainingErrors} from "../interfaces/ITrainingErrors.sol";
import {TaskParams} from "../interfaces/TrainingTypes.sol";
import {Rules} from "./Rounds.sol";

/// @title Limits
/// @notice What a task's parameters may be.
library Limits {
    uint256 internal constant PHASE_SECONDS_MAX = 30 days;
    uint256 internal constant ROUNDS_MAX = 100_000;
    uint256 internal constant TRAINERS_MAX = 100_000;
    uint256 internal constant VALIDATORS_MAX = 64;
    /// @dev More than two thirds, so that two quorums share an honest validator.
    uint256 internal constant QUORUM_BPS_MIN = 6_667;
    uint256 internal constant QUORUM_BPS_MAX = 10_000;

    /// @notice Reverts with the name of the first parameter that is out of range.
    function check(TaskParams calldata params) internal pure {
        _require(params.pool, 1, type(uint128).max, "pool");
        _require(params.trainerStake, 0, type(uint128).max, "trainerStake");
        _require(params.validatorStake, 1, type(uint128).max, "validatorStake");
        _require(params.rounds, 1, ROUNDS_MAX, "rounds");
        _require(params.maxTrainers, 1, TRAINERS_MAX, "maxTrainers");
        _require(params.quorumBps, QUORUM_BPS_MIN, QUORUM_BPS_MAX, "quorumBps");
        _require(params.joinTime, 1, PHASE_SECONDS_MAX, "joinTime");
        _require(params.commitTime, 1, PHASE_SECONDS_MAX, "commitTime");
        _require(params.revealTime, 1, PHASE_SECONDS_MAX, "revealTime");
        _require(params.scoreTime, 1, PHASE_SECONDS_MAX, "scoreTime");
        _require(params.scoreRevealTime, 1, PHASE_SECONDS_MAX, "scoreRevealTime");
        _require(params.attestTime, 1, PHASE_SECONDS_MAX, "attestTime");
        _require(params.validators.length, 1, VALIDATORS_MAX, "validators");
    }

    /// @notice The rules in their stored form; every cast is safe after `check`.
    function rules(TaskParams calldata params) internal pure returns (Rules memory) {
        return Rules({
            rounds: params.rounds,
            maxTrainers: uint24(params.maxTrainers),
            quorumBps: params.quorumBps,
            committee: uint8(params.validators.length),
            joinTime: uint24(params.joinTime),
            commitTime: uint24(params.commitTime),
            revealTime: uint24(params.revealTime),
            scoreTime: uint24(params.scoreTime),
            scoreRevealTime: uint24(params.scoreRevealTime),
            attestTime: uint24(params.attestTime)
        });
    }

    function _require(uint256 value, uint256 least, uint256 most, bytes32 name) private pure {
        if (value < least || value > most) revert ITrainingErrors.TrainingBadParameter(name);
    }
}
