// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Token} from "../../src/Token.sol";
import {Join, Phase, SignedJoin, TaskParams} from "../../src/interfaces/TrainingTypes.sol";
import {Hashes} from "../../src/libraries/Hashes.sol";
import {Roles} from "../../src/libraries/Roles.sol";
import {ACTORS, GhostMember, GhostTask, MALLORY_INDEX, TRAINERS, Trees} from "./Ghost.sol";
import {World} from "./World.sol";

/// @notice Tasks, stakes, membership and payouts.
abstract contract MoneyVerbs is World {
    // The Registry

    function deposit(uint256 seed) external verb(seed) {
        ++successes["deposit"];
        (uint256 a, uint256 b) = (_roll(ACTORS), _roll(ACTORS));
        uint256 amount = _roll(token.balanceOf(actors[a]) + _roll(2) * 1 ether + 1);
        vm.prank(actors[a]);
        registry.depositFor(actors[b], amount);
        free[b] += amount;
    }

    function withdraw(uint256 seed) external verb(seed) {
        ++successes["withdraw"];
        uint256 a = _roll(ACTORS);
        _withdraw(a, _roll(free[a] / 4 + _roll(3) * 1 ether + 1));
    }

    function _withdraw(uint256 a, uint256 amount) internal {
        bool isDue = amount <= free[a];
        vm.prank(actors[a]);
        try registry.withdraw(amount) {
            _breach(!isDue, "more was withdrawn than was free");
            free[a] -= amount;
        } catch {
            if (!isDue) revert("refused");
            _breach(true, "a free balance could not be withdrawn");
        }
    }

    function register(uint256 seed) external verb(seed) {
        ++successes["register"];
        uint256 a = _roll(ACTORS);
        vm.prank(actors[a]);
        registry.register(_roll(4) == 0 ? uint8(_roll(9)) : Roles.ALL, bytes32(seed));
    }

    function release(uint256 seed) external verb(seed) {
        ++successes["release"];
        (uint256 t, uint256 start) = (_roll(tasks.length), _roll(ACTORS));
        for (uint256 i; i < tasks.length * ACTORS; ++i) {
            if (i % ACTORS == 0) t = (t + 1) % tasks.length;
            GhostMember storage m = members[t][(start + i) % ACTORS];
            bool ripe = m.releaseAt != 0 && m.releaseAt <= clock;
            if (ripe || (i == 0 && _roll(4) == 0)) return _release(t, (start + i) % ACTORS);
        }
        revert("nothing to release");
    }

    function _release(uint256 t, uint256 a) internal {
        GhostMember storage m = members[t][a];
        registry.release(address(training), tasks[t].id, actors[a]);
        _breach(m.releaseAt == 0 || clock < m.releaseAt, "a bond was released early");
        free[a] += m.bond;
        (m.bond, m.releaseAt) = (0, 0);
        touched = t;
    }

    // The sponsor

    function createTask(uint256 seed) external verb(seed) {
        ++successes["createTask"];
        if (tasks.length == TASKS_MAX) revert("enough tasks");
        _createTask();
    }

    function _createTask() internal {
        TaskParams memory params = _randomParams();
        GhostTask storage g = tasks.push();
        (g.sponsor, g.token, g.pool) = (params.sponsor, params.token, params.pool);
        (g.trainerStake, g.validatorStake) = (params.trainerStake, params.validatorStake);
        (g.quorumBps, g.rounds) = (params.quorumBps, params.rounds);
        (g.isCrooked, g.versions) = (_roll(4) == 0, 1);
        g.durations = [
            0,
            params.joinTime,
            params.commitTime,
            params.revealTime,
            params.scoreTime,
            params.scoreRevealTime,
            params.attestTime,
            0,
            0
        ];
        Token(params.token).transfer(params.sponsor, params.pool);
        vm.startPrank(params.sponsor);
        Token(params.token).approve(address(training), params.pool);
        g.id = training.createTask(params);
        vm.stopPrank();
    }

    function _randomParams() private returns (TaskParams memory params) {
        params = _params(uint32(1 + _roll(4)), uint32(2 + _roll(TRAINERS)));
        params.sponsor = sponsors[_roll(2)];
        if (_roll(2) == 0) params.token = address(dollars);
        params.pool = 1 + (_roll(3) == 0 ? _roll(50) : _roll(1_000_000 ether));
        params.trainerStake = _roll(4) == 0 ? _roll(30) : _roll(100 ether);
        params.validatorStake = 1 + _roll(100 ether);
        params.quorumBps = uint16(6_667 + _roll(3_334));
        params.joinTime = uint32(1 + _roll(3 hours));
        params.commitTime = uint32(1 + _roll(2 hours));
        params.revealTime = uint32(1 + _roll(2 hours));
        params.scoreTime = uint32(1 + _roll(2 hours));
        params.scoreRevealTime = uint32(1 + _roll(2 hours));
        params.attestTime = uint32(1 + _roll(2 hours));
        if (_roll(3) == 0) params.membership = address(list);
        params.salt = bytes32(tasks.length + 1);
    }

    function cancel(uint256 seed) external verb(seed) {
        ++successes["cancel"];
        uint256 t = _pickTask(Phase.Joining);
        address caller = _roll(3) == 0 ? MALLORY : sponsors[_roll(2)];
        (Phase phase,) = training.phaseOf(tasks[t].id);
        vm.prank(caller);
        training.cancel(tasks[t].id);
        _breach(caller != tasks[t].sponsor, "a stranger cancelled a task");
        _breach(phase != Phase.Joining, "a task was cancelled late");
    }

    function rollBack(uint256 seed) external verb(seed) {
        ++successes["rollBack"];
        uint256 t = _pickTask(_roll(2) == 0 ? Phase.Finished : Phase.Commit);
        uint256 version = 1 + _roll(tasks[t].versions);
        vm.prank(tasks[t].sponsor);
        training.rollBack(tasks[t].id, version);
        _breach(models.headOf(tasks[t].id) != version, "the head is not what was asked for");
    }

    function refund(uint256 seed) external verb(seed) {
        _refund(_pickTask(_roll(2) == 0 ? Phase.Finished : Phase.Cancelled));
    }

    function _refund(uint256 t) internal {
        GhostTask storage g = tasks[t];
        uint256 before = Token(g.token).balanceOf(g.sponsor);
        (Phase phase,) = training.phaseOf(g.id);
        training.refund(g.id);
        _breach(g.isRefunded, "a task was refunded twice");
        _breach(phase < Phase.Finished, "a task was refunded before its end");
        (g.isRefunded, g.refunded) = (true, Token(g.token).balanceOf(g.sponsor) - before);
        ++successes["refund"];
        _breach(g.refunded != g.pool - g.allocated, "the sponsor got another refund than is due");
    }

    function advance(uint256 seed) external verb(seed) {
        ++successes["advance"];
        touched = _roll(tasks.length);
        training.advance(tasks[touched].id);
    }

    // Joining and leaving

    function join(uint256 seed) external verb(seed) {
        ++successes["join"];
        uint256 t = _pickTask(_roll(3) == 0 ? Phase.Commit : Phase.Joining);
        uint256 a = _outsider(t, _roll(2) == 0 ? 0 : TRAINERS);
        uint8 role = a < TRAINERS ? Roles.TRAINER : Roles.VALIDATOR;
        if (_roll(10) == 0 || a == MALLORY_INDEX) role = uint8(_roll(4));
        uint256 stake = _stakeOf(t, role);
        if (_roll(10) == 0) stake = _roll(200 ether);
        (Phase phase, uint256 round) = training.phaseOf(tasks[t].id);
        vm.prank(actors[a]);
        training.join(tasks[t].id, role, stake);
        _breach(stake > free[a], "more was bonded than was free");
        free[a] -= stake;
        _noteJoin(t, a, role, stake, phase, round);
    }

    /// @dev An account that has not joined, from `first` on.
    function _outsider(uint256 t, uint256 first) private view returns (uint256 a) {
        for (uint256 i; i < ACTORS; ++i) {
            a = (first + i) % ACTORS;
            if (members[t][a].role == 0) return a;
        }
        return first;
    }

    function _stakeOf(uint256 t, uint8 role) private returns (uint256) {
        if (role == Roles.TRAINER) return tasks[t].trainerStake;
        return tasks[t].validatorStake + _roll(2) * _roll(50 ether);
    }

    function joinBatch(uint256 seed) external verb(seed) {
        _joinBatchIn(_pickTask(Phase.Joining));
    }

    function _joinBatchIn(uint256 t) internal {
        ++successes["joinBatch"];
        bytes32 id = tasks[t].id;
        SignedJoin[] memory batch = new SignedJoin[](TRAINERS);
        uint256[] memory who = new uint256[](TRAINERS);
        uint256 first = _roll(ACTORS);
        for (uint256 i; i < TRAINERS; ++i) {
            who[i] = (first + i) % ACTORS;
            uint8 role = who[i] < TRAINERS ? Roles.TRAINER : Roles.VALIDATOR;
            batch[i] = _sign(id, who[i], role, _stakeOf(t, role));
        }
        (Phase phase, uint256 round) = training.phaseOf(id);
        training.joinBatch(id, batch);
        for (uint256 i; i < TRAINERS; ++i) {
            bool isNew = members[t][who[i]].role == 0;
            if (!isNew || training.member(id, actors[who[i]]).role == 0) continue;
            uint256 stake = batch[i].join.stake;
            uint256 fromFree = stake < free[who[i]] ? stake : free[who[i]];
            free[who[i]] -= fromFree;
            _noteJoin(t, who[i], batch[i].join.role, stake, phase, round);
        }
    }

    function _sign(bytes32 id, uint256 a, uint8 role, uint256 stake)
        private
        view
        returns (SignedJoin memory out)
    {
        out.join = Join(actors[a], role, stake, clock);
        bytes32 message =
            keccak256(abi.encode(Hashes.JOIN_TYPEHASH, id, actors[a], role, stake, clock));
        (out.r, out.vs) = _signCompact(keys[a], _typed(training.domainSeparator(), message));
    }

    function _noteJoin(uint256 t, uint256 a, uint8 role, uint256 stake, Phase phase, uint256 round)
        private
    {
        GhostMember storage m = members[t][a];
        _breach(m.role != 0, "an account joined twice");
        _breach(phase >= Phase.Finished, "an account joined a task that is over");
        if (role == Roles.TRAINER) {
            _breach(stake != tasks[t].trainerStake, "a trainer joined with another stake");
        } else {
            _breach(phase != Phase.Joining, "a validator joined late");
            _breach(a < TRAINERS || a == MALLORY_INDEX, "a stranger joined the committee");
            _breach(stake < tasks[t].validatorStake, "a validator joined with too little");
            tasks[t].totalStake += stake;
        }
        (m.role, m.isSeated, m.stake, m.bond) = (role, true, stake, stake);
        m.joinedRound = round;
    }

    function leave(uint256 seed) external verb(seed) {
        _leaveIn(_pickTask(_roll(2) == 0 ? Phase.Finished : Phase.Cancelled));
    }

    function _leaveIn(uint256 t) internal {
        uint256 a = _roll(ACTORS);
        for (uint256 i; i < ACTORS && !members[t][a].isSeated; ++i) {
            a = (a + 1) % ACTORS;
        }
        _leave(t, a);
    }

    function _leave(uint256 t, uint256 a) internal {
        GhostMember storage m = members[t][a];
        (Phase phase, uint256 round) = training.phaseOf(tasks[t].id);
        bool isRunning = phase > Phase.Joining && phase < Phase.Finished;
        bool isOpen = _mayReveal(t, a, round);
        vm.prank(actors[a]);
        training.leave(tasks[t].id);
        _breach(!m.isSeated, "somebody left twice");
        _breach(isRunning && m.role == Roles.VALIDATOR, "a validator left a running task");
        _breach(isRunning && isOpen, "a trainer left an open commitment");
        if (phase == Phase.Joining && m.role == Roles.VALIDATOR) tasks[t].totalStake -= m.stake;
        (m.isSeated, m.releaseAt) = (false, clock + BOND_DELAY);
        ++successes["leave"];
    }

    // Payouts and sanctions

    function claim(uint256 seed) external verb(seed) {
        (uint256 t, uint256 a) = (_roll(tasks.length), _roll(ACTORS));
        for (uint256 i; i < tasks.length * ACTORS && !_isOwed(t, a); ++i) {
            a = (a + 1) % ACTORS;
            if (i % ACTORS == 0) t = (t + 1) % tasks.length;
        }
        touched = t;
        _claim(t, a);
    }

    function _isOwed(uint256 t, uint256 a) internal view returns (bool) {
        return tasks[t].owed[a] > members[t][a].claimed;
    }

    function _claim(uint256 t, uint256 a) internal {
        GhostTask storage g = tasks[t];
        uint256 before = Token(g.token).balanceOf(actors[a]);
        uint256 amount = g.owed[a] - members[t][a].claimed;
        bytes32[] memory proof = Trees.proof(_leaves(t, g.owed), a);
        training.claim(g.id, actors[a], g.owed[a], proof);
        _breach(amount == 0, "nothing was claimed");
        _breach(
            Token(g.token).balanceOf(actors[a]) - before != amount, "a claim paid another amount"
        );
        members[t][a].claimed = g.owed[a];
        g.claimed += amount;
        ++successes["claim"];
    }

    function sanction(uint256 seed) external verb(seed) {
        (uint256 t, uint256 a) = (_roll(tasks.length), _roll(ACTORS));
        for (uint256 i; i < tasks.length * ACTORS; ++i) {
            GhostMember storage m = members[t][a];
            if (m.role != 0 && m.strikes < 3 && m.strikes < tasks[t].strikes[a]) break;
            a = (a + 1) % ACTORS;
            if (i % ACTORS == 0) t = (t + 1) % tasks.length;
        }
        bytes32[] memory proof = Trees.proof(_leaves(t, tasks[t].strikes), a);
        training.sanction(tasks[t].id, actors[a], tasks[t].strikes[a], proof);
        _noteSanction(t, a, tasks[t].strikes[a]);
    }

    function _noteSanction(uint256 t, uint256 a, uint256 strikes) private {
        GhostMember storage m = members[t][a];
        strikes = strikes > 3 ? 3 : strikes;
        _breach(m.role == 0, "a stranger was sanctioned");
        _breach(strikes <= m.strikes, "a strike was punished twice");
        uint256 cost = m.bond;
        if (strikes == 1) cost = m.stake / 20;
        if (strikes == 2) cost = m.stake * (m.strikes == 0 ? 25 : 20) / 100;
        if (cost > m.bond) cost = m.bond;
        m.strikes = strikes;
        m.bond -= cost;
        slashed += cost;
        if (strikes == 3) m.isSeated = false;
        touched = t;
        ++successes["sanction"];
    }
}
