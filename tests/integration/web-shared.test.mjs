// SPDX-License-Identifier: MIT
// One server, one port: HTTPS, TURN over TLS and SIP over TLS behind the same
// address and port 443, told apart by name, protocol or first bytes, with
// clients nobody here wrote.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import {
  freePort, freePortRange, makeCertificates, missing, runProgram, scratch, slow, startDaemon, waitFor,
} from "../support/edge.mjs";
import { browserPath, launchBrowser } from "../support/browser.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipStream, request, token } from "../support/sip.mjs";
import { message, parse, timedUser, TurnClient } from "../support/turn_client.mjs";
import { httpServer, rawExchange } from "../support/web.mjs";

const CLIENT = "127.0.0.3";
const secret = "north";

/** A server that says whose connection it got (PROXY v2), then echoes. */
async function echoServer({ proxied = true, ...options } = {}) {
  const seen = [];
  const sockets = new Set();
  const server = net.createServer({ allowHalfOpen: true, ...options }, (socket) => {
    let head = Buffer.alloc(0);
    let open = !proxied;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    if (open) seen.push({ from: socket.remoteAddress });
    socket.on("data", (part) => {
      if (!open) {
        head = Buffer.concat([head, part]);
        if (head.length < 28) return;
        open = true;
        seen.push({ from: [...head.subarray(16, 20)].join("."), port: head.readUInt16BE(24) });
        part = head.subarray(28);
      }
      if (part.length && !socket.write(part)) {
        socket.pause();
        socket.once("drain", () => socket.resume());
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: server.address().port, seen, sockets,
    close() { for (const socket of sockets) socket.destroy(); server.close(); },
  };
}

/** Connect with TLS; resolves when the handshake is done, rejects with its error. */
async function connectTls(port, options) {
  const socket = tls.connect({ port, host: "127.0.0.1", localAddress: CLIENT, ...options });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

async function readAll(socket) {
  const parts = [];
  for await (const part of socket) parts.push(part);
  return Buffer.concat(parts);
}

describe("one server, one port", { concurrency: false }, () => {
  const dir = scratch();
  const certs = {};
  let port, web, turn, sip, asterisk, backend, echo;

  before(async () => {
    for (const name of ["edge", "turn", "sip"])
      certs[name] = await makeCertificates(path.join(dir, name), { names: [`${name}.test`], addresses: [] });
    const ca = path.join(dir, "ca.pem");
    fs.writeFileSync(ca, Object.values(certs).map((c) => fs.readFileSync(c.ca)).join(""));
    certs.all = fs.readFileSync(ca);
    certs.file = ca;
    fs.writeFileSync(path.join(dir, "secret"), secret, { mode: 0o600 });

    port = await freePort();
    const [turnPort, sipPort, sipInside] = [await freePort(), await freePort(), await freePort()];
    const relays = await freePortRange(50);
    asterisk = await FakeAsterisk.start();
    backend = await httpServer((request, answer) => answer.end(`hello ${request.headers["x-forwarded-for"]}`));
    echo = await echoServer();
    turn = await startDaemon("turn-server", { config: {
      listen: [`tcp:127.0.0.1:${turnPort}`], "relay-address": ["127.0.0.1"],
      "relay-ports": `${relays}-${relays + 49}`, realm: "turn.test", "secret-file": path.join(dir, "secret"),
      certificate: certs.turn.cert, key: certs.turn.key, "proxy-from": ["127.0.0.1/32"],
      "allow-peer": ["127.0.0.0/8"], workers: 1, "drain-time": "1s" } });
    sip = await startDaemon("sip-proxy", { args: [
      "--listen", `tls:127.0.0.1:${sipPort},zone=external,advertise=127.0.0.1:${port}`, "--listen", `udp:127.0.0.1:${sipInside},zone=internal`,
      "--certificate", certs.sip.cert, "--key", certs.sip.key, "--proxy-from", "127.0.0.1/32",
      "--media-server", `default=${asterisk.address}`, "--workers", "1"] });
    web = await startDaemon("web-proxy", { config: {
      listen: [`shared:127.0.0.1:${port}`], certificate: [certs.edge.cert], key: [certs.edge.key],
      "strict-sni": true, "external-port": port, workers: 1, "drain-time": "20s",
      upstream: [`web=http://127.0.0.1:${backend.port}`, `turn=tcp://127.0.0.1:${turnPort}`,
        `sip=tcp://127.0.0.1:${sipPort}`, `echo=tcp://127.0.0.1:${echo.port}`],
      route: ["/=web"],
      stream: [
        { name: "turn", upstream: "turn", "server-names": ["turn.test"],
          alpn: ["stun.turn", "stun.nat-discovery"], plain: "stun", "send-proxy": true },
        { name: "sip", upstream: "sip", "server-names": ["sip.test"], alpn: ["sip", "sip/2"],
          nameless: true, "send-proxy": true },
        { name: "echo", upstream: "echo", "server-names": ["*.echo.test"], plain: "sip",
          "send-proxy": true, "connections-per-address": 3 },
      ] } });
  });
  after(async () => {
    backend?.close();
    echo?.close();
    for (const daemon of [web, turn, sip]) {
      const how = await daemon?.stop();
      assert.equal(how?.code ?? 0, 0, daemon?.log());
    }
    asterisk?.stop();
  });

  const stream = async (name) => (await web.status()).streams.find((s) => s.name === name);

  // ---- the real clients ----

  test("curl gets its page", { skip: missing("curl") }, async () => {
    const { stdout, stderr } = await runProgram("curl", ["-sS", "--cacert", certs.file, "--interface", CLIENT,
      "--resolve", `edge.test:${port}:127.0.0.1`, `https://edge.test:${port}/`]);
    assert.equal(stdout, `hello ${CLIENT}`, stderr);
  });

  test("coturn's client relays over TLS, by its protocol", {
    skip: missing("turnutils_uclient", "turnutils_peer") }, async (t) => {
    const before = (await stream("turn")).taken;
    const peerPort = String(await freePort());
    const peer = spawn("turnutils_peer", ["-L", "127.0.0.1", "-p", peerPort], { stdio: "ignore" });
    t.after(() => peer.kill());
    let out;
    for (let i = 0; i < 2; i++) {
      out = await runProgram("turnutils_uclient", ["-t", "-S", "-e", "127.0.0.1", "-r", peerPort,
        "-c", "-W", secret, "-n", "5", "-p", String(port), "127.0.0.1"]);
      if (/Total lost packets 0 /.test(out.stdout)) break;
    }
    assert.match(out.stdout, /Total lost packets 0 /, out.stdout + out.stderr);
    assert.ok((await stream("turn")).taken > before);
  });

  test("a browser gathers a relay candidate from turns: by its name", {
    skip: browserPath ? false : "no chromium" }, async (t) => {
    const { user: username, password: credential } = timedUser(secret, "browser");
    const browser = await launchBrowser(["--host-resolver-rules=MAP turn.test 127.0.0.1, MAP edge.test 127.0.0.1"]);
    t.after(() => browser.close());
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`https://edge.test:${port}/`);
    assert.match(await page.textContent("body"), /^hello /);
    const candidate = await page.evaluate(async ({ url, username, credential }) => {
      const peer = new RTCPeerConnection({ iceTransportPolicy: "relay",
        iceServers: [{ urls: [url], username, credential }] });
      peer.createDataChannel("x");
      const found = new Promise((done) => {
        peer.onicecandidate = (e) => { if (e.candidate?.candidate.includes("relay")) done(e.candidate.candidate); };
        peer.onicegatheringstatechange = () => { if (peer.iceGatheringState === "complete") setTimeout(done, 100, "none"); };
      });
      await peer.setLocalDescription(await peer.createOffer());
      return found;
    }, { url: `turns:turn.test:${port}?transport=tcp`, username, credential });
    assert.match(candidate, /typ relay/);
  });

  test("openssl speaks SIP over TLS, by name and by protocol", { skip: missing("openssl") }, async () => {
    const options = (via) => request("OPTIONS", "sip:default", { via: `SIP/2.0/TLS 192.0.2.9:5061;rport`,
      from: `<sip:u@default>;tag=${token(4)}`, to: "<sip:default>", contact: "<sip:u@192.0.2.9;transport=tls>", callId: via });
    for (const how of [["-servername", "sip.test"], ["-alpn", "sip", "-servername", "edge.test"]]) {
      const { stdout } = await runProgram("bash", ["-c",
        `(cat; sleep ${2 * slow}) | openssl s_client -quiet -verify_quiet -ign_eof -CAfile "$0" -connect 127.0.0.1:${port} ` +
        `${how.join(" ")} & pid=$!; sleep ${2 * slow}; kill $pid 2>/dev/null; wait`, certs.file],
      { input: options(how[0]) });
      assert.match(stdout, /^SIP\/2\.0 \d{3} /m, how.join(" "));
    }
  });

  test("baresip, which asks for no name, registers", {
    skip: missing("baresip") || (!fs.existsSync("/usr/lib/baresip/modules/account.so") && "baresip's modules are elsewhere"),
  }, async (t) => {
    const at = scratch();
    const before = (await stream("sip")).taken;
    fs.writeFileSync(path.join(at, "config"), ["poll_method epoll", "sip_listen 127.0.0.1:0", `sip_cafile ${certs.file}`,
      "module_path /usr/lib/baresip/modules", "module_tmp account.so", "module_app echo.so", ""].join("\n"));
    fs.writeFileSync(path.join(at, "accounts"),
      `<sip:bare@default>;outbound="sip:127.0.0.1:${port};transport=tls";regint=60;auth_pass=x\n`);
    const phone = spawn("baresip", ["-f", at], { stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => phone.kill("SIGKILL"));
    await waitFor(() => asterisk.bindings.has("bare"), { what: "the registration" });
    assert.ok((await stream("sip")).taken > before);
  });

  // ---- whose connection it is ----

  test("the registrar's side sees the client's own address", async () => {
    const socket = await connectTls(port, { servername: "sip.test", ca: certs.all });
    const phone = new SipStream(socket);
    phone.send(request("REGISTER", "sip:default", { via: "SIP/2.0/TLS 192.0.2.9:5060;rport",
      contact: "<sip:u@192.0.2.9;transport=TLS>;expires=60",
      from: `<sip:u@default>;tag=${token(4)}`, to: "<sip:u@default>" }));
    const via = (await phone.final("1 REGISTER")).all("via")[0];
    assert.match(via, new RegExp(`;received=${CLIENT}`));
    assert.match(via, new RegExp(`;rport=${socket.localPort}`));
    socket.destroy();
  });

  test("STUN without TLS is told its own address", async () => {
    const socket = net.connect({ port, host: "127.0.0.1", localAddress: CLIENT });
    const mine = () => `${CLIENT}:${socket.localPort}`;
    await once(socket, "connect");
    const ask = message(0x0001, Buffer.alloc(12, 5), []);
    // byte by byte: nothing is decided too early
    for (const byte of ask) { socket.write(Buffer.from([byte])); await new Promise(setImmediate); }
    const [data] = await once(socket, "data");
    const value = parse(data).attrs.get(0x0020);
    const ip = [0x21, 0x12, 0xa4, 0x42].map((b, i) => b ^ value[4 + i]).join(".");
    assert.equal(`${ip}:${value.readUInt16BE(2) ^ 0x2112}`, mine());
    socket.destroy();
  });

  test("TURN by its name alone", async () => {
    const { user, password } = timedUser(secret);
    const client = await TurnClient.open({ port, transport: "tls", servername: "turn.test", user, password, realm: "turn.test" });
    assert.equal((await client.allocate()).code, 0);
    client.socket.destroy();
  });

  test("each name has its own server's certificate", async () => {
    for (const name of ["edge", "turn", "sip"]) {
      const socket = await connectTls(port, { servername: `${name}.test`, ca: fs.readFileSync(certs[name].ca) });
      assert.equal(socket.getPeerCertificate().subject.CN, `${name}.test`);
      socket.destroy();
    }
  });

  // ---- who is not wanted ----

  test("a name nobody has is an alert", async () => {
    await assert.rejects(connectTls(port, { servername: "foreign.test" }), /unrecognized name/i);
  });

  test("HTTP without TLS is told where HTTPS is", async () => {
    const { text, statuses } = await rawExchange(port, "GET /a HTTP/1.1\r\nHost: edge.test\r\n\r\n");
    assert.deepEqual(statuses, [308]);
    assert.match(text, new RegExp(`Location: https://edge.test:${port}/a\r\n`, "i"));
  });

  test("what nobody speaks is closed", async () => {
    for (const bytes of ["SSH-2.0-x\r\n", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "\x00\x01\x00\x00\x00\x00\x00\x00"]) {
      const { closed } = await rawExchange(port, bytes);
      assert.equal(closed, true, JSON.stringify(bytes));
    }
  });

  // ---- the way of the bytes ----

  /** A stream to the echo server; without TLS, as it looks like SIP. */
  async function openEcho(options = {}) {
    const socket = net.connect({ port, host: "127.0.0.1", localAddress: CLIENT, allowHalfOpen: true, ...options });
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.write("OPTIONS sip:a SIP/2.0\r\n");
    return socket;
  }

  test("a half that ends leaves the other", async () => {
    const socket = await openEcho();
    const mine = { from: CLIENT, port: socket.localPort };
    socket.end("last");
    assert.equal(String(await readAll(socket)), "OPTIONS sip:a SIP/2.0\r\nlast");
    assert.deepEqual(echo.seen.at(-1), mine);
    await waitFor(async () => (await stream("echo")).open === 0);
  });

  test("who does not read is not read for", async () => {
    const big = Buffer.alloc(1 << 20, "x");
    const socket = await openEcho();
    let sent = 0;
    socket.pause();
    // Write until nothing moves any more: all queues on the way are full.
    const push = () => { while (sent < 64 << 20) { sent += big.length; if (!socket.write(big)) return; } };
    socket.on("drain", push);
    push();
    let before = -1;
    await waitFor(() => {
      const now = socket.bytesWritten - socket.writableLength;
      const still = now === before;
      before = now;
      return still && now > 0;
    }, { every: 300, what: "back-pressure" });
    assert.ok(socket.writableLength > 0, "the client waits");
    const pid = web.pid;
    const kib = Number(fs.readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]);
    if (slow === 1) assert.ok(kib < 64 * 1024, `${kib} KiB resident`);
    socket.removeListener("drain", push);
    socket.end();
    const got = await readAll(socket);
    assert.equal(got.length, sent + 23);
  });

  test("a route's places are limited, per address", async () => {
    const refused = (await stream("echo")).refused;
    const sockets = [];
    for (let i = 0; i < 3; i++) {
      sockets.push(await openEcho());
      await once(sockets[i], "data");
    }
    const one = await openEcho();
    if (!one.destroyed) await new Promise((done) => one.on("close", done));
    assert.equal((await stream("echo")).refused, refused + 1);
    const other = await openEcho({ localAddress: "127.0.0.4" });
    await once(other, "data");
    for (const socket of [...sockets, other]) socket.destroy();
    await waitFor(async () => (await stream("echo")).open === 0);
  });

  test("a wildcard is one label", async () => {
    await assert.rejects(connectTls(port, { servername: "a.echo.test" })); // it echoes the hello
    assert.equal(echo.seen.at(-1).from, CLIENT);
    await assert.rejects(connectTls(port, { servername: "a.b.echo.test" }), /unrecognized name/i);
  });

  test("a reload leaves streams alone, counts go on, and routes change", async () => {
    const socket = await openEcho();
    await once(socket, "data");
    const file = path.join(web.dir, "web-proxy.json");
    const was = fs.readFileSync(file, "utf8");
    const config = JSON.parse(was);
    const { taken } = await stream("echo");
    config.stream = config.stream.filter((s) => s.name !== "turn");
    config.stream[0]["idle-timeout"] = "1h";
    fs.writeFileSync(file, JSON.stringify(config));
    assert.equal((await web.admin("/reload", { method: "POST" })).status, 200);
    socket.write("more");
    assert.equal(String((await once(socket, "data"))[0]), "more");
    assert.equal((await stream("echo")).taken, taken);
    assert.equal((await stream("echo")).open, 1);
    await assert.rejects(connectTls(port, { servername: "turn.test" }), /unrecognized name/i);
    config.stream[1].upstream = "web";
    fs.writeFileSync(file, JSON.stringify(config));
    const refused = await web.admin("/reload", { method: "POST" });
    assert.notEqual(refused.status, 200);
    assert.match(refused.body, /stream\[1\]\.upstream.*"web" is not tcp:\/\/ or tls:\/\//);
    fs.writeFileSync(file, was);
    assert.equal((await web.admin("/reload", { method: "POST" })).status, 200);
    socket.destroy();
  });

  test("a drain waits for streams, and no longer than it may", async () => {
    const socket = await openEcho();
    await once(socket, "data");
    web.signal("SIGTERM");
    await waitFor(() => new Promise((done) => {
      const probe = net.connect(port, "127.0.0.1", () => { probe.destroy(); done(false); });
      probe.on("error", () => done(true));
    }), { what: "the port is closed" });
    socket.write("still");
    assert.equal(String((await once(socket, "data"))[0]), "still");
    socket.end();
    assert.equal((await web.closed).code, 0, web.log());
  });
});
