// SPDX-License-Identifier: MIT
// Topology hiding: every byte that leaves towards clients is looked at, and
// calls work all the same, both ways, in every phase.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { freePort, missing, runProgram, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { authority, partnerKamailio, phone } from "../support/federation.mjs";
import { JsSIP, callInVain, connectCall, event } from "../support/jssip-node.mjs";
import { passwordOf, startKamailio } from "../support/kamailio.mjs";
import { SipStream, SipWs, request, respond, token, uriOf } from "../support/sip.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

// The media server, and the edge as it is seen from there.
const SERVER = "127.0.0.2", INSIDE = "127.0.0.3";

/** In front of a port of ours: notes every byte that leaves. */
async function tap(port) {
  const seen = [];
  const server = net.createServer((client) => {
    const edge = net.connect(port, "127.0.0.1");
    client.pipe(edge);
    edge.on("data", (part) => seen.push(part));
    edge.pipe(client);
    for (const s of [client, edge]) s.on("error", () => { client.destroy(); edge.destroy(); });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: server.address().port, bytes: () => Buffer.concat(seen).toString("latin1"), stop: () => server.close() };
}

/** Without the bodies, which say where media flows. */
function withoutBodies(text) {
  return text.replace(/\r\n\r\nv=0\r\n[^]*?(?=SIP\/2\.0 |[A-Z]+ sip|$)/g, "\r\n\r\n");
}

function assertClean(bytes, ...more) {
  const text = withoutBodies(bytes);
  assert.ok(text.length > 1000, "something was sent at all");
  for (const secret of [SERVER, INSIDE, ...more]) {
    const at = text.indexOf(secret);
    assert.equal(at, -1, `${secret} left: …${text.slice(Math.max(0, at - 300), at + 60)}…`);
  }
}

async function start(server, mode, more = []) {
  const ws = await freePort(), tcp = await freePort(), udp = await freePort(INSIDE), out = await freePort();
  const keys = path.join(scratch(), "key");
  fs.writeFileSync(keys, "a key for tokens, long enough");
  const args = ["--listen", `ws:127.0.0.1:${ws},hide=${mode}`, "--listen", `tcp:127.0.0.1:${tcp},zone=external,hide=${mode}`,
    "--listen", `udp:127.0.0.1:${out},zone=external,hide=${mode}`,
    "--listen", `udp:${INSIDE}:${udp}`, "--media-server", `default=${server.address}`, "--workers", "2",
    "--token-key-file", keys, ...more];
  const edge = await startDaemon("sip-proxy", { args });
  const taps = { ws: await tap(ws), tcp: await tap(tcp) };
  return Object.assign(edge, { args, taps, ports: { ws, tcp, out }, address: { host: INSIDE, port: udp },
    url: `ws://127.0.0.1:${taps.ws.port}/wssip`,
    bytes: () => taps.ws.bytes() + taps.tcp.bytes() });
}

describe("towards a server that says its address everywhere", () => {
  let asterisk, edge, ws;
  const via = "SIP/2.0/WS a.invalid", contact = "sip:x1@a.invalid;transport=ws";
  const alice = "<sip:alice@default>;tag=al";

  before(async () => {
    asterisk = await FakeAsterisk.start({ host: SERVER });
    edge = await start(asterisk, "full");
    ws = await SipWs.open(edge.url);
    ws.send(request("REGISTER", "sip:default", { via, contact: `<${contact}>;expires=60`, from: alice, to: "<sip:alice@default>" }));
    const ok = await ws.response(200);
    assert.deepEqual(ok.all("path"), []);
    assert.equal(uriOf(ok.one("contact")), contact);
  });
  after(async () => {
    ws?.terminate();
    for (const t of Object.values(edge?.taps ?? {})) t.stop();
    await edge?.stop({ drain: 100 });
    asterisk?.stop();
  });

  const inDialog = (method, ok, cseq, { from = ok.one("from"), to = ok.one("to"), routes, target = uriOf(ok.one("contact")) } = {}) =>
    request(method, target, { via, from, to, callId: ok.callId, cseq, contact: `<${contact}>`, routes });

  test("a call of the client: ACK, re-INVITE, BYE from either end", async () => {
    for (const who of ["client", "server"]) {
      const callId = token();
      ws.send(request("INVITE", "sip:bob@default", { via, from: alice, to: "<sip:bob@default>", callId, contact: `<${contact}>` }));
      const ok = await ws.response(200, "1 INVITE");
      const routes = ok.all("record-route").reverse();
      assert.equal(routes.length, 1);
      assert.match(uriOf(ok.one("contact")), /^sip:127\.0\.0\.1:\d+;transport=ws;hid=/);
      ws.send(inDialog("ACK", ok, 1, { routes }));
      const ack = await asterisk.sip.request("ACK");
      assert.equal(ack.uri, uriOf(asterisk.contact));
      assert.deepEqual(ack.all("route"), []);
      if (who === "client") {
        ws.send(inDialog("INVITE", ok, 2, { routes }));
        await ws.response(200, "2 INVITE");
        assert.equal(asterisk.last.uri, uriOf(asterisk.contact));
        ws.send(inDialog("ACK", ok, 2, { routes }));
        await asterisk.sip.request("ACK");
        ws.send(inDialog("BYE", ok, 3, { routes }));
        asterisk.reply(await asterisk.sip.request("BYE"), 200, "OK");
        await ws.response(200, "3 BYE");
      } else {
        const cseq = asterisk.inDialog(callId, edge.address, "BYE");
        const bye = await ws.request("BYE");
        assert.equal(bye.all("via").length, 1);
        ws.send(respond(bye, 200, "OK"));
        await asterisk.sip.response(200, cseq);
      }
    }
  });

  test("a call to the client: its From and Call-ID have the server's address", async () => {
    const callId = `${token()}@${SERVER}`;
    asterisk.requestTo("alice", edge.address, "INVITE", { callId, headers: [
      `P-Asserted-Identity: "Bob" <sip:200@${SERVER}>`, `Alert-Info: <http://${SERVER}/ring.wav>`,
      `X-Server: ${SERVER}:5060`, `Warning: 399 ${SERVER} "said so"`,
      "Server: Asterisk PBX 20.1", `Record-Route: <sip:${SERVER};lr;ftag=1>`] });
    const invite = await ws.request("INVITE");
    assert.equal(invite.all("via").length, 1);
    assert.equal(invite.all("record-route").length, 1);
    assert.deepEqual(invite.all("server"), []);
    assert.deepEqual(invite.all("warning"), []);
    assert.match(invite.one("x-server"), /^127\.0\.0\.1:5060$/);
    assert.match(invite.callId, /^hid-/);
    const mine = { tag: "al", headers: [`Contact: <${contact}>`] };
    ws.send(respond(invite, 180, "Ringing", { ...mine, headers: [...mine.headers,
      ...invite.all("record-route").map((r) => `Record-Route: ${r}`)] }));
    const ringing = await asterisk.sip.response(180, "7 INVITE");
    assert.equal(ringing.callId, callId);
    assert.equal(ringing.all("via").length, 1);
    assert.match(ringing.one("from"), new RegExp(`^<sip:${SERVER}>`));
    ws.send(respond(invite, 200, "OK", mine));
    const ok = await asterisk.sip.response(200, "7 INVITE");
    // Ours outside, ours inside, then the server's own.
    const routes = ok.all("record-route");
    assert.equal(routes.length, 3);
    assert.match(routes[2], new RegExp(`<sip:${SERVER};lr;ftag=1>`));
    assert.match(routes[1], new RegExp(`@${INSIDE}:`));
    const ack = request("ACK", contact, { via: `SIP/2.0/UDP ${SERVER}:${asterisk.port}`, from: ok.one("from"),
      to: ok.one("to"), callId, cseq: 7, routes: routes.slice(0, 2) });
    asterisk.sip.send(ack, edge.address);
    assert.equal((await ws.request("ACK")).callId, invite.callId);
    // The client hangs up: Request-URI, Route, From, To and Call-ID come back as they were.
    ws.send(request("BYE", uriOf(invite.one("contact")), { via, from: `${invite.one("to")};tag=al`, to: invite.one("from"),
      callId: invite.callId, cseq: 4, routes: invite.all("record-route") }));
    const bye = await asterisk.sip.request("BYE");
    assert.equal(bye.callId, callId);
    assert.equal(bye.uri, uriOf(asterisk.contact));
    assert.deepEqual(bye.all("route"), [`<sip:${SERVER};lr;ftag=1>`]);
    assert.match(bye.one("to"), new RegExp(`^<sip:${SERVER}>`));
    asterisk.reply(bye, 200, "OK");
    await ws.response(200, "4 BYE");
    // REFER with Replaces of that call, as an attended transfer has it.
    const callId2 = token();
    ws.send(request("INVITE", "sip:bob@default", { via, from: alice, to: "<sip:bob@default>", callId: callId2, contact: `<${contact}>` }));
    const ok2 = await ws.response(200, "1 INVITE");
    ws.send(request("REFER", uriOf(ok2.one("contact")), { via, from: alice, to: ok2.one("to"), callId: callId2, cseq: 2,
      contact: `<${contact}>`, routes: ok2.all("record-route").reverse(),
      headers: [`Refer-To: <${uriOf(invite.one("contact"))}?Replaces=${invite.callId}%3Bto-tag%3Dal%3Bfrom-tag%3Db>`] }));
    const refer = await asterisk.sip.request("REFER");
    assert.ok(refer.one("refer-to").includes(`sip:${SERVER}:${asterisk.port}`));
    assert.ok(refer.one("refer-to").includes(`Replaces=${callId.replace("@", "%40")}%3Bto-tag`));
  });

  test("busy, cancelled, refused", async () => {
    asterisk.answer = "busy";
    ws.send(request("INVITE", "sip:bob@default", { via, from: alice, to: "<sip:bob@default>", contact: `<${contact}>`, cseq: 11 }));
    await ws.response(486, "11 INVITE");
    asterisk.answer = "ok";
    const { cseq } = asterisk.requestTo("alice", edge.address, "INVITE");
    const invite = await ws.request("INVITE");
    ws.send(respond(invite, 486, "Busy Here", { tag: "al" }));
    await asterisk.sip.response(486, cseq);
    const ack = await ws.request("ACK");
    assert.equal(ack.one("to"), `${invite.one("to")};tag=al`);
  });

  test("what is not ours is refused", async () => {
    const callId = token();
    ws.send(request("INVITE", "sip:bob@default", { via, from: alice, to: "<sip:bob@default>", callId, contact: `<${contact}>` }));
    const ok = await ws.response(200, "1 INVITE");
    const [route] = ok.all("record-route"), target = uriOf(ok.one("contact"));
    const broken = (s) => s.replace(/hid=(.)/, (all, c) => `hid=${c === "A" ? "B" : "A"}`);
    ws.send(inDialog("BYE", ok, 2, { routes: [broken(route)] }));
    await ws.response(403, "2 BYE");
    ws.send(inDialog("BYE", ok, 3, { routes: [route], target: broken(target) }));
    await ws.response(403, "3 BYE");
    // The hidden Contact is no Route, and one call's Route opens no other.
    ws.send(inDialog("BYE", ok, 4, { routes: [route.replace(/hid=[^>]*/, target.match(/hid=.*/)[0])] }));
    await ws.response(403, "4 BYE");
    const { body } = await edge.admin("/metrics");
    assert.match(body, /sip_proxy_hide_forged_total 3/);
  });

  test("a restart with the same key keeps what is hidden", async () => {
    const callId = token();
    ws.send(request("INVITE", "sip:bob@default", { via, from: alice, to: "<sip:bob@default>", callId, contact: `<${contact}>` }));
    const ok = await ws.response(200, "1 INVITE");
    const before = edge.bytes();
    assertClean(before, "Asterisk PBX");
    await edge.stop({ drain: 100 });
    const again = await startDaemon("sip-proxy", { args: edge.args });
    const old = edge.taps;
    Object.assign(edge, again, { taps: old });
    ws = await SipWs.open(edge.url);
    ws.send(inDialog("BYE", ok, 2, { routes: ok.all("record-route").reverse() }));
    const bye = await asterisk.sip.request("BYE");
    assert.equal(bye.uri, uriOf(asterisk.contact));
    asterisk.reply(bye, 200, "OK");
    await ws.response(200, "2 BYE");
  });

  test("not one byte of what is inside has left", () => assertClean(edge.bytes(), "Asterisk PBX"));
});

describe("JsSIP, Kamailio inside", { skip: missing("kamailio") }, () => {
  let kamailio, edge, alice, bob;

  async function online(user) {
    const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(edge.url)], uri: `sip:${user}@default`,
      password: passwordOf(user), register: true, register_expires: 60, session_timers: false });
    const registered = event(ua, "registered", { fails: ["registrationFailed"] });
    ua.start();
    await registered;
    return ua;
  }

  before(async () => {
    kamailio = await startKamailio({ host: SERVER });
    edge = await start(kamailio, "topology");
    alice = await online("1000");
    bob = await online("1001");
  });
  after(async () => {
    alice?.stop();
    bob?.stop();
    for (const t of Object.values(edge?.taps ?? {})) t.stop();
    await edge?.stop({ drain: 100 });
    await kamailio?.stop();
  });

  test("a call: hold both ways, DTMF, hang-up at either end, refused, cancelled", async () => {
    for (const end of ["callee", "caller"]) {
      const { out, session } = await connectCall(alice, bob, "sip:1001@default");
      const held = event(session, "hold");
      await waitFor(() => out.hold());
      await held;
      const back = event(out, "hold");
      await waitFor(() => session.hold());
      await back;
      const digit = event(session, "newDTMF");
      out.sendDTMF("5");
      assert.equal((await digit).dtmf.tone, "5");
      const ended = event(end === "callee" ? out : session, "ended");
      (end === "callee" ? session : out).terminate();
      await ended;
    }
    await callInVain(alice, bob, "sip:1001@default");
  });

  test("not one byte of what is inside has left", () => {
    assertClean(edge.bytes());
    // Something was there to hide.
    assert.match(edge.bytes(), /;hid=/);
  });
});

