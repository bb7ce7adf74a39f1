// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDepositRefundTake} from "./IDepositRefundTake.sol";

/// @title ISponsor
/// @notice A pool that pays deposits and gas for newcomers, who only sign, and shares rewards with
/// them.
/// @dev The sponsor is the contributor of record: deposits come back to the pool, validated
/// contributions are the sponsor's, and it reports with their weight. Whoever relays a signed call
/// is repaid its gas. Credits are balances; see `IAccounts.withdraw`.
/// WARNING: newcomers can waste what they are given: a deposit for bad data is lost. A budget
/// limits that for each newcomer; the pool limits it for all. Admit people, not accounts.
/// WARNING: trainers are trusted code, enabled by the owner: one that lies keeps deposits.
/// WARNING: the sponsor is one account to a trainer, which reports in the order of nonces: a
/// report of late data forfeits, for all newcomers, the earlier data that nobody reported yet.
interface ISponsor {
    /// @notice What a newcomer has.
    /// @param budget What may still be spent or risked for the newcomer, in wei.
    /// @param nonce The nonce of the next signature.
    /// @param validated How many contributions came back with their deposit.
    struct Newcomer {
        uint96 budget;
        uint32 nonce;
        uint32 validated;
    }

    /// @notice What a newcomer signs, and who brings it. EIP-2098 signature.
    struct Order {
        address newcomer;
        uint256 deadline;
        bytes32 r;
        bytes32 vs;
    }

    event TrainerEnabled(IDepositRefundTake indexed trainer);
    event BudgetSet(address indexed newcomer, uint256 budget);
    event Funded(address indexed from, uint256 amount);
    event Defunded(uint256 amount);
    event Sponsored(
        IDepositRefundTake indexed trainer,
        uint256 indexed nonce,
        address indexed newcomer,
        uint256 deposit,
        address relayer,
        uint256 repaid
    );
    event Returned(IDepositRefundTake indexed trainer, uint256 indexed nonce, uint256 amount);
    event Shared(address indexed newcomer, uint256 share, uint256 rest);
    event Repaid(address indexed relayer, uint256 amount);

    error SponsorBadParameter(bytes32 name);
    error SponsorNotTrainer(address trainer);
    error SponsorTrainerAlreadyEnabled(IDepositRefundTake trainer);
    error SponsorExpired(uint256 deadline);
    error SponsorBadSignature(address newcomer);
    error SponsorBudgetTooLow(address newcomer, uint256 needed, uint256 budget);
    error SponsorPoolTooLow(uint256 needed, uint256 pool);
    error SponsorNotSponsored(IDepositRefundTake trainer, uint256 nonce);
    error SponsorNotValidated(address newcomer);

    /// @notice The newcomer's part of rewards, in thousandths, rounded down; the pool gets the
    /// rest.
    function sharePerMille() external view returns (uint256);

    /// @notice The most that a relayer is repaid for a call, in wei.
    function repayMax() external view returns (uint256);

    /// @notice The most that is repaid for a unit of gas above the block's base fee, in wei.
    function tipMax() external view returns (uint256);

    /// @notice What can be spent, in wei: neither anybody's balance nor a deposit.
    function pool() external view returns (uint256);

    /// @notice True if newcomers can give data to this trainer.
    function isTrainer(IDepositRefundTake trainer) external view returns (bool);

    /// @notice What a newcomer has.
    function newcomerOf(address account) external view returns (Newcomer memory);

    /// @notice Who gave a contribution, and the deposit that was paid for it; zeros once it came
    /// back.
    function sponsored(IDepositRefundTake trainer, uint256 nonce)
        external
        view
        returns (address newcomer, uint256 deposit);

    /// @notice The EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32);

    /// @notice Gives the value to the pool, for nothing.
    function fund() external payable;

    /// @notice Takes money out of the pool. Only the owner.
    function defund(uint256 amount) external;

    /// @notice Lets newcomers give data to a trainer. Only the owner.
    function enableTrainer(IDepositRefundTake trainer) external;

    /// @notice Sets what may be spent or risked for a newcomer from now on. Only the owner.
    function setBudget(address newcomer, uint96 budget) external;

    /// @notice Gives data for a newcomer who signed `Contribution(address trainer,bytes32
    /// features,uint256 label,uint256 nonce,uint256 deadline)`, features being their keccak256.
    function add(
        IDepositRefundTake trainer,
        bytes calldata features,
        uint256 label,
        Order calldata order
    ) external returns (uint256 nonce);

    /// @notice Fetches a deposit once the model agrees. Anybody may call it. The deposit goes to
    /// the pool and to the newcomer's budget; what comes above it is shared.
    function refund(
        IDepositRefundTake trainer,
        bytes calldata features,
        uint256 label,
        uint256 time,
        uint256 nonce
    ) external;

    /// @notice Reports bad data for a newcomer with a validated contribution who signed
    /// `Report(address trainer,bytes32 key,uint256 nonce,uint256 deadline)`, key being the
    /// contribution's. What it brings is shared.
    /// @param arguments What `report` of the trainer takes, ABI-encoded.
    function report(IDepositRefundTake trainer, bytes calldata arguments, Order calldata order)
        external;
}
