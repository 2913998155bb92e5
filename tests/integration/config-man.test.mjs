// SPDX-License-Identifier: MIT
// Manual pages and completion are made from the tables: roff has nothing to
// complain of, and each setting and command that --help knows is there.

import assert from "node:assert/strict";
import { test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { binary, buildDir, missing, runProgram, scratch } from "../support/edge.mjs";

const programs = {
  "web-proxy": binary("web-proxy"),
  "sip-proxy": binary("sip-proxy"),
  "turn-server": binary("turn-server"),
  edgectl: path.join(buildDir, "deploy/edgectl/edgectl"),
};

async function printed(name, flag) {
  const done = await runProgram(programs[name], [flag]);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stderr, "");
  return done.stdout;
}

/* What --help names: settings of a daemon, commands of edgectl. */
async function named(name) {
  const help = await printed(name, "--help");
  const pattern = name === "edgectl" ? /^ {2}([a-z0-9-]+) {2,}\S/gm : /^ {2}(--[a-z0-9-]+)/gm;
  const words = [...help.matchAll(pattern)].map((found) => found[1]);
  assert.ok(words.length > 8, help);
  return words;
}

for (const name of Object.keys(programs)) {
  test(`${name}: the manual page`, { skip: missing("groff") }, async () => {
    const roff = await printed(name, "--help-man");
    const done = await runProgram("groff", ["-Kutf8", "-man", "-ww", "-Tutf8", "-P-cbou"], { input: roff });
    assert.equal(done.code, 0);
    assert.equal(done.stderr, "", "nothing for roff to warn of");
    // In a page "--" may not be broken or turned into a dash; lines may.
    const text = done.stdout.replace(/[\u2010\u2011]\n\s*/g, "").replace(/[\u2010\u2011]/g, "-");
    for (const word of await named(name)) assert.ok(text.includes(word), `${word} is in the page`);
    for (const part of ["NAME", "SYNOPSIS", "EXIT STATUS", "SEE ALSO"])
      assert.match(done.stdout, new RegExp(`^${part}$`, "m"));
  });

  test(`${name}: completion`, async () => {
    const script = path.join(scratch(), name);
    fs.writeFileSync(script, await printed(name, "--help-completion"));
    const complete = async (...words) => {
      const done = await runProgram("bash", ["--norc", "-uc",
        `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _edge_${name.replace("-", "_")}; ` +
        'printf "%s\\n" "${COMPREPLY[@]}"', "bash", script, ...words]);
      assert.equal(done.code, 0, done.stderr);
      return done.stdout.trim().split("\n");
    };
    const all = await complete(name, "");
    for (const word of await named(name)) assert.ok(all.includes(word), `${word} is offered`);
    if (name === "edgectl") {
      assert.deepEqual(await complete(name, "fir"), ["firewall"]);
      assert.deepEqual(await complete(name, "reload", "sip"), ["sip-proxy"]);
      assert.ok((await complete(name, "cert", "--key", script)).includes(script));
    } else {
      assert.deepEqual(await complete(name, "--log-level", ""), ["error", "warn", "info", "debug"]);
      assert.deepEqual(await complete(name, "--config", script), [script]);
      assert.deepEqual(await complete(name, "--drain"), ["--drain-time"]);
    }
  });
}
