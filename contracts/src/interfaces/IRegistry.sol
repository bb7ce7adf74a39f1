// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IRegistry
/// @notice Who takes part, and everybody's stakes. A balance is free (its account may withdraw it)
/// or bonded by a locker, such as the Training contract, under an id, such as a task.
/// @dev WARNING: lockers are trusted code. An enabled locker can bond any free balance, pull what an
/// account allowed the Registry to spend, and slash what it bonded. Enabling is for ever, so the
/// owner must be a body that the participants trust. No locker can touch another locker's bonds, and
/// bonds under one id never mix with those under another.
/// WARNING: the staking token must not charge fees, rebase, or call back.
interface IRegistry {
    /// @notice What an account signs to be registered by somebody else.
    struct Registration {
        address account;
        uint8 roles;
        bytes32 metadata;
        uint256 deadline;
    }

    event Registered(address indexed account, uint8 roles, bytes32 metadata);
    event Deposited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event LockerEnabled(address indexed locker);
    event Bonded(
        address indexed locker, bytes32 indexed id, address indexed account, uint256 amount
    );
    event Unbonding(
        address indexed locker, bytes32 indexed id, address indexed account, uint256 releaseAt
    );
    event Released(
        address indexed locker, bytes32 indexed id, address indexed account, uint256 amount
    );
    event Slashed(
        address indexed locker, bytes32 indexed id, address indexed account, uint256 amount
    );

    error RegistryBadParameter(bytes32 name);
    error RegistryUnknownRoles(uint8 roles);
    error RegistryExpired(uint256 deadline);
    error RegistryBadSignature(address account);
    error RegistryInsufficientFree(address account, uint256 free, uint256 amount);
    error RegistryTransferMismatch(uint256 expected, uint256 received);
    error RegistryNotLocker(address account);
    error RegistryLockerAlreadyEnabled(address locker);
    error RegistryAlreadyUnbonding(address locker, bytes32 id, address account);
    error RegistryNotUnbonding(address locker, bytes32 id, address account);
    error RegistryNotReleasable(uint256 releaseAt);

    /// @notice The token that stakes are made of.
    function stakingToken() external view returns (address);

    /// @notice Where slashed stakes go.
    function treasury() external view returns (address);

    /// @notice Seconds between the start of unbonding and the release of a bond.
    function bondDelay() external view returns (uint256);

    /// @notice The roles (bit flags: trainer 1, validator 2, sponsor 4) of an account.
    function rolesOf(address account) external view returns (uint8);

    /// @notice The balance that an account may withdraw or bond.
    function freeOf(address account) external view returns (uint256);

    /// @notice The nonce that the account's next `Registration` must be signed with.
    function nonceOf(address account) external view returns (uint256);

    /// @notice A bond's amount, and when it can be released (0 while it is not unbonding).
    function bondOf(address locker, bytes32 id, address account)
        external
        view
        returns (uint256 amount, uint256 releaseAt);

    /// @notice True if `account` may bond stakes.
    function isLocker(address account) external view returns (bool);

    /// @notice The EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32);

    /// @notice Declares the caller's roles; a later call replaces them, 0 resigns.
    /// @param metadata The digest of a document about the account, or 0.
    function register(uint8 roles, bytes32 metadata) external;

    /// @notice Declares the roles of an account that signed
    /// `Register(address account,uint8 roles,bytes32 metadata,uint256 nonce,uint256 deadline)`.
    /// @param r First half of the compact signature (EIP-2098).
    /// @param vs Second half.
    function registerBySignature(Registration calldata registration, bytes32 r, bytes32 vs) external;

    /// @notice Moves the caller's tokens into the caller's free balance.
    function deposit(uint256 amount) external;

    /// @notice Moves the caller's tokens into the free balance of `account`: a gift.
    function depositFor(address account, uint256 amount) external;

    /// @notice Pays out of the caller's free balance.
    function withdraw(uint256 amount) external;

    /// @notice Lets a contract bond and slash stakes, for ever. Only the owner.
    function enableLocker(address locker) external;

    /// @notice Bonds `amount` of the account's free balance. Only lockers.
    function bond(bytes32 id, address account, uint256 amount) external;

    /// @notice Bonds `amount`: the account's free balance first, the rest from its tokens, which it
    /// must have allowed the Registry to spend. Only lockers.
    /// @dev WARNING: a locker must have the account's signature over id and amount first.
    function pullAndBond(bytes32 id, address account, uint256 amount) external;

    /// @notice Starts the delay after which a bond is free again. Only the locker that holds it.
    function unbond(bytes32 id, address account) external;

    /// @notice Takes at most `amount` of a bond, unbonding or not, for the treasury. Only the locker
    /// that holds it.
    /// @return slashed What was taken: less than asked if the bond was smaller.
    function slash(bytes32 id, address account, uint256 amount) external returns (uint256 slashed);

    /// @notice Frees a bond whose delay has passed. Anyone may call it.
    function release(address locker, bytes32 id, address account) external;
}
