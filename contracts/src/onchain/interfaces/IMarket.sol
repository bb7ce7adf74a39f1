// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "./IModel.sol";

/// @notice Where a market is. Cancelled, Forfeited and Settled are ends.
enum MarketPhase {
    None,
    Draw,
    Show,
    Participation,
    Reveal,
    Claim,
    Settled,
    Forfeited,
    Cancelled
}

/// @notice What the provider chooses; 0 stands for the default. Times are from one hour to 365 days.
struct MarketTerms {
    /// @dev How long contributions are taken. Default 7 days.
    uint32 participationSeconds;
    /// @dev How long the provider may take to show the first piece, and then to reveal the rest.
    /// Default 2 days.
    uint32 revealSeconds;
    /// @dev How long claims are taken. Default 7 days.
    uint32 claimSeconds;
    /// @dev How long a complete claim can be challenged. Default 2 days.
    uint32 challengeSeconds;
    /// @dev Participation ends early with this contribution. Default and most: `CONTRIBUTIONS_MAX`.
    uint16 contributionsMax;
    /// @dev True if the contributions of one account count as one.
    bool grouped;
    /// @dev The least stake of a contribution, in wei. Default 1.
    uint96 stakeMin;
    /// @dev The bond of a claim, in wei. Default a tenth of the bounty, rounded up.
    uint96 bond;
}

/// @notice A market as it stands.
struct MarketState {
    uint256 number;
    MarketPhase phase;
    /// @dev Seconds; of Draw the block whose hash is drawn from.
    uint256 deadline;
    /// @dev The piece that is shown first, from Show on.
    uint256 first;
    /// @dev Bit p: piece p is revealed.
    uint256 revealed;
    /// @dev How many samples count: those of all pieces but the first.
    uint256 samples;
    uint256 contributions;
    uint256 parties;
    /// @dev How many parties have been paid, and how many contributions passed by `learn`.
    uint256 collected;
    uint256 learnt;
    /// @dev Complete claims that are not refuted.
    uint256 pending;
    uint256 bounty;
    uint256 stakes;
    /// @dev The claim that settled the market.
    uint256 accepted;
    bytes32 startHash;
}

/// @notice A claim as it stands.
struct ClaimState {
    uint256 market;
    address claimant;
    uint256 bond;
    bool complete;
    bool refuted;
    /// @dev When it can be accepted, in seconds.
    uint256 windowEnd;
    uint256 stages;
    /// @dev Bit p: party p is still in.
    uint256 alive;
    /// @dev Rounds that are left.
    uint256 rounds;
    /// @dev What is left of the bounty, in wei.
    uint256 rest;
    /// @dev `keccak256(abi.encode(balances))`, a uint256 for every party.
    bytes32 balancesHash;
}

/// @notice A point of a claim: its stage as it was posted (the stage's number, who was in, the points), the
/// point's number, and the state whose hash it is.
struct PointProof {
    uint256 stage;
    uint256 alive;
    bytes points;
    uint256 point;
    bytes state;
}

/// @notice A contribution's data.
struct Item {
    uint256 label;
    bytes x;
}

/// @notice A sample of a piece: the piece as it was revealed, and which of its samples is meant.
struct SampleProof {
    uint256 piece;
    bytes32 salt;
    bytes samples;
    uint256 index;
}

