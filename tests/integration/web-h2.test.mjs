// SPDX-License-Identifier: MIT
// HTTP/2 clients of web-proxy that nobody here wrote: curl, nghttp, h2load,
// Node, Chromium; and WebSockets on streams (RFC 8441).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import crypto from "node:crypto";
import fs from "node:fs";
import http2 from "node:http2";
import path from "node:path";
import { once } from "node:events";
import { createRequire } from "node:module";
import { freePort, makeCertificates, missing, runProgram, scratch, sleep, startDaemon, waitFor } from "../support/edge.mjs";
import { browserPath, launchBrowser } from "../support/browser.mjs";
import { wsText, wsTexts } from "../support/h2.mjs";
import { httpServer } from "../support/web.mjs";

let WebSocketServer, skipSocket = false;
try {
  ({ WebSocketServer } = createRequire(import.meta.url)("ws"));
} catch {
  skipSocket = "the npm package ws is not installed";
}

const MiB = 1024 * 1024;
const dir = scratch();
let certs, backend, proxy, port, config, file;
let written = 0; // by /endless
let aborted = 0; // requests whose client went

const page = `<!DOCTYPE html><title>h2</title><script>
  const socket = new WebSocket("wss://" + location.host + "/ws");
  socket.onopen = () => socket.send("from a browser");
  socket.onmessage = (event) => { document.title = event.data; };
</script>`;

const answers = {
  "/hello": (request, response) => response.end(`hello ${request.headers.host}`),
  "/page": (request, response) => response.setHeader("Content-Type", "text/html").end(page),
  "/upload": (request, response) => {
    let size = 0;
    request.on("data", (part) => { size += part.length; });
    request.on("end", () => response.end(`${size} ${request.headers["content-length"] ?? request.headers["transfer-encoding"]}`));
  },
  "/trailers": (request, response) => {
    response.writeHead(200, { Trailer: "X-Sum" });
    response.write("content");
    response.addTrailers({ "X-Sum": "42" });
    response.end();
  },
  "/hints": (request, response) => {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.end("done");
  },
  "/early": (request, response) => response.writeHead(403).end("no"),
  "/none": (request, response) => response.writeHead(204).end(),
  "/slow": (request, response) => {
    const timer = setTimeout(() => response.end("slow"), 700);
    response.on("close", () => { if (!response.writableEnded) { aborted++; clearTimeout(timer); } });
  },
  "/cut": (request, response) => {
    response.writeHead(200, { "Content-Length": 100 });
    response.write("only this", () => request.socket.destroy());
  },
  "/endless": (request, response) => {
    const block = Buffer.alloc(65536);
    const more = () => {
      while (!response.destroyed) {
        written += block.length;
        if (!response.write(block)) { response.once("drain", more); return; }
      }
    };
    more();
  },
  "/count": (request, response) => {
    const size = 64 * MiB;
    response.writeHead(200, { "Content-Length": size });
    let sent = 0;
    const more = () => {
      while (sent < size) {
        const part = Buffer.alloc(65536, sent / 65536 % 251);
        sent += part.length;
        if (!response.write(part)) { response.once("drain", more); return; }
      }
      response.end();
    };
    more();
  },
};

before(async () => {
  certs = await makeCertificates(dir);
  backend = await httpServer((request, response) => {
    const answer = answers[request.url.split("?")[0]];
    request.on("error", () => {});
    if (answer) answer(request, response);
    else response.writeHead(404).end();
  });
  if (!skipSocket) {
    new WebSocketServer({ server: backend.server }).on("connection", (socket, request) => {
      if (request.url.includes("headers")) socket.send(JSON.stringify(request.headers));
      socket.on("message", (data) => socket.send(`echo ${data}`));
    });
  }
  port = await freePort();
  file = path.join(scratch(), "web-proxy.json");
  config = {
    listen: [`https:127.0.0.1:${port}`], certificate: [certs.cert], key: [certs.key], workers: 1,
    upstream: [`a=http://127.0.0.1:${backend.port}`],
    route: [{ path: "/", upstream: "a", websocket: "yes", "body-size": "200m" }, { path: "/plain", upstream: "a" },
      { path: "/files", root: dir }],
    "drain-time": "5s",
  };
  fs.writeFileSync(file, JSON.stringify(config));
  proxy = await startDaemon("web-proxy", { args: ["--config", file] });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
});

