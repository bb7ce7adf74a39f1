#!/usr/bin/env node
// Fails unless the unit tests run every line of contracts/src. Takes minutes: everything is compiled
// anew, without most of the optimiser. Invariant and gas tests do not count.
//
//   node scripts/contracts/coverage.mjs
//   node scripts/contracts/coverage.mjs --read    judges the last report again
//
// forge cannot see some lines run: those inside assembly blocks, which count if the function around
// them ran, and those in SILENT, which leave no instruction and count if the line above ran.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const SILENT = ["last = validator;"];
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
function assemblyLines(texts) {
  const inside = new Set();
  let end = null;
  texts.forEach((text, index) => {
    if (end !== null) inside.add(index + 1);
    if (end !== null && text === end) end = null;
    const start = text.match(/^(\s*)assembly .*\{$/);
    if (!start) return;
    inside.add(index + 1);
    end = `${start[1]}}`;
  });
  return inside;
}

/** The lines that forge did not see run: those we can tell ran all the same, and the others. */
function unseen(file, { lines, functions }) {
  const texts = readFileSync(join(ROOT, file), "utf8").split("\n");
  const assembly = assemblyLines(texts);
  const around = (line) => functions.filter((one) => one.line <= line).sort((a, b) => b.line - a.line)[0];
  const inferred = [];
  const missed = [];
  for (const [line, hits] of lines) {
    if (hits > 0) continue;
    const silent = SILENT.includes(texts[line - 1].trim()) && lines.get(line - 1) > 0;
    const ran = silent || (assembly.has(line) && around(line)?.hits > 0);
    (ran ? inferred : missed).push(`${file}:${line}`);
  }
  return { inferred, missed };
}

function main(again) {
  if (!again) measure();
  const sources = read(readFileSync(join(ROOT, REPORT), "utf8"));
  const ours = [...sources].filter(([file]) => file.startsWith("contracts/src/"));
  if (!ours.length) throw new Error(`${REPORT} says nothing about contracts/src`);
  const total = ours.reduce((sum, [, source]) => sum + source.lines.size, 0);
  const results = ours.map(([file, source]) => unseen(file, source));
  const missed = results.flatMap((result) => result.missed);
  const inferred = results.flatMap((result) => result.inferred);
  const seen = total - missed.length - inferred.length;
  console.log(`contracts/src: ${total} lines, ${seen} seen to run, ${inferred.length} inferred`);
  if (missed.length) throw new Error(`no test runs these lines:\n${missed.join("\n")}`);
}

try {
  main(process.argv.includes("--read"));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
