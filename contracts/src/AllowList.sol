// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IAllowList} from "./interfaces/IAllowList.sol";
import {IMembership} from "./interfaces/IMembership.sol";

/// @title AllowList
/// @notice The membership rule of a consortium: its owner keeps a list.
contract AllowList is IAllowList, Ownable2Step {
    mapping(address account => bool) private _members;

    constructor(address owner) Ownable(owner) {}

    /// @inheritdoc IAllowList
    function add(address[] calldata accounts) external onlyOwner {
        for (uint256 i; i < accounts.length; ++i) {
            if (_members[accounts[i]]) revert AllowListAlreadyMember(accounts[i]);
            _members[accounts[i]] = true;
            emit MemberAdded(accounts[i]);
        }
    }

    /// @inheritdoc IAllowList
    function remove(address[] calldata accounts) external onlyOwner {
        for (uint256 i; i < accounts.length; ++i) {
            if (!_members[accounts[i]]) revert AllowListNotMember(accounts[i]);
            _members[accounts[i]] = false;
            emit MemberRemoved(accounts[i]);
        }
    }

    /// @inheritdoc IMembership
    /// @dev The same list for every task.
    function isMember(bytes32, address account) external view returns (bool) {
        return _members[account];
    }
}
