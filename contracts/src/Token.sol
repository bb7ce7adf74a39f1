// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @title Token
/// @notice The Ostrom token: a fixed supply with permits (EIP-2612) and votes (EIP-5805).
/// @dev There is no owner and no minter. Votes count by block number and must be delegated.
contract Token is ERC20, ERC20Permit, ERC20Votes {
    /// @param recipient Gets the whole supply.
    /// @param supply All tokens there will ever be, in the smallest unit (18 decimals).
    constructor(address recipient, uint256 supply) ERC20("Ostrom", "OSTR") ERC20Permit("Ostrom") {
        _mint(recipient, supply);
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
