// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {IAccounts} from "./interfaces/IAccounts.sol";

/// @title Accounts
/// @notice Balances, and the only way in which money leaves.
/// @dev An account is one word: its low 96 bits are the balance in wei, the others are the
/// mechanism's.
abstract contract Accounts is IAccounts {
    mapping(address account => uint256 word) internal _accounts;

    /// @inheritdoc IAccounts
    function balanceOf(address account) external view returns (uint256) {
        return uint96(_accounts[account]);
    }

    /// @inheritdoc IAccounts
    function withdraw() external returns (uint256 amount) {
        uint256 word = _accounts[msg.sender];
        amount = uint96(word);
        if (amount == 0) revert AccountsNothingToWithdraw(msg.sender);
        _accounts[msg.sender] = word - amount;
        emit Withdrawn(msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @dev The account's word with `amount` more in its balance. An amount is never more than
    /// there is money, so it cannot overflow the sum.
    function _credited(uint256 word, uint256 amount) internal pure returns (uint256) {
        unchecked {
            uint256 balance = uint96(word) + amount;
            if (balance > type(uint96).max) revert AccountsFull();
            return word + amount;
        }
    }

    function _credit(address account, uint256 amount) internal {
        _accounts[account] = _credited(_accounts[account], amount);
    }
}