function connect() {
  const client = http2.connect(`https://localhost:${port}`, { ca: fs.readFileSync(certs.ca) });
  client.on("error", () => {});
  return client;
}

/** One request to its end: { status, headers, body, trailers, code }. */
function ask(client, target, { method = "GET", body, headers = {}, more = {} } = {}) {
  return new Promise((done) => {
    const stream = client.request({ ":method": method, ":path": target, ...headers }, { endStream: body === undefined });
    const got = { body: "", interims: [] };
    stream.setEncoding("latin1");
    stream.on("headers", (h) => got.interims.push(h[":status"]));
    stream.on("response", (h) => { got.headers = h; got.status = h[":status"]; });
    stream.on("trailers", (h) => { got.trailers = h; });
    stream.on("data", (part) => { got.body += part; });
    stream.on("error", (error) => { got.error = error.code; });
    stream.on("close", () => done({ ...got, code: stream.rstCode }));
    if (body !== undefined) stream.end(body);
    more.stream?.(stream);
  });
}

async function metric(name) {
  const line = (await proxy.metrics()).split("\n").find((l) => l.startsWith(`web_proxy_${name} `));
  return Number(line?.split(" ")[1] ?? NaN);
}

test("curl agrees on h2 and gets pages, uploads and empty answers", { skip: missing("curl") }, async () => {
  const curl = (target, ...args) => runProgram("curl", ["--silent", "--show-error", "--http2", "--max-time", "20",
    "--cacert", certs.ca, "--noproxy", "*", "--write-out", "\n%{http_version} %{http_code}", ...args,
    `https://localhost:${port}${target}`]);
  assert.equal((await curl("/hello")).stdout, `hello localhost:${port}\n2 200`);
  assert.equal((await curl("/none")).stdout, "\n2 204");
  assert.match((await curl("/hello", "--head")).stdout, /^HTTP\/2 200 \r\n[^]*\n2 200$/);
  const upload = path.join(dir, "upload");
  fs.writeFileSync(upload, Buffer.alloc(5 * MiB));
  assert.equal((await curl("/upload", "--data-binary", `@${upload}`)).stdout, `${5 * MiB} ${5 * MiB}\n2 200`);
  assert.equal((await curl("/upload", "--upload-file", "-", "--request", "POST", "--header", "Content-Length:")).stdout,
    "0 chunked\n2 200");
  // An answer before the upload is over, and the rest of it is not taken.
  assert.match((await curl("/early", "--data-binary", `@${upload}`)).stdout, /^no\n2 403$/);
  await proxy.waitLog(/GET \/hello status=200 .* http=2/);
  const http1 = await curl("/hello", "--http1.1");
  await proxy.waitLog(/GET \/hello status=200 .* http=1/);
  assert.equal(http1.stdout, `hello localhost:${port}\n1.1 200`);
});

test("a hundred requests at once share one connection", async () => {
  const client = connect();
  const got = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(client, `/hello?${i}`)));
  assert.deepEqual([...new Set(got.map((g) => `${g.status} ${g.body}`))], [`200 hello localhost:${port}`]);
  assert.equal(got[0].headers.connection, undefined);
  client.close();
});

test("trailers, hints and broken answers keep their meaning", async () => {
  const client = connect();
  const trailers = await ask(client, "/trailers");
  assert.equal(trailers.body, "content");
  assert.equal(trailers.trailers["x-sum"], "42");
  const hints = await ask(client, "/hints");
  assert.deepEqual([hints.interims, hints.status, hints.body], [[103], 200, "done"]);
  const cut = await ask(client, "/cut");
  assert.equal(cut.status, 200);
  assert.equal(cut.code, http2.constants.NGHTTP2_INTERNAL_ERROR);
  assert.equal((await ask(client, "/hello")).status, 200);
  client.close();
});

