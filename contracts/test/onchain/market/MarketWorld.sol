// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ClaimState, Item} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice The actors, a ledger of what the contract must hold, and the market's rule once more.
abstract contract MarketWorld is MarketTest {
    /// @dev A claim as its author meant it. `lieStage` is the stage with the lie; none if it is 255.
    struct Posted {
        uint256 market;
        uint256 lieStage;
        uint256 lieKind;
        uint256 liePoint;
        uint256 alive;
        uint256 rounds;
        uint256 rest;
        uint256[] balances;
        uint256[] aliveOf;
        bytes[] pointsOf;
    }

    uint256 internal constant ACTORS = 8;
    uint256 internal constant TRUE = 255;

    address[ACTORS] internal actors = [PROVIDER, ALICE, BOB, MALLORY, CAROL, CLARA, WENDY, NOBODY];
    Item[] internal items;
    address[] internal parties;
    uint256[] internal partyOf;
    uint256[] internal stakes;
    Posted[] internal posted;

    /// @dev What the contract must hold beside balances: of the market, and as bonds.
    uint256 public heldOfMarket;
    uint256 public heldAsBonds;
    /// @notice The first thing that went wrong, if any: a handler's revert would go unseen.
    string public breach;
    mapping(string verb => uint256) public successes;

    uint256 private _seed;
    uint256 internal _clock;
    uint256 internal _height;

    /// @dev Around every verb. A refused verb reverts, and the ledger with it.
    modifier verb(uint256 seed) {
        _seed = seed;
        vm.warp(_clock);
        vm.roll(_height);
        _;
    }

    function start() external {
        setUp();
        (_clock, _height) = (START, START_BLOCK);
    }

    // Chance

    function _roll(uint256 sides) internal returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % sides;
    }

    function _actor() internal returns (address) {
        return actors[_roll(ACTORS - 1)];
    }

    function _breach(bool wrong, string memory name) internal {
        if (wrong && bytes(breach).length == 0) breach = name;
    }

    // The same, by other means

    /// @dev Contributions of those in, by party and number.
    function _order(uint256 alive) internal view returns (uint256[] memory order) {
        uint256[] memory all = new uint256[](items.length);
        uint256 count;
        for (uint256 p; p < parties.length; ++p) {
            for (uint256 n; n < items.length; ++n) {
                if (partyOf[n] == p && (alive >> p) & 1 == 1) all[count++] = n;
            }
        }
        order = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            order[i] = all[i];
        }
    }

    /// @dev The next stage's points, with a lie in them if this is the stage for it.
    function _stage(Posted storage one) internal returns (bytes memory points) {
        uint256[] memory order = _order(one.alive);
        bytes memory state = model.state();
        points = _point(state);
        for (uint256 i; i < order.length; ++i) {
            state = _learns(state, items[order[i]]);
            points = bytes.concat(points, _point(state));
        }
        if (one.lieStage != one.pointsOf.length) return points;
        uint256 kind = one.lieKind;
        one.liePoint = kind == 0 ? 0 : _roll(kind == 1 ? order.length : order.length + 1);
        return _spoil(points, one.liePoint + (kind == 1 ? 1 : 0), kind == 2 ? 1 : 0, 1);
    }

    /// @dev The rule, one round after the other; the contract must have come to the same.
    function _play(Posted storage one, uint256 id, bytes memory points) internal {
        one.aliveOf.push(one.alive);
        one.pointsOf.push(points);
        uint256[] memory order = _order(one.alive);
        int256[] memory scores = new int256[](parties.length);
        for (uint256 i; i < order.length; ++i) {
            scores[partyOf[order[i]]] += _wrong(points, i) - _wrong(points, i + 1);
        }
        uint256[] memory balances = one.balances;
        while (one.rounds != 0 && _everybodyCanPay(one.alive, balances, scores)) {
            --one.rounds;
            for (uint256 p; p < scores.length; ++p) {
                balances[p] = uint256(int256(balances[p]) + scores[p]);
                one.rest = uint256(int256(one.rest) - scores[p]);
            }
        }
        for (uint256 p; p < scores.length; ++p) {
            if (int256(balances[p]) + scores[p] < 0) one.alive &= ~(1 << p);
        }
        one.balances = balances;
        ClaimState memory claim_ = market.claimOf(id);
        _breach(claim_.balancesHash != keccak256(abi.encode(balances)), "other balances");
        _breach(claim_.alive != one.alive, "others are in");
        _breach(claim_.rounds != one.rounds || claim_.rest != one.rest, "another rest");
    }

    function _everybodyCanPay(uint256 alive, uint256[] memory balances, int256[] memory scores)
        private
        pure
        returns (bool)
    {
        for (uint256 p; p < scores.length; ++p) {
            if ((alive >> p) & 1 == 1 && int256(balances[p]) + scores[p] < 0) return false;
        }
        return true;
    }

    function _wrong(bytes memory points, uint256 point) private pure returns (int256 count) {
        for (uint256 bit; bit < 8; ++bit) {
            if (uint8(points[64 * point + 63]) & (1 << bit) != 0) ++count;
        }
    }

    // Laws

    function _owed() internal view returns (uint256 sum) {
        for (uint256 a; a < ACTORS; ++a) {
            sum += market.balanceOf(actors[a]);
        }
        sum += market.balanceOf(address(this));
    }

    /// @dev To the last wei: what the contract holds is what it owes, the market's money and the bonds.
    function checkMoney() external view {
        vm.assertEq(
            address(market).balance, _owed() + heldOfMarket + heldAsBonds, "the market's money"
        );
    }

    function checkBreach() external view {
        vm.assertTrue(bytes(breach).length == 0, breach);
    }
}
