// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title Roles
/// @notice What an account may do, as bit flags. In a task a member has exactly one of them.
library Roles {
    uint8 internal constant TRAINER = 1;
    uint8 internal constant VALIDATOR = 2;
    uint8 internal constant SPONSOR = 4;
    uint8 internal constant ALL = TRAINER | VALIDATOR | SPONSOR;
}
