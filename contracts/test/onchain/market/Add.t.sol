// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {
    IMarket,
    Item,
    MarketPhase,
    MarketState,
    MarketTerms
} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract AddTest is MarketTest {
    function test_there_must_be_a_market_with_its_first_piece() external {
        _expectPhase(MarketPhase.Participation, MarketPhase.None);
        _add(ALICE, 1, _item(0));
        _create();
        _draw();
        _expectPhase(MarketPhase.Participation, MarketPhase.Show);
        _add(ALICE, 1, _item(0));
    }

    function test_the_first_contribution_can_come_too_late() external {
        _open();
        _pass(7 days + 1);
        _expectUint(IMarket.MarketTooLate.selector, START + 7 days);
        _add(ALICE, 1, _item(0));
    }

    function test_the_second_contribution_can_come_too_late() external {
        _open();
        _add(ALICE, 1, _item(0));
        _pass(7 days + 1);
        _expectPhase(MarketPhase.Participation, MarketPhase.Reveal);
        _add(BOB, 1, _item(1));
    }

    function test_nothing_staked_is_nothing_contributed() external {
        _open();
        _expectUints(IMarket.MarketStakeTooLow.selector, 1, 0);
        _add(ALICE, 0, _item(0));
    }

    function test_the_provider_may_ask_for_more() external {
        MarketTerms memory terms;
        terms.stakeMin = 10;
        _open(terms);
        _expectUints(IMarket.MarketStakeTooLow.selector, 10, 9);
        _add(ALICE, 9, _item(0));
        _add(ALICE, 10, _item(0));
    }

    function test_a_contribution_must_fit_into_a_challenge() external {
        _open();
        _expectUints(IMarket.MarketContributionTooLong.selector, 16_384, 16_386);
        _add(ALICE, 1, Item(1, new bytes(16_386)));
    }

    function test_a_contribution_is_queued_and_changes_nothing() external {
        _open();
        bytes memory state = model.state();
        _pass(7 days);
        vm.expectEmit(address(market));
        emit IMarket.ContributionQueued(1, 0, ALICE, 0, 10, 1, _item(0).x);
        _add(ALICE, 10, _item(0));
        _add(ALICE, 5, _item(1));
        vm.assertEq(model.state(), state, "the model learnt");
        (address account, uint256 stake) = market.partyOf(1);
        vm.assertEq(account, ALICE);
        vm.assertEq(stake, 5);
        (bytes32 digest, uint256 party) = market.contributionOf(1);
        vm.assertEq(digest, keccak256(abi.encode(keccak256(_item(1).x), _item(1).label)));
        vm.assertEq(party, 1);
        MarketState memory now_ = market.market();
        vm.assertEq(now_.contributions, 2);
        vm.assertEq(now_.parties, 2);
        vm.assertEq(now_.stakes, 15);
        vm.assertEq(address(market).balance, BOUNTY + 15);
    }

    function test_the_last_contribution_ends_participation() external {
        MarketTerms memory terms;
        terms.contributionsMax = 2;
        _open(terms);
        _add(ALICE, 1, _item(0));
        _pass(1 days);
        vm.expectEmit(address(market));
        emit IMarket.MarketPhaseStarted(1, MarketPhase.Reveal, START + 3 days);
        _add(BOB, 1, _item(1));
        _expectPhase(MarketPhase.Participation, MarketPhase.Reveal);
        _add(CAROL, 1, _item(3));
    }

    function test_the_contributions_of_one_account_can_be_one_party() external {
        MarketTerms memory terms;
        terms.grouped = true;
        _open(terms);
        _add(ALICE, 10, _item(0));
        _add(BOB, 20, _item(1));
        _add(ALICE, 5, _item(3));
        MarketState memory now_ = market.market();
        vm.assertEq(now_.contributions, 3);
        vm.assertEq(now_.parties, 2);
        vm.assertEq(now_.stakes, 35);
        (address account, uint256 stake) = market.partyOf(0);
        vm.assertEq(account, ALICE);
        vm.assertEq(stake, 15);
        (, uint256 party) = market.contributionOf(2);
        vm.assertEq(party, 0);
        (, party) = market.contributionOf(1);
        vm.assertEq(party, 1);
    }
}
