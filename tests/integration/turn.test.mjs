// SPDX-License-Identifier: MIT
// turn-server as it is installed: over loopback, with our own plain client.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import {
  freePort, freePortRange, makeCertificates, root, runDaemon, runProgram, scratch, sleep, startDaemon, waitFor,
} from "../support/edge.mjs";
import { ATTR, METHOD, TurnClient, attr, echoPeer, timedUser } from "../support/turn_client.mjs";

const hasV6 = Object.values(os.networkInterfaces()).flat().some((a) => a.address === "::1");
const dir = scratch();
const realm = "turn.test";
const files = { users: path.join(dir, "users"), secret: path.join(dir, "secret") };
let port;
let relayFirst;
let certificates;
let config;

function write(file, content) {
  fs.writeFileSync(file, content, { mode: 0o600 });
}

before(async () => {
  certificates = await makeCertificates(path.join(dir, "pki"));
  write(files.users, "alice:wonder\nbob:builder\n");
  write(files.secret, "north\n");
  port = await freePort();
  relayFirst = await freePortRange(100);
  config = {
    listen: [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`],
    "relay-address": ["127.0.0.1"],
    "relay-ports": `${relayFirst}-${relayFirst + 99}`,
    realm,
    "users-file": files.users,
    "secret-file": files.secret,
    certificate: certificates.cert,
    key: certificates.key,
    "allow-peer": ["127.0.0.0/8"],
    workers: 2,
    "drain-time": "2s",
  };
  if (hasV6) {
    config.listen.push(`udp:[::1]:${port}`, `tcp:[::1]:${port}`);
    config["relay-address"].push("::1");
    config["allow-peer"].push("::1/128");
  }
});

const alice = (more = {}) => TurnClient.open({ port, realm, user: "alice", password: "wonder", ...more });

async function pingPong(client, peer, host = "127.0.0.1") {
  const got = [];
  client.onData = (data, from) => got.push({ data: data.toString(), from });
  assert.equal((await client.permit(host)).code, 0);
  client.sendTo(host, peer.port, Buffer.from("by indication"));
  await waitFor(() => got.length === 1, { what: "answer by indication" });
  assert.equal(got[0].data, "by indication");
  assert.equal(got[0].from.port, peer.port);
  assert.equal((await client.bind(0x4001, host, peer.port)).code, 0);
  client.channelData(0x4001, Buffer.from("by channel"));
  await waitFor(() => got.length === 2, { what: "answer by channel" });
  assert.deepEqual(got[1], { data: "by channel", from: 0x4001 });
}

describe("a running server", () => {
  let turn;
  let peer;
  const clients = [];

  const open = async (more) => {
    const client = await alice(more);
    clients.push(client);
    return client;
  };

  before(async () => {
    turn = await startDaemon("turn-server", { config });
    peer = await echoPeer();
  });
  after(async () => {
    for (const client of clients) client.close();
    peer.close();
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  for (const transport of ["udp", "tcp", "tls"])
    test(`relays both ways over ${transport} and forgets all on release`, async () => {
      const before = (await turn.status()).allocations;
      const client = await open({ transport });
      const allocated = await client.allocate();
      assert.equal(allocated.code, 0);
      assert.equal(allocated.relayed.ip, "127.0.0.1");
      assert.ok(allocated.relayed.port >= relayFirst && allocated.relayed.port < relayFirst + 100);
      await pingPong(client, peer);
      assert.equal((await turn.status()).allocations, before + 1);
      assert.equal((await client.refresh(0)).code, 0);
      assert.equal((await turn.status()).allocations, before);
    });

  test("relays over IPv6", { skip: hasV6 ? false : "no ::1 here" }, async () => {
    const peer6 = await echoPeer("::1");
    const client = await open({ host: "::1" });
    const allocated = await client.allocate({ family: 2 });
    assert.equal(allocated.code, 0);
    assert.equal(allocated.relayed.ip, "0:0:0:0:0:0:0:1");
    await pingPong(client, peer6, "::1");
    await client.refresh(0);
    peer6.close();
  });

  test("answers Binding on every transport without credentials", async () => {
    for (const transport of ["udp", "tcp", "tls"]) {
      const client = await open({ transport });
      const answer = await client.binding();
      assert.equal(answer.type, 0x0101);
      assert.ok(answer.attrs.has(ATTR.mapped));
      assert.ok(!answer.attrs.has(ATTR.software));
    }
  });

  test("keeps the answer to a stranger small", async () => {
    const client = await open();
    const answer = await client.request(METHOD.allocate, [attr(ATTR.transport, Buffer.from([17, 0, 0, 0]))]);
    assert.equal(answer.code, 401);
    assert.ok(answer.size <= 100, `${answer.size} bytes`);
  });

  test("knows time-limited users and no forged ones", async () => {
    const good = await open(timedUser("north"));
    assert.equal((await good.allocate()).code, 0);
    await good.refresh(0);
    const forged = await open(timedUser("south"));
    assert.equal((await forged.allocate()).code, 401);
    const late = await open(timedUser("north", "late", -10));
    assert.equal((await late.allocate()).code, 401);
  });

  test("refuses peers that were not opened, its own listeners first", async () => {
    const client = await open();
    await client.allocate();
    for (const ip of ["0.0.0.0", "10.0.0.1", "169.254.169.254", "192.168.0.1", "224.0.0.1", "255.255.255.255"])
      assert.equal((await client.permit(ip)).code, 403, ip);
    assert.equal((await client.bind(0x4002, "127.0.0.1", port)).code, 403);
    assert.equal((await client.permit("127.0.0.1")).code, 0);
    client.sendTo("127.0.0.1", port, Buffer.from("to ourselves"));
    await waitFor(async () => (await turn.status()).stats.drop_peer_denied > 0, { what: "counted" });
    await client.refresh(0);
  });

  test("refuses disguised IPv4 peers on an IPv6 relay", { skip: hasV6 ? false : "no ::1 here" }, async () => {
    const client = await open({ host: "::1" });
    await client.allocate({ family: 2 });
    for (const ip of ["::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::1", "::", "fe80::1", "ff02::1"])
      assert.equal((await client.permit(ip)).code, 403, ip);
    await client.refresh(0);
  });

  test("tells a client that nobody listens at its peer, and goes on for others", async () => {
    const client = await open();
    await client.allocate();
    const gone = await echoPeer();
    gone.close();
    const told = [];
    const got = [];
    client.onIcmp = (icmp, at) => told.push({ ...icmp, port: at.port });
    client.onData = (data) => got.push(data.toString());
    assert.equal((await client.permit("127.0.0.1")).code, 0);
    client.sendTo("127.0.0.1", gone.port, Buffer.from("anybody?"));
    await waitFor(() => told.length > 0, { what: "ICMP" });
    assert.deepEqual(told[0], { type: 3, code: 3, port: gone.port });
    for (let i = 0; i < 20; i++) {
      client.sendTo("127.0.0.1", gone.port, Buffer.from("anybody?"));
      client.sendTo("127.0.0.1", peer.port, Buffer.from(`${i}`));
    }
    await waitFor(() => got.length === 20, { what: "all answers" });
    await client.refresh(0);
  });

  test("puts a frame together that comes byte by byte", async () => {
    const client = await open({ transport: "tcp" });
    const whole = client.write;
    client.write = async (bytes) => {
      for (const byte of bytes) {
        client.socket.write(Buffer.from([byte]));
        await sleep(1);
      }
    };
    assert.equal((await client.binding()).type, 0x0101);
    client.write = whole;
  });

  test("closes a stream of garbage and a silent half-open one is no danger", async () => {
    const silent = net.connect(port, "127.0.0.1");
    const garbage = await open({ transport: "tcp" });
    garbage.write(Buffer.from("\x80\x00\x00\x00\x00\x00\x00\x00", "latin1"));
    await waitFor(() => garbage.closed, { what: "closed" });
    const huge = await open({ transport: "tcp" });
    huge.write(Buffer.from("0003fffc", "hex"));
    await waitFor(() => huge.closed, { what: "closed" });
    assert.equal((await (await open()).binding()).type, 0x0101);
    silent.destroy();
  });

  test("drops for a slow reader instead of keeping everything", async () => {
    const client = await open({ transport: "tcp" });
    await client.allocate();
    peer.echo = false;
    assert.equal((await client.bind(0x4001, "127.0.0.1", peer.port)).code, 0);
    client.channelData(0x4001, Buffer.from("hello"));
    await waitFor(() => peer.got.some((p) => p.bytes.toString() === "hello"), { what: "peer" });
    const relay = peer.got.at(-1).from;
    client.socket.pause();
    const rss = () => Number(fs.readFileSync(`/proc/${turn.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]);
    const before = rss();
    const chunk = Buffer.alloc(1200, 1);
    for (let i = 0; i < 200; i++) {
      for (let j = 0; j < 100; j++) peer.socket.send(chunk, relay.port, relay.address);
      await sleep(5);
      if ((await turn.status()).stats.drop_slow_client > 100) break;
    }
    assert.ok((await turn.status()).stats.drop_slow_client > 100, "drops counted");
    assert.ok(rss() - before < 16 * 1024, `grew ${rss() - before} KiB`);
    peer.echo = true;
    // the others never notice
    assert.equal((await (await open()).binding()).type, 0x0101);
  });

  test("ends an allocation with its connection", async () => {
    const before = (await turn.status()).allocations;
    const client = await open({ transport: "tls" });
    await client.allocate();
    client.close();
    await waitFor(async () => (await turn.status()).allocations <= before, { what: "gone" });
  });

  test("shows its figures", async () => {
    const status = await turn.status();
    assert.equal(status.relay_ports.all, hasV6 ? 200 : 100);
    const metrics = await turn.metrics();
    assert.match(metrics, /turn_server_relayed_packets_total\{to="peer"\} [1-9]/);
    assert.match(metrics, /turn_server_responses_total\{code="403"\} [1-9]/);
    assert.match(metrics, /turn_server_allocations\{transport="udp"\} \d/);
  });

  test("lists its allocations for who asks at the admin socket", async () => {
    const client = await open({ transport: "tls" });
    const { relayed } = await client.allocate();
    await client.bind(0x4001, "127.0.0.1", peer.port);
    client.channelData(0x4001, Buffer.from("12345"));
    const find = async () => JSON.parse((await turn.admin("/allocations")).body)
      .find((a) => a.relayed.includes(`127.0.0.1:${relayed.port}`));
    const mine = await waitFor(async () => ((await find())?.packets_to_client > 0 ? find() : null), { what: "counted" });
    assert.equal(mine.user, "alice");
    assert.equal(mine.transport, "tls");
    assert.equal(mine.client, `127.0.0.1:${client.socket.localPort}`);
    assert.deepEqual([mine.permissions, mine.channels, mine.bytes_to_peers], [1, 1, 5]);
    assert.ok(mine.expires_in > 590 && mine.expires_in <= 600);
    await client.refresh(0);
    assert.equal(await find(), undefined);
  });

  test("leaves no secret in its log", () => {
    assert.doesNotMatch(turn.log(), /wonder|builder|north/);
  });
});

