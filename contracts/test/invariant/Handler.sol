// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {MemberState, Phase, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {Roles} from "../../src/libraries/Roles.sol";
import {ACTORS, GhostMember, GhostTask} from "./Ghost.sol";
import {Mallory} from "./Mallory.sol";
import {MoneyVerbs} from "./MoneyVerbs.sol";
import {RoundVerbs} from "./RoundVerbs.sol";

/// @notice What forge calls in any order, and what InvariantsTest asks after every call.
contract Handler is MoneyVerbs, RoundVerbs, Mallory {
    function start() external {
        setUp();
        for (uint256 i; i < 3; ++i) {
            _createTask();
            _observe(i);
        }
    }

    /// @dev To a deadline, one second past it, a little or a lot further.
    function warp(uint256 seed) external verb(seed) {
        ++successes["warp"];
        uint256 choice = _roll(12);
        if (choice == 0) {
            clock += BOND_DELAY;
        } else if (choice < 4) {
            clock += _roll(20 minutes);
        } else {
            uint256 deadline = tasks[_roll(tasks.length)].deadline;
            if (deadline >= clock) clock = deadline + choice % 2;
        }
        vm.warp(clock);
    }

    /// @dev What the task's phase asks for, so that rounds get through.
    function play(uint256 seed) external verb(seed) {
        uint256 t = touched = _roll(tasks.length);
        (Phase phase,) = training.phaseOf(tasks[t].id);
        bool relayed = _roll(2) == 0;
        if (phase == Phase.Joining) _joinBatchIn(t);
        else if (phase == Phase.Commit) relayed ? _commitBatchIn(t) : _commitIn(t);
        else if (phase == Phase.Reveal) relayed ? _revealBatchIn(t) : _revealIn(t);
        else if (phase == Phase.Score) _commitScoresIn(t);
        else if (phase == Phase.ScoreReveal) _revealScoresIn(t);
        else if (phase == Phase.Attest) _attestIn(t);
        else _leaveIn(t);
    }

    // Laws

    function checkTrainingMoney() external view {
        uint256 tokens;
        uint256 others;
        for (uint256 t; t < tasks.length; ++t) {
            GhostTask storage g = tasks[t];
            TaskState memory state = training.task(g.id);
            vm.assertEq(state.pool, g.pool, "the pool changed");
            vm.assertEq(state.allocated, g.allocated, "allocated is not what quorums settled");
            vm.assertEq(state.claimed, g.claimed, "claimed is not what was paid");
            vm.assertLe(g.allocated, g.pool, "more than the pool is allocated");
            vm.assertLe(g.claimed, g.allocated, "more than what is allocated was claimed");
            uint256 held = g.pool - g.claimed - g.refunded;
            if (g.token == address(token)) tokens += held;
            else others += held;
        }
        vm.assertEq(token.balanceOf(address(training)), tokens, "Training's tokens");
        vm.assertEq(dollars.balanceOf(address(training)), others, "Training's dollars");
    }

    function checkRegistryMoney() external view {
        uint256 sum;
        for (uint256 a; a < ACTORS; ++a) {
            uint256 freeNow = registry.freeOf(actors[a]);
            vm.assertEq(freeNow, free[a], "a free balance");
            sum += freeNow;
            for (uint256 t; t < tasks.length; ++t) {
                sum += members[t][a].bond;
            }
        }
        vm.assertEq(token.balanceOf(address(registry)), sum, "the Registry's tokens");
        vm.assertEq(token.balanceOf(TREASURY), slashed, "the treasury's tokens");
    }

    /// @dev Of the task that the last verb was about; at the end of a run, of every task.
    function checkTouched() external view {
        _checkTask(touched);
    }

    function checkAll() external view {
        for (uint256 t; t < tasks.length; ++t) {
            _checkTask(t);
        }
    }

    function _checkTask(uint256 t) private view {
        bytes32 id = tasks[t].id;
        for (uint256 a; a < ACTORS; ++a) {
            (uint256 amount, uint256 releaseAt) = registry.bondOf(address(training), id, actors[a]);
            vm.assertEq(amount, members[t][a].bond, "a bond");
            vm.assertEq(releaseAt, members[t][a].releaseAt, "a bond's release");
        }
        _checkCounts(t, training.task(id));
    }

    function _checkCounts(uint256 t, TaskState memory state) private view {
        uint256 seated;
        uint256 expected;
        uint256 open;
        uint256 validatorCount;
        uint256 seatedStake;
        for (uint256 a; a < ACTORS; ++a) {
            GhostMember storage m = members[t][a];
            MemberState memory stored = training.member(tasks[t].id, actors[a]);
            vm.assertTrue(stored.seated == m.isSeated, "a seat");
            vm.assertEq(stored.stake, m.stake, "a stake");
            vm.assertEq(stored.claimed, m.claimed, "a claim");
            vm.assertEq(stored.strikes, m.strikes, "strikes");
            if (!m.isSeated) continue;
            if (m.role == Roles.VALIDATOR) {
                ++validatorCount;
                seatedStake += m.stake;
                continue;
            }
            ++seated;
            if (m.joinedRound < state.round) ++expected;
            if (m.committedRound == state.round && m.revealedRound < state.round) ++open;
        }
        vm.assertEq(state.trainers, seated, "how many trainers have a seat");
        vm.assertEq(state.validators, validatorCount, "how many validators have a seat");
        vm.assertEq(state.seatedStake, seatedStake, "the seated validators' stake");
        if (state.phase > Phase.Joining && state.phase < Phase.Finished) {
            vm.assertEq(state.totalStake, tasks[t].totalStake, "the stake of the quorum");
        }
        if (state.phase == Phase.Commit) {
            vm.assertEq(state.active, expected, "how many trainers may act");
            vm.assertEq(state.commits, open, "how many commitments there are");
        } else if (state.phase == Phase.Reveal) {
            vm.assertEq(state.commits - state.reveals, open, "how many reveals are missing");
        }
    }

    function checkRules() external view {
        vm.assertTrue(bytes(breach).length == 0, breach);
    }

    // The end

    /// @notice Time passes, everybody takes what is theirs, and nobody needs anybody else.
    function everyoneExits() external {
        vm.warp(clock);
        for (uint256 t; t < tasks.length; ++t) {
            _waitForTheEnd(t);
            for (uint256 a; a < ACTORS; ++a) {
                if (members[t][a].isSeated) _leave(t, a);
            }
            _claimAll(t);
            if (!tasks[t].isRefunded) _refund(t);
        }
        _pass(BOND_DELAY);
        for (uint256 a; a < ACTORS; ++a) {
            for (uint256 t; t < tasks.length; ++t) {
                if (members[t][a].releaseAt != 0) _release(t, a);
            }
            _withdraw(a, free[a]);
        }
    }

    function _waitForTheEnd(uint256 t) private {
        uint256 steps;
        while (training.task(tasks[t].id).phase < Phase.Finished) {
            vm.assertLe(++steps, 6 * tasks[t].rounds + 2, "a task does not end");
            _pass(3 hours + 1);
            training.advance(tasks[t].id);
            _observe(t);
        }
    }

    function _claimAll(uint256 t) private {
        for (uint256 a; a < ACTORS; ++a) {
            uint256 left = tasks[t].allocated - tasks[t].claimed;
            if (!_isOwed(t, a)) continue;
            if (tasks[t].isCrooked && tasks[t].owed[a] - members[t][a].claimed > left) continue;
            _claim(t, a);
        }
    }

    /// @notice Dust is what a crooked quorum allocated and promised to nobody, or to nobody that the
    /// rest suffices for. Honest trees leave none.
    function checkNothingIsLeft() external view {
        uint256[2] memory dust;
        for (uint256 t; t < tasks.length; ++t) {
            GhostTask storage g = tasks[t];
            vm.assertEq(
                g.claimed + g.refunded + _dust(t), g.pool, "payouts and refund are the pool"
            );
            vm.assertTrue(g.isCrooked || _dust(t) == 0, "an honest task has dust");
            dust[g.token == address(token) ? 0 : 1] += _dust(t);
        }
        vm.assertEq(token.balanceOf(address(training)), dust[0], "tokens are left in Training");
        vm.assertEq(dollars.balanceOf(address(training)), dust[1], "dollars are left in Training");
        vm.assertEq(token.balanceOf(address(registry)), 0, "tokens are left in the Registry");
    }

    function _dust(uint256 t) private view returns (uint256) {
        return tasks[t].allocated - tasks[t].claimed;
    }
}
