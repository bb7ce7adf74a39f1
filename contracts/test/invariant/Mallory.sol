// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Opening, Result} from "../../src/interfaces/TrainingTypes.sol";
import {ACTORS, GhostTask, MALLORY_INDEX, Trees} from "./Ghost.sol";
import {World} from "./World.sol";

/// @notice Calls that must be refused whatever the state is.
abstract contract Mallory is World {
    function mallory(uint256 seed) external verb(seed) {
        ++successes["mallory"];
        (uint256 t, uint256 a) = (touched = _roll(tasks.length), _roll(ACTORS));
        uint256 attack = _roll(4);
        if (attack == 0) _attackRegistry(tasks[t].id, actors[a]);
        else if (attack == 1) _attackOwners(t);
        else if (attack == 2) _forgeProofs(t, a);
        else _copy(t, a);
    }

    function _mustFail(address caller, address target, bytes memory data, string memory name)
        private
    {
        vm.prank(caller);
        (bool accepted,) = target.call(data);
        _breach(accepted, name);
    }

    function _attackRegistry(bytes32 id, address victim) private {
        address target = address(registry);
        bytes memory data = abi.encodeCall(registry.bond, (id, victim, 1));
        _mustFail(MALLORY, target, data, "mallory bonded somebody's stake");
        data = abi.encodeCall(registry.pullAndBond, (id, victim, 1));
        _mustFail(MALLORY, target, data, "mallory pulled somebody's tokens");
        data = abi.encodeCall(registry.unbond, (id, victim));
        _mustFail(MALLORY, target, data, "mallory unbonded somebody");
        data = abi.encodeCall(registry.slash, (id, victim, 1));
        _mustFail(MALLORY, target, data, "mallory slashed somebody");
        data = abi.encodeCall(registry.release, (MALLORY, id, victim));
        _mustFail(MALLORY, target, data, "mallory released a bond that is not there");
        data = abi.encodeCall(registry.withdraw, (free[MALLORY_INDEX] + 1));
        _mustFail(MALLORY, target, data, "mallory withdrew more than is hers");
    }

    function _attackOwners(uint256 t) private {
        bytes32 id = tasks[t].id;
        bytes memory data = abi.encodeCall(registry.enableLocker, (MALLORY));
        _mustFail(MALLORY, address(registry), data, "mallory enabled a locker");
        data = abi.encodeCall(training.enableToken, (address(registry)));
        _mustFail(MALLORY, address(training), data, "mallory enabled a token");
        data = abi.encodeCall(models.enablePublisher, (MALLORY));
        _mustFail(MALLORY, address(models), data, "mallory enabled a publisher");
        data = abi.encodeCall(models.publish, (id, 1, "model", "root", "record"));
        _mustFail(MALLORY, address(models), data, "mallory published a model");
        data = abi.encodeCall(models.rollBack, (id, 1));
        _mustFail(MALLORY, address(models), data, "mallory rolled a model back");
        data = abi.encodeCall(training.rollBack, (id, 1));
        _mustFail(MALLORY, address(training), data, "mallory rolled a task back");
        if (!tasks[t].isRefunded) return;
        data = abi.encodeCall(training.refund, (id));
        _mustFail(MALLORY, address(training), data, "a task was refunded twice");
    }

    /// @dev A leaf nobody attested to, and a good leaf in a task that it is not from.
    function _forgeProofs(uint256 t, uint256 a) private {
        GhostTask storage g = tasks[t];
        bytes32[] memory proof = Trees.proof(_leaves(t, g.owed), a);
        uint256 more = g.owed[a] + 1;
        bytes memory data = abi.encodeCall(training.claim, (g.id, actors[a], more, proof));
        _mustFail(MALLORY, address(training), data, "a forged payout was paid");
        bytes32 other = tasks[(t + 1) % tasks.length].id;
        if (other != g.id) {
            data = abi.encodeCall(training.claim, (other, actors[a], g.owed[a], proof));
            _mustFail(MALLORY, address(training), data, "a payout was paid by another task");
        }
        proof = Trees.proof(_leaves(t, g.strikes), a);
        data = abi.encodeCall(training.sanction, (g.id, actors[a], g.strikes[a] + 1, proof));
        _mustFail(MALLORY, address(training), data, "a forged sanction was carried out");
        data = abi.encodeCall(training.claim, (g.id, actors[a], 1, new bytes32[](0)));
        _mustFail(MALLORY, address(training), data, "a payout was paid without a proof");
    }

    /// @dev What others said in this round, said again in mallory's name.
    function _copy(uint256 t, uint256 a) private {
        uint256 round = _roundOf(t);
        _as(t);
        Opening memory opening = _opening(keys[a], round);
        bytes memory data = abi.encodeCall(training.reveal, (taskId, round, opening));
        if (a != MALLORY_INDEX) {
            _mustFail(MALLORY, address(training), data, "mallory revealed another's update");
        }
        (bytes32 scores, bytes32 salt) = _scores(keys[a], round);
        data = abi.encodeCall(training.revealScores, (taskId, round, scores, salt));
        _mustFail(MALLORY, address(training), data, "mallory revealed another's scores");
        Result memory result = tasks[t].proposal;
        data = abi.encodeCall(training.attest, (taskId, round, result));
        _mustFail(MALLORY, address(training), data, "mallory attested");
        if (round == 0) return;
        data = abi.encodeCall(training.commit, (taskId, round - 1, keccak256("commitment")));
        _mustFail(actors[a], address(training), data, "a commitment to a past round was accepted");
    }
}