test("lives through a reload: users, peers, certificate", async () => {
  const turn = await startDaemon("turn-server", { config });
  const peer = await echoPeer();
  const client = await alice();
  const file = path.join(turn.dir, "turn-server.json");
  try {
    assert.equal((await client.allocate()).code, 0);
    await pingPong(client, peer);

    write(files.users, "alice:changed\nbob:builder\n");
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
    const old = await alice();
    await waitFor(async () => (await old.allocate())?.code === 401, { what: "old password refused" });
    const fresh = await alice({ password: "changed" });
    assert.equal((await fresh.allocate()).code, 0);
    client.password = "changed";
    assert.equal((await client.refresh(600)).code, 0, "the allocation has lived on");

    const changed = { ...config, "allow-peer": ["127.0.0.9/32"] };
    fs.writeFileSync(file, JSON.stringify(changed));
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
    await waitFor(async () => (await turn.status()).stats.rules_ended > 0, { what: "permissions ended" });
    const count = peer.got.length;
    client.channelData(0x4001, Buffer.from("no more"));
    client.sendTo("127.0.0.1", peer.port, Buffer.from("no more"));
    assert.equal((await client.permit("127.0.0.9")).code, 0);
    assert.equal((await client.bind(0x4009, "127.0.0.1", peer.port)).code, 403);
    assert.equal(peer.got.length, count);

    const before = await new Promise((done) => {
      TurnClient.open({ port, transport: "tls" }).then((c) => {
        done(c.socket.getPeerCertificate().fingerprint256);
        c.close();
      });
    });
    certificates = await makeCertificates(path.join(dir, "pki"));
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
    await waitFor(async () => {
      const c = await TurnClient.open({ port, transport: "tls" });
      const now = c.socket.getPeerCertificate().fingerprint256;
      c.close();
      return now !== before;
    }, { what: "new certificate" });

    fs.writeFileSync(file, JSON.stringify({ ...config, "relay-ports": "x" }));
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 409);
    assert.equal((await client.refresh(600)).code, 0);
    old.close();
    fresh.close();
  } finally {
    write(files.users, "alice:wonder\nbob:builder\n");
    client.close();
    peer.close();
    await turn.stop();
  }
});

