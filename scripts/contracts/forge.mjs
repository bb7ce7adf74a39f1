#!/usr/bin/env node
// Runs npm's forge and ends with its exit status. The package's own launcher always ends with 0, so
// that a failed test would pass for a good one.
//
//   node scripts/contracts/forge.mjs test
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const platform = process.platform;
const architecture = process.arch === "x64" ? "amd64" : process.arch;
const program = process.platform === "win32" ? "forge.exe" : "forge";

try {
  const path = `@foundry-rs/forge-${platform}-${architecture}/bin/${program}`;
  const forge = createRequire(join(ROOT, "package.json")).resolve(path);
  const { status, error } = spawnSync(forge, process.argv.slice(2), { cwd: ROOT, stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
} catch (error) {
  console.error(`cannot run forge, is "npm install" done? ${error.message}`);
  process.exitCode = 1;
}