test("a request that is given up is given up at the back end", async () => {
  const client = connect();
  const before = aborted;
  const stream = client.request({ ":path": "/slow" });
  stream.on("error", () => {});
  await ask(client, "/hello");
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await waitFor(() => aborted > before, { what: "the back end notices" });
  assert.equal((await ask(client, "/hello")).status, 200);
  client.close();
});

test("a client that does not read stops the back end, others go on", async () => {
  const client = connect();
  const stream = client.request({ ":path": "/endless" });
  stream.on("error", () => {});
  stream.pause();
  await once(stream, "response");
  let last = -1;
  await waitFor(() => {
    const calm = last === written && written > 0;
    last = written;
    return calm;
  }, { every: 300, what: "the back end stops" });
  // Windows, sockets and our own queue; not a hundred times that.
  assert.ok(written < 40 * MiB, `${written} bytes were taken from the back end`);
  assert.equal((await ask(client, "/hello")).status, 200);
  stream.close(http2.constants.NGHTTP2_CANCEL);
  client.close();
});

test("what is read slowly arrives whole, and memory stays flat", async () => {
  const rss = () => Number(fs.readFileSync(`/proc/${proxy.pid}/status`, "latin1").match(/VmRSS:\s+(\d+)/)[1]) / 1024;
  const client = connect();
  const before = rss();
  let most = 0;
  let size = 0;
  const stream = client.request({ ":path": "/count" });
  for await (const part of stream) {
    const block = Math.floor(size / 65536);
    assert.equal(part[0], block % 251);
    size += part.length;
    if (size % (8 * MiB) < part.length) await sleep(20);
    most = Math.max(most, rss());
  }
  assert.equal(size, 64 * MiB);
  if (!process.env.EDGE_SLOW) assert.ok(most - before < 32, `grew from ${before} to ${most} MiB`);
  client.close();
});

test("files go by the same windows", async () => {
  const content = crypto.randomBytes(5 * MiB);
  fs.writeFileSync(path.join(dir, "five"), content);
  const client = connect();
  const slow = client.request({ ":path": "/files/five" });
  const [headers] = await once(slow, "response");
  assert.equal(headers["content-length"], String(content.length));
  // One that is not read, and others that are.
  slow.pause();
  const others = await Promise.all([0, 1, 2].map(() => ask(client, "/files/five", { headers: { range: "bytes=1000-1009" } })));
  for (const got of others)
    assert.deepEqual([got.status, got.body], [206, content.subarray(1000, 1010).toString("latin1")]);
  const same = await ask(client, "/files/five", { headers: { "if-none-match": headers.etag } });
  assert.deepEqual([same.status, same.body], [304, ""]);
  const parts = [];
  for await (const part of slow) parts.push(part);
  assert.ok(Buffer.concat(parts).equals(content));
  client.close();
});

/** An extended CONNECT; the stream when it is open. */
async function openTunnel(client, target, headers = {}) {
  const stream = client.request({
    ":method": "CONNECT", ":protocol": "websocket", ":path": target, ":scheme": "https", ":authority": `localhost:${port}`,
    "sec-websocket-version": "13", origin: `https://localhost:${port}`, ...headers,
  });
  stream.on("error", () => {});
  const [answer] = await once(stream, "response");
  return { stream, status: answer[":status"], answer };
}

test("WebSockets on streams, beside requests", { skip: skipSocket }, async () => {
  const client = connect();
  await once(client, "remoteSettings");
  assert.equal(client.remoteSettings.enableConnectProtocol, true);
  const sockets = await Promise.all(Array.from({ length: 10 }, () => openTunnel(client, "/ws?headers")));
  const texts = await Promise.all(sockets.map(async ({ stream, status }, i) => {
    assert.equal(status, 200);
    let data = Buffer.alloc(0);
    stream.on("data", (part) => { data = Buffer.concat([data, part]); });
    stream.write(wsText(`number ${i}`));
    await waitFor(() => wsTexts(data).length === 2, { what: "an echo" });
    return wsTexts(data);
  }));
  assert.deepEqual(texts.map((t) => t[1]), sockets.map((_, i) => `echo number ${i}`));
  const headers = JSON.parse(texts[0][0]);
  assert.equal(headers.upgrade, "websocket");
  assert.equal(headers["x-forwarded-proto"], "https");
  assert.equal((await ask(client, "/hello")).status, 200);
  assert.equal(await metric("open_tunnels"), 10);
  for (const { stream } of sockets) stream.end();
  await waitFor(async () => await metric("open_tunnels") === 0, { what: "all are closed" });
  // Where the route has none, and from elsewhere.
  assert.equal((await openTunnel(client, "/plain")).status, 403);
  assert.equal((await openTunnel(client, "/ws", { origin: "https://evil.example" })).status, 403);
  client.close();
});

