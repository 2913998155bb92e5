// SPDX-License-Identifier: MIT
// The real sip-proxy between raw WebSocket clients and a media server that
// follows chan_pjsip's rules.

import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort, runDaemon, scratch, sleep, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipUdp, SipWs, digest, handshakeStatus, request, respond, token, uriOf } from "../support/sip.mjs";

const sdp = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\n" + "a=candidate:x\r\n".repeat(300);

// What a failed test left open must not keep the file from ending.
after(() => setTimeout(() => process.exit(), 500).unref());

async function edge(servers, args = [], options = {}) {
  const ws = await freePort(), udp = await freePort();
  const daemon = await startDaemon("sip-proxy", {
    args: ["--listen", `ws:127.0.0.1:${ws}`, "--listen", `udp:127.0.0.1:${udp}`,
      ...servers.flatMap((s) => ["--media-server", s]), ...args],
    ...options,
  });
  return Object.assign(daemon, {
    url: `ws://127.0.0.1:${ws}/wssip`, wsPort: ws, at: { host: "127.0.0.1", port: udp } });
}

const jssip = (user) => ({
  via: "SIP/2.0/WS 8pf3e2fmp1k0.invalid", contact: `<sip:${user}@8pf3e2fmp1k0.invalid;transport=ws>` +
    ';+sip.instance="<urn:uuid:0b8d7c52-0f3a-4f6d-9a3d-0d5f9a1f4f10>";reg-id=1;expires=600' });
const sipml = (user) => ({
  via: "SIP/2.0/WSS df7jal23ls0d.invalid;rport",
  contact: `<sips:${user}@df7jal23ls0d.invalid;rtcweb-breaker=no;transport=wss>` +
    ';expires=60;click2call=no;+g.oma.sip-im;language="en,fr"' });

function registration(user, shape, more = {}) {
  return request("REGISTER", "sip:default", { ...shape, from: `<sip:${user}@default>;tag=${token(4)}`,
    to: `<sip:${user}@default>`, contentLength: false, ...more });
}

async function register(client, user, shape) {
  client.send(registration(user, shape));
  const ok = await client.final("1 REGISTER");
  assert.equal(ok.status, 200);
  return ok;
}

/** INVITE, 200, ACK; returns the dialog as the caller has it. */
async function call(client, user, shape, { body = sdp } = {}) {
  const callId = token(), from = `<sip:${user}@default>;tag=${token(4)}`;
  client.send(request("INVITE", "sip:bob@default", { ...shape, from, to: "<sip:bob@default>", callId, body,
    headers: ["Content-Type: application/sdp"] }));
  const ok = await client.final("1 INVITE");
  const dialog = { callId, from, to: ok.one("to"), routes: ok.all("record-route").reverse(),
    target: ok.status === 200 ? uriOf(ok.one("contact")) : "", ok, cseq: 1 };
  if (ok.status === 200)
    client.send(request("ACK", dialog.target, { ...shape, ...dialog, contact: undefined }));
  return dialog;
}

