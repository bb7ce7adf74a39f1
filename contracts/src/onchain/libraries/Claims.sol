// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IReplay} from "../interfaces/IReplay.sol";

/// @title Claims
/// @notice What is common to claims about many steps of a model, made off-chain with a bond.
///
/// A claim names the hash of every state between its start and its end. All that it says lies in
/// calldata and in an event, so that whoever repeats the steps finds the first wrong hash and has what
/// it takes to refute the claim: the state before, whose hash the claim names, and the contribution.
/// The contract repeats that one step. One honest observer is enough.
/// @dev A model refuses malformed data with a custom error. A refused contribution changes nothing and a
/// refused sample counts as wrong, so that nobody can make a step that cannot be repeated.
/// WARNING: a call that ends without any reason looks like one that ran out of gas. The model must
/// name a reason whenever it refuses; those of this house do.
library Claims {
    error ClaimsOutOfGas();

    /// @notice A label that no sample has: that of a sample which the model refuses.
    uint256 internal constant REFUSED = type(uint256).max;

    /// @dev Nobody has its key. What is credited to it has left the game for ever.
    address internal constant NOBODY = address(0xdead);

    /// @notice The hash of the state after a model of `state` has met a contribution.
    function stateAfter(IReplay model, bytes calldata state, bytes calldata x, uint256 label)
        internal
        view
        returns (bytes32)
    {
        try model.learnWith(state, x, label) returns (bytes memory next) {
            return keccak256(next);
        } catch (bytes memory reason) {
            mustHaveReason(reason);
            return keccak256(state);
        }
    }

    /// @notice The label that a model of `state` gives to a sample, or `REFUSED`.
    function prediction(IReplay model, bytes calldata state, bytes calldata x)
        internal
        view
        returns (uint256 label)
    {
        try model.predictWith(state, x) returns (uint256 label_) {
            return label_;
        } catch (bytes memory reason) {
            mustHaveReason(reason);
            return REFUSED;
        }
    }

    /// @notice Tells a refusal from a call that was given too little gas, which proves nothing.
    function mustHaveReason(bytes memory reason) internal pure {
        if (reason.length == 0) revert ClaimsOutOfGas();
    }

    /// @notice How a refuted claim's bond is shared: the challenger has a half, rounded down, and the
    /// rest is lost. A liar who hurries to refute himself loses that much.
    function challengerShare(uint256 bond) internal pure returns (uint256) {
        return bond / 2;
    }

    /// @notice How many bits of a word are set.
    function popCount(uint256 word) internal pure returns (uint256) {
        // The last line adds bytes up in a byte, where 256 has no place.
        if (word == type(uint256).max) return 256;
        unchecked {
            uint256 pairs = type(uint256).max / 3;
            uint256 fours = type(uint256).max / 5;
            uint256 eights = type(uint256).max / 17;
            word -= (word >> 1) & pairs;
            word = (word & fours) + ((word >> 2) & fours);
            word = (word + (word >> 4)) & eights;
            return (word * (type(uint256).max / 255)) >> 248;
        }
    }
}
