// IPFS in JavaScript (Helia's gateway client, UnixFS and CAR libraries) against our gateway and files.
//
//   node ipfs.mjs gateway URL CID       sha256 of a file, block by block from a trustless gateway
//   node ipfs.mjs car URL CID QUERY     sha256 of a file, from one CAR of a gateway
//   node ipfs.mjs open FILE             roots and sha256 of the file in a CAR file
//   node ipfs.mjs make FILE CARFILE     import a file as Kubo's profile unixfs-v1-2025, write a CAR
//
// Every block is verified by these libraries or here; a wrong one ends the program.

import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { trustlessGatewayBlockBroker } from '@helia/trustless-gateway-client'
import { CarBlockIterator, CarWriter } from '@ipld/car'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { exporter } from 'ipfs-unixfs-exporter'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'

const silent = Object.assign(() => {}, { error () {}, trace () {}, enabled: false, newScope: () => silent })

async function verify (cid, block) {
  const { digest } = await sha256.digest(block)
  if (Buffer.compare(digest, cid.multihash.digest) !== 0) {
    throw new Error(`block ${cid} has another hash`)
  }
}

async function hashOfFile (cid, store) {
  const entry = await exporter(cid, store)
  const hash = createHash('sha256')
  let size = 0n
  for await (const part of entry.content()) {
    hash.update(part)
    size += BigInt(part.length)
  }
  if (size !== BigInt(entry.size)) {
    throw new Error(`the file has ${size} bytes, it claims ${entry.size}`)
  }
  return hash.digest('hex')
}

function gatewayStore (url) {
  const { hostname, port } = new URL(url)
  const routing = {
    async * findProviders () {
      yield { multiaddrs: [multiaddr(`/ip4/${hostname}/tcp/${port}/http`)], router: 'fixed' }
    }
  }
  const logger = { forComponent: () => silent }
  const broker = trustlessGatewayBlockBroker({ allowInsecure: true, allowLocal: true })({ routing, logger })
  return {
    async * get (cid) {
      yield await broker.retrieve(cid, { validateFn: block => verify(cid, block) })
    }
  }
}

async function carStore (source) {
  const car = await CarBlockIterator.fromIterable(source)
  const store = new MemoryBlockstore()
  for await (const { cid, bytes } of car) {
    await verify(cid, bytes)
    await store.put(cid, bytes)
  }
  return { roots: await car.getRoots(), store }
}

async function make (path, carPath) {
  const store = new MemoryBlockstore()
  const options = {
    cidVersion: 1,
    rawLeaves: true,
    reduceSingleLeafToSelf: true,
    chunker: fixedSize({ chunkSize: 1 << 20 }),
    layout: balanced({ maxChildrenPerNode: 1024 }),
    wrapWithDirectory: false
  }
  let root
  for await (const entry of importer([{ content: createReadStream(path) }], store, options)) {
    root = entry.cid
  }
  const { writer, out } = CarWriter.create([root])
  const written = pipeline(Readable.from(out), createWriteStream(carPath))
  for await (const { cid, bytes } of store.getAll()) {
    const parts = []
    for await (const part of bytes) parts.push(part)
    // The blockstore knows blocks by hash; only the root is a node here, or a leaf alone.
    const name = Buffer.compare(cid.multihash.digest, root.multihash.digest) === 0 ? root : cid
    await writer.put({ cid: name, bytes: Buffer.concat(parts) })
  }
  await writer.close()
  await written
  return root.toString()
}

const [mode, first, second, query] = process.argv.slice(2)
if (mode === 'gateway') {
  console.log(await hashOfFile(CID.parse(second), gatewayStore(first)))
} else if (mode === 'car') {
  const headers = { accept: 'application/vnd.ipld.car; version=1; order=dfs; dups=y' }
  const response = await fetch(`${first}/ipfs/${second}?format=car${query ?? ''}`, { headers })
  if (!response.ok) throw new Error(`status ${response.status}`)
  const { store } = await carStore(response.body)
  console.log(await hashOfFile(CID.parse(second), store))
} else if (mode === 'open') {
  const { roots, store } = await carStore(createReadStream(first))
  console.log(roots.join(' '), await hashOfFile(roots[0], store))
} else if (mode === 'make') {
  console.log(await make(first, second))
} else {
  throw new Error(`unknown mode ${mode}`)
}
