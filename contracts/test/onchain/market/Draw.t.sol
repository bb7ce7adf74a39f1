// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, MarketPhase, MarketState} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract DrawTest is MarketTest {
    function test_there_must_be_a_market() external {
        _expectPhase(MarketPhase.Draw, MarketPhase.None);
        market.draw();
    }

    function test_the_block_must_be_past() external {
        _create();
        vm.roll(START_BLOCK + 2);
        _expectUint(IMarket.MarketTooEarly.selector, START_BLOCK + 2);
        market.draw();
    }

    function test_a_piece_is_drawn_once() external {
        _create();
        _draw();
        _expectPhase(MarketPhase.Draw, MarketPhase.Show);
        market.draw();
    }

    function test_a_hash_that_nobody_knows_any_more_is_drawn_anew() external {
        _create();
        vm.roll(START_BLOCK + 2 + 257);
        market.draw();
        MarketState memory state = market.market();
        vm.assertEq(uint256(state.phase), uint256(MarketPhase.Draw));
        vm.assertEq(state.deadline, START_BLOCK + 2 + 257 + 2);
        _draw();
        _assertPhase(MarketPhase.Show);
    }

    function testFuzz_the_hash_draws_the_piece_which_does_not_count(bytes32 hash) external {
        vm.assume(hash != 0);
        _create();
        vm.roll(START_BLOCK + 3);
        vmMarket.setBlockhash(START_BLOCK + 2, hash);
        uint256 first = uint256(hash) % PIECES;
        vm.expectEmit(address(market));
        emit IMarket.FirstPieceDrawn(1, first);
        vm.expectEmit(address(market));
        emit IMarket.MarketPhaseStarted(1, MarketPhase.Show, START + 2 days);
        vm.prank(MALLORY);
        market.draw();
        MarketState memory state = market.market();
        vm.assertEq(state.first, first);
        vm.assertEq(state.samples, 8);
    }
}
