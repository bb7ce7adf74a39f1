// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {Recovery} from "../../../src/onchain/Recovery.sol";
import {Logged, PageData} from "../../../src/onchain/interfaces/IRecovery.sol";
import {Shape} from "../../../src/onchain/models/Perceptron.sol";
import {SparsePerceptron} from "../../../src/onchain/models/SparsePerceptron.sol";
import {Vm} from "../../Vm.sol";

/// @notice Cheat codes that these tests need besides.
interface VmRecovery {
    function deal(address account, uint256 balance) external;
}

/// @notice A trainer whose model mallory has corrupted between two checkpoints:
///
///   nonce                    row of class 1 after it
///   0  alice   {0,1} is 1    b=1   w=( 1, 1, 0, 0)
///      checkpoint 0
///   1  bob     {2,3} is 0    b=0   w=( 1, 1,-1,-1)
///   2  mallory {0,1} is 0    b=-1  w=( 0, 0,-1,-1)
///   3  carol   {0,2} is 1    b=0   w=( 1, 0, 0,-1)    without mallory b=1 w=( 2, 1, 0,-1)
///      checkpoint 1
abstract contract RecoveryTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    VmRecovery internal constant vmRecovery =
        VmRecovery(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant RICHES = 1_000 ether;
    uint256 internal constant BASE = 1 gwei;
    uint256 internal constant BOND = 101;
    address internal constant OWNER = address(0x1001);
    address internal constant ALICE = address(0x1002);
    address internal constant BOB = address(0x1003);
    address internal constant MALLORY = address(0x1004);
    address internal constant CAROL = address(0x1005);
    address internal constant WENDY = address(0x1007);
    address internal constant NOBODY = address(0xdead);

    SparsePerceptron internal model;
    DepositRefundTake internal trainer;
    Recovery internal recovery;
    Logged[] internal log;

    function setUp() public virtual {
        vm.warp(START);
        address[6] memory all = [OWNER, ALICE, BOB, MALLORY, CAROL, WENDY];
        for (uint256 i; i < all.length; ++i) {
            vmRecovery.deal(all[i], RICHES);
        }
        vm.startPrank(OWNER);
        model = new SparsePerceptron(Shape(2, 4, 1, 8, false), "vocabulary(cid=test)");
        trainer = new DepositRefundTake(model, BASE, 0, 0, 0);
        model.bind(address(trainer));
        recovery = new Recovery(address(trainer), BOND, 0);
        trainer.enableRecovery(address(recovery));
        vm.stopPrank();
        _add(ALICE, hex"00000001", 1);
        trainer.checkpoint();
        _add(BOB, hex"00020003", 0);
        _add(MALLORY, hex"00000001", 0);
        _add(CAROL, hex"00000002", 1);
        trainer.checkpoint();
    }

    function _add(address account, bytes memory features, uint256 label) internal {
        vm.prank(account);
        uint256 nonce = trainer.add{value: 1 ether}(features, label);
        log.push(Logged(features, label, this.time(), account, nonce));
    }

    /// @dev The compiler takes `block.timestamp` for a constant within a call.
    function time() external view returns (uint256) {
        return block.timestamp;
    }

    function _pass(uint256 duration) internal {
        vm.warp(this.time() + duration);
    }

    function _key(uint256 nonce) internal view returns (bytes32) {
        Logged storage one = log[nonce];
        return keccak256(
            abi.encode(keccak256(one.features), one.label, one.time, one.contributor, one.nonce)
        );
    }

    function _learnt(bytes memory state, uint256 nonce) internal view returns (bytes memory) {
        return model.learnWith(state, log[nonce].features, log[nonce].label);
    }

    /// @dev The model after alice alone, after bob too, and after carol too, without mallory.
    function _afterAlice() internal view returns (bytes memory) {
        bytes memory empty = hex"0004020080000000808080808080808080808080808080808080808080808080";
        return _learnt(empty, 0);
    }

    function _afterBob() internal view returns (bytes memory) {
        return _learnt(_afterAlice(), 1);
    }

    function _recovered() internal view returns (bytes memory) {
        return _learnt(_afterBob(), 3);
    }

    function _steps() internal view returns (bytes memory) {
        return abi.encodePacked(
            _key(1), keccak256(_afterBob()), _key(2), bytes32(0), _key(3), keccak256(_recovered())
        );
    }

    function _propose(address account) internal returns (uint256) {
        vm.prank(account);
        return recovery.propose{value: BOND}(0, 1);
    }

    function _extend(uint256 id, bytes memory steps) internal {
        address proposer = recovery.proposalOf(id).proposer;
        vm.prank(proposer);
        recovery.extend(id, steps);
    }

    function _proposeAll(address account) internal returns (uint256 id) {
        id = _propose(account);
        _extend(id, _steps());
    }

    function _page(bytes memory steps) internal view returns (PageData memory) {
        return PageData(0, keccak256(_afterAlice()), steps);
    }

    /// @dev Steps with one bit of one word changed.
    function _spoil(bytes memory steps, uint256 word) internal pure returns (bytes memory spoilt) {
        spoilt = bytes.concat(steps);
        spoilt[32 * word] = ~spoilt[32 * word];
    }

    function _excluded() internal pure returns (uint256[] memory nonces) {
        nonces = new uint256[](1);
        nonces[0] = 2;
    }

    function _finish(uint256 id) internal {
        recovery.finish(id, _excluded(), _recovered());
    }

    /// @dev Makes bob a validated contributor.
    function _validate() internal {
        _add(BOB, hex"0003", 0);
        _pass(1 days);
        Logged memory one = log[4];
        vm.prank(BOB);
        trainer.refund(one.features, one.label, one.time, one.nonce);
    }

    function _refute(uint256 id) internal {
        bytes memory state = _afterAlice();
        PageData memory page = _page(_spoil(_steps(), 1));
        vm.prank(WENDY);
        recovery.challenge(id, page, 0, state, log[1]);
    }

    function _expect(bytes memory fault) internal {
        vm.expectRevert(fault);
    }

    function _expectUint(bytes4 fault, uint256 value) internal {
        _expect(abi.encodeWithSelector(fault, value));
    }

    function _expectUints(bytes4 fault, uint256 one, uint256 two) internal {
        _expect(abi.encodeWithSelector(fault, one, two));
    }

    function _expectHashes(bytes4 fault, bytes32 expected, bytes32 actual) internal {
        _expect(abi.encodeWithSelector(fault, expected, actual));
    }
}
