// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @notice Where a market stands between two stages.
struct Position {
    /// @dev Bit p: party p is still in.
    uint256 alive;
    /// @dev Rounds that the bounty still pays.
    uint256 rounds;
    /// @dev Each party's, in wei.
    uint256[] balances;
}

/// @title MarketRule
/// @notice The market scoring rule in whole numbers.
///
/// A round pays 1 wei for each wrong sample that a party's contributions put right, and takes 1 wei for
/// each right one that they spoil. What one round pays to all together is at most the number of
/// samples, so a bounty of `rounds * samples` is never exceeded; what losers lose comes back to it.
library MarketRule {
    /// @notice Plays as many rounds as all parties that lose can pay, or all that are left. Whoever
    /// cannot pay one more round leaves and keeps what it has.
    /// @dev Each stage ends the rounds or sends somebody home, so there are at most as many as parties.
    /// Every balance stays at 0 or above: no round is played that one of the parties cannot pay.
    /// @param scores Per party: wrong samples before its contributions less those after.
    /// @return played How many rounds were played.
    function play(Position memory position, int256[] memory scores)
        internal
        pure
        returns (uint256 played)
    {
        uint256 alive = position.alive;
        uint256[] memory balances = position.balances;
        played = affordable(position, scores);
        for (uint256 p; p < scores.length; ++p) {
            if ((alive >> p) & 1 == 0) continue;
            int256 score = scores[p];
            if (score >= 0) {
                balances[p] += uint256(score) * played;
            } else {
                uint256 loss = uint256(-score);
                balances[p] -= loss * played;
                if (balances[p] < loss) position.alive &= ~(1 << p);
            }
        }
        position.rounds -= played;
    }

    /// @notice How many rounds can be played before somebody cannot pay the next.
    function affordable(Position memory position, int256[] memory scores)
        internal
        pure
        returns (uint256 rounds)
    {
        rounds = position.rounds;
        for (uint256 p; p < scores.length; ++p) {
            if (scores[p] >= 0 || (position.alive >> p) & 1 == 0) continue;
            uint256 rounds_ = position.balances[p] / uint256(-scores[p]);
            if (rounds_ < rounds) rounds = rounds_;
        }
    }
}
