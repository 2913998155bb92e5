// SPDX-License-Identifier: MIT
// Floods, guesses and scanners against the real sip-proxy. Loopback is exempt
// unless something else is named.

import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import { after, afterEach, describe, test } from "node:test";
import { buildDir, freePort, makeCertificates, missing, runProgram, scratch, sleep, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipStream, SipUdp, SipWs, digest, handshakeStatus, request, token } from "../support/sip.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

const guarded = ["--guard-exempt", "192.0.2.1"];

async function edge(args = []) {
  const asterisk = await FakeAsterisk.start({ password: "secret" });
  const [ws, udp, tcp, out, admin] = [await freePort(), await freePort(), await freePort(), await freePort(),
    await freePort()];
  const daemon = await startDaemon("sip-proxy", {
    args: ["--workers", "2", "--listen", `ws:127.0.0.1:${ws}`, "--listen", `udp:127.0.0.1:${udp}`,
      "--listen", `tcp:127.0.0.1:${tcp},zone=external`, "--listen", `udp:127.0.0.1:${out},zone=external`,
      "--media-server", `default=${asterisk.address}`, "--admin-listen", `127.0.0.1:${admin}`, ...args] });
  const get = async (path) => (await fetch(`http://127.0.0.1:${admin}${path}`)).text();
  return { url: `ws://127.0.0.1:${ws}/wssip`, wsPort: ws, tcp, out, get,
    status: async () => JSON.parse(await get("/status")),
    figure: async (name) => Number((await get("/metrics")).split("\n")
      .find((line) => line.startsWith(`sip_proxy_${name} `))?.split(" ").at(-1)),
    socket: daemon.socketPath, asterisk,
    async stop() {
      await daemon.stop({ drain: 200 });
      asterisk.stop();
    } };
}

const message = (method, user, more = {}) => request(method, "sip:default", {
  via: "SIP/2.0/WS g.invalid", contact: `<sip:${user}@g.invalid;transport=ws>`,
  from: `<sip:${user}@default>;tag=${token(4)}`, to: `<sip:${user}@default>`, contentLength: false, ...more });

/** REGISTER with a password; the final status. */
async function login(client, user, password) {
  client.send(message("REGISTER", user));
  const challenge = await client.final("1 REGISTER");
  if (challenge.status !== 401) return challenge.status;
  client.send(message("REGISTER", user, { cseq: 2,
    headers: [digest(challenge, { method: "REGISTER", uri: "sip:default", user, password })] }));
  return (await client.final("2 REGISTER")).status;
}

/** All that comes back on a TCP connection until it is closed, or for a while. */
function speak(port, text, ms = 1500) {
  return new Promise((done) => {
    const socket = net.connect(port, "127.0.0.1");
    let got = "", closed = false;
    socket.on("data", (data) => (got += data));
    socket.on("error", () => {});
    socket.on("close", () => {
      closed = true;
      done({ got, closed });
    });
    socket.write(text);
    setTimeout(() => {
      if (closed) return;
      done({ got, closed });
      socket.destroy();
    }, ms);
  });
}

