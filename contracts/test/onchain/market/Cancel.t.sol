// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, MarketPhase} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract CancelTest is MarketTest {
    function _cancel(address account) private {
        vm.prank(account);
        market.cancel();
    }

    function test_there_must_be_a_market() external {
        _expectPhase(MarketPhase.Participation, MarketPhase.None);
        _cancel(PROVIDER);
    }

    function test_a_stranger_waits_for_the_deadline() external {
        _create();
        bytes memory fault = abi.encodeWithSelector(IMarket.MarketNotProvider.selector, MALLORY);
        _expect(fault);
        _cancel(MALLORY);
        _draw();
        _pass(2 days);
        _expect(fault);
        _cancel(MALLORY);
    }

    function test_nobody_cancels_while_contributions_may_come() external {
        _open();
        _expectUint(IMarket.MarketTooEarly.selector, START + 7 days);
        _cancel(PROVIDER);
    }

    function test_nobody_cancels_once_somebody_takes_part() external {
        _open();
        _add(ALICE, 1, _item(0));
        _expectUint(IMarket.MarketTooEarly.selector, START + 7 days);
        _cancel(PROVIDER);
        _pass(7 days + 1);
        _expectPhase(MarketPhase.Participation, MarketPhase.Reveal);
        _cancel(PROVIDER);
    }

    function test_a_market_is_cancelled_once() external {
        _create();
        _cancel(PROVIDER);
        _expectPhase(MarketPhase.Participation, MarketPhase.Cancelled);
        _cancel(PROVIDER);
    }

    function _assertCancelled() private {
        _assertPhase(MarketPhase.Cancelled);
        _assertBalance(PROVIDER, BOUNTY);
        _create();
    }

    function test_the_provider_may_before_the_draw() external {
        _create();
        vm.expectEmit(address(market));
        emit IMarket.MarketPhaseStarted(1, MarketPhase.Cancelled, 0);
        _cancel(PROVIDER);
        _assertCancelled();
    }

    function test_the_provider_may_instead_of_showing_the_first_piece() external {
        _create();
        _draw();
        _cancel(PROVIDER);
        _assertCancelled();
    }

    function test_anyone_may_once_the_first_piece_is_overdue() external {
        _create();
        _draw();
        _pass(2 days + 1);
        _cancel(MALLORY);
        _assertCancelled();
    }

    function test_anyone_may_if_nobody_took_part() external {
        _open();
        _pass(7 days + 1);
        _cancel(MALLORY);
        _assertCancelled();
    }
}
