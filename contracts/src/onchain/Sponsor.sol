// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Accounts} from "./Accounts.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IDepositRefundTake} from "./interfaces/IDepositRefundTake.sol";
import {ISponsor} from "./interfaces/ISponsor.sol";

/// @title Sponsor
/// @notice Pays for newcomers. At all times the contract has at least the pool and all balances.
contract Sponsor is ISponsor, Accounts, EIP712, Ownable2Step, ReentrancyGuard {
    struct Grant {
        address newcomer;
        uint96 deposit;
    }

    bytes32 private constant CONTRIBUTION_TYPEHASH = keccak256(
        "Contribution(address trainer,bytes32 features,uint256 label,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant REPORT_TYPEHASH =
        keccak256("Report(address trainer,bytes32 key,uint256 nonce,uint256 deadline)");
    /// @dev What a call costs outside of what is measured: the transaction, the guard, the
    /// repayment itself.
    uint256 private constant GAS_OUTSIDE = 40_000;
    uint256 private constant GAS_PER_BYTE = 16;

    /// @inheritdoc ISponsor
    uint256 public immutable sharePerMille;
    /// @inheritdoc ISponsor
    uint256 public immutable repayMax;
    /// @inheritdoc ISponsor
    uint256 public immutable tipMax;
    /// @inheritdoc ISponsor
    uint256 public pool;
    /// @inheritdoc ISponsor
    mapping(IDepositRefundTake trainer => bool) public isTrainer;

    mapping(address account => Newcomer) private _newcomers;
    mapping(IDepositRefundTake trainer => mapping(uint256 nonce => Grant)) private _grants;

    constructor(address owner, uint256 sharePerMille_, uint256 repayMax_, uint256 tipMax_)
        EIP712("Ostrom Sponsor", "1")
        Ownable(owner)
    {
        if (sharePerMille_ > 1_000) revert SponsorBadParameter("sharePerMille");
        (sharePerMille, repayMax, tipMax) = (sharePerMille_, repayMax_, tipMax_);
    }

    /// @dev Trainers pay out what they owe; who wants to give money funds the pool.
    receive() external payable {
        if (!isTrainer[IDepositRefundTake(msg.sender)]) revert SponsorNotTrainer(msg.sender);
    }

    // Views

    /// @inheritdoc ISponsor
    function newcomerOf(address account) external view returns (Newcomer memory) {
        return _newcomers[account];
    }

    /// @inheritdoc ISponsor
    function sponsored(IDepositRefundTake trainer, uint256 nonce)
        external
        view
        returns (address newcomer, uint256 deposit)
    {
        Grant memory grant = _grants[trainer][nonce];
        return (grant.newcomer, grant.deposit);
    }

    /// @inheritdoc ISponsor
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // The owner

    /// @inheritdoc ISponsor
    function fund() external payable nonReentrant {
        pool += msg.value;
        emit Funded(msg.sender, msg.value);
    }

    /// @inheritdoc ISponsor
    function defund(uint256 amount) external onlyOwner {
        _spend(amount);
        emit Defunded(amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @inheritdoc ISponsor
    function enableTrainer(IDepositRefundTake trainer) external onlyOwner {
        if (address(trainer).code.length == 0) revert SponsorBadParameter("trainer");
        if (isTrainer[trainer]) revert SponsorTrainerAlreadyEnabled(trainer);
        isTrainer[trainer] = true;
        emit TrainerEnabled(trainer);
    }

    /// @inheritdoc ISponsor
    function setBudget(address newcomer, uint96 budget) external onlyOwner {
        _newcomers[newcomer].budget = budget;
        emit BudgetSet(newcomer, budget);
    }

    // Newcomers

    /// @inheritdoc ISponsor
    function add(
        IDepositRefundTake trainer,
        bytes calldata features,
        uint256 label,
        Order calldata order
    ) external nonReentrant returns (uint256 nonce) {
        uint256 gasBefore = gasleft();
        _requireTrainer(trainer);
        _accept(
            order,
            keccak256(
                abi.encode(
                    CONTRIBUTION_TYPEHASH,
                    trainer,
                    keccak256(features),
                    label,
                    _newcomers[order.newcomer].nonce,
                    order.deadline
                )
            )
        );
        uint256 price = trainer.deposit();
        _risk(order.newcomer, price);
        nonce = trainer.add{value: price}(features, label);
        _grants[trainer][nonce] = Grant(order.newcomer, uint96(price));
        uint256 repaid = _repay(order.newcomer, gasBefore);
        emit Sponsored(trainer, nonce, order.newcomer, price, msg.sender, repaid);
    }

    /// @inheritdoc ISponsor
    function refund(
        IDepositRefundTake trainer,
        bytes calldata features,
        uint256 label,
        uint256 time,
        uint256 nonce
    ) external nonReentrant {
        Grant memory grant = _grants[trainer][nonce];
        if (grant.newcomer == address(0)) revert SponsorNotSponsored(trainer, nonce);
        delete _grants[trainer][nonce];
        // What the refund brings is what is withdrawn.
        // slither-disable-next-line unused-return
        trainer.refund(features, label, time, nonce);
        uint256 amount = _collect(trainer);
        uint256 back = Math.min(amount, grant.deposit);
        Newcomer storage newcomer = _newcomers[grant.newcomer];
        newcomer.validated += 1;
        newcomer.budget += uint96(back);
        pool += back;
        emit Returned(trainer, nonce, back);
        _share(grant.newcomer, amount - back);
    }

    /// @inheritdoc ISponsor
    function report(IDepositRefundTake trainer, bytes calldata arguments, Order calldata order)
        external
        nonReentrant
    {
        uint256 gasBefore = gasleft();
        _requireTrainer(trainer);
        (bytes memory features, uint256 label, uint256 time, address contributor, uint256 nonce) =
            abi.decode(arguments, (bytes, uint256, uint256, address, uint256));
        bytes32 key = keccak256(abi.encode(keccak256(features), label, time, contributor, nonce));
        Newcomer memory newcomer = _newcomers[order.newcomer];
        if (newcomer.validated == 0) revert SponsorNotValidated(order.newcomer);
        _accept(
            order,
            keccak256(abi.encode(REPORT_TYPEHASH, trainer, key, newcomer.nonce, order.deadline))
        );
        // As above.
        // slither-disable-next-line unused-return
        trainer.report(features, label, time, contributor, nonce);
        _share(order.newcomer, _collect(trainer));
        emit Repaid(msg.sender, _repay(order.newcomer, gasBefore));
    }

    // Inside

    /// @dev Checks a signature and uses up its nonce.
    function _accept(Order calldata order, bytes32 message) private {
        if (block.timestamp > order.deadline) revert SponsorExpired(order.deadline);
        // The third value only says more about the fault.
        // slither-disable-next-line unused-return
        (address signer, ECDSA.RecoverError wrong,) =
            ECDSA.tryRecover(_hashTypedDataV4(message), order.r, order.vs);
        if (wrong != ECDSA.RecoverError.NoError || signer != order.newcomer) {
            revert SponsorBadSignature(order.newcomer);
        }
        _newcomers[signer].nonce += 1;
    }

    /// @dev Takes money out of the pool and out of a newcomer's budget.
    function _risk(address account, uint256 amount) private {
        uint256 budget = _newcomers[account].budget;
        if (amount > budget) revert SponsorBudgetTooLow(account, amount, budget);
        _newcomers[account].budget = uint96(budget - amount);
        _spend(amount);
    }

    function _spend(uint256 amount) private {
        if (amount > pool) revert SponsorPoolTooLow(amount, pool);
        pool -= amount;
    }

    /// @dev Credits the relayer's gas, at no more than the base fee and a tip, and no more than
    /// the maximum.
    function _repay(address account, uint256 gasBefore) private returns (uint256 repaid) {
        uint256 price = Math.min(tx.gasprice, block.basefee + tipMax);
        uint256 gas = gasBefore - gasleft() + GAS_OUTSIDE + GAS_PER_BYTE * msg.data.length;
        repaid = Math.min(gas * price, repayMax);
        _risk(account, repaid);
        _credit(msg.sender, repaid);
    }

    function _share(address account, uint256 amount) private {
        if (amount == 0) return;
        uint256 share = amount * sharePerMille / 1_000;
        pool += amount - share;
        _credit(account, share);
        emit Shared(account, share, amount - share);
    }

    /// @dev Fetches what a trainer owes us.
    function _collect(IDepositRefundTake trainer) private returns (uint256 amount) {
        uint256 before = address(this).balance;
        // We count what arrives, not what it says.
        // slither-disable-next-line unused-return
        IAccounts(address(trainer)).withdraw();
        return address(this).balance - before;
    }

    function _requireTrainer(IDepositRefundTake trainer) private view {
        if (!isTrainer[trainer]) revert SponsorNotTrainer(address(trainer));
    }
}
