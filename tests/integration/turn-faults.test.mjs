// SPDX-License-Identifier: MIT
// What goes wrong around a relay that is in use: secrets and settings change,
// it is told to stop, it is flooded, frames are cut or too long. What was
// established before must not notice.

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { freePort, freePortRange, scratch, sleep, slow, startDaemon, waitFor } from "../support/edge.mjs";
import { ATTR, METHOD, TurnClient, attr, echoPeer, message, timedUser } from "../support/turn_client.mjs";

const dir = scratch();
const realm = "faults.test";
const files = { users: path.join(dir, "users"), secret: path.join(dir, "secret") };
const CHANNEL = 0x4001;
let port;
let config;
let peer;

const write = (file, content) => fs.writeFileSync(file, content, { mode: 0o600 });
const rss = (pid) => Number(fs.readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]);

before(async () => {
  write(files.users, "alice:wonder\n");
  write(files.secret, "north\n");
  port = await freePort();
  const first = await freePortRange(60);
  peer = await echoPeer();
  config = {
    listen: [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`],
    "relay-address": ["127.0.0.1"], "relay-ports": `${first}-${first + 59}`,
    realm, "users-file": files.users, "secret-file": files.secret,
    "allow-peer": ["127.0.0.0/8"], workers: 2, "drain-time": "2s",
  };
});
after(() => peer.close());

const alice = (more = {}) =>
  TurnClient.open({ port, realm, user: "alice", password: "wonder", resend: 500, ...more });

/** A client with an allocation and a channel; ping() is true when an echo came back. */
async function established(more) {
  const client = await alice(more);
  assert.equal((await client.allocate()).code, 0);
  assert.equal((await client.bind(CHANNEL, "127.0.0.1", peer.port)).code, 0);
  const seen = new Set();
  client.onData = (data) => seen.add(data.toString());
  let count = 0;
  client.ping = async () => {
    const text = `ping ${++count}`;
    // UDP may lose one on a busy machine; nothing comes back through a relay that is gone.
    await waitFor(() => {
      if (!seen.has(text)) client.channelData(CHANNEL, Buffer.from(text));
      return seen.has(text);
    }, { every: 100, what: text });
  };
  return client;
}

test("a secret is rotated under load: no established allocation is lost", async () => {
  const turn = await startDaemon("turn-server", { config });
  const reload = async () => assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
  const clients = [];
  let going = true;
  const loads = [];
  try {
    for (let i = 0; i < 24; i++) {
      const client = await established({ ...timedUser("north", `user${i}`), transport: i % 3 ? "udp" : "tcp" });
      clients.push(client);
      loads.push((async () => { while (going) { await client.ping(); await sleep(10); } })());
    }
    write(files.secret, "south\nnorth\n"); // both are accepted
    await reload();
    const fresh = await established(timedUser("south", "fresh"));
    clients.push(fresh);
    write(files.secret, "south\n"); // the old one is withdrawn
    await reload();
    const late = await alice(timedUser("north", "late"));
    clients.push(late);
    await waitFor(async () => (await late.allocate())?.code === 401, { what: "the old secret is worth nothing" });
    for (let i = 0; i < 5; i++) { // and an operator who is in a hurry
      write(files.secret, `west${i}\nsouth\n`);
      await reload();
    }
    going = false;
    await Promise.all(loads);
    for (const client of clients) if (client !== late) await client.ping();
    const status = await turn.status();
    assert.equal(status.allocations, 25);
    assert.equal(status.stats.drop_no_channel + status.stats.drop_no_allocation, 0);
    // who comes back with a name of the present secret owns what it had
    assert.equal((await fresh.refresh(600)).code, 0);
  } finally {
    going = false;
    for (const client of clients) client.close();
    await turn.stop({ drain: 0 });
  }
});

test("SIGTERM: what lives goes on, nothing new begins, and it ends in time", async () => {
  const turn = await startDaemon("turn-server", { config });
  const clients = [await established(), await established({ transport: "tcp" })];
  const late = await alice();
  turn.signal("SIGTERM");
  await waitFor(async () => (await late.allocate())?.code === 508, { what: "508" });
  for (const client of clients) await client.ping();
  const how = await turn.closed; // after drain-time: they never say goodbye
  assert.equal(how.code, 0, turn.log());
  assert.ok(!/Sanitizer: |runtime error: /.test(turn.log()), turn.log());
  for (const client of [...clients, late]) client.close();
});

test("another number of workers waits for a restart, which clients get over", async () => {
  let turn = await startDaemon("turn-server", { config: { ...config, workers: 1 } });
  const client = await established();
  try {
    fs.writeFileSync(path.join(turn.dir, "turn-server.json"), JSON.stringify({ ...config, workers: 3 }));
    const { status, body } = await turn.admin("/reload", { method: "POST" });
    assert.equal(status, 200, body);
    await turn.waitLog(/workers.*needs a restart/);
    await client.ping();
    await turn.stop({ drain: 0 });

    turn = await startDaemon("turn-server", { config: { ...config, workers: 3 } });
    const count = peer.got.length;
    client.channelData(CHANNEL, Buffer.from("nobody knows me")); // dropped
    const refreshed = await client.refresh(600);
    assert.ok([401, 437, 438].includes(refreshed.code), `${refreshed.code}`);
    assert.equal(peer.got.length, count);
    assert.equal((await client.allocate()).code, 0);
    const others = [];
    for (let i = 0; i < 12; i++) others.push(await established());
    for (const other of others) await other.ping();
    assert.equal((await turn.status()).allocations, 13);
    for (const other of others) other.close();
  } finally {
    client.close();
    await turn.stop({ drain: 0 });
  }
});

describe("with others relaying", () => {
  let turn;
  const others = [];

  before(async () => {
    turn = await startDaemon("turn-server", { config: { ...config, "max-packet": "1500" } });
    others.push(await established(), await established({ transport: "tcp" }));
  });
  after(async () => {
    for (const other of others) other.close();
    const how = await turn.stop({ drain: 0 });
    assert.equal(how.code, 0, turn.log());
  });
  const unharmed = async () => {
    for (const other of others) await other.ping();
    assert.equal((await turn.status()).allocations, others.length);
  };

  test("a hundred thousand Allocates of strangers leave nothing behind", async () => {
    const all = slow > 1 ? 20000 : 100000;
    const allocate = message(METHOD.allocate, Buffer.alloc(12, 7),
      [attr(ATTR.transport, Buffer.from([17, 0, 0, 0]))]);
    const sockets = [];
    for (let i = 0; i < 100; i++) {
      const socket = dgram.createSocket("udp4");
      await new Promise((done) => socket.bind(0, `127.9.${i % 10}.${1 + i}`, done));
      socket.on("message", () => {});
      sockets.push(socket);
    }
    const challenged = async () => (await turn.status()).stats;
    const before = { rss: rss(turn.pid), stats: await challenged() };
    for (let i = 0; i < all; i += 500) {
      for (let j = i; j < i + 500; j++) {
        allocate.writeUInt32BE(j, 8);
        sockets[j % sockets.length].send(allocate, port, "127.0.0.1");
      }
      await sleep(2);
      if (i % 20000 === 0) await unharmed();
    }
    await unharmed();
    const now = await challenged();
    const heard = now.requests - before.stats.requests + now.drop_rate - before.stats.drop_rate;
    assert.ok(heard > all / 10, `${heard} were heard`);
    assert.ok(rss(turn.pid) - before.rss < 4096 * (slow > 1 ? 8 : 1), "memory");
    for (const socket of sockets) socket.close();
  });

  test("packets cut anywhere are dropped", async () => {
    const tid = Buffer.alloc(12, 9);
    const whole = message(METHOD.allocate, tid, [attr(ATTR.transport, Buffer.from([17, 0, 0, 0])),
      attr(ATTR.username, Buffer.from("alice")), attr(ATTR.realm, Buffer.from(realm)),
      attr(ATTR.nonce, Buffer.alloc(40, 97)), attr(ATTR.integrity, Buffer.alloc(20))]);
    const stranger = await alice();
    const before = (await turn.status()).stats.drop_malformed;
    for (let n = 0; n < whole.length; n++) stranger.write(whole.subarray(0, n));
    await waitFor(async () => {
      stranger.write(whole.subarray(0, 21));
      return (await turn.status()).stats.drop_malformed - before >= whole.length / 2;
    }, { what: "drops counted" });
    await unharmed();
    stranger.close();
  });

  test("ChannelData shorter than it says is dropped", async () => {
    const count = peer.got.length;
    const [udp] = others;
    for (let n = 1; n < 40; n++) {
      const packet = Buffer.alloc(4 + n);
      packet.writeUInt16BE(CHANNEL, 0);
      packet.writeUInt16BE(n + 1 + n * 100, 2);
      udp.write(packet);
    }
    await udp.ping();
    const texts = peer.got.slice(count).map((p) => p.bytes.toString());
    assert.ok(texts.every((text) => text.startsWith("ping ")), `${texts}`);
  });

  test("packets longer than max-packet are neither relayed nor cut", async () => {
    const [udp] = others;
    const count = peer.got.length;
    const got = [];
    const before = udp.onData;
    udp.onData = (data) => { got.push(data.length); before(data); };
    for (const size of [1400, 1600, 9000, 60000]) udp.channelData(CHANNEL, Buffer.alloc(size, 1));
    await udp.ping();
    assert.deepEqual(peer.got.slice(count).map((p) => p.bytes.length).filter((n) => n > 100), [1400]);
    const relay = peer.got.at(-1).from;
    for (const size of [1600, 9000, 60000, 1400])
      peer.socket.send(Buffer.alloc(size, 2), relay.port, relay.address);
    await waitFor(() => got.filter((n) => n === 1400).length === 2, { what: "what fits" });
    assert.ok(got.every((n) => n <= 1400), `${got}`);
    udp.onData = before;
    await unharmed();
  });

  test("a stream with a frame that is too long, or none, is closed", async () => {
    for (const hex of ["4001fffc", "0003fffc", "00030003", "ffff", "80"]) {
      const client = await alice({ transport: "tcp" });
      client.write(Buffer.from(hex, "hex"));
      await waitFor(() => client.closed, { what: `closed after ${hex}` });
      client.close();
    }
    const half = await alice({ transport: "tcp" }); // waits, and takes nothing
    half.write(Buffer.from("4001", "hex"));
    await unharmed();
    half.close();
  });
});
