// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @notice A contribution as the trainer logged it.
struct Logged {
    bytes features;
    uint256 label;
    uint256 time;
    address contributor;
    uint256 nonce;
}

/// @notice A page of a proposal as it was posted: its number, the hash of the state before it, its steps.
struct PageData {
    uint256 page;
    bytes32 before;
    bytes steps;
}

/// @notice A proposal as it stands.
struct ProposalState {
    address proposer;
    uint256 bond;
    /// @dev The checkpoints that it leads from and to.
    uint256 from;
    uint256 to;
    /// @dev The nonce of the next contribution to be replayed, and the one to end with.
    uint256 next;
    uint256 end;
    uint256 pages;
    /// @dev When it can be carried out, or given up, in seconds.
    uint256 windowEnd;
    bool refuted;
    /// @dev Carried out or given up.
    bool closed;
    uint256 votes;
    bytes32 stateHash;
    bytes32 history;
    /// @dev `h' = keccak256(abi.encode(h, nonce))` over what is left out, from 0.
    bytes32 excludedHash;
}

/// @title IRecovery
/// @notice Brings a trainer's model back from corrupted data: replays what was contributed between two
/// checkpoints without some of it. A proposer computes the replay off-chain and posts, with a bond, the
/// hash of the state after every contribution; a wrong one is refuted by repeating that step.
///
/// 1. `propose` names the checkpoints. `extend` posts the steps between them in pages, 64 bytes for each
///    contribution: its key, and the hash of the state after it, or 0 if it is left out. The keys must
///    give the history that the trainer kept, so that none is invented, forgotten or moved.
/// 2. After the last step the window runs. Anyone may `challenge` a step; the proposer may not do
///    anything but wait.
/// 3. What to leave out is a decision, not a computation. The trainer's deployer decides it by
///    proposing; else contributors with more than half of all validated contributions must `approve`.
/// 4. `finish` gives the model the last state. Contributions after the second checkpoint are out of
///    the model until `relearn` has passed through them.
///
/// Several proposals may stand side by side. A proposal that leads nowhere (not extended, not
/// approved, overtaken) is given up for its bond once its window has passed: no bond is held for ever.
/// Between the first checkpoint and the second the model may have grown: the replay starts from the
/// first state at the dimensions of the time of the proposal, and the result is given those of the end.
/// @dev The history that a trainer keeps has 18 bytes; two contributions that collide in it take 2^72
/// hashes.
/// WARNING: somebody honest must watch the window.
/// WARNING: records keep the memos of the first time for what was replayed, see IVersions.
/// WARNING: a model whose arithmetic depends on its age (an averaged perceptron's counter) refuses
/// nothing, but one that refuses a contribution on another state would do so in `relearn` too, and
/// whatever comes after it stays out of the model.
interface IRecovery {
    event Proposed(
        uint256 indexed proposal, address indexed proposer, uint256 from, uint256 to, uint256 nonce
    );
    event StepsProposed(
        uint256 indexed proposal, uint256 page, uint256 nonce, bytes32 before, bytes steps
    );
    event ProposalComplete(uint256 indexed proposal, uint256 windowEnd);
    event Refuted(uint256 indexed proposal, address indexed challenger, uint256 share);
    event Approved(uint256 indexed proposal, address indexed account, uint256 weight);
    event Finished(uint256 indexed proposal, uint256 epoch);
    event GivenUp(uint256 indexed proposal);

    error RecoveryBadParameter(bytes32 name);
    error RecoveryWrongBond(uint256 bond, uint256 value);
    error RecoveryBadRange(uint256 start, uint256 end);
    error RecoveryUnknownProposal(uint256 proposal);
    error RecoveryNotProposer(uint256 proposal, address account);
    error RecoveryClosed(uint256 proposal);
    error RecoveryRefuted(uint256 proposal);
    error RecoveryComplete(uint256 proposal);
    error RecoveryNotComplete(uint256 proposal);
    error RecoveryBadPage(uint256 length);
    error RecoveryTooMany(uint256 left, uint256 steps);
    error RecoveryWrongHistory(bytes32 expected, bytes32 actual);
    error RecoveryUnknownPage(uint256 proposal, uint256 page);
    error RecoveryUnknownStep(uint256 step);
    error RecoveryLeftOut(uint256 step);
    error RecoveryWrongKey(bytes32 expected, bytes32 actual);
    error RecoveryWrongState(bytes32 expected, bytes32 actual);
    error RecoveryStepHolds(uint256 step);
    error RecoveryTooEarly(uint256 when);
    error RecoveryNoVote(address account);
    error RecoveryAlreadyApproved(address account);
    error RecoveryNotApproved(uint256 votes, uint256 all);
    error RecoveryWrongExclusions();
    error RecoveryOvertaken(uint256 epoch, uint256 now_);
    error RecoveryNotFinished(uint256 proposal);

    /// @notice Opens a proposal. The value is the bond.
    /// @param from The checkpoint whose state the replay starts from.
    /// @param to A later checkpoint: the replay ends with the last contribution before it.
    function propose(uint256 from, uint256 to) external payable returns (uint256 id);

    /// @notice Posts the next steps: for each contribution its key and the hash of the state after it, or
    /// 0 to leave it out. Only the proposer.
    function extend(uint256 id, bytes calldata steps) external;

    /// @notice Refutes a proposal by repeating one step.
    /// @param step The number of the step in its page.
    /// @param state The state before it.
    function challenge(
        uint256 id,
        PageData calldata page,
        uint256 step,
        bytes calldata state,
        Logged calldata data
    ) external;

    /// @notice Approves of what a complete proposal leaves out, with the weight of the caller's validated
    /// contributions. Once a proposal.
    function approve(uint256 id) external;

    /// @notice Gives the model the proposal's last state and returns the bond, after the window.
    /// @param excluded The nonces that the proposal leaves out, ascending.
    /// @param state The last state.
    function finish(uint256 id, uint256[] calldata excluded, bytes calldata state) external;

    /// @notice Makes the recovered model learn contributions that came after the proposal's second
    /// checkpoint. Anyone may call.
    /// @param data The next ones.
    /// @param keys The keys of all that follow them, up to the recovery; they prove the data.
    function relearn(uint256 id, Logged[] calldata data, bytes32[] calldata keys) external;

    /// @notice Ends a proposal whose window has passed without an end, and returns the bond. Only the
    /// proposer.
    function giveUp(uint256 id) external;

    /// @notice The trainer whose model is recovered.
    function trainer() external view returns (address);

    /// @notice What a proposal costs, in wei, if it is refuted.
    function bond() external view returns (uint256);

    /// @notice Seconds from the last page on in which steps can be challenged.
    function window() external view returns (uint256);

    /// @notice How many proposals there were; they are numbered from 0.
    function proposalCount() external view returns (uint256);

    /// @notice A proposal as it stands.
    function proposalOf(uint256 id) external view returns (ProposalState memory);
}
