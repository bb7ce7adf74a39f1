// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IRegistry} from "./interfaces/IRegistry.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title Registry
/// @notice Participants and their stakes. At all times the contract's balance of the staking token is
/// at least the sum of all free balances and all bonds.
contract Registry is IRegistry, EIP712, Ownable2Step, ReentrancyGuard {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    struct Account {
        uint128 free;
        uint64 nonce;
        uint8 roles;
    }

    struct Bond {
        uint128 amount;
        uint64 releaseAt;
    }

    uint256 private constant BOND_DELAY_MAX = 365 days;
    bytes32 private constant REGISTER_TYPEHASH = keccak256(
        "Register(address account,uint8 roles,bytes32 metadata,uint256 nonce,uint256 deadline)"
    );

    /// @inheritdoc IRegistry
    address public immutable stakingToken;
    /// @inheritdoc IRegistry
    address public immutable treasury;
    /// @inheritdoc IRegistry
    uint256 public immutable bondDelay;
    /// @inheritdoc IRegistry
    mapping(address account => bool) public isLocker;

    mapping(address account => Account) private _accounts;
    mapping(address locker => mapping(bytes32 id => mapping(address account => Bond))) private
        _bonds;

    constructor(address stakingToken_, address treasury_, uint256 bondDelay_, address owner)
        EIP712("Ostrom Registry", "1")
        Ownable(owner)
    {
        if (stakingToken_.code.length == 0) revert RegistryBadParameter("stakingToken");
        if (treasury_ == address(0) || treasury_ == address(this)) {
            revert RegistryBadParameter("treasury");
        }
        if (bondDelay_ > BOND_DELAY_MAX) revert RegistryBadParameter("bondDelay");
        stakingToken = stakingToken_;
        treasury = treasury_;
        bondDelay = bondDelay_;
    }

    modifier onlyLocker() {
        if (!isLocker[msg.sender]) revert RegistryNotLocker(msg.sender);
        _;
    }

    /// @inheritdoc IRegistry
    function rolesOf(address account) external view returns (uint8) {
        return _accounts[account].roles;
    }

    /// @inheritdoc IRegistry
    function freeOf(address account) external view returns (uint256) {
        return _accounts[account].free;
    }

    /// @inheritdoc IRegistry
    function nonceOf(address account) external view returns (uint256) {
        return _accounts[account].nonce;
    }

    /// @inheritdoc IRegistry
    function bondOf(address locker, bytes32 id, address account)
        external
        view
        returns (uint256 amount, uint256 releaseAt)
    {
        Bond storage held = _bonds[locker][id][account];
        return (held.amount, held.releaseAt);
    }

    /// @inheritdoc IRegistry
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IRegistry
    function register(uint8 roles, bytes32 metadata) external {
        _register(msg.sender, roles, metadata);
    }

    /// @inheritdoc IRegistry
    function registerBySignature(Registration calldata registration, bytes32 r, bytes32 vs)
        external
    {
        address account = registration.account;
        if (block.timestamp > registration.deadline) revert RegistryExpired(registration.deadline);
        bytes32 message = keccak256(
            abi.encode(
                REGISTER_TYPEHASH,
                account,
                registration.roles,
                registration.metadata,
                _accounts[account].nonce++,
                registration.deadline
            )
        );
        // The third value only says more about the fault.
        // slither-disable-next-line unused-return
        (address signer, ECDSA.RecoverError fault,) =
            ECDSA.tryRecover(_hashTypedDataV4(message), r, vs);
        if (fault != ECDSA.RecoverError.NoError || signer != account) {
            revert RegistryBadSignature(account);
        }
        _register(account, registration.roles, registration.metadata);
    }

    /// @inheritdoc IRegistry
    function deposit(uint256 amount) external {
        depositFor(msg.sender, amount);
    }

    /// @inheritdoc IRegistry
    function depositFor(address account, uint256 amount) public nonReentrant {
        _accounts[account].free += amount.toUint128();
        emit Deposited(account, amount);
        _pull(msg.sender, amount);
    }

    /// @inheritdoc IRegistry
    function withdraw(uint256 amount) external nonReentrant {
        _debit(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
        IERC20(stakingToken).safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IRegistry
    function enableLocker(address locker) external onlyOwner {
        if (isLocker[locker]) revert RegistryLockerAlreadyEnabled(locker);
        isLocker[locker] = true;
        emit LockerEnabled(locker);
    }

    /// @inheritdoc IRegistry
    function bond(bytes32 id, address account, uint256 amount) external onlyLocker {
        _debit(account, amount);
        _bond(id, account, amount);
    }

    /// @inheritdoc IRegistry
    function pullAndBond(bytes32 id, address account, uint256 amount)
        external
        onlyLocker
        nonReentrant
    {
        uint256 free = Math.min(amount, _accounts[account].free);
        _debit(account, free);
        _bond(id, account, amount);
        if (amount > free) _pull(account, amount - free);
    }

    /// @inheritdoc IRegistry
    function unbond(bytes32 id, address account) external onlyLocker {
        Bond storage held = _bonds[msg.sender][id][account];
        if (held.releaseAt != 0) revert RegistryAlreadyUnbonding(msg.sender, id, account);
        held.releaseAt = (block.timestamp + bondDelay).toUint64();
        emit Unbonding(msg.sender, id, account, held.releaseAt);
    }

    /// @inheritdoc IRegistry
    function slash(bytes32 id, address account, uint256 amount)
        external
        onlyLocker
        nonReentrant
        returns (uint256 slashed)
    {
        Bond storage held = _bonds[msg.sender][id][account];
        slashed = Math.min(amount, held.amount);
        held.amount -= slashed.toUint128();
        emit Slashed(msg.sender, id, account, slashed);
        if (slashed != 0) IERC20(stakingToken).safeTransfer(treasury, slashed);
    }

    /// @inheritdoc IRegistry
    function release(address locker, bytes32 id, address account) external {
        Bond memory held = _bonds[locker][id][account];
        // Only unbond sets it, never to 0, so 0 means that the bond is not unbonding.
        // slither-disable-next-line incorrect-equality
        if (held.releaseAt == 0) revert RegistryNotUnbonding(locker, id, account);
        if (block.timestamp < held.releaseAt) revert RegistryNotReleasable(held.releaseAt);
        delete _bonds[locker][id][account];
        _accounts[account].free += held.amount;
        emit Released(locker, id, account, held.amount);
    }

    function _register(address account, uint8 roles, bytes32 metadata) private {
        if (roles > Roles.ALL) revert RegistryUnknownRoles(roles);
        _accounts[account].roles = roles;
        emit Registered(account, roles, metadata);
    }

    function _bond(bytes32 id, address account, uint256 amount) private {
        Bond storage held = _bonds[msg.sender][id][account];
        if (held.releaseAt != 0) revert RegistryAlreadyUnbonding(msg.sender, id, account);
        held.amount += amount.toUint128();
        emit Bonded(msg.sender, id, account, amount);
    }

    function _debit(address account, uint256 amount) private {
        uint256 free = _accounts[account].free;
        if (amount > free) revert RegistryInsufficientFree(account, free, amount);
        _accounts[account].free = (free - amount).toUint128();
    }

    /// @dev What was credited must arrive in full, else the invariant breaks.
    function _pull(address from, uint256 amount) private {
        uint256 before = IERC20(stakingToken).balanceOf(address(this));
        IERC20(stakingToken).safeTransferFrom(from, address(this), amount);
        uint256 received = IERC20(stakingToken).balanceOf(address(this)) - before;
        if (received != amount) revert RegistryTransferMismatch(amount, received);
    }
}
