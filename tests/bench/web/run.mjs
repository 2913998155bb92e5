#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// web-proxy beside nginx and HAProxy, in one run and under the same load:
//
//   EDGE_BUILD=build/release tests/bench/web/run.mjs [--seconds 5] [--rounds 3] [--sockets 1000] [--only NAME]
//
// Each proxy is alone on CPU 0 while it is measured, with one worker; the back
// end and the load are on CPU 1. What counts is the CPU time the proxy's
// threads used (/proc/PID/task/*/schedstat), divided by the work done; so other
// load on the machine disturbs little. Printed per proxy: the least and the
// most of all rounds, and the ratio of our least to the better other's.

import { execFileSync, spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import { once } from "node:events";
import { binary, freePort, makeCertificates, missing, runProgram, scratch, sleep, waitFor } from "../../support/edge.mjs";

const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
};
const SECONDS = Number(option("seconds", 5));
const SOCKETS = Number(option("sockets", 1000));
const ROUNDS = Number(option("rounds", 3));
const ONLY = option("only", "");
const RESUMED = 400; // connections
const TRIPS = 400; // of a message on each of 20 WebSockets
const absent = missing("nginx", "haproxy", "wrk", "h2load", "taskset");
if (absent) {
  console.log(`skipped: ${absent}`);
  process.exit(0);
}

const dir = scratch("edge-bench-");
fs.chmodSync(dir, 0o755); // nginx's worker is another user
const certs = await makeCertificates(dir, { names: ["localhost"], addresses: ["127.0.0.1"] });
const pem = path.join(dir, "both.pem");
fs.writeFileSync(pem, fs.readFileSync(certs.cert, "utf8") + fs.readFileSync(certs.key, "utf8"));
const backPort = await freePort();
const socketPort = await freePort();
const children = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));

function start(cpu, program, args) {
  const child = spawn("taskset", ["-c", String(cpu), program, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (part) => { log += part; });
  child.on("exit", (code) => { if (code) console.error(`${program}: ${code}\n${log}`); });
  children.push(child);
  return child;
}

function nginxConfig(name, servers, extra = "") {
  const at = path.join(dir, name);
  fs.mkdirSync(at, { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((t) => `${t}_temp_path ${at}/${t};`).join(" ");
  const file = path.join(at, "nginx.conf");
  fs.writeFileSync(file, `
daemon off; worker_processes 1; pid ${at}/pid; error_log ${at}/error.log crit;
events { worker_connections 9000; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; ${temporary} ${extra} ${servers} }`);
  return ["-c", file, "-e", `${at}/error.log`];
}

const body = "x".repeat(1024);
fs.writeFileSync(path.join(dir, "big"), Buffer.alloc(1e6, "x"));
start(1, "nginx", nginxConfig("back", `server { listen 127.0.0.1:${backPort} backlog=4096;
  location / { default_type text/plain; return 200 "${body}"; }
  location /big { root ${dir}; } }`));

/* A back end for WebSockets: the handshake, then what comes goes back, byte
 * for byte (so frames come back masked: the proxies do not mind). */
const quiet = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.setNoDelay();
  socket.once("data", (data) => {
    socket.on("data", (more) => socket.write(more));
    const key = String(data).match(/sec-websocket-key: (\S+)/i)?.[1] ?? "";
    const accept = crypto.createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  });
}).listen(socketPort, "127.0.0.1", 4096);
await once(quiet, "listening");

async function ports() {
  return { http: await freePort(), https: await freePort() };
}

const proxies = [
  {
    name: "web-proxy",
    async start(p) {
      return start(0, binary("web-proxy"), ["--workers", "1", "--access-log=false", "--log-level", "warn",
        "--listen", `http:127.0.0.1:${p.http}`, "--listen", `https:127.0.0.1:${p.https}`, "--certificate", certs.cert, "--key", certs.key,
        "--upstream", `a=http://127.0.0.1:${backPort},idle-connections=256`, "--upstream", `ws=http://127.0.0.1:${socketPort}`,
        "--route", "/=a", "--route", "path=/ws,upstream=ws,websocket=yes,websocket-timeout=1h",
        "--requests-per-connection", "4000000000", "--connections", "9000", "--connections-per-address", "0",
        "--handshake-rate", "0", "--source-handshake-rate", "0"]);
    },
  },
  {
    name: "nginx",
    async start(p) {
      return start(0, "nginx", nginxConfig("front", `
        upstream a { server 127.0.0.1:${backPort}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 1h; }
        server {
          listen 127.0.0.1:${p.http} backlog=4096; listen 127.0.0.1:${p.https} ssl http2 backlog=4096;
          ssl_certificate ${certs.cert}; ssl_certificate_key ${certs.key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off;
          proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
          proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
          proxy_set_header Forwarded "for=$remote_addr;proto=$scheme;host=\\"$http_host\\"";
          location / { proxy_set_header Connection ""; proxy_pass http://a; }
          location /ws { proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_read_timeout 1h; proxy_pass http://127.0.0.1:${socketPort}; }
        }`));
    },
  },
  {
    name: "haproxy",
    async start(p) {
      const file = path.join(dir, "haproxy.cfg");
      fs.writeFileSync(file, `
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  option http-keep-alive
  http-reuse always
frontend f
  bind 127.0.0.1:${p.http} backlog 4096
  bind 127.0.0.1:${p.https} ssl crt ${pem} alpn h2,http/1.1 backlog 4096
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header Forwarded for=%[src];proto=%[ssl_fc,iif(https,http)];host=\\"%[req.hdr(host)]\\"
  use_backend ws if { path_beg /ws }
  default_backend a
backend a
  server a 127.0.0.1:${backPort} pool-max-conn 256
backend ws
  server ws 127.0.0.1:${socketPort}
`);
      return start(0, "haproxy", ["-f", file, "-db"]);
    },
  },
];

/* The process itself and its children (nginx's worker). */
function family(pid) {
  const found = [pid];
  for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
    const kids = fs.readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
    if (kids) for (const kid of kids.split(" ")) found.push(...family(Number(kid)));
  }
  return found;
}

