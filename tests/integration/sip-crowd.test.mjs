// SPDX-License-Identifier: MIT
// Many clients: all of them lose the edge and are back at once, and what one
// costs that is silent. EDGE_FULL=1: 10,000 that reconnect, 20,000 that are idle
// (5,000 with TLS), or as many as may be open files.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, makeCertificates, runProgram, scratch, slow, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";

const full = Boolean(process.env.EDGE_FULL);
const perProcess = 2500;

// ---- a process of clients ----

function request(i, cseq) {
  return [`REGISTER sip:default SIP/2.0`, `Via: SIP/2.0/WS c${i}.invalid;branch=z9hG4bK${i}x${cseq}`, "Max-Forwards: 69",
    `From: <sip:u${i}@default>;tag=t${i}`, `To: <sip:u${i}@default>`, `Call-ID: crowd${i}`, `CSeq: ${cseq} REGISTER`,
    `Contact: <sip:u${i}@c${i}.invalid;transport=ws>;+sip.instance="<urn:uuid:${i}>";reg-id=1;expires=600`,
    "Supported: path,outbound", "Content-Length: 0", "", ""].join("\r\n");
}

function frame(text) {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0xfe, body.length >> 8, body.length & 255, 0, 0, 0, 0]), body]);
}

/** One client for ever: connect, register, and again when that ends. */
class Phone {
  constructor(i, settings) {
    Object.assign(this, { i, settings, cseq: 0, registered: false, tries: 0 });
    this.connect();
  }

