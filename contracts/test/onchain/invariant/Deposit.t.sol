// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Counts, FuzzSelector} from "./Counts.sol";
import {DepositHandler} from "./DepositHandler.sol";

/// @title What must always hold of deposits
///
/// Five contributors, three of them liars, one of these the deployer, and an onlooker, act on one
/// trainer with a real perceptron, in any order and at any time, with roll-backs and votes in
/// between. The handler's ledger says before every call whether it must succeed, and after it what
/// everybody has.
///
/// 1. Money. The contract holds, to the wei and not just at least, all that is claimable, all
///    balances, and what was forced on it.
/// 2. Deposits. What is left of each is the deposit less what was taken from it; none leaves twice.
/// 3. Nobody is paid for his own data that the model, as it is without them, disagrees with, before
///    `anyWait`: refund, report and clear succeed exactly when the rules say so.
/// 4. Each account reports a contribution once at most.
/// 5. What the model knows after roll-backs is what the checkpoints knew; their states are the
///    same words.
/// 6. Everyone exits. From the state in which a run ends, waiting, clearing and withdrawing empty
///    the contract of all but what was forced on it.
///
/// forge-config: onchain.isolate = false
contract DepositInvariantsTest is Counts {
    DepositHandler private _handler;

    function setUp() external {
        _handler = new DepositHandler();
        _handler.start();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[15] memory all = [
            _handler.warp.selector,
            _handler.warp.selector,
            _handler.add.selector,
            _handler.add.selector,
            _handler.add.selector,
            _handler.refund.selector,
            _handler.refund.selector,
            _handler.report.selector,
            _handler.report.selector,
            _handler.clear.selector,
            _handler.withdraw.selector,
            _handler.force.selector,
            _handler.forge.selector,
            _handler.checkpoint.selector,
            _handler.rollBack.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_handler), new bytes4[](all.length + 1));
        for (uint256 i; i < all.length; ++i) {
            targets[0].selectors[i] = all[i];
        }
        targets[0].selectors[all.length] = _handler.vote.selector;
    }

    function invariant_money_deposits_and_rules_hold_after_every_call() external view {
        VM.assertEq(_handler.breach(), "");
        _handler.checkMoney();
        _handler.checkTouched();
    }

    function afterInvariant() external {
        _handler.checkRecords();
        _handler.checkLineage();
        _handler.everyoneExits();
        _handler.checkMoney();
        VM.assertEq(_handler.breach(), "");
        string[] memory verbs = new string[](11);
        (verbs[0], verbs[1], verbs[2]) = ("warp", "add", "refund");
        (verbs[3], verbs[4], verbs[5]) = ("report", "clear", "withdraw");
        (verbs[6], verbs[7], verbs[8]) = ("force", "forge", "checkpoint");
        (verbs[9], verbs[10]) = ("rollBack", "vote");
        _countVerbs("DEPOSIT", verbs);
    }

    function _successes(string memory verb) internal view override returns (uint256) {
        return _handler.successes(verb);
    }
}
