// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Accounts} from "./Accounts.sol";
import {IDataHandler} from "./interfaces/IDataHandler.sol";
import {IModel} from "./interfaces/IModel.sol";
import {IRecovery, Logged, PageData, ProposalState} from "./interfaces/IRecovery.sol";
import {IReplay} from "./interfaces/IReplay.sol";
import {IVersions} from "./interfaces/IVersions.sol";
import {Claims} from "./libraries/Claims.sol";
import {CodeStorage} from "./libraries/CodeStorage.sol";

/// @title Recovery
/// @notice Brings a trainer's model back from corrupted data by a replay that can be challenged; see
/// IRecovery.
contract Recovery is IRecovery, Accounts {
    /// @notice 32 KiB of a challenge's 128, beside a state of 64 and a contribution.
    uint256 public constant PAGE_STEPS_MAX = 512;
    /// @notice Half of what a transaction may have for nodes to relay it.
    uint256 public constant STATE_BYTES_MAX = 65_536;

    uint256 private constant STEP_BYTES = 64;
    uint256 private constant WINDOW = 2 days;
    uint256 private constant WINDOW_MAX = 365 days;

    struct Proposal {
        address proposer;
        uint96 bond;
        uint32 from;
        uint32 to;
        uint32 next;
        uint32 end;
        uint16 pages;
        uint16 epoch;
        uint40 windowEnd;
        bool refuted;
        bool closed;
        uint48 votes;
        // Where the posted steps have led:
        bytes32 stateHash;
        bytes18 history;
        bytes18 endHistory;
        bytes32 excludedHash;
        // Of a finished one: how often the model had been recovered, and what must be relearnt.
        uint256 finishedEpoch;
        bytes32 wholeHistory;
        mapping(uint256 page => bytes32 digest) pageHashes;
        mapping(address account => bool) hasApproved;
    }

    IModel private immutable MODEL;
    IVersions private immutable VERSIONS;
    /// @inheritdoc IRecovery
    address public immutable trainer;
    /// @inheritdoc IRecovery
    uint256 public immutable bond;
    /// @inheritdoc IRecovery
    uint256 public immutable window;

    Proposal[] private _proposals;

    /// @param trainer_ A trainer with versions. Its deployer must enable this contract there.
    /// @param bond_ In wei; not 0.
    /// @param window_ Seconds, or 0 for two days.
    constructor(address trainer_, uint256 bond_, uint256 window_) {
        if (trainer_.code.length == 0) revert RecoveryBadParameter("trainer");
        if (bond_ == 0 || bond_ > type(uint96).max) revert RecoveryBadParameter("bond");
        if (window_ > WINDOW_MAX) revert RecoveryBadParameter("window");
        (trainer, bond, window) = (trainer_, bond_, window_ == 0 ? WINDOW : window_);
        VERSIONS = IVersions(trainer_);
        MODEL = IDataHandler(trainer_).model();
    }

    // Proposing

    /// @inheritdoc IRecovery
    function propose(uint256 from, uint256 to) external payable returns (uint256 id) {
        if (msg.value != bond) revert RecoveryWrongBond(bond, msg.value);
        (address pointer,, uint256 start,, bytes32 history) = VERSIONS.version(from);
        (,, uint256 end,, bytes32 endHistory) = VERSIONS.version(to);
        if (start >= end) revert RecoveryBadRange(start, end);
        bytes memory state = MODEL.widen(CodeStorage.read(pointer));
        if (state.length > STATE_BYTES_MAX) revert RecoveryBadParameter("state");
        id = _proposals.length;
        Proposal storage proposal = _proposals.push();
        (proposal.proposer, proposal.bond) = (msg.sender, uint96(msg.value));
        (proposal.from, proposal.to) = (uint32(from), uint32(to));
        (proposal.next, proposal.end) = (uint32(start), uint32(end));
        proposal.windowEnd = uint40(block.timestamp + window);
        proposal.epoch = uint16(VERSIONS.epoch());
        proposal.stateHash = keccak256(state);
        (proposal.history, proposal.endHistory) = (bytes18(history), bytes18(endHistory));
        emit Proposed(id, msg.sender, from, to, start);
    }

    /// @inheritdoc IRecovery
    function extend(uint256 id, bytes calldata steps) external {
        Proposal storage proposal = _open(id);
        if (msg.sender != proposal.proposer) revert RecoveryNotProposer(id, msg.sender);
        if (proposal.next == proposal.end) revert RecoveryComplete(id);
        uint256 count = steps.length / STEP_BYTES;
        if (count == 0 || count > PAGE_STEPS_MAX || steps.length % STEP_BYTES != 0) {
            revert RecoveryBadPage(steps.length);
        }
        uint256 left = proposal.end - proposal.next;
        if (count > left) revert RecoveryTooMany(left, count);
        _post(id, proposal, steps, count);
        proposal.windowEnd = uint40(block.timestamp + window);
        if (count != left) return;
        if (proposal.history != proposal.endHistory) {
            revert RecoveryWrongHistory(proposal.endHistory, proposal.history);
        }
        emit ProposalComplete(id, proposal.windowEnd);
    }

    // Watching

    /// @inheritdoc IRecovery
    function challenge(
        uint256 id,
        PageData calldata page,
        uint256 step,
        bytes calldata state,
        Logged calldata data
    ) external {
        Proposal storage proposal = _open(id);
        bytes32 digest = keccak256(abi.encode(page.before, keccak256(page.steps)));
        if (proposal.pageHashes[page.page] != digest) revert RecoveryUnknownPage(id, page.page);
        if (step >= page.steps.length / STEP_BYTES) revert RecoveryUnknownStep(step);
        (bytes32 key, bytes32 claimed) = _stepAt(page.steps, step);
        if (claimed == 0) revert RecoveryLeftOut(step);
        bytes32 actual = _keyOf(data);
        if (actual != key) revert RecoveryWrongKey(key, actual);
        bytes32 before = _before(page, step);
        actual = keccak256(state);
        if (actual != before) revert RecoveryWrongState(before, actual);
        actual = Claims.stateAfter(IReplay(address(MODEL)), state, data.features, data.label);
        if (actual == claimed) revert RecoveryStepHolds(step);
        _refute(id, proposal);
    }

    /// @inheritdoc IRecovery
    function approve(uint256 id) external {
        Proposal storage proposal = _open(id);
        if (proposal.next != proposal.end) revert RecoveryNotComplete(id);
        uint256 weight = IDataHandler(trainer).validatedOf(msg.sender);
        if (weight == 0) revert RecoveryNoVote(msg.sender);
        if (proposal.hasApproved[msg.sender]) revert RecoveryAlreadyApproved(msg.sender);
        proposal.hasApproved[msg.sender] = true;
        proposal.votes += uint48(weight);
        emit Approved(id, msg.sender, weight);
    }

    // Ends

    /// @inheritdoc IRecovery
    function finish(uint256 id, uint256[] calldata excluded, bytes calldata state) external {
        Proposal storage proposal = _open(id);
        if (proposal.next != proposal.end) revert RecoveryNotComplete(id);
        if (block.timestamp <= proposal.windowEnd) revert RecoveryTooEarly(proposal.windowEnd);
        _requireApproved(proposal);
        bytes32 actual = keccak256(state);
        if (actual != proposal.stateHash) revert RecoveryWrongState(proposal.stateHash, actual);
        bytes32 list;
        for (uint256 i; i < excluded.length; ++i) {
            list = keccak256(abi.encode(list, excluded[i]));
        }
        if (list != proposal.excludedHash) revert RecoveryWrongExclusions();
        uint256 epoch = VERSIONS.epoch();
        if (epoch != proposal.epoch) revert RecoveryOvertaken(proposal.epoch, epoch);
        proposal.finishedEpoch = epoch + 1;
        proposal.wholeHistory = IDataHandler(trainer).history();
        emit Finished(id, epoch + 1);
        _close(proposal);
        VERSIONS.recover(proposal.from, proposal.end, excluded, MODEL.widen(state));
    }

    /// @inheritdoc IRecovery
    function relearn(uint256 id, Logged[] calldata data, bytes32[] calldata keys) external {
        if (id >= _proposals.length) revert RecoveryUnknownProposal(id);
        Proposal storage proposal = _proposals[id];
        uint256 finished = proposal.finishedEpoch;
        if (finished == 0) revert RecoveryNotFinished(id);
        if (VERSIONS.epoch() != finished) revert RecoveryOvertaken(finished, VERSIONS.epoch());
        bytes18 history = proposal.history;
        for (uint256 i; i < data.length; ++i) {
            history = _followed(history, _keyOf(data[i]));
        }
        proposal.history = history;
        for (uint256 i; i < keys.length; ++i) {
            history = _followed(history, keys[i]);
        }
        if (history != proposal.wholeHistory) {
            revert RecoveryWrongHistory(proposal.wholeHistory, history);
        }
        for (uint256 i; i < data.length; ++i) {
            Logged calldata one = data[i];
            // The trainer is the one that this contract was made for, and calls nobody but its model.
            // slither-disable-next-line calls-loop
            VERSIONS.relearn(one.features, one.label, one.time, one.contributor, one.nonce);
        }
    }

    /// @inheritdoc IRecovery
    function giveUp(uint256 id) external {
        Proposal storage proposal = _open(id);
        if (msg.sender != proposal.proposer) revert RecoveryNotProposer(id, msg.sender);
        if (block.timestamp <= proposal.windowEnd) revert RecoveryTooEarly(proposal.windowEnd);
        emit GivenUp(id);
        _close(proposal);
    }

    // Views

    /// @inheritdoc IRecovery
    function proposalCount() external view returns (uint256) {
        return _proposals.length;
    }

    /// @inheritdoc IRecovery
    function proposalOf(uint256 id) external view returns (ProposalState memory state) {
        if (id >= _proposals.length) revert RecoveryUnknownProposal(id);
        Proposal storage proposal = _proposals[id];
        (state.proposer, state.bond) = (proposal.proposer, proposal.bond);
        (state.from, state.to) = (proposal.from, proposal.to);
        (state.next, state.end, state.pages) = (proposal.next, proposal.end, proposal.pages);
        (state.windowEnd, state.votes) = (proposal.windowEnd, proposal.votes);
        (state.refuted, state.closed) = (proposal.refuted, proposal.closed);
        (state.stateHash, state.history) = (proposal.stateHash, proposal.history);
        state.excludedHash = proposal.excludedHash;
    }

    // Inside

    function _open(uint256 id) private view returns (Proposal storage proposal) {
        if (id >= _proposals.length) revert RecoveryUnknownProposal(id);
        proposal = _proposals[id];
        if (proposal.refuted) revert RecoveryRefuted(id);
        if (proposal.closed) revert RecoveryClosed(id);
    }

    /// @dev Notes where the steps lead: the history, the last state, what is left out.
    function _post(uint256 id, Proposal storage proposal, bytes calldata steps, uint256 count)
        private
    {
        (uint256 page, uint256 nonce) = (proposal.pages, proposal.next);
        (bytes32 before, bytes32 list) = (proposal.stateHash, proposal.excludedHash);
        proposal.pageHashes[page] = keccak256(abi.encode(before, keccak256(steps)));
        emit StepsProposed(id, page, nonce, before, steps);
        bytes18 history = proposal.history;
        for (uint256 i; i < count; ++i) {
            (bytes32 key, bytes32 after_) = _stepAt(steps, i);
            history = _followed(history, key);
            if (after_ == 0) list = keccak256(abi.encode(list, nonce + i));
            else before = after_;
        }
        (proposal.stateHash, proposal.excludedHash, proposal.history) = (before, list, history);
        (proposal.pages, proposal.next) = (uint16(page + 1), uint32(nonce + count));
    }

    function _requireApproved(Proposal storage proposal) private view {
        if (proposal.proposer == IDataHandler(trainer).deployer()) return;
        (,, uint256 all) = IDataHandler(trainer).totals();
        if (2 * uint256(proposal.votes) <= all) revert RecoveryNotApproved(proposal.votes, all);
    }

    function _refute(uint256 id, Proposal storage proposal) private {
        uint256 held = proposal.bond;
        (proposal.refuted, proposal.bond) = (true, 0);
        uint256 share = Claims.challengerShare(held);
        emit Refuted(id, msg.sender, share);
        _credit(msg.sender, share);
        _credit(Claims.NOBODY, held - share);
    }

    function _close(Proposal storage proposal) private {
        uint256 held = proposal.bond;
        (proposal.closed, proposal.bond) = (true, 0);
        _credit(proposal.proposer, held);
    }

    /// @dev The state before a step: after the last step that was not left out, or before the page.
    function _before(PageData calldata page, uint256 step) private pure returns (bytes32 state) {
        state = page.before;
        for (; step != 0; --step) {
            (, bytes32 after_) = _stepAt(page.steps, step - 1);
            if (after_ != 0) return after_;
        }
    }

    function _stepAt(bytes calldata steps, uint256 step)
        private
        pure
        returns (bytes32 key, bytes32 after_)
    {
        uint256 at = step * STEP_BYTES;
        (key, after_) = (bytes32(steps[at:]), bytes32(steps[at + 32:]));
    }

    /// @dev As the trainer keeps it.
    function _followed(bytes18 history, bytes32 key) private pure returns (bytes18) {
        return bytes18(keccak256(abi.encode(history, key)));
    }

    function _keyOf(Logged calldata data) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(data.features), data.label, data.time, data.contributor, data.nonce
            )
        );
    }
}
