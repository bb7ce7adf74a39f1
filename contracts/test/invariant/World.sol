// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {AllowList} from "../../src/AllowList.sol";
import {Token} from "../../src/Token.sol";
import {Phase, Result, TaskState} from "../../src/interfaces/TrainingTypes.sol";
import {Roles} from "../../src/libraries/Roles.sol";
import {Base} from "../Base.t.sol";
import {ACTORS, GhostMember, GhostTask, MALLORY_INDEX, TRAINERS, Trees} from "./Ghost.sol";

/// @notice The actors, the ghost ledger, and the bookkeeping around every call.
abstract contract World is Base {
    uint256 internal constant TASKS_MAX = 5;
    uint256 internal constant RICHES = 100_000 ether;

    uint256[ACTORS] public keys;
    address[ACTORS] public actors;
    address[2] internal sponsors;
    Token internal dollars;
    AllowList internal list;

    GhostTask[] internal tasks;
    mapping(uint256 task => mapping(uint256 actor => GhostMember)) internal members;
    mapping(uint256 actor => uint256) public free;
    mapping(bytes32 digest => uint256 stake) internal tallies;
    uint256 public slashed;
    /// @dev The task that the last verb was about.
    uint256 internal touched;
    /// @dev The time. The compiler takes `block.timestamp` for a constant within a call: it is not here.
    uint256 internal clock;

    /// @notice The first thing that went wrong, if any: a handler's revert would go unseen.
    string public breach;
    mapping(string verb => uint256) public successes;

    uint256 private _seed;

    /// @dev Around every verb. A refused verb reverts, and the ghost ledger with it.
    modifier verb(uint256 seed) {
        _seed = seed;
        vm.warp(clock);
        _;
        for (uint256 t; t < tasks.length; ++t) {
            _observe(t);
        }
    }

    function setUp() public override {
        super.setUp();
        clock = block.timestamp;
        dollars = new Token(address(this), 1_000_000_000 ether);
        vm.prank(OWNER);
        training.enableToken(address(dollars));
        list = new AllowList(OWNER);
        sponsors = [SPONSOR, vm.addr(uint256(keccak256("second sponsor")))];
        _makeMembers(TRAINERS, MALLORY_INDEX - TRAINERS);
        for (uint256 a; a < ACTORS; ++a) {
            if (a < TRAINERS) {
                keys[a] = trainers[a];
            } else {
                keys[a] =
                    a < MALLORY_INDEX ? validators[a - TRAINERS] : uint256(keccak256("mallory"));
            }
            actors[a] = vm.addr(keys[a]);
            _equip(a);
        }
        address[] memory admitted = new address[](ACTORS - 1);
        for (uint256 a; a < admitted.length; ++a) {
            admitted[a] = actors[a];
        }
        vm.prank(OWNER);
        list.add(admitted);
    }

    function _equip(uint256 a) private {
        token.transfer(actors[a], 2 * RICHES);
        vm.startPrank(actors[a]);
        token.approve(address(registry), type(uint256).max);
        registry.deposit(RICHES);
        registry.register(Roles.ALL, 0);
        vm.stopPrank();
        free[a] = RICHES;
    }

    function _pass(uint256 duration) internal {
        clock += duration;
        vm.warp(clock);
    }

    // Chance

    function _roll(uint256 sides) internal returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % sides;
    }

    /// @dev A task in that phase if there is one; sometimes, and else, any.
    function _pickTask(Phase wanted) internal returns (uint256 t) {
        uint256 start = touched = _roll(tasks.length);
        if (_roll(8) == 0) return start;
        for (uint256 i; i < tasks.length; ++i) {
            t = (start + i) % tasks.length;
            (Phase phase,) = training.phaseOf(tasks[t].id);
            if (phase == wanted) return touched = t;
        }
        return start;
    }

    // What is true before a call

    function _roundOf(uint256 t) internal view returns (uint256 round) {
        (, round) = training.phaseOf(tasks[t].id);
    }

    /// @dev True if an act of that phase is in time: the deadline is not over, or the call that brings
    /// the act is the one that opens the phase.
    function _isTimely(uint256 t, Phase wanted, uint256 round) internal view returns (bool) {
        GhostTask storage g = tasks[t];
        if (clock <= g.deadline) return g.phase == wanted && g.round == round;
        return g.round == round ? wanted > g.phase : wanted == Phase.Commit && round == g.round + 1;
    }

    /// @dev What a Commit phase in `round` expects of the account.
    function _mayCommit(uint256 t, uint256 a, uint256 round) internal view returns (bool) {
        GhostMember storage m = members[t][a];
        return
            m.isSeated && m.role == Roles.TRAINER && m.joinedRound < round
                && m.committedRound < round;
    }

    function _mayReveal(uint256 t, uint256 a, uint256 round) internal view returns (bool) {
        GhostMember storage m = members[t][a];
        return m.isSeated && m.committedRound == round && m.revealedRound < round;
    }

    function _isValidator(uint256 t, uint256 a) internal view returns (bool) {
        return members[t][a].isSeated && members[t][a].role == Roles.VALIDATOR;
    }

    function _mayScore(uint256 t, uint256 a, uint256 round) internal view returns (bool) {
        return _isValidator(t, a) && members[t][a].scoredRound < round;
    }

    function _mayRevealScores(uint256 t, uint256 a, uint256 round) internal view returns (bool) {
        GhostMember storage m = members[t][a];
        return _isValidator(t, a) && m.scoredRound == round && m.scoresRevealedRound < round;
    }

    function _mayAttest(uint256 t, uint256 a, uint256 round) internal view returns (bool) {
        return _isValidator(t, a) && members[t][a].attestedRound < round;
    }

    function _budgetGhost(uint256 t, uint256 round) internal view returns (uint256) {
        GhostTask storage g = tasks[t];
        return (g.pool - g.allocated) / (g.rounds - round + 1);
    }

    // What must be true after a call

    function _breach(bool wrong, string memory name) internal {
        if (wrong && bytes(breach).length == 0) breach = name;
    }

    /// @dev Phases only go forward; each has its whole time from its start, unless everyone has acted; an
    /// end is an end.
    function _observe(uint256 t) internal {
        GhostTask storage g = tasks[t];
        TaskState memory state = training.task(g.id);
        if (state.phase == g.phase && state.round == g.round) {
            _breach(state.deadline != g.deadline, "a deadline moved");
            return;
        }
        bool ended = state.phase >= Phase.Finished;
        _breach(g.phase >= Phase.Finished, "a task left its last phase");
        _breach(
            state.round < g.round || (state.round == g.round && state.phase < g.phase),
            "a phase went back"
        );
        _breach(state.round > g.round + 1 || state.round > g.rounds, "a round was skipped");
        if (clock <= g.deadline) {
            for (uint256 a; a < ACTORS; ++a) {
                _breach(_isAwaited(t, a), "a phase closed although somebody had not acted");
            }
        }
        uint256 deadline = ended ? 0 : clock + g.durations[uint256(state.phase)];
        _breach(state.deadline != deadline, "a phase is shorter or longer than its rules say");
        (g.phase, g.round, g.deadline) = (state.phase, state.round, deadline);
    }

    /// @dev Attest closes with a quorum and Joining when the sponsor cancels, whoever has not acted.
    function _isAwaited(uint256 t, uint256 a) private view returns (bool) {
        (Phase phase, uint256 round) = (tasks[t].phase, tasks[t].round);
        if (phase == Phase.Commit) return _mayCommit(t, a, round);
        if (phase == Phase.Reveal) return _mayReveal(t, a, round);
        if (phase == Phase.Score) return _mayScore(t, a, round);
        return phase == Phase.ScoreReveal && _mayRevealScores(t, a, round);
    }

    // What members make off-chain

    /// @dev Base's helpers make things for the task in `taskId`.
    function _as(uint256 t) internal returns (bytes32) {
        return taskId = tasks[t].id;
    }

    function _leaves(uint256 t, uint256[ACTORS] memory amounts)
        internal
        view
        returns (bytes32[] memory leaves)
    {
        leaves = new bytes32[](ACTORS);
        for (uint256 a; a < ACTORS; ++a) {
            leaves[a] =
                keccak256(bytes.concat(keccak256(abi.encode(tasks[t].id, actors[a], amounts[a]))));
        }
    }

    /// @dev The result of a round. An honest one shares `paid` to the last unit.
    function _propose(uint256 t, uint256 round) internal {
        GhostTask storage g = tasks[t];
        if (g.proposalRound == round) return;
        uint256[ACTORS] memory owed = g.owed;
        uint256[ACTORS] memory strikes = g.strikes;
        uint256 budget = _budgetGhost(t, round);
        uint256 paid = _roll(2) == 0 ? budget : _roll(budget + 1);
        uint256 rest = paid;
        for (uint256 a; a < ACTORS; ++a) {
            uint256 share = a == MALLORY_INDEX ? rest : _roll(rest + 1);
            owed[a] += share;
            rest -= share;
            if (_roll(a < TRAINERS ? 5 : 25) == 0) strikes[a] += 1 + _roll(3);
        }
        if (g.isCrooked) {
            uint256 a = _roll(ACTORS);
            owed[a] = _roll(2) == 0 ? owed[a] / 2 : 2 * owed[a] + 1;
        }
        (g.proposalRound, g.nextOwed, g.nextStrikes) = (round, owed, strikes);
        g.proposal = Result({
            model: keccak256(abi.encode("model", t, round)),
            modelRoot: keccak256(abi.encode("modelRoot", t, round)),
            record: keccak256(abi.encode("record", t, round)),
            payouts: Trees.root(_leaves(t, owed)),
            paid: paid,
            sanctions: Trees.root(_leaves(t, strikes))
        });
    }
}
