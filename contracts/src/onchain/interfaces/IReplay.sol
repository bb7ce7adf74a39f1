// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IReplay
/// @notice A model whose predictions and steps can be repeated on any state, so that a claim about
/// many of them, made off-chain, can be refuted by repeating one.
/// @dev The same algorithm as `predict` and `learn`, on words in memory instead of storage. Nothing
/// of the model's own state is read.
interface IReplay {
    /// @notice The label that a model of this state gives to a sample.
    function predictWith(bytes calldata state, bytes calldata x)
        external
        view
        returns (uint256 label);

    /// @notice The state after a model of this state has learnt a sample (or an update).
    function learnWith(bytes calldata state, bytes calldata x, uint256 label)
        external
        view
        returns (bytes memory next);
}
