#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// sip-proxy and Kamailio side by side: the same clients, the same media server,
// the same messages. What is measured is CPU time of the proxy alone (all its
// threads and processes, from the scheduler's own account), divided by what was
// done, and memory per idle WebSocket; both are little disturbed by what else
// the machine does. Latency is how much later an answer comes than straight from
// the media server, one REGISTER at a time every 5 ms: that is disturbed.
//
//   EDGE_BUILD=build/release tests/bench/sip/run.mjs [--registers N] [--calls N]
//       [--sockets N] [--samples N] [--rounds N] [--json FILE]

import { spawn } from "node:child_process";
import dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { binary, freePort, missing, root, scratch, sleep, waitFor } from "../../support/edge.mjs";

const here = path.join(root, "tests/bench/sip");

// ---- the media server (a thread of its own) ----

function line(lines, name) {
  return lines.filter((l) => l.startsWith(name));
}

function answerAll() {
  const socket = dgram.createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
  const unacknowledged = new Map();
  socket.on("message", (data, from) => {
    const text = data.toString("latin1");
    const method = text.slice(0, text.indexOf(" "));
    if (method === "SIP/2.0") return;
    const lines = text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n");
    const callId = line(lines, "Call-ID:")[0];
    if (method === "ACK") {
      clearInterval(unacknowledged.get(callId));
      unacknowledged.delete(callId);
      return;
    }
    const to = line(lines, "To:")[0];
    const base = [...line(lines, "Via:"), ...line(lines, "Record-Route:"), line(lines, "From:")[0],
      to.includes(";tag=") ? to : `${to};tag=srv`, callId, line(lines, "CSeq:")[0]];
    const more = method === "REGISTER"
      ? [...line(lines, "Contact:"), ...line(lines, "Path:"), "Supported: path"]
      : [`Contact: <sip:127.0.0.1:${socket.address().port}>`];
    const send = (start) => socket.send(
      [start, ...base, ...more, "Content-Length: 0", "", ""].join("\r\n"), from.port, from.address);
    if (method === "INVITE") {
      send("SIP/2.0 180 Ringing");
      // RFC 3261 13.3.1.4: again until it is acknowledged.
      clearInterval(unacknowledged.get(callId));
      unacknowledged.set(callId, setInterval(() => send("SIP/2.0 200 OK"), 1000));
    }
    send("SIP/2.0 200 OK");
  });
  socket.bind(0, "127.0.0.1", () => parentPort.postMessage(socket.address().port));
}

// ---- WebSocket clients, as bare as they can be ----

class Client {
  constructor(number) {
    this.number = number;
    this.buffer = Buffer.alloc(0);
  }

