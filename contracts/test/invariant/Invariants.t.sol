// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Handler} from "./Handler.sol";

/// @notice Cheat codes that only these tests need.
interface VmMemory {
    function setEnv(string calldata name, string calldata value) external;
    function envOr(string calldata name, uint256 otherwise) external returns (uint256);
    function toString(uint256 value) external pure returns (string memory);
    function assertTrue(bool condition, string calldata message) external pure;
}

/// @title What must always hold
///
/// Two sponsors, six trainers, three validators, a keeper (this contract) and mallory act on up to
/// five tasks in one Training, in two tokens, in any order: plausible calls and absurd ones, on
/// time, at the last second and late. The handler keeps a ledger of its own from the calls that
/// succeeded; the contracts must agree with it after every single call: in all balances, in every
/// detail of the task that the call was about, and at the end of a run in every detail of every task.
///
/// 1. Training's money. What Training holds of a token is, to the last unit and not just at least,
///    the sum over its tasks of pool - claimed - refunded. For each task alone, claimed <= allocated
///    <= pool; allocated is what quorums settled and claimed is what accounts received. A task that
///    touched another's money would break the other's equation.
/// 2. The Registry's money. What the Registry holds is the sum of all free balances and bonds. Every
///    free balance and every bond, by task and account, is what the ledger says, so no slash and no
///    release can come out of another task's bond. What was slashed is at the treasury.
/// 3. Counts. Trainers, validators, expected and open commitments and the quorum's stake, which
///    decide when phases close and rounds settle, are what the members' acts say.
/// 4. Rules, noted by the handler when a call that breaks one succeeds: phases never go back, never
///    skip a round, and last exactly as long as their rules say unless everyone has acted; nothing
///    is accepted after its deadline; a trainer commits once a round; nobody acts without a seat;
///    no bond is released early; a task is refunded once, after its end; mallory's forged proofs,
///    copied openings and calls to what is not hers are refused.
/// 5. Everyone exits. From the state in which a run ends: time passes, anybody pushes the tasks past
///    their deadlines, everybody leaves, claims, is refunded, releases and withdraws, alone. Then the
///    Registry holds nothing, and Training nothing but dust: payouts + refund = pool.
///    Dust: payouts are whole numbers that the quorum's tree names, so rounding leaves none. Only a
///    crooked quorum (a quarter of the tasks) can allocate what its tree gives to nobody; that, to
///    the last unit, stays. No other task pays for it.
///
/// What a refused call changes cannot be seen here: it reverts, and the ledger with it.
/// forge-config: default.isolate = false
contract InvariantsTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    VmMemory private constant VM = VmMemory(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;
    uint256 private constant RUNS_BEFORE_JUDGING = 20;

    Handler private _handler;

    function setUp() external {
        _handler = new Handler();
        _handler.start();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[29] memory all = [
            _handler.deposit.selector,
            _handler.withdraw.selector,
            _handler.register.selector,
            _handler.release.selector,
            _handler.createTask.selector,
            _handler.cancel.selector,
            _handler.rollBack.selector,
            _handler.refund.selector,
            _handler.advance.selector,
            _handler.join.selector,
            _handler.joinBatch.selector,
            _handler.leave.selector,
            _handler.claim.selector,
            _handler.sanction.selector,
            _handler.commit.selector,
            _handler.commitBatch.selector,
            _handler.reveal.selector,
            _handler.revealBatch.selector,
            _handler.commitScores.selector,
            _handler.revealScores.selector,
            _handler.attest.selector,
            _handler.mallory.selector,
            _handler.warp.selector,
            // Rounds are long: play has six chances of 29.
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

    function invariant_money_counts_and_rules_hold_after_every_call() external view {
        _handler.checkRules();
        _handler.checkTrainingMoney();
        _handler.checkRegistryMoney();
        _handler.checkTouched();
    }

    function afterInvariant() external {
        _handler.checkAll();
        _handler.everyoneExits();
        _handler.checkAll();
        _handler.checkRules();
        _handler.checkTrainingMoney();
        _handler.checkRegistryMoney();
        _handler.checkNothingIsLeft();
        _countVerbs();
    }

    /// @dev Invariants over calls that never succeed say nothing, so every verb must succeed, on average,
    /// in every fourth run. A run forgets what the one before did; the environment does not.
    function _countVerbs() private {
        uint256 runs = _add("OSTROM_INVARIANT_RUNS", 1);
        string[24] memory names = [
            "deposit",
            "withdraw",
            "register",
            "release",
            "createTask",
            "cancel",
            "rollBack",
            "refund",
            "advance",
            "join",
            "joinBatch",
            "leave",
            "claim",
            "sanction",
            "commit",
            "commitBatch",
            "reveal",
            "revealBatch",
            "commitScores",
            "revealScores",
            "attest",
            "a round is settled",
            "mallory",
            "warp"
        ];
        for (uint256 i; i < names.length; ++i) {
            uint256 count = _handler.successes(names[i]);
            uint256 total = _add(string.concat("OSTROM_INVARIANT_", names[i]), count);
            if (runs < RUNS_BEFORE_JUDGING) continue;
            VM.assertTrue(4 * total >= runs, string.concat("hardly ever succeeds: ", names[i]));
        }
    }

    function _add(string memory name, uint256 count) private returns (uint256 total) {
        total = VM.envOr(name, uint256(0)) + count;
        VM.setEnv(name, VM.toString(total));
    }
}
