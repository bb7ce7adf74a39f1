// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IMarket, Item, PointProof} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

contract ChallengeStepTest is MarketTest {
    function _challenge(uint256 id, PointProof memory proof, Item memory item) private {
        vm.prank(WENDY);
        market.challengeStep(id, proof, item);
    }

    function test_the_state_is_the_one_that_was_claimed() external {
        _playToClaims();
        bytes memory points = _points(15);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(0, 15, points, 2);
        proof.state = _stateAt(15, 1);
        bytes32 expected = keccak256(_stateAt(15, 2));
        _expect(
            abi.encodeWithSelector(
                IMarket.MarketWrongState.selector, expected, keccak256(proof.state)
            )
        );
        _challenge(id, proof, _item(2));
    }

    function test_the_last_point_has_no_step() external {
        _playToClaims();
        bytes memory points = _points(15);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(0, 15, points, 4);
        _expectUint(IMarket.MarketUnknownPoint.selector, 4);
        _challenge(id, proof, _item(3));
        proof.point = 5;
        _expectUint(IMarket.MarketUnknownPoint.selector, 5);
        _challenge(id, proof, _item(3));
    }

    function test_the_step_is_made_by_its_contribution() external {
        _playToClaims();
        bytes memory points = _points(15);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(0, 15, points, 2);
        _expectUint(IMarket.MarketWrongContribution.selector, 2);
        _challenge(id, proof, _item(3));
        _expectUint(IMarket.MarketWrongContribution.selector, 2);
        _challenge(id, proof, Item(1, _item(2).x));
    }

    function test_true_steps_hold_in_every_stage() external {
        _playToClaims();
        uint256 id = _claimAll();
        uint256[3] memory alive = [uint256(15), 11, 3];
        uint256[3] memory sizes = [uint256(4), 3, 2];
        for (uint256 stage; stage < 3; ++stage) {
            bytes memory points = _points(alive[stage]);
            for (uint256 point; point < sizes[stage]; ++point) {
                PointProof memory proof = _proof(stage, alive[stage], points, point);
                Item memory item = _item(stage == 1 && point == 2 ? 3 : point);
                _expectUint(IMarket.MarketClaimHolds.selector, id);
                _challenge(id, proof, item);
            }
        }
    }

    function testFuzz_a_wrong_step_is_refuted(uint256 point, uint256 flip) external {
        point %= 4;
        vm.assume(flip != 0);
        _playToClaims();
        bytes memory points = _spoil(_points(15), point + 1, 0, flip);
        uint256 id = _claim(points);
        _challenge(id, _proof(0, 15, points, point), _item(point));
        vm.assertTrue(market.claimOf(id).refuted);
        _assertBalance(WENDY, 40);
    }

    function test_a_wrong_step_of_a_complete_claim_is_refuted_until_it_is_accepted() external {
        _playToClaims();
        uint256 id = _claim(_points(15));
        bytes memory points = _spoil(_points(11), 3, 0, 1);
        _extend(id, _afterStage0(), points);
        _extend(id, _afterStage1(), _points(3));
        vm.assertEq(market.market().pending, 1);
        _pass(2 days + 1);
        _challenge(id, _proof(1, 11, points, 2), _item(3));
        vm.assertEq(market.market().pending, 0);
    }

    /// @notice A contribution that the model refuses changes nothing; whoever says it does is refuted.
    function test_a_refused_contribution_makes_no_step() external {
        _open();
        Item memory item = Item(1, hex"0009");
        _add(MALLORY, 1, item);
        _pass(7 days + 1);
        _revealRest();
        bytes memory point = _point(model.state());
        uint256 honest = _claim(bytes.concat(point, point));
        PointProof memory proof = PointProof(0, 1, bytes.concat(point, point), 0, model.state());
        _expectUint(IMarket.MarketClaimHolds.selector, honest);
        _challenge(honest, proof, item);
        proof.points = bytes.concat(point, _point(_learns(model.state(), _item(0))));
        uint256 liar = _claim(proof.points);
        _challenge(liar, proof, item);
        vm.assertTrue(market.claimOf(liar).refuted);
    }

    /// @notice A call of the model that runs out of gas must not pass for a refusal.
    function test_too_little_gas_refutes_nothing() external {
        _playToClaims();
        bytes memory points = _points(15);
        uint256 id = _claim(points);
        PointProof memory proof = _proof(0, 15, points, 0);
        bytes4 fault;
        for (uint256 gas_ = 50_000; fault != IMarket.MarketClaimHolds.selector; gas_ += 250) {
            try market.challengeStep{gas: gas_}(id, proof, _item(0)) {
                vm.assertTrue(false, "a true claim was refuted");
            } catch (bytes memory reason) {
                fault = bytes4(reason);
            }
        }
        vm.assertFalse(market.claimOf(id).refuted);
    }
}
