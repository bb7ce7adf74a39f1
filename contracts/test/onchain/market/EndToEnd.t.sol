// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {
    ClaimState,
    Item,
    MarketPhase,
    MarketState
} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice The market of MarketTest from its creation to the last wei.
contract EndToEndTest is MarketTest {
    function test_good_contributors_earn_a_liar_loses_and_one_leaves_in_a_later_stage() external {
        _playToClaims();
        uint256 id = _claim(_points(15));
        _assertStage(id, 11, 75, 757, _afterStage0());
        _extend(id, _afterStage0(), _points(11));
        _assertStage(id, 3, 35, 677, _afterStage1());
        _extend(id, _afterStage1(), _points(3));
        _assertStage(id, 3, 0, 537, _afterStage2());
        _pass(2 days + 1);
        market.accept(id);
        market.collect(_afterStage2(), 4);
        _learnAll();
        market.returnBond(id);

        _assertBalance(ALICE, 10);
        _assertBalance(BOB, 420);
        _assertBalance(MALLORY, 1);
        _assertBalance(CAROL, 1);
        _assertBalance(PROVIDER, 537);
        _assertBalance(CLARA, BOND);
        vm.assertEq(address(market).balance, uint256(10 + 420 + 1 + 1 + 537 + 81));
        vm.assertEq(model.state(), _stateAt(3, 2), "the model learnt alice's and bob's");
        vm.assertEq(model.predict(hex"0001"), 1);
        vm.assertEq(model.predict(hex"0003"), 0);
        _everybodyWithdraws();
        vm.assertEq(address(market).balance, 0);
        vm.assertEq(BOB.balance, RICHES + 400);
        vm.assertEq(MALLORY.balance, RICHES - 100);
    }

    function test_the_next_market_starts_where_the_last_one_ended() external {
        _playToSettled();
        market.collect(_afterStage2(), 4);
        _learnAll();
        bytes memory state = model.state();
        _open();
        MarketState memory now_ = market.market();
        vm.assertEq(now_.number, 2);
        vm.assertEq(now_.startHash, keccak256(state));
        vm.assertEq(now_.contributions, 0);
    }

    function _assertStage(
        uint256 id,
        uint256 alive,
        uint256 rounds,
        uint256 rest,
        uint256[] memory balances
    ) private view {
        ClaimState memory claim = market.claimOf(id);
        vm.assertEq(claim.alive, alive, "who is in");
        vm.assertEq(claim.rounds, rounds, "rounds left");
        vm.assertEq(claim.rest, rest, "the rest of the bounty");
        vm.assertEq(claim.balancesHash, keccak256(abi.encode(balances)));
        vm.assertTrue(claim.complete == (rounds == 0));
    }

    function _everybodyWithdraws() private {
        address[6] memory all = [PROVIDER, ALICE, BOB, MALLORY, CAROL, CLARA];
        for (uint256 i; i < all.length; ++i) {
            vm.prank(all[i]);
            market.withdraw();
        }
    }
}