test("two servers: their clients meet relay to relay", async () => {
  const servers = [];
  for (let i = 0; i < 2; i++) {
    const [at, first] = [await freePort(), await freePortRange(20)];
    const daemon = await startDaemon("turn-server", {
      config: {
        ...config, listen: [`udp:127.0.0.1:${at}`, `tcp:127.0.0.1:${at}`],
        "relay-address": ["127.0.0.1"], "relay-ports": `${first}-${first + 19}`, hairpin: false,
      },
    });
    servers.push({ daemon, at });
  }
  const left = await alice({ port: servers[0].at });
  const right = await alice({ port: servers[1].at, transport: "tcp" });
  try {
    const [a, b] = [(await left.allocate()).relayed, (await right.allocate()).relayed];
    const heard = [];
    left.onData = (data) => heard.push(`left ${data}`);
    right.onData = (data) => heard.push(`right ${data}`);
    assert.equal((await left.bind(0x4001, b.ip, b.port)).code, 0);
    assert.equal((await right.permit(a.ip)).code, 0);
    left.channelData(0x4001, Buffer.from("hello"));
    await waitFor(() => heard.includes("right hello"));
    right.sendTo(a.ip, a.port, Buffer.from("world"));
    await waitFor(() => heard.includes("left world"));
  } finally {
    left.close();
    right.close();
    for (const { daemon } of servers) await daemon.stop();
  }
});

