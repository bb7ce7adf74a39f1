// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMembership} from "./IMembership.sol";

/// @title IAllowList
/// @notice A list of accounts, kept by its owner, that may join any task which names it.
/// @dev WARNING: the owner can change the list at any time. Removal keeps an account from joining
/// further tasks; it does not expel it from those it has joined.
interface IAllowList is IMembership {
    event MemberAdded(address indexed account);
    event MemberRemoved(address indexed account);

    error AllowListAlreadyMember(address account);
    error AllowListNotMember(address account);

    /// @notice Admits accounts; only the owner. Reverts as a whole if one is a member already.
    function add(address[] calldata accounts) external;

    /// @notice Removes accounts; only the owner. Reverts as a whole if one is not a member.
    function remove(address[] calldata accounts) external;
}
