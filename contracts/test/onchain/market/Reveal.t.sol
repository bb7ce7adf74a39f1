// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Market} from "../../../src/onchain/Market.sol";
import {
    IMarket,
    MarketPhase,
    MarketState,
    MarketTerms
} from "../../../src/onchain/interfaces/IMarket.sol";
import {Samples} from "../../../src/onchain/libraries/Samples.sol";
import {Shape} from "../../../src/onchain/models/Perceptron.sol";
import {SparsePerceptron} from "../../../src/onchain/models/SparsePerceptron.sol";
import {MarketTest} from "./MarketTest.sol";

contract RevealTest is MarketTest {
    function _tryReveal(uint256 piece, bytes32 salt, bytes memory samples) private {
        vm.prank(PROVIDER);
        market.reveal(piece, salt, samples);
    }

    function test_a_stranger_is_refused() external {
        _create();
        _draw();
        _expect(abi.encodeWithSelector(IMarket.MarketNotProvider.selector, MALLORY));
        vm.prank(MALLORY);
        market.reveal(0, _salt(0), _samples());
    }

    function test_nothing_is_revealed_before_the_draw_or_while_contributions_come() external {
        _create();
        _expectPhase(MarketPhase.Reveal, MarketPhase.Draw);
        _reveal(0);
        _draw();
        _reveal(market.market().first);
        _add(ALICE, 1, _item(0));
        uint256 piece = _counted(0);
        _expectPhase(MarketPhase.Reveal, MarketPhase.Participation);
        _reveal(piece);
        _pass(7 days);
        _expectPhase(MarketPhase.Reveal, MarketPhase.Participation);
        _reveal(piece);
    }

    function test_the_first_piece_has_a_deadline() external {
        _create();
        _draw();
        uint256 first = market.market().first;
        _pass(2 days + 1);
        _expectUint(IMarket.MarketTooLate.selector, START + 2 days);
        _reveal(first);
    }

    function test_the_others_have_a_deadline() external {
        _open();
        _addAll();
        uint256 piece = _counted(0);
        _pass(9 days + 1);
        _expectUint(IMarket.MarketTooLate.selector, START + 9 days);
        _reveal(piece);
    }

    function test_there_must_be_such_a_piece() external {
        _create();
        _draw();
        _expectUint(IMarket.MarketUnknownPiece.selector, 3);
        _reveal(3);
    }

    function test_the_piece_that_was_drawn_comes_first() external {
        _create();
        _draw();
        uint256 other = _counted(0);
        _expectUints(IMarket.MarketNotFirst.selector, other, market.market().first);
        _reveal(other);
    }

    function test_a_piece_is_revealed_once() external {
        _open();
        _addAll();
        _pass(7 days + 1);
        uint256 first = market.market().first;
        _expectUint(IMarket.MarketAlreadyRevealed.selector, first);
        _reveal(first);
    }

    function test_what_was_not_committed_is_refused() external {
        _create();
        _draw();
        uint256 first = market.market().first;
        bytes memory fault = abi.encodeWithSelector(IMarket.MarketWrongPiece.selector, first);
        _expect(fault);
        _tryReveal(first, _salt(first + 1), _samples());
        _expect(fault);
        _tryReveal(first, _salt(first), bytes.concat(_samples(), _sample(0, "")));
    }

    function test_the_number_of_samples_is_the_one_that_was_said() external {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        (counts[0], counts[1], counts[2]) = (5, 5, 5);
        _createWith(pieces, counts);
        uint256 first = market.market().first;
        _expect(abi.encodeWithSelector(IMarket.MarketWrongCount.selector, first, 5, 4));
        _reveal(first);
    }

    function _createOf(bytes32 salt, bytes memory samples) private {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        for (uint256 p; p < PIECES; ++p) {
            pieces[p] = _digest(salt, samples);
        }
        _createWith(pieces, counts);
    }

    function _createWith(bytes32[] memory pieces, uint16[] memory counts) private {
        MarketTerms memory terms;
        vm.prank(PROVIDER);
        market.create{value: BOUNTY}(pieces, counts, terms);
        _draw();
    }

    function test_a_label_that_the_model_does_not_know_is_refused() external {
        bytes memory samples = bytes.concat(_samples(), _sample(2, ""));
        _createOf("salt", samples);
        uint256 first = market.market().first;
        _expectUint(Samples.SamplesMalformed.selector, 24);
        _tryReveal(first, "salt", samples);
    }

    function test_samples_that_end_too_early_are_refused() external {
        bytes memory samples = bytes.concat(_samples(), hex"00010002ff");
        _createOf("salt", samples);
        uint256 first = market.market().first;
        _expectUint(Samples.SamplesMalformed.selector, 24);
        _tryReveal(first, "salt", samples);
    }

    function test_a_piece_must_fit_into_a_challenge() external {
        bytes memory samples = _sample(0, new bytes(16_381));
        _createOf("salt", samples);
        uint256 first = market.market().first;
        _expectUint(IMarket.MarketWrongPiece.selector, first);
        _tryReveal(first, "salt", samples);
    }

    function test_a_model_must_fit_into_a_challenge() external {
        vm.startPrank(PROVIDER);
        model = new SparsePerceptron(Shape(2, 65_535, 1, 8, false), "");
        market = new Market(model);
        model.bind(address(market));
        vm.stopPrank();
        _create();
        _draw();
        uint256 first = market.market().first;
        _expectBad("model");
        _reveal(first);
    }

    /// @notice A hash of few labels without a salt hides nothing: a piece of four samples whose features
    /// are known is one of 16.
    function test_unsalted_pieces_can_be_guessed_and_are_refused() external {
        (bytes32 secret, uint256 found) = (_digest(0, _samples()), 0);
        for (uint256 guess; guess < 16; ++guess) {
            bytes memory samples = bytes.concat(
                _sample(guess & 1, hex"0000"),
                _sample((guess >> 1) & 1, hex"0001"),
                _sample((guess >> 2) & 1, hex"0002"),
                _sample(guess >> 3, hex"0003")
            );
            if (_digest(0, samples) == secret) ++found;
            vm.assertTrue(_digest(_salt(0), samples) != secret);
        }
        vm.assertEq(found, 1);
        _createOf(0, _samples());
        uint256 first = market.market().first;
        _expectUint(IMarket.MarketUnsalted.selector, first);
        _tryReveal(first, 0, _samples());
    }

    /// @notice The first piece's salt is public as soon as that piece is.
    function test_a_salt_that_the_first_piece_had_is_refused() external {
        _createOf("salt", _samples());
        uint256 first = market.market().first;
        _tryReveal(first, "salt", _samples());
        _addAll();
        _pass(7 days + 1);
        uint256 piece = _counted(0);
        _expectUint(IMarket.MarketUnsalted.selector, piece);
        _tryReveal(piece, "salt", _samples());
    }

    function test_the_first_piece_opens_participation() external {
        _create();
        _draw();
        uint256 first = market.market().first;
        _pass(2 days);
        vm.expectEmit(address(market));
        emit IMarket.PieceRevealed(1, first, _salt(first), _samples());
        vm.expectEmit(address(market));
        emit IMarket.MarketPhaseStarted(1, MarketPhase.Participation, START + 9 days);
        _reveal(first);
        MarketState memory state = market.market();
        vm.assertEq(state.revealed, 1 << first);
        vm.assertEq(state.startHash, keccak256(model.state()));
        vm.assertEq(state.deadline, START + 9 days);
    }

    function test_the_last_piece_opens_claims() external {
        _open();
        _addAll();
        _pass(9 days);
        uint256 piece = _counted(1);
        _reveal(_counted(0));
        _assertPhase(MarketPhase.Reveal);
        vm.expectEmit(address(market));
        emit IMarket.PieceRevealed(1, piece, _salt(piece), _samples());
        vm.expectEmit(address(market));
        emit IMarket.MarketPhaseStarted(1, MarketPhase.Claim, START + 16 days);
        _reveal(piece);
        vm.assertEq(market.market().revealed, 7);
    }
}
