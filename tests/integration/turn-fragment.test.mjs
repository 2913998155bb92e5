// SPDX-License-Identifier: MIT
// DONT-FRAGMENT (RFC 8656 7.2, 11, 14) on a way that is too narrow: in a
// network of its own whose loopback takes 1400 bytes.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, missing, runProgram, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { TurnClient, echoPeer } from "../support/turn_client.mjs";

const narrow = "ip link set lo mtu 1400 && ip link set lo up";

function skipReason() {
  if (process.env.EDGE_NARROW) return false;
  const without = missing("unshare", "ip");
  if (without) return without;
  const { status } = spawnSync("unshare", ["-rn", "sh", "-c", narrow]);
  return status === 0 ? false : "no network namespaces here";
}

async function inside() {
  const dir = scratch();
  const port = await freePort();
  fs.writeFileSync(path.join(dir, "users"), "alice:wonder\n", { mode: 0o600 });
  const turn = await startDaemon("turn-server", {
    config: {
      listen: [`tcp:127.0.0.1:${port}`],
      "relay-address": ["127.0.0.1", "::1"],
      realm: "narrow.test",
      "users-file": path.join(dir, "users"),
      "allow-peer": ["127.0.0.1:1024-65535", "[::1]:1024-65535"],
      "drain-time": "0s",
    },
  });
  const open = [];
  try {
    for (const [host, family, type, code] of [["127.0.0.1", 1, 3, 4], ["::1", 2, 2, 0]]) {
      const peer = await echoPeer(host);
      const client = await TurnClient.open({ port, transport: "tcp", realm: "narrow.test", user: "alice", password: "wonder" });
      open.push(client, peer);
      const told = [];
      client.onIcmp = (icmp, about) => told.push({ ...icmp, port: about.port });
      assert.equal((await client.allocate({ family })).code, 0);
      assert.equal((await client.permit(host)).code, 0);
      client.sendTo(host, peer.port, Buffer.alloc(1500), { whole: true });
      await waitFor(() => told.length === 1, { what: "too big" });
      assert.deepEqual(told, [{ type, code, port: peer.port }]);
      client.sendTo(host, peer.port, Buffer.alloc(1000), { whole: true });
      client.sendTo(host, peer.port, Buffer.alloc(1501));
      await waitFor(() => peer.got.length === 2, { what: "the two that can go" });
      assert.deepEqual(peer.got.map((p) => p.bytes.length).sort(), [1000, 1501]);
      assert.equal(told.length, 1);
    }
  } finally {
    for (const one of open) one.close();
    await turn.stop();
  }
}

test("what must not be fragmented and is too long is told, and nothing else", { skip: skipReason() }, async () => {
  if (process.env.EDGE_NARROW) {
    await inside();
    return;
  }
  const file = fileURLToPath(import.meta.url);
  const { code, stdout } = await runProgram("unshare", [
    "-rn", "sh", "-c", `unset NODE_TEST_CONTEXT && ${narrow} && EDGE_NARROW=1 exec "$0" "$1"`, process.execPath, file,
  ], { timeout: 60000 });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^(# )?pass 1$|^. pass 1$/m);
});
