// SPDX-License-Identifier: MIT
// The operator's guide: blocks of commands are marked by who runs them, those
// from a clone are run here, and its table of findings has every one there is.

import assert from "node:assert/strict";
import { test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { buildDir, missing, root, runProgram, scratch, slow } from "../support/edge.mjs";

const guide = fs.readFileSync(path.join(root, "deploy/README.md"), "utf8");
const blocks = [...guide.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].map(([, mark, text]) => ({ mark, text }));

test("each block says who runs it", () => {
  const marks = new Set(blocks.map((block) => block.mark));
  assert.deepEqual([...marks].sort(), ["", "json route", "sh host", "sh tree"]);
  for (const block of blocks) if (block.mark === "") assert.match(block.text, /──/, "a drawing");
  const runner = fs.readFileSync(path.join(root, "tests/interop/packages/guide.test.mjs"), "utf8");
  assert.match(runner, /sh host/);
});

test("what it names in this tree is there", () => {
  const text = guide.replace(/^```.*?^```$/gms, "");
  for (const [, name] of text.matchAll(/`((?:deploy|tests|config|presets|packages|monitoring|docker|demo|systemd|edgectl)\/[a-z0-9/._-]*)`/g)) {
    const at = ["", "deploy"].map((dir) => path.join(root, dir, name));
    assert.ok(name === "deploy/.env" || at.some((one) => fs.existsSync(one)), name);
  }
});

/* Packages are built by their own test. */
for (const { text } of blocks.filter(({ mark, text: body }) => mark === "sh tree" && !/packages\/build/.test(body)))
  test(`from a clone: ${text.split("\n")[0].slice(0, 40)}…`, { skip: missing("bash") }, async () => {
    const bin = scratch();
    fs.symlinkSync(path.join(buildDir, "deploy/edgectl/edgectl"), path.join(bin, "edgectl"));
    const done = await runProgram("bash", ["-euc", text], {
      cwd: root, env: { PATH: `${bin}:${process.env.PATH}` }, timeout: 30000 * slow });
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /table inet edge/);
  });

test("the table of findings has every finding", () => {
  const families = "WEB|TURN|CERT|TLS|FLOW|DNS|NAT|PORT|SIP|CLOCK|PROBE";
  const ids = (text) => new Set([...text.matchAll(new RegExp(`\\b(?:${families})-[A-Z0-9]+(?:-[A-Z0-9]+)*\\b`, "g"))].map(([id]) => id));
  const said = ids(guide.slice(guide.indexOf("By the id of a finding")));
  const folder = path.join(root, "deploy/edgectl");
  const sources = fs.readdirSync(folder, { recursive: true }).filter((name) => /\.[ch]$/.test(name))
    .map((name) => fs.readFileSync(path.join(folder, name), "utf8")).join("\n");
  const there = ids([...sources.matchAll(new RegExp(`"((?:${families})-[A-Z0-9-]+)"`, "g"))].map(([, id]) => id).join(" "));
  assert.ok(there.size > 15);
  for (const id of there) assert.ok(said.has(id), `${id} is in deploy/README.md`);
  // Those made of parts are on edgectl's page.
  const page = ids(fs.readFileSync(path.join(folder, "README.md"), "utf8"));
  for (const id of page) assert.ok(said.has(id), `${id} is in deploy/README.md`);
});

test("the figures of the sizing table are those the daemons' pages measured", () => {
  const table = guide.slice(guide.indexOf("## Sizing"), guide.indexOf("What follows, by multiplication"));
  const pages = ["web-proxy", "sip-proxy", "turn-server"]
    .map((name) => fs.readFileSync(path.join(root, name, "README.md"), "utf8")).join("\n");
  const measured = [...table.matchAll(/([0-9][0-9.,]*)( to [0-9.]+)? (µs of CPU|µs|KiB)/g)]
    .flatMap(([, first, second, unit]) => [first, second?.slice(4)].filter(Boolean).map((n) => `${n} ${unit.split(" ")[0]}`))
    .filter((figure) => figure !== "15 µs"); // 68,400 allocations a CPU second
  assert.ok(measured.length >= 8);
  for (const figure of measured) assert.ok(pages.includes(figure), `${figure}: measured again? Bring deploy/README.md up to date`);
});
