// Starts an EthereumJS client as one of several validators of a private Clique chain:
//   node sealer.mjs FOLDER-OF-THE-CLIENT [its options]
// Blocks, transactions, consensus and JSON-RPC are the client's own. What is changed, and why:
// - it listens on every network interface; here on loopback only;
// - it sends a new block to the square root of its peers, and drops one that is no child of its
//   own head, so three validators fall apart; here everybody gets it, with the ancestors it lacks,
//   and the chain of the highest total difficulty wins, as EIP-225 says;
// - it cannot run a contract under Clique, since nobody tells its EVM how to find a block's signer,
//   nor estimate gas or seal a transaction, since it does so in a block that is not signed yet;
// - it holds "has signed recently" against its own head's ancestors, also for another branch.
import dgram from "node:dgram"
import net from "node:net"
import { createRequire } from "node:module"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"

const LOOPBACK = "127.0.0.1"
const ANCESTORS_MAX = 20_000
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
  createBlockFromBytesArray,
  createSealedCliqueBlockHeader,
} = await load_package("@ethereumjs/block")
const { BlockBuilder } = await load_package("@ethereumjs/vm")
const { EVM } = await load_package("@ethereumjs/evm")
const { CliqueConsensus } = await load_package("@ethereumjs/blockchain")
const { createAddressFromString, equalsBytes, hexToBytes } = await load_package("@ethereumjs/util")
const { Eth } = await load("src", "rpc", "modules", "eth.js")
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

// The block with those of its ancestors that the chain lacks, the oldest first.
const branch = async (chain, block, peer) => {
  const blocks = [block]
  while (!(await knows(chain, blocks[0].header.parentHash))) {
    if (!peer?.eth || blocks.length > ANCESTORS_MAX) return []
    const wanted = blocks[0].header.parentHash
    const header = (await peer.eth.getBlockHeaders({ block: wanted, max: 1 }))?.[1]?.[0]
    const body = header && (await peer.eth.getBlockBodies({ hashes: [wanted] }))?.[1]?.[0]
    if (!body) return []
    blocks.unshift(createBlockFromBytesArray([header.raw(), ...body], { common: header.common }))
  }
  return blocks
}

const accept = async (sync, block, peer) => {
  if (await knows(sync.chain, block.hash())) return
  const blocks = await branch(sync.chain, block, peer)
  if (blocks.length === 0) return
  await sync.chain.putBlocks(blocks)
  sync.txPool.removeNewBlockTxs(blocks)
  await sync.sendNewBlock(block, sync.pool.peers)
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
