// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Sponsor} from "../../../src/onchain/Sponsor.sol";
import {IDepositRefundTake} from "../../../src/onchain/interfaces/IDepositRefundTake.sol";
import {ISponsor} from "../../../src/onchain/interfaces/ISponsor.sol";
import {SponsorTest} from "./SponsorTest.sol";

contract OwnerTest is SponsorTest {
    function test_a_share_of_more_than_everything_is_refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(ISponsor.SponsorBadParameter.selector, bytes32("sharePerMille"))
        );
        new Sponsor(OWNER, 1_001, REPAY_MAX, TIP);
    }

    function test_only_the_owner_defunds_enables_and_sets_budgets() external {
        bytes memory refusal =
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, MALLORY);
        vm.startPrank(MALLORY);
        vm.expectRevert(refusal);
        sponsor.defund(1);
        vm.expectRevert(refusal);
        sponsor.enableTrainer(trainer);
        vm.expectRevert(refusal);
        sponsor.setBudget(MALLORY, 1 ether);
        vm.stopPrank();
    }

    function test_a_trainer_without_code_or_twice_is_refused() external {
        vm.startPrank(OWNER);
        vm.expectRevert(
            abi.encodeWithSelector(ISponsor.SponsorBadParameter.selector, bytes32("trainer"))
        );
        sponsor.enableTrainer(IDepositRefundTake(ALICE));
        vm.expectRevert(
            abi.encodeWithSelector(ISponsor.SponsorTrainerAlreadyEnabled.selector, trainer)
        );
        sponsor.enableTrainer(trainer);
        vm.stopPrank();
    }

    function test_more_than_the_pool_cannot_be_taken_out() external {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(ISponsor.SponsorPoolTooLow.selector, POOL + 1, POOL));
        sponsor.defund(POOL + 1);
        vm.prank(OWNER);
        sponsor.defund(POOL);
        vm.assertEq(OWNER.balance, RICHES + POOL);
        vm.assertEq(sponsor.pool(), 0);
    }

    function test_anybody_funds_the_pool_but_not_by_accident() external {
        vm.prank(CAROL);
        sponsor.fund{value: 1 ether}();
        vm.assertEq(sponsor.pool(), POOL + 1 ether);
        vm.prank(CAROL);
        (bool done,) = address(sponsor).call{value: 1}("");
        vm.assertFalse(done);
    }
}
