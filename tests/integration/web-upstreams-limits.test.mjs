// SPDX-License-Identifier: MIT
// Servers that are full, drained, checked at another port, or want to see a
// certificate.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { once } from "node:events";
import { freePort, makeCertificates, missing, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { httpServer } from "../support/web.mjs";

let dir, file, port, proxy, config, opened;

async function start(settings) {
  config = { listen: [`http:127.0.0.1:${port}`], workers: 1, "access-log": false, route: ["/=a"], ...settings };
  fs.writeFileSync(file, JSON.stringify(config));
  proxy = await startDaemon("web-proxy", { args: ["--config", file] });
}

async function reload(change) {
  Object.assign(config, change);
  fs.writeFileSync(file, JSON.stringify(config));
  proxy.signal("SIGHUP");
}

async function backend(answer) {
  const server = await httpServer(answer);
  opened.push(server);
  return server;
}

const get = (p = "/") => new Promise((done, fail) => {
  http.get({ port, path: p, agent: false }, (answer) => {
    let body = "";
    answer.on("data", (part) => { body += part; });
    answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, body }));
  }).on("error", fail);
});

beforeEach(async () => {
  dir = scratch();
  file = path.join(dir, "web-proxy.json");
  port = await freePort();
  opened = [];
});

afterEach(async () => {
  await proxy?.stop();
  for (const server of opened) server.close();
});

test("a full server is waited for, and no longer than said", async () => {
  let busy = 0, most = 0, release = [];
  const server = await backend((request, response) => {
    most = Math.max(most, ++busy);
    const done = () => { busy--; response.end("ok"); };
    if (request.url === "/hold") release.push(done);
    else setTimeout(done, 2);
  });
  await start({ upstream: [{ name: "a", url: `http://127.0.0.1:${server.port}`, connections: 2, queue: 50, "queue-time": "500ms" }] });
  const answers = await Promise.all(Array.from({ length: 40 }, () => get()));
  assert.deepEqual([...new Set(answers.map((a) => a.status))], [200]);
  assert.ok(most <= 2, `${most} at a time`);
  const held = [get("/hold"), get("/hold")];
  await waitFor(() => release.length === 2);
  const late = await get();
  assert.equal(late.status, 503);
  assert.equal(late.headers["retry-after"], "1");
  for (const done of release) done();
  assert.deepEqual((await Promise.all(held)).map((a) => a.status), [200, 200]);
});

test("a drained server gets nothing new and loses nothing", async () => {
  let release;
  const servers = [
    await backend((request, response) => {
      if (request.url === "/hold") release = () => response.end("held");
      else response.end("0");
    }),
    await backend((request, response) => response.end("1")),
  ];
  const url = servers.map((s) => `http://127.0.0.1:${s.port}`);
  await start({ upstream: [{ name: "a", url: [url[0]] }] });
  const held = get("/hold");
  await waitFor(() => release);
  await reload({ upstream: [{ name: "a", url, drain: [`127.0.0.1:${servers[0].port}`] }] });
  await waitFor(async () => (await proxy.status()).upstreams[0].servers[0].state === "drained");
  for (let i = 0; i < 10; i++) assert.equal((await get()).body, "1");
  release();
  assert.equal((await held).body, "held");
});

test("checks ask another port", async () => {
  const asked = [];
  const server = await backend((request, response) => response.end("ok"));
  const check = await backend((request, response) => {
    asked.push(request.headers.host);
    response.statusCode = 204;
    response.end();
  });
  await start({ upstream: [{ name: "a", url: `http://127.0.0.1:${server.port}`, "check-path": "/up", "check-port": check.port,
    "check-status": 204, "check-interval": "100ms", "check-fall": 1, "check-rise": 1 }] });
  await waitFor(() => asked.length > 1);
  assert.equal(asked[0], `127.0.0.1:${check.port}`);
  assert.equal((await get()).status, 200);
  check.close();
  await waitFor(async () => (await get()).status === 503);
});

test("a certificate is shown to a back end that asks", { skip: missing("openssl") }, async () => {
  const certs = await makeCertificates(path.join(dir, "certs"));
  const pem = (name) => fs.readFileSync(certs[name]);
  const server = https.createServer(
    { cert: pem("cert"), key: pem("key"), ca: pem("ca"), requestCert: true, rejectUnauthorized: true },
    (request, response) => response.end(request.socket.getPeerCertificate().subject.CN));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  opened.push(server);
  const upstream = { name: "a", url: `https://127.0.0.1:${server.address().port}`, "ca-file": certs.ca };
  await start({ upstream: [upstream] });
  assert.equal((await get()).status, 502);
  await reload({ upstream: [{ ...upstream, certificate: certs.cert, key: certs.key }] });
  await waitFor(async () => (await get()).body === "localhost");
  server.closeAllConnections();
});
