// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title Penalties
/// @notice Graduated sanctions: what strikes cost.
library Penalties {
    /// @notice The strike that takes all that is left, and the seat.
    uint256 internal constant STRIKES_MAX = 3;
    uint256 internal constant FIRST_STRIKE_BPS = 500;
    uint256 internal constant SECOND_STRIKE_BPS = 2_000;

    /// @notice The part of `stake` that the strikes after `from` up to `to` cost, rounded down.
    function penalty(uint256 stake, uint256 from, uint256 to) internal pure returns (uint256) {
        if (to >= STRIKES_MAX) return type(uint256).max;
        uint256 bps;
        if (from < 1 && to >= 1) bps += FIRST_STRIKE_BPS;
        if (from < 2 && to >= 2) bps += SECOND_STRIKE_BPS;
        return stake * bps / 10_000;
    }
}
