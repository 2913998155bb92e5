// SPDX-License-Identifier: MIT
// Idle WebSockets and a steady stream of requests while the settings are
// reloaded again and again: nothing fails, nothing drops, memory stays.
// EDGE_FULL=1: 5,000 WebSockets, 200 requests/s, a reload every 10 s, 5 minutes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { once } from "node:events";
import { createRequire } from "node:module";
import { freePort, makeCertificates, scratch, sleep, slow, startDaemon, waitFor } from "../support/edge.mjs";

let WebSocket, WebSocketServer, skip = false;
try {
  ({ WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws"));
} catch {
  skip = "the npm package ws is not installed";
}

const full = Boolean(process.env.EDGE_FULL);
const load = full
  ? { sockets: 5000, rate: 200, reload: 10000, time: 300000 }
  : { sockets: 300, rate: Math.ceil(100 / slow), reload: 1500, time: 8000 };

let dir, file, backend, proxy, ports, certs, config;

/** Resident memory in KiB. */
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${proxy.pid}/status`, "utf8"))[1]);

async function openSockets(n, seen) {
  const sockets = [];
  for (let i = 0; i < n; i += 50) {
    const some = Array.from({ length: Math.min(50, n - i) }, () =>
      new WebSocket(`ws://127.0.0.1:${ports.http}/ws`, { perMessageDeflate: false }));
    await Promise.all(some.map((socket) => once(socket, "open")));
    sockets.push(...some);
  }
  for (const socket of sockets) {
    socket.on("close", (code) => { if (!seen.over) seen.dropped.push(code); });
    socket.on("error", () => {});
  }
  return sockets;
}

/** One request; what went wrong with it, or nothing. */
function request(client, options) {
  return new Promise((done) => {
    client.get({ ...options, timeout: 20000 * slow }, (answer) => {
      answer.resume();
      answer.on("end", () => done(answer.statusCode === 200 ? null : `status ${answer.statusCode}`));
      answer.on("error", (error) => done(error.code));
    }).on("error", (error) => done(error.code)).on("timeout", function late() { this.destroy(new Error("late")); });
  });
}

/** `rate` requests a second, every second one by TLS, until seen.over. */
async function ask(seen) {
  const agents = [new http.Agent({ keepAlive: true }), new https.Agent({ keepAlive: true, ca: fs.readFileSync(certs.ca) })];
  const under = new Set();
  let due = Date.now();
  while (!seen.over) {
    // After a stall of the machine the pace goes on; nothing is made up for.
    due = Math.max(due, Date.now() - 1000);
    for (; due <= Date.now() && under.size < 64; due += 1000 / load.rate) {
      const i = seen.asked++ % 2;
      const one = request(i ? https : http, { port: i ? ports.https : ports.http, host: "127.0.0.1", path: `/x${seen.asked}`, agent: agents[i] })
        .then((wrong) => { under.delete(one); if (wrong) seen.failed.push(wrong); });
      under.add(one);
    }
    await sleep(5);
  }
  await Promise.all(under);
  for (const agent of agents) agent.destroy();
}

async function reloadAgain(seen) {
  while (!seen.over) {
    await sleep(load.reload);
    seen.reloads++;
    config.route[1]["body-size"] = `${seen.reloads + 10}k`;
    fs.writeFileSync(file, JSON.stringify(config));
    const { status, body } = await proxy.admin("/reload", { method: "POST", timeout: 60000 });
    assert.equal(status, 200, body);
  }
}

before(async () => {
  if (skip) return;
  dir = scratch();
  certs = await makeCertificates(dir);
  const server = http.createServer((incoming, answer) => answer.end("ok"));
  server.keepAliveTimeout = 600000;
  backend = new WebSocketServer({ server, perMessageDeflate: false });
  backend.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  backend.http = server;
  ports = { http: await freePort(), https: await freePort() };
  file = path.join(dir, "web-proxy.json");
  config = {
    listen: [`http:127.0.0.1:${ports.http}`, `https:127.0.0.1:${ports.https}`],
    certificate: [certs.cert], key: [certs.key], workers: 2, "access-log": false,
    "connections-per-address": 0, "drain-time": "1s",
    upstream: [`a=http://127.0.0.1:${server.address().port}`],
    route: [{ path: "/ws", upstream: "a", websocket: "only", "websocket-timeout": "1h" }, { path: "/", upstream: "a" }],
  };
  fs.writeFileSync(file, JSON.stringify(config));
  proxy = await startDaemon("web-proxy", { args: ["--config", file] });
});

after(async () => {
  await proxy?.stop();
  backend?.http.closeAllConnections();
  backend?.http.close();
});

test("nothing fails and nothing drops while settings are reloaded", { skip, timeout: load.time + 240000 * slow }, async (t) => {
  const seen = { over: false, asked: 0, reloads: 0, failed: [], dropped: [] };
  const sockets = await openSockets(load.sockets, seen);
  const work = [ask(seen), reloadAgain(seen)];
  await sleep(load.time / 5);
  const first = memory();
  await sleep(load.time * 4 / 5);
  const last = memory();
  const tunnels = Number(/^web_proxy_open_tunnels (\d+)$/m.exec((await proxy.admin("/metrics")).body)[1]);
  assert.deepEqual(seen.dropped, []);
  let echoes = 0;
  for (const socket of sockets) {
    socket.on("message", () => { echoes++; });
    socket.send("still there");
  }
  await waitFor(() => echoes === sockets.length, { timeout: 30000, what: "an echo on every WebSocket" });
  seen.over = true;
  await Promise.all(work);
  assert.deepEqual(seen.dropped, []);
  t.diagnostic(`${sockets.length} WebSockets, ${seen.asked} requests, ${seen.reloads} reloads; memory ${first} → ${last} KiB`);
  assert.deepEqual(seen.failed, []);
  assert.equal(tunnels, sockets.length);
  if (slow === 1) assert.ok(last - first < 4096, `memory grew from ${first} to ${last} KiB`);
  for (const socket of sockets) socket.terminate();
  await waitFor(async () => /^web_proxy_open_tunnels 0$/m.test((await proxy.admin("/metrics")).body));
});
