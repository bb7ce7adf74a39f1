// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "./IModel.sol";

/// @title IDataHandler
/// @notice Contributions: who gave what, when, for which deposit, and what of the deposit is left.
/// @dev Of a contribution the chain keeps one word under its key. Everything else (features, label,
/// time, contributor, nonce) is in the `Added` event, is passed in again by who needs it, and is
/// proved by the key. A nonce is never used twice, so the same data given twice in a second are two
/// contributions, with a deposit and claims each.
/// WARNING: data are public and for ever.
interface IDataHandler {
    /// @notice A contribution was taken and the model has learnt it (in a market: will learn it).
    event Added(
        uint256 indexed nonce,
        address indexed contributor,
        uint256 time,
        uint256 label,
        uint256 deposit,
        bytes features
    );

    error HandlerNoModel(address model);
    error HandlerNoContribution(bytes32 key);
    error HandlerTooEarly(uint256 openAt);

    /// @notice The model that learns from the contributions.
    function model() external view returns (IModel);

    /// @notice Who deployed this contract.
    function deployer() external view returns (address);

    /// @notice The key of a contribution:
    /// `keccak256(abi.encode(keccak256(features), label, time, contributor, nonce))`.
    function keyOf(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external pure returns (bytes32);

    /// @notice What the chain keeps of a contribution; zeros once it is closed.
    /// @param claimable What is left of the deposit, in wei.
    /// @param initial The deposit, in wei.
    /// @param memo What the model needs to judge without this contribution's influence.
    function recordOf(bytes32 key)
        external
        view
        returns (uint256 claimable, uint256 initial, uint256 memo);

    /// @notice Sums over all accounts.
    /// @param lastTime When the last contribution came, in seconds since 1970; 0 before the first.
    /// @param count How many contributions came: the nonce of the next one.
    /// @param validated How many contributions the model confirmed after their wait.
    function totals() external view returns (uint256 lastTime, uint256 count, uint256 validated);

    /// @notice A hash over the keys of all contributions in their order, from 0:
    /// `bytes18(keccak256(abi.encode(history, key)))` for each.
    function history() external view returns (bytes32);

    /// @notice How many contributions of the account the model confirmed after their wait.
    function validatedOf(address account) external view returns (uint256);
}