describe("one media server", () => {
  let asterisk, proxy;

  before(async () => {
    asterisk = await FakeAsterisk.start({ password: "secret" });
    proxy = await edge([`default=${asterisk.address}`],
      ["--workers", "2", "--trusted-proxy", "127.0.0.1", "--ping-interval", "1s", "--idle-timeout", "3s",
        "--park-time", "0"]);
  });
  after(async () => {
    await proxy?.stop();
    asterisk?.stop();
  });

  async function registered(user, shape) {
    const client = await SipWs.open(proxy.url);
    client.send(registration(user, shape));
    const challenge = await client.final("1 REGISTER");
    assert.equal(challenge.status, 401);
    client.send(registration(user, shape, { cseq: 2, headers: [
      digest(challenge, { method: "REGISTER", uri: "sip:default", user, password: "secret" })] }));
    const ok = await client.final("2 REGISTER");
    assert.equal(ok.status, 200, ok.text);
    return { client, ok };
  }

  test("REGISTER through the edge: Path, digest, the client's own Contact back", async () => {
    for (const shape of [jssip("u1"), sipml("u2")]) {
      const user = shape === null ? "" : shape.contact.match(/:(u\d)@/)[1];
      const { client, ok } = await registered(user, shape);
      assert.equal(uriOf(ok.one("contact")), uriOf(shape.contact));
      assert.deepEqual(asterisk.refused, []);
      assert.equal(asterisk.bindings.get(user).path.length, 1);
      assert.ok(Buffer.byteLength(asterisk.bindings.get(user).path[0]) < 100);
      await client.close();
    }
  });

  test("a call out: large offer over UDP, ACK, re-INVITE from both sides, BYE", async () => {
    const { client } = await registered("u3", jssip("u3"));
    const d = await call(client, "u3", jssip("u3"));
    assert.equal(d.ok.status, 200);
    assert.equal(asterisk.invite.body, sdp);
    await asterisk.sip.request("ACK");

    const cseq = asterisk.inDialog(d.callId, proxy.at, "INVITE", { body: sdp });
    const re = await client.request("INVITE");
    assert.equal(re.uri, "sip:u3@8pf3e2fmp1k0.invalid;transport=ws");
    assert.deepEqual(re.all("route"), []);
    client.send(respond(re, 200, "OK", { headers: [`Contact: ${jssip("u3").contact}`] }));
    await asterisk.sip.response(200, cseq);

    client.send(request("BYE", d.target, { ...jssip("u3"), ...d, cseq: 3, contact: undefined }));
    const bye = await asterisk.sip.request("BYE");
    assert.deepEqual(bye.all("route"), []);
    asterisk.reply(bye, 200, "OK");
    await client.response(200, "3 BYE");
    await client.close();
  });

  test("calls in reach exactly the registered connection, also for sips: clients", async () => {
    const one = await registered("u4", jssip("u4"));
    const two = await registered("u5", sipml("u5"));
    asterisk.requestTo("u4", proxy.at);
    const in1 = await one.client.request("INVITE");
    assert.equal(in1.uri, "sip:u4@8pf3e2fmp1k0.invalid;transport=ws");
    asterisk.requestTo("u5", proxy.at);
    const in2 = await two.client.request("INVITE");
    assert.equal(in2.uri, "sips:u5@df7jal23ls0d.invalid;rtcweb-breaker=no;transport=wss");
    two.client.send(respond(in2, 486, "Busy Here", { tag: "x" }));
    const busy = await asterisk.sip.final(in2.cseq);
    assert.equal(busy.status, 486);
    one.client.send(respond(in1, 603, "Decline", { tag: "y" }));
    assert.equal((await asterisk.sip.final(in1.cseq)).status, 603);
    await one.client.close();
    await two.client.close();
  });

  test("a dead connection is 430 within milliseconds", async () => {
    const { client } = await registered("u6", jssip("u6"));
    client.terminate();
    await waitFor(async () => (await proxy.status()).stats?.ws_open !== undefined);
    await sleep(50);
    const began = Date.now();
    const sent = asterisk.requestTo("u6", proxy.at);
    const gone = await asterisk.sip.next((m) => m.callId === sent.callId && m.status >= 200);
    assert.equal(gone.status, 430);
    assert.ok(gone.at - began < 100, `${gone.at - began} ms`);
  });

  test("what is not UTF-8 reaches the client in a binary frame", async () => {
    const { client } = await registered("u20", jssip("u20"));
    for (const [name, binary] of [["Zo\u00eb", false], [Buffer.from("Zo\u00eb", "latin1"), true]]) {
      const sent = asterisk.requestTo("u20", proxy.at, "MESSAGE", { headers: ["Subject: @@"] });
      await client.request("MESSAGE"); // the one just sent; the next has the name
      const [head, tail] = sent.text.replaceAll(sent.callId, `${sent.callId}x`)
        .replace(/branch=[^;\s]+/, (b) => `${b}x`).split("@@");
      asterisk.sip.send(Buffer.concat([head, name, tail].map((part) => Buffer.from(part))), proxy.at);
      const seen = await client.next((m) => m.callId === `${sent.callId}x`);
      assert.equal(seen.method, "MESSAGE");
      assert.equal(client.binary, binary);
    }
    await client.close();
  });

  test("a forged token is 403 and counted", async () => {
    const { client } = await registered("u7", jssip("u7"));
    const binding = asterisk.bindings.get("u7");
    const good = binding.path[0];
    const at = good.indexOf("@") - 3;
    binding.path[0] = good.slice(0, at) + (good[at] === "A" ? "B" : "A") + good.slice(at + 1);
    const sent = asterisk.requestTo("u7", proxy.at);
    assert.equal((await asterisk.sip.next((m) => m.callId === sent.callId && m.status >= 200)).status, 403);
    await waitFor(async () => /refused_total\{reason="forged_token"\} [1-9]/.test(await proxy.metrics()));
    await client.close();
  });

  test("CANCEL: 487 for the caller, 481 for anybody else", async () => {
    const { client } = await registered("u8", jssip("u8"));
    const other = await SipWs.open(proxy.url);
    asterisk.answer = "ring";
    try {
      const callId = token(), from = "<sip:u8@default>;tag=c1";
      const invite = request("INVITE", "sip:bob@default", { ...jssip("u8"), from, to: "<sip:bob@default>", callId });
      client.send(invite);
      await client.response(180);
      const branch = invite.match(/branch=(\S+)/)[1];
      const cancel = `CANCEL sip:bob@default SIP/2.0\r\nVia: SIP/2.0/WS 8pf3e2fmp1k0.invalid;branch=${branch}\r\n` +
        `Max-Forwards: 69\r\nFrom: ${from}\r\nTo: <sip:bob@default>\r\nCall-ID: ${callId}\r\nCSeq: 1 CANCEL\r\n\r\n`;
      other.send(cancel);
      assert.equal((await other.final("1 CANCEL")).status, 481);
      client.send(cancel);
      assert.equal((await client.final("1 CANCEL")).status, 200);
      const seen = await asterisk.sip.request("CANCEL");
      asterisk.reply(seen, 200, "OK");
      asterisk.reply(asterisk.invite, 487, "Request Terminated");
      assert.equal((await client.final("1 INVITE")).status, 487);
      await asterisk.sip.request("ACK");
    } finally {
      asterisk.answer = "ok";
    }
    await client.close();
    await other.close();
  });

  test("handshakes that are none are refused with their status", async () => {
    const base = `ws://127.0.0.1:${proxy.wsPort}`;
    assert.equal(await handshakeStatus(`${base}/wssip?token=abc`), 101);
    assert.equal(await handshakeStatus(`${base}/wssip-default`), 101);
    assert.equal(await handshakeStatus(`${base}/wssip-nowhere`), 404);
    assert.equal(await handshakeStatus(`${base}/ws`), 404);
    assert.equal(await handshakeStatus(`${base}/wssipx`), 404);
    assert.equal(await handshakeStatus(`${base}/wssip`, { protocol: "sipx" }), 400);
    assert.equal(await handshakeStatus(`${base}/wssip`, { protocol: ["chat", "xsip"] }), 400);
    const plain = await fetch(`http://127.0.0.1:${proxy.wsPort}/wssip`);
    assert.ok([400, 426].includes(plain.status));
  });

  test("frames: text, binary and fragments are one message; 1009 and 1002 are not", async () => {
    const client = await SipWs.open(proxy.url);
    const ping = () => registration("u9", jssip("u9"));
    for (const binary of [true, false]) {
      client.send(ping(), { binary });
      assert.equal((await client.final()).status, 401);
    }
    const text = ping();
    client.socket.send(text.slice(0, 10), { fin: false });
    client.socket.send(text.slice(10, 20), { fin: false });
    client.socket.send(text.slice(20), { fin: true });
    assert.equal((await client.final()).status, 401);
    client.send("\r\n\r\n");
    await waitFor(() => client.crlf === 1);
    client.send("x".repeat(70000));
    assert.equal((await client.closed).code, 1009);

    const raw = net.connect(proxy.wsPort, "127.0.0.1");
    const answer = await new Promise((done) => {
      let data = Buffer.alloc(0);
      raw.on("data", (part) => { data = Buffer.concat([data, part]); });
      raw.on("end", () => done(data));
      raw.write("GET /wssip HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Protocol: sip\r\n\r\n");
      raw.write(Buffer.from([0x81, 0x02, 0x68, 0x69])); // not masked
    });
    raw.destroy();
    assert.match(answer.toString("latin1"), /^HTTP\/1\.1 101 /);
    assert.equal(answer.readUInt16BE(answer.length - 2), 1002);
  });

  test("one message per frame: Content-Length must agree", async () => {
    const client = await SipWs.open(proxy.url);
    const two = registration("u10", jssip("u10"), { headers: ["Content-Length: 3"] });
    client.send(two + registration("u11", jssip("u11")));
    assert.equal((await client.final()).status, 400);
    await client.close();
  });

  test("a client that answers no ping is closed, one that does stays", async () => {
    const quiet = await SipWs.open(proxy.url);
    const lively = await SipWs.open(proxy.url);
    quiet.socket._receiver.removeAllListeners("ping");
    quiet.socket._receiver.on("ping", () => {});
    const { code } = await quiet.closed;
    assert.equal(code, 1001);
    assert.equal(lively.socket.readyState, 1);
    await lively.close();
  });

  test("the client's address comes from a trusted proxy's header only", async () => {
    const client = await SipWs.open(proxy.url, { headers: { "X-Forwarded-For": "10.1.1.1, 203.0.113.77" } });
    client.send(registration("u12", sipml("u12")));
    await client.final();
    assert.match(asterisk.last.all("via")[1], /;received=203\.0\.113\.77/);
    await client.close();
  });

  test("what stands in front of it in that header does not count, however much it is", async () => {
    for (const own of ["unknown", "203.0.113.1, ".repeat(40) + "10.1.1.1", ", ,203.0.113.1,"]) {
      const client = await SipWs.open(proxy.url, { headers: { "X-Forwarded-For": `${own}, 203.0.113.78 ` } });
      client.send(registration("u13", sipml("u13")));
      await client.final();
      assert.match(asterisk.last.all("via")[1], /;received=203\.0\.113\.78/, own);
      await client.close();
    }
  });

  test("what is no SIP ends the connection after a while", async () => {
    const client = await SipWs.open(proxy.url);
    for (let i = 0; i < 12; i++) client.send("GET / HTTP/1.1\r\n\r\n");
    assert.equal((await client.closed).code, 1008);
  });

  test("nothing is left when all have gone", async () => {
    await waitFor(async () => {
      const metrics = await proxy.metrics();
      return /sip_proxy_websockets 0\n/.test(metrics) && /sip_proxy_flows 0\n/.test(metrics);
    });
    const metrics = await proxy.metrics();
    assert.match(metrics, /sip_proxy_edit_failures_total 0\n/);
    assert.match(metrics, /sip_proxy_unknown_source_total 0\n/);
  });
});