describe("SIPp outside, over TCP and UDP", { skip: missing("sipp") }, () => {
  let asterisk, edge;

  before(async () => {
    asterisk = await FakeAsterisk.start({ host: SERVER });
    asterisk.sip.onMessage = undefined;
    edge = await start(asterisk, "full");
  });
  after(async () => {
    for (const t of Object.values(edge?.taps ?? {})) t.stop();
    await edge?.stop({ drain: 100 });
    asterisk?.stop();
  });

  for (const [name, mode] of [["TCP", "t1"], ["UDP", "u1"]]) test(`its own caller over ${name}, with the route set and the Contact it was given`, async () => {
    const dir = scratch("sipp-hide-");
    const scenario = path.join(dir, "uac.xml");
    fs.writeFileSync(scenario, `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="uac">
<send retrans="500"><![CDATA[
INVITE sip:bob@default SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:sipp@default>;tag=[call_number]
To: <sip:bob@default>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
[routes]
From: <sip:sipp@default>;tag=[call_number]
To: <sip:bob@default>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
[routes]
From: <sip:sipp@default>;tag=[call_number]
To: <sip:bob@default>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`);
    const answering = (async () => {
      for (let i = 0; i < 5; i++) asterisk.reply(await asterisk.sip.request("BYE", { timeout: 15000 }), 200, "OK");
    })();
    const run = await runProgram("sipp", ["-sf", scenario, "-m", "5", "-l", "1", "-t", mode, "-trace_msg", "-message_file", path.join(dir, "seen.log"), "-i", "127.0.0.1",
      "-nostdin", "-timeout", "20s", `127.0.0.1:${mode === "t1" ? edge.taps.tcp.port : edge.ports.out}`], { cwd: dir });
    assert.equal(run.code, 0, run.stdout + run.stderr);
    await answering;
    assertClean(fs.readFileSync(path.join(dir, "seen.log"), "latin1"));
    assertClean(edge.bytes());
  });
});

