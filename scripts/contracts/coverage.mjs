#!/usr/bin/env node
// Fails unless the unit tests run every line of contracts/src. Takes minutes: everything is compiled
// anew, without most of the optimiser. Invariant and gas tests do not count.
//
//   node scripts/contracts/coverage.mjs
//
// forge does not see inside assembly blocks, so such a line counts if the function around it ran.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const REPORT = join("contracts", "cache", "coverage", "lcov.info");

function measure() {
  mkdirSync(join(ROOT, dirname(REPORT)), { recursive: true });
  const script = join(ROOT, "scripts", "contracts", "forge.mjs");
  // Without the optimiser's help the stack is too small; --ir-minimum gives just enough of it.
  const options = ["coverage", "--ir-minimum", "--report", "lcov", "--report-file", REPORT];
  const without = ["--skip", "contracts/test/invariant/**", "contracts/test/Gas.t.sol"];
  const { status, error } = spawnSync(process.execPath, [script, ...options, ...without], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error) throw error;
  if (status !== 0) throw new Error("forge coverage failed");
}

/** The report's sources: file -> { lines: Map(line -> hits), functions: [{ line, hits }] }. */
function read(text) {
  const sources = new Map();
  let source;
  let lineOf;
  for (const row of text.split("\n")) {
    const [key, value = ""] = row.split(/:(.*)/s);
    const [first, second] = value.split(",");
    if (key === "SF") {
      source = { lines: new Map(), functions: [] };
      lineOf = new Map();
      sources.set(value, source);
    } else if (key === "FN") {
      lineOf.set(value.split(",").at(-1), Number(first));
    } else if (key === "FNDA") {
      source.functions.push({ line: lineOf.get(second), hits: Number(first) });
    } else if (key === "DA") {
      source.lines.set(Number(first), Number(second));
    }
  }
  return sources;
}

/** The numbers of the lines inside assembly blocks. */
function assemblyLines(file) {
  const inside = new Set();
  let end = null;
  readFileSync(join(ROOT, file), "utf8").split("\n").forEach((text, index) => {
    if (end !== null) inside.add(index + 1);
    if (end !== null && text === end) end = null;
    const start = text.match(/^(\s*)assembly .*\{$/);
    if (start) {
      inside.add(index + 1);
      end = `${start[1]}}`;
    }
  });
  return inside;
}

function missed(file, { lines, functions }) {
  const assembly = assemblyLines(file);
  const around = (line) => functions.filter((one) => one.line <= line).sort((a, b) => b.line - a.line)[0];
  const ran = (line, hits) => hits > 0 || (assembly.has(line) && around(line)?.hits > 0);
  return [...lines].filter(([line, hits]) => !ran(line, hits)).map(([line]) => line);
}

function main() {
  measure();
  const sources = read(readFileSync(join(ROOT, REPORT), "utf8"));
  const ours = [...sources].filter(([file]) => file.startsWith("contracts/src/"));
  if (!ours.length) throw new Error(`${REPORT} says nothing about contracts/src`);
  let total = 0;
  const gaps = [];
  for (const [file, source] of ours) {
    total += source.lines.size;
    gaps.push(...missed(file, source).map((line) => `${file}:${line}`));
  }
  console.log(`${total - gaps.length} of ${total} lines of contracts/src are run by the tests`);
  if (gaps.length) throw new Error(`no test runs these lines:\n${gaps.join("\n")}`);
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
