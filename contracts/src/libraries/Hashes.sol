// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Join, Opening, Result} from "../interfaces/TrainingTypes.sol";

/// @title Hashes
/// @notice Everything that members sign, commit to or prove.
library Hashes {
    bytes32 internal constant JOIN_TYPEHASH =
        keccak256("Join(bytes32 taskId,address account,uint8 role,uint256 stake,uint256 deadline)");
    bytes32 internal constant COMMIT_TYPEHASH =
        keccak256("Commit(bytes32 taskId,uint256 round,bytes32 commitment)");

    function join(bytes32 taskId, Join calldata signed) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                JOIN_TYPEHASH, taskId, signed.account, signed.role, signed.stake, signed.deadline
            )
        );
    }

    /// @notice What a trainer signs to commit by relay: the EIP-712 digest of
    /// `Commit(taskId, round, commitment)` under `domain`.
    /// @dev Assembly, because batches hash it for every trainer: free memory is used, not allocated.
    function signedCommit(bytes32 domain, bytes32 taskId, uint256 round, bytes32 commitment)
        internal
        pure
        returns (bytes32 digest)
    {
        bytes32 typeHash = COMMIT_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            mstore(add(free, 0x20), taskId)
            mstore(add(free, 0x40), round)
            mstore(add(free, 0x60), commitment)
            let message := keccak256(free, 0x80)
            mstore(free, hex"1901")
            mstore(add(free, 0x02), domain)
            mstore(add(free, 0x22), message)
            digest := keccak256(free, 0x42)
        }
    }

    /// @notice `keccak256(abi.encode(taskId, round, trainer, opening))`.
    /// @dev Assembly, see `signedCommit`. `samples` is not checked to be 64 bits wide here: who reads it
    /// from the opening does.
    function update(bytes32 taskId, uint256 round, address trainer, Opening calldata opening)
        internal
        pure
        returns (bytes32 digest)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, taskId)
            mstore(add(free, 0x20), round)
            mstore(add(free, 0x40), shr(96, shl(96, trainer)))
            calldatacopy(add(free, 0x60), opening, 0x80)
            digest := keccak256(free, 0xe0)
        }
    }

    function scores(bytes32 taskId, uint256 round, address validator, bytes32 digest, bytes32 salt)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(taskId, round, validator, digest, salt));
    }

    function result(bytes32 taskId, uint256 round, Result calldata outcome)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(taskId, round, outcome));
    }

    /// @notice A leaf of the payout and sanction trees, hashed twice so that no inner node passes for
    /// one. The two trees have separate roots.
    function leaf(bytes32 taskId, address account, uint256 amount) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(taskId, account, amount))));
    }
}
