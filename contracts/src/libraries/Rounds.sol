// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase} from "../interfaces/TrainingTypes.sol";

/// @notice A task's moving parts: one storage word.
struct Clock {
    Phase phase;
    bool refunded;
    uint32 round;
    uint40 deadline;
    uint32 trainers;
    uint32 active;
    uint32 commits;
    uint32 reveals;
    uint8 validators;
    uint8 scoreCommits;
    uint8 scoreReveals;
    uint8 attestations;
}

/// @notice The rules that move them: one storage word.
struct Rules {
    uint32 rounds;
    uint24 maxTrainers;
    uint16 quorumBps;
    uint8 committee;
    uint24 joinTime;
    uint24 commitTime;
    uint24 revealTime;
    uint24 scoreTime;
    uint24 scoreRevealTime;
    uint24 attestTime;
}

/// @title Rounds
/// @notice When phases close and what follows, as pure functions.
library Rounds {
    /// @notice True between creation and the end.
    function isRunning(Clock memory clock) internal pure returns (bool) {
        return clock.phase > Phase.Joining && clock.phase < Phase.Finished;
    }

    /// @notice True if the phase has a deadline and it has passed.
    function isOverdue(Clock memory clock) internal view returns (bool) {
        return clock.phase < Phase.Finished && block.timestamp > clock.deadline;
    }

    /// @notice True once everyone who can act in this phase has. A phase in which nobody can act waits
    /// for its deadline.
    function isComplete(Clock memory clock, Rules storage rules) internal view returns (bool) {
        Phase phase = clock.phase;
        if (phase == Phase.Commit) return clock.commits != 0 && clock.commits == clock.active;
        if (phase == Phase.Reveal) return clock.reveals != 0 && clock.reveals == clock.commits;
        if (phase == Phase.Score) {
            return clock.scoreCommits != 0 && clock.scoreCommits == clock.validators;
        }
        if (phase == Phase.ScoreReveal) {
            return clock.scoreReveals != 0 && clock.scoreReveals == clock.scoreCommits;
        }
        if (phase == Phase.Attest) {
            return clock.attestations != 0 && clock.attestations == clock.validators;
        }
        if (phase != Phase.Joining) return false;
        return clock.trainers == rules.maxTrainers && clock.validators == rules.committee;
    }

    /// @notice What follows when the phase closes now. Commit stands for the end of the round; after
    /// Joining, for the start of the first.
    function next(Clock memory clock) internal pure returns (Phase) {
        Phase phase = clock.phase;
        if (phase == Phase.Joining) {
            return clock.trainers == 0 || clock.validators == 0 ? Phase.Cancelled : Phase.Commit;
        }
        if (phase == Phase.Commit) return clock.commits == 0 ? Phase.Commit : Phase.Reveal;
        if (phase == Phase.Reveal) return clock.reveals == 0 ? Phase.Commit : Phase.Score;
        if (phase == Phase.Score) {
            return clock.scoreCommits == 0 ? Phase.Commit : Phase.ScoreReveal;
        }
        if (phase == Phase.ScoreReveal) {
            return clock.scoreReveals == 0 ? Phase.Commit : Phase.Attest;
        }
        return Phase.Commit;
    }

    /// @notice How long a phase may last, in seconds.
    function duration(Rules storage rules, Phase phase) internal view returns (uint256) {
        if (phase == Phase.Commit) return rules.commitTime;
        if (phase == Phase.Reveal) return rules.revealTime;
        if (phase == Phase.Score) return rules.scoreTime;
        if (phase == Phase.ScoreReveal) return rules.scoreRevealTime;
        if (phase == Phase.Attest) return rules.attestTime;
        return rules.joinTime;
    }

    /// @notice True if `stake` out of `total` settles a round.
    function isQuorum(uint256 stake, uint256 total, uint256 quorumBps)
        internal
        pure
        returns (bool)
    {
        return stake * 10_000 >= quorumBps * total;
    }
}