describe("a federation partner, Kamailio", { skip: missing("openssl", "kamailio") }, () => {
  let asterisk, edge, kamailio, bob, address;

  before(async () => {
    const good = await authority();
    const own = await good.issue({ san: ["URI:sip:ours.example"] });
    const certificate = await good.issue({ san: ["URI:sip:partner.example"] });
    const tls = await freePort(), udp = await freePort(INSIDE), tlsPort = await freePort();
    asterisk = await FakeAsterisk.start({ host: SERVER });
    bob = await phone();
    address = { host: INSIDE, port: udp };
    edge = await startDaemon("sip-proxy", { args: [
      "--listen", `tls:127.0.0.1:${tls},partners=true,hide=full,certificate=${own.cert},key=${own.key}`,
      "--listen", `udp:${INSIDE}:${udp}`, "--media-server", `default=${asterisk.address}`,
      "--partner-ca", good.ca, "--domain", "ours.example", "--partner", `partner.example=tls:127.0.0.1:${tlsPort}`,
      "--workers", "2"] });
    kamailio = await partnerKamailio({ domain: "partner.example", certificate, ca: good.ca, edge: tls,
      inside: bob.port, tlsPort });
  });
  after(async () => {
    await edge?.stop({ drain: 100 });
    await kamailio?.stop();
    asterisk?.stop();
    bob?.close();
  });

  test("calls both ways; their phone has seen nothing of ours", async () => {
    const got = [];
    const push = bob.push.bind(bob);
    bob.push = (m) => { got.push(m.text); push(m); };
    const dest = { host: "127.0.0.1", port: kamailio.udp };
    const via = `SIP/2.0/UDP 127.0.0.1:${bob.port}`, contact = `<sip:bob@127.0.0.1:${bob.port}>`;
    const from = "<sip:bob@partner.example>;tag=b1", callId = token();
    bob.send(request("INVITE", "sip:alice@ours.example", { via, contact, from, to: "<sip:alice@ours.example>", callId }), dest);
    const ok = await bob.response(200, "1 INVITE");
    const routes = ok.all("record-route").reverse(), target = uriOf(ok.one("contact"));
    bob.send(request("ACK", target, { via, from, to: ok.one("to"), callId, routes }), dest);
    assert.equal((await asterisk.sip.request("ACK")).uri, uriOf(asterisk.contact));
    bob.send(request("BYE", target, { via, from, to: ok.one("to"), callId, cseq: 2, routes }), dest);
    asterisk.reply(await asterisk.sip.request("BYE"), 200, "OK");
    await bob.response(200, "2 BYE");
    // Ours to theirs, with the server's address in From and Call-ID.
    const mine = `${token()}@${SERVER}`, me = `<sip:alice@${SERVER}>;tag=a1`;
    const send = (method, uri, more) => asterisk.sip.send(request(method, uri, { from: me, callId: mine,
      via: `SIP/2.0/UDP ${SERVER}:${asterisk.port}`, contact: `<sip:alice@${SERVER}:${asterisk.port}>`, ...more }), address);
    send("INVITE", "sip:bob@partner.example", { to: "<sip:bob@partner.example>" });
    const answered = await asterisk.sip.response(200, "1 INVITE");
    assert.equal(answered.callId, mine);
    const back = answered.all("record-route").reverse();
    send("ACK", uriOf(answered.one("contact")), { to: answered.one("to"), routes: back });
    await bob.request("ACK");
    send("BYE", uriOf(answered.one("contact")), { to: answered.one("to"), cseq: 2, routes: back });
    await asterisk.sip.response(200, "2 BYE");
    const all = [...got, ...bob.seen.map((m) => m.text)].join("\r\n");
    assert.match(all, /;hid=/);
    assertClean(all);
  });
});
