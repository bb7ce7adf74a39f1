// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ITrainingErrors} from "../../src/interfaces/ITrainingErrors.sol";
import {ITrainingEvents} from "../../src/interfaces/ITrainingEvents.sol";
import {
    MemberState,
    Phase,
    Result,
    SignedCommit,
    TaskParams,
    TaskState
} from "../../src/interfaces/TrainingTypes.sol";
import {Hashes} from "../../src/libraries/Hashes.sol";
import {Base} from "../Base.t.sol";

/// @dev Cheat codes that only these tests use.
interface Cheats {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function chainId(uint256 id) external;
    function deal(address account, uint256 balance) external;
    function expectRevert() external;
    function getBlockTimestamp() external view returns (uint256);
    function getRecordedLogs() external returns (Log[] memory);
    function recordLogs() external;
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function assertEq(bytes calldata left, bytes calldata right) external pure;
}

/// @notice Three trainers, four validators, and shorthand for what most tests of Training do.
abstract contract TrainingTest is Base, ITrainingErrors, ITrainingEvents {
    Cheats internal constant cheats = Cheats(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 internal constant HALF_ORDER =
        0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    uint256 internal constant ORDER =
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 internal constant MALLORY_KEY = uint256(keccak256("mallory"));

    bytes32[] internal noProof;
    address internal alice;
    address internal bob;
    address internal carol;
    /// The validators, in the order of their addresses.
    address internal victor;
    address internal wanda;
    address internal xenia;
    address internal yuri;

    function setUp() public virtual override {
        super.setUp();
        _makeMembers(3, 4);
        (alice, bob, carol) = (vm.addr(trainers[0]), vm.addr(trainers[1]), vm.addr(trainers[2]));
        (victor, wanda) = (vm.addr(validators[0]), vm.addr(validators[1]));
        (xenia, yuri) = (vm.addr(validators[2]), vm.addr(validators[3]));
    }

    // Tasks

    /// @dev A task with room for our three trainers only, in its first Commit phase.
    function _begin(uint32 rounds) internal {
        _createTask(_params(rounds, 3));
        _joinAll();
    }

    /// @dev A task that others can still join, in its first Commit phase.
    function _beginWithRoom(uint32 rounds) internal {
        _createTask(_params(rounds, 10));
        _joinAll();
        _pass();
    }

    function _joinAll() internal {
        for (uint256 i; i < trainers.length; ++i) {
            _join(vm.addr(trainers[i]), 1);
        }
        for (uint256 i; i < validators.length; ++i) {
            _join(vm.addr(validators[i]), 2);
        }
    }

    function _joinWith(address account, uint8 role, uint256 stake) internal {
        _deposit(account, role, stake);
        vm.prank(account);
        training.join(taskId, role, stake);
    }

    function _deposit(address account, uint8 roles, uint256 stake) internal {
        token.approve(address(registry), stake);
        registry.depositFor(account, stake);
        vm.prank(account);
        registry.register(roles, 0);
    }

    /// @dev A new task of one round in any phase.
    function _taskIn(Phase phase) internal {
        if (phase == Phase.None) {
            taskId = "unknown";
        } else if (phase == Phase.Joining || phase == Phase.Cancelled) {
            _createTask(_params(1, 3));
            if (phase == Phase.Joining) return;
            vm.prank(SPONSOR);
            training.cancel(taskId);
        } else {
            _begin(1);
            _reach(phase, 1);
        }
    }

    /// @dev Plays a round from its Commit phase to another; Finished stands for the round's end.
    function _reach(Phase phase, uint256 round) internal {
        if (phase > Phase.Commit) _playCommit(round);
        if (phase > Phase.Reveal) _playReveal(round);
        if (phase > Phase.Score) {
            for (uint256 i; i < validators.length; ++i) {
                _commitScores(validators[i], round);
            }
        }
        if (phase > Phase.ScoreReveal) {
            for (uint256 i; i < validators.length; ++i) {
                _revealScores(validators[i], round);
            }
        }
        if (phase > Phase.Attest) _playAttest(round, _result(round, alice, 0, 0));
    }

    /// @dev Settles a round whose result sanctions one account.
    function _strike(uint256 round, address account, uint256 strikes) internal {
        Result memory result = _result(round, alice, 0, 0);
        result.sanctions = _leaf(account, strikes);
        _playRound(round, result);
    }

    function _sanction(address account, uint256 strikes) internal {
        training.sanction(taskId, account, strikes, noProof);
    }

    // Time

    /// @dev One second after the deadline.
    function _late() internal {
        vm.warp(training.task(taskId).deadline + 1);
    }

    function _onTime() internal {
        vm.warp(training.task(taskId).deadline);
    }

    function _pass() internal {
        _late();
        training.advance(taskId);
    }

    function _deadline() internal view returns (uint64) {
        return uint64(cheats.getBlockTimestamp() + 1 hours);
    }

    // Actions

    function _commit(uint256 key, uint256 round) internal {
        bytes32 commitment = _commitment(key, round);
        vm.prank(vm.addr(key));
        training.commit(taskId, round, commitment);
    }

    function _reveal(uint256 key, uint256 round) internal {
        vm.prank(vm.addr(key));
        training.reveal(taskId, round, _opening(key, round));
    }

    function _leave(address account) internal {
        vm.prank(account);
        training.leave(taskId);
    }

    function _signCommit(uint256 key, uint256 round, bytes32 commitment)
        internal
        view
        returns (SignedCommit memory entry)
    {
        bytes32 message = keccak256(abi.encode(Hashes.COMMIT_TYPEHASH, taskId, round, commitment));
        (entry.r, entry.vs) = _signCompact(key, _typed(training.domainSeparator(), message));
        entry.commitment = commitment;
    }

    function _one(SignedCommit memory entry) internal pure returns (SignedCommit[] memory batch) {
        batch = new SignedCommit[](1);
        batch[0] = entry;
    }

    /// @dev The other signature of the same message, which a careless check would accept too. The
    /// compact form has no room for the upper bit of its s, so it is cut off here as by a relay.
    function _flip(bytes32 vs) internal pure returns (bytes32) {
        uint256 s = uint256(vs) & (type(uint256).max >> 1);
        uint256 other = (ORDER - s) & (type(uint256).max >> 1);
        return bytes32(other | ((uint256(vs) ^ s) ^ (1 << 255)));
    }

    // Expectations

    function _expectWrongPhase(Phase expected, Phase actual) internal {
        vm.expectRevert(
            abi.encodeWithSelector(TrainingWrongPhase.selector, taskId, expected, actual)
        );
    }

    function _expectRefusal(bytes4 selector, address account) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, taskId, account));
    }

    function _expectPhaseStarted(uint256 round, Phase phase) internal {
        vm.expectEmit(address(training));
        emit PhaseStarted(taskId, round, phase, _deadline());
    }

    /// @dev `act` must be for round 1 and take no view calls on the way.
    function _assertRefusedOutside(Phase expected, function() internal act) internal {
        for (uint8 p = 1; p <= uint8(Phase.Cancelled); ++p) {
            if (Phase(p) == expected) continue;
            uint256 snapshot = cheats.snapshotState();
            _taskIn(Phase(p));
            _expectWrongPhase(expected, Phase(p));
            act();
            cheats.revertToState(snapshot);
        }
        taskId = "unknown";
        vm.expectRevert(abi.encodeWithSelector(TrainingUnknownTask.selector, taskId));
        act();
    }

    /// @dev Nothing is accepted late, and a refused call moves nothing.
    function _assertRefusedLate(Phase expected, Phase actual, function() internal act) internal {
        TaskState memory before = training.task(taskId);
        vm.assertTrue(before.phase == expected, "the test is in another phase");
        _late();
        _expectWrongPhase(expected, actual);
        act();
        _assertTask(before);
    }

    function _assertTask(TaskState memory expected) internal view {
        cheats.assertEq(abi.encode(training.task(taskId)), abi.encode(expected));
    }

    function _assertMember(address account, MemberState memory expected) internal view {
        cheats.assertEq(abi.encode(training.member(taskId, account)), abi.encode(expected));
    }

    function _assertPhase(Phase phase, uint256 round) internal view {
        TaskState memory state = training.task(taskId);
        vm.assertEq(uint256(state.phase), uint256(phase), "the phase");
        vm.assertEq(state.round, round, "the round");
    }

    function _bound(uint256 value, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + value % (most - least + 1);
    }
}