  open(port) {
    this.socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("error", () => {});
    return new Promise((done, fail) => {
      this.socket.once("close", () => fail(new Error("closed in the handshake")));
      const onHead = (data) => {
        this.buffer = Buffer.concat([this.buffer, data]);
        const end = this.buffer.indexOf("\r\n\r\n");
        if (end < 0) return;
        this.socket.off("data", onHead);
        if (!/^HTTP\/1\.1 101/.test(this.buffer.toString("latin1"))) {
          fail(new Error(this.buffer.toString("latin1", 0, 200)));
          return;
        }
        this.buffer = this.buffer.subarray(end + 4);
        this.socket.on("data", (part) => this.#data(part));
        done(this);
      };
      this.socket.on("data", onHead);
      this.socket.write(`GET /wssip HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n");
    });
  }

  #data(part) {
    this.buffer = this.buffer.length ? Buffer.concat([this.buffer, part]) : part;
    for (;;) {
      if (this.buffer.length < 2) return;
      let len = this.buffer[1] & 0x7f, head = 2;
      if (len === 126) {
        if (this.buffer.length < 4) return;
        len = this.buffer.readUInt16BE(2);
        head = 4;
      }
      if (this.buffer.length < head + len) return;
      const payload = this.buffer.toString("latin1", head, head + len);
      const opcode = this.buffer[0] & 0x0f;
      this.buffer = this.buffer.subarray(head + len);
      if (opcode === 1 || opcode === 2) this.onMessage?.(payload);
    }
  }

  send(text) {
    const payload = Buffer.from(text, "latin1");
    const head = payload.length < 126 ? Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0])
      : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
    this.socket.write(Buffer.concat([head, payload])); // masked with zero
  }
}

let serial = 0;

function headers(client, method, cseq, call, { to = "<sip:bob@default>", routes = [] } = {}) {
  return [`Via: SIP/2.0/WS c${client.number}.invalid;branch=z9hG4bK${process.pid}x${++serial}`,
    "Max-Forwards: 69", ...routes.map((r) => `Route: ${r}`),
    `From: <sip:u${client.number}@default>;tag=t${client.number}`, `To: ${to}`, `Call-ID: ${call}`,
    `CSeq: ${cseq} ${method}`,
    `Contact: <sip:u${client.number}@c${client.number}.invalid;transport=ws>;+sip.instance="<urn:uuid:` +
      `00000000-0000-4000-8000-${String(client.number).padStart(12, "0")}>";reg-id=1;expires=600`,
    "Supported: path,gruu,outbound", "User-Agent: bench"];
}

const join = (start, lines, body = "") =>
  [start, ...lines, `Content-Length: ${body.length}`, "", body].join("\r\n");

/** One client's unit of work; resolves when it is through. */
function register(client) {
  const call = `r${process.pid}-${++serial}`;
  return new Promise((done, fail) => {
    client.onMessage = (text) => {
      if (text.startsWith("SIP/2.0 200")) done();
      else if (!text.startsWith("SIP/2.0 1")) fail(new Error(text.slice(0, 300)));
    };
    client.send(join("REGISTER sip:default SIP/2.0",
      headers(client, "REGISTER", 1, call, { to: `<sip:u${client.number}@default>` })));
  });
}

const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
  "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" + "a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host\r\n".repeat(20);

function call(client) {
  const id = `c${process.pid}-${++serial}`;
  return new Promise((done, fail) => {
    let answered = false;
    client.onMessage = (text) => {
      if (text.startsWith("SIP/2.0 1")) return;
      if (!text.startsWith("SIP/2.0 200")) {
        fail(new Error(text.slice(0, 300)));
        return;
      }
      if (answered) {
        done();
        return;
      }
      answered = true;
      const lines = text.split("\r\n");
      const routes = line(lines, "Record-Route:").flatMap((l) => l.slice(13).split(",")).map((v) => v.trim()).reverse();
      const to = line(lines, "To:")[0].slice(3).trim();
      const target = line(lines, "Contact:")[0].match(/<([^>]*)>/)[1];
      client.send(join(`ACK ${target} SIP/2.0`, headers(client, "ACK", 1, id, { to, routes })));
      client.send(join(`BYE ${target} SIP/2.0`, headers(client, "BYE", 2, id, { to, routes })));
    };
    client.send(join("INVITE sip:bob@default SIP/2.0",
      [...headers(client, "INVITE", 1, id), "Content-Type: application/sdp"], offer));
  });
}

async function inParallel(clients, total, work) {
  let left = total;
  await Promise.all(clients.map(async (client) => {
    while (left-- > 0) await work(client);
  }));
}

// ---- the proxies ----

function children(pid) {
  const all = [pid];
  for (let i = 0; i < all.length; i++) {
    for (const task of fs.readdirSync(`/proc/${all[i]}/task`)) {
      const text = fs.readFileSync(`/proc/${all[i]}/task/${task}/children`, "utf8");
      all.push(...text.trim().split(/\s+/).filter(Boolean).map(Number));
    }
  }
  return all;
}

/** Nanoseconds on a CPU, of all threads of all processes. */
function cpu(pid) {
  let sum = 0;
  for (const p of children(pid))
    for (const task of fs.readdirSync(`/proc/${p}/task`))
      sum += Number(fs.readFileSync(`/proc/${p}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  return sum;
}

/** Bytes, shared pages counted once. */
function memory(pid) {
  let sum = 0;
  for (const p of children(pid))
    sum += Number(fs.readFileSync(`/proc/${p}/smaps_rollup`, "utf8").match(/^Pss:\s+(\d+)/m)[1]) * 1024;
  return sum;
}

const pin = process.env.BENCH_CPU ?? String(os.cpus().length - 1);

async function startProxy(which, server) {
  const ws = await freePort(), udp = await freePort(), out = await freePort();
  const dir = scratch();
  const words = which === "sip-proxy"
    ? [binary("sip-proxy"), "--workers", "1", "--listen", `ws:127.0.0.1:${ws}`, "--listen", `udp:127.0.0.1:${udp}`,
      "--listen", `udp:127.0.0.1:${out},zone=external`, "--media-server", `default=udp:127.0.0.1:${server}`,
      "--probe-interval", "0", "--ping-interval", "3600s", "--idle-timeout", "7200s"]
    : ["kamailio", "-f", path.join(dir, "edge.cfg"), "-DD", "-E", "-m", "1024", "-M", "32", "-Y", dir, "-w", dir];
  if (which === "kamailio")
    fs.writeFileSync(path.join(dir, "edge.cfg"), fs.readFileSync(path.join(here, "kamailio-edge.cfg"), "utf8")
      .replaceAll("@WS@", ws).replaceAll("@UDP@", udp).replaceAll("@SERVER@", server));
  const child = spawn("taskset", ["-c", pin, ...words], { stdio: ["ignore", "ignore", "pipe"], detached: true });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (part) => { log += part; });
  const closed = new Promise((done) => child.on("close", done));
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch { /* gone */ }
  };
  process.on("exit", () => kill("SIGKILL"));
  try {
    await waitFor(async () => {
      const probe = await new Client(0).open(ws);
      probe.socket.destroy();
      return true;
    }, { what: which });
  } catch (error) {
    throw new Error(`${error.message}\n${log}`);
  }
  return { which, pid: child.pid, ws, out: which === "sip-proxy" ? out : udp, async stop() {
    kill("SIGTERM");
    const late = setTimeout(() => kill("SIGKILL"), 4000);
    await closed;
    clearTimeout(late);
  } };
}

// ---- the measurements: microseconds of CPU per unit ----

async function measure(proxy, total, run) {
  const wall = process.hrtime.bigint();
  const before = cpu(proxy.pid);
  await run();
  await sleep(200);
  return { cpu_us: (cpu(proxy.pid) - before) / 1000 / total,
    per_s: total / (Number(process.hrtime.bigint() - wall) / 1e9) };
}

async function overWebSocket(proxy, total, work) {
  const clients = await Promise.all(Array.from({ length: 100 }, (_, i) => new Client(i + 1).open(proxy.ws)));
  await inParallel(clients, Math.min(total, 500), work); // warm
  const result = await measure(proxy, total, () => inParallel(clients, total, work));
  for (const c of clients) c.socket.destroy();
  return result;
}

async function overUdp(proxy, total, file) {
  const local = await freePort();
  return measure(proxy, total, () => new Promise((done, fail) => {
    const sipp = spawn("sipp", [`127.0.0.1:${proxy.out}`, "-sf", path.join(here, file), "-i", "127.0.0.1",
      "-p", String(local), "-nostdin", "-m", String(total), "-r", "500", "-l", "400"],
    { cwd: scratch(), stdio: "ignore" });
    process.on("exit", () => sipp.kill("SIGKILL"));
    // A call that hangs would make sipp wait for ever.
    const late = setTimeout(() => sipp.kill("SIGKILL"), total / 500 * 1000 + 30000);
    sipp.on("close", (code) => {
      clearTimeout(late);
      if (code === 0) done();
      else fail(new Error(`sipp ${file}: exit code ${code}`));
    });
  }));
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

/** Microseconds, sorted: one `ask` every 5 ms, none waits for another. */
async function roundTrips(total, ask) {
  const times = [], running = [];
  for (let i = 0; i < total + 100; i++) {
    const began = process.hrtime.bigint();
    running.push(ask(i).then(() => {
      if (i >= 100) times.push(Number(process.hrtime.bigint() - began) / 1000); // the first ones warm up
    }));
    await sleep(5);
  }
  await Promise.all(running);
  return times.sort((a, b) => a - b);
}

async function straight(server, total) {
  const socket = dgram.createSocket("udp4");
  const waiting = new Map();
  socket.on("message", (data) => {
    const id = data.toString("latin1").match(/Call-ID: (\S+)/)[1];
    waiting.get(id)?.();
    waiting.delete(id);
  });
  await new Promise((done) => socket.bind(0, "127.0.0.1", done));
  const times = await roundTrips(total, (i) => new Promise((done) => {
    const id = `direct${i}`;
    waiting.set(id, done);
    socket.send(join("REGISTER sip:default SIP/2.0", headers({ number: i % 100 + 1 }, "REGISTER", 1, id,
      { to: `<sip:u${i % 100 + 1}@default>` })), server, "127.0.0.1");
  }));
  socket.close();
  return times;
}

async function latency(proxy, server, total) {
  const direct = await straight(server, total);
  const clients = await Promise.all(Array.from({ length: 100 }, (_, i) => new Client(i + 1).open(proxy.ws)));
  const times = await roundTrips(total, (i) => register(clients[i % 100]));
  for (const c of clients) c.socket.destroy();
  return { p50: quantile(times, 0.5) - quantile(direct, 0.5), p99: quantile(times, 0.99) - quantile(direct, 0.99) };
}

async function idle(proxy, total) {
  await sleep(300);
  const before = memory(proxy.pid);
  const clients = [];
  for (let i = 0; i < total; i += 100)
    clients.push(...await Promise.all(Array.from({ length: Math.min(100, total - i) },
      (_, k) => new Client(i + k).open(proxy.ws))));
  await sleep(1000);
  const bytes = (memory(proxy.pid) - before) / total;
  for (const c of clients) c.socket.destroy();
  await sleep(500);
  return { bytes };
}

async function main() {
  const { values } = parseArgs({ options: {
    registers: { type: "string", default: "10000" }, calls: { type: "string", default: "3000" },
    sockets: { type: "string", default: "5000" }, samples: { type: "string", default: "2000" }, rounds: { type: "string", default: "2" },
    json: { type: "string" } } });
  const n = { registers: Number(values.registers), calls: Number(values.calls), sockets: Number(values.sockets),
    samples: Number(values.samples) };
  const proxies = ["sip-proxy", "kamailio"].filter((p) => p === "sip-proxy" || !missing("kamailio"));
  const thread = new Worker(new URL(import.meta.url));
  const server = await new Promise((done) => thread.once("message", done));
  const found = {};
  const note = async (test, which, measuring) => {
    let result;
    try {
      result = await measuring;
    } catch (error) { // said, and left out of the table
      console.error(`${test.padEnd(26)} ${which.padEnd(10)} failed: ${error.message}`);
      return;
    }
    const list = ((found[test] ??= {})[which] ??= []);
    list.push(result);
    console.error(`${test.padEnd(26)} ${which.padEnd(10)} ` +
      (result.bytes ? `${Math.round(result.bytes)} bytes`
        : result.p50 ? `${result.p50.toFixed(0)} us more at the median, ${result.p99.toFixed(0)} us at the 99th of 100`
          : `${result.cpu_us.toFixed(1)} us CPU, ${Math.round(result.per_s)}/s`));
  };

  for (let round = 0; round < Number(values.rounds); round++) {
    for (const which of proxies) {
      const proxy = await startProxy(which, server);
      await note("idle WebSocket", which, idle(proxy, n.sockets));
      await note("latency", which, latency(proxy, server, n.samples));
      await note("REGISTER WS>UDP", which, overWebSocket(proxy, n.registers, register));
      await note("call WS>UDP", which, overWebSocket(proxy, n.calls, call));
      if (!missing("sipp")) {
        await note("REGISTER UDP>UDP", which, overUdp(proxy, n.registers, "register.xml"));
        await note("call UDP>UDP", which, overUdp(proxy, n.calls, "uac.xml"));
      }
      await proxy.stop();
    }
  }
  await thread.terminate();

  const best = (list) => Math.min(...list.map((r) => r.bytes ?? r.cpu_us));
  console.log(`\n${os.cpus()[0].model}, ${os.cpus().length} CPUs, proxy on CPU ${pin}; least of ${values.rounds} rounds`);
  console.log(`${"".padEnd(26)}${"sip-proxy".padStart(14)}${"kamailio".padStart(14)}${"ratio".padStart(9)}`);
  if (found.latency)
    for (const q of ["p50", "p99"])
      found[`added latency ${q}`] = Object.fromEntries(Object.entries(found.latency)
        .map(([which, list]) => [which, list.map((r) => ({ cpu_us: r[q] }))]));
  delete found.latency;
  for (const [test, by] of Object.entries(found)) {
    const unit = Object.values(by)[0][0].bytes ? " bytes" : " us";
    const ours = by["sip-proxy"] ? best(by["sip-proxy"]) : NaN, theirs = by.kamailio ? best(by.kamailio) : NaN;
    console.log(`${test.padEnd(26)}${(ours.toFixed(1) + unit).padStart(14)}` +
      `${(by.kamailio ? theirs.toFixed(1) + unit : "-").padStart(14)}${(by.kamailio ? (ours / theirs).toFixed(2) : "-").padStart(9)}`);
  }
  if (values.json) fs.writeFileSync(values.json, JSON.stringify(found, null, 2));
  process.exit(0);
}

if (isMainThread) await main();
else answerAll();
