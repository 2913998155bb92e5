// SPDX-License-Identifier: MIT
// Clients that change their address (RFC 8016), with two workers: the new
// address is often the other one's.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {
  freePort, freePortRange, makeCertificates, missing, runProgram, scratch, startDaemon, waitFor,
} from "../support/edge.mjs";
import { ATTR, TurnClient, echoPeer } from "../support/turn_client.mjs";

const dir = scratch();
const realm = "mobile.test";

describe("clients that move", { concurrency: false }, () => {
  let turn;
  let port;
  let config;
  let peer;
  const open = new Set();

  const client = async (transport, more = {}) => {
    const c = await TurnClient.open({ port, realm, user: "alice", password: "wonder", transport, ...more });
    open.add(c);
    return c;
  };
  const ticketOf = (msg) => Buffer.from(msg.attrs.get(ATTR.ticket));
  const pingPong = async (c, word) => {
    const got = [];
    c.onData = (data) => got.push(data.toString());
    c.channelData(0x4001, Buffer.from(word));
    await waitFor(() => got.includes(word), { what: `"${word}" comes back` });
  };

  before(async () => {
    const made = await makeCertificates(path.join(dir, "pki"));
    fs.writeFileSync(path.join(dir, "users"), "alice:wonder\nbob:builder\n", { mode: 0o600 });
    port = await freePort();
    const first = await freePortRange(100);
    config = {
      listen: [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`],
      "relay-address": ["127.0.0.1"],
      "relay-ports": `${first}-${first + 99}`,
      realm,
      "users-file": path.join(dir, "users"),
      certificate: made.cert,
      key: made.key,
      mobility: true,
      "allow-peer": ["127.0.0.0/8"],
      "drain-time": "1s",
      workers: 2,
    };
    turn = await startDaemon("turn-server", { config });
    peer = await echoPeer();
  });
  after(async () => {
    for (const c of open) c.close();
    peer.close();
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  for (const [from, to] of [["udp", "udp"], ["tcp", "tls"], ["tls", "tcp"], ["udp", "tls"], ["tcp", "udp"]])
    test(`an allocation made over ${from} goes on over ${to}, again and again`, async () => {
      let now = await client(from);
      const made = await now.allocate({ mobile: true });
      assert.equal(made.code, 0);
      assert.equal((await now.bind(0x4001, "127.0.0.1", peer.port)).code, 0);
      await pingPong(now, "at home");
      let ticket = ticketOf(made);
      for (let i = 0; i < 6; i++) {
        const next = await client(to);
        const msg = await next.move(ticket);
        assert.equal(msg.code, 0);
        ticket = ticketOf(msg);
        await pingPong(now, "not yet gone"); // the old one serves until the new one does
        await pingPong(next, `place ${i}`);
        assert.equal(peer.got.at(-1).from.port, made.relayed.port); // the peer sees nothing of it
        now.close();
        now = next;
      }
      assert.equal((await now.refresh(0)).code, 0);
      assert.equal((await turn.status()).allocations, 0);
      now.close();
    });

  test("some of those moves were to the other worker", async () => {
    const { stats } = await turn.status();
    assert.ok(stats.mobile_moved >= 30);
    assert.ok(stats.forwarded > 0); // UDP
    assert.ok(stats.moved > 0); // TCP and TLS
    assert.equal(stats.drop_forward, 0);
  });

  test("a lost connection does not end the allocation", async () => {
    const c = await client("tcp");
    const made = await c.allocate({ mobile: true });
    assert.equal((await c.bind(0x4001, "127.0.0.1", peer.port)).code, 0);
    c.close();
    const next = await client("tcp");
    assert.equal((await next.move(ticketOf(made))).code, 0);
    await pingPong(next, "back again");
    assert.equal((await next.refresh(0)).code, 0);
  });

  test("a ticket alone is worth nothing", async () => {
    const c = await client("udp");
    const ticket = ticketOf(await c.allocate({ mobile: true }));
    assert.equal((await (await client("udp", { user: "bob", password: "builder" })).move(ticket)).code, 441);
    assert.equal((await (await client("udp", { password: "wrong" })).move(ticket)).code, 401);
    assert.equal((await (await client("udp")).move(Buffer.alloc(32, "A"))).code, 400);
    assert.equal((await c.refresh(0)).code, 0);
    assert.equal((await (await client("udp")).move(ticket)).code, 437);
  });

  test("coturn's client", { skip: missing("turnutils_uclient", "turnutils_peer") }, async () => {
    const peerPort = await freePort();
    const echo = spawn("turnutils_peer", ["-L", "127.0.0.1", "-p", String(peerPort)], { stdio: "ignore" });
    const before = (await turn.status()).stats.mobile_moved;
    try {
      await Promise.all([[], ["-t"]].map(async (args) => {
        const { stdout } = await runProgram("turnutils_uclient", [
          "-M", "-u", "alice", "-w", "wonder", "-p", String(port), "-e", "127.0.0.1", "-r", String(peerPort),
          "-n", "10", "-m", "2", "-l", "170", ...args, "127.0.0.1"], { timeout: 60000 });
        assert.match(stdout, /Total lost packets 0 \(0\.0+%\)/);
      }));
    } finally {
      echo.kill();
    }
    assert.ok((await turn.status()).stats.mobile_moved > before);
  });

  test("is forbidden unless switched on (405)", async () => {
    fs.writeFileSync(path.join(turn.dir, "turn-server.json"), JSON.stringify({ ...config, mobility: false }));
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
    const c = await client("udp");
    await waitFor(async () => (await c.allocate({ mobile: true })).code === 405, { what: "405" });
    assert.equal((await c.allocate()).code, 0);
  });
});
