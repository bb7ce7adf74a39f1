// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, MarketPhase} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract ForfeitTest is MarketTest {
    function test_there_must_be_something_overdue() external {
        _expectPhase(MarketPhase.Claim, MarketPhase.None);
        market.forfeit();
        _open();
        _addAll();
        _expectPhase(MarketPhase.Claim, MarketPhase.Participation);
        market.forfeit();
        _pass(9 days);
        _expectUint(IMarket.MarketTooEarly.selector, START + 9 days);
        market.forfeit();
    }

    function test_claims_take_their_time() external {
        _playToClaims();
        uint256 deadline = market.market().deadline;
        _pass(7 days);
        _expectUint(IMarket.MarketTooEarly.selector, deadline);
        market.forfeit();
    }

    function test_a_complete_claim_saves_the_bounty() external {
        _playToClaims();
        _claimAll();
        _pass(7 days + 1);
        _expectUint(IMarket.MarketClaimsPending.selector, 1);
        market.forfeit();
    }

    function test_a_settled_market_is_not_forfeited() external {
        _playToSettled();
        _expectPhase(MarketPhase.Claim, MarketPhase.Settled);
        market.forfeit();
    }

    function test_a_provider_who_does_not_reveal_loses_the_bounty_by_stakes() external {
        _open();
        _addAll();
        _pass(7 days + 1);
        _reveal(_counted(0));
        _pass(2 days);
        vm.expectEmit(address(market));
        emit IMarket.MarketPhaseStarted(1, MarketPhase.Forfeited, 0);
        market.forfeit();
        _assertShares();
    }

    function test_a_market_without_a_claim_is_forfeited() external {
        _playToClaims();
        _pass(7 days + 1);
        market.forfeit();
        _assertShares();
    }

    function test_refuted_claims_save_nothing() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 0, 0, 1);
        uint256 id = _claim(points);
        market.challengeStart(id, _proof(0, 15, points, 0));
        _pass(7 days + 1);
        market.forfeit();
        _assertShares();
    }

    /// @notice 807 by stakes of 10, 20, 101 and 31: 807 * 10 / 162 is 49; 758 * 20 / 152 is 99; 659 *
    /// 101 / 132 is 504; the last has what is left, 155.
    function _assertShares() private {
        market.collect(new uint256[](0), 4);
        _assertBalance(ALICE, 10 + 49);
        _assertBalance(BOB, 20 + 99);
        _assertBalance(MALLORY, 101 + 504);
        _assertBalance(CAROL, 31 + 155);
        _assertBalance(PROVIDER, 0);
    }
}
