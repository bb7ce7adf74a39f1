// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Points} from "../../../src/onchain/Points.sol";
import {Versions} from "../../../src/onchain/Versions.sol";
import {IPoints} from "../../../src/onchain/interfaces/IPoints.sol";
import {Given} from "../TrainerTest.sol";
import {ACTORS, World} from "./World.sol";

/// @notice As DepositHandler, for points.
contract PointsHandler is World {
    struct Expected {
        uint256 points;
        uint256 diverse;
        uint256 labels;
        uint64 sketch;
        uint256 lastDay;
        uint256 streak;
        uint256 bestStreak;
    }

    Points private _trainer;
    Expected[ACTORS] private _expected;
    address[] private _order;
    uint256 private _pointsAll;
    uint256 private _validatedCount;
    uint256 private _reportedCount;

    function start() external {
        setUp();
        _meet();
        model = _makeModel(16, 2);
        vm.prank(OWNER);
        _trainer = new Points(model, 0);
        _bind(address(_trainer));
        for (uint256 i; i < 3; ++i) {
            _add(i);
        }
    }

    function _versions() internal view override returns (Versions) {
        return _trainer;
    }

    // Verbs

    function warp(uint256 seed) external verb(seed) {
        clock += _roll(3) == 0 ? 1 days : _roll(3 hours);
        vm.warp(clock);
        ++successes["warp"];
    }

    function add(uint256 seed) external verb(seed) {
        _add(_roll(ACTORS));
    }

    function _add(uint256 actor) private {
        (bytes memory features, uint256 label) = _data(actor);
        vm.prank(actors[actor]);
        uint256 nonce = _trainer.add(features, label);
        ++successes["add"];
        _breach(nonce != ghosts.length, "a nonce out of order");
        Given memory one = Given(features, label, clock, actors[actor], nonce);
        (,, uint256 memo) = _trainer.recordOf(_keyOf(one));
        _noteAdded(actors[actor], features, label, 1, uint64(memo));
    }

    function validate(uint256 seed) external verb(seed) {
        Ghost storage g = _pick();
        bool isLegal = g.isOpen && clock >= g.given.time + 1 days && _isAgreed(g);
        vm.prank(actors[_roll(ACTORS)]);
        bool done = _call(_trainer.validate.selector, g.given);
        _breach(done != isLegal, "validated against the rules, or refused");
        if (!done) return;
        ++successes["validate"];
        _close(g);
        ++_validatedCount;
        _note(_indexOf(g.given.contributor), g.given);
    }

    function _note(uint256 actor, Given storage given) private {
        Expected storage e = _expected[actor];
        if (validated[actor] == 0) _order.push(given.contributor);
        ++validated[actor];
        ++validatedAll;
        uint64 sketch = given.label < 32 ? model.sketch(given.features) : e.sketch;
        uint256 bits;
        for (uint256 i; i < 64; ++i) {
            bits += ((sketch >> i) ^ (e.sketch >> i)) & 1;
        }
        e.sketch = sketch;
        e.points += bits < 8 ? 10 : 20;
        _pointsAll += bits < 8 ? 10 : 20;
        if (bits >= 8) ++e.diverse;
        if (given.label < 32) e.labels |= 1 << given.label;
        uint256 day = given.time / 1 days;
        if (day > e.lastDay + 1) e.streak = 1;
        else if (day == e.lastDay + 1) ++e.streak;
        else if (day == e.lastDay && e.streak == 0) e.streak = 1;
        if (day > e.lastDay) e.lastDay = day;
        if (e.streak > e.bestStreak) e.bestStreak = e.streak;
    }

    function report(uint256 seed) external verb(seed) {
        Ghost storage g = _pick();
        uint256 actor = _roll(ACTORS);
        bool isLegal = g.isOpen && clock >= g.given.time + 1 days && !_isAgreed(g)
            && actors[actor] != g.given.contributor && validated[actor] != 0;
        vm.prank(actors[actor]);
        bool done = _call(_trainer.report.selector, g.given);
        _breach(done != isLegal, "a report against the rules, or refused");
        if (!done) return;
        ++successes["report"];
        _close(g);
        ++_reportedCount;
        _expected[actor].points += 5;
        _pointsAll += 5;
        _expected[_indexOf(g.given.contributor)].streak = 0;
    }

    /// @dev A contribution that was never made: one argument is another.
    function forge(uint256 seed) external verb(seed) {
        Given memory one = _pick().given;
        uint256 choice = _roll(4);
        if (choice == 0) one.features = abi.encodePacked(one.features, uint16(15));
        if (choice == 1) one.label ^= 1;
        if (choice == 2) one.time -= 1 + _roll(1 weeks);
        if (choice == 3) one.contributor = address(this);
        _breach(_call(_trainer.validate.selector, one), "points for what was never given");
        ++successes["forge"];
    }

    function _close(Ghost storage g) private {
        _breach(!g.isOpen, "a contribution was judged twice");
        (g.isOpen, g.left) = (false, 0);
    }

    function _call(bytes4 selector, Given memory one) private returns (bool done) {
        (done,) = address(_trainer)
            .call(
                abi.encodeWithSelector(
                    selector, one.features, one.label, one.time, one.contributor, one.nonce
                )
            );
    }

    // Laws

    function checkTouched() external view {
        Ghost storage g = ghosts[touched];
        (uint256 claimable, uint256 initial, uint256 memo) = _trainer.recordOf(_keyOf(g.given));
        vm.assertEq(claimable, g.left, "what is open");
        vm.assertEq(initial, g.left, "the mark");
        vm.assertEq(memo, g.isOpen ? g.memo : 0, "a memo");
        (, uint256 count, uint256 all) = _trainer.totals();
        vm.assertEq(count, ghosts.length, "the count");
        vm.assertEq(all, validatedAll, "all validated");
        vm.assertEq(address(_trainer).balance, 0, "money in a game");
    }

    function checkAccounts() external view {
        uint256 sum;
        for (uint256 i; i < ACTORS; ++i) {
            IPoints.Account memory account = _trainer.accountOf(actors[i]);
            Expected storage e = _expected[i];
            sum += account.points;
            vm.assertEq(account.points, e.points, "points");
            vm.assertEq(account.validated, validated[i], "validated");
            vm.assertEq(account.diverse, e.diverse, "diverse");
            vm.assertEq(account.labels, e.labels, "labels");
            vm.assertEq(account.sketch, e.sketch, "the sketch");
            vm.assertEq(account.lastDay, e.lastDay, "the last day");
            vm.assertEq(account.streak, e.streak, "the streak");
            vm.assertEq(account.bestStreak, e.bestStreak, "the best streak");
        }
        vm.assertEq(sum, _pointsAll, "the sum of points");
        vm.assertLe(sum, 20 * _validatedCount + 5 * _reportedCount, "points out of nothing");
    }

    function checkLeaderboard() external view {
        IPoints.Standing[] memory page = _trainer.leaderboard(0, ACTORS + 1);
        vm.assertEq(page.length, _order.length, "the leaderboard's length");
        for (uint256 i; i < page.length; ++i) {
            vm.assertEq(page[i].account, _order[i]);
            vm.assertEq(page[i].points, _expected[_indexOf(_order[i])].points, "standings");
        }
    }
}
