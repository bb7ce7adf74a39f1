// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {CollaborativeTrainer} from "./CollaborativeTrainer.sol";
import {IModel} from "./interfaces/IModel.sol";
import {IPoints} from "./interfaces/IPoints.sol";
import {Record} from "./libraries/Records.sol";

/// @title Points
/// @notice Contributions without a deposit, for points and badges.
/// @dev An account is one word. A record's deposit is 1, of nothing, as a mark that it is open.
contract Points is IPoints, CollaborativeTrainer {
    uint256 private constant WAIT = 1 days;
    uint256 private constant WAIT_MAX = 36_500 days;
    uint256 private constant OPEN = 1;
    uint32 private constant POINTS = 10;
    uint32 private constant POINTS_DIVERSE = 20;
    uint32 private constant POINTS_REPORT = 5;
    uint256 private constant DIVERSE_BITS = 8;
    uint256 private constant LABELS = 32;
    uint256 private constant UPDATE = 65_535;

    /// @inheritdoc IPoints
    uint256 public immutable wait;

    address[] private _contributors;
    mapping(address account => Account) private _accounts;

    /// @param model_ The model, to be bound to this contract.
    /// @param wait_ Seconds, or 0 for one day.
    constructor(IModel model_, uint256 wait_) CollaborativeTrainer(model_) {
        if (wait_ > WAIT_MAX) revert PointsWaitTooLong(wait_);
        wait = wait_ == 0 ? WAIT : wait_;
    }

    /// @inheritdoc IPoints
    function accountOf(address account) external view returns (Account memory) {
        return _accounts[account];
    }

    /// @inheritdoc IPoints
    function badges(address account) external view returns (Badges memory) {
        return _badges(_accounts[account], _allLabels());
    }

    /// @inheritdoc IPoints
    function contributorCount() external view returns (uint256) {
        return _contributors.length;
    }

    /// @inheritdoc IPoints
    function leaderboard(uint256 from, uint256 count)
        external
        view
        returns (Standing[] memory page)
    {
        uint256 total = _contributors.length;
        if (from > total) from = total;
        if (count > total - from) count = total - from;
        uint256 all = _allLabels();
        page = new Standing[](count);
        for (uint256 i; i < count; ++i) {
            address one = _contributors[from + i];
            Account memory account = _accounts[one];
            page[i] = Standing(one, account.points, account.validated, _badges(account, all));
        }
    }

    /// @inheritdoc IPoints
    function add(bytes calldata features, uint256 label) external returns (uint256 nonce) {
        return _add(_totals, features, label, OPEN);
    }

    /// @inheritdoc IPoints
    function validate(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external returns (uint256 points) {
        (bytes32 key, bool isAgreed) = _judge(features, label, time, contributor, nonce);
        if (!isAgreed) revert PointsModelDisagrees(key);
        _close(key);
        _totals = _totals.withValidated();
        Account memory account = _accounts[contributor];
        if (account.validated == 0) _contributors.push(contributor);
        // An update is no sample: it is like the last one.
        uint64 sketch = label == UPDATE ? account.sketch : model.sketch(features);
        bool isDiverse = _count(account, label, sketch, time / 1 days);
        points = isDiverse ? POINTS_DIVERSE : POINTS;
        _accounts[contributor] = account;
        emit Validated(nonce, contributor, points, isDiverse);
    }

    /// @inheritdoc IPoints
    function report(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external {
        if (msg.sender == contributor) {
            revert PointsOwnContribution(msg.sender);
        }
        if (_validatedOf(msg.sender) == 0) revert PointsNotValidated(msg.sender);
        (bytes32 key, bool isAgreed) = _judge(features, label, time, contributor, nonce);
        if (isAgreed) revert PointsModelAgrees(key);
        _close(key);
        _accounts[msg.sender].points += POINTS_REPORT;
        _accounts[contributor].streak = 0;
        emit Reported(nonce, msg.sender, POINTS_REPORT);
    }

    /// @dev What the model says of an open contribution whose wait is over.
    function _judge(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) private view returns (bytes32 key, bool isAgreed) {
        Record record;
        (key, record) = _open(features, label, time, contributor, nonce);
        _requireAge(time, wait);
        isAgreed = _agrees(features, label, nonce, record, _totals.isRolledBack());
    }

    /// @dev Counts a validated contribution in its contributor's account.
    function _count(Account memory account, uint256 label, uint64 sketch, uint256 day)
        private
        pure
        returns (bool isDiverse)
    {
        isDiverse = _distance(sketch, account.sketch) >= DIVERSE_BITS;
        account.sketch = sketch;
        account.validated += 1;
        account.points += isDiverse ? POINTS_DIVERSE : POINTS;
        if (isDiverse) account.diverse += 1;
        if (label < LABELS) account.labels |= uint32(1 << label);
        if (day > account.lastDay) {
            account.streak = day == account.lastDay + 1 ? account.streak + 1 : 1;
            account.lastDay = uint24(day);
        } else if (day == account.lastDay && account.streak == 0) {
            account.streak = 1;
        }
        if (account.streak > account.bestStreak) account.bestStreak = account.streak;
    }

    /// @dev In how many bits two sketches differ.
    function _distance(uint64 left, uint64 right) private pure returns (uint256 bits) {
        for (uint256 rest = left ^ right; rest != 0; rest &= rest - 1) {
            ++bits;
        }
    }

    /// @dev A bit for each label that diversity asks for.
    function _allLabels() private view returns (uint256) {
        uint256 classes = model.classes();
        return (1 << (classes < LABELS ? classes : LABELS)) - 1;
    }

    function _badges(Account memory account, uint256 all) private pure returns (Badges memory out) {
        out.quantity = _level(account.validated, 10, 100, 1_000);
        if (account.labels & all == all) out.diversity = _level(account.diverse, 5, 50, 500);
        out.regularity = _level(account.bestStreak, 3, 7, 30);
    }

    function _level(uint256 value, uint256 first, uint256 second, uint256 third)
        private
        pure
        returns (uint8)
    {
        if (value < first) return 0;
        if (value < second) return 1;
        return value < third ? 2 : 3;
    }

    function _validatedOf(address account) internal view override returns (uint256) {
        return _accounts[account].validated;
    }
}
