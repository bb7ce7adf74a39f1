// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IMembership
/// @notice Says who may join a task. A task names one such contract, or none to be open to all.
/// @dev WARNING: the sponsor chooses it. A membership contract that changes its mind or reverts can
/// keep everybody out, so read it before you stake; it cannot touch those who have joined.
interface IMembership {
    /// @notice True if `account` may join the task.
    function isMember(bytes32 taskId, address account) external view returns (bool);
}
