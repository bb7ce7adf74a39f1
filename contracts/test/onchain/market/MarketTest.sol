// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Market} from "../../../src/onchain/Market.sol";
import {
    IMarket,
    Item,
    MarketPhase,
    MarketState,
    MarketTerms,
    PointProof,
    SampleProof
} from "../../../src/onchain/interfaces/IMarket.sol";
import {Shape} from "../../../src/onchain/models/Perceptron.sol";
import {SparsePerceptron} from "../../../src/onchain/models/SparsePerceptron.sol";
import {Vm} from "../../Vm.sol";

/// @notice Cheat codes that these tests need besides.
interface VmMarket {
    function deal(address account, uint256 balance) external;
    function setBlockhash(uint256 number, bytes32 hash) external;
}

/// @notice A market whose numbers a hand can follow.
///
/// The model has four words and two classes, and says 0 to everything. A piece of the test set says that
/// words 0 and 1 are of class 1 and words 2 and 3 of class 0. There are three pieces, equal but for
/// their salts, so that it does not matter which is drawn: two count, 8 samples. In a market of
/// alice, bob, mallory and carol each is one party with one contribution:
///
///   contribution        row of class 1 after it      right  wrong of 4   score of 8
///                       b=0   w=( 0, 0, 0, 0)        2 3    2
///   alice   {0,1} is 1  b=1   w=( 1, 1, 0, 0)        0 1    2             0
///   bob     {2,3} is 0  b=0   w=( 1, 1,-1,-1)        all    0            +4
///   mallory {0,1} is 0  b=-1  w=( 0, 0,-1,-1)        2 3    2            -4
///   carol   {0,2} is 1  b=0   w=( 1, 0, 0,-1)        0 2 3  1            +2
/// without mallory
///   carol   {0,2} is 1  b=1   w=( 2, 1, 0,-1)        0 1 3  1            -2
///
/// The bounty is 807: 100 rounds of 8, and 7.
///   stage 0  mallory's 101 pay 25 rounds: alice 10, bob 20+100, mallory 101-100, carol 31+50
///   stage 1  carol's 81 pay 40 rounds: alice 10, bob 120+160, carol 81-80
///   stage 2  nobody loses: the other 35 rounds: alice 10, bob 280+140
/// The rest of the bounty is 807 - 25*2 - 40*2 - 35*4 = 537.
abstract contract MarketTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    VmMarket internal constant vmMarket = VmMarket(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_TEST = true;

    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant START_BLOCK = 1_000;
    uint256 internal constant RICHES = 1_000 ether;
    uint256 internal constant BOUNTY = 807;
    uint256 internal constant BOND = 81;
    uint256 internal constant PIECES = 3;
    address internal constant PROVIDER = address(0x1001);
    address internal constant ALICE = address(0x1002);
    address internal constant BOB = address(0x1003);
    address internal constant MALLORY = address(0x1004);
    address internal constant CAROL = address(0x1005);
    /// @dev Posts claims.
    address internal constant CLARA = address(0x1006);
    /// @dev Watches them.
    address internal constant WENDY = address(0x1007);
    address internal constant NOBODY = address(0xdead);

    SparsePerceptron internal model;
    Market internal market;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(START_BLOCK);
        address[7] memory all = [PROVIDER, ALICE, BOB, MALLORY, CAROL, CLARA, WENDY];
        for (uint256 i; i < all.length; ++i) {
            vmMarket.deal(all[i], RICHES);
        }
        vm.startPrank(PROVIDER);
        model = new SparsePerceptron(_shape(), "vocabulary(cid=test)");
        market = new Market(model);
        model.bind(address(market));
        vm.stopPrank();
    }

    function _shape() internal pure virtual returns (Shape memory) {
        return Shape({classes: 2, features: 4, one: 1, weightBits: 8, averaged: false});
    }

    // The test set

    function _sample(uint256 label, bytes memory x) internal pure returns (bytes memory) {
        return abi.encodePacked(uint16(label), uint16(x.length), x);
    }

    function _samples() internal pure virtual returns (bytes memory) {
        return bytes.concat(
            _sample(1, hex"0000"),
            _sample(1, hex"0001"),
            _sample(0, hex"0002"),
            _sample(0, hex"0003")
        );
    }

    function _salt(uint256 piece) internal pure virtual returns (bytes32) {
        return keccak256(abi.encode("salt", piece));
    }

    function _digest(bytes32 salt, bytes memory samples) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(salt, samples));
    }

    function _pieces() internal pure returns (bytes32[] memory pieces, uint16[] memory counts) {
        (pieces, counts) = (new bytes32[](PIECES), new uint16[](PIECES));
        for (uint256 p; p < PIECES; ++p) {
            (pieces[p], counts[p]) = (_digest(_salt(p), _samples()), 4);
        }
    }

    // What participants know

    /// @dev What contribution `number` of the market above is.
    function _item(uint256 number) internal pure virtual returns (Item memory) {
        if (number == 0) return Item(1, hex"00000001");
        if (number == 1) return Item(0, hex"00020003");
        if (number == 2) return Item(0, hex"00000001");
        return Item(1, hex"00000002");
    }

    // Playing

    function _create(MarketTerms memory terms) internal {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        vm.prank(PROVIDER);
        market.create{value: BOUNTY}(pieces, counts, terms);
    }

    function _create() internal {
        MarketTerms memory terms;
        _create(terms);
    }

    function _pass(uint256 duration) internal {
        vm.warp(_time() + duration);
    }

    /// @dev The compiler takes `block.timestamp` for a constant within a call.
    function _time() internal view returns (uint256) {
        return this.time();
    }

    function time() external view returns (uint256) {
        return block.timestamp;
    }

    function height() external view returns (uint256) {
        return block.number;
    }

    function _draw() internal {
        vm.roll(this.height() + 3);
        market.draw();
    }

    function _reveal(uint256 piece) internal {
        vm.prank(PROVIDER);
        market.reveal(piece, _salt(piece), _samples());
    }

    /// @dev Participation has begun.
    function _open(MarketTerms memory terms) internal {
        _create(terms);
        _draw();
        _reveal(market.market().first);
    }

    function _open() internal {
        MarketTerms memory terms;
        _open(terms);
    }

    function _add(address account, uint256 stake, Item memory item) internal {
        vm.prank(account);
        market.add{value: stake}(item.x, item.label);
    }

    function _addAll() internal {
        _add(ALICE, 10, _item(0));
        _add(BOB, 20, _item(1));
        _add(MALLORY, 101, _item(2));
        _add(CAROL, 31, _item(3));
    }

    function _revealRest() internal {
        uint256 first = market.market().first;
        for (uint256 p; p < PIECES; ++p) {
            if (p != first) _reveal(p);
        }
    }

    /// @dev Claims can be made.
    function _playToClaims() internal {
        _open();
        _addAll();
        _pass(7 days + 1);
        _revealRest();
    }

    // What claimants compute

    /// @dev A stage of the market above in which the parties of `alive` are in, as an honest claimant
    /// computes it.
    function _points(uint256 alive) internal view returns (bytes memory points) {
        bytes memory state = model.state();
        points = _point(state);
        for (uint256 n; n < 4; ++n) {
            if ((alive >> n) & 1 == 0) continue;
            state = _learns(state, _item(n));
            points = bytes.concat(points, _point(state));
        }
    }

    /// @dev The state before the step that follows `point`.
    function _stateAt(uint256 alive, uint256 point) internal view returns (bytes memory state) {
        state = model.state();
        for (uint256 n; point != 0; ++n) {
            if ((alive >> n) & 1 == 0) continue;
            state = _learns(state, _item(n));
            --point;
        }
    }

    function _point(bytes memory state) internal view returns (bytes memory) {
        uint256 bits;
        bytes memory samples = _samples();
        for (uint256 j; j < 4; ++j) {
            bytes memory x = abi.encodePacked(samples[6 * j + 4], samples[6 * j + 5]);
            uint256 label = uint8(samples[6 * j + 1]);
            if (_predicts(state, x) != label) bits |= (1 << j) | (1 << (j + 4));
        }
        return abi.encodePacked(keccak256(state), bits);
    }

    /// @dev What the model refuses gets no label.
    function _predicts(bytes memory state, bytes memory x) private view returns (uint256) {
        try model.predictWith(state, x) returns (uint256 label) {
            return label;
        } catch {
            return type(uint256).max;
        }
    }

    /// @dev What the model refuses changes nothing.
    function _learns(bytes memory state, Item memory item) internal view returns (bytes memory) {
        try model.learnWith(state, item.x, item.label) returns (bytes memory next) {
            return next;
        } catch {
            return state;
        }
    }

    function _claim(bytes memory points) internal returns (uint256) {
        vm.prank(CLARA);
        return market.claim{value: BOND}(points);
    }

    function _balances(uint256 a, uint256 b, uint256 c, uint256 d)
        internal
        pure
        returns (uint256[] memory balances)
    {
        balances = new uint256[](4);
        (balances[0], balances[1], balances[2], balances[3]) = (a, b, c, d);
    }

    function _extend(uint256 id, uint256[] memory balances, bytes memory points) internal {
        vm.prank(CLARA);
        market.extend(id, balances, points);
    }

    function _afterStage0() internal pure returns (uint256[] memory) {
        return _balances(10, 120, 1, 81);
    }

    function _afterStage1() internal pure returns (uint256[] memory) {
        return _balances(10, 280, 1, 1);
    }

    function _afterStage2() internal pure returns (uint256[] memory) {
        return _balances(10, 420, 1, 1);
    }

    /// @dev The whole claim, as it should be.
    function _claimAll() internal returns (uint256 id) {
        id = _claim(_points(15));
        _extend(id, _afterStage0(), _points(11));
        _extend(id, _afterStage1(), _points(3));
    }

    function _playToSettled() internal {
        _playToClaims();
        uint256 id = _claimAll();
        _pass(2 days + 1);
        market.accept(id);
    }

    function _learnAll() internal {
        Item[] memory items = new Item[](2);
        (items[0], items[1]) = (_item(0), _item(1));
        market.learn(items);
    }

    // What challengers say

    function _proof(uint256 stage, uint256 alive, bytes memory points, uint256 point)
        internal
        view
        returns (PointProof memory)
    {
        return PointProof(stage, alive, points, point, _stateAt(alive, point));
    }

    /// @dev A piece that counts: the first of them, or the second.
    function _counted(uint256 rank) internal view returns (uint256 piece) {
        uint256 first = market.market().first;
        piece = rank;
        if (first <= rank) ++piece;
    }

    function _sampleProof(uint256 rank, uint256 index) internal view returns (SampleProof memory) {
        uint256 piece = _counted(rank);
        return SampleProof(piece, _salt(piece), _samples(), index);
    }

    /// @dev Points with one word changed: word 0 of a point is its hash, word 1 its bits.
    function _spoil(bytes memory points, uint256 point, uint256 word, uint256 flip)
        internal
        pure
        returns (bytes memory spoilt)
    {
        spoilt = bytes.concat(points);
        uint256 at = 64 * point + 32 * word + 32;
        assembly ("memory-safe") {
            mstore(add(spoilt, at), xor(mload(add(spoilt, at)), flip))
        }
    }

    // What tests expect

    function _expect(bytes memory fault) internal {
        vm.expectRevert(fault);
    }

    function _expectPhase(MarketPhase wanted, MarketPhase actual) internal {
        _expect(abi.encodeWithSelector(IMarket.MarketWrongPhase.selector, wanted, actual));
    }

    function _expectBad(bytes32 name) internal {
        _expect(abi.encodeWithSelector(IMarket.MarketBadParameter.selector, name));
    }

    function _expectUint(bytes4 fault, uint256 value) internal {
        _expect(abi.encodeWithSelector(fault, value));
    }

    function _expectUints(bytes4 fault, uint256 one, uint256 two) internal {
        _expect(abi.encodeWithSelector(fault, one, two));
    }

    function _assertPhase(MarketPhase phase) internal view {
        vm.assertEq(uint256(market.market().phase), uint256(phase), "the phase");
    }

    function _assertBalance(address account, uint256 amount) internal view {
        vm.assertEq(market.balanceOf(account), amount, "a balance");
    }
}