test("drains: nothing new, what is there goes on until the deadline", async () => {
  const turn = await startDaemon("turn-server", { config });
  const client = await alice();
  const late = await alice();
  assert.equal((await client.allocate()).code, 0);
  assert.equal((await turn.admin("/drain", { method: "POST" })).status, 202);
  await waitFor(async () => (await late.allocate())?.code === 508, { what: "508" });
  assert.equal((await client.refresh(600)).code, 0);
  assert.equal((await client.refresh(0)).code, 0);
  const how = await turn.closed; // the last one has gone
  assert.equal(how.code, 0);
  client.close();
  late.close();
});

test("gives out a range of four ports to the last", async () => {
  const first = await freePortRange(4);
  const turn = await startDaemon("turn-server", {
    config: { ...config, "relay-address": ["127.0.0.1"], "relay-ports": `${first}-${first + 3}` },
  });
  const clients = [];
  for (let i = 0; i < 5; i++) clients.push(await alice());
  const codes = [];
  for (const client of clients) codes.push((await client.allocate()).code);
  assert.deepEqual(codes, [0, 0, 0, 0, 508]);
  await clients[1].refresh(0);
  assert.equal((await clients[4].allocate()).code, 0);
  for (const client of clients) client.close();
  await turn.stop();
});

test("out of descriptors it refuses, and nobody else notices", async () => {
  const turn = await startDaemon("turn-server", { config: { ...config, workers: 1 } });
  const limit = (n) => runProgram("prlimit", ["--pid", String(turn.pid), `--nofile=${n}:`]);
  const first = await alice();
  const second = await alice();
  try {
    assert.equal((await first.allocate()).code, 0);
    const used = new Set(fs.readdirSync(`/proc/${turn.pid}/fd`));
    let free = 0;
    while (used.has(String(free))) free++;
    await limit(free);
    assert.equal((await second.allocate()).code, 508);
    assert.equal((await first.refresh(600)).code, 0);
    assert.equal((await first.binding()).type, 0x0101);
    await limit(10000);
    assert.equal((await second.allocate()).code, 0);
  } finally {
    first.close();
    second.close();
    await turn.stop();
  }
});

