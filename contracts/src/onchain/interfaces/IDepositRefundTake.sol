// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IDepositRefundTake
/// @notice Self-assessment: contributors lay down a deposit, get it back if the model agrees with
/// their data later, and take the deposits of data that it disagrees with.
/// @dev The model judges a contribution without the contribution's own influence. All credits are
/// balances; see `IAccounts.withdraw`.
/// WARNING: the deployer chooses the model and must be trusted with that: a model that lies about
/// agreement gives deposits to the wrong accounts. It cannot give more than there is.
/// WARNING: `add` spends what the caller's balance has if the value is not enough, and deposits
/// get dearer the sooner they follow each other. Withdraw what should not be at stake.
/// WARNING: one who can move the model with many contributions of his own can make it agree or
/// disagree with others for a while. That costs him a deposit each, dear in a flood, and they are
/// judged by the same model later.
interface IDepositRefundTake {
    event Refunded(uint256 indexed nonce, address indexed contributor, uint256 amount);
    event Reported(uint256 indexed nonce, address indexed reporter, uint256 amount);
    event Cleared(uint256 indexed nonce, address indexed account, uint256 amount);

    error DepositBaseOutOfRange(uint256 base);
    error DepositWaitsNotOrdered(uint256 refundWait, uint256 ownerWait, uint256 anyWait);
    error DepositTooLow(uint256 deposit, uint256 available);
    error DepositModelDisagrees(bytes32 key);
    error DepositModelAgrees(bytes32 key);
    error DepositOwnContribution(address account);
    error DepositNotValidated(address account);
    error DepositAlreadyReported(uint256 nonce, uint256 next);

    /// @notice What a deposit is built on, in wei: the price an hour squared after the last
    /// contribution.
    function base() external view returns (uint256);

    /// @notice Seconds until data can be refunded or reported.
    function refundWait() external view returns (uint256);

    /// @notice Seconds until the deployer can clear what is left.
    function ownerWait() external view returns (uint256);

    /// @notice Seconds until anybody can clear what is left.
    function anyWait() external view returns (uint256);

    /// @notice What a contribution costs now, in wei: `base * 3600 / isqrt(seconds since the last
    /// one)`, rounded down but at least 1; `base` if there is none before or none in an earlier
    /// second.
    function deposit() external view returns (uint256);

    /// @notice The lowest nonce that the account may still report.
    function nextReport(address account) external view returns (uint256);

    /// @notice What reporting would bring the account, in wei, as things stand.
    function takeOf(bytes32 key, address reporter) external view returns (uint256);

    /// @notice Gives data to the model, for a deposit out of the value and the caller's balance.
    /// What is too much is credited.
    /// @param label The label, or 65535 for an update of the model in place of data.
    function add(bytes calldata features, uint256 label) external payable returns (uint256 nonce);

    /// @notice Credits what is left of the caller's deposit if the model agrees with the label.
    function refund(bytes calldata features, uint256 label, uint256 time, uint256 nonce)
        external
        returns (uint256 amount);

    /// @notice Takes, from a deposit for data that the model disagrees with, the caller's share of
    /// all validated contributions (at least 1 wei, at most what is left). Each account reports in
    /// the order of nonces, so each contribution once at most; one that it leaves out is gone for
    /// it.
    function report(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external returns (uint256 amount);

    /// @notice Takes all that is left of a deposit, whatever the model says: the deployer after
    /// `ownerWait`, anybody after `anyWait`. The contributor counts as anybody, even as the
    /// deployer.
    function clear(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external returns (uint256 amount);
}
