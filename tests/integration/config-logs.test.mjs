// SPDX-License-Identifier: MIT
// The catalogue of log events is what the source says, and each event has a
// meaning; what running daemons log is in it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { freePort, root, runProgram, startDaemon } from "../support/edge.mjs";

test("deploy/logs.md follows the source", async () => {
  const done = await runProgram(path.join(root, "deploy/log-catalogue"), ["--check"]);
  assert.equal(done.code, 0, `${done.stdout}(write the meanings into deploy/logs.md, then run deploy/log-catalogue)`);
});

test("every line of a daemon's life is in it", async () => {
  const known = [...fs.readFileSync(path.join(root, "deploy/logs.md"), "utf8").matchAll(/^\| (\w+) \| `` (.*) `` \| .+ \|$/gm)]
    .map(([, level, text]) => [level, new RegExp(`^${text.replaceAll("\\|", "|")
      .replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/…+/g, ".*")}$`)]);
  assert.ok(known.length > 40);
  const daemon = await startDaemon("sip-proxy", { config: {
    listen: [`ws:127.0.0.1:${await freePort()}`, `udp:127.0.0.1:${await freePort()}`],
    "media-server": [`default=udp:127.0.0.1:${await freePort()}`], "probe-interval": "200ms", "probe-timeout": "100ms" } });
  await daemon.waitLog(/media server is down/);
  daemon.signal("SIGHUP");
  await daemon.waitLog(/settings/);
  await daemon.stop();
  const lines = daemon.log().trim().split("\n");
  assert.ok(lines.length >= 5);
  for (const line of lines) {
    const [, level, text] = line.match(/^\S+ (\w+) +(.*)$/) ?? assert.fail(line);
    assert.ok(known.some(([one, pattern]) => (one === level || one === "any") && pattern.test(text)), line);
  }
});
