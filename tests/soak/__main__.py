"""`make soak`: what takes hours. Each part prints its counts; 1 if something does not hold.

python -m tests.soak [simulation] [kills] [steady] [clique] [cut] [disk] [--seed N] ...
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.soak import clique, cut, disk, kills, steady

PARTS = ("simulation", "kills", "steady", "clique", "cut", "disk")
MEMORY = Path("/dev/shm")
"""Where the failing disk's files lie if it is there: their syncs are counted, not waited for."""


def main() -> int:
    """Run the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--seed", type=int, default=0, help="of the first network")
    parser.add_argument("--seeds", type=int, default=10_000, help="simulated networks")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--reorganisations", type=int, default=20)
    parser.add_argument("--networks", type=int, default=10, help="that share kills among them")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--scenario", nargs="*", type=int, default=[], help="of the cuts, from 0; else all"
    )
    parser.add_argument("--node", nargs="*", choices=[*disk.NODES, []], default=[])
    parser.add_argument("--every", type=int, default=1, help="fail each so-manieth change only")
    parser.add_argument("--change", type=int, help="fail this change only")
    parser.add_argument("--folder", type=Path, help="keep the networks' folders here")
    chosen = parser.parse_args()
    failed = [part for part in chosen.parts or PARTS if _run(part, chosen)]
    print(f"failed: {', '.join(failed) or 'nothing'}")
    return int(bool(failed))


def _run(part: str, chosen: argparse.Namespace) -> bool:
    """Run one part; True if something does not hold."""
    if part == "simulation":
        words = [sys.executable, "-m", "tests.simulation", "--seeds", f"0:{chosen.seeds}"]
        return subprocess.run([*words, "--jobs", "2"], check=False).returncode != 0
    home = MEMORY if part == "disk" and MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=home) as temporary:
        folder = chosen.folder or Path(temporary)
        if part == "steady":
            faults = steady.run(chosen.seed, folder / "steady", minutes=chosen.minutes, rounds=500)
        elif part == "clique":
            faults = clique.run(chosen.seed, folder / "clique")
        elif part == "cut":
            faults = _cuts(chosen, folder)
        elif part == "disk":
            faults = _disk(chosen, folder)
        else:
            faults = _kills(chosen, folder)
    print(*faults, sep="\n")
    return bool(faults)


def _kills(chosen: argparse.Namespace, folder: Path) -> list[str]:
    """So many kills and reorganisations, shared out over some networks."""
    whole, networks = kills.Tally(), chosen.networks
    seed = chosen.seed
    while whole.kills < chosen.kills and seed < chosen.seed + 3 * networks:
        tally = kills.run(
            seed,
            folder / f"kills-{seed}",
            kills=-(-chosen.kills // networks),
            reorganisations=-(-chosen.reorganisations // networks),
        )
        whole.add(tally)
        seed += 1
        print(
            f"{whole.kills} kills, {whole.reorganisations} reorganisations of up to "
            f"{whole.deepest} blocks, {whole.settled} rounds settled, {whole.void} void, "
            f"{len(whole.faults)} faults, {whole.seconds:.0f} s",
            flush=True,
        )
        for line in tally.faults:
            print(f"{line}\nreplay: python -m tests.soak kills --networks 1 --seed {seed - 1}")
    return whole.faults


def _cuts(chosen: argparse.Namespace, folder: Path) -> list[str]:
    """One network for each scenario, cut in two and healed."""
    faults = []
    for at in chosen.scenario or range(len(cut.SCENARIOS)):
        tally = cut.run(chosen.seed, cut.SCENARIOS[at], folder / f"cut-{at}")
        print(tally, flush=True)
        faults += tally.faults
        if tally.faults:
            print(f"replay: python -m tests.soak cut --scenario {at} --seed {chosen.seed}")
    return faults


def _disk(chosen: argparse.Namespace, folder: Path) -> list[str]:
    """For each node, a network for each change of its files."""
    faults = []
    for name in chosen.node or disk.NODES:
        tally = disk.run(chosen.seed, name, folder / name, every=chosen.every, only=chosen.change)
        print(tally, flush=True)
        faults += tally.faults
    return faults


if __name__ == "__main__":
    sys.exit(main())
