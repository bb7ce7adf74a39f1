// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IDataHandler} from "../../../src/onchain/interfaces/IDataHandler.sol";
import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {Given} from "../TrainerTest.sol";
import {DepositTest} from "./DepositTest.sol";

interface VmAny {
    function expectRevert() external;
}

/// @notice Attacks that succeeded against a published implementation of this mechanism.
contract HolesTest is DepositTest {
    VmAny private constant VM_ANY = VmAny(address(vm));

    function _expectDisagrees(Given memory one) private {
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositModelDisagrees.selector, _keyOf(one))
        );
    }

    /// @dev Published: the model that has just learnt a lie agrees with it, for 43 % of lies of 20
    /// tokens.
    function testFuzz_a_lie_that_taught_the_model_to_agree_is_not_refunded(uint16 a) external {
        bytes memory features = _sample(a % 60, a % 60 + 1, a % 60 + 2);
        Given memory one = _add(MALLORY, features, 1);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(model.predict(features), 1);
        _expectDisagrees(one);
        _refund(one);
    }

    /// @dev The same with an update of the model in place of data.
    function test_an_update_does_not_vouch_for_itself() external {
        Given memory one = _add(MALLORY, abi.encodePacked(uint8(1), uint16(2), int16(100)), 65_535);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(model.predict(_sample(1, 2, 3)), 1);
        _expectDisagrees(one);
        _refund(one);
    }

    /// @dev Published: waits of zero are taken as they are, so data are judged in their own second.
    function test_no_wait_can_be_zero() external {
        trainer = _deploy(0, 0, 0);
        vm.assertTrue(trainer.refundWait() > 0);
        model = _makeModel(64, 2);
        trainer = _deploy(1, 2, 3);
        _bind(address(trainer));
        Given memory one = _addNow(ALICE, _sample(1, 2, 3), 0);
        vm.expectRevert(abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, one.time + 1));
        _refund(one);
    }

    /// @dev Published: who has good data too can report, and so get back, his own bad data.
    function test_an_author_does_not_get_his_bad_deposit_back_before_anyWait() external {
        _validate(MALLORY, 1);
        uint256 before = trainer.balanceOf(MALLORY);
        Given memory one = _lie(MALLORY);
        vm.warp(one.time + 60 days - 1);
        _expectDisagrees(one);
        _refund(one);
        vm.expectRevert(
            abi.encodeWithSelector(IDepositRefundTake.DepositOwnContribution.selector, MALLORY)
        );
        _report(MALLORY, one);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, one.time + 60 days)
        );
        _clear(MALLORY, one);
        vm.assertEq(trainer.balanceOf(MALLORY), before);
    }

    function test_neither_does_an_author_who_is_the_deployer() external {
        Given memory one = _lie(OWNER);
        vm.warp(one.time + 60 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, one.time + 60 days)
        );
        _clear(OWNER, one);
        vm.warp(one.time + 60 days);
        _clear(OWNER, one);
    }

    /// @dev Published: the same data twice in a second share a record. The second overwrites the
    /// deposit of the first, and who has claimed the first cannot claim the second.
    function test_the_same_data_twice_in_a_second_are_two_contributions() external {
        _validate(ALICE, 1);
        _validate(BOB, 1);
        Given memory first = _lie(MALLORY);
        uint256 price = _claimable(first);
        Given memory second = _addNow(MALLORY, first.features, first.label);
        vm.assertEq(first.time, second.time);
        vm.assertTrue(_keyOf(first) != _keyOf(second));
        vm.assertEq(_claimable(first), price);
        vm.assertEq(_claimable(second), BASE);
        // An update that undoes both, so that the model disagrees with both.
        _add(BOB, abi.encodePacked(uint8(1), uint16(0), int16(-20)), 65_535);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(_report(ALICE, first), price / 2);
        vm.assertEq(_claimable(second), BASE);
        vm.assertEq(_report(ALICE, second), BASE / 2);
        vm.assertEq(_report(BOB, first), price / 2);
        vm.assertEq(_claimable(first), price - 2 * (price / 2));
    }

    function test_data_given_again_after_a_refund_are_new() external {
        Given memory first = _addNow(ALICE, _sample(1, 2, 3), 0);
        vm.warp(block.timestamp + 1 days);
        _refund(first);
        Given memory second = _addNow(ALICE, _sample(1, 2, 3), 0);
        vm.assertEq(second.nonce, first.nonce + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDataHandler.HandlerTooEarly.selector, second.time + 1 days)
        );
        _refund(second);
    }

    /// @dev Published: a reporter can take his share again and again.
    function test_reporters_together_take_the_deposit_and_each_his_share_once() external {
        _validate(ALICE, 1);
        _validate(BOB, 1);
        _validate(CAROL, 2);
        Given memory one = _lie(MALLORY);
        uint256 price = _claimable(one);
        vm.warp(block.timestamp + 1 days);
        address[3] memory reporters = [ALICE, BOB, CAROL];
        uint256 sum;
        for (uint256 i; i < 3; ++i) {
            sum += _report(reporters[i], one);
        }
        vm.assertEq(sum, 2 * (price / 4) + 2 * price / 4);
        for (uint256 i; i < 2; ++i) {
            VM_ANY.expectRevert();
            _report(reporters[i], one);
        }
    }

    /// @dev Features that end where the label begins cannot pass for other features: their hash is
    /// in the key.
    function testFuzz_no_other_arguments_have_the_same_key(
        bytes calldata features,
        uint256 label,
        uint256 time,
        address contributor,
        uint256 nonce
    ) external view {
        bytes32 key = trainer.keyOf(features, label, time, contributor, nonce);
        vm.assertEq(
            key, keccak256(abi.encode(keccak256(features), label, time, contributor, nonce))
        );
        bytes memory longer = bytes.concat(features, bytes32(label));
        vm.assertTrue(key != trainer.keyOf(longer, time, nonce, contributor, nonce));
    }
}
