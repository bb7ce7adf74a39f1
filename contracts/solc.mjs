#!/usr/bin/env node
// Gives npm's solc (JavaScript) the native compiler's command line, as far as forge uses it.
import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)("solc");

/** Write everything before returning: the pipe to forge may be slower than we are. */
function print(text) {
  const bytes = Buffer.from(text);
  for (let sent = 0; sent < bytes.length; ) {
    try {
      sent += writeSync(1, bytes, sent);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

function readImport(path) {
  try {
    return { contents: readFileSync(path, "utf8") };
  } catch (error) {
    return { error: error.message };
  }
}

const wanted = process.argv.slice(2);
if (wanted.includes("--version")) {
  print(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (wanted.includes("--standard-json")) {
  print(solc.compile(readFileSync(0, "utf8"), { import: readImport }));
} else {
  process.stderr.write("solc.mjs knows --version and --standard-json only\n");
  process.exitCode = 2;
}