describe("the guard", () => {
  let proxy;

  afterEach(() => proxy?.stop());

  test("bans who guesses, on every worker, for a while", async () => {
    proxy = await edge([...guarded, "--auth-failures", "5", "--ban-time", "3s"]);
    const honest = await SipWs.open(proxy.url);
    assert.equal(await login(honest, "alice", "secret"), 200);
    const guesser = await SipWs.open(proxy.url);
    // one registration has made up for two
    for (let i = 0; i < 20 && !(await proxy.status()).banned.length; i++)
      await login(guesser, "bob", `guess${i}`).catch(() => {});
    const { banned } = await proxy.status();
    assert.equal(banned[0].source, "127.0.0.1");
    assert.ok(banned[0].seconds > 0 && banned[0].seconds <= 3);
    for (let i = 0; i < 6; i++)
      assert.ok(![101, 503].includes(await handshakeStatus(proxy.url, {}).catch(() => 0)));
    assert.ok(await proxy.figure('connections_refused_total{why="banned"}') > 0);
    // who was registered goes on
    honest.send(message("OPTIONS", "alice"));
    assert.equal((await honest.final("1 OPTIONS")).status, 200);
    await sleep(3500);
    assert.deepEqual((await proxy.status()).banned, []);
    const again = await SipWs.open(proxy.url);
    assert.equal(await login(again, "bob", "secret"), 200);
    for (const c of [honest, guesser, again]) c.close();
  });

  test("tells a flood on a connection to wait, and drops one of datagrams", async () => {
    proxy = await edge([...guarded, "--connection-rate", "5", "--connection-burst", "20",
      "--source-rate", "5", "--source-burst", "40"]);
    const client = await SipWs.open(proxy.url);
    for (let i = 0; i < 25; i++) client.send(message("OPTIONS", "alice", { cseq: i + 1 }));
    const refused = await client.response(503);
    assert.equal(refused.one("retry-after"), "10");
    assert.ok(await proxy.figure('refused_total{reason="connection_rate"}') > 0);
    const udp = await SipUdp.open();
    for (let i = 0; i < 60; i++)
      udp.send(message("OPTIONS", "eve", { via: "SIP/2.0/UDP 127.0.0.1", cseq: i + 1 }),
        { host: "127.0.0.1", port: proxy.out });
    await waitFor(async () => await proxy.figure('dropped_total{reason="rate"}') > 10, { what: "drops" });
    assert.ok(!udp.messages.some((m) => m.status === 503));
    assert.equal((await proxy.status()).banned.length, 0);
    client.close();
    udp.close();
  });

  test("says nothing to scanners", async () => {
    proxy = await edge(guarded);
    const scan = (transport) => message("OPTIONS", "100", { via: `SIP/2.0/${transport} 127.0.0.1`,
      headers: ["User-Agent: friendly-scanner", "Content-Length: 0"] });
    assert.deepEqual(await speak(proxy.tcp, scan("TCP")), { got: "", closed: true });
    const udp = await SipUdp.open();
    udp.send(scan("UDP"), { host: "127.0.0.1", port: proxy.out });
    await waitFor(async () => await proxy.figure('dropped_total{reason="scanner"}') === 1, { what: "a drop" });
    assert.equal(udp.messages.length, 0);
    assert.equal(await proxy.figure('closed_total{reason="scanner"}'), 1);
    udp.close();
  });

  test("sipvicious finds nothing", async (t) => {
    if (missing("svmap", "svwar")) return t.skip("svmap and svwar (package sipvicious) are not installed");
    proxy = await edge(guarded);
    const run = (...args) => runProgram(args[0], args.slice(1), { timeout: 20000 });
    for (const out of [await run("svmap", "-p", `${proxy.out}`, "127.0.0.1"),
      await run("svwar", "-p", `${proxy.out}`, "-e", "100-105", "-m", "REGISTER", "--maximumtime", "1", "127.0.0.1")])
      assert.doesNotMatch(out.stdout + out.stderr, /\| *(10\d|127\.0\.0\.1:)/, "something was found");
    assert.ok(await proxy.figure('dropped_total{reason="scanner"}') >= 2);
    proxy = (await proxy.stop(), await edge([...guarded, "--block-scanners=false"]));
    const seen = await run("svmap", "-p", `${proxy.out}`, "127.0.0.1");
    assert.match(seen.stdout + seen.stderr, /127\.0\.0\.1/, "svmap itself works");
  });

  test("sipvicious guesses, knows our challenges, and is banned", async (t) => {
    if (missing("svcrack")) return t.skip("svcrack (package sipvicious) is not installed");
    const words = path.join(scratch("svcrack-"), "words");
    // The right one is the last: whoever is heard to the end finds it.
    fs.writeFileSync(words, [...Array.from({ length: 12 }, (_, i) => `wrong${i}`), "secret", ""].join("\n"));
    const crack = () => runProgram("svcrack", ["-u", "100", "-d", words, "-p", `${proxy.out}`,
      "--maximumtime", "1", "127.0.0.1"], { timeout: 30000 });
    proxy = await edge([...guarded, "--block-scanners=false", "--auth-failures", "5"]);
    const banned = await crack();
    assert.doesNotMatch(banned.stdout + banned.stderr, /\| *100 *\| *secret/);
    assert.equal((await proxy.status()).banned[0]?.source, "127.0.0.1", banned.stderr);
    assert.ok(await proxy.figure('dropped_total{reason="banned"}') > 0);
    proxy = (await proxy.stop(), await edge([...guarded, "--block-scanners=false", "--auth-failures", "0"]));
    const found = await crack();
    assert.match(found.stdout + found.stderr, /100.*secret/, "svcrack itself works");
  });

  test("tries of numbers that are not there end in a ban", async () => {
    proxy = await edge([...guarded, "--unknown-users", "4"]);
    const stream = await SipStream.open({ port: proxy.tcp });
    for (let i = 0; i < 5; i++) {
      stream.send(message("MESSAGE", `10${i}`, { via: "SIP/2.0/TCP g.invalid", cseq: i + 1, contentLength: true }));
      if (i === 4) break;
      proxy.asterisk.reply(await proxy.asterisk.sip.request("MESSAGE"), 404, "Not Found");
      await stream.response(404);
    }
    await stream.closed;
    assert.equal((await proxy.status()).banned.length, 1);
    assert.ok(await proxy.figure("unknown_users_total") >= 4);
  });

  test("new connections come at a rate", async () => {
    proxy = await edge([...guarded, "--connect-rate", "1", "--connect-burst", "3"]);
    const all = await Promise.all(Array.from({ length: 16 }, () => speak(proxy.tcp, "\r\n\r\n", 600)));
    assert.ok(all.filter((c) => c.closed && !c.got).length >= 6, JSON.stringify(all));
    assert.ok(all.some((c) => c.got === "\r\n"));
    assert.ok(await proxy.figure('connections_refused_total{why="rate"}') >= 6);
  });

  test("TLS handshakes begin at a rate", async (t) => {
    if (missing("openssl")) return t.skip("openssl is not installed");
    const certs = await makeCertificates(scratch(), {}), port = await freePort();
    proxy = await edge(["--listen", `tls:127.0.0.1:${port}`, "--certificate", certs.cert, "--key", certs.key,
      "--source-handshake-rate", "1"]);
    const tries = await Promise.all(Array.from({ length: 10 }, () => new Promise((done) => {
      const socket = tls.connect({ port, host: "127.0.0.1", ca: fs.readFileSync(certs.ca) }, () => done(true));
      socket.on("error", () => done(false));
      socket.on("close", () => done(false));
      setTimeout(() => socket.destroy(), 5000).unref();
    })));
    assert.ok(tries.includes(true) && tries.filter((ok) => !ok).length >= 4, JSON.stringify(tries));
    await waitFor(async () => await proxy.figure('accept_refused_total{reason="handshake_rate_source"}') >= 4);
    assert.ok(await proxy.figure('tls_handshakes_total{result="ok"}') >= 1);
  });

  test("a message that has begun is to be whole soon: TCP, WebSocket", async () => {
    proxy = await edge(["--message-timeout", "400ms"]);
    const text = message("OPTIONS", "slow", { via: "SIP/2.0/TCP g.invalid", contentLength: true });
    const drip = async (socket, bytes) => {
      let gone = false;
      socket.on("error", () => {});
      socket.on("close", () => (gone = true));
      socket.resume();
      for (let i = 0; i < bytes.length && !gone; i++) {
        socket.write(bytes.subarray(i, i + 1));
        await sleep(40);
      }
      return gone;
    };
    assert.ok(await drip(net.connect(proxy.tcp, "127.0.0.1"), Buffer.from(text)));
    assert.equal(await proxy.figure('streams_closed_total{why="dribble"}'), 1);
    // Whole messages, then half of one, byte by byte.
    const ws = await SipWs.open(proxy.url);
    ws.send(message("OPTIONS", "slow"));
    await ws.response(200);
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | 126, 0x01, 0x00, 1, 2, 3, 4]), Buffer.alloc(256)]);
    assert.ok(await drip(ws.socket._socket, frame));
    assert.equal(await proxy.figure('websocket_closed_total{why="dribble"}'), 1);
    // Who takes its time between messages is no trouble.
    const calm = await SipStream.open({ port: proxy.tcp });
    for (let i = 1; i < 4; i++) {
      calm.send(message("OPTIONS", "calm", { via: "SIP/2.0/TCP g.invalid", contentLength: true, cseq: i }));
      await calm.response(200);
      await sleep(500);
    }
    await calm.close();
  });

  test("a listener lets in what it is told to", async () => {
    const port = await freePort();
    proxy = await edge(["--listen", `tcp:127.0.0.1:${port},zone=external,method=OPTIONS,method=INVITE,` +
      "body-type=application/sdp,max-body=1k"]);
    const stream = await SipStream.open({ port });
    const send = (method, more) => stream.send(message(method, "zone", { via: "SIP/2.0/TCP g.invalid",
      contentLength: true, ...more }));
    send("OPTIONS", { cseq: 1 });
    await stream.response(200, "1 OPTIONS");
    send("MESSAGE", { cseq: 2 });
    assert.equal((await stream.response(405, "2 MESSAGE")).all("allow").join(), "OPTIONS,INVITE");
    send("OPTIONS", { cseq: 3, headers: ["Content-Type: text/plain"], body: "x" });
    assert.equal((await stream.response(415, "3 OPTIONS")).one("accept"), "application/sdp");
    send("OPTIONS", { cseq: 4, headers: ["Content-Type: application/sdp"], body: "x".repeat(1025) });
    await stream.response(413, "4 OPTIONS");
    for (const why of ["listener_method", "body_type", "body_size"])
      assert.equal(await proxy.figure(`refused_total{reason="${why}"}`), 1);
    await stream.close();
  });

  test("leaves loopback alone unless told otherwise", async () => {
    proxy = await edge(["--auth-failures", "2", "--connection-rate", "1", "--connection-burst", "2"]);
    const client = await SipWs.open(proxy.url);
    for (let i = 0; i < 6; i++) await login(client, "bob", "wrong");
    assert.equal(await login(client, "bob", "secret"), 200);
    assert.equal((await proxy.status()).banned.length, 0);
    client.close();
  });
});

