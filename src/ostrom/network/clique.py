"""A private chain of several validators on one machine: EthereumJS clients under Clique.

Clique (EIP-225, https://eips.ethereum.org/EIPS/eip-225) lets named signers seal blocks in turn; a
chain goes on while more than half of them live. The client is the npm package `@ethereumjs/client`;
its genesis file is geth's. All ports are on loopback, the peer-to-peer ones too.

Answers to the threat that one operator of the chain stops or censors: the others go on. It does not
answer a majority of dishonest signers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ostrom.chain.rpc import RpcLedger
from ostrom.chain.wallet import Key
from ostrom.codec import address_bytes
from ostrom.errors import InputError, LedgerError
from ostrom.network.processes import LOOPBACK, Process, free_ports, stop, wait_until
from ostrom.types import Address, Digest

VARIABLE = "OSTROM_ETHEREUMJS"
CLIENT = Path("node_modules/@ethereumjs/client")
SEALER = Path(__file__).with_name("sealer.mjs")
PACKAGE = "@ethereumjs/client@0.10.5"
GAS_LIMIT = 30_000_000
BASE_FEE_WEI = 10**9
TIP_WEI_MIN = 10**8
"""A client passes a transaction on to its peers only with this tip."""

READY_SECONDS_MAX = 90.0


def client_folder() -> Path:
    """Where the client is: `OSTROM_ETHEREUMJS`, else `node_modules` here.

    Raises:
        InputError: it is not there; the line says how to get it.
    """
    client = Path(os.environ.get(VARIABLE) or CLIENT).resolve()
    if not (client / "package.json").is_file():
        raise InputError(
            f"there is no EthereumJS in {client}: run `npm install {PACKAGE}` here, or name its "
            f"folder in {VARIABLE}"
        )
    return client


@dataclass(frozen=True)
class Genesis:
    """A chain's first block: who seals, how often in seconds, and who holds how many wei."""

    chain_id: int
    signers: tuple[Address, ...]
    balances: Mapping[Address, int]
    period: int = 1

    def document(self) -> dict[str, Any]:
        """The genesis file as geth reads it: London from the first block, Clique, no merge.

        >>> nobody = Address("0x" + "00" * 20)
        >>> len(Genesis(1, (nobody,), {}).document()["extraData"]) // 2 - 1
        117
        """
        blocks = "homestead eip150 eip155 eip158 byzantium constantinople petersburg istanbul "
        blocks += "muirGlacier berlin london"
        signers = b"".join(sorted(map(address_bytes, self.signers)))
        zero = "0x" + "00" * 32
        return {
            "config": {
                "chainId": self.chain_id,
                "clique": {"period": self.period, "epoch": 30_000},
                **{f"{name}Block": 0 for name in blocks.split()},
            },
            "nonce": "0x0",
            "timestamp": "0x0",
            "extraData": "0x" + (bytes(32) + signers + bytes(65)).hex(),
            "gasLimit": hex(GAS_LIMIT),
            "difficulty": "0x1",
            "mixHash": zero,
            "parentHash": zero,
            "coinbase": "0x" + "00" * 20,
            "number": "0x0",
            "gasUsed": "0x0",
            "baseFeePerGas": hex(BASE_FEE_WEI),
            "alloc": {
                address[2:].lower(): {"balance": hex(wei)} for address, wei in self.balances.items()
            },
        }


@dataclass
class Sealer:
    """One validator of the chain: its folder, its ports, and its process while it runs."""

    name: str
    folder: Path
    rpc_port: int
    peer_port: int
    enode: str = ""
    process: Process | None = None

    @property
    def url(self) -> str:
        """Where it serves JSON-RPC."""
        return f"http://{LOOPBACK}:{self.rpc_port}"

    def head(self) -> tuple[int, Digest]:
        """Its newest block's number and hash.

        Raises:
            LedgerError: it does not answer.
        """
        block = _asked(self.url, "eth_getBlockByNumber", "latest", False)
        return int(block["number"], 16), bytes.fromhex(block["hash"][2:])


