// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Phase, Result} from "../../src/interfaces/TrainingTypes.sol";

// How many accounts play: six trainers, three validators and mallory, in this order.
uint256 constant ACTORS = 10;
uint256 constant TRAINERS = 6;
uint256 constant MALLORY_INDEX = 9;

/// @notice What the handler believes about a task, from the calls that succeeded and from nothing
/// that Training says about itself.
struct GhostTask {
    bytes32 id;
    address sponsor;
    address token;
    uint256 pool;
    uint256 allocated;
    uint256 claimed;
    uint256 refunded;
    bool isRefunded;
    uint256 trainerStake;
    uint256 validatorStake;
    uint256 quorumBps;
    uint256 rounds;
    uint256[9] durations;
    /// Its quorum publishes payout trees that promise more or less than it allocates.
    bool isCrooked;
    uint256 totalStake;
    uint256 versions;
    // As last seen:
    Phase phase;
    uint256 round;
    uint256 deadline;
    // What the settled trees say:
    uint256[ACTORS] owed;
    uint256[ACTORS] strikes;
    // What validators attest to in round `proposalRound`:
    uint256 proposalRound;
    uint256[ACTORS] nextOwed;
    uint256[ACTORS] nextStrikes;
    Result proposal;
}

/// @notice What the handler believes about an account in a task. Rounds are those of its last acts.
struct GhostMember {
    uint8 role;
    bool isSeated;
    uint256 stake;
    uint256 bond;
    uint256 releaseAt;
    uint256 strikes;
    uint256 claimed;
    uint256 joinedRound;
    uint256 committedRound;
    uint256 revealedRound;
    uint256 scoredRound;
    uint256 scoresRevealedRound;
    uint256 attestedRound;
}

/// @notice A plain Merkle tree with sorted pairs; an odd node moves up as it is.
library Trees {
    function root(bytes32[] memory nodes) internal pure returns (bytes32) {
        while (nodes.length > 1) {
            nodes = _level(nodes);
        }
        return nodes[0];
    }

    function proof(bytes32[] memory nodes, uint256 index)
        internal
        pure
        returns (bytes32[] memory path)
    {
        path = new bytes32[](8);
        uint256 depth;
        while (nodes.length > 1) {
            uint256 sibling = index ^ 1;
            if (sibling < nodes.length) path[depth++] = nodes[sibling];
            nodes = _level(nodes);
            index /= 2;
        }
        assembly ("memory-safe") {
            mstore(path, depth)
        }
    }

    function _level(bytes32[] memory nodes) private pure returns (bytes32[] memory level) {
        level = new bytes32[]((nodes.length + 1) / 2);
        for (uint256 i; i < level.length; ++i) {
            bytes32 a = nodes[2 * i];
            if (2 * i + 1 == nodes.length) {
                level[i] = a;
            } else {
                bytes32 b = nodes[2 * i + 1];
                level[i] =
                    a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
            }
        }
    }
}
