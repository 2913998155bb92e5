// SPDX-License-Identifier: MIT
// Several servers behind one name: they share the load, one may die under it
// and come back, and nobody notices.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { once } from "node:events";
import { freePort, runDaemon, scratch, sleep, startDaemon, waitFor } from "../support/edge.mjs";
import { rawExchange } from "../support/web.mjs";

// A process of its own, so that it can be killed as a server dies. It answers
// with its name; /health as told by a file.
const PROGRAM = `
  const http = require("node:http"), fs = require("node:fs");
  const [port, name, health] = process.argv.slice(1);
  http.createServer((request, response) => {
    if (request.url === "/health") {
      response.statusCode = fs.existsSync(health) ? 503 : 200;
      response.end();
      return;
    }
    setTimeout(() => response.end(name), 2);
  }).listen(Number(port), "127.0.0.1", () => console.log("ready"));
`;

let dir, file, config, ports, servers, proxy, port;

async function startServer(i) {
  const child = spawn(process.execPath, ["-e", PROGRAM, String(ports[i]), String(i), sickFile(i)],
    { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  servers[i] = child;
}

async function killServer(i) {
  servers[i].kill("SIGKILL");
  await once(servers[i], "exit");
}

const sickFile = (i) => path.join(dir, `sick-${i}`);
const urls = () => ports.map((p) => `http://127.0.0.1:${p}`);
const GET = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

async function start(upstream) {
  config = {
    listen: [`http:127.0.0.1:${port}`], workers: 2, "access-log": false,
    upstream: [upstream], route: ["/=a"],
  };
  fs.writeFileSync(file, JSON.stringify(config));
  proxy = await startDaemon("web-proxy", { args: ["--config", file] });
}

async function states() {
  const { upstreams } = await proxy.status();
  return upstreams[0].servers.map((s) => s.state);
}

/** Keep-alive clients that send GETs until `stop()`; what came, counted. */
function load(clients = 24) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
  const seen = new Map();
  const note = (what) => seen.set(what, (seen.get(what) ?? 0) + 1);
  let going = true;
  const one = () => new Promise((done) => {
    const request = http.get({ port, path: "/x", agent }, (answer) => {
      let body = "";
      answer.on("data", (part) => { body += part; });
      answer.on("end", () => { note(answer.statusCode === 200 ? body : `status ${answer.statusCode}`); done(); });
      answer.on("error", (error) => { note(error.code); done(); });
    });
    request.on("error", (error) => { note(error.code); done(); });
  });
  const all = Promise.all(Array.from({ length: clients }, async () => {
    while (going) await one();
  }));
  return {
    seen,
    count: (what) => seen.get(String(what)) ?? 0,
    errors: () => [...seen.keys()].filter((k) => !/^\d$/.test(k)),
    async stop() { going = false; await all; agent.destroy(); },
  };
}

beforeEach(async () => {
  dir = scratch();
  file = path.join(dir, "web-proxy.json");
  servers = [];
  ports = [await freePort(), await freePort(), await freePort()];
  port = await freePort();
  for (let i = 0; i < 3; i++) await startServer(i);
});

afterEach(async () => {
  await proxy?.stop();
  for (const server of servers) server.kill("SIGKILL");
});

test("requests are shared by weight", async () => {
  await start({ name: "a", url: urls(), weights: [2, 1, 1] });
  const work = load(8);
  await waitFor(() => [0, 1, 2].reduce((n, i) => n + work.count(i), 0) > 800);
  await work.stop();
  assert.deepEqual(work.errors(), []);
  const share = work.count(0) / (work.count(0) + work.count(1) + work.count(2));
  assert.ok(share > 0.45 && share < 0.55, `share of the first: ${share}`);
});

test("by hash a client stays at its server, until that is gone", async () => {
  await start({ name: "a", url: urls(), balance: "hash" });
  const work = load(8);
  await waitFor(() => [0, 1, 2].some((i) => work.count(i) > 100));
  assert.equal(work.seen.size, 1, `one server for one client: ${[...work.seen.keys()]}`);
  const mine = Number([...work.seen.keys()][0]);
  await killServer(mine);
  await waitFor(() => [0, 1, 2].some((i) => i !== mine && work.count(i) > 100));
  await work.stop();
  assert.equal(work.seen.size, 2, "all its clients are at one other server");
  assert.deepEqual(work.errors(), []);
});

test("by least connections a slow server gets little", async () => {
  await start({ name: "a", url: urls(), balance: "least-connections" });
  servers[0].kill("SIGSTOP");
  const work = load(12);
  await waitFor(() => work.count(1) > 200 && work.count(2) > 200);
  servers[0].kill("SIGCONT");
  await work.stop();
  assert.deepEqual(work.errors(), []);
});

test("the short form of the command line takes several servers", async () => {
  const { code, stdout } = await runDaemon("web-proxy", [
    "--listen", `http:127.0.0.1:${port}`, "--route", "/=a", "--dump-config",
    "--upstream", `a=${urls().join(",")},weights=3,2,1,max-fails=5`]);
  assert.equal(code, 0);
  const [upstream] = JSON.parse(stdout).upstream;
  assert.equal(upstream.url.length, 3);
  assert.deepEqual(upstream.weights, [3, 2, 1]);
  assert.equal(upstream["max-fails"], 5);
});

test("servers that cannot be one group are refused", async () => {
  for (const [upstream, why] of [
    [`a=http://127.0.0.1:1,https://127.0.0.1:2`, /mixes http and https/],
    [`a=http://127.0.0.1:1,http://127.0.0.1:1`, /twice/],
    [`a=http://127.0.0.1:1,http://127.0.0.1:2,weights=1`, /1 given for 2 servers/],
    [`a=http://127.0.0.1:1,max-fials`, /max-fials/],
  ]) {
    const { code, stderr } = await runDaemon("web-proxy", [
      "--listen", `http:127.0.0.1:${port}`, "--route", "/=a", "--check", "--upstream", upstream]);
    assert.notEqual(code, 0, upstream);
    assert.match(stderr, why);
  }
});

test("a server killed under load is not noticed, nor is its return", async () => {
  await start({ name: "a", url: urls(), "out-time": "500ms" });
  const work = load();
  await waitFor(() => work.count(1) > 100);
  await killServer(1);
  await waitFor(async () => (await states())[1] === "ejected", { what: "the server is out" });
  const before = work.count(0);
  await waitFor(() => work.count(0) > before + 300);
  await sleep(1200); // trials that fail
  assert.deepEqual(work.errors(), []);

  await startServer(1);
  await waitFor(async () => (await states())[1] === "up", { what: "the server is back" });
  const back = work.count(1);
  await waitFor(() => work.count(1) > back + 100);
  await work.stop();
  assert.deepEqual(work.errors(), []);
  const metrics = await proxy.metrics();
  assert.match(metrics, /upstream_ejected\S* [1-9]/);
});

test("when all servers are out the answer is 503 at once, with Retry-After", async () => {
  await start({ name: "a", url: urls(), "out-time": "1m" });
  for (let i = 0; i < 3; i++) await killServer(i);
  const got = await waitFor(async () => {
    const answer = await rawExchange(port, GET);
    return answer.statuses[0] === 503 && answer;
  });
  assert.match(got.text, /Retry-After: \d+/);
  assert.deepEqual(await states(), ["ejected", "ejected", "ejected"]);
});

test("a reload keeps what is known of the servers that stay", async () => {
  await start({ name: "a", url: urls(), "out-time": "1m" });
  await killServer(2);
  await waitFor(async () => {
    await rawExchange(port, GET);
    return (await states())[2] === "ejected";
  });
  config.upstream = [{ name: "a", url: urls().slice(1), "out-time": "1m" }];
  fs.writeFileSync(file, JSON.stringify(config));
  assert.equal((await proxy.admin("/reload", { method: "POST" })).status, 200);
  assert.deepEqual(await states(), ["up", "ejected"]);
});

test("a server whose check fails gets no requests until it is well again", async () => {
  await start({
    name: "a", url: urls(), "check-path": "/health", "check-interval": "100ms",
    "check-timeout": "1s", "check-fall": 2, "check-rise": 2,
  });
  const work = load(8);
  await waitFor(() => work.count(0) > 50);
  fs.writeFileSync(sickFile(0), "");
  await waitFor(async () => (await states())[0] === "down", { what: "the server is down" });
  await sleep(100);
  const before = work.count(0);
  await sleep(300);
  assert.equal(work.count(0), before, "it is still asked");
  fs.rmSync(sickFile(0));
  await waitFor(async () => (await states())[0] === "up", { what: "the server is up" });
  await waitFor(() => work.count(0) > before + 50);
  await work.stop();
  assert.deepEqual(work.errors(), []);
  const { upstreams } = await proxy.status();
  assert.ok(upstreams[0].servers[0].checks_failed >= 2);
});

test("one check per interval, however many workers", async () => {
  await start({ name: "a", url: urls(), "check-path": "/health", "check-interval": "200ms" });
  const checks = async () => (await proxy.status()).upstreams[0].servers[1].checks;
  await waitFor(async () => (await checks()) > 2);
  const from = await checks();
  await sleep(2000);
  const made = (await checks()) - from;
  assert.ok(made >= 4 && made <= 12, `${made} checks in 2 s`);
});
