// Starts an EthereumJS client as one of several validators of a private Clique chain:
//   node sealer.mjs FOLDER-OF-THE-CLIENT [its options]
// It is for tests, and not the stock client: 0.10.5 runs no contract under Clique, seals no block
// that holds a transaction, and three of them do not stay together. Replaced, in this process:
// - `net.Server.listen`, `dgram.Socket.bind`: they listened everywhere; here on loopback only;
// - `EVM.runInterpreter`: it refuses to run under Clique unless told how to find a block's signer,
//   which nobody does; here it is told;
// - `BlockBuilder.addTransaction`: it asks who signed a block that is not signed yet, and so drops
//   every transaction; here the draft is signed first;
// - `Eth.estimateGas`: it runs in an unsigned block, which Clique refuses; here it is what the call
//   takes in the head's state, and the rules' fixed costs;
// - `CliqueConsensus.validateConsensus`: it holds "has signed recently" against its own head's
//   ancestors, also for another branch. There it is weaker here: the signer must be one, and must
//   not have signed the parent, which is EIP-225's rule for three signers and too little for more;
// - `FullSynchronizer.syncWithPeer`, `handleNewBlock`, `open`: blocks went to the square root of
//   the peers, and what is no child of the own head was fetched, or dropped. Here everybody gets
//   them as NewBlock messages, who is behind is sent the rest, and nothing is fetched;
// - `Miner.assembleBlock`: it sealed on a head whose state was still being computed; here it waits,
//   and so does a block that comes in.
// The client's own are: blocks, transactions, their pool and checks, seals and turns, total
// difficulty, the EVM's instructions, states, devp2p, and all other JSON-RPC.
import dgram from "node:dgram"
import net from "node:net"
import { createRequire } from "node:module"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"

const LOOPBACK = "127.0.0.1"
const PUSH_BLOCKS = 256n
const PUSH_DEPTH = 8n
const PUSH_MILLISECONDS = 1_500
const EXECUTION_MILLISECONDS_MAX = 20_000
const home = resolve(process.argv[2])
const require = createRequire(join(home, "package.json"))
const load = (...parts) => import(pathToFileURL(join(home, "dist", "esm", ...parts)))
const load_package = async (name) => {
  const root = require.resolve(name).replace(/[\\/]dist[\\/].*$/, "")
  return import(pathToFileURL(join(root, "dist", "esm", "index.js")))
}

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (first, ...rest) {
  if (typeof first === "object") return listen.call(this, { ...first, host: LOOPBACK }, ...rest)
  return listen.call(this, first, LOOPBACK, ...rest.filter((one) => typeof one === "function"))
}
const bind = dgram.Socket.prototype.bind
dgram.Socket.prototype.bind = function (port) {
  return bind.call(this, port, LOOPBACK)
}

const {
  cliqueSigner,
  cliqueVerifySignature,
  createSealedCliqueBlockHeader,
} = await load_package("@ethereumjs/block")
const { BlockBuilder } = await load_package("@ethereumjs/vm")
const { EVM } = await load_package("@ethereumjs/evm")
const { CliqueConsensus } = await load_package("@ethereumjs/blockchain")
const { createAddressFromString, equalsBytes, hexToBytes } = await load_package("@ethereumjs/util")
const { Eth } = await load("src", "rpc", "modules", "eth.js")
const { Miner } = await load("src", "miner", "miner.js")
const { FullSynchronizer } = await load("src", "sync", "fullsync.js")

const interpret = EVM.prototype.runInterpreter
EVM.prototype.runInterpreter = function (...given) {
  this._optsCached.cliqueSigner ??= cliqueSigner
  return interpret.apply(this, given)
}

const add = BlockBuilder.prototype.addTransaction
BlockBuilder.prototype.addTransaction = function (...given) {
  const { cliqueSigner: key, ...rest } = this.blockOpts
  const header = { ...this.headerData, gasUsed: this.gasUsed, extraData: new Uint8Array(97) }
  this.headerData.extraData = createSealedCliqueBlockHeader(header, key, {
    ...rest,
    freeze: false,
  }).extraData
  return add.apply(this, given)
}

const GAS_OF_TRANSACTION = 21_000n
const GAS_OF_CREATION = 32_000n
const gas_of_byte = (byte) => (byte === 0 ? 4n : 16n)