test("lets only listed clients relay, and nobody on a STUN listener", async () => {
  const [inside, outside, stun] = [await freePort(), await freePort(), await freePort()];
  const turn = await startDaemon("turn-server", {
    config: {
      ...config,
      listen: [
        { address: `udp:127.0.0.1:${inside}`, client: ["127.0.0.0/8"] },
        { address: `udp:127.0.0.1:${outside}`, client: ["10.0.0.0/8"] },
        `udp:127.0.0.1:${stun},role=stun`],
    },
  });
  const codes = [];
  for (const at of [inside, outside, stun]) {
    const client = await alice({ port: at });
    assert.equal((await client.binding()).type, 0x0101);
    codes.push((await client.allocate()).code);
    client.close();
  }
  assert.deepEqual(codes, [0, 403, 403]);
  await turn.stop();
});

test("says what is wrong with its settings and does not start", async () => {
  const bad = await runDaemon("turn-server", [
    "--listen", "tls:127.0.0.1:0", "--relay-address", "0.0.0.0", "--relay-ports", "9-3", "--check"]);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /relay-ports/);
  const worse = await runDaemon("turn-server", [
    "--listen", "tls:127.0.0.1:0", "--relay-address", "0.0.0.0", "--check"]);
  assert.equal(worse.code, 1);
  assert.match(worse.stderr, /certificate/);
  assert.match(worse.stderr, /wildcard/);

  write(path.join(dir, "broken"), "alice\n");
  const users = await runDaemon("turn-server", [
    "--listen", "udp:127.0.0.1:0", "--relay-address", "127.0.0.1", "--users-file", path.join(dir, "broken"), "--check"]);
  assert.equal(users.code, 1);
  assert.match(users.stderr, /line 1/);
});

test("stops with a clear text when its port is taken", async () => {
  const taken = net.createServer();
  await new Promise((done) => taken.listen(0, "127.0.0.1", done));
  const at = taken.address().port;
  const how = await runDaemon("turn-server", [
    "--listen", `tcp:127.0.0.1:${at}`, "--relay-address", "127.0.0.1", "--users-file", files.users]);
  assert.equal(how.code, 1);
  assert.match(how.stderr, new RegExp(`127\\.0\\.0\\.1:${at}`));
  taken.close();
});

test("the README shows the settings there are", async () => {
  const readme = fs.readFileSync(path.join(root, "turn-server/README.md"), "utf8");
  const { stdout } = await runDaemon("turn-server", ["--help-markdown"]);
  assert.ok(stdout.length > 1000);
  assert.ok(readme.includes(stdout), "replace the table by turn-server --help-markdown");
});
