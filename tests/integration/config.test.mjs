// SPDX-License-Identifier: MIT
// What an operator copies is right: each example file passes --check, and a
// mistake in it does not; the units are hardened.

import assert from "node:assert/strict";
import { test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { makeCertificates, missing, root, runDaemon, runProgram, scratch } from "../support/edge.mjs";

const daemons = ["web-proxy", "sip-proxy", "turn-server"];
const examples = path.join(root, "deploy/config");

/* A stand-in for /etc/edge: --check wants to read what settings name. */
async function etcEdge() {
  const dir = scratch();
  const made = await makeCertificates(dir);
  fs.copyFileSync(made.cert, path.join(dir, "fullchain.pem"));
  fs.copyFileSync(made.ca, path.join(dir, "inside-ca.pem"));
  for (const name of ["turn.secret", "sip-token.key"])
    fs.writeFileSync(path.join(dir, name), "0123456789abcdef0123456789abcdef\n", { mode: 0o600 });
  return dir;
}

for (const layout of fs.readdirSync(examples))
  for (const name of daemons)
    test(`${layout}/${name}.json is accepted`, async () => {
      const dir = await etcEdge();
      const text = fs.readFileSync(path.join(examples, layout, `${name}.json`), "utf8");
      const file = path.join(dir, `${name}.json`);
      fs.writeFileSync(file, text.replaceAll("/etc/edge/", `${dir}/`));

      const good = await runDaemon(name, ["--config", file, "--check"]);
      assert.equal(good.code, 0, good.stderr);
      assert.equal(good.stderr, "", "no warning either");

      fs.writeFileSync(file, text.replaceAll("/etc/edge/", `${dir}/`).replace('"listen"', '"listem"'));
      const bad = await runDaemon(name, ["--config", file, "--check"]);
      assert.equal(bad.code, 1);
      assert.match(bad.stderr, /listem/);
      assert.ok(bad.stderr.includes(file), "the message names the file");
    });

for (const name of daemons)
  test(`${name}.service is a unit that systemd understands`, {
    skip: missing("systemd-analyze"),
  }, async () => {
    const unit = path.join(root, "deploy/systemd", `${name}.service`);
    const done = await runProgram("systemd-analyze", ["verify", "--man=no", unit]);
    // The programs are not installed where tests run; that is all it may say.
    const said = done.stderr.split("\n").filter((line) => line.includes(`${name}.service`) &&
      !/is not executable|No such file or directory/.test(line));
    assert.deepEqual(said, []);
  });

for (const name of daemons)
  test(`${name}.service exposes little`, { skip: missing("systemd-analyze") }, async (t) => {
    const unit = path.join(root, "deploy/systemd", `${name}.service`);
    const done = await runProgram("systemd-analyze", ["security", "--offline=true", "--no-pager", unit],
      { env: { LC_ALL: "C.UTF-8" } });
    if (/unrecognized option/.test(done.stderr)) {
      t.skip("this systemd-analyze knows no --offline");
      return;
    }
    const level = done.stdout.match(/Overall exposure level for \S+: ([0-9.]+)/);
    assert.ok(level, done.stdout + done.stderr);
    assert.ok(Number(level[1]) <= 2.0, level[0]);
  });
