#!/usr/bin/env node
// Runs slither over contracts/src and fails on any finding. A finding that we keep is explained at its
// place in the source, above a `slither-disable` comment. Four detectors are off for good
// (contracts/slither.config.json), since what they report is no fault here, wherever it is:
//   assembly             three short blocks, each with its reason and a test against plain Solidity
//   naming-convention    immutables are written like constants
//   timestamp            phases and delays last hours; a block producer can move a deadline by seconds
//   uninitialized-local  Solidity sets locals to zero, which is where sums and counters begin
//
//   python3 -m venv build/slither && build/slither/bin/pip install slither-analyzer==0.11.6
//   node scripts/contracts/audit.mjs
//
// slither has an environment of its own because it needs an older web3 than the package. It calls
// `forge` and believes its exit status: it gets the one that tells the truth.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const BUILD = join(ROOT, "build", "slither");
const SLITHER = process.env.SLITHER ?? join(BUILD, "bin", "slither");

function shimForge() {
  const folder = join(BUILD, "shim");
  mkdirSync(folder, { recursive: true });
  const forge = join(folder, "forge");
  const script = join(ROOT, "scripts", "contracts", "forge.mjs");
  writeFileSync(forge, `#!/bin/sh\nexec "${process.execPath}" "${script}" "$@"\n`);
  chmodSync(forge, 0o755);
  return folder;
}

if (!existsSync(SLITHER)) {
  console.error(`no slither at ${SLITHER}: see the first lines of scripts/contracts/audit.mjs`);
  process.exit(1);
}
const env = {
  ...process.env,
  PATH: [shimForge(), dirname(SLITHER), process.env.PATH].join(delimiter),
  // Apart from what the tests build: slither wants the sources only, with build info.
  FOUNDRY_OUT: "build/slither/out",
  FOUNDRY_CACHE_PATH: "build/slither/cache",
};
const options = [".", "--config-file", "contracts/slither.config.json", ...process.argv.slice(2)];
const { status, error } = spawnSync(SLITHER, options, { cwd: ROOT, env, stdio: "inherit" });
if (error) console.error(error.message);
process.exitCode = status ?? 1;
