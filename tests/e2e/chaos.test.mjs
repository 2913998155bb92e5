// SPDX-License-Identifier: MIT
// A short piece of the chaos run (tests/chaos/run.mjs, about six minutes
// whole): each daemon is killed while calls go on.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { missing, root, runProgram } from "../support/edge.mjs";
import { noNamespaces } from "../support/netns.mjs";

const skip = await noNamespaces() || missing("kamailio", "openssl", "curl", "nft");

test("killed daemons take with them only what was theirs", { skip, timeout: 240000 }, async () => {
  const { code, stdout, stderr } = await runProgram(process.execPath,
    [path.join(root, "tests/chaos/run.mjs"), "--seed", "1", "--only", "kill -9"], { timeout: 230000 });
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /3 of 3 faults as they should be/);
});
