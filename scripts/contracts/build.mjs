#!/usr/bin/env node
// Compiles the contracts and writes what the Python package needs of them: ABI and bytecode.
//
//   node scripts/contracts/build.mjs           writes src/ostrom/chain/abi/*.json
//   node scripts/contracts/build.mjs --check   exits 1 if those files are not what comes out
//
// The settings are foundry.toml's, so that what forge tests is what we ship. Each of its profiles has
// contracts of its own.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const TARGET = join(ROOT, "src", "ostrom", "chain", "abi");
const CONTRACTS = {
  default: ["Token", "AllowList", "Registry", "ModelRegistry", "Training"],
  onchain: [
    "models/SparsePerceptron",
    "models/DensePerceptron",
    "models/NaiveBayes",
    "models/NearestCentroid",
    "models/SparseNearestCentroid",
    "models/KMeans",
    "DepositRefundTake",
    "Points",
    "Sponsor",
    "Market",
    "Recovery",
  ],
};
const RUNTIME_BYTES_MAX = 24_576; // EIP-170
const solc = createRequire(join(ROOT, "package.json"))("solc");

/** The lines of foundry.toml below `[profile.<name>]`. */
function readSection(name) {
  const text = readFileSync(join(ROOT, "foundry.toml"), "utf8");
  const section = text.split(/^(?=\[)/m).find((each) => each.startsWith(`[profile.${name}]`));
  if (!section) throw new Error(`foundry.toml has no profile ${name}`);
  return section;
}

/** What a profile does not set is as in the default one. */
function readSettings(profile) {
  const sections = [readSection(profile), readSection("default")];
  const value = (key) => {
    const line = new RegExp(`^${key} = (.+)$`, "m");
    const found = sections.map((section) => section.match(line)).find((each) => each);
    if (!found) throw new Error(`foundry.toml does not set ${key}`);
    return JSON.parse(found[1]);
  };
  return {
    folder: value("src"),
    evmVersion: value("evm_version"),
    viaIR: value("via_ir"),
    optimizer: { enabled: value("optimizer"), runs: value("optimizer_runs") },
    metadata: { bytecodeHash: value("bytecode_hash"), appendCBOR: value("cbor_metadata") },
    remappings: value("remappings"),
  };
}

function readImport(path) {
  const file = join(ROOT, path);
  return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: `no file ${path}` };
}

function compile(paths, settings) {
  const sources = {};
  for (const path of paths) {
    sources[path] = { content: readFileSync(join(ROOT, path), "utf8") };
  }
  const outputSelection = { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } };
  const input = { language: "Solidity", sources, settings: { ...settings, outputSelection } };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  const faults = (output.errors ?? []).map((fault) => fault.formattedMessage);
  if (faults.length) throw new Error(faults.join("\n"));
  return output.contracts;
}

/** One JSON line per ABI entry: small, and a diff shows which function changed. */
function format({ contract, compiler, settings, abi, bytecode }) {
  const lines = abi.map((entry) => `    ${JSON.stringify(withoutInternalTypes(entry))}`);
  const head = [["contract", contract], ["compiler", compiler], ["settings", settings]];
  const fields = head.map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`);
  return ["{", ...fields, '  "abi": [', lines.join(",\n"), "  ],", `  "bytecode": "${bytecode}"`, "}\n"].join("\n");
}

/** Python needs the types of the ABI only; the compiler's own names of them double the file. */
function withoutInternalTypes(value) {
  if (Array.isArray(value)) return value.map(withoutInternalTypes);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(([key]) => key !== "internalType");
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutInternalTypes(inner)]));
}

function artifacts(profile) {
  const { folder, ...settings } = readSettings(profile);
  const paths = CONTRACTS[profile].map((name) => `${folder}/${name}.sol`);
  const compiled = compile(paths, settings);
  const compiler = `solc ${solc.version().split(".Emscripten")[0]}`;
  const { evmVersion, viaIR, optimizer } = settings;
  return paths.map((path) => {
    const contract = basename(path, ".sol");
    const { abi, evm } = compiled[path][contract];
    const size = evm.deployedBytecode.object.length / 2;
    if (size > RUNTIME_BYTES_MAX) throw new Error(`${contract} has ${size} bytes, more than ${RUNTIME_BYTES_MAX}`);
    const shown = { evmVersion, viaIR, optimizerRuns: optimizer.runs };
    const bytecode = `0x${evm.bytecode.object}`;
    return { file: `${contract}.json`, size, text: format({ contract, compiler, settings: shown, abi, bytecode }) };
  });
}

function main(check) {
  mkdirSync(TARGET, { recursive: true });
  for (const { file, size, text } of Object.keys(CONTRACTS).flatMap(artifacts)) {
    const path = join(TARGET, file);
    const fresh = existsSync(path) && readFileSync(path, "utf8") === text;
    if (!check && !fresh) writeFileSync(path, text);
    if (check && !fresh) {
      process.exitCode = 1;
      console.error(`${file} is not what the sources compile to: run "npm run build" and commit it`);
    } else {
      console.log(`${file}: ${size} bytes of code, ${fresh ? "unchanged" : "written"}`);
    }
  }
}

try {
  main(process.argv.includes("--check"));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