function cpuNs(pid) {
  let sum = 0;
  for (const one of family(pid))
    for (const task of fs.readdirSync(`/proc/${one}/task`))
      sum += Number(fs.readFileSync(`/proc/${one}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  return sum;
}

function memoryKib(pid) {
  return family(pid).reduce((sum, one) =>
    sum + Number(fs.readFileSync(`/proc/${one}/smaps_rollup`, "utf8").match(/^Pss:\s+(\d+)/m)[1]), 0);
}

/* CPU microseconds per request while wrk asks. */
async function perRequest(pid, url, seconds, ...more) {
  const load = (time) => runProgram("taskset", ["-c", "1", "wrk", "-t1", "-c64", `-d${time}s`, ...more, url]);
  await load(1);
  const before = cpuNs(pid);
  const got = await load(seconds);
  const used = cpuNs(pid) - before;
  const requests = Number(got.stdout.match(/(\d+) requests in/)?.[1]);
  const errors = got.stdout.match(/Non-2xx.*|Socket errors.*/);
  if (errors) console.error(`${url}: ${errors[0]}`);
  return used / requests / 1000;
}

/* The same of HTTP/2: 16 connections with 4 requests at a time on each. */
async function perStream(pid, url, seconds, ...more) {
  const load = (time) => runProgram("taskset", ["-c", "1", "h2load", "-t1", "-c16", "-m4", `-D${time}`, ...more, url]);
  await load(1);
  const before = cpuNs(pid);
  const got = await load(seconds);
  const used = cpuNs(pid) - before;
  const [, requests, failed] = got.stdout.match(/(\d+) succeeded, (\d+) failed/) ?? [0, 0, 0];
  if (!Number(requests) || Number(failed)) console.error(`${url}: ${got.stdout}`);
  return used / Number(requests) / 1000;
}

/* … per connection with one request that resumes a session by its ticket. */
async function perResumption(pid, port, version, count) {
  const options = { port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false, minVersion: version, maxVersion: version };
  const once1 = (session) => new Promise((done, fail) => {
    let ticket;
    let resumed = false;
    const socket = tls.connect({ ...options, session }, () => {
      resumed = socket.isSessionReused();
      socket.write("GET /file HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    });
    socket.on("session", (one) => { ticket = one; });
    socket.on("error", fail);
    socket.on("data", () => {});
    socket.on("close", () => done({ ticket, resumed }));
  });
  const { ticket } = await once1();
  const run = async (n) => {
    for (let i = 0; i < n; i += 8)
      for (const { resumed } of await Promise.all(Array.from({ length: 8 }, () => once1(ticket))))
        if (!resumed) throw new Error(`${version}: a session was not resumed`);
  };
  await run(40);
  const before = cpuNs(pid);
  await run(count);
  return (cpuNs(pid) - before) / count / 1000;
}

const upgrade = () => "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString("base64")}\r\n\r\n`;

/* … per WebSocket message of 64 bytes, half of them each way. */
async function perMessage(pid, port, secure, trips) {
  const frame = Buffer.concat([Buffer.from([0x82, 0x80 | 64, 1, 2, 3, 4]), Buffer.alloc(64)]);
  const sockets = await Promise.all(Array.from({ length: 20 }, async () => {
    const socket = secure ? tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }) : net.connect(port, "127.0.0.1");
    socket.setNoDelay();
    await once(socket, secure ? "secureConnect" : "connect");
    socket.write(upgrade());
    await once(socket, "data");
    return socket;
  }));
  const run = (n) => Promise.all(sockets.map((socket) => new Promise((done) => {
    let got = 0;
    const onData = (data) => {
      got += data.length;
      if (got % frame.length) return;
      if (got / frame.length < n) return void socket.write(frame);
      socket.off("data", onData);
      done();
    };
    socket.on("data", onData);
    socket.write(frame);
  })));
  await run(50);
  const before = cpuNs(pid);
  await run(trips);
  const used = cpuNs(pid) - before;
  for (const socket of sockets) socket.destroy();
  return used / trips / sockets.length / 2 / 1000;
}

/* KiB per idle WebSocket. */
async function perSocket(pid, port, secure) {
  const sockets = [];
  const handshake = upgrade();
  const open = async () => {
    const socket = secure ? tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }) : net.connect(port, "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
    await once(socket, secure ? "secureConnect" : "connect");
    socket.write(handshake);
    const [data] = await once(socket, "data");
    if (!String(data).startsWith("HTTP/1.1 101")) throw new Error(String(data));
  };
  for (let i = 0; i < 20; i++) await open();
  await sleep(200);
  const before = memoryKib(pid);
  for (let i = 0; i < SOCKETS; i += 20) await Promise.all(Array.from({ length: 20 }, open));
  await sleep(500);
  const used = memoryKib(pid) - before;
  for (const socket of sockets) socket.destroy();
  await sleep(300);
  return used / SOCKETS;
}

