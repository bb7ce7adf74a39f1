// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Sponsor} from "../../../src/onchain/Sponsor.sol";
import {ISponsor} from "../../../src/onchain/interfaces/ISponsor.sol";
import {Given} from "../TrainerTest.sol";
import {DepositTest} from "../deposit/DepositTest.sol";

/// @notice A sponsor with 10 ether, and Alice, who has none of her own, as its newcomer. BOB
/// relays.
abstract contract SponsorTest is DepositTest {
    uint256 internal constant POOL = 10 ether;
    uint96 internal constant BUDGET = 1 ether;
    uint256 internal constant TIP = 2 gwei;
    uint256 internal constant REPAY_MAX = 0.1 ether;

    Sponsor internal sponsor;

    function setUp() public virtual override {
        super.setUp();
        sponsor = new Sponsor(OWNER, 600, REPAY_MAX, TIP);
        sponsor.fund{value: POOL}();
        vm.startPrank(OWNER);
        sponsor.enableTrainer(trainer);
        sponsor.setBudget(ALICE, BUDGET);
        vm.stopPrank();
        money.deal(ALICE, 0);
    }

    function _order(uint256 key, bytes32 message, uint256 deadline)
        internal
        view
        returns (ISponsor.Order memory)
    {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(
            key, keccak256(abi.encodePacked("\x19\x01", sponsor.domainSeparator(), message))
        );
        bytes32 vs = bytes32(uint256(s) | (uint256(v - 27) << 255));
        return ISponsor.Order(vm.addr(key), deadline, r, vs);
    }

    function _orderToAdd(uint256 key, bytes memory features, uint256 label)
        internal
        view
        returns (ISponsor.Order memory)
    {
        uint256 deadline = block.timestamp + 1 hours;
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "Contribution(address trainer,bytes32 features,uint256 label,uint256 nonce,uint256 deadline)"
                ),
                trainer,
                keccak256(features),
                label,
                sponsor.newcomerOf(vm.addr(key)).nonce,
                deadline
            )
        );
        return _order(key, message, deadline);
    }

    function _orderToReport(uint256 key, Given memory one)
        internal
        view
        returns (ISponsor.Order memory)
    {
        uint256 deadline = block.timestamp + 1 hours;
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Report(address trainer,bytes32 key,uint256 nonce,uint256 deadline)"),
                trainer,
                _keyOf(one),
                sponsor.newcomerOf(vm.addr(key)).nonce,
                deadline
            )
        );
        return _order(key, message, deadline);
    }

    /// @dev Alice signs, Bob relays.
    function _sponsor(bytes memory features, uint256 label) internal returns (Given memory) {
        ISponsor.Order memory order = _orderToAdd(ALICE_KEY, features, label);
        vm.prank(BOB);
        uint256 nonce = sponsor.add(trainer, features, label, order);
        return Given(features, label, block.timestamp, address(sponsor), nonce);
    }

    function _fetch(Given memory one) internal {
        sponsor.refund(trainer, one.features, one.label, one.time, one.nonce);
    }

    function _arguments(Given memory one) internal pure returns (bytes memory) {
        return abi.encode(one.features, one.label, one.time, one.contributor, one.nonce);
    }

    function _budget() internal view returns (uint256) {
        return sponsor.newcomerOf(ALICE).budget;
    }
}