Eth.prototype.estimateGas = async function ([asked]) {
  const block = await this._chain.getCanonicalHeadBlock()
  const vm = await this._vm.shallowCopy()
  await vm.stateManager.setStateRoot(block.header.stateRoot)
  const data = hexToBytes(asked.data ?? asked.input ?? "0x")
  const address = (text) => (text === undefined ? undefined : createAddressFromString(text))
  const { execResult } = await vm.evm.runCall({
    block,
    caller: address(asked.from),
    data,
    gasLimit: block.header.gasLimit,
    to: address(asked.to),
    value: BigInt(asked.value ?? 0),
  })
  if (execResult.exceptionError !== undefined) {
    const returned = `0x${Buffer.from(execResult.returnValue).toString("hex")}`
    throw { code: 3, message: "execution reverted", data: returned }
  }
  const before = GAS_OF_TRANSACTION + (asked.to === undefined ? GAS_OF_CREATION : 0n)
  const gas = data.reduce((sum, byte) => sum + gas_of_byte(byte), before)
  return `0x${(gas + execResult.executionGasUsed).toString(16)}`
}

const validate = CliqueConsensus.prototype.validateConsensus
CliqueConsensus.prototype.validateConsensus = async function (block) {
  const { header } = block
  if (equalsBytes(header.parentHash, this.blockchain._headHeaderHash)) {
    return validate.call(this, block)
  }
  const parent = await this.blockchain.getBlock(header.parentHash)
  const recent = !parent.isGenesis() && cliqueSigner(parent.header).equals(cliqueSigner(header))
  if (recent || !cliqueVerifySignature(header, this.cliqueActiveSigners(header.number))) {
    throw new Error("a block whose signer may not sign")
  }
}

const knows = async (chain, hash) => {
  try {
    return (await chain.getBlock(hash)) !== undefined
  } catch {
    return false
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))

// Who is behind tells its head every two seconds; it is then sent what comes after that, from ever
// deeper below if that did not help. Requests of its own would meet the client's others.
const push = async (sync, head, peer) => {
  const height = sync.chain.headers.height
  const { number } = head.header
  const last = (sync.pushed ??= new Map()).get(peer.id)
  if (!peer.eth || number >= height || Date.now() - (last?.at ?? 0) < PUSH_MILLISECONDS) return
  const depth = last?.number === number ? 2n * last.depth : PUSH_DEPTH
  sync.pushed.set(peer.id, { at: Date.now(), number, depth })
  const end = number + PUSH_BLOCKS < height ? number + PUSH_BLOCKS : height
  for (let at = number > depth ? number - depth : 1n; at <= end; at++) {
    peer.eth.send("NewBlock", [await sync.chain.getBlock(at), sync.chain.blocks.td])
  }
}

// Until the head's state is there: the client takes a reorganisation in mid-execution badly.
const executed = async (chain, execution) => {
  const deadline = Date.now() + EXECUTION_MILLISECONDS_MAX
  while (Date.now() < deadline) {
    const latest = await chain.getCanonicalHeadBlock()
    const ran = await chain.getCanonicalVmHead()
    if (!execution.running && equalsBytes(latest.hash(), ran.hash())) return
    if (!execution.running) await execution.run(true, false)
    await pause(10)
  }
  throw new Error("the head is not executed in time")
}

const accept = async (sync, block, peer) => {
  if (peer) await push(sync, block, peer)
  if (await knows(sync.chain, block.hash())) return
  if (!(await knows(sync.chain, block.header.parentHash))) return
  await executed(sync.chain, sync.execution)
  await sync.chain.putBlocks([block])
  await executed(sync.chain, sync.execution)
  sync.txPool.removeNewBlockTxs([block])
  await sync.sendNewBlock(block, sync.pool.peers)
}

// The way above is the only one for blocks.
FullSynchronizer.prototype.syncWithPeer = async () => false

const assemble = Miner.prototype.assembleBlock
Miner.prototype.assembleBlock = async function () {
  try {
    await this.service.synchronizer.accepted
    await executed(this.service.chain, this.execution)
    await assemble.call(this)
  } catch (error) {
    this.assembling = false
    this.config.logger?.info(`sealing again after: ${error}`)
    await this.queueNextAssembly(this.period)
  }
}

FullSynchronizer.prototype.handleNewBlock = function (block, peer) {
  if (peer) this.addToKnownByPeer(block.hash(), peer)
  const failed = (error) => this.config.logger?.info(`block ${block.header.number}: ${error}`)
  this.accepted = (this.accepted ?? Promise.resolve())
    .then(() => accept(this, block, peer))
    .catch(failed)
  return this.accepted
}

// A validator that comes (back) learns the head of the others at once, and they learn its head.
const open = FullSynchronizer.prototype.open
FullSynchronizer.prototype.open = async function () {
  await open.call(this)
  const tell = async () => {
    const latest = this.chain.blocks.latest
    if (!latest || latest.isGenesis()) return
    for (const peer of this.pool.peers) peer.eth?.send("NewBlock", [latest, this.chain.blocks.td])
  }
  setInterval(() => tell().catch(() => {}), 2_000).unref()
}

process.argv.splice(1, 2, join(home, "dist", "esm", "bin", "cli.js"))
await load("bin", "cli.js")