describe("the decision trail", () => {
  const edgectl = path.join(buildDir, "deploy", "edgectl", "edgectl");
  let proxy;

  afterEach(() => proxy?.stop());

  const why = async (callId) =>
    JSON.parse(await proxy.get(`/sip/why?x=1&call-id=${encodeURIComponent(callId)}`));

  test("tells where a request went, and why another did not", async () => {
    proxy = await edge();
    const client = await SipWs.open(proxy.url);
    const callId = `${token()}+a%41@127.0.0.1`, relay = token();
    client.send(message("REGISTER", "alice", { callId }));
    const challenge = await client.final("1 REGISTER");
    const credentials = digest(challenge, { method: "REGISTER", uri: "sip:default", user: "alice", password: "secret" });
    client.send(message("REGISTER", "alice", { callId, cseq: 2, headers: [credentials] }));
    assert.equal((await client.final("2 REGISTER")).status, 200);
    client.send(message("OPTIONS", "alice", { callId: relay, headers: ["Route: <sip:10.0.0.5;lr>"] }));
    assert.equal((await client.final("1 OPTIONS")).status, 403);

    const told = await why(callId);
    assert.equal(told.call_id, callId);
    assert.deepEqual(told.missing_workers, []);
    assert.deepEqual(told.requests.map((r) => [r.method, r.cseq, r.rule, r.answer, r.tries]),
      [["REGISTER", 1, "to a media server", 401, 1], ["REGISTER", 2, "to a media server", 200, 1]]);
    const [{ from, from_connection: conn, zone, to, took_ms: took }] = told.requests;
    assert.match(from, /^ws:127\.0\.0\.1:\d+$/);
    assert.match(conn, /^\d-[0-9a-f]+$/);
    assert.match(to, /^udp:127\.0\.0\.1:\d+$/);
    assert.equal(zone, "external");
    assert.ok(took < 5000);
    assert.ok(!JSON.stringify(told).includes("response="));

    const [refused] = (await why(relay)).requests;
    assert.deepEqual([refused.rule, refused.refused, refused.answer], ["refused", "preloaded_route", 403]);
    assert.deepEqual((await why("unheard-of")).requests, []);
    for (const query of ["", "?call-id=", "?call-id=%4", "?call-id=%zz", `?call-id=${"x".repeat(300)}`])
      assert.match(await proxy.get(`/sip/why${query}`), /which one/);
    client.close();
  });

  test("edgectl shows it as a table", async () => {
    proxy = await edge();
    const client = await SipWs.open(proxy.url);
    client.send(message("OPTIONS", "alice", { callId: "a+b@c", headers: ["Route: <sip:10.0.0.5;lr>"] }));
    await client.final("1 OPTIONS");
    const shown = await runProgram(edgectl, ["sip", "why", "a+b@c", "--socket", proxy.socket]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /1 OPTIONS +ws:127\.0\.0\.1:\d+ +refused: preloaded_route +none +0 +403/);
    const json = await runProgram(edgectl, ["sip", "why", "--json", "a+b@c", "--socket", proxy.socket]);
    assert.equal(JSON.parse(json.stdout).requests.length, 1);
    assert.equal((await runProgram(edgectl, ["sip", "why", "other", "--socket", proxy.socket])).code, 1);
    client.close();
  });

  test("keeps nothing when told so", async () => {
    proxy = await edge(["--decision-trail", "0"]);
    const client = await SipWs.open(proxy.url);
    client.send(message("OPTIONS", "alice", { callId: "none" }));
    await client.final("1 OPTIONS");
    assert.deepEqual((await why("none")).requests, []);
    client.close();
  });
});