  connect() {
    const { port, ca } = this.settings;
    this.tries++;
    const socket = ca ? tls.connect({ port, host: "127.0.0.1", ca, servername: "edge.test" })
      : net.connect({ port, host: "127.0.0.1" });
    let text = "";
    socket.setNoDelay(true);
    socket.on(ca ? "secureConnect" : "connect", () => socket.write(`GET /wssip HTTP/1.1\r\nHost: edge.test\r\n` +
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n"));
    socket.on("data", (part) => {
      text += part.toString("latin1");
      if (/^HTTP\/1\.1 101[^]*\r\n\r\n/.test(text)) {
        text = text.slice(text.indexOf("\r\n\r\n") + 4);
        if (this.settings.register) socket.write(frame(request(this.i, ++this.cseq)));
        else this.registered = true;
      }
      if (/SIP\/2\.0 200/.test(text)) this.registered = true;
      if (/SIP\/2\.0 200|^HTTP/.test(text)) text = "";
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.registered = false;
      setTimeout(() => this.connect(), 200 + Math.random() * 800);
    });
  }
}

if (process.argv[2] === "phones") {
  const settings = JSON.parse(process.argv[3]);
  const phones = [];
  // Not all in one turn of the loop: the listen queue is short.
  for (let i = 0; i < settings.n; i++)
    setTimeout(() => phones.push(new Phone(settings.first + i, settings)), i / settings.n * settings.spread);
  setInterval(() => process.send({ there: phones.filter((p) => p.registered).length,
    tries: phones.reduce((sum, p) => sum + p.tries, 0) }), 100);
  process.on("disconnect", () => process.exit());
} else {
  main();
}

async function main() {
  const { code, stdout } = await runProgram("sh", ["-c", "ulimit -Hn"]);
  const files = code === 0 && stdout.trim() !== "unlimited" ? Number(stdout) : Infinity;
  const homes = new Set();

  after(() => { for (const h of homes) h.kill("SIGKILL"); });
  after(() => setTimeout(() => process.exit(), 500).unref());

  /** `n` clients in processes of their own. */
  function crowd(n, settings) {
    const mine = [];
    for (let first = 0; first < n; first += perProcess) {
      const child = fork(fileURLToPath(import.meta.url), ["phones", JSON.stringify({ first: first + 1,
        n: Math.min(perProcess, n - first), spread: Math.min(n, perProcess) / 2, ...settings })]);
      const home = { child, there: 0, tries: 0 };
      child.on("message", (m) => Object.assign(home, m));
      homes.add(child);
      mine.push(home);
    }
    const sum = (what) => mine.reduce((all, h) => all + h[what], 0);
    return { there: () => sum("there"), tries: () => sum("tries"), async stop() {
      for (const { child } of mine) {
        child.kill("SIGKILL");
        homes.delete(child);
      }
    } };
  }

  const limit = { timeout: full ? 120000 : 40000 };

  describe("a crowd", () => {
    const n = full ? 10000 : 400;

    test(`${n} clients reconnect at once after a kill -9, and all are registered again`,
      { skip: files < n + 100 && `needs ${n + 100} open files` }, async (t) => {
        const asterisk = await FakeAsterisk.start();
        const [ws, udp] = [await freePort(), await freePort()];
        const start = () => startDaemon("sip-proxy", { args: ["--listen", `ws:127.0.0.1:${ws}`,
          "--listen", `udp:127.0.0.1:${udp}`, "--media-server", `default=${asterisk.address}`, "--workers", "1",
          "--max-connections", String(n + 50), "--probe-interval", "0"] });
        let proxy = await start();
        const phones = crowd(n, { port: ws, register: true });
        await waitFor(() => phones.there() === n, { ...limit, what: "all are there" });
        proxy.signal("SIGKILL");
        await waitFor(() => proxy.child.signalCode);
        await waitFor(() => phones.there() < n / 2, { ...limit, what: "they noticed" });
        const tries = phones.tries();
        const began = Date.now();
        proxy = await start();
        await waitFor(() => phones.there() === n, { ...limit, what: "all are back" });
        t.diagnostic(`${n} back in ${Date.now() - began} ms, ${phones.tries() - tries} connections tried`);
        const metrics = await proxy.metrics();
        for (const counter of ["edit_failures", "malformed", "flows_refused", "transactions_full", "hand_over_refused"])
          assert.match(metrics, new RegExp(`sip_proxy_${counter}_total 0\n`), counter);
        assert.match(metrics, new RegExp(`sip_proxy_flows ${n}\n`));
        await phones.stop();
        await waitFor(async () => /sip_proxy_flows 0\n/.test(await proxy.metrics()), limit);
        await proxy.stop();
        asterisk.stop();
      });
  });

  /** Bytes that are this process's own. */
  function memory(pid) {
    return Number(fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").match(/^Pss_Anon:\s+(\d+)/m)[1]) * 1024;
  }

  describe("idle connections of one worker", () => {
    for (const [kind, most] of [["ws", 8192], ["wss", 24576]]) {
      const n = kind === "wss" ? (full ? 5000 : 500) : full ? Math.min(20000, files - 200) : 1000;

      test(`${n} of ${kind} take at most ${most / 1024} KiB each`, {
        skip: files < n + 100 ? `needs ${n + 100} open files` : slow > 1 && "memory is the sanitizer's",
      }, async (t) => {
        const certs = await makeCertificates(scratch());
        const [port, udp] = [await freePort(), await freePort()];
        const proxy = await startDaemon("sip-proxy", { args: ["--listen", `${kind}:127.0.0.1:${port}`,
          "--listen", `udp:127.0.0.1:${udp}`, "--media-server", "default=udp:127.0.0.1:9", "--workers", "1",
          "--max-connections", String(n + 50), "--probe-interval", "0", "--source-connections", "0",
          "--ping-interval", "1h", "--idle-timeout", "2h", "--handshake-timeout", "60s",
          ...(kind === "wss" ? ["--certificate", certs.cert, "--key", certs.key] : [])] });
        const before = memory(proxy.pid);
        const phones = crowd(n, { port, register: false,
          ...(kind === "wss" ? { ca: fs.readFileSync(certs.ca, "utf8"), spread: n * 2 } : {}) });
        await waitFor(() => phones.there() === n, { ...limit, what: "all are there" });
        const bytes = (memory(proxy.pid) - before) / n;
        t.diagnostic(`${kind}: ${Math.round(bytes)} bytes each`);
        assert.ok(bytes <= most, `${bytes} bytes`);
        await phones.stop();
        await proxy.stop();
      });
    }
  });
}
