// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IVersions
/// @notice Checkpoints of the model, and ways back to them: by the deployer, by a vote of the
/// contributors, or by a recovery contract that replays contributions without the corrupted ones.
/// @dev A contribution whose influence a roll-back removed is judged by the model as it is:
/// nothing of its own is subtracted. Deposits stay what they are.
/// WARNING: votes are counted by validated contributions, and one person can have many accounts. A
/// vote says that those who did most of the work agree, not that most people do. Whoever has more
/// than half of few validated contributions decides alone: the deployer can roll back again.
/// WARNING: a recovered model learnt its contributions again, from another state, but is judged
/// with the memos of the first time. They remove a contribution's own influence only as far as it
/// was the same both times.
interface IVersions {
    event Version(uint256 indexed index, uint256 blockNumber, uint256 nonce, address pointer);
    event RolledBack(uint256 indexed index, uint256 epoch);
    event Voted(uint256 indexed index, address indexed account, uint256 weight, uint256 votes);
    event Retracted(uint256 indexed index, address indexed account);
    event RecoveryEnabled(address indexed recovery);
    event Recovered(uint256 indexed index, uint256 end, uint256 epoch, uint256[] excluded);
    event Relearnt(uint256 indexed nonce, uint256 memo);

    error VersionsUnknown(uint256 index);
    error VersionsNotDeployer(address account);
    error VersionsNotRecovery(address account);
    error VersionsRecoveryAlreadyEnabled(address recovery);
    error VersionsNoVote(address account);
    error VersionsBadEnd(uint256 end);
    error VersionsNotNext(uint256 nonce, uint256 next);

    /// @notice The contract that may recover the model, or 0.
    function recovery() external view returns (address);

    /// @notice How many checkpoints there are; they are numbered from 0.
    function versionCount() external view returns (uint256);

    /// @notice A checkpoint.
    /// @param pointer The account whose code is the model's state.
    /// @param blockNumber When it was made.
    /// @param nonce How many contributions there were.
    /// @param epoch_ How often the model had been rolled back or recovered.
    /// @param history_ The hash over the keys of the contributions up to then.
    function version(uint256 index)
        external
        view
        returns (
            address pointer,
            uint256 blockNumber,
            uint256 nonce,
            uint256 epoch_,
            bytes32 history_
        );

    /// @notice How often the model was rolled back or recovered.
    function epoch() external view returns (uint256);

    /// @notice True if the model, as it is now, learnt the contribution with that nonce.
    function isLearnt(uint256 nonce) external view returns (bool);

    /// @notice The votes for a checkpoint since the model was last rolled back or recovered.
    function votesFor(uint256 index) external view returns (uint256);

    /// @notice Stores the model's state as code. Anyone may pay for it.
    function checkpoint() external returns (uint256 index);

    /// @notice Gives the model the state of a checkpoint. Only the deployer.
    function rollBack(uint256 index) external;

    /// @notice Votes for a checkpoint, with the weight of the caller's validated contributions; an
    /// earlier vote is moved. The model gets the checkpoint's state as soon as it has more than
    /// half of all validated contributions. All votes lapse whenever the model is rolled back or
    /// recovered.
    function vote(uint256 index) external;

    /// @notice Takes the caller's vote back.
    function retract() external;

    /// @notice Names the contract that may recover the model, once and for ever. Only the deployer.
    function enableRecovery(address recovery_) external;

    /// @notice Gives the model the state that replaying contributions onto a checkpoint led to.
    /// Only the recovery contract, which must have seen to it that the state is right.
    /// @param index The checkpoint.
    /// @param end The nonce after the last contribution that was replayed; the first is the
    /// checkpoint's. Those from `end` on are out of the model until they are relearnt.
    /// @param excluded The nonces that were left out.
    /// @param state The whole state.
    function recover(uint256 index, uint256 end, uint256[] calldata excluded, bytes calldata state)
        external;

    /// @notice Makes the recovered model learn a contribution again. Only the recovery contract,
    /// which must have seen to it that there is this contribution. From `end` on, in the order of
    /// nonces, without the excluded ones, up to the last contribution before the recovery.
    function relearn(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external;
}
