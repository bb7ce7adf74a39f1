// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

import {IModelRegistry} from "./interfaces/IModelRegistry.sol";

/// @title ModelRegistry
/// @notice Model versions, their lineage and each task's head.
contract ModelRegistry is IModelRegistry, Ownable2Step {
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;

    struct Lineage {
        address publisher;
        uint64 count;
        Checkpoints.Trace208 heads;
        mapping(uint256 number => ModelVersion) versions;
    }

    /// @inheritdoc IModelRegistry
    mapping(address account => bool) public isPublisher;
    mapping(bytes32 taskId => Lineage) private _lineages;

    constructor(address owner) Ownable(owner) {}

    /// @inheritdoc IModelRegistry
    function publisherOf(bytes32 taskId) external view returns (address) {
        return _lineages[taskId].publisher;
    }

    /// @inheritdoc IModelRegistry
    function versionCount(bytes32 taskId) external view returns (uint256) {
        return _lineages[taskId].count;
    }

    /// @inheritdoc IModelRegistry
    function version(bytes32 taskId, uint256 number) external view returns (ModelVersion memory) {
        Lineage storage lineage = _lineages[taskId];
        if (number == 0 || number > lineage.count) {
            revert ModelRegistryUnknownVersion(taskId, number);
        }
        return lineage.versions[number];
    }

    /// @inheritdoc IModelRegistry
    function headOf(bytes32 taskId) external view returns (uint256) {
        return _lineages[taskId].heads.latest();
    }

    /// @inheritdoc IModelRegistry
    function headAt(bytes32 taskId, uint256 blockNumber) external view returns (uint256) {
        return _lineages[taskId].heads.upperLookupRecent(blockNumber.toUint48());
    }

    /// @inheritdoc IModelRegistry
    function enablePublisher(address publisher) external onlyOwner {
        if (isPublisher[publisher]) revert ModelRegistryPublisherAlreadyEnabled(publisher);
        isPublisher[publisher] = true;
        emit PublisherEnabled(publisher);
    }

    /// @inheritdoc IModelRegistry
    function publish(
        bytes32 taskId,
        uint256 round,
        bytes32 model,
        bytes32 modelRoot,
        bytes32 record
    ) external returns (uint256 number) {
        if (!isPublisher[msg.sender]) revert ModelRegistryNotPublisher(msg.sender);
        Lineage storage lineage = _lineages[taskId];
        address publisher = lineage.publisher;
        if (publisher != address(0) && publisher != msg.sender) {
            revert ModelRegistryForeignTask(taskId, publisher);
        }
        number = uint256(lineage.count) + 1;
        (lineage.publisher, lineage.count) = (msg.sender, number.toUint64());
        // The head it returns second is the one we push.
        // slither-disable-next-line unused-return
        (uint208 parent,) = lineage.heads.push(block.number.toUint48(), number.toUint208());
        lineage.versions[number] = ModelVersion({
            parent: uint256(parent).toUint64(),
            round: round.toUint32(),
            blockNumber: block.number.toUint64(),
            model: model,
            modelRoot: modelRoot,
            record: record
        });
        emit ModelPublished(taskId, number, parent, round, model, modelRoot, record);
    }

    /// @inheritdoc IModelRegistry
    function rollBack(bytes32 taskId, uint256 number) external {
        Lineage storage lineage = _lineages[taskId];
        if (lineage.publisher != msg.sender) {
            revert ModelRegistryForeignTask(taskId, lineage.publisher);
        }
        if (number == 0 || number > lineage.count) {
            revert ModelRegistryUnknownVersion(taskId, number);
        }
        uint256 head = lineage.heads.latest();
        if (number == head) revert ModelRegistryAlreadyHead(taskId, number);
        // Both heads, the old and the new one, are known here.
        // slither-disable-next-line unused-return
        lineage.heads.push(block.number.toUint48(), number.toUint208());
        emit ModelRolledBack(taskId, number, head);
    }
}
