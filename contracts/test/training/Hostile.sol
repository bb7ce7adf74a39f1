// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {IMembership} from "../../src/interfaces/IMembership.sol";

// Tokens and membership contracts that misbehave.

contract SixDecimalsToken is ERC20("Six", "SIX") {
    constructor(address to, uint256 amount) {
        _mint(to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

/// @dev Keeps one percent of what is transferred once `charge` was called.
contract FeeToken is ERC20("Fee", "FEE") {
    bool private _charges;

    constructor(address to, uint256 amount) {
        _mint(to, amount);
    }

    function charge() external {
        _charges = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_charges && from != address(0) && to != address(0)) {
            super._update(to, address(0), value / 100);
        }
    }
}

/// @dev Gives the receiver more than was sent.
contract GiftToken is ERC20("Gift", "GIFT") {
    constructor(address to, uint256 amount) {
        _mint(to, amount);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        _mint(to, 1);
        return super.transferFrom(from, to, value);
    }
}

/// @dev Moves nothing and says so.
contract FalseToken is ERC20("False", "FALSE") {
    bool private _fails;

    constructor(address to, uint256 amount) {
        _mint(to, amount);
    }

    function fail() external {
        _fails = true;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return !_fails && super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return !_fails && super.transferFrom(from, to, value);
    }
}

/// @dev Moves nothing and claims that it did.
contract LyingToken is ERC20("Lie", "LIE") {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @dev Answers nothing, like some old tokens.
contract SilentToken {
    mapping(address account => uint256) public balanceOf;

    constructor(address to, uint256 amount) {
        balanceOf[to] = amount;
    }

    function approve(address, uint256) external {}

    function transfer(address to, uint256 value) external {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
    }

    function transferFrom(address from, address to, uint256 value) external {
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}

/// @dev Calls somebody in the middle of every transfer, and remembers whether that worked.
contract CallbackToken is ERC20("Callback", "CALL") {
    address private _target;
    bytes private _message;
    uint256 public successes;
    uint256 public failures;

    constructor(address to, uint256 amount) {
        _mint(to, amount);
    }

    function arm(address target, bytes calldata message) external {
        (_target, _message) = (target, message);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0)) return;
        (bool done,) = _target.call(_message);
        if (done) ++successes;
        else ++failures;
    }
}

/// @dev Refuses with an error of a hundred kilobytes.
contract HugeToken is ERC20("Huge", "HUGE") {
    bool private _bursts;

    constructor(address to, uint256 amount) {
        _mint(to, amount);
    }

    function burst() external {
        _bursts = true;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        if (!_bursts) return super.transfer(to, value);
        assembly ("memory-safe") {
            revert(0, 100000)
        }
    }
}

/// @dev Reverts with its own error.
contract AngryMembership is IMembership {
    error Angry(address account);

    function isMember(bytes32, address account) external pure returns (bool) {
        revert Angry(account);
    }
}

/// @dev Answers "yes" followed by a hundred kilobytes.
contract VerboseMembership is IMembership {
    function isMember(bytes32, address) external pure returns (bool) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, 1)
            return(free, 100000)
        }
    }
}

/// @dev Refuses with an error of a hundred kilobytes.
contract BombMembership is IMembership {
    function isMember(bytes32, address) external pure returns (bool) {
        assembly ("memory-safe") {
            revert(0, 100000)
        }
    }
}

/// @dev Answers 2, which is no boolean.
contract NoBooleanMembership is IMembership {
    function isMember(bytes32, address) external pure returns (bool) {
        assembly ("memory-safe") {
            mstore(0, 2)
            return(0, 0x20)
        }
    }
}

/// @dev Answers with less than a word.
contract ShortMembership is IMembership {
    function isMember(bytes32, address) external pure returns (bool) {
        assembly ("memory-safe") {
            return(0, 0x1f)
        }
    }
}

/// @dev Tries to act while it is asked.
contract ActingMembership {
    address private immutable TARGET;
    bytes private _message;

    constructor(address target, bytes memory message) {
        (TARGET, _message) = (target, message);
    }

    function isMember(bytes32, address) external returns (bool) {
        (bool done,) = TARGET.call(_message);
        return done;
    }
}