@dataclass
class Clique:
    """A chain of several validators; each is a process that can be killed and started again."""

    folder: Path
    genesis: Genesis
    sealers: list[Sealer] = field(default_factory=list)

    @classmethod
    def create(cls, folder: Path, genesis: Genesis, keys: Iterable[bytes]) -> Clique:
        """Write the genesis file and the signers' keys: 32 secret bytes each, kept on the disk.

        Raises:
            InputError: a key is not that of a signer of the genesis block.
        """
        secrets = list(keys)
        if {Key(secret).address for secret in secrets} != set(genesis.signers):
            raise InputError("the signers' keys are not those of the genesis block")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ostrom.json").write_text(json.dumps(genesis.document()), encoding="utf-8")
        ports = free_ports(2 * len(secrets))
        chain = cls(folder, genesis)
        for index, secret in enumerate(secrets):
            place = folder / f"sealer-{index + 1}"
            place.mkdir(exist_ok=True)
            _write_private(place / "key", secret.hex())
            rpc, peers = ports[2 * index], ports[2 * index + 1]
            chain.sealers.append(Sealer(f"sealer-{index + 1}", place, rpc, peers))
        return chain

    @property
    def urls(self) -> list[str]:
        """Everybody's JSON-RPC."""
        return [one.url for one in self.sealers]

    def start(self) -> None:
        """Start all of them, and wait until all have the same block after the first.

        Raises:
            InputError: the client is not installed.
            LedgerError: they do not agree on a block in time.
        """
        try:
            for sealer in self.sealers:
                self.start_one(sealer)
            if not wait_until(lambda: self.common_height() >= 1, READY_SECONDS_MAX):
                words = "; ".join(one.process.last_words() for one in self.sealers if one.process)
                raise LedgerError(f"the chain does not start: {words}")
        except BaseException:
            self.stop()
            raise

    def start_one(self, sealer: Sealer) -> None:
        """Start a validator that does not run; it looks for the others that do.

        Raises:
            LedgerError: it does not answer in time.
        """
        known = [one.enode for one in self.sealers if one.enode and one is not sealer]
        # It writes into its working directory: that is its own folder.
        sealer.process = Process(
            sealer.name,
            self._command(sealer, known),
            log=sealer.folder / "output.log",
            folder=sealer.folder,
        )

        def answers() -> bool:
            assert sealer.process is not None
            return sealer.process.status is not None or bool(_enode(sealer))

        if not wait_until(answers, READY_SECONDS_MAX) or sealer.process.status is not None:
            raise LedgerError(f"{sealer.name} does not start: {sealer.process.last_words()}")
        sealer.enode = _enode(sealer)

    def _command(self, sealer: Sealer, known: list[str]) -> list[str]:
        folder = sealer.folder.resolve()
        options = {
            "gethGenesis": self.folder.resolve() / "ostrom.json",
            "dataDir": folder / "data",
            "unlock": folder / "key",
            "rpcAddr": LOOPBACK,
            "rpcPort": sealer.rpc_port,
            "extIP": LOOPBACK,
            "port": sealer.peer_port,
            "minPeers": 1,
            "logFile": folder / "client.log",
            "logLevel": "info",
        }
        flags = ["--rpc", "--mine", "--discDns=false", "--isSingleNode", "--logRotate=false"]
        flags += ["--bootnodes", ",".join(known)] if known else []
        named = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return ["node", str(SEALER), str(client_folder()), *named, *flags]

    def common_height(self) -> int:
        """The height up to which all that run hold the same block; -1 if one does not answer."""
        try:
            height = min(one.head()[0] for one in self.sealers)
            hashes = {self.block_hash(one, height) for one in self.sealers}
        except (LedgerError, TypeError, KeyError):
            return -1
        return height if len(hashes) == 1 else -1

    @staticmethod
    def block_hash(sealer: Sealer, number: int) -> str:
        """The hash of a validator's block of that number."""
        return str(
            RpcLedger(sealer.url).request("eth_getBlockByNumber", hex(number), False)["hash"]
        )

    def stop(self) -> None:
        """Stop all that run."""
        stop([one.process for one in self.sealers if one.process is not None])

    def __enter__(self) -> Clique:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _asked(url: str, method: str, *params: object) -> Any:
    ledger = RpcLedger(url)
    try:
        return ledger.request(method, *params)
    finally:
        ledger.close()


def _enode(sealer: Sealer) -> str:
    """Where its peers find it; empty while it does not answer."""
    try:
        return str(_asked(sealer.url, "admin_nodeInfo")["enode"])
    except (LedgerError, TypeError, KeyError):
        return ""


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
