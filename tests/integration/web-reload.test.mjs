// SPDX-License-Identifier: MIT
// Settings and certificates change while requests and WebSockets go on; a
// stop lets them finish.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import { once } from "node:events";
import { createRequire } from "node:module";
import { freePort, makeCertificates, missing, runProgram, scratch, sleep, slow, startDaemon, waitFor } from "../support/edge.mjs";
import { httpServer, rawExchange } from "../support/web.mjs";

let WebSocket, WebSocketServer, skip = false;
try {
  ({ WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws"));
} catch {
  skip = "the npm package ws is not installed";
}

const GET = (target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
let dir, certs, backend, proxy, file, config, httpPort, httpsPort;

function write(changes = {}) {
  config = { ...config, ...changes };
  fs.writeFileSync(file, JSON.stringify(config));
}

async function reload() {
  return proxy.admin("/reload", { method: "POST" });
}

beforeEach(async () => {
  dir = scratch();
  certs = await makeCertificates(dir);
  backend = await httpServer((request, response) => {
    const wait = Number(request.url.match(/wait=(\d+)/)?.[1] ?? 0);
    setTimeout(() => response.end(`ok ${request.url}`), wait);
  });
  if (!skip) {
    new WebSocketServer({ server: backend.server }).on("connection", (socket) => {
      socket.on("message", (data) => socket.send(data));
    });
  }
  [httpPort, httpsPort] = [await freePort(), await freePort()];
  file = path.join(dir, "web-proxy.json");
  config = {};
  write({
    listen: [`http:127.0.0.1:${httpPort}`, `https:127.0.0.1:${httpsPort}`],
    certificate: [certs.cert], key: [certs.key], workers: 2, "drain-time": "2s",
    upstream: [`a=http://127.0.0.1:${backend.port}`],
    zone: ["z=1r/m"],
    route: [
      { path: "/a", upstream: "a", websocket: "yes" },
      { path: "/rated", upstream: "a", zone: "z" },
    ],
  });
  proxy = await startDaemon("web-proxy", { args: ["--config", file] });
});

afterEach(async () => {
  await proxy?.stop();
  backend?.close();
});

test("routes appear and go", async () => {
  assert.deepEqual((await rawExchange(httpPort, GET("/b"))).statuses, [404]);
  write({ route: [{ path: "/b", upstream: "a" }] });
  assert.equal((await reload()).status, 200);
  await waitFor(async () => (await rawExchange(httpPort, GET("/b"))).statuses[0] === 200);
  await waitFor(async () => (await rawExchange(httpPort, GET("/a"))).statuses[0] === 404);
});

test("settings that are wrong change nothing and say why", async () => {
  write({ route: [{ path: "/b", upstream: "nobody" }] });
  const got = await reload();
  assert.equal(got.status, 409);
  assert.match(got.body, /nobody/);
  assert.deepEqual((await rawExchange(httpPort, GET("/a"))).statuses, [200]);
  write({ route: [{ path: "/b", upstream: "a" }], certificate: [certs.ca] });
  assert.equal((await reload()).status, 409, "a certificate that is not the key's");
  assert.deepEqual((await rawExchange(httpPort, GET("/a"))).statuses, [200]);
});

test("rate zones remember across a reload", async () => {
  assert.deepEqual((await rawExchange(httpPort, GET("/rated"))).statuses, [200]);
  write({ hsts: "1m" });
  assert.equal((await reload()).status, 200);
  await sleep(50);
  assert.deepEqual((await rawExchange(httpPort, GET("/rated"))).statuses, [429]);
});

test("a new certificate is shown to new connections", async () => {
  const serial = async () => {
    const socket = tls.connect({ port: httpsPort, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const before = await serial();
  const next = await makeCertificates(path.join(dir, "next"));
  write({ certificate: [next.cert], key: [next.key] });
  proxy.signal("SIGHUP");
  await waitFor(async () => (await serial()) !== before, { what: "the new certificate" });
});

test("a request and a WebSocket outlive a reload that removes their route", { skip }, async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/a`);
  await once(socket, "open");
  const slowOne = rawExchange(httpPort, GET("/a?wait=600"));
  await sleep(100);
  write({ route: [{ path: "/b", upstream: "a" }] });
  assert.equal((await reload()).status, 200);
  assert.deepEqual((await slowOne).statuses, [200]);
  socket.send("still there");
  const [data] = await once(socket, "message");
  assert.equal(String(data), "still there");
  socket.terminate();
});

test("no request fails while settings are reloaded under load", { skip: missing("wrk"), timeout: 60000 }, async () => {
  const load = runProgram("wrk", ["-t1", "-c16", "-d3", `http://127.0.0.1:${httpPort}/a`]);
  let reloads = 0;
  for (const end = Date.now() + 2600; Date.now() < end; reloads++) {
    write({ hsts: `${1 + (reloads % 5)}m` });
    assert.equal((await reload()).status, 200);
    await sleep(100);
  }
  const got = await load;
  assert.ok(reloads >= 5, `${reloads} reloads`);
  assert.match(got.stdout, /requests in/);
  assert.doesNotMatch(got.stdout, /Non-2xx|Socket errors/, got.stdout);
});

test("a stop answers what is under way, closes WebSockets after the time given, and exits with 0", { skip }, async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/a`);
  await once(socket, "open");
  const idle = net.connect(httpPort, "127.0.0.1");
  await once(idle, "connect");
  idle.resume();
  const closed = once(idle, "close");
  const slowOne = rawExchange(httpPort, GET("/a?wait=500"));
  await sleep(150);
  proxy.signal("SIGTERM");
  await closed;
  const got = await slowOne;
  assert.deepEqual(got.statuses, [200]);
  assert.match(got.text, /Connection: close/);
  socket.send("last words");
  const [data] = await once(socket, "message");
  assert.equal(String(data), "last words");
  const gone = once(socket, "close");
  const begun = Date.now();
  const how = await proxy.closed;
  await gone;
  assert.equal(how.code, 0, proxy.log());
  assert.ok(Date.now() - begun < 4000 * slow);
  proxy = null;
});

test("a WebSocket that is still open hears that we go away", { skip }, async () => {
  const seen = [];
  const socket = new WebSocket(`wss://127.0.0.1:${httpsPort}/a/ws`, { ca: fs.readFileSync(certs.ca) });
  backend.server.on("upgrade", (request, raw) => raw.on("data", (part) => seen.push(part)));
  await once(socket, "open");
  socket.send("hello");
  await once(socket, "message");
  proxy.signal("SIGTERM");
  const [code] = await once(socket, "close");
  assert.equal(code, 1001);
  assert.equal((await proxy.stop()).code, 0);
  const frames = Buffer.concat(seen);
  assert.equal(frames[frames.length - 8], 0x88, "the back end hears it, too");
});

test("a drain by hand ends when the last session has", async () => {
  const agent = new http.Agent({ keepAlive: true });
  const request = http.get({ port: httpPort, path: "/a?wait=300", agent });
  await sleep(100);
  assert.equal((await proxy.admin("/drain", { method: "POST" })).status, 202);
  const [response] = await once(request, "response");
  assert.equal(response.statusCode, 200);
  response.resume();
  const how = await proxy.closed;
  assert.equal(how.code, 0);
  proxy = null;
});
