// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @notice Where a task is. A round runs from Commit to Attest; phases never go back within a round.
enum Phase {
    None,
    Joining,
    Commit,
    Reveal,
    Score,
    ScoreReveal,
    Attest,
    Finished,
    Cancelled
}

/// @notice A task's rules. They never change, and `keccak256(abi.encode(params))` is the task's id.
/// Amounts are in the token's smallest unit, times in seconds.
struct TaskParams {
    /// Creates and funds the task; gets back what is not allocated.
    address sponsor;
    /// What payouts are made in; the owner of Training must have enabled it.
    address token;
    /// What all rounds together may pay.
    uint256 pool;
    /// What a trainer bonds, exactly. 0 is allowed.
    uint256 trainerStake;
    /// What a validator bonds, at least. Its stake is its weight in the quorum.
    uint256 validatorStake;
    uint32 rounds;
    uint32 maxTrainers;
    /// Share of the joined validators' stake that settles a round: 6,667 to 10,000 basis points.
    uint16 quorumBps;
    uint32 joinTime;
    uint32 commitTime;
    uint32 revealTime;
    uint32 scoreTime;
    uint32 scoreRevealTime;
    uint32 attestTime;
    /// An `IMembership`, or 0 if anybody may join.
    address membership;
    /// The committee: strictly ascending addresses.
    address[] validators;
    /// sha2-256 digest of the spec.
    bytes32 spec;
    /// sha2-256 digest and chunk root of the first model.
    bytes32 model;
    bytes32 modelRoot;
    /// Tells tasks with equal rules apart.
    bytes32 salt;
}

/// @notice What a member signs to join by relay.
struct Join {
    address account;
    uint8 role;
    uint256 stake;
    uint256 deadline;
}

/// @notice An EIP-2612 permit of the staking token for the Registry. A value of 0 means none.
struct Permit {
    uint256 value;
    uint256 deadline;
    uint8 v;
    bytes32 r;
    bytes32 s;
}

/// @notice A join with its compact signature (EIP-2098).
struct SignedJoin {
    Join join;
    bytes32 r;
    bytes32 vs;
    Permit permit;
}

/// @notice A commitment with its trainer's compact signature (EIP-2098).
struct SignedCommit {
    bytes32 commitment;
    bytes32 r;
    bytes32 vs;
}

/// @notice What a commitment hides: the digest of the update's CID, its chunk root, the number of
/// samples behind it, and a secret salt.
struct Opening {
    bytes32 update;
    bytes32 chunkRoot;
    uint64 samples;
    bytes32 salt;
}

/// @notice An opening and whose it is.
struct TrainerOpening {
    address trainer;
    Opening opening;
}

/// @notice A round's outcome, as validators attest to it. `payouts` and `sanctions` are the roots of
/// cumulative Merkle trees; `paid` is what this round adds to the payouts.
struct Result {
    bytes32 model;
    bytes32 modelRoot;
    bytes32 record;
    bytes32 payouts;
    uint256 paid;
    bytes32 sanctions;
}

/// @notice What the contract stores about a task. The phase may be overdue: see `phaseOf`.
struct TaskState {
    Phase phase;
    uint32 round;
    uint64 deadline;
    /// Trainers with a seat; those of them expected to commit in this round; what they did.
    uint32 trainers;
    uint32 active;
    uint32 commits;
    uint32 reveals;
    /// Validators with a seat, and what they did in this round.
    uint8 validators;
    uint8 scoreCommits;
    uint8 scoreReveals;
    uint8 attestations;
    bool refunded;
    uint32 rounds;
    uint16 quorumBps;
    address sponsor;
    address token;
    uint256 pool;
    uint256 allocated;
    uint256 claimed;
    /// Stake of the validators that joined, fixed when Joining closes; and of those still seated.
    uint256 totalStake;
    uint256 seatedStake;
    bytes32 payouts;
    bytes32 sanctions;
}

/// @notice What the contract stores about an account in a task.
struct MemberState {
    /// 1 trainer, 2 validator, 0 if it never joined.
    uint8 role;
    uint8 strikes;
    /// False once it left or was expelled.
    bool seated;
    /// True if the task's parameters name it as a validator.
    bool committee;
    /// What it bonded when it joined.
    uint256 stake;
    /// The last round it acted in (for a trainer that joined later: the round it joined in).
    uint256 round;
    /// What it has claimed.
    uint256 claimed;
}
