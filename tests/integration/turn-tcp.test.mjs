// SPDX-License-Identifier: MIT
// TCP relays (RFC 6062): our own plain client, then coturn's.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import crypto from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import {
  freePort, freePortRange, makeCertificates, missing, runProgram, scratch, startDaemon, waitFor,
} from "../support/edge.mjs";
import { TurnClient } from "../support/turn_client.mjs";

const hasV6 = Object.values(os.networkInterfaces()).flat().some((a) => a.address === "::1");
const dir = scratch();
const realm = "tcp.test";
const peers = new Set();

/** A TCP server as peer; { port, sockets, onSocket, close() }. */
async function tcpPeer(onSocket, host = "127.0.0.1") {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    peer.sockets.push(socket);
    socket.on("error", () => {});
    socket.on("close", () => { socket.isOver = true; });
    peer.onSocket(socket);
  });
  const peer = {
    sockets: [],
    onSocket,
    close: () => {
      server.close();
      for (const socket of peer.sockets) socket.destroy();
    },
  };
  server.listen(0, host);
  await once(server, "listening");
  peer.port = server.address().port;
  peers.add(peer);
  return peer;
}
const echo = (socket) => socket.on("data", (d) => socket.write(d)).on("end", () => socket.end());

describe("TCP relays", { concurrency: false }, () => {
  let turn;
  let port;
  let config;
  const open = new Set();

  const client = async (more = {}) => {
    const c = await TurnClient.open({ port, realm, user: "alice", password: "wonder", transport: "tcp", ...more });
    open.add(c);
    return c;
  };
  const allocated = async (more = {}) => {
    const c = await client(more);
    const msg = await c.allocate({ relay: "tcp", family: more.family });
    assert.equal(msg.code, 0);
    return Object.assign(c, { relayed: msg.relayed });
  };
  /** A data connection, bound; what it receives is in .got. */
  const dataOf = async (connection, more = {}) => {
    const data = await client(more);
    data.got = [];
    data.size = 0;
    const msg = await data.bindConnection(connection, (bytes) => { data.got.push(bytes); data.size += bytes.length; });
    assert.equal(msg.code, 0);
    return data;
  };
  const text = (data) => Buffer.concat(data.got).toString();

  before(async () => {
    const made = await makeCertificates(path.join(dir, "pki"));
    fs.writeFileSync(path.join(dir, "users"), "alice:wonder\nbob:builder\n", { mode: 0o600 });
    port = await freePort();
    const first = await freePortRange(200);
    config = {
      listen: ["tcp", "udp"].flatMap((t) => [`${t}:127.0.0.1:${port}`].concat(hasV6 ? [`${t}:[::1]:${port}`] : [])),
      "relay-address": ["127.0.0.1"].concat(hasV6 ? ["::1"] : []),
      "relay-ports": `${first}-${first + 199}`,
      realm,
      "users-file": path.join(dir, "users"),
      certificate: made.cert,
      key: made.key,
      "tcp-relay": true,
      "allow-peer": ["127.0.0.0/8"],
      "allow-tcp-peer": ["127.0.0.1:1024-65535"].concat(hasV6 ? ["::1/128"] : []),
      "drain-time": "1s",
      workers: 2,
    };
    turn = await startDaemon("turn-server", { config });
  });
  after(async () => {
    for (const c of [...open, ...peers]) c.close();
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  for (const [transport, host] of [["tcp", "127.0.0.1"], ["tls", "127.0.0.1"], ["tcp", "::1"]])
    test(`bytes go both ways over ${transport} at ${host}, on whatever worker they arrive`,
      { skip: host === "::1" && !hasV6 ? "no ::1 here" : false }, async () => {
        const peer = await tcpPeer((socket) => { socket.write("early "); echo(socket); }, host);
        for (let i = 0; i < 8; i++) {
          const control = await allocated({ transport, host, family: host === "::1" ? 2 : undefined });
          const answer = await control.connect(host, peer.port);
          assert.equal(answer.code, 0);
          const [socket] = await waitFor(() => peer.sockets.length === 1 && peer.sockets.splice(0), { what: "the peer's side" });
          assert.equal(socket.remotePort, control.relayed.port); // it comes from the relay
          const data = await dataOf(answer.connection, { transport, host });
          data.write(Buffer.from("and late"));
          await waitFor(() => text(data) === "early and late", { what: "echo" });
          control.close();
          await waitFor(() => data.closed && socket.isOver, { what: "the end of both" });
        }
        peer.close();
      });

  test("some of them had to change their worker", async () => {
    const { stats } = await turn.status();
    assert.ok(stats.moved > 0);
    assert.equal(stats.move_failed, 0);
    assert.equal(stats.tcp_connections, 0);
  });

  for (const transport of ["tcp", "tls"])
    test(`megabytes arrive as they were sent over ${transport}`, async () => {
      const peer = await tcpPeer(echo);
      const control = await allocated({ transport });
      const data = await dataOf((await control.connect("127.0.0.1", peer.port)).connection, { transport });
      const sent = crypto.randomBytes(6 << 20);
      data.write(sent);
      await waitFor(() => data.size === sent.length, { what: "all to come back" });
      assert.ok(Buffer.concat(data.got).equals(sent));
      peer.close();
      control.close();
    });

  test("who ends sending still gets the rest", async () => {
    const heard = [];
    const peer = await tcpPeer((socket) => {
      socket.on("data", (d) => heard.push(d));
      socket.on("end", () => socket.end("the answer"));
    });
    const control = await allocated();
    const data = await dataOf((await control.connect("127.0.0.1", peer.port)).connection);
    data.socket.end("the question");
    await waitFor(() => text(data) === "the answer" && data.closed, { what: "the answer" });
    assert.equal(Buffer.concat(heard).toString(), "the question");
    // and the other way round
    peer.onSocket = (socket) => { socket.end("first"); socket.on("data", (d) => heard.push(d)); };
    const again = await dataOf((await control.connect("127.0.0.1", peer.port)).connection, { halfOpen: true });
    await waitFor(() => text(again) === "first", { what: "the peer's" });
    again.write(Buffer.from(", second"));
    await waitFor(() => Buffer.concat(heard).toString() === "the question, second", { what: "ours" });
    peer.close();
    control.close();
  });

  test("a reader that stops stops the writer, and nothing is lost", async () => {
    const size = 40 << 20;
    const peer = await tcpPeer((socket) => socket.end(Buffer.alloc(size, "x")));
    const control = await allocated();
    const connection = (await control.connect("127.0.0.1", peer.port)).connection;
    const data = await client();
    let got = 0;
    assert.equal((await data.bindConnection(connection)).code, 0);
    data.socket.pause();
    let last = -1;
    await waitFor(async () => { // until no more comes through
      const before = last;
      last = (await turn.status()).stats.tcp_to_client;
      return last === before;
    }, { every: 300, what: "a standstill" });
    assert.ok(peer.sockets[0].writableLength > 0); // held back at its source
    assert.ok(last < size / 2, `${last} bytes on their way`);
    data.readRaw((bytes) => { got += bytes.length; });
    data.socket.resume();
    await waitFor(() => got === size, { what: "all of it", timeout: 30000 });
    peer.close();
    control.close();
  });

  test("a peer with permission connects, and the client is told", async () => {
    const control = await allocated();
    const attempts = [];
    control.onAttempt = (connection, from) => attempts.push({ connection, from });
    const stranger = net.connect(control.relayed.port, "127.0.0.1");
    stranger.on("error", () => {});
    await once(stranger, "close"); // no permission
    assert.equal(attempts.length, 0);

    assert.equal((await control.permit("127.0.0.1")).code, 0);
    const socket = net.connect(control.relayed.port, "127.0.0.1");
    socket.write("from outside");
    await waitFor(() => attempts.length === 1, { what: "ConnectionAttempt" });
    assert.equal(attempts[0].from.port, socket.localPort);
    const data = await dataOf(attempts[0].connection);
    await waitFor(() => text(data) === "from outside", { what: "early data" });
    data.write(Buffer.from("hello"));
    const [reply] = await once(socket, "data");
    assert.equal(reply.toString(), "hello");
    socket.resetAndDestroy();
    await waitFor(() => data.closed, { what: "the end" });
    control.close();
  });

  test("each error is told as it should be", async () => {
    const peer = await tcpPeer(echo);
    const closed = await tcpPeer(echo);
    closed.close();
    const control = await allocated();
    assert.equal((await control.connect("127.0.0.1", 1023)).code, 403); // not that port
    assert.equal((await control.connect("127.0.0.2", peer.port)).code, 403); // UDP may, TCP may not
    assert.equal((await control.connect("127.0.0.1", port)).code, 403); // ourselves
    assert.equal((await control.connect("127.0.0.1", closed.port)).code, 447);
    const { code, connection } = await control.connect("127.0.0.1", peer.port);
    assert.equal(code, 0);
    assert.equal((await control.connect("127.0.0.1", peer.port)).code, 446);
    assert.equal((await (await client({ user: "bob", password: "builder" })).bindConnection(connection)).code, 441);
    assert.equal((await (await client()).bindConnection(Buffer.from([0, 1, 2, 3]))).code, 400);
    assert.equal((await control.bindConnection(connection)).code, 400);
    assert.equal((await (await client({ transport: "udp" })).bindConnection(connection)).code, 400);
    assert.equal((await (await client({ transport: "udp" })).allocate({ relay: "tcp" })).code, 400);
    assert.equal((await (await client()).connect("127.0.0.1", peer.port, { plain: true })).code, 401);
    const udp = await client();
    assert.equal((await udp.allocate()).code, 0);
    assert.equal((await udp.connect("127.0.0.1", peer.port)).code, 437);
    peer.close();
    control.close();
  });

  test("what new rules forbid ends at once", async () => {
    const peer = await tcpPeer(echo);
    const control = await allocated();
    const data = await dataOf((await control.connect("127.0.0.1", peer.port)).connection);
    const file = path.join(turn.dir, "turn-server.json");
    fs.writeFileSync(file, JSON.stringify({ ...config, "tcp-relay": false }));
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
    await waitFor(() => data.closed, { what: "the end" });
    assert.equal((await control.connect("127.0.0.1", peer.port)).code, 403);
    assert.equal((await (await client()).allocate({ relay: "tcp" })).code, 442);
    fs.writeFileSync(file, JSON.stringify(config));
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
    assert.equal((await control.connect("127.0.0.1", peer.port)).code, 0);
    peer.close();
    control.close();
  });

  test("coturn's client", { skip: missing("turnutils_uclient") }, async () => {
    const run = async (...args) => (await runProgram("turnutils_uclient", [
      "-u", "alice", "-w", "wonder", "-p", String(port), "-n", "5", "-m", "1", "-l", "170", ...args, "127.0.0.1"],
    { timeout: 90000 })).stdout;
    const [plain, tls, passive] = await Promise.all([run("-T"), run("-T", "-S"), run("-T", "-P", "-n", "2")]);
    for (const stdout of [plain, tls]) assert.match(stdout, /Total lost packets 0 \(0\.0+%\)/);
    // its passive half only sends: every message arrives on the other side
    assert.match(passive, /tot_send_msgs=4, tot_recv_msgs=2\n/);
  });
});