describe("groups and failures", () => {
  test("/wssip-NAME chooses the group; path=off rewrites the Contact", async () => {
    const main = await FakeAsterisk.start();
    const mds = await FakeAsterisk.start({ path: false });
    const proxy = await edge([`default=${main.address}`, `mds1=${mds.address},path=off`]);
    const client = await SipWs.open(`ws://127.0.0.1:${proxy.wsPort}/wssip-mds1?token=x`);
    const ok = await register(client, "m1", sipml("m1"));
    assert.equal(uriOf(ok.one("contact")), uriOf(sipml("m1").contact));
    assert.match(mds.bindings.get("m1").contact, /^sip:m1@127\.0\.0\.1:\d+;edge=[\w-]{48}$/);
    assert.equal(main.bindings.size, 0);
    mds.requestTo("m1", proxy.at);
    const invite = await client.request("INVITE");
    assert.equal(invite.uri, uriOf(sipml("m1").contact));
    client.send(respond(invite, 480, "Temporarily Unavailable", { tag: "z" }));
    assert.equal((await mds.sip.final(invite.cseq)).status, 480);
    await client.close();
    await proxy.stop();
    main.stop();
    mds.stop();
  });

  test("a media server that dies: the next takes over, and the first comes back", async () => {
    const a = await FakeAsterisk.start(), b = await FakeAsterisk.start();
    const proxy = await edge([`default=${a.address}`, `default=${b.address},priority=1`],
      ["--server-timeout", "300ms", "--probe-interval", "400ms", "--probe-timeout", "200ms"]);
    const client = await SipWs.open(proxy.url);
    const up = async () => (await proxy.status()).media_servers.map((s) => s.up);
    await register(client, "f1", jssip("f1"));
    assert.equal(a.bindings.size, 1);

    a.dead = true;
    const began = Date.now();
    await register(client, "f1", jssip("f1"));
    assert.ok(Date.now() - began < 1500);
    assert.equal(b.bindings.size, 1);
    await waitFor(async () => (await up())[0] === false);
    assert.deepEqual(await up(), [false, true]);
    const quick = Date.now();
    await register(client, "f1", jssip("f1"));
    assert.ok(Date.now() - quick < 200, "the dead one is not asked first any more");

    a.dead = false;
    await waitFor(async () => (await up())[0] === true);
    a.bindings.clear();
    await register(client, "f1", jssip("f1"));
    assert.equal(a.bindings.size, 1);

    a.answer = "overload";
    const d = await call(client, "f1", jssip("f1"));
    assert.equal(d.ok.status, 200);
    assert.ok(b.invite);
    b.answer = "overload";
    const refused = await call(client, "f1", jssip("f1"));
    assert.equal(refused.ok.status, 500);
    await client.close();
    await proxy.stop();
    a.stop();
    b.stop();
  });

  test("who is no media server is not heard on the inner side", async () => {
    const asterisk = await FakeAsterisk.start();
    const proxy = await edge([`default=${asterisk.address}`]);
    const stranger = await SipUdp.open({ host: "127.0.0.2" });
    stranger.send(request("OPTIONS", "sip:x@127.0.0.1", { via: "SIP/2.0/UDP 127.0.0.2",
      from: "<sip:s@x>;tag=1", to: "<sip:x@x>" }), proxy.at);
    await waitFor(async () => /unknown_source_total 1\n/.test(await proxy.metrics()));
    assert.deepEqual(stranger.messages, []);
    stranger.close();
    await proxy.stop();
    asterisk.stop();
  });

  test("with an origin list other pages are refused, programs are not", async () => {
    const asterisk = await FakeAsterisk.start();
    const proxy = await edge([`default=${asterisk.address}`], ["--origin", "https://app.example"]);
    assert.equal(await handshakeStatus(proxy.url, { origin: "https://app.example" }), 101);
    assert.equal(await handshakeStatus(proxy.url, { origin: "https://evil.example" }), 403);
    assert.equal(await handshakeStatus(proxy.url), 101);
    await proxy.stop();
    asterisk.stop();
  });

  test("an external UDP client: REGISTER, a call in, and a call out", async () => {
    const asterisk = await FakeAsterisk.start();
    const port = await freePort();
    const proxy = await edge([`default=${asterisk.address}`],
      ["--listen", `udp:127.0.0.1:${port},zone=external`]);
    const phone = await SipUdp.open({ host: "127.0.0.3" });
    const out = { host: "127.0.0.1", port };
    const shape = { via: `SIP/2.0/UDP 127.0.0.3:${phone.port};rport`,
      contact: `<sip:p1@127.0.0.3:${phone.port}>` };
    phone.send(registration("p1", shape, { contentLength: true }), out);
    assert.equal((await phone.final("1 REGISTER")).status, 200);
    asterisk.requestTo("p1", proxy.at, "MESSAGE");
    const message = await phone.request("MESSAGE");
    phone.send(respond(message, 200, "OK"), out);
    assert.equal((await asterisk.sip.final(message.cseq)).status, 200);
    phone.close();
    await proxy.stop();
    asterisk.stop();
  });
});

