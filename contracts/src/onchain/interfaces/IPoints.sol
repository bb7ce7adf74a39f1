// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IPoints
/// @notice Gamification: no deposit. Data that the model agrees with after a wait earn points, and
/// so does reporting data that it disagrees with. Badges reward quantity, diversity and regularity.
/// @dev Days are those of the contributions, not of their validation, so nobody can spread one
/// day's work over a streak. A contribution of an earlier day than the last validated one adds
/// nothing to a streak: validate in order.
/// WARNING: points are worth what people think of them. Nothing stops one person from having many
/// accounts or from giving similar data many times; do not pay money by points.
interface IPoints {
    /// @notice What an account did.
    /// @param points The score.
    /// @param validated How many contributions the model confirmed.
    /// @param diverse How many of them differed from the one before.
    /// @param labels Bit k is set if one had the label k (below 32).
    /// @param sketch The model's sketch of the last one.
    /// @param lastDay The day of the last one, in days since 1970.
    /// @param streak For how many days in a row there is one, up to `lastDay`.
    /// @param bestStreak The longest streak so far.
    struct Account {
        uint32 points;
        uint32 validated;
        uint32 diverse;
        uint32 labels;
        uint64 sketch;
        uint24 lastDay;
        uint16 streak;
        uint16 bestStreak;
    }

    /// @notice Levels from 0 to 3.
    struct Badges {
        uint8 quantity;
        uint8 diversity;
        uint8 regularity;
    }

    /// @notice A line of the leaderboard.
    struct Standing {
        address account;
        uint256 points;
        uint256 validated;
        Badges badges;
    }

    event Validated(
        uint256 indexed nonce, address indexed contributor, uint256 points, bool diverse
    );
    event Reported(uint256 indexed nonce, address indexed reporter, uint256 points);

    error PointsWaitTooLong(uint256 wait);
    error PointsModelDisagrees(bytes32 key);
    error PointsModelAgrees(bytes32 key);
    error PointsOwnContribution(address account);
    error PointsNotValidated(address account);

    /// @notice Seconds until data can be validated or reported.
    function wait() external view returns (uint256);

    /// @notice What an account did.
    function accountOf(address account) external view returns (Account memory);

    /// @notice An account's badges: quantity at 10, 100 and 1,000 validated contributions;
    /// diversity at 5, 50 and 500 diverse ones that cover all labels (of the first 32); regularity
    /// at best streaks of 3, 7 and 30 days.
    function badges(address account) external view returns (Badges memory);

    /// @notice How many accounts have a validated contribution.
    function contributorCount() external view returns (uint256);

    /// @notice A page of those accounts, in the order of their first validated contribution.
    function leaderboard(uint256 from, uint256 count) external view returns (Standing[] memory);

    /// @notice Gives data to the model.
    /// @param label The label, or 65535 for an update of the model in place of data.
    function add(bytes calldata features, uint256 label) external returns (uint256 nonce);

    /// @notice Confirms data that the model agrees with: 10 points for the contributor, 20 if the
    /// data differ from the contributor's last ones by 8 bits of the sketch or more. An update of
    /// the model has no sketch and always earns 10. Anybody may call it.
    function validate(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external returns (uint256 points);

    /// @notice Closes data that the model disagrees with: 5 points for the caller, who must have a
    /// validated contribution; the contributor's streak ends.
    function report(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external;
}
