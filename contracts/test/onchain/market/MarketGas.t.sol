// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {
    Item,
    MarketPhase,
    MarketTerms,
    PointProof,
    SampleProof
} from "../../../src/onchain/interfaces/IMarket.sol";
import {Shape} from "../../../src/onchain/models/Perceptron.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice What each verb costs in a market of a usual size: a model of 1,000 words, 100 contributions of 20
/// words, a test set of 10 pieces with 50 texts of 20 words each.
contract MarketGasTest is MarketTest {
    string private constant GROUP = "Market";
    uint256 private constant MANY = 100;
    uint256 private constant PIECES_HERE = 10;

    function _shape() internal pure override returns (Shape memory) {
        return Shape({classes: 2, features: 1_000, one: 1, weightBits: 8, averaged: false});
    }

    /// @dev Twenty words, far from each other.
    function _words(uint256 from) private pure returns (bytes memory x) {
        for (uint256 i; i < 20; ++i) {
            x = abi.encodePacked(x, uint16(from % 50 + 50 * i));
        }
    }

    function _samples() internal pure override returns (bytes memory samples) {
        for (uint256 i; i < 50; ++i) {
            samples = bytes.concat(samples, _sample(i % 2, _words(i)));
        }
    }

    function _item(uint256 number) internal pure override returns (Item memory) {
        return Item(1 - number % 2, _words(number));
    }

    function _note(string memory name) private {
        vm.snapshotValue(GROUP, name, vm.lastCallGas().gasTotalUsed);
    }

    function _openMany() private {
        bytes32[] memory pieces = new bytes32[](PIECES_HERE);
        uint16[] memory counts = new uint16[](PIECES_HERE);
        for (uint256 p; p < PIECES_HERE; ++p) {
            (pieces[p], counts[p]) = (_digest(_salt(p), _samples()), 50);
        }
        MarketTerms memory terms;
        terms.bond = uint96(BOND);
        vm.prank(PROVIDER);
        market.create{value: 450_000}(pieces, counts, terms);
        _note("create with 10 pieces");
        vm.roll(this.height() + 3);
        market.draw();
        _note("draw");
        _reveal(market.market().first);
        _note("reveal the first piece of 50 samples");
    }

    function _playMany() private {
        _openMany();
        for (uint256 i; i < MANY; ++i) {
            _add(ALICE, 1_000, _item(i));
        }
        _note("add 20 words");
        _pass(7 days + 1);
        uint256 first = market.market().first;
        for (uint256 p; p < PIECES_HERE; ++p) {
            if (p != first) _reveal(p);
        }
        _note("reveal the last piece of 50 samples");
    }

    /// @dev A point for each contribution and one more; 450 samples are two words. One more is wrong after
    /// contribution `loser`, or after none.
    function _manyPoints(uint256 count, uint256 loser) private view returns (bytes memory points) {
        bytes32 start = keccak256(model.state());
        for (uint256 i; i <= count; ++i) {
            bytes32 hash = i == 0 ? start : keccak256(abi.encode(i));
            points = abi.encodePacked(points, hash, uint256(7) << 4, uint256(i > loser ? 3 : 1));
        }
    }

    function _all(uint256 stake) private pure returns (uint256[] memory balances) {
        balances = new uint256[](MANY);
        for (uint256 i; i < MANY; ++i) {
            balances[i] = stake;
        }
    }

    function test_verbs_that_settle() external {
        _playMany();
        bytes memory points = _manyPoints(MANY, 5);
        uint256 id = _claim(points);
        _note("claim a stage of 100 contributions and 450 samples");
        uint256[] memory balances = _all(1_000);
        balances[5] = 0;
        // A loss of 1 wei a round: there are 1,000 rounds, which the stake just pays.
        vm.assertTrue(market.claimOf(id).complete);
        _pass(2 days + 1);
        market.accept(id);
        _note("accept");
        market.collect(balances, MANY);
        _note("collect for 100 parties of one account");
        Item[] memory items = new Item[](10);
        for (uint256 i; i < 10; ++i) {
            items[i] = _item(i < 5 ? i : i + 1);
        }
        market.learn(items);
        _note("learn 10 contributions of 20 words");
        market.returnBond(id);
        _note("returnBond");
    }

    function test_verbs_that_refute() external {
        _playMany();
        bytes memory points = _manyPoints(MANY, MANY);
        bytes memory state = model.state();
        PointProof memory proof = PointProof(0, type(uint256).max >> 156, points, 0, state);
        uint256 id = _claim(points);
        market.challengeStep(id, proof, _item(0));
        _note("challengeStep");
        id = _claim(points);
        SampleProof memory sample = SampleProof(_lastCounted(), 0, _samples(), 49);
        sample.salt = _salt(sample.piece);
        market.challengeSample(id, proof, sample);
        _note("challengeSample");
        proof.points = _spoilStart(points);
        id = _claim(proof.points);
        proof.state = "";
        market.challengeStart(id, proof);
        _note("challengeStart");
        _pass(7 days + 1);
        market.forfeit();
        _note("forfeit");
        market.collect(new uint256[](0), MANY);
        _note("collect for 100 parties of a forfeited market");
    }

    function _lastCounted() private view returns (uint256) {
        return market.market().first == PIECES_HERE - 1 ? PIECES_HERE - 2 : PIECES_HERE - 1;
    }

    function _spoilStart(bytes memory points) private pure returns (bytes memory spoilt) {
        spoilt = bytes.concat(points);
        spoilt[0] = ~spoilt[0];
    }

    function test_an_extension() external {
        _playMany();
        bytes memory points = _manyPoints(MANY, 5);
        assembly ("memory-safe") {
            // Contribution 5 makes 60 more samples wrong, so that it can pay 16 rounds only.
            mstore(add(add(points, 0x20), add(mul(6, 96), 64)), sub(shl(62, 1), 1))
        }
        uint256 id = _claim(points);
        vm.assertFalse(market.claimOf(id).complete);
        uint256[] memory balances = _all(1_000);
        balances[5] = 1_000 - 16 * 61;
        balances[6] = 1_000 + 16 * 60;
        points = _manyPoints(MANY - 1, MANY);
        _extend(id, balances, points);
        _note("extend by a stage of 99 contributions and 450 samples");
        vm.assertTrue(market.claimOf(id).complete);
    }

    function test_a_cancellation() external {
        _openMany();
        _pass(7 days + 1);
        market.cancel();
        _note("cancel");
        vm.prank(PROVIDER);
        market.withdraw();
        _note("withdraw");
        _assertPhase(MarketPhase.Cancelled);
    }
}