test("Chromium loads a page by h2 and opens its WebSocket on a stream", {
  skip: skipSocket || (!browserPath && "Chromium is not installed"),
}, async (t) => {
  const before = await metric("h2_tunnels_total");
  const browser = await launchBrowser();
  t.after(() => browser.close());
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const tab = await context.newPage();
  await tab.goto(`https://localhost:${port}/page`);
  await tab.waitForFunction(() => document.title === "echo from a browser");
  const protocol = await tab.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
  assert.equal(protocol, "h2");
  assert.equal(await metric("h2_tunnels_total"), before + 1);
});

test("nghttp and h2load find nothing wrong", { skip: missing("nghttp", "h2load") }, async () => {
  const url = `https://localhost:${port}`;
  const many = await runProgram("nghttp", ["--null-out", "--stat", "--multiply=20", "--no-verify-peer", `${url}/hello`]);
  assert.equal(many.code, 0, many.stderr);
  assert.equal(many.stdout.match(/ 200 .*\/hello/g)?.length, 20, many.stdout);
  const load = await runProgram("h2load", ["--requests=2000", "--clients=4", "--max-concurrent-streams=25", `${url}/hello`]);
  assert.match(load.stdout, /2000 succeeded, 0 failed, 0 errored, 0 timeout/);
});

/* Not in Debian; github.com/summerwind/h2spec. Built for RFC 7540: what it asks
 * of dependencies between streams is gone from RFC 9113. */
test("h2spec finds nothing wrong", { skip: missing("h2spec") }, async () => {
  const got = await runProgram("h2spec", ["--host", "localhost", "--port", String(port), "--tls", "--insecure", "--strict",
    "--path", "/hello", "--timeout", "5"], { timeout: 120000 });
  const failures = got.stdout.split("Failures:")[1]?.match(/× .*/g) ?? [];
  assert.deepEqual(failures.map((f) => f.replace(/^× \d+: /, "")), ["Sends PRIORITY frame that depend on itself"], got.stdout);
});

test("a reload leaves connections open, and can take h2 away", async () => {
  const client = connect();
  assert.equal((await ask(client, "/hello")).status, 200);
  fs.writeFileSync(file, JSON.stringify({
    ...config, http2: false, route: [...config.route, { path: "/hello", redirect: "https://elsewhere.test/" }],
  }));
  assert.equal((await proxy.admin("/reload", { method: "POST" })).status, 200);
  // The new settings decide on the old connection, too.
  assert.equal((await ask(client, "/hello")).status, 308);
  client.close();
  const later = http2.connect(`https://localhost:${port}`, { ca: fs.readFileSync(certs.ca) });
  const [error] = await once(later, "error");
  assert.ok(error);
  fs.writeFileSync(file, JSON.stringify(config));
  assert.equal((await proxy.admin("/reload", { method: "POST" })).status, 200);
});

/* The last: the daemon ends. */
test("a stop tells clients with GOAWAY and answers what is under way", async () => {
  const client = connect();
  let goaways = 0;
  client.on("goaway", (code) => { assert.equal(code, 0); goaways++; });
  assert.equal((await ask(client, "/hello")).status, 200);
  const slow = ask(client, "/slow");
  await waitFor(async () => await metric("h2_open_streams") === 1, { what: "the request is under way" });
  proxy.signal("SIGTERM");
  const got = await slow;
  assert.deepEqual([got.status, got.body], [200, "slow"]);
  assert.ok(goaways >= 1);
  const how = await proxy.stop();
  assert.equal(how.code, 0);
});