/// @title IMarket
/// @notice A prediction market for contributions to a model (Harris and Waggoner, 2019; after Abernethy
/// and Frongillo, 2011). A provider escrows a bounty and commits to a test set; participants stake on
/// contributions; each is paid for the wrong predictions that it puts right and pays for those it
/// causes, in the order of their arrival.
///
/// 1. Draw, Show. The provider commits to the pieces of the test set: `keccak256(salt ++ samples)`,
///    each with a salt of its own. The hash of a later block picks the piece to show first, so that
///    participants see what the set is like. It does not count: whoever contributed the shown samples
///    themselves would be paid for remembering them.
/// 2. Participation. Contributions queue; the model does not learn. Time or their number ends it.
/// 3. Reveal. The provider publishes all other pieces, or loses the bounty to the participants.
/// 4. Claim. Evaluating a test set does not fit into a block, so anyone posts what came out, with a
///    bond. Claims stand side by side; a false one delays no true one. The first that stays
///    unrefuted for its whole window can be accepted.
/// 5. Settled. Balances are collected, the model learns the contributions of those still in.
///
/// The rule (MarketRule): parties are contributions, or contributors if grouped. The bounty pays
/// `bounty / samples` rounds. A stage replays those still in from the start: score of a party = wrong
/// samples before its contributions less those after; as many rounds are played as everyone with a
/// loss can pay, or all that are left if nobody has one; who cannot pay one more leaves with what is
/// left. Stages follow until no rounds are left or nobody is in. The rest of the bounty returns.
///
/// A claim is, for each stage, its points 0 to n: the hash of the state after n contributions, and a
/// bit for each sample, set if that state predicts it wrongly (bit `j % 256` of word `j / 256`; samples
/// in the order of the pieces). The contract counts the bits and plays the rule itself when a stage
/// is posted: neither counts nor payments can be claimed. What can be wrong is a stage's first state
/// (`challengeStart`), a step (`challengeStep`) or a bit (`challengeSample`); each is refuted by
/// repeating it. Everything needed is in calldata and events.
///
/// Every wait has an end and every end an exit:
/// no draw or first piece: `cancel`; nobody takes part: `cancel`; the rest not revealed, or no claim in
/// time: `forfeit`, stakes return and the bounty is shared by stake; claims of a market that ended
/// otherwise: `returnBond`. All payments are credits, see `withdraw`.
///
/// @dev Limits. All follow from one: a challenge is a transaction of at most 128 KiB, which is what nodes
/// relay. It carries a state (64 KiB), a stage (at most 257 points of 160 bytes, 41 kB) and a contribution
/// or a piece (16 KiB).
/// WARNING: the provider knows the test set. Nothing keeps a provider from taking part under another
/// name, where it cannot lose. Participate in markets of providers who want the model.
/// WARNING: a provider who does not reveal gets, under other names, its share of the bounty back.
/// `contributionsMax` and the stakes of others are what that share is measured by.
/// WARNING: participants must trust the model's code, as they do this contract's. It must be an IReplay.
/// WARNING: contributions are public as they come. Whoever copies one and is mined before it takes its
/// gain.
/// WARNING: read the terms. A bond that is small beside bounty and stakes makes false claims cheap, and
/// cheap stakes make many stages: each party that leaves alone costs the claimant one.
/// WARNING: somebody honest must watch each claim's window.
interface IMarket {
    event MarketCreated(
        uint256 indexed market, uint256 bounty, bytes32[] pieces, uint16[] counts, MarketTerms terms
    );
    event MarketPhaseStarted(uint256 indexed market, MarketPhase phase, uint256 deadline);
    event FirstPieceDrawn(uint256 indexed market, uint256 piece);
    event PieceRevealed(uint256 indexed market, uint256 indexed piece, bytes32 salt, bytes samples);
    event ContributionQueued(
        uint256 indexed market,
        uint256 indexed number,
        address indexed contributor,
        uint256 party,
        uint256 stake,
        uint256 label,
        bytes x
    );
    event ClaimOpened(uint256 indexed claim, uint256 indexed market, address indexed claimant);
    event StageClaimed(
        uint256 indexed claim,
        uint256 stage,
        uint256 alive,
        uint256 rounds,
        uint256[] balances,
        bytes points
    );
    event ClaimCompleted(uint256 indexed claim, uint256 windowEnd);
    event ClaimRefuted(uint256 indexed claim, address indexed challenger, uint256 share);
    event ClaimAccepted(uint256 indexed claim, uint256 indexed market, uint256 rest);
    event BondReturned(uint256 indexed claim, uint256 bond);
    event Collected(uint256 indexed market, uint256 indexed party, address account, uint256 amount);
    event ContributionLearnt(uint256 indexed market, uint256 indexed number, bool refused);

    error MarketBadParameter(bytes32 name);
    error MarketNotProvider(address account);
    error MarketWrongPhase(MarketPhase wanted, MarketPhase actual);
    error MarketNotOver(MarketPhase phase);
    error MarketTooEarly(uint256 when);
    error MarketTooLate(uint256 deadline);
    error MarketUnknownPiece(uint256 piece);
    error MarketNotFirst(uint256 piece, uint256 first);
    error MarketAlreadyRevealed(uint256 piece);
    error MarketUnsalted(uint256 piece);
    error MarketWrongPiece(uint256 piece);
    error MarketWrongCount(uint256 piece, uint256 expected, uint256 actual);
    error MarketStakeTooLow(uint256 least, uint256 value);
    error MarketContributionTooLong(uint256 most, uint256 length);
    error MarketWrongBond(uint256 bond, uint256 value);
    error MarketUnknownClaim(uint256 claim);
    error MarketNotClaimant(uint256 claim, address account);
    error MarketClaimComplete(uint256 claim);
    error MarketClaimNotComplete(uint256 claim);
    error MarketClaimRefuted(uint256 claim);
    error MarketWrongBalances(uint256 claim);
    error MarketWrongLength(uint256 expected, uint256 actual);
    error MarketUnknownSample(uint256 sample);
    error MarketUnknownPoint(uint256 point);
    error MarketUnknownStage(uint256 claim, uint256 stage);
    error MarketWrongState(bytes32 expected, bytes32 actual);
    error MarketWrongContribution(uint256 number);
    error MarketClaimHolds(uint256 claim);
    error MarketClaimsPending(uint256 claims);
    error MarketBondHeld(uint256 claim);
    error MarketAllCollected();
    error MarketAllLearnt();

