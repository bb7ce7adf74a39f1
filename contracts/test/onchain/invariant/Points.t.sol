// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Counts, FuzzSelector} from "./Counts.sol";
import {PointsHandler} from "./PointsHandler.sol";

/// @title What must always hold of points
///
/// The actors of DepositInvariantsTest, in the game without money.
///
/// 1. Every contribution is judged once at most: it earns its contributor points, or a reporter,
///    never both.
/// 2. Points are 10 or 20 for each validated contribution and 5 for each report; no others exist.
/// 3. Nobody earns points for data that the model, as it is without them, disagrees with, and none
///    for reporting his own.
/// 4. Every count of every account, which badges are made of, is what our own rules make of the
///    same events, and the leaderboard lists exactly those who have validated data.
/// 5. What the model knows after roll-backs is what the checkpoints knew; their states are the
///    same words.
///
/// forge-config: onchain.isolate = false
contract PointsInvariantsTest is Counts {
    PointsHandler private _handler;

    function setUp() external {
        _handler = new PointsHandler();
        _handler.start();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[14] memory all = [
            _handler.warp.selector,
            _handler.warp.selector,
            _handler.add.selector,
            _handler.add.selector,
            _handler.add.selector,
            _handler.validate.selector,
            _handler.validate.selector,
            _handler.validate.selector,
            _handler.report.selector,
            _handler.report.selector,
            _handler.forge.selector,
            _handler.checkpoint.selector,
            _handler.rollBack.selector,
            _handler.vote.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_handler), new bytes4[](all.length));
        for (uint256 i; i < all.length; ++i) {
            targets[0].selectors[i] = all[i];
        }
    }

    function invariant_points_and_rules_hold_after_every_call() external view {
        VM.assertEq(_handler.breach(), "");
        _handler.checkTouched();
        _handler.checkAccounts();
    }

    function afterInvariant() external {
        _handler.checkLineage();
        _handler.checkLeaderboard();
        string[] memory verbs = new string[](8);
        (verbs[0], verbs[1], verbs[2], verbs[3]) = ("warp", "add", "validate", "report");
        (verbs[4], verbs[5], verbs[6], verbs[7]) = ("forge", "checkpoint", "rollBack", "vote");
        _countVerbs("POINTS", verbs);
    }

    function _successes(string memory verb) internal view override returns (uint256) {
        return _handler.successes(verb);
    }
}