describe("life", () => {
  test("reload changes servers and keys, connections and calls stay", async () => {
    const a = await FakeAsterisk.start(), b = await FakeAsterisk.start();
    const dir = scratch();
    const key = (name, text) => {
      const file = path.join(dir, name);
      fs.writeFileSync(file, text);
      return file;
    };
    const [ws, udp] = [await freePort(), await freePort()];
    const config = {
      listen: [`ws:127.0.0.1:${ws}`, `udp:127.0.0.1:${udp}`], "media-server": [`default=${a.address}`],
      "token-key-file": key("one", "first key, long enough\n") };
    const proxy = await startDaemon("sip-proxy", { config, dir });
    const edgeAt = { host: "127.0.0.1", port: udp };
    const client = await SipWs.open(`ws://127.0.0.1:${ws}/wssip`);
    await register(client, "r1", jssip("r1"));
    const d = await call(client, "r1", jssip("r1"));

    fs.writeFileSync(path.join(dir, "sip-proxy.json"), JSON.stringify({
      ...config, "media-server": [`default=${b.address}`, `old=${a.address}`],
      "token-key-file": key("two", "second key, long enough\n"),
      "token-key-previous-file": path.join(dir, "one") }));
    assert.equal((await proxy.admin("/reload", { method: "POST" })).status, 200);
    await sleep(100);

    const cseq = a.inDialog(d.callId, edgeAt, "BYE");
    const bye = await client.request("BYE");
    client.send(respond(bye, 200, "OK"));
    await a.sip.response(200, cseq);
    a.requestTo("r1", edgeAt, "MESSAGE");
    await client.request("MESSAGE");
    await register(client, "r1", jssip("r1"));
    assert.equal(b.bindings.size, 1);

    fs.writeFileSync(path.join(dir, "sip-proxy.json"), JSON.stringify({ ...config, "media-server": ["x"] }));
    assert.equal((await proxy.admin("/reload", { method: "POST" })).status, 409);
    await register(client, "r1", jssip("r1"));
    await client.close();
    await proxy.stop();
    a.stop();
    b.stop();
  });

  test("a restart with the same key answers 430 to tokens of before", async () => {
    const asterisk = await FakeAsterisk.start();
    const file = path.join(scratch(), "key");
    fs.writeFileSync(file, "a key that stays the same\n");
    const first = await edge([`default=${asterisk.address}`], ["--token-key-file", file]);
    const client = await SipWs.open(first.url);
    await register(client, "s1", jssip("s1"));
    await first.stop();
    const second = await edge([`default=${asterisk.address}`], ["--token-key-file", file, "--park-time", "0"]);
    const other = await SipWs.open(second.url);
    const sent = asterisk.requestTo("s1", second.at);
    assert.equal((await asterisk.sip.next((m) => m.callId === sent.callId && m.status >= 200)).status, 430);
    await other.close();
    await second.stop();
    asterisk.stop();
  });

  test("drain: nothing new comes in, a call being set up is finished, then it stops", async () => {
    const asterisk = await FakeAsterisk.start();
    const proxy = await edge([`default=${asterisk.address}`]);
    const client = await SipWs.open(proxy.url);
    asterisk.answer = "ring";
    client.send(request("INVITE", "sip:bob@default", { ...jssip("d1"), from: "<sip:d1@default>;tag=1",
      to: "<sip:bob@default>" }));
    await client.response(180);
    assert.equal((await proxy.admin("/drain", { method: "POST" })).status, 202);
    await waitFor(() => handshakeStatus(proxy.url).then(() => false, (e) => e.code === "ECONNREFUSED"));
    assert.equal(proxy.ended(), null);
    asterisk.reply(asterisk.invite, 486, "Busy Here");
    const busy = await client.final("1 INVITE");
    assert.equal(busy.status, 486);
    client.send(`ACK sip:bob@default SIP/2.0\r\nVia: ${busy.one("via").replace(/;received=[^;]*/, "")}\r\n` +
      `From: ${busy.one("from")}\r\nTo: ${busy.one("to")}\r\nCall-ID: ${busy.callId}\r\nCSeq: 1 ACK\r\n\r\n`);
    assert.equal((await client.closed).code, 1001);
    assert.equal((await proxy.closed).code, 0);
    asterisk.stop();
  });

  test("who connects and says nothing is closed after the handshake's time", async () => {
    const asterisk = await FakeAsterisk.start();
    const proxy = await edge([`default=${asterisk.address}`], ["--handshake-timeout", "300ms"]);
    const mute = net.connect(proxy.wsPort, "127.0.0.1");
    const slow = net.connect(proxy.wsPort, "127.0.0.1");
    slow.write("GET /wssip HTTP/1.1\r\n");
    const began = Date.now();
    await Promise.all([mute, slow].map((s) => new Promise((done) => s.on("close", done).resume())));
    assert.ok(Date.now() - began >= 250 && Date.now() - began < 3000);
    await waitFor(async () => /handshakes_total\{result="timeout"\} 2/.test(await proxy.metrics()));
    await proxy.stop();
    asterisk.stop();
  });

  test("stop says goodbye; a taken port is an error with a text", async () => {
    const asterisk = await FakeAsterisk.start();
    const proxy = await edge([`default=${asterisk.address}`]);
    const client = await SipWs.open(proxy.url);
    const taken = await runDaemon("sip-proxy", ["--listen", `ws:127.0.0.1:${proxy.wsPort}`,
      "--listen", `udp:127.0.0.1:${await freePort()}`, "--media-server", `default=${asterisk.address}`]);
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, /cannot listen on tcp:127\.0\.0\.1:\d+: address already in use/i);
    const how = await proxy.stop();
    assert.equal(how.code, 0);
    assert.equal((await client.closed).code, 1001);
    asterisk.stop();
  });

  test("--check finds all mistakes at once", async () => {
    const bad = await runDaemon("sip-proxy", ["--check", "--listen", "udp:0.0.0.0:5060",
      "--media-server", "default=udp:[::1]:5060", "--domain", "a=nowhere", "--strip-header", "Via"]);
    assert.equal(bad.code, 1);
    for (const text of [/advertise/, /none is external/, /address family/, /nowhere/, /Via cannot be removed/])
      assert.match(bad.stderr, text);
  });
});
