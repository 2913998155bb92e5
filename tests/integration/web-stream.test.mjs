// SPDX-License-Identifier: MIT
// Large content both ways at once, and readers that do not read: the proxy's
// memory stays small. EDGE_FULL=1 sends 1 GiB each way, otherwise 256 MiB.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { once } from "node:events";
import { Readable } from "node:stream";
import { freePort, makeCertificates, scratch, sleep, startDaemon, waitFor } from "../support/edge.mjs";
import { httpServer } from "../support/web.mjs";

const MIB = 1024 * 1024;
const SIZE = (process.env.EDGE_FULL ? 1024 : 256) * MIB;
/* Sanitizers keep freed memory for a while and pad every block. */
const LIMIT = (process.env.EDGE_SLOW ? 512 : 64) * MIB;
const EACH = (process.env.EDGE_SLOW ? 4096 : 400) * 1024;
const dir = scratch();
let certs, backend, proxy, httpPort, httpsPort;

/* GET /size/N: N bytes. POST /echo: what comes goes back. POST /count: how
 * many came. */
function handler(request, response) {
  const [, what, size] = request.url.split("/");
  if (what === "size") {
    response.writeHead(200, { "Content-Length": size });
    zeros(Number(size)).pipe(response);
  } else if (what === "echo") {
    response.writeHead(200);
    request.pipe(response);
  } else if (what === "count") {
    let length = 0;
    request.on("data", (part) => { length += part.length; });
    request.on("end", () => response.end(String(length)));
  } else {
    request.pause(); // never reads
  }
}

function zeros(size) {
  const block = Buffer.alloc(64 * 1024);
  return Readable.from((function* parts() {
    for (let left = size; left > 0; left -= block.length)
      yield left < block.length ? block.subarray(0, left) : block;
  })(), { objectMode: false, highWaterMark: 4 * block.length });
}

before(async () => {
  certs = await makeCertificates(dir);
  backend = await httpServer(handler);
  [httpPort, httpsPort] = [await freePort(), await freePort()];
  proxy = await startDaemon("web-proxy", {
    args: ["--listen", `http:127.0.0.1:${httpPort}`, "--listen", `https:127.0.0.1:${httpsPort}`,
      "--certificate", certs.cert, "--key", certs.key, "--workers", "2",
      "--body-timeout", "2s", "--write-timeout", "2s",
      "--upstream", `a=http://127.0.0.1:${backend.port}`, "--route", "path=/,upstream=a,body-size=8g"],
  });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
});

/* In bytes: what it has now, and the most it ever had. */
function memory() {
  const text = fs.readFileSync(`/proc/${proxy.pid}/status`, "utf8");
  const kib = (name) => Number(text.match(new RegExp(`${name}:\\s+(\\d+)`))[1]) * 1024;
  return { now: kib("VmRSS"), peak: kib("VmHWM") };
}

function request(secure, target, options = {}) {
  const module = secure ? https : http;
  return module.request({ host: "127.0.0.1", port: secure ? httpsPort : httpPort, path: target,
    ca: fs.readFileSync(certs.ca), agent: false, ...options });
}

async function countOf(stream, hash) {
  let length = 0;
  for await (const part of stream) {
    length += part.length;
    hash?.update(part);
  }
  return length;
}

for (const secure of [false, true])
  test(`${SIZE / MIB} MiB both ways at once over ${secure ? "TLS" : "TCP"}`, { timeout: 600000 }, async () => {
    // TLS is the slow part of the test, not of what is tested: a quarter.
    const size = secure ? SIZE / 4 : SIZE;
    const outgoing = request(secure, "/echo", { method: "POST" });
    const sent = zeros(size);
    sent.pipe(outgoing);
    const [response] = await once(outgoing, "response");
    assert.equal(response.statusCode, 200);
    assert.equal(await countOf(response), size);
    assert.ok(memory().peak < LIMIT, `peak ${memory().peak / MIB} MiB`);
  });

test("a download with a length arrives whole", { timeout: 600000 }, async () => {
  const outgoing = request(true, `/size/${SIZE / 8}`);
  outgoing.end();
  const [response] = await once(outgoing, "response");
  assert.equal(response.headers["content-length"], String(SIZE / 8));
  assert.equal(await countOf(response), SIZE / 8);
});

test("content comes back as it was sent", { timeout: 60000 }, async () => {
  const data = crypto.randomBytes(5 * MIB + 17);
  const outgoing = request(true, "/echo", { method: "POST", headers: { "Content-Length": data.length } });
  outgoing.end(data);
  const [response] = await once(outgoing, "response");
  const hash = crypto.createHash("sha256");
  assert.equal(await countOf(response, hash), data.length);
  assert.equal(hash.digest("hex"), crypto.createHash("sha256").update(data).digest("hex"));
});

test("clients that do not read cost little", { timeout: 120000 }, async () => {
  const before = memory().now;
  const sockets = [];
  for (let i = 0; i < 50; i++) {
    const socket = net.connect(httpPort, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(`GET /size/${64 * MIB} HTTP/1.1\r\nHost: a\r\n\r\n`);
    sockets.push(socket);
  }
  await sleep(1500);
  const used = memory().now - before;
  for (const socket of sockets) socket.destroy();
  assert.ok(used < 50 * EACH, `${used / 50 / 1024} KiB for each`);
  await waitFor(async () => /web_proxy_open_requests 0\n/.test(await proxy.metrics()), { what: "their requests end" });
});

test("back ends that do not read cost little", { timeout: 120000 }, async () => {
  const before = memory().now;
  const all = [];
  for (let i = 0; i < 20; i++) {
    const outgoing = request(false, "/never", { method: "POST" });
    outgoing.on("error", () => {});
    zeros(64 * MIB).pipe(outgoing);
    all.push(outgoing);
  }
  await sleep(1500);
  const used = memory().now - before;
  // A client that goes while it is not read is not seen to go: its time runs.
  for (const outgoing of all) outgoing.destroy();
  assert.ok(used < 20 * EACH, `${used / 20 / 1024} KiB for each`);
  await waitFor(async () => /web_proxy_open_requests 0\n/.test(await proxy.metrics()), { what: "their requests end" });
});

test("after all that memory is small", async () => {
  assert.ok(memory().peak < LIMIT, `peak ${memory().peak / MIB} MiB`);
});
