// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {TrainingState} from "./TrainingState.sol";
import {IMembership} from "./interfaces/IMembership.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {ITraining} from "./interfaces/ITraining.sol";
import {Join, MemberState, Permit, Phase, SignedJoin} from "./interfaces/TrainingTypes.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Penalties} from "./libraries/Penalties.sol";
import {Roles} from "./libraries/Roles.sol";
import {Clock, Rounds} from "./libraries/Rounds.sol";
import {Slots} from "./libraries/Slots.sol";

/// @title TrainingMembers
/// @notice Joining, leaving and sanctions.
abstract contract TrainingMembers is TrainingState, EIP712 {
    using Rounds for Clock;
    using SafeCast for uint256;

    IRegistry internal immutable REGISTRY;

    constructor(IRegistry registry_) EIP712("Ostrom Training", "1") {
        if (address(registry_).code.length == 0) revert TrainingBadParameter("registry");
        REGISTRY = registry_;
    }

    /// @inheritdoc ITraining
    function join(bytes32 taskId, uint8 role, uint256 stake) external {
        _join(taskId, msg.sender, role, stake);
        REGISTRY.bond(taskId, msg.sender, stake);
    }

    /// @inheritdoc ITraining
    function joinBySignature(bytes32 taskId, SignedJoin calldata signed) external {
        Join calldata wish = signed.join;
        if (block.timestamp > wish.deadline) revert TrainingExpired(wish.deadline);
        bytes32 message = _hashTypedDataV4(Hashes.join(taskId, wish));
        // The third value only says more about the fault.
        // slither-disable-next-line unused-return
        (address signer, ECDSA.RecoverError fault,) = ECDSA.tryRecover(message, signed.r, signed.vs);
        if (fault != ECDSA.RecoverError.NoError || signer != wish.account) {
            revert TrainingBadSignature(taskId, wish.account);
        }
        _join(taskId, wish.account, wish.role, wish.stake);
        _permit(wish.account, signed.permit);
        REGISTRY.pullAndBond(taskId, wish.account, wish.stake);
    }

    /// @inheritdoc ITraining
    function joinBatch(bytes32 taskId, SignedJoin[] calldata signed) external {
        for (uint256 i; i < signed.length; ++i) {
            // A call of its own, so that a refused entry undoes nothing but itself. Both callees are
            // ours, so nobody comes in between it and the event.
            // slither-disable-next-line calls-loop,reentrancy-events
            try this.joinBySignature(taskId, signed[i]) {}
            catch (bytes memory fault) {
                emit JoinSkipped(taskId, i, bytes4(fault));
            }
        }
    }

    /// @inheritdoc ITraining
    function leave(bytes32 taskId) external {
        (Task storage task_, Clock memory clock) = _now(taskId);
        if (!_isSeated(task_, msg.sender)) revert TrainingNotMember(taskId, msg.sender);
        if (clock.isRunning()) {
            if (task_.members[msg.sender].role == Roles.VALIDATOR) {
                revert TrainingValidatorMustStay(taskId, msg.sender);
            }
            if (Slots.isOpen(task_.trainers[msg.sender].word, clock.round)) {
                revert TrainingOpenCommitment(taskId, msg.sender);
            }
        }
        emit Left(taskId, msg.sender);
        _unseat(task_, clock, msg.sender);
        _save(taskId, task_, clock);
        REGISTRY.unbond(taskId, msg.sender);
    }

    /// @inheritdoc ITraining
    function sanction(bytes32 taskId, address account, uint256 strikes, bytes32[] calldata proof)
        external
    {
        (Task storage task_, Clock memory clock) = _now(taskId);
        if (!MerkleProof.verifyCalldata(
                proof, task_.sanctions, Hashes.leaf(taskId, account, strikes)
            )) {
            revert TrainingBadProof(taskId, account);
        }
        Member storage member_ = task_.members[account];
        if (member_.role == 0) revert TrainingNotMember(taskId, account);
        uint256 before = member_.strikes;
        uint256 capped = Math.min(strikes, Penalties.STRIKES_MAX);
        if (capped <= before) revert TrainingNoNewStrikes(taskId, account, strikes);
        member_.strikes = uint8(capped);
        bool expelled = capped == Penalties.STRIKES_MAX;
        if (expelled && _isSeated(task_, account)) _unseat(task_, clock, account);
        _save(taskId, task_, clock);
        // Only the Registry knows what was left to take; it calls nobody but its token.
        // slither-disable-next-line reentrancy-events
        uint256 slashed =
            REGISTRY.slash(taskId, account, Penalties.penalty(member_.stake, before, capped));
        emit Sanctioned(taskId, account, capped, slashed, expelled);
    }

    /// @inheritdoc ITraining
    function member(bytes32 taskId, address account)
        external
        view
        returns (MemberState memory state)
    {
        Task storage task_ = _tasks[taskId];
        Member storage member_ = task_.members[account];
        (state.role, state.strikes) = (member_.role, member_.strikes);
        (state.committee, state.stake) = (member_.committee, member_.stake);
        state.seated = _isSeated(task_, account);
        state.round = Slots.roundOf(task_.trainers[account].word | task_.validators[account].word);
        state.claimed = task_.claims[account];
    }

    function _join(bytes32 taskId, address account, uint8 role, uint256 stake) private {
        (Task storage task_, Clock memory clock) = _now(taskId);
        if (clock.phase >= Phase.Finished) revert TrainingTaskEnded(taskId);
        Member storage member_ = task_.members[account];
        if (member_.role != 0) revert TrainingAlreadyJoined(taskId, account);
        if (role == Roles.TRAINER) _seatTrainer(taskId, task_, clock, account, stake);
        else if (role == Roles.VALIDATOR) _seatValidator(taskId, task_, clock, account, stake);
        else revert TrainingUnknownRole(role);
        if (REGISTRY.rolesOf(account) & role == 0) revert TrainingRoleMissing(account, role);
        address membership = task_.membership;
        if (membership != address(0) && !IMembership(membership).isMember(taskId, account)) {
            revert TrainingNotAdmitted(taskId, account);
        }
        member_.role = role;
        member_.stake = stake.toUint128();
        emit Joined(taskId, account, role, stake);
        _save(taskId, task_, clock);
    }

    function _seatTrainer(
        bytes32 taskId,
        Task storage task_,
        Clock memory clock,
        address account,
        uint256 stake
    ) private {
        if (task_.members[account].committee) {
            revert TrainingCommitteeCannotTrain(taskId, account);
        }
        if (stake != task_.trainerStake) {
            revert TrainingWrongStake(taskId, task_.trainerStake, stake);
        }
        uint256 maxTrainers = task_.rules.maxTrainers;
        if (clock.trainers >= maxTrainers) revert TrainingFull(taskId, maxTrainers);
        clock.trainers += 1;
        task_.trainers[account].word = Slots.pack(clock.round, Slots.DONE);
    }

    function _seatValidator(
        bytes32 taskId,
        Task storage task_,
        Clock memory clock,
        address account,
        uint256 stake
    ) private {
        if (clock.phase != Phase.Joining) {
            revert TrainingWrongPhase(taskId, Phase.Joining, clock.phase);
        }
        if (!task_.members[account].committee) revert TrainingNotInCommittee(taskId, account);
        if (stake < task_.validatorStake) {
            revert TrainingWrongStake(taskId, task_.validatorStake, stake);
        }
        clock.validators += 1;
        task_.seatedStake += stake.toUint128();
        task_.validators[account].word = Slots.pack(0, Slots.DONE);
    }

    /// @dev Takes the seat away and takes back what the round expects of it: an open commitment no
    /// longer counts, what was revealed or attested before stays said.
    function _unseat(Task storage task_, Clock memory clock, address account) private {
        if (task_.members[account].role == Roles.TRAINER) _unseatTrainer(task_, clock, account);
        else _unseatValidator(task_, clock, account);
    }

    function _unseatTrainer(Task storage task_, Clock memory clock, address account) private {
        uint256 word = task_.trainers[account].word;
        task_.trainers[account].word = 0;
        clock.trainers -= 1;
        bool open = Slots.isOpen(word, clock.round);
        if (clock.phase == Phase.Commit) {
            if (open) clock.commits -= 1;
            if (open || Slots.roundOf(word) < clock.round) clock.active -= 1;
        } else if (clock.phase == Phase.Reveal && open) {
            clock.commits -= 1;
        }
    }

    function _unseatValidator(Task storage task_, Clock memory clock, address account) private {
        uint256 word = task_.validators[account].word;
        task_.validators[account].word = 0;
        clock.validators -= 1;
        task_.seatedStake -= task_.members[account].stake;
        if (clock.phase == Phase.Score || clock.phase == Phase.ScoreReveal) {
            if (Slots.isOpen(word, clock.round)) clock.scoreCommits -= 1;
        } else if (clock.phase == Phase.Attest) {
            if (word == Slots.pack(clock.round, Slots.ATTESTED)) clock.attestations -= 1;
        }
    }

    function _isSeated(Task storage task_, address account) internal view returns (bool) {
        return task_.trainers[account].word != 0 || task_.validators[account].word != 0;
    }

    /// @dev A permit can be used by anybody before us; then the allowance is there already.
    function _permit(address owner, Permit calldata permit) private {
        if (permit.value == 0) return;
        address token = REGISTRY.stakingToken();
        try IERC20Permit(token)
            .permit(
                owner,
                address(REGISTRY),
                permit.value,
                permit.deadline,
                permit.v,
                permit.r,
                permit.s
            ) {}
            catch {}
    }
}
