// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ModelRegistry} from "../src/ModelRegistry.sol";
import {Registry} from "../src/Registry.sol";
import {Token} from "../src/Token.sol";
import {Training} from "../src/Training.sol";
import {
    Join,
    Opening,
    Permit,
    Result,
    SignedCommit,
    SignedJoin,
    TaskParams,
    TrainerOpening
} from "../src/interfaces/TrainingTypes.sol";
import {Hashes} from "../src/libraries/Hashes.sol";
import {Vm} from "./Vm.sol";

/// @notice Everything deployed, a task with named members, and what members do off-chain.
abstract contract Base {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    uint256 internal constant POOL = 1_000_000 ether;
    uint256 internal constant STAKE = 100 ether;
    uint256 internal constant BOND_DELAY = 7 days;

    address internal immutable OWNER = vm.addr(uint256(keccak256("owner")));
    address internal immutable SPONSOR = vm.addr(uint256(keccak256("sponsor")));
    address internal immutable TREASURY = vm.addr(uint256(keccak256("treasury")));
    address internal immutable MALLORY = vm.addr(uint256(keccak256("mallory")));

    Token internal token;
    Registry internal registry;
    ModelRegistry internal models;
    Training internal training;
    /// Private keys; validators are sorted by address.
    uint256[] internal trainers;
    uint256[] internal validators;
    bytes32 internal taskId;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        token = new Token(address(this), 1_000_000_000 ether);
        registry = new Registry(address(token), TREASURY, BOND_DELAY, OWNER);
        models = new ModelRegistry(OWNER);
        training = new Training(registry, models, OWNER);
        vm.startPrank(OWNER);
        registry.enableLocker(address(training));
        models.enablePublisher(address(training));
        training.enableToken(address(token));
        vm.stopPrank();
    }

    // Building a task

    function _params(uint32 rounds, uint32 maxTrainers)
        internal
        view
        returns (TaskParams memory params)
    {
        params.sponsor = SPONSOR;
        params.token = address(token);
        params.pool = POOL;
        params.trainerStake = STAKE;
        params.validatorStake = STAKE;
        (params.rounds, params.maxTrainers, params.quorumBps) = (rounds, maxTrainers, 6_667);
        (params.joinTime, params.commitTime, params.revealTime) = (1 hours, 1 hours, 1 hours);
        (params.scoreTime, params.scoreRevealTime, params.attestTime) = (1 hours, 1 hours, 1 hours);
        params.validators = new address[](validators.length);
        for (uint256 i; i < validators.length; ++i) {
            params.validators[i] = vm.addr(validators[i]);
        }
        (params.spec, params.model, params.modelRoot) = ("spec", "model", "modelRoot");
    }

    function _makeMembers(uint256 trainerCount, uint256 validatorCount) internal {
        for (uint256 i; i < trainerCount; ++i) {
            trainers.push(uint256(keccak256(abi.encode("trainer", i))));
        }
        for (uint256 i; i < validatorCount; ++i) {
            uint256 key = uint256(keccak256(abi.encode("validator", i)));
            validators.push(key);
            for (uint256 j = i; j > 0 && vm.addr(validators[j - 1]) > vm.addr(key); --j) {
                (validators[j], validators[j - 1]) = (validators[j - 1], key);
            }
        }
    }

    function _createTask(TaskParams memory params) internal {
        token.transfer(SPONSOR, params.pool);
        vm.startPrank(SPONSOR);
        token.approve(address(training), params.pool);
        taskId = training.createTask(params);
        vm.stopPrank();
    }

    /// @dev A task in which everybody has joined, so that it is in its first Commit phase.
    function _startTask(uint32 rounds, uint256 trainerCount, uint256 validatorCount) internal {
        _makeMembers(trainerCount, validatorCount);
        _createTask(_params(rounds, uint32(trainerCount)));
        for (uint256 i; i < trainerCount; ++i) {
            _join(vm.addr(trainers[i]), 1);
        }
        for (uint256 i; i < validatorCount; ++i) {
            _join(vm.addr(validators[i]), 2);
        }
    }

    function _fund(address account, uint8 roles) internal {
        token.approve(address(registry), STAKE);
        registry.depositFor(account, STAKE);
        vm.prank(account);
        registry.register(roles, 0);
    }

    function _join(address account, uint8 role) internal {
        _fund(account, role);
        vm.prank(account);
        training.join(taskId, role, STAKE);
    }

    // What members make off-chain

    function _typed(bytes32 domain, bytes32 message) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", domain, message));
    }

    function _signCompact(uint256 key, bytes32 digest)
        internal
        pure
        returns (bytes32 r, bytes32 vs)
    {
        (uint8 v, bytes32 r_, bytes32 s) = vm.sign(key, digest);
        return (r_, bytes32(uint256(s) | (uint256(v - 27) << 255)));
    }

    function _opening(uint256 key, uint256 round) internal pure returns (Opening memory) {
        bytes32 seed = keccak256(abi.encode(key, round));
        return Opening({
            update: keccak256(abi.encode(seed, "update")),
            chunkRoot: keccak256(abi.encode(seed, "chunkRoot")),
            samples: uint64(uint256(seed) % 60_000),
            salt: keccak256(abi.encode(seed, "salt"))
        });
    }

    function _commitment(uint256 key, uint256 round) internal view returns (bytes32) {
        Opening memory o = _opening(key, round);
        return keccak256(
            abi.encode(taskId, round, vm.addr(key), o.update, o.chunkRoot, o.samples, o.salt)
        );
    }

    function _signedCommit(uint256 key, uint256 round)
        internal
        view
        returns (SignedCommit memory entry)
    {
        entry.commitment = _commitment(key, round);
        bytes32 message =
            keccak256(abi.encode(Hashes.COMMIT_TYPEHASH, taskId, round, entry.commitment));
        (entry.r, entry.vs) = _signCompact(key, _typed(training.domainSeparator(), message));
    }

    function _signedCommits(uint256 round) internal view returns (SignedCommit[] memory batch) {
        batch = new SignedCommit[](trainers.length);
        for (uint256 i; i < batch.length; ++i) {
            batch[i] = _signedCommit(trainers[i], round);
        }
    }

    function _openings(uint256 round) internal view returns (TrainerOpening[] memory batch) {
        batch = new TrainerOpening[](trainers.length);
        for (uint256 i; i < batch.length; ++i) {
            batch[i] = TrainerOpening(vm.addr(trainers[i]), _opening(trainers[i], round));
        }
    }

    function _signedJoin(uint256 key, uint8 role, uint256 deadline)
        internal
        view
        returns (SignedJoin memory out)
    {
        address account = vm.addr(key);
        out.join = Join(account, role, STAKE, deadline);
        bytes32 message =
            keccak256(abi.encode(Hashes.JOIN_TYPEHASH, taskId, account, role, STAKE, deadline));
        (out.r, out.vs) = _signCompact(key, _typed(training.domainSeparator(), message));
        out.permit = _permit(key, STAKE, deadline);
    }

    function _permit(uint256 key, uint256 value, uint256 deadline)
        internal
        view
        returns (Permit memory out)
    {
        address account = vm.addr(key);
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                account,
                address(registry),
                value,
                token.nonces(account),
                deadline
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _typed(token.DOMAIN_SEPARATOR(), message));
        return Permit(value, deadline, v, r, s);
    }

    function _scores(uint256 key, uint256 round)
        internal
        pure
        returns (bytes32 scores, bytes32 salt)
    {
        return (
            keccak256(abi.encode(key, round, "scores")), keccak256(abi.encode(key, round, "salt"))
        );
    }

    function _scoreCommitment(uint256 key, uint256 round) internal view returns (bytes32) {
        (bytes32 scores, bytes32 salt) = _scores(key, round);
        return keccak256(abi.encode(taskId, round, vm.addr(key), scores, salt));
    }

    /// @dev A result whose trees have one leaf each, so that proofs are empty.
    function _result(uint256 round, address earner, uint256 cumulative, uint256 paid)
        internal
        view
        returns (Result memory result)
    {
        result.model = keccak256(abi.encode("model", round));
        result.modelRoot = keccak256(abi.encode("modelRoot", round));
        result.record = keccak256(abi.encode("record", round));
        result.payouts = _leaf(earner, cumulative);
        result.paid = paid;
    }

    function _leaf(address account, uint256 amount) internal view returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(taskId, account, amount))));
    }

    // Playing phases

    function _playCommit(uint256 round) internal {
        training.commitBatch(taskId, round, _signedCommits(round));
    }

    function _playReveal(uint256 round) internal {
        training.revealBatch(taskId, round, _openings(round));
    }

    function _playScores(uint256 round) internal {
        for (uint256 i; i < validators.length; ++i) {
            _commitScores(validators[i], round);
        }
        for (uint256 i; i < validators.length; ++i) {
            _revealScores(validators[i], round);
        }
    }

    function _commitScores(uint256 key, uint256 round) internal {
        bytes32 commitment = _scoreCommitment(key, round);
        vm.prank(vm.addr(key));
        training.commitScores(taskId, round, commitment);
    }

    function _revealScores(uint256 key, uint256 round) internal {
        (bytes32 scores, bytes32 salt) = _scores(key, round);
        vm.prank(vm.addr(key));
        training.revealScores(taskId, round, scores, salt);
    }

    function _attest(uint256 key, uint256 round, Result memory result) internal {
        vm.prank(vm.addr(key));
        training.attest(taskId, round, result);
    }

    /// @dev Attests until there is a quorum.
    function _playAttest(uint256 round, Result memory result) internal {
        uint256 needed = validators.length * 6_667 / 10_000 + 1;
        for (uint256 i; i < needed; ++i) {
            _attest(validators[i], round, result);
        }
    }

    function _playRound(uint256 round, Result memory result) internal {
        _playCommit(round);
        _playReveal(round);
        _playScores(round);
        _playAttest(round, result);
    }
}
