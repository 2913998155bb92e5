#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// Connections passed on as they are, web-proxy beside HAProxy in one run:
//
//   EDGE_BUILD=build/release tests/bench/web/streams.mjs [--rounds 3] [--connections 8000] [--mb 512]
//
// CPU time of the proxy (alone on CPU 0, one worker) per MB of one long
// connection, and per short connection of a shared port whose ClientHello
// names the server. Load and server are on CPU 1.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { binary, freePort, makeCertificates, missing, scratch, waitFor } from "../../support/edge.mjs";

const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const ROUNDS = option("rounds", 3);
const CONNECTIONS = option("connections", 8000);
const BYTES = option("mb", 512) * 1e6;
const absent = missing("haproxy", "taskset");
if (absent) {
  console.log(`skipped: ${absent}`);
  process.exit(0);
}
execFileSync("taskset", ["-cp", "1", String(process.pid)], { stdio: "ignore" });

const dir = scratch("edge-bench-");
const certs = await makeCertificates(dir, { names: ["localhost"] });
const hello = fs.readFileSync(new URL("../../fuzz/corpus/first_bytes/node", import.meta.url)); // asks for edge.test
const chunk = Buffer.alloc(1 << 18);

/* "B": so many bytes; anything else: one byte. Then the end. */
const server = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (data) => {
    let left = BYTES;
    if (data[0] !== 66) return void socket.end("x");
    const push = () => {
      while (left > 0) {
        left -= chunk.length;
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.on("drain", push);
    push();
  });
}).listen(0, "127.0.0.1", 4096);
await once(server, "listening");
const up = server.address().port;

const children = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
async function start(program, args, port) {
  const child = spawn("taskset", ["-c", "0", program, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  children.push(child);
  await waitFor(() => new Promise((done) => {
    const probe = net.connect(port, "127.0.0.1", () => { probe.destroy(); done(true); });
    probe.on("error", () => done(false));
  }), { what: program });
  return child.pid;
}

const ports = async () => ({ own: await freePort(), shared: await freePort() });
const ours = await ports();
const theirs = await ports();
const file = path.join(dir, "haproxy.cfg");
fs.writeFileSync(file, `
global
  nbthread 1
  maxconn 9000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen own
  bind 127.0.0.1:${theirs.own} backlog 4096
  server s 127.0.0.1:${up}
frontend shared
  bind 127.0.0.1:${theirs.shared} backlog 4096
  tcp-request inspect-delay 5s
  tcp-request content accept if { req_ssl_hello_type 1 }
  use_backend named if { req_ssl_sni -i edge.test }
backend named
  server s 127.0.0.1:${up}
`);
const proxies = [
  { name: "web-proxy", ...ours, pid: await start(binary("web-proxy"), ["--workers", "1", "--access-log=false", "--log-level", "warn",
    "--listen", `tcp:127.0.0.1:${ours.own}`, "--listen", `shared:127.0.0.1:${ours.shared}`,
    "--certificate", certs.cert, "--key", certs.key, "--connections", "9000", "--connections-per-address", "0",
    "--upstream", `s=tcp://127.0.0.1:${up}`, "--upstream", "h=http://127.0.0.1:1", "--route", "/=h",
    "--stream", `own=s,port=${ours.own},connections-per-address=0`,
    "--stream", "named=s,server-names=edge.test,connections-per-address=0"], ours.own) },
  { name: "haproxy", ...theirs, pid: await start("haproxy", ["-f", file], theirs.own) },
];

/** Nanoseconds its threads have run. */
const cpu = (pid) => fs.readdirSync(`/proc/${pid}/task`).reduce((sum, task) =>
  sum + Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]), 0);

function open(port, first) {
  return new Promise((done, fail) => {
    const socket = net.connect(port, "127.0.0.1");
    let got = 0;
    socket.on("data", (data) => { got += data.length; });
    socket.on("error", fail);
    socket.on("close", () => done(got));
    socket.write(first);
  });
}

async function measure(proxy) {
  const began = cpu(proxy.pid);
  const got = await open(proxy.own, "B");
  const between = cpu(proxy.pid);
  let n = 0;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (n++ < CONNECTIONS) await open(proxy.shared, hello);
  }));
  return { mb: (between - began) / 1e3 / (got / 1e6), connection: (cpu(proxy.pid) - between) / 1e3 / CONNECTIONS };
}

const best = new Map();
for (let round = 0; round < ROUNDS; round++)
  for (const proxy of proxies) {
    const now = await measure(proxy);
    const before = best.get(proxy.name) ?? now;
    best.set(proxy.name, { mb: Math.min(now.mb, before.mb), connection: Math.min(now.connection, before.connection) });
  }
const [we, they] = proxies.map((proxy) => best.get(proxy.name));
for (const [what, key] of [["CPU µs per MB passed on", "mb"], ["CPU µs per connection told by its name", "connection"]])
  console.log(`${what}: web-proxy ${we[key].toFixed(1)}, haproxy ${they[key].toFixed(1)}, ratio ${(we[key] / they[key]).toFixed(2)}`);
process.exit(0);
