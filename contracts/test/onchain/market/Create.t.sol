// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Market} from "../../../src/onchain/Market.sol";
import {
    IMarket,
    MarketPhase,
    MarketState,
    MarketTerms
} from "../../../src/onchain/interfaces/IMarket.sol";
import {IModel} from "../../../src/onchain/interfaces/IModel.sol";
import {MarketTest} from "./MarketTest.sol";

contract CreateTest is MarketTest {
    function _tryCreate(bytes32[] memory pieces, uint16[] memory counts) private {
        MarketTerms memory terms;
        vm.prank(PROVIDER);
        market.create{value: BOUNTY}(pieces, counts, terms);
    }

    function test_an_account_without_code_is_no_model() external {
        _expectBad("model");
        new Market(IModel(ALICE));
    }

    function test_a_stranger_is_refused() external {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        MarketTerms memory terms;
        _expect(abi.encodeWithSelector(IMarket.MarketNotProvider.selector, MALLORY));
        vm.prank(MALLORY);
        market.create{value: BOUNTY}(pieces, counts, terms);
    }

    function test_a_model_that_learns_from_another_is_refused() external {
        vm.prank(PROVIDER);
        market = new Market(model);
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        _expectBad("model");
        _tryCreate(pieces, counts);
    }

    function test_a_market_that_goes_on_is_in_the_way() external {
        _create();
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        _expect(abi.encodeWithSelector(IMarket.MarketNotOver.selector, MarketPhase.Draw));
        _tryCreate(pieces, counts);
    }

    function test_a_settled_market_must_be_collected_and_learnt_first() external {
        _playToSettled();
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        bytes memory fault =
            abi.encodeWithSelector(IMarket.MarketNotOver.selector, MarketPhase.Settled);
        market.collect(_afterStage2(), 3);
        _expect(fault);
        _tryCreate(pieces, counts);
        market.collect(_afterStage2(), 1);
        _expect(fault);
        _tryCreate(pieces, counts);
        _learnAll();
        _tryCreate(pieces, counts);
    }

    function test_a_forfeited_market_must_be_collected_first() external {
        _open();
        _addAll();
        _pass(9 days + 1);
        market.forfeit();
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        _expect(abi.encodeWithSelector(IMarket.MarketNotOver.selector, MarketPhase.Forfeited));
        _tryCreate(pieces, counts);
        market.collect(new uint256[](0), 4);
        _tryCreate(pieces, counts);
    }

    function test_one_piece_hides_nothing() external {
        _expectBad("pieces");
        _tryCreate(new bytes32[](1), new uint16[](1));
    }

    function test_more_than_64_pieces_are_refused() external {
        _expectBad("pieces");
        _tryCreate(new bytes32[](65), new uint16[](65));
    }

    function test_each_piece_has_a_count() external {
        _expectBad("counts");
        _tryCreate(new bytes32[](3), new uint16[](2));
    }

    function test_no_piece_is_empty() external {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        counts[1] = 0;
        _expectBad("counts");
        _tryCreate(pieces, counts);
    }

    function test_more_than_1024_samples_are_refused() external {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        counts[0] = 1_017;
        _expectBad("counts");
        _tryCreate(pieces, counts);
    }

    function test_the_bounty_pays_at_least_one_round() external {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        MarketTerms memory terms;
        _expectBad("bounty");
        vm.prank(PROVIDER);
        market.create{value: 11}(pieces, counts, terms);
    }

    function test_more_than_256_contributions_are_refused() external {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        MarketTerms memory terms;
        terms.contributionsMax = 257;
        _expectBad("contributionsMax");
        vm.prank(PROVIDER);
        market.create{value: BOUNTY}(pieces, counts, terms);
    }

    function test_times_are_neither_too_short_to_act_nor_for_ever() external {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        uint32[2] memory bad = [uint32(1 hours - 1), 365 days + 1];
        for (uint256 i; i < 8; ++i) {
            MarketTerms memory terms;
            if (i / 2 == 0) terms.participationSeconds = bad[i % 2];
            if (i / 2 == 1) terms.revealSeconds = bad[i % 2];
            if (i / 2 == 2) terms.claimSeconds = bad[i % 2];
            if (i / 2 == 3) terms.challengeSeconds = bad[i % 2];
            _expectBad("seconds");
            vm.prank(PROVIDER);
            market.create{value: BOUNTY}(pieces, counts, terms);
        }
    }

    function test_terms_that_are_not_given_have_defaults() external {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        MarketTerms memory full = MarketTerms(7 days, 2 days, 7 days, 2 days, 256, false, 1, 81);
        MarketTerms memory terms;
        vm.expectEmit(address(market));
        emit IMarket.MarketCreated(1, BOUNTY, pieces, counts, full);
        vm.expectEmit(address(market));
        emit IMarket.MarketPhaseStarted(1, MarketPhase.Draw, START_BLOCK + 2);
        vm.prank(PROVIDER);
        vm.assertEq(market.create{value: BOUNTY}(pieces, counts, terms), 1);
        _assertTerms(full);
        MarketState memory state = market.market();
        vm.assertEq(state.number, 1);
        vm.assertEq(state.bounty, BOUNTY);
        vm.assertEq(state.samples, 12);
        vm.assertEq(state.deadline, START_BLOCK + 2);
        (bytes30 digest, uint256 count) = market.pieceOf(2);
        vm.assertEq(bytes32(digest), bytes32(bytes30(pieces[2])));
        vm.assertEq(count, 4);
        vm.assertEq(market.provider(), PROVIDER);
        vm.assertEq(address(market.model()), address(model));
    }

    function test_terms_that_are_given_stay() external {
        MarketTerms memory terms = MarketTerms(1 hours, 2 hours, 3 hours, 365 days, 5, true, 6, 7);
        _create(terms);
        _assertTerms(terms);
    }

    function _assertTerms(MarketTerms memory terms) private view {
        vm.assertEq(keccak256(abi.encode(market.terms())), keccak256(abi.encode(terms)));
    }
}
