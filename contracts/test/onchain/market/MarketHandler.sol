// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {
    ClaimState,
    Item,
    MarketPhase,
    MarketState,
    MarketTerms,
    PointProof,
    SampleProof
} from "../../../src/onchain/interfaces/IMarket.sol";
import {MarketWorld} from "./MarketWorld.sol";

/// @notice What forge calls in any order: plausible acts and absurd ones, on time and late.
contract MarketHandler is MarketWorld {
    // Time

    function warp(uint256 seed) external verb(seed) {
        MarketState memory state = market.market();
        _height += 1 + _roll(4);
        if (_roll(20) == 0) _height += 256;
        if (state.phase == MarketPhase.Draw || _roll(4) == 0) _clock += _roll(6 hours);
        else if (state.deadline >= _clock && _roll(3) == 0) _clock = state.deadline + _roll(2);
        else _clock += _roll(1 days);
        ++successes["warp"];
    }

    // The provider

    function create(uint256 seed) public verb(seed) {
        (bytes32[] memory pieces, uint16[] memory counts) = _pieces();
        MarketTerms memory terms;
        terms.grouped = _roll(2) == 0;
        terms.contributionsMax = uint16(1 + _roll(6));
        terms.bond = uint96(1 + _roll(100));
        uint256 bounty = 12 + _roll(2_000);
        vm.prank(_roll(8) == 0 ? _actor() : PROVIDER);
        market.create{value: bounty}(pieces, counts, terms);
        _breach(heldOfMarket != 0, "a market began before the last was paid");
        heldOfMarket = bounty;
        delete items;
        delete parties;
        delete partyOf;
        delete stakes;
        ++successes["create"];
    }

    function draw(uint256 seed) public verb(seed) {
        if (_roll(4) != 0) {
            _height += 3;
            vm.roll(_height);
        }
        vm.prank(_actor());
        market.draw();
        ++successes["draw"];
    }

    function reveal(uint256 seed) public verb(seed) {
        MarketState memory state = market.market();
        uint256 piece = _roll(PIECES);
        if (_roll(8) != 0) {
            piece = state.first;
            while (state.phase == MarketPhase.Reveal && (state.revealed >> piece) & 1 == 1) {
                piece = (piece + 1) % PIECES;
            }
        }
        vm.prank(_roll(8) == 0 ? _actor() : PROVIDER);
        market.reveal(piece, _salt(_roll(8) == 0 ? 0 : piece), _samples());
        ++successes["reveal"];
    }

    function cancel(uint256 seed) public verb(seed) {
        MarketState memory state = market.market();
        vm.prank(_actor());
        market.cancel();
        _breach(state.contributions != 0, "a market with contributions was cancelled");
        heldOfMarket = 0;
        ++successes["cancel"];
    }

    // Participants

    function add(uint256 seed) public verb(seed) {
        Item memory item = Item(_roll(2), abi.encodePacked(uint16(_roll(2)), uint16(2 + _roll(2))));
        if (_roll(6) == 0) item.x = hex"00090009";
        if (_roll(6) == 0) item.label = _roll(2) == 0 ? 65_535 : 7;
        uint256 stake = _roll(8) == 0 ? 0 : 1 + _roll(300);
        address account = actors[1 + _roll(4)];
        vm.prank(account);
        market.add{value: stake}(item.x, item.label);
        heldOfMarket += stake;
        items.push(item);
        uint256 party = parties.length;
        if (market.terms().grouped) {
            for (uint256 p; p < parties.length; ++p) {
                if (parties[p] == account) party = p;
            }
        }
        if (party == parties.length) {
            parties.push(account);
            stakes.push(0);
        }
        stakes[party] += stake;
        partyOf.push(party);
        ++successes["add"];
    }

    // Claims

    function claim(uint256 seed) public verb(seed) {
        MarketState memory state = market.market();
        Posted storage one = posted.push();
        one.market = state.number;
        one.lieStage = _roll(2) == 0 ? TRUE : _roll(2);
        one.lieKind = _roll(3);
        one.alive = (1 << parties.length) - 1;
        one.rounds = state.bounty / state.samples;
        one.rest = state.bounty;
        one.balances = stakes;
        bytes memory points = _stage(one);
        uint256 bond = market.terms().bond;
        vm.prank(CLARA);
        uint256 id = market.claim{value: bond}(points);
        heldAsBonds += bond;
        _play(one, id, points);
        ++successes["claim"];
    }

    function extend(uint256 seed) public verb(seed) {
        uint256 id = _latest();
        Posted storage one = posted[id];
        if (one.market != market.market().number) return;
        bytes memory points = _stage(one);
        vm.prank(_roll(8) == 0 ? _actor() : CLARA);
        market.extend(id, one.balances, points);
        _play(one, id, points);
        ++successes["extend"];
    }

    /// @dev Refutes what is a lie; what is true must hold against anything.
    function challenge(uint256 seed) public verb(seed) {
        uint256 id = _latest();
        Posted storage one = posted[id];
        bool isLie = one.lieStage < one.pointsOf.length;
        uint256 stage = isLie ? one.lieStage : _roll(one.pointsOf.length);
        uint256 kind = isLie ? one.lieKind : _roll(3);
        uint256 point = isLie ? one.liePoint : _roll(6);
        uint256 bond = market.claimOf(id).bond;
        PointProof memory proof =
            PointProof(stage, one.aliveOf[stage], one.pointsOf[stage], point, "");
        _challenge(id, proof, kind);
        _breach(!isLie, "a true claim was refuted");
        heldAsBonds -= bond;
        successes[isLie ? "a lie is refuted" : "breach"] += 1;
    }

    function _challenge(uint256 id, PointProof memory proof, uint256 kind) private {
        uint256[] memory order = _order(proof.alive);
        proof.state = model.state();
        for (uint256 i; i < proof.point && i < order.length; ++i) {
            proof.state = _learns(proof.state, items[order[i]]);
        }
        if (kind == 0) {
            market.challengeStart(id, proof);
        } else if (kind == 1) {
            market.challengeStep(id, proof, items[order[proof.point]]);
        } else {
            SampleProof memory sample = _sampleProof(0, 0);
            market.challengeSample(id, proof, sample);
        }
    }

    /// @dev Mostly the last claim.
    function _latest() private returns (uint256) {
        uint256 back = _roll(8);
        return posted.length - 1 - (back < 3 ? back % posted.length : 0);
    }

    function accept(uint256 seed) public verb(seed) {
        _accept(_latest());
    }

    function _accept(uint256 id) private {
        market.accept(id);
        Posted storage one = posted[id];
        _breach(one.alive != 0 && one.rounds != 0, "an incomplete claim was accepted");
        heldOfMarket -= one.rest;
        uint256 sum;
        for (uint256 p; p < one.balances.length; ++p) {
            sum += one.balances[p];
        }
        _breach(sum != heldOfMarket, "the balances are not what is held");
        successes[one.lieStage < one.pointsOf.length ? "accept a lie" : "accept"] += 1;
    }

    function returnBond(uint256 seed) public verb(seed) {
        _returnBond(_roll(posted.length));
    }

    function _returnBond(uint256 id) private {
        uint256 bond = market.claimOf(id).bond;
        market.returnBond(id);
        heldAsBonds -= bond;
        ++successes["returnBond"];
    }

    // Ends

    function forfeit(uint256 seed) public verb(seed) {
        vm.prank(_actor());
        market.forfeit();
        ++successes["forfeit"];
    }

    function collect(uint256 seed) public verb(seed) {
        _collect(1 + _roll(3));
    }

    function _collect(uint256 most) private {
        MarketState memory state = market.market();
        uint256 before = _owed();
        uint256[] memory balances;
        if (state.phase == MarketPhase.Settled) balances = posted[state.accepted].balances;
        market.collect(balances, most);
        heldOfMarket -= _owed() - before;
        if (market.market().collected == state.parties) {
            _breach(heldOfMarket != 0, "something is left that nobody owns");
        }
        ++successes["collect"];
    }

    function learn(uint256 seed) public verb(seed) {
        MarketState memory state = market.market();
        if (state.phase != MarketPhase.Settled) return;
        uint256[] memory order = _order(posted[state.accepted].alive);
        Item[] memory next = new Item[](1);
        next[0] = items[order[state.learnt]];
        bytes memory expected = _learns(model.state(), next[0]);
        market.learn(next);
        _breach(keccak256(model.state()) != keccak256(expected), "another step was learnt");
        ++successes["learn"];
    }

    function withdraw(uint256 seed) public verb(seed) {
        vm.prank(_actor());
        market.withdraw();
        ++successes["withdraw"];
    }

    /// @dev What the phase asks for, so that markets get through.
    function play(uint256 seed) external {
        MarketState memory state = market.market();
        MarketPhase phase = state.phase;
        uint256 choice = uint256(keccak256(abi.encode("play", seed))) % 3;
        bool isOver = phase == MarketPhase.None || phase == MarketPhase.Cancelled;
        if (phase == MarketPhase.Settled || phase == MarketPhase.Forfeited) {
            if (state.collected < state.parties) return collect(seed);
            uint256 alive = phase == MarketPhase.Settled ? posted[state.accepted].alive : 0;
            isOver = state.learnt == _order(alive).length;
            if (!isOver) return learn(seed);
        }
        if (isOver) return create(seed);
        if (phase == MarketPhase.Draw) return draw(seed);
        if (phase == MarketPhase.Participation) {
            if (choice != 0 || state.contributions == 0) return add(seed);
            _clock = state.deadline + 1;
        }
        if (phase != MarketPhase.Claim) return reveal(seed);
        if (posted.length == 0 || choice == 0) return claim(seed);
        ClaimState memory last = market.claimOf(posted.length - 1);
        if (last.market != state.number || last.refuted) return claim(seed);
        if (!last.complete) return extend(seed);
        if (choice == 1) _clock = last.windowEnd + 1;
        accept(seed);
    }

    // Exits

    /// @dev Whatever state a run ends in, time and strangers alone bring every wei home.
    function everyoneExits() external {
        (_clock, _height) = (_clock + 400 days, _height + 3);
        vm.warp(_clock);
        vm.roll(_height);
        MarketPhase phase = market.market().phase;
        if (phase == MarketPhase.Draw) {
            _exitDraw();
        } else if (phase == MarketPhase.Show || phase == MarketPhase.Participation) {
            market.cancel();
            heldOfMarket = 0;
        } else if (phase == MarketPhase.Reveal || phase == MarketPhase.Claim) {
            _exitClaims();
        }
        MarketState memory state = market.market();
        if (state.collected < state.parties) _collect(100);
        for (uint256 id; id < posted.length; ++id) {
            if (market.claimOf(id).bond != 0) _returnBond(id);
        }
        for (uint256 a; a < ACTORS - 1; ++a) {
            _exit(actors[a]);
        }
        _exit(address(this));
        vm.assertEq(address(market).balance, market.balanceOf(NOBODY), "something stays");
    }

    function _exitDraw() private {
        if (_height > market.market().deadline + 256) {
            market.draw();
            _height += 3;
            vm.roll(_height);
        }
        market.draw();
        _clock += 400 days;
        vm.warp(_clock);
        market.cancel();
        heldOfMarket = 0;
    }

    function _exitClaims() private {
        if (market.market().pending == 0) return market.forfeit();
        for (uint256 id; id < posted.length; ++id) {
            ClaimState memory claim_ = market.claimOf(id);
            bool isCurrent = claim_.market == market.market().number;
            if (isCurrent && claim_.complete && !claim_.refuted) return _accept(id);
        }
    }

    function _exit(address account) private {
        if (market.balanceOf(account) == 0) return;
        vm.prank(account);
        market.withdraw();
    }

    receive() external payable {}
}
