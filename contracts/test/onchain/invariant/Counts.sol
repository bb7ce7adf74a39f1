// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @notice Cheat codes that only these tests need.
interface VmMemory {
    function setEnv(string calldata name, string calldata value) external;
    function envOr(string calldata name, uint256 otherwise) external returns (uint256);
    function toString(uint256 value) external pure returns (string memory);
    function assertTrue(bool condition, string calldata message) external pure;
    function assertEq(string calldata left, string calldata right) external pure;
}

struct FuzzSelector {
    address addr;
    bytes4[] selectors;
}

/// @notice Invariants over calls that never succeed say nothing, so every verb must succeed, on
/// average, in every fourth run. A run forgets what the one before did; the environment does not.
abstract contract Counts {
    VmMemory internal constant VM = VmMemory(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;
    uint256 private constant RUNS_BEFORE_JUDGING = 20;

    function _successes(string memory verb) internal view virtual returns (uint256);

    function _countVerbs(string memory group, string[] memory verbs) internal {
        uint256 runs = _add(string.concat("OSTROM_", group, "_RUNS"), 1);
        for (uint256 i; i < verbs.length; ++i) {
            uint256 count = _successes(verbs[i]);
            uint256 total = _add(string.concat("OSTROM_", group, "_", verbs[i]), count);
            if (runs < RUNS_BEFORE_JUDGING) continue;
            VM.assertTrue(4 * total >= runs, string.concat("hardly ever succeeds: ", verbs[i]));
        }
    }

    function _add(string memory name, uint256 count) private returns (uint256 total) {
        total = VM.envOr(name, uint256(0)) + count;
        VM.setEnv(name, VM.toString(total));
    }
}
