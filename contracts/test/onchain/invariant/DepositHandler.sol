// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DepositRefundTake} from "../../../src/onchain/DepositRefundTake.sol";
import {Versions} from "../../../src/onchain/Versions.sol";
import {Given} from "../TrainerTest.sol";
import {ACTORS, World} from "./World.sol";

/// @notice What forge calls in any order, and what DepositInvariantsTest asks after every call.
/// Every call says beforehand, from our own ledger, whether it must succeed; it must do so exactly
/// then.
contract DepositHandler is World {
    uint256 private constant BASE = 1_000_003;

    DepositRefundTake private _trainer;
    uint256[ACTORS] private _balances;
    uint256[ACTORS] private _nextReports;
    uint256 private _claimable;
    uint256 private _balanceSum;
    uint256 private _forced;
    uint256 private _lastTime;

    function start() external {
        setUp();
        _meet();
        model = _makeModel(16, 2);
        vm.prank(OWNER);
        _trainer = new DepositRefundTake(model, BASE, 0, 0, 0);
        _bind(address(_trainer));
        for (uint256 i; i < 3; ++i) {
            _add(i, 0);
        }
    }

    function _versions() internal view override returns (Versions) {
        return _trainer;
    }

    // Verbs

    function warp(uint256 seed) external verb(seed) {
        uint256 choice = _roll(12);
        clock += choice == 0 ? 30 days : choice < 6 ? 1 days : _roll(20 minutes);
        vm.warp(clock);
        ++successes["warp"];
    }

    function add(uint256 seed) external verb(seed) {
        _add(_roll(ACTORS), _roll(4));
    }

    /// @dev Kinds: exact; with something on top; out of the balance; too little.
    function _add(uint256 actor, uint256 kind) private {
        uint256 price = _trainer.deposit();
        _breach(price != _price(), "a price is not the rule's");
        uint256 value = price;
        if (kind == 1) value += _roll(price + 1);
        if (kind == 2) value = 0;
        if (kind == 3) value = _roll(price);
        bool isEnough = value + _balances[actor] >= price;
        (bytes memory features, uint256 label) = _data(actor);
        vm.prank(actors[actor]);
        try _trainer.add{value: value}(features, label) returns (uint256 nonce) {
            ++successes["add"];
            _breach(!isEnough, "a contribution without its deposit");
            _breach(nonce != ghosts.length, "a nonce out of order");
            Given memory one = Given(features, label, clock, actors[actor], nonce);
            (,, uint256 memo) = _trainer.recordOf(_keyOf(one));
            _noteAdded(actors[actor], features, label, price, uint64(memo));
            _balances[actor] = _balances[actor] + value - price;
            _balanceSum = _balanceSum + value - price;
            _claimable += price;
            _lastTime = clock;
        } catch {
            _breach(isEnough, "a good contribution was refused");
        }
    }

    function _price() private view returns (uint256) {
        uint256 elapsed = clock - _lastTime;
        if (_lastTime == 0 || elapsed == 0) return BASE;
        uint256 root = elapsed;
        for (uint256 next = elapsed / 2 + 1; next < root; next = (root + elapsed / root) / 2) {
            root = next;
        }
        uint256 price = BASE * 3_600 / root;
        return price == 0 ? 1 : price;
    }

    function refund(uint256 seed) external verb(seed) {
        Ghost storage g = _pick();
        address from = _roll(8) == 0 ? MALLORY : g.given.contributor;
        bool isLegal = g.isOpen && clock >= g.given.time + 1 days && _isAgreed(g)
            && from == g.given.contributor;
        vm.prank(from);
        (bool done, uint256 amount) = _call(
            abi.encodeCall(
                _trainer.refund, (g.given.features, g.given.label, g.given.time, g.given.nonce)
            )
        );
        _breach(done != isLegal, "a refund against the rules, or refused");
        if (!done) return;
        ++successes["refund"];
        _breach(amount != g.left, "a refund of another amount");
        uint256 actor = _indexOf(g.given.contributor);
        ++validated[actor];
        ++validatedAll;
        _pay(g, actor, amount);
    }

    function report(uint256 seed) external verb(seed) {
        Ghost storage g = _pick();
        uint256 actor = _roll(ACTORS);
        bool isLegal = g.isOpen && clock >= g.given.time + 1 days && !_isAgreed(g)
            && actors[actor] != g.given.contributor && validated[actor] != 0
            && g.given.nonce >= _nextReports[actor];
        uint256 share = validatedAll == 0 ? 0 : g.initial * validated[actor] / validatedAll;
        if (share == 0) share = 1;
        if (share > g.left) share = g.left;
        vm.prank(actors[actor]);
        (bool done, uint256 amount) = _call(_about(_trainer.report.selector, g));
        _breach(done != isLegal, "a report against the rules, or refused");
        if (!done) return;
        ++successes["report"];
        _breach(amount != share, "a report took another amount");
        _breach(g.hasReported[actor], "a contribution was reported twice by one account");
        g.hasReported[actor] = true;
        _nextReports[actor] = g.given.nonce + 1;
        _pay(g, actor, amount);
    }

    function clear(uint256 seed) external verb(seed) {
        Ghost storage g = _pick();
        uint256 actor = _roll(2) == 0 ? 4 : _roll(ACTORS);
        bool isOwner = actors[actor] == OWNER && g.given.contributor != OWNER;
        bool isLegal = g.isOpen && clock >= g.given.time + (isOwner ? 30 days : 60 days);
        vm.prank(actors[actor]);
        (bool done, uint256 amount) = _call(_about(_trainer.clear.selector, g));
        _breach(done != isLegal, "cleared against the rules, or refused");
        if (!done) return;
        ++successes["clear"];
        _breach(amount != g.left, "cleared another amount");
        _breach(
            actors[actor] == g.given.contributor && clock < g.given.time + 60 days,
            "somebody cleared his own data early"
        );
        _pay(g, actor, amount);
    }

    function withdraw(uint256 seed) external verb(seed) {
        _withdraw(_roll(ACTORS));
    }

    function _withdraw(uint256 actor) private {
        uint256 before = actors[actor].balance;
        vm.prank(actors[actor]);
        try _trainer.withdraw() returns (uint256 amount) {
            ++successes["withdraw"];
            _breach(amount != _balances[actor], "a withdrawal of another amount");
            _breach(actors[actor].balance != before + amount, "a withdrawal that did not arrive");
            _balanceSum -= amount;
            _balances[actor] = 0;
        } catch {
            _breach(_balances[actor] != 0, "a balance could not be withdrawn");
        }
    }

    /// @dev Money that nobody can refuse, as from a contract that destroys itself.
    function force(uint256 seed) external verb(seed) {
        uint256 amount = _roll(1_000);
        money.deal(address(_trainer), address(_trainer).balance + amount);
        _forced += amount;
        ++successes["force"];
    }

    /// @dev A contribution that was never made: one argument is another.
    function forge(uint256 seed) external verb(seed) {
        Ghost storage g = _pick();
        Given memory one = g.given;
        uint256 choice = _roll(4);
        if (choice == 0) one.features = abi.encodePacked(one.features, uint16(15));
        if (choice == 1) one.label ^= 1;
        if (choice == 2) one.time -= 1 + _roll(1 weeks);
        if (choice == 3) one.nonce += 1 + _roll(9);
        vm.prank(one.contributor);
        (bool done,) =
            _call(abi.encodeCall(_trainer.refund, (one.features, one.label, one.time, one.nonce)));
        _breach(done, "money for what was never given");
        ++successes["forge"];
    }

    function _about(bytes4 selector, Ghost storage g) private view returns (bytes memory) {
        Given memory one = g.given;
        return abi.encodeWithSelector(
            selector, one.features, one.label, one.time, one.contributor, one.nonce
        );
    }

    function _call(bytes memory data) private returns (bool done, uint256 amount) {
        bytes memory result;
        (done, result) = address(_trainer).call(data);
        if (done) amount = abi.decode(result, (uint256));
    }

    function _pay(Ghost storage g, uint256 actor, uint256 amount) private {
        _breach(amount > g.left, "a deposit left twice");
        g.left -= amount;
        g.isOpen = g.left != 0;
        _claimable -= amount;
        _balances[actor] += amount;
        _balanceSum += amount;
    }

    // Laws

    function checkMoney() external view {
        vm.assertEq(address(_trainer).balance, _claimable + _balanceSum + _forced, "the money");
    }

    function checkTouched() external view {
        _checkRecord(touched);
        for (uint256 i; i < ACTORS; ++i) {
            vm.assertEq(_trainer.balanceOf(actors[i]), _balances[i], "a balance");
            vm.assertEq(_trainer.validatedOf(actors[i]), validated[i], "validated");
            vm.assertEq(_trainer.nextReport(actors[i]), _nextReports[i], "the next report");
        }
        (uint256 lastTime, uint256 count, uint256 all) = _trainer.totals();
        vm.assertEq(lastTime, _lastTime, "the last time");
        vm.assertEq(count, ghosts.length, "the count");
        vm.assertEq(all, validatedAll, "all validated");
    }

    function checkRecords() external view {
        for (uint256 i; i < ghosts.length; ++i) {
            _checkRecord(i);
        }
    }

    function _checkRecord(uint256 index) private view {
        Ghost storage g = ghosts[index];
        (uint256 claimable, uint256 initial, uint256 memo) = _trainer.recordOf(_keyOf(g.given));
        vm.assertEq(claimable, g.left, "what is left");
        vm.assertEq(initial, g.isOpen ? g.initial : 0, "a deposit");
        vm.assertEq(memo, g.isOpen ? g.memo : 0, "a memo");
    }

    /// @dev After the last wait somebody clears every record and all withdraw.
    function everyoneExits() external {
        clock += 60 days;
        vm.warp(clock);
        for (uint256 i; i < ghosts.length; ++i) {
            if (!ghosts[i].isOpen) continue;
            vm.prank(CAROL);
            (bool done, uint256 amount) = _call(_about(_trainer.clear.selector, ghosts[i]));
            _breach(!done, "a deposit is stuck");
            if (done) _pay(ghosts[i], 2, amount);
        }
        for (uint256 i; i < ACTORS; ++i) {
            _withdraw(i);
        }
        _breach(address(_trainer).balance != _forced, "something stayed");
    }
}
