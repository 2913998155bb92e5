// SPDX-License-Identifier: MIT
// What a stranger can make us compute is bounded: TLS handshakes per second.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import net from "node:net";
import tls from "node:tls";
import { freePort, makeCertificates, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { httpServer } from "../support/web.mjs";

describe("TLS handshakes", { concurrency: false }, () => {
  const dir = scratch();
  let made, port, backend, web;

  before(async () => {
    made = await makeCertificates(path.join(dir, "pki"));
    backend = await httpServer((request, answer) => answer.end("ok"));
    port = await freePort();
    web = await startDaemon("web-proxy", { config: {
      listen: [`https:127.0.0.1:${port}`], certificate: [made.cert], key: [made.key], workers: 2,
      "source-handshake-rate": 1, "handshake-timeout": "1s",
      upstream: [`a=http://127.0.0.1:${backend.port}`], route: ["/=a"] } });
  });
  after(async () => {
    backend?.close();
    const how = await web?.stop();
    assert.equal(how.code, 0, web.log());
  });

  /** True when the handshake was done; the session for another time. */
  async function shake(localAddress, session) {
    const socket = tls.connect({ port, host: "127.0.0.1", localAddress, servername: "localhost",
      ca: fs.readFileSync(made.ca), session });
    let got, reused;
    socket.on("error", () => {});
    socket.on("session", (s) => { got = s; });
    socket.on("secureConnect", () => {
      reused = socket.isSessionReused();
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    });
    socket.resume();
    await new Promise((done) => socket.on("close", done));
    return { done: reused !== undefined, reused, session: got };
  }

  const figure = async (name) => Number((await web.metrics()).match(new RegExp(`web_proxy_${name} (\\d+)`))[1]);

  test("of one address only so many begin, others are not touched", async () => {
    const shaken = await Promise.all(Array.from({ length: 12 }, () => shake("127.0.0.5")));
    const refused = shaken.filter((s) => !s.done).length;
    assert.ok(refused >= 1, "some were refused");
    assert.ok(refused <= 10, "two may come at once");
    assert.ok((await shake("127.0.0.6")).done);
    await waitFor(async () => (await figure('accept_refused_total{reason="handshake_rate_source"}')) >= refused);
  });

  test("a ticket is good with every worker", async () => {
    let n = 10; // an address of its own for each
    const { session } = await shake(`127.0.0.${n++}`);
    assert.ok(session);
    for (let i = 0; i < 8; i++) assert.equal((await shake(`127.0.0.${n++}`, session)).reused, true);
    await waitFor(async () => (await figure("tls_resumed_total")) >= 8);
  });

  test("who does not come to the point is cut, and counted", async () => {
    const silent = net.connect({ port, host: "127.0.0.1", localAddress: "127.0.0.7" });
    const slow = net.connect({ port, host: "127.0.0.1", localAddress: "127.0.0.7" });
    silent.on("error", () => {});
    slow.on("error", () => {});
    await once(slow, "connect");
    slow.write(Buffer.from([22, 3, 1, 2, 0, 1, 0]));
    await Promise.all([silent, slow].map((s) => s.destroyed || new Promise((done) => s.on("close", done).resume())));
    await waitFor(async () => (await figure('accept_failed_total{reason="timeout"}')) >= 2);
  });
});