const measures = [
  ["plain", "µs CPU per request, plain, keep-alive", (p) => perRequest(p.pid, `http://127.0.0.1:${p.ports.http}/file`, SECONDS)],
  ["tls", "µs CPU per request, TLS, keep-alive", (p) => perRequest(p.pid, `https://127.0.0.1:${p.ports.https}/file`, SECONDS)],
  ["h2", "µs CPU per request, HTTP/2 over TLS", (p) => perStream(p.pid, `https://127.0.0.1:${p.ports.https}/file`, SECONDS)],
  ["handshake", "µs CPU per new TLS connection with one request", (p) =>
    perRequest(p.pid, `https://127.0.0.1:${p.ports.https}/file`, SECONDS, "-H", "Connection: close")],
  ["resume12", "µs CPU per resumed TLS 1.2 connection, one request", (p) => perResumption(p.pid, p.ports.https, "TLSv1.2", RESUMED)],
  ["resume13", "µs CPU per resumed TLS 1.3 connection, one request", (p) => perResumption(p.pid, p.ports.https, "TLSv1.3", RESUMED)],
  ["mb", "µs CPU per MB, plain", (p) => perRequest(p.pid, `http://127.0.0.1:${p.ports.http}/big`, SECONDS, "-c8")],
  ["mb-tls", "µs CPU per MB, TLS", (p) => perRequest(p.pid, `https://127.0.0.1:${p.ports.https}/big`, SECONDS, "-c8")],
  ["message", "µs CPU per WebSocket message, plain", (p) => perMessage(p.pid, p.ports.http, false, TRIPS)],
  ["message-tls", "µs CPU per WebSocket message, TLS", (p) => perMessage(p.pid, p.ports.https, true, TRIPS)],
  ["socket", "KiB per idle WebSocket, plain", (p) => perSocket(p.pid, p.ports.http, false)],
  ["socket-tls", "KiB per idle WebSocket, TLS", (p) => perSocket(p.pid, p.ports.https, true)],
];

/* Each measure has a process of its own: memory that another one has left
 * behind would hide what this one needs. */
async function alone(proxy, measure) {
  proxy.ports = await ports();
  const child = await proxy.start(proxy.ports);
  proxy.pid = child.pid;
  await waitFor(() => new Promise((done) => {
    const probe = net.connect(proxy.ports.http, "127.0.0.1");
    probe.on("connect", () => { probe.destroy(); done(true); });
    probe.on("error", () => done(false));
  }), { what: `${proxy.name} listens` });
  const result = await measure(proxy);
  child.kill("SIGTERM");
  await Promise.race([once(child, "exit"), sleep(3000)]);
  child.kill("SIGKILL");
  return result;
}

/* The proxies take turns; of all rounds the one least disturbed counts. */
const results = {};
for (let round = 0; round < ROUNDS; round++)
  for (const [key, , measure] of measures)
    if (!ONLY || ONLY.split(",").includes(key))
      for (const proxy of proxies) {
        const got = await alone(proxy, measure);
        const row = (results[key] ??= {});
        (row[proxy.name] ??= []).push(got);
      }

const version = (program, ...args) => execFileSync("sh", ["-c", `${program} ${args.join(" ")} 2>&1 | head -1`]).toString().trim();
console.log(`${version("nginx", "-v")} · ${version("haproxy", "-v").split(" ").slice(0, 3).join(" ")} · ${ROUNDS} × ${SECONDS} s each, 64 connections, 1 KiB`);
console.log(`${"".padEnd(54)}${proxies.map((p) => p.name.padStart(18)).join("")}     ratio`);
for (const [key, title] of measures) {
  const row = results[key];
  if (!row) continue;
  const least = (p) => Math.min(...row[p.name]);
  const shown = (p) => `${least(p).toFixed(1)} … ${Math.max(...row[p.name]).toFixed(1)}`.padStart(18);
  const [we, ...they] = proxies.map(least);
  console.log(`${title.padEnd(54)}${proxies.map(shown).join("")}${(we / Math.min(...they)).toFixed(2).padStart(10)}`);
}
process.exit(0);
