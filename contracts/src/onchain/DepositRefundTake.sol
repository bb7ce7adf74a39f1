// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Accounts} from "./Accounts.sol";
import {CollaborativeTrainer} from "./CollaborativeTrainer.sol";
import {IDepositRefundTake} from "./interfaces/IDepositRefundTake.sol";
import {IModel} from "./interfaces/IModel.sol";
import {Record} from "./libraries/Records.sol";
import {Totals} from "./libraries/Totals.sol";

/// @title DepositRefundTake
/// @notice Contributions with a deposit, which good data get back and bad data lose.
/// @dev At all times the contract has at least the sum of all balances and of all that is
/// claimable. An account's word is, from the top: the next nonce to report (48 bits), validated
/// contributions (48), the balance (96).
contract DepositRefundTake is IDepositRefundTake, CollaborativeTrainer, Accounts {
    uint256 private constant REFUND_WAIT = 1 days;
    uint256 private constant OWNER_WAIT = 30 days;
    uint256 private constant ANY_WAIT = 60 days;
    uint256 private constant WAIT_MAX = 36_500 days;
    uint256 private constant BASE_MAX = type(uint96).max / 1 hours;
    uint256 private constant VALIDATED_SHIFT = 96;
    uint256 private constant NEXT_REPORT_SHIFT = 144;

    /// @inheritdoc IDepositRefundTake
    uint256 public immutable base;
    /// @inheritdoc IDepositRefundTake
    uint256 public immutable refundWait;
    /// @inheritdoc IDepositRefundTake
    uint256 public immutable ownerWait;
    /// @inheritdoc IDepositRefundTake
    uint256 public immutable anyWait;

    /// @param model_ The model, to be bound to this contract.
    /// @param base_ What deposits are built on, in wei; not 0.
    /// @param refundWait_ Seconds, or 0 for one day.
    /// @param ownerWait_ Seconds, more than `refundWait_`, or 0 for 30 days.
    /// @param anyWait_ Seconds, more than `ownerWait_`, or 0 for 60 days.
    constructor(
        IModel model_,
        uint256 base_,
        uint256 refundWait_,
        uint256 ownerWait_,
        uint256 anyWait_
    ) CollaborativeTrainer(model_) {
        if (base_ == 0 || base_ > BASE_MAX) revert DepositBaseOutOfRange(base_);
        if (refundWait_ == 0) refundWait_ = REFUND_WAIT;
        if (ownerWait_ == 0) ownerWait_ = OWNER_WAIT;
        if (anyWait_ == 0) anyWait_ = ANY_WAIT;
        if (refundWait_ >= ownerWait_ || ownerWait_ >= anyWait_ || anyWait_ > WAIT_MAX) {
            revert DepositWaitsNotOrdered(refundWait_, ownerWait_, anyWait_);
        }
        (base, refundWait, ownerWait, anyWait) = (base_, refundWait_, ownerWait_, anyWait_);
    }

    /// @inheritdoc IDepositRefundTake
    function deposit() external view returns (uint256) {
        return _deposit(_totals.lastTime());
    }

    /// @inheritdoc IDepositRefundTake
    function nextReport(address account) external view returns (uint256) {
        return _accounts[account] >> NEXT_REPORT_SHIFT;
    }

    /// @inheritdoc IDepositRefundTake
    function takeOf(bytes32 key, address reporter) external view returns (uint256) {
        uint256 own = _validatedOf(reporter);
        if (own == 0) return 0;
        return _take(_records[key], own, _totals.validated());
    }

    /// @inheritdoc IDepositRefundTake
    function add(bytes calldata features, uint256 label) external payable returns (uint256 nonce) {
        Totals totals_ = _totals;
        uint256 price = _deposit(totals_.lastTime());
        if (msg.value != price) _charge(price);
        return _add(totals_, features, label, price);
    }

    /// @inheritdoc IDepositRefundTake
    function refund(bytes calldata features, uint256 label, uint256 time, uint256 nonce)
        external
        returns (uint256 amount)
    {
        (bytes32 key, Record record) = _open(features, label, time, msg.sender, nonce);
        _requireAge(time, refundWait);
        Totals totals_ = _totals;
        if (!_agrees(features, label, nonce, record, totals_.isRolledBack())) {
            revert DepositModelDisagrees(key);
        }
        _close(key);
        amount = record.claimable();
        _accounts[msg.sender] = _credited(_accounts[msg.sender], amount) + (1 << VALIDATED_SHIFT);
        _totals = totals_.withValidated();
        emit Refunded(nonce, msg.sender, amount);
    }

    /// @inheritdoc IDepositRefundTake
    function report(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external returns (uint256 amount) {
        if (msg.sender == contributor) {
            revert DepositOwnContribution(msg.sender);
        }
        (bytes32 key, Record record) = _open(features, label, time, contributor, nonce);
        _requireAge(time, refundWait);
        uint256 word = _enterReport(nonce);
        Totals totals_ = _totals;
        if (_agrees(features, label, nonce, record, totals_.isRolledBack())) {
            revert DepositModelAgrees(key);
        }
        amount = _take(record, uint48(word >> VALIDATED_SHIFT), totals_.validated());
        _records[key] = record.without(amount);
        _accounts[msg.sender] = _credited(word, amount);
        emit Reported(nonce, msg.sender, amount);
    }

    /// @inheritdoc IDepositRefundTake
    function clear(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external returns (uint256 amount) {
        (bytes32 key, Record record) = _open(features, label, time, contributor, nonce);
        bool isOwner = msg.sender == deployer && msg.sender != contributor;
        _requireAge(time, isOwner ? ownerWait : anyWait);
        _close(key);
        amount = record.claimable();
        _credit(msg.sender, amount);
        emit Cleared(nonce, msg.sender, amount);
    }

    function _deposit(uint256 lastTime) private view returns (uint256) {
        uint256 elapsed = block.timestamp - lastTime;
        if (lastTime == 0 || elapsed == 0) return base;
        return Math.max(1, base * 1 hours / Math.sqrt(elapsed));
    }

    /// @dev Takes a price out of value and balance, and credits what is too much.
    function _charge(uint256 price) private {
        uint256 word = _accounts[msg.sender];
        uint256 available = uint96(word) + msg.value;
        if (available < price) revert DepositTooLow(price, available);
        _accounts[msg.sender] = _credited(word - uint96(word), available - price);
    }

    /// @dev The caller's word once the report is noted; `report` stores it.
    function _enterReport(uint256 nonce) private view returns (uint256 word) {
        word = _accounts[msg.sender];
        if (uint48(word >> VALIDATED_SHIFT) == 0) revert DepositNotValidated(msg.sender);
        uint256 next = word >> NEXT_REPORT_SHIFT;
        if (nonce < next) revert DepositAlreadyReported(nonce, next);
        return uint144(word) | ((nonce + 1) << NEXT_REPORT_SHIFT);
    }

    /// @dev A share of the deposit, rounded down but at least 1 wei, and at most what is left.
    function _take(Record record, uint256 own, uint256 all) private pure returns (uint256) {
        return Math.min(record.claimable(), Math.max(1, record.initial() * own / all));
    }

    function _validatedOf(address account) internal view override returns (uint256) {
        return uint48(_accounts[account] >> VALIDATED_SHIFT);
    }
}
