// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositTest} from "../deposit/DepositTest.sol";
import {Given} from "../TrainerTest.sol";

/// @notice A trainer whose model can be seen to change: teaching moves the bias only.
abstract contract VersionsTest is DepositTest {
    /// @dev Adds to the bias, so that the model says 1 to everything (or 0 if negative).
    function _teach(address from, int16 change) internal returns (Given memory) {
        return _add(from, abi.encodePacked(uint8(1), uint16(0), change), 65_535);
    }

    function _label() internal view returns (uint256) {
        return model.predict("");
    }
}
