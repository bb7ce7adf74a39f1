// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Versions} from "../../../src/onchain/Versions.sol";
import {Given, TrainerTest} from "../TrainerTest.sol";

uint256 constant ACTORS = 6;

/// @notice A ledger of our own, made of the calls that succeeded, beside a trainer's: what was
/// given, what the model knows, time, chance and the rules that were broken.
abstract contract World is TrainerTest {
    struct Ghost {
        Given given;
        uint64 memo;
        uint256 initial;
        uint256 left;
        bool isOpen;
        mapping(uint256 actor => bool) hasReported;
    }

    Ghost[] internal ghosts;
    address[ACTORS] internal actors;
    uint256[ACTORS] internal validated;
    uint256 internal validatedAll;
    /// The contribution that the call was about.
    uint256 internal touched;
    uint256 internal clock = START;
    bool[] internal isLearnt;
    bool[][] internal learntAt;
    bytes32[] internal states;

    mapping(string verb => uint256) public successes;
    string public breach;

    uint256 private _seed;

    modifier verb(uint256 seed) {
        _seed = seed;
        clock += _roll(3) * _roll(2 hours);
        vm.warp(clock);
        _;
    }

    function _roll(uint256 sides) internal returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % sides;
    }

    function _breach(bool wrong, string memory name) internal {
        if (wrong && bytes(breach).length == 0) breach = name;
    }

    function _meet() internal {
        actors = [ALICE, BOB, CAROL, MALLORY, OWNER, address(0x1005)];
        for (uint256 i; i < ACTORS; ++i) {
            money.deal(actors[i], RICHES);
        }
    }

    /// @dev Features 0 to 7 speak for label 0, the others for label 1, but the last three actors
    /// lie often. A sixth are updates.
    function _data(uint256 actor) internal returns (bytes memory features, uint256 label) {
        if (_roll(6) == 0) {
            int16 change = int16(int256(_roll(9))) - 4;
            return (abi.encodePacked(uint8(1), uint16(_roll(17)), change), 65_535);
        }
        label = _roll(2);
        uint16 first = uint16(label * 8 + _roll(6));
        features = abi.encodePacked(first, first + 1, first + 2);
        if (actor > 2 && _roll(2) == 0) label = 1 - label;
    }

    function _noteAdded(
        address from,
        bytes memory features,
        uint256 label,
        uint256 deposit,
        uint64 memo
    ) internal {
        uint256 nonce = ghosts.length;
        Ghost storage g = ghosts.push();
        g.given = Given(features, label, clock, from, nonce);
        (g.memo, g.initial, g.left, g.isOpen) = (memo, deposit, deposit, true);
        isLearnt.push(true);
        touched = nonce;
    }

    /// @dev The model's word, with the memo if our ledger says that it knows the contribution.
    function _isAgreed(Ghost storage g) internal view returns (bool) {
        uint64 memo = isLearnt[g.given.nonce] ? g.memo : 0;
        return model.agrees(g.given.features, g.given.label, memo);
    }

    function _pick() internal returns (Ghost storage) {
        touched = _roll(ghosts.length);
        return ghosts[touched];
    }

    function _indexOf(address account) internal view returns (uint256 index) {
        while (actors[index] != account) ++index;
    }

    // Versions, the same for all trainers

    function _versions() internal view virtual returns (Versions);

    function checkpoint(uint256 seed) external verb(seed) {
        if (learntAt.length == 5) return;
        _versions().checkpoint();
        learntAt.push(isLearnt);
        states.push(keccak256(model.state()));
        ++successes["checkpoint"];
    }

    function rollBack(uint256 seed) external verb(seed) {
        if (_roll(4) != 0) return;
        uint256 index = _roll(6);
        vm.prank(OWNER);
        try _versions().rollBack(index) {
            ++successes["rollBack"];
            _noteRollBack(index);
        } catch {
            _breach(index < learntAt.length, "the deployer could not roll back");
        }
    }

    function _noteRollBack(uint256 index) internal {
        for (uint256 i; i < isLearnt.length; ++i) {
            isLearnt[i] = i < learntAt[index].length && learntAt[index][i];
        }
        _breach(keccak256(model.state()) != states[index], "a roll-back led to another state");
    }

    function vote(uint256 seed) external verb(seed) {
        uint256 actor = _roll(ACTORS);
        uint256 index = _roll(6);
        uint256 epoch = _versions().epoch();
        vm.prank(actors[actor]);
        try _versions().vote(index) {
            ++successes["vote"];
            _breach(validated[actor] == 0, "a vote without weight");
            if (_versions().epoch() != epoch) _noteRollBack(index);
            else _breach(2 * validated[actor] > validatedAll, "a majority without effect");
        } catch {
            _breach(validated[actor] != 0 && index < learntAt.length, "a vote was refused");
        }
    }

    function checkLineage() external view {
        for (uint256 i; i < isLearnt.length; ++i) {
            vm.assertTrue(_versions().isLearnt(i) == isLearnt[i], "what the model knows");
        }
    }
}
