// SPDX-License-Identifier: MIT
// `edgectl check`: nothing to complain of at a good edge, and every finding
// provoked once, by real servers where they can be so wrong.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import dgram from "node:dgram";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import {
  buildDir, freePort, freePortRange, makeCertificates, missing, runProgram, scratch, slow,
  startDaemon, waitFor,
} from "../support/edge.mjs";

const program = path.join(buildDir, "deploy/edgectl/edgectl");

async function check(...args) {
  const out = await runProgram(program, ["check", "--json", ...args], { timeout: 30000 * slow });
  assert.ok(out.code === 0 || out.code === 1, `${out.code}: ${out.stderr}`);
  const lines = JSON.parse(out.stdout);
  return {
    code: out.code,
    lines,
    ok: lines.filter((l) => l.state === "ok").map((l) => l.id),
    bad: lines.filter((l) => l.state !== "ok").map((l) => l.id),
  };
}

describe("edgectl check", () => {
  const dir = scratch();
  const closers = [];
  const port = {};
  let pki;
  let good;

  before(async () => {
    pki = await makeCertificates(path.join(dir, "pki"));
    for (const name of ["https", "plain", "all", "ws", "sip", "turn", "closed"])
      port[name] = await freePort();
    for (const [name, text] of [["secret", "north"], ["other", "south"]])
      fs.writeFileSync(path.join(dir, name), `${text}\n`, { mode: 0o600 });
    const backend = http.createServer((request, answer) => answer.end("everything")).listen(0, "127.0.0.1");
    await once(backend, "listening");
    closers.push(() => backend.close());
    const relay = await freePortRange(10);
    const daemons = [
      ["web-proxy", {
        listen: [`https:127.0.0.1:${port.https}`, `http:127.0.0.1:${port.plain}`],
        certificate: [pki.cert], key: [pki.key], upstream: [`sip=http://127.0.0.1:${port.ws}`],
        route: [{ path: "/wssip", upstream: "sip", websocket: "only" }],
      }],
      ["web-proxy", {
        listen: [`http:127.0.0.1:${port.all}`], upstream: [`a=http://127.0.0.1:${backend.address().port}`],
        route: [{ path: "/", upstream: "a" }],
      }],
      ["sip-proxy", {
        listen: [`ws:127.0.0.1:${port.ws}`, `udp:127.0.0.1:${port.sip}`],
        "media-server": ["default=udp:127.0.0.1:9"], "probe-interval": "0",
      }],
      ["turn-server", {
        listen: [`udp:127.0.0.1:${port.turn}`, `tcp:127.0.0.1:${port.turn}`],
        certificate: pki.cert, key: pki.key, realm: "edge.test",
        "relay-address": ["127.0.0.1"], "relay-ports": `${relay}-${relay + 9}`,
        "secret-file": path.join(dir, "secret"),
      }],
    ];
    for (const [name, config] of daemons) {
      const daemon = await startDaemon(name, { config: { ...config, workers: 1 }, ready: name !== "sip-proxy" });
      closers.push(() => daemon.stop());
      await waitFor(() => daemon.status());
    }
    good = ["--ca", pki.ca, "--secret-file", path.join(dir, "secret"), "--websocket", "/wssip"];
  });
  after(async () => {
    for (const close of closers.reverse()) await close();
  });

  test("a good edge has no findings, on every transport", async () => {
    const { code, ok, bad } = await check(...good, `https://localhost:${port.https}`,
      `turn:localhost:${port.turn}`, `turn:127.0.0.1:${port.turn}?transport=tcp`,
      `turns:localhost:${port.turn}`, `stun:127.0.0.1:${port.turn}`);
    assert.deepEqual(bad, []);
    assert.equal(code, 0);
    const count = (id) => ok.filter((x) => x === id).length;
    assert.deepEqual(["WEB-TLS", "TLS-OLD", "WEB-UNLISTED", "WEB-WEBSOCKET", "TURN-TLS", "TURN-STUN",
      "TURN-OPEN", "TURN-ALLOCATE"].map(count), [1, 2, 1, 1, 1, 4, 3, 3]);
  });

  test("the relay it took is given back", async () => {
    const { bad } = await check(...good.slice(0, 4), ...Array(12).fill(`turn:127.0.0.1:${port.turn}`));
    assert.deepEqual(bad, []); // there are ten ports
  });

  /** A TURN server that says what `answer` says: { code, relayed }. */
  async function fakeTurn(answer) {
    const socket = dgram.createSocket("udp4");
    const attribute = (type, value) => {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(type);
      head.writeUInt16BE(value.length, 2);
      return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
    };
    socket.on("message", (packet, from) => {
      const method = packet.readUInt16BE(0);
      const { code, relayed } = method === 1 ? {} : answer(packet.includes("edgectl"));
      const parts = [];
      if (code) {
        parts.push(attribute(0x0009, Buffer.concat([
          Buffer.from([0, 0, Math.floor(code / 100), code % 100]), Buffer.from("no")])));
        if (code === 401) {
          parts.push(attribute(0x0014, Buffer.from("realm")));
          parts.push(attribute(0x0015, Buffer.from("nonce")));
        }
      }
      if (relayed) {
        const cookie = [0x21, 0x12, 0xa4, 0x42];
        const ip = relayed.split(".").map((part, i) => Number(part) ^ cookie[i]);
        parts.push(attribute(0x0016, Buffer.from([0, 1, 0x12 ^ 0x21, 0x34 ^ 0x12, ...ip])));
      }
      const head = Buffer.from(packet.subarray(0, 20));
      head.writeUInt16BE(method | (code ? 0x0110 : 0x0100));
      head.writeUInt16BE(parts.reduce((n, p) => n + p.length, 0), 2);
      socket.send(Buffer.concat([head, ...parts]), from.port, from.address);
    });
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    closers.push(() => socket.close());
    return `turn:127.0.0.1:${socket.address().port}`;
  }

  const secret = (name) => ["--secret-file", path.join(dir, name)];
  for (const [id, args] of [
    ["WEB-CONNECT", () => [`https://127.0.0.1:${port.closed}`]],
    ["WEB-TLS", () => [`https://127.0.0.1:${port.plain}`]],
    ["TLS-TRUST", () => [`https://localhost:${port.https}`]],
    ["CERT-NAME", () => ["--ca", pki.ca, "--address", "127.0.0.1", `https://other.test:${port.https}`]],
    ["CERT-EXPIRES-SOON", () => ["--ca", pki.ca, "--days", "90", `https://localhost:${port.https}`]],
    ["WEB-UNLISTED", () => [`http://127.0.0.1:${port.all}`]],
    ["WEB-WEBSOCKET", () => ["--websocket", "/nowhere", `http://127.0.0.1:${port.plain}`]],
    ["TURN-CONNECT", () => [`turn:127.0.0.1:${port.closed}?transport=tcp`]],
    ["TURN-STUN", () => [`turn:127.0.0.1:${port.closed}`]],
    ["TURN-TLS", () => [`turns:127.0.0.1:${port.plain}`]],
    ["TURN-CREDENTIAL", () => [...secret("other"), `turn:127.0.0.1:${port.turn}`]],
    ["TURN-OPEN", async () => [await fakeTurn(() => ({ relayed: "192.0.2.1" }))]],
    ["TURN-ALLOCATE", async () => [...secret("secret"),
      await fakeTurn((known) => ({ code: known ? 508 : 401 }))]],
    ["TURN-RELAY-ADDRESS", async () => [...secret("secret"),
      await fakeTurn((known) => (known ? { relayed: "0.0.0.0" } : { code: 401 }))]],
  ])
    test(`${id} is found, and nothing else`, async () => {
      const { code, bad, lines } = await check(...await args());
      const expected = id === "CERT-EXPIRES-SOON" ? [id, id] : [id]; // of the leaf and of the root
      assert.deepEqual(bad, expected, JSON.stringify(lines, null, 1));
      assert.equal(code, 1);
    });

  test("TLS-OLD is found at a server that takes TLS 1.0 and 1.1", { skip: missing("openssl") }, async (t) => {
    const at = await freePort();
    const server = spawn("openssl", ["s_server", "-accept", String(at), "-cert", pki.cert, "-key", pki.key,
      "-cipher", "ALL:@SECLEVEL=0", "-www", "-quiet", "-min_protocol", "TLSv1"], { stdio: "ignore" });
    closers.push(() => server.kill());
    await waitFor(() => new Promise((done, fail) => {
      const s = net.connect(at, "127.0.0.1", () => { s.destroy(); done(true); }).on("error", fail);
    }), { what: "openssl s_server listens" });
    const probe = await runProgram("openssl", ["s_client", "-connect", `127.0.0.1:${at}`, "-tls1",
      "-cipher", "ALL:@SECLEVEL=0"], { input: "" });
    if (!/Protocol *: TLSv1\b/.test(probe.stdout)) return t.skip("this OpenSSL has no TLS 1.0");
    const { lines } = await check("--ca", pki.ca, `https://localhost:${at}`, "--address", "127.0.0.1");
    const old = lines.filter((l) => l.id === "TLS-OLD");
    assert.deepEqual(old.map((l) => l.state), ["error", "error"]);
    assert.match(old.map((l) => l.text).join(" "), /TLS 1\.0.*TLS 1\.1/);
  });

  test("a server that says nothing costs seconds, not for ever", async () => {
    const silent = net.createServer((c) => c.on("error", () => {})).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const began = Date.now();
    const { bad } = await check(`https://127.0.0.1:${silent.address().port}`);
    silent.close();
    assert.equal(bad[0], "WEB-CONNECT");
    assert.ok(Date.now() - began < 15000 * slow);
  });

  test("what is no address is exit code 2 before anything is sent", async () => {
    for (const uri of ["edge.test", "https://a/b", "turns:a?transport=udp"])
      assert.equal((await runProgram(program, ["check", uri])).code, 2, uri);
  });
});
