// SPDX-License-Identifier: MIT
// Third-party authorization (RFC 7635) with coturn's client, whose keys are built in.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { freePort, freePortRange, missing, runProgram, scratch, startDaemon } from "../support/edge.mjs";
import { TurnClient } from "../support/turn_client.mjs";

const skip = missing("turnutils_uclient", "turnutils_peer");
const ring = [
  ["north", "A256GCM", "01234567890123456789012345678901"],
  ["union", "A128GCM", "1234567890123456"],
  ["oldempire", "A256GCM", "12345678901234567890123456789012"],
].map(([kid, algorithm, key]) => `${kid}:${algorithm}:${Buffer.from(key).toString("base64")}\n`);

describe("access tokens", { skip, concurrency: false }, () => {
  const dir = scratch();
  const keys = path.join(dir, "keys");
  let turn;
  let port;
  let peer;
  let peerPort;

  const run = (...args) => runProgram("turnutils_uclient", [
    "-J", "-p", String(port), "-e", "127.0.0.1", "-r", String(peerPort),
    "-n", "10", "-m", "2", "-l", "170", "-z", "20", ...args, "127.0.0.1"], { timeout: 60000 });

  before(async () => {
    fs.writeFileSync(keys, ring.join(""), { mode: 0o600 });
    port = await freePort();
    peerPort = await freePort();
    const first = await freePortRange(100);
    turn = await startDaemon("turn-server", {
      config: {
        listen: [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`],
        "relay-address": ["127.0.0.1"],
        "relay-ports": `${first}-${first + 99}`,
        realm: "token.test",
        "token-keys-file": keys,
        "token-server-name": "turn.token.test",
        "allow-peer": ["127.0.0.0/8"],
        "public-peers": true,
        "drain-time": "1s",
        workers: 2,
      },
    });
    peer = spawn("turnutils_peer", ["-L", "127.0.0.1", "-p", String(peerPort)], { stdio: "ignore" });
  });
  after(async () => {
    peer.kill();
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  for (const [what, args] of [["UDP", []], ["TCP", ["-t"]], ["client to client", ["-y"]]])
    test(`turnutils_uclient -J over ${what} loses nothing`, async () => {
      let stdout;
      for (let i = 0; i < 2; i++) {
        ({ stdout } = await run(...args));
        if (/Total lost packets 0 /.test(stdout)) break;
      }
      assert.match(stdout, /Total lost packets 0 /);
      const [, sent, received] = stdout.match(/start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/);
      assert.ok(Number(sent) > 0);
      assert.equal(sent, received);
      assert.match(turn.log(), /user="(north|union|oldempire)\/[0-9a-f]{16}"/);
    });

  test("turnutils_oauth's tokens open, others do not", { skip: missing("turnutils_oauth") }, async () => {
    const mac = Buffer.from(crypto.randomBytes(10).toString("hex")); // it is printed as it is
    const seal = async (key) => JSON.parse((await runProgram("turnutils_oauth", [
      "-v", "-e", "-i", "turn.token.test", "-j", "union", "-k", Buffer.from(key).toString("base64"), "-l", "1", "-m", "4000000000",
      "-n", "A128GCM", "-p", mac.toString("base64"), "-q", String(BigInt(Math.floor(Date.now() / 1000)) << 16n), "-r", "600"])).stdout);
    const open = async (token) => {
      const client = await TurnClient.open({ port, realm: "token.test", user: "union" });
      client.sessionKey = mac;
      client.token = Buffer.from(token.access_token, "base64");
      const answer = await client.allocate();
      if (answer.code === 0) await client.refresh(0);
      client.close();
      return answer.code;
    };
    assert.equal(await open(await seal("1234567890123456")), 0);
    assert.equal(await open(await seal("6543210987654321")), 401);
    assert.equal((await turn.status()).stats.token_forged, 1);
  });

  test("a key that is withdrawn opens nothing more", async () => {
    fs.writeFileSync(keys, ring[0], { mode: 0o600 });
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
    assert.equal((await turn.status()).realms[0].token_keys, 1);
    fs.writeFileSync(keys, "north:A256GCM:short\n", { mode: 0o600 });
    const refused = await turn.admin("/reload", { method: "POST" });
    assert.equal(refused.status, 409);
    assert.match(refused.body, /token keys, line 1/);
    assert.doesNotMatch(refused.body + turn.log(), /short|MDEy/);
  });
});
