// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {DataHandler} from "./DataHandler.sol";
import {IVersions} from "./interfaces/IVersions.sol";
import {CodeStorage} from "./libraries/CodeStorage.sol";
import {Record} from "./libraries/Records.sol";

/// @title Versions
/// @notice Checkpoints, roll-backs, votes and recovery; and whether the model, after all these,
/// still knows a contribution.
/// @dev Each roll-back or recovery starts an epoch. What an epoch's model knows: every
/// contribution of the epoch, what its checkpoint knew, and what a recovery replayed onto that.
abstract contract Versions is IVersions, DataHandler {
    using SafeCast for uint256;

    /// @dev The first four are one word.
    struct Checkpoint {
        address pointer;
        uint40 blockNumber;
        uint32 nonce;
        uint16 epoch;
        bytes18 history;
    }

    /// @dev Known: nonces from `start` on; from `limit` to `end` unless excluded; below `limit`
    /// what `parent` knows.
    struct Epoch {
        uint32 start;
        uint32 limit;
        uint32 end;
        uint16 parent;
        mapping(uint256 nonce => bool) isExcluded;
    }

    struct Vote {
        uint16 epoch;
        uint48 weight;
        uint192 index;
    }

    /// @inheritdoc IVersions
    uint256 public epoch;
    /// @inheritdoc IVersions
    address public recovery;

    Checkpoint[] private _checkpoints;
    mapping(uint256 epoch => Epoch) private _epochs;
    mapping(uint256 epoch => mapping(uint256 index => uint256)) private _tallies;
    mapping(address account => Vote) private _votes;

    /// @inheritdoc IVersions
    function versionCount() external view returns (uint256) {
        return _checkpoints.length;
    }

    /// @inheritdoc IVersions
    function version(uint256 index)
        external
        view
        returns (
            address pointer,
            uint256 blockNumber,
            uint256 nonce,
            uint256 epoch_,
            bytes32 history_
        )
    {
        Checkpoint storage one = _checkpoint(index);
        return (one.pointer, one.blockNumber, one.nonce, one.epoch, one.history);
    }

    /// @inheritdoc IVersions
    function isLearnt(uint256 nonce) external view returns (bool) {
        return nonce < _totals.count() && _isKnown(nonce);
    }

    /// @inheritdoc IVersions
    function votesFor(uint256 index) external view returns (uint256) {
        return _tallies[epoch][index];
    }

    /// @inheritdoc IVersions
    function checkpoint() external returns (uint256 index) {
        index = _checkpoints.length;
        (uint32 nonce, bytes18 history_) = (uint32(_totals.count()), bytes18(_totals.history()));
        address pointer = CodeStorage.write(model.state());
        _checkpoints.push(Checkpoint(pointer, uint40(block.number), nonce, uint16(epoch), history_));
        emit Version(index, block.number, nonce, pointer);
    }

    /// @inheritdoc IVersions
    function rollBack(uint256 index) external {
        if (msg.sender != deployer) revert VersionsNotDeployer(msg.sender);
        _rollBack(index);
    }

    /// @inheritdoc IVersions
    function vote(uint256 index) external {
        _checkpoint(index);
        uint256 weight = _validatedOf(msg.sender);
        if (weight == 0) revert VersionsNoVote(msg.sender);
        _forget(msg.sender);
        uint256 votes = _tallies[epoch][index] + weight;
        _tallies[epoch][index] = votes;
        _votes[msg.sender] = Vote(uint16(epoch), uint48(weight), uint192(index));
        emit Voted(index, msg.sender, weight, votes);
        if (2 * votes > _totals.validated()) _rollBack(index);
    }

    /// @inheritdoc IVersions
    function retract() external {
        Vote memory earlier = _forget(msg.sender);
        if (earlier.weight == 0) revert VersionsNoVote(msg.sender);
        delete _votes[msg.sender];
        emit Retracted(earlier.index, msg.sender);
    }

    /// @inheritdoc IVersions
    function enableRecovery(address recovery_) external {
        if (msg.sender != deployer) revert VersionsNotDeployer(msg.sender);
        if (recovery != address(0)) revert VersionsRecoveryAlreadyEnabled(recovery);
        recovery = recovery_;
        emit RecoveryEnabled(recovery_);
    }

    /// @inheritdoc IVersions
    function recover(uint256 index, uint256 end, uint256[] calldata excluded, bytes calldata state)
        external
    {
        _requireRecovery();
        Epoch storage next = _start(index);
        if (end < next.limit || end > next.start) revert VersionsBadEnd(end);
        next.end = uint32(end);
        for (uint256 i; i < excluded.length; ++i) {
            next.isExcluded[excluded[i]] = true;
        }
        emit Recovered(index, end, epoch, excluded);
        model.load(0, state);
    }

    /// @inheritdoc IVersions
    function relearn(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external {
        _requireRecovery();
        Epoch storage now_ = _epochs[epoch];
        uint256 next = now_.end;
        while (now_.isExcluded[next]) ++next;
        if (nonce != next || nonce >= now_.start) revert VersionsNotNext(nonce, next);
        now_.end = uint32(nonce) + 1;
        bytes32 key = _key(features, label, time, contributor, nonce);
        uint64 memo = model.learn(features, label);
        Record record = _records[key];
        if (record.claimable() != 0) _records[key] = record.withMemo(memo);
        emit Relearnt(nonce, memo);
    }

    /// @dev The memo with which the model judges a contribution: 0 if it does not know it.
    function _memoNow(Record record, uint256 nonce, bool isRolledBack)
        internal
        view
        returns (uint64)
    {
        return isRolledBack && !_isKnown(nonce) ? 0 : record.memo();
    }

    function _rollBack(uint256 index) private {
        Checkpoint storage one = _checkpoint(index);
        _start(index);
        emit RolledBack(index, epoch);
        model.load(0, model.widen(CodeStorage.read(one.pointer)));
    }

    /// @dev Starts an epoch from a checkpoint.
    function _start(uint256 index) private returns (Epoch storage next) {
        Checkpoint storage one = _checkpoint(index);
        uint256 number = epoch + 1;
        epoch = number.toUint16();
        next = _epochs[number];
        (next.start, next.limit) = (uint32(_totals.count()), one.nonce);
        (next.end, next.parent) = (one.nonce, one.epoch);
        _totals = _totals.withRollBack();
    }

    /// @dev As many steps as roll-backs lie between the contribution and now.
    function _isKnown(uint256 nonce) private view returns (bool) {
        uint256 number = epoch;
        while (true) {
            Epoch storage one = _epochs[number];
            if (nonce >= one.start) return true;
            if (nonce >= one.limit) return nonce < one.end && !one.isExcluded[nonce];
            number = one.parent;
        }
        return false;
    }

    /// @dev Takes the account's vote out of the tally, if it still counts.
    function _forget(address account) private returns (Vote memory earlier) {
        earlier = _votes[account];
        if (earlier.epoch != epoch) earlier.weight = 0;
        if (earlier.weight != 0) _tallies[epoch][earlier.index] -= earlier.weight;
    }

    function _checkpoint(uint256 index) private view returns (Checkpoint storage) {
        if (index >= _checkpoints.length) revert VersionsUnknown(index);
        return _checkpoints[index];
    }

    function _requireRecovery() private view {
        if (msg.sender != recovery) revert VersionsNotRecovery(msg.sender);
    }
}
