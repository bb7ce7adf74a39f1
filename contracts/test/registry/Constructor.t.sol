// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Registry} from "../../src/Registry.sol";
import {IRegistry} from "../../src/interfaces/IRegistry.sol";
import {RegistryTest} from "./RegistryTest.sol";

interface VmNonce {
    function getNonce(address account) external view returns (uint64);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
}

contract RegistryConstructorTest is RegistryTest {
    function _expectBad(bytes32 name) private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryBadParameter.selector, name));
    }

    function test_a_staking_token_without_code_is_refused() external {
        _expectBad("stakingToken");
        new Registry(MALLORY, TREASURY, BOND_DELAY, OWNER);
    }

    function test_no_treasury_is_refused() external {
        _expectBad("treasury");
        new Registry(address(token), address(0), BOND_DELAY, OWNER);
    }

    function test_a_registry_that_is_its_own_treasury_is_refused() external {
        VmNonce nonces = VmNonce(address(vm));
        uint256 nonce = nonces.getNonce(address(this));
        address itself = nonces.computeCreateAddress(address(this), nonce);
        _expectBad("treasury");
        new Registry(address(token), itself, BOND_DELAY, OWNER);
    }

    function test_a_bond_delay_of_more_than_a_year_is_refused() external {
        _expectBad("bondDelay");
        new Registry(address(token), TREASURY, 365 days + 1, OWNER);
    }

    function test_the_parameters_are_kept_and_nobody_has_anything_yet() external {
        registry = new Registry(address(token), TREASURY, 365 days, OWNER);
        vm.assertEq(registry.stakingToken(), address(token));
        vm.assertEq(registry.treasury(), TREASURY);
        vm.assertEq(registry.bondDelay(), 365 days);
        vm.assertEq(registry.owner(), OWNER);
        vm.assertFalse(registry.isLocker(LOCKER));
        vm.assertEq(registry.freeOf(ALICE), 0);
        vm.assertEq(registry.nonceOf(ALICE), 0);
        vm.assertEq(registry.rolesOf(ALICE), 0);
        _expectBond(TASK, ALICE, 0, 0);
    }

    function test_the_domain_is_that_of_the_specification() external view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Ostrom Registry"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        vm.assertEq(registry.domainSeparator(), domain);
    }
}
