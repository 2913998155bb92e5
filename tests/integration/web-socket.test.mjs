// SPDX-License-Identifier: MIT
// WebSockets through web-proxy with npm's ws on both sides.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import crypto from "node:crypto";
import fs from "node:fs";
import { once } from "node:events";
import { createRequire } from "node:module";
import { freePort, makeCertificates, scratch, sleep, slow, startDaemon, waitFor } from "../support/edge.mjs";
import { httpServer } from "../support/web.mjs";

let WebSocket, WebSocketServer, skip = false;
try {
  ({ WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws"));
} catch {
  skip = "the npm package ws is not installed";
}

const dir = scratch();
let certs, backend, sockets, proxy, port;

before(async () => {
  if (skip) return;
  certs = await makeCertificates(dir);
  backend = await httpServer((request, response) => response.end("plain"));
  sockets = new WebSocketServer({
    server: backend.server, maxPayload: 64 * 1024 * 1024, perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has("sip") ? "sip" : false),
    verifyClient: ({ req }) => !req.url.includes("forbidden"),
  });
  sockets.on("connection", (socket, request) => {
    if (request.url.includes("headers")) socket.send(JSON.stringify(request.headers));
    if (request.url.includes("greeting")) socket.send("welcome");
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  port = await freePort();
  proxy = await startDaemon("web-proxy", {
    config: {
      listen: [`https:127.0.0.1:${port}`], certificate: [certs.cert], key: [certs.key], workers: 2,
      upstream: [`a=http://127.0.0.1:${backend.port}`],
      route: [
        { path: "/ws", upstream: "a", websocket: "yes" },
        { path: "/quiet", upstream: "a", websocket: "yes", "websocket-timeout": `${500 * slow}ms` },
        { path: "/none", upstream: "a" },
      ],
    },
  });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
});

function connect(target, protocols = [], options = {}) {
  return new WebSocket(`wss://localhost:${port}${target}`, protocols, { ca: fs.readFileSync(certs.ca), ...options });
}

async function opened(...args) {
  const socket = connect(...args);
  await once(socket, "open");
  return socket;
}

async function echo(socket, data) {
  socket.send(data);
  const [answer] = await once(socket, "message");
  return answer;
}

describe("WebSockets", { skip }, () => {
  test("messages come back, small and large", async () => {
    const socket = await opened("/ws");
    for (const size of [0, 1, 125, 126, 65535, 65536, 1024 * 1024]) {
      const data = crypto.randomBytes(size);
      assert.ok(data.equals(await echo(socket, data)), `${size} bytes`);
    }
    socket.close(1000, "done");
    const [code, reason] = await once(socket, "close");
    assert.equal(code, 1000);
    assert.equal(String(reason), "done");
  });

  test("a message at once after the handshake arrives", async () => {
    const socket = connect("/ws/greeting");
    const [data] = await once(socket, "message");
    assert.equal(String(data), "welcome");
    socket.terminate();
  });

  test("protocol and compression are negotiated end to end", async () => {
    const socket = await opened("/ws", ["sip"]);
    assert.equal(socket.protocol, "sip");
    assert.match(socket.extensions, /permessage-deflate/);
    assert.equal(String(await echo(socket, "a".repeat(1000))), "a".repeat(1000));
    socket.terminate();
  });

  test("the back end is told who the client is", async () => {
    const socket = connect("/ws/headers", [], { headers: { "X-Forwarded-For": "1.2.3.4", Cookie: "a=b" } });
    const [data] = await once(socket, "message");
    const headers = JSON.parse(String(data));
    assert.equal(headers["x-forwarded-for"], "127.0.0.1");
    assert.equal(headers["x-forwarded-proto"], "https");
    assert.equal(headers.cookie, "a=b");
    assert.equal(headers.upgrade, "websocket");
    socket.terminate();
  });

  for (const [name, target, options, status] of [
    ["the back end refuses", "/ws/forbidden", {}, 401],
    ["the route has none", "/none", {}, 200],
    ["the page is a foreign one", "/ws", { origin: "https://evil.test" }, 403],
    ["there is no route", "/nowhere", {}, 404],
  ])
    test(`${name}: ${status}`, async () => {
      const socket = connect(target, [], options);
      socket.on("error", () => {});
      const [, response] = await once(socket, "unexpected-response");
      assert.equal(response.statusCode, status);
      socket.terminate();
    });

  test("our own page may open one", async () => {
    const socket = await opened("/ws", [], { origin: `https://localhost:${port}` });
    socket.terminate();
  });

  test("one without traffic is closed, one with pings is not", async () => {
    const silent = await opened("/quiet");
    const busy = await opened("/quiet");
    const pings = setInterval(() => busy.ping(), 100 * slow);
    await once(silent, "close");
    await sleep(600 * slow);
    assert.equal(busy.readyState, WebSocket.OPEN);
    clearInterval(pings);
    busy.terminate();
  });

  test("a client that goes ends the socket at the back end, and the other way", async () => {
    await waitFor(() => sockets.clients.size === 0, { what: "those before have gone" });
    const one = await opened("/ws");
    const two = await opened("/ws");
    await waitFor(() => sockets.clients.size === 2, { what: "both are at the back end" });
    one.terminate();
    await waitFor(() => sockets.clients.size === 1, { what: "one has gone" });
    const closed = once(two, "close");
    for (const client of sockets.clients) client.terminate();
    await closed;
  });

  test("many at a time; nothing is left afterwards", async () => {
    await waitFor(async () => /web_proxy_open_tunnels 0\n/.test(await proxy.metrics()), { what: "those before have gone" });
    const many = await Promise.all(Array.from({ length: 100 }, () => opened("/ws")));
    assert.match(await proxy.metrics(), /web_proxy_open_tunnels 100\n/);
    const answers = await Promise.all(many.map((socket, i) => echo(socket, `message ${i}`)));
    answers.forEach((answer, i) => assert.equal(String(answer), `message ${i}`));
    for (const socket of many) socket.close();
    await waitFor(async () => {
      const text = await proxy.metrics();
      return /web_proxy_open_tunnels 0\n/.test(text) && /web_proxy_open_sessions 0\n/.test(text)
        && /web_proxy_upstream_links 0\n/.test(text) ;
    }, { what: "no tunnel, session or link is left" });
  });
});
