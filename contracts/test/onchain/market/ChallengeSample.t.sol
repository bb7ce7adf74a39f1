// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, PointProof, SampleProof} from "../../../src/onchain/interfaces/IMarket.sol";
import {Samples} from "../../../src/onchain/libraries/Samples.sol";
import {MarketTest} from "./MarketTest.sol";

contract ChallengeSampleTest is MarketTest {
    function _challenge(uint256 id, PointProof memory proof, SampleProof memory sample) private {
        vm.prank(WENDY);
        market.challengeSample(id, proof, sample);
    }

    function _begin(bytes memory points) private returns (uint256 id, PointProof memory proof) {
        id = _claim(points);
        proof = _proof(0, 15, points, 1);
    }

    function test_the_state_is_the_one_that_was_claimed() external {
        _playToClaims();
        (uint256 id, PointProof memory proof) = _begin(_points(15));
        SampleProof memory sample = _sampleProof(0, 0);
        bytes32 expected = keccak256(proof.state);
        proof.state = "";
        _expect(abi.encodeWithSelector(IMarket.MarketWrongState.selector, expected, keccak256("")));
        _challenge(id, proof, sample);
    }

    function test_the_piece_is_one_that_counts() external {
        _playToClaims();
        (uint256 id, PointProof memory proof) = _begin(_points(15));
        SampleProof memory sample = _sampleProof(0, 0);
        sample.piece = market.market().first;
        _expectUint(IMarket.MarketUnknownPiece.selector, sample.piece);
        _challenge(id, proof, sample);
        sample.piece = PIECES;
        _expectUint(IMarket.MarketUnknownPiece.selector, PIECES);
        _challenge(id, proof, sample);
    }

    function test_the_samples_are_those_that_were_revealed() external {
        _playToClaims();
        (uint256 id, PointProof memory proof) = _begin(_points(15));
        SampleProof memory sample = _sampleProof(0, 0);
        sample.salt = 0;
        _expectUint(IMarket.MarketWrongPiece.selector, sample.piece);
        _challenge(id, proof, sample);
    }

    function test_there_must_be_such_a_sample() external {
        _playToClaims();
        (uint256 id, PointProof memory proof) = _begin(_points(15));
        SampleProof memory sample = _sampleProof(0, 4);
        _expectUint(Samples.SamplesUnknown.selector, 4);
        _challenge(id, proof, sample);
    }

    function test_true_bits_hold() external {
        _playToClaims();
        bytes memory points = _points(15);
        uint256 id = _claim(points);
        for (uint256 j; j < 40; ++j) {
            PointProof memory proof = _proof(0, 15, points, j / 8);
            SampleProof memory sample = _sampleProof(j / 4 % 2, j % 4);
            _expectUint(IMarket.MarketClaimHolds.selector, id);
            _challenge(id, proof, sample);
        }
    }

    function testFuzz_a_wrong_bit_is_refuted(uint256 point, uint256 place) external {
        (point, place) = (point % 5, place % 8);
        _playToClaims();
        bytes memory points = _spoil(_points(15), point, 1, 1 << place);
        uint256 id = _claim(points);
        _challenge(id, _proof(0, 15, points, point), _sampleProof(place / 4, place % 4));
        vm.assertTrue(market.claimOf(id).refuted);
        _assertBalance(WENDY, 40);
    }

    /// @notice The fourth kind of lie, another count than the bits', has no place in a claim: the contract
    /// counts. To change a count mallory must change a bit, and that is refuted.
    function test_a_wrong_count_is_a_wrong_bit() external {
        _playToClaims();
        bytes memory points = _spoil(_points(15), 3, 1, 1);
        uint256 id = _claim(points);
        vm.assertTrue(
            market.claimOf(id).balancesHash != keccak256(abi.encode(_afterStage0())),
            "another count pays others"
        );
        _challenge(id, _proof(0, 15, points, 3), _sampleProof(0, 0));
        vm.assertTrue(market.claimOf(id).refuted);
    }
}

/// @notice A test set whose last sample the model refuses: it has a word too many.
contract RefusedSampleTest is MarketTest {
    function _samples() internal pure override returns (bytes memory) {
        return bytes.concat(
            _sample(1, hex"0000"),
            _sample(1, hex"0001"),
            _sample(0, hex"0002"),
            _sample(0, hex"0009")
        );
    }

    function test_a_refused_sample_is_wrong_at_every_point() external {
        _playToClaims();
        bytes memory points = _points(15);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(0, 15, points, 1);
        SampleProof memory sample = _sampleProof(0, 3);
        _expectUint(IMarket.MarketClaimHolds.selector, id);
        market.challengeSample(id, proof, sample);
        proof.points = _spoil(points, 1, 1, 1 << 3);
        id = _claim(proof.points);
        market.challengeSample(id, proof, sample);
        vm.assertTrue(market.claimOf(id).refuted);
    }
}
