// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {
    Opening,
    Phase,
    Result,
    SignedCommit,
    TaskState,
    TrainerOpening
} from "../../src/interfaces/TrainingTypes.sol";
import {ACTORS, GhostMember, GhostTask} from "./Ghost.sol";
import {World} from "./World.sol";

/// @notice What trainers and validators do in a round, directly and by relay.
abstract contract RoundVerbs is World {
    /// @dev Half of the time one acts, else all who may; sometimes one who may not.
    function _acting(
        uint256 t,
        uint256 round,
        function(uint256, uint256, uint256) view returns (bool) may
    ) private returns (uint256[] memory who) {
        who = new uint256[](ACTORS);
        uint256 count;
        (uint256 start, bool isOne) = (_roll(ACTORS), _roll(2) == 0);
        for (uint256 i; i < ACTORS && (count == 0 || !isOne); ++i) {
            uint256 a = (start + i) % ACTORS;
            if (may(t, a, round)) who[count++] = a;
        }
        if (count == 0 || _roll(20) == 0) (who[0], count) = (_roll(ACTORS), 1);
        assembly ("memory-safe") {
            mstore(who, count)
        }
    }

    // Trainers

    function commit(uint256 seed) external verb(seed) {
        _commitIn(_pickTask(Phase.Commit));
    }

    function _commitIn(uint256 t) internal {
        ++successes["commit"];
        uint256 round = _roundOf(t);
        uint256[] memory who = _acting(t, round, _mayCommit);
        for (uint256 i; i < who.length; ++i) {
            bool timely = _isTimely(t, Phase.Commit, round);
            _as(t);
            bytes32 commitment = _commitment(keys[who[i]], round);
            vm.prank(actors[who[i]]);
            training.commit(taskId, round, commitment);
            _noteCommit(t, who[i], round, timely);
            _observe(t);
        }
    }

    function _noteCommit(uint256 t, uint256 a, uint256 round, bool timely) private {
        _breach(!timely, "a late commitment was accepted");
        _breach(members[t][a].committedRound == round, "a trainer committed twice in a round");
        _breach(!_mayCommit(t, a, round), "somebody committed who may not");
        members[t][a].committedRound = round;
    }

    function commitBatch(uint256 seed) external verb(seed) {
        _commitBatchIn(_pickTask(Phase.Commit));
    }

    /// @dev Commitments of whoever: the contract must pick those that count, and each only once.
    function _commitBatchIn(uint256 t) internal {
        ++successes["commitBatch"];
        uint256 round = _roundOf(t);
        bool timely = _isTimely(t, Phase.Commit, round);
        _as(t);
        SignedCommit[] memory batch = new SignedCommit[](2 + _roll(ACTORS));
        uint256 first = _roll(ACTORS);
        for (uint256 i; i < batch.length; ++i) {
            batch[i] = _signedCommit(keys[(first + i) % ACTORS], round);
        }
        uint256 before = _actsIn(t, round, Phase.Commit);
        training.commitBatch(taskId, round, batch);
        uint256 expected = before;
        for (uint256 i; i < batch.length; ++i) {
            if (!_mayCommit(t, (first + i) % ACTORS, round)) continue;
            _noteCommit(t, (first + i) % ACTORS, round, timely);
            ++expected;
        }
        _breach(
            _actsIn(t, round, Phase.Commit) != expected,
            "a batch counted a commitment that does not count"
        );
    }

    function _actsIn(uint256 t, uint256 round, Phase phase) private view returns (uint256) {
        TaskState memory state = training.task(tasks[t].id);
        if (state.round != round) return 0;
        return phase == Phase.Commit ? state.commits : state.reveals;
    }

    function reveal(uint256 seed) external verb(seed) {
        _revealIn(_pickTask(Phase.Reveal));
    }

    function _revealIn(uint256 t) internal {
        ++successes["reveal"];
        uint256 round = _roundOf(t);
        uint256[] memory who = _acting(t, round, _mayReveal);
        for (uint256 i; i < who.length; ++i) {
            bool timely = _isTimely(t, Phase.Reveal, round);
            Opening memory opening = _opening(keys[who[i]], round);
            vm.prank(actors[who[i]]);
            training.reveal(tasks[t].id, round, opening);
            _noteReveal(t, who[i], round, timely);
            _observe(t);
        }
    }

    function _noteReveal(uint256 t, uint256 a, uint256 round, bool timely) private {
        _breach(!timely, "a late reveal was accepted");
        _breach(!_mayReveal(t, a, round), "something was revealed that was not committed to");
        members[t][a].revealedRound = round;
    }

    function revealBatch(uint256 seed) external verb(seed) {
        _revealBatchIn(_pickTask(Phase.Reveal));
    }

    function _revealBatchIn(uint256 t) internal {
        ++successes["revealBatch"];
        uint256 round = _roundOf(t);
        bool timely = _isTimely(t, Phase.Reveal, round);
        TrainerOpening[] memory batch = new TrainerOpening[](2 + _roll(ACTORS));
        uint256 first = _roll(ACTORS);
        for (uint256 i; i < batch.length; ++i) {
            uint256 a = (first + i) % ACTORS;
            batch[i] = TrainerOpening(actors[a], _opening(keys[a], round));
        }
        uint256 expected = _actsIn(t, round, Phase.Reveal);
        training.revealBatch(tasks[t].id, round, batch);
        for (uint256 i; i < batch.length; ++i) {
            if (!_mayReveal(t, (first + i) % ACTORS, round)) continue;
            _noteReveal(t, (first + i) % ACTORS, round, timely);
            ++expected;
        }
        _breach(
            _actsIn(t, round, Phase.Reveal) != expected,
            "a batch counted a reveal that does not count"
        );
    }

    // Validators

    function commitScores(uint256 seed) external verb(seed) {
        _commitScoresIn(_pickTask(Phase.Score));
    }

    function _commitScoresIn(uint256 t) internal {
        ++successes["commitScores"];
        uint256 round = _roundOf(t);
        uint256[] memory who = _acting(t, round, _mayScore);
        for (uint256 i; i < who.length; ++i) {
            bool timely = _isTimely(t, Phase.Score, round);
            _as(t);
            _commitScores(keys[who[i]], round);
            _breach(!timely, "late scores were accepted");
            _breach(!_mayScore(t, who[i], round), "somebody scored who may not");
            members[t][who[i]].scoredRound = round;
            _observe(t);
        }
    }

    function revealScores(uint256 seed) external verb(seed) {
        _revealScoresIn(_pickTask(Phase.ScoreReveal));
    }

    function _revealScoresIn(uint256 t) internal {
        ++successes["revealScores"];
        uint256 round = _roundOf(t);
        uint256[] memory who = _acting(t, round, _mayRevealScores);
        for (uint256 i; i < who.length; ++i) {
            bool timely = _isTimely(t, Phase.ScoreReveal, round);
            _as(t);
            _revealScores(keys[who[i]], round);
            _breach(!timely, "scores were revealed late");
            _breach(!_mayRevealScores(t, who[i], round), "scores came from nowhere");
            members[t][who[i]].scoresRevealedRound = round;
            _observe(t);
        }
    }

    function attest(uint256 seed) external verb(seed) {
        _attestIn(_pickTask(Phase.Attest));
    }

    function _attestIn(uint256 t) internal {
        ++successes["attest"];
        uint256 round = _roundOf(t);
        uint256[] memory who = _acting(t, round, _mayAttest);
        for (uint256 i; i < who.length; ++i) {
            _propose(t, round);
            Result memory result = tasks[t].proposal;
            if (_roll(10) == 0) result.model = bytes32(_roll(2));
            if (_roll(30) == 0) result.paid = _budgetGhost(t, round) + 1;
            bool timely = _isTimely(t, Phase.Attest, round);
            _as(t);
            _attest(keys[who[i]], round, result);
            _noteAttest(t, who[i], round, result, timely);
            _observe(t);
            if (tasks[t].round != round || tasks[t].phase != Phase.Attest) return;
        }
    }

    function _noteAttest(uint256 t, uint256 a, uint256 round, Result memory result, bool timely)
        private
    {
        GhostTask storage g = tasks[t];
        _breach(!timely, "a late attestation was accepted");
        _breach(!_mayAttest(t, a, round), "somebody attested who may not");
        _breach(result.paid > _budgetGhost(t, round), "a round may pay more than its budget");
        members[t][a].attestedRound = round;
        bytes32 digest = keccak256(abi.encode(g.id, round, result));
        tallies[digest] += members[t][a].stake;
        if (tallies[digest] * 10_000 < g.quorumBps * g.totalStake) return;
        g.allocated += result.paid;
        g.owed = g.nextOwed;
        g.strikes = g.nextStrikes;
        g.versions += 1;
        ++successes["a round is settled"];
    }
}
