// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IAccounts
/// @notice Money that the contract owes. Every payment is a credit, which its owner withdraws.
interface IAccounts {
    event Withdrawn(address indexed account, uint256 amount);

    error AccountsNothingToWithdraw(address account);
    /// @dev More than 2^96 wei.
    error AccountsFull();

    /// @notice What the account may withdraw or spend here, in wei.
    function balanceOf(address account) external view returns (uint256);

    /// @notice Sends the caller's whole balance to the caller.
    /// @return amount What was sent, in wei.
    function withdraw() external returns (uint256 amount);
}