    // What the provider does

    /// @notice Escrows the value as a bounty for the next market. Only the provider, and only when the
    /// last market is over: its parties paid, its contributions learnt.
    /// @param pieces `keccak256(abi.encodePacked(salt, samples))` of each, see Samples; 2 to 64.
    /// @param counts How many samples each has; the bounty must be at least their sum, in wei.
    /// @dev WARNING: salts must be secret, random and different. Few samples can be guessed.
    function create(
        bytes32[] calldata pieces,
        uint16[] calldata counts,
        MarketTerms calldata terms_
    ) external payable returns (uint256 market);

    /// @notice Draws the first piece from the hash of the block that was named; if that block is too
    /// old to be known, names another. Anyone may call.
    function draw() external;

    /// @notice Publishes a piece: the first that was drawn, after Participation all others. Only the
    /// provider. A piece that does not match its hash, its count or the model's labels, or has no salt
    /// or the first piece's, cannot be revealed.
    function reveal(uint256 piece, bytes32 salt, bytes calldata samples) external;

    /// @notice Gives a market up that nobody takes part in: the provider before Participation, anyone
    /// once the first piece is overdue or Participation has ended without a contribution.
    function cancel() external;

    // What participants do

    /// @notice Stakes the value on a contribution. It changes nothing until it is learnt.
    /// @param label The label, or 65535 if `x` is an update of the model.
    /// @return number The contribution's number.
    function add(bytes calldata x, uint256 label) external payable returns (uint256 number);

    // Claims

    /// @notice Opens a claim with its first stage. The value is the bond.
    /// @param points For each point a state's hash and the bits of wrong samples.
    function claim(bytes calldata points) external payable returns (uint256 id);

    /// @notice Adds the next stage. Only the claimant.
    /// @param balances What the stage before left every party.
    function extend(uint256 id, uint256[] calldata balances, bytes calldata points) external;

    /// @notice Refutes a claim whose stage does not begin with the model's state. Only the stage and its
    /// points are read.
    function challengeStart(uint256 id, PointProof calldata proof) external;

    /// @notice Refutes a claim by repeating the step from a point to the one after.
    /// @param item The contribution that makes the step.
    function challengeStep(uint256 id, PointProof calldata proof, Item calldata item) external;

    /// @notice Refutes a claim by repeating the prediction of one sample at a point.
    function challengeSample(uint256 id, PointProof calldata proof, SampleProof calldata sample)
        external;

    /// @notice Settles the market by a complete claim whose window has passed. Anyone may call.
    function accept(uint256 id) external;

    /// @notice Returns the bond of a claim that was not refuted, once its market is over. Anyone may
    /// call.
    function returnBond(uint256 id) external;

    // Ends

    /// @notice Ends a market whose provider did not reveal in time, or about which no claim stands when
    /// their time is over: stakes return, the bounty is shared by stake. Anyone may call.
    /// @dev To post a claim if nobody does is the provider's duty.
    function forfeit() external;

    /// @notice Credits the next `most` parties with what they are owed. Anyone may call.
    /// @param balances What the accepted claim left every party; empty if the market was forfeited.
    function collect(uint256[] calldata balances, uint256 most) external;

    /// @notice Makes the model learn the next contributions of those still in. Anyone may call.
    /// @dev Order: that of a stage. A contribution that the model refuses is passed over.
    function learn(Item[] calldata items) external;

    // Views

    /// @notice The model.
    function model() external view returns (IModel);

    /// @notice Who deployed the contract, pays and reveals.
    function provider() external view returns (address);

    /// @notice The market that is going on, or the last.
    function market() external view returns (MarketState memory);

    /// @notice Its terms, with the defaults filled in.
    function terms() external view returns (MarketTerms memory);

    /// @notice A piece's hash, of which 30 bytes are kept, and its number of samples.
    function pieceOf(uint256 piece) external view returns (bytes30 digest, uint256 count);

    /// @notice A party's account and stake, in wei.
    function partyOf(uint256 party) external view returns (address account, uint256 stake);

    /// @notice A contribution's hash, `keccak256(abi.encode(keccak256(x), label))`, and its party.
    function contributionOf(uint256 number) external view returns (bytes32 digest, uint256 party);

    /// @notice How many claims there were, in all markets; they are numbered from 0.
    function claimCount() external view returns (uint256);

    /// @notice A claim as it stands.
    function claimOf(uint256 id) external view returns (ClaimState memory);

    /// @notice What a stage was posted as: `keccak256(abi.encode(alive, keccak256(points)))`.
    function stageOf(uint256 id, uint256 stage) external view returns (bytes32);
}
