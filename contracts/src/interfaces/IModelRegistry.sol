// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IModelRegistry
/// @notice The versions of every task's model and which one is its head, now and in the past.
/// @dev WARNING: publishers are trusted code, enabled for ever by the owner. A task belongs to the
/// publisher that published its first version. Digests are recorded, not checked: that the model has
/// these bytes, and that the store still has them, is for the reader to verify.
interface IModelRegistry {
    /// @notice One version of a model. `parent` is the head it was made from (0 for the first).
    struct ModelVersion {
        uint64 parent;
        uint32 round;
        uint64 blockNumber;
        bytes32 model;
        bytes32 modelRoot;
        bytes32 record;
    }

    event PublisherEnabled(address indexed publisher);
    event ModelPublished(
        bytes32 indexed taskId,
        uint256 version,
        uint256 parent,
        uint256 round,
        bytes32 model,
        bytes32 modelRoot,
        bytes32 record
    );
    event ModelRolledBack(bytes32 indexed taskId, uint256 version, uint256 replaced);

    error ModelRegistryNotPublisher(address account);
    error ModelRegistryPublisherAlreadyEnabled(address publisher);
    error ModelRegistryForeignTask(bytes32 taskId, address publisher);
    error ModelRegistryUnknownVersion(bytes32 taskId, uint256 version);
    error ModelRegistryAlreadyHead(bytes32 taskId, uint256 version);

    /// @notice True if `account` may publish.
    function isPublisher(address account) external view returns (bool);

    /// @notice The publisher that a task belongs to, or 0.
    function publisherOf(bytes32 taskId) external view returns (address);

    /// @notice How many versions a task has; they are numbered from 1.
    function versionCount(bytes32 taskId) external view returns (uint256);

    /// @notice A version of a task's model.
    function version(bytes32 taskId, uint256 number) external view returns (ModelVersion memory);

    /// @notice The version in use, or 0 if there is none.
    function headOf(bytes32 taskId) external view returns (uint256);

    /// @notice The version in use at the end of a block, or 0 if there was none.
    function headAt(bytes32 taskId, uint256 blockNumber) external view returns (uint256);

    /// @notice Lets a contract publish, for ever. Only the owner.
    function enablePublisher(address publisher) external;

    /// @notice Adds a version, which becomes the head. Only the task's publisher.
    /// @param model The sha2-256 digest in the model file's CID.
    /// @param modelRoot The model's chunk root.
    /// @param record The sha2-256 digest in the CID of the round's record.
    function publish(
        bytes32 taskId,
        uint256 round,
        bytes32 model,
        bytes32 modelRoot,
        bytes32 record
    ) external returns (uint256 number);

    /// @notice Makes an earlier (or later) version the head. History stays. Only the task's publisher.
    function rollBack(bytes32 taskId, uint256 number) external;
}
