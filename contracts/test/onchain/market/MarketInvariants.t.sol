// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {MarketHandler} from "./MarketHandler.sol";

/// @notice Cheat codes that only these tests need.
interface VmMemory {
    function setEnv(string calldata name, string calldata value) external;
    function envOr(string calldata name, uint256 otherwise) external returns (uint256);
    function toString(uint256 value) external pure returns (string memory);
    function assertTrue(bool condition, string calldata message) external pure;
}

/// @title What must always hold in markets
///
/// A provider, four participants, a claimant who lies half of the time and everybody else act in market
/// after market, in any order, in time and late. The handler keeps a ledger of its own.
///
/// 1. Money. What the contract holds is, to the last wei, the sum of all balances, bonds, and the
///    market's own money: bounty and stakes while it goes on, then what is not collected yet. Nothing
///    is left when the last party has collected.
/// 2. The rule. For every stage of every claim, true or not, the contract comes to the balances, the
///    parties, the rounds and the rest that playing one round after the other leads to.
/// 3. Claims. A lie is refuted by the challenge of its kind. No challenge refutes a true claim.
/// 4. Learning. The model learns what the accepted claim says, step by step; nothing before.
/// 5. Exits. From the state in which a run ends, time and strangers bring every wei home but the halves of
///    refuted bonds.
/// forge-config: onchain.isolate = false
contract MarketInvariantsTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    VmMemory private constant VM = VmMemory(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;
    uint256 private constant RUNS_BEFORE_JUDGING = 20;

    MarketHandler private _handler;

    function setUp() external {
        _handler = new MarketHandler();
        _handler.start();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[22] memory all = [
            _handler.create.selector,
            _handler.draw.selector,
            _handler.reveal.selector,
            _handler.cancel.selector,
            _handler.add.selector,
            _handler.claim.selector,
            _handler.extend.selector,
            _handler.challenge.selector,
            _handler.challenge.selector,
            _handler.accept.selector,
            _handler.returnBond.selector,
            _handler.forfeit.selector,
            _handler.collect.selector,
            _handler.learn.selector,
            _handler.withdraw.selector,
            _handler.warp.selector,
            // Markets are long: play has six chances of 22.
            _handler.play.selector,
            _handler.play.selector,
            _handler.play.selector,
            _handler.play.selector,
            _handler.play.selector,
            _handler.play.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_handler), new bytes4[](all.length));
        for (uint256 i; i < all.length; ++i) {
            targets[0].selectors[i] = all[i];
        }
    }

    function invariant_money_and_rules_hold_after_every_call() external view {
        _handler.checkBreach();
        _handler.checkMoney();
    }

    function afterInvariant() external {
        _handler.everyoneExits();
        _handler.checkBreach();
        _handler.checkMoney();
        _countVerbs();
    }

    /// @dev Invariants over calls that never succeed say nothing, so every verb must succeed, on average,
    /// in every sixteenth run, once there are enough of them to say so. A run forgets what the one before
    /// did; the environment does not.
    function _countVerbs() private {
        uint256 runs = _add("OSTROM_MARKET_RUNS", 1);
        string[16] memory names = [
            "create",
            "draw",
            "reveal",
            "cancel",
            "add",
            "claim",
            "extend",
            "a lie is refuted",
            "accept",
            "accept a lie",
            "returnBond",
            "forfeit",
            "collect",
            "learn",
            "withdraw",
            "warp"
        ];
        for (uint256 i; i < names.length; ++i) {
            uint256 count = _handler.successes(names[i]);
            uint256 total = _add(string.concat("OSTROM_MARKET_", names[i]), count);
            if (runs < RUNS_BEFORE_JUDGING) continue;
            VM.assertTrue(
                runs < 64 || 16 * total >= runs, string.concat("hardly ever succeeds: ", names[i])
            );
        }
    }

    function _add(string memory name, uint256 count) private returns (uint256 total) {
        total = VM.envOr(name, uint256(0)) + count;
        VM.setEnv(name, VM.toString(total));
    }
}
