// SPDX-License-Identifier: MIT
// Federation: whose certificate opens the door, for which domains, and whole
// calls with Kamailio as the partner's edge, both ways.

import assert from "node:assert/strict";
import fs from "node:fs";
import { once } from "node:events";
import path from "node:path";
import tls from "node:tls";
import { after, before, describe, test } from "node:test";
import { startDns } from "../support/dns.mjs";
import { freePort, missing, runDaemon, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { authority, partnerKamailio, phone, sClient } from "../support/federation.mjs";
import { SipStream, SipUdp, request, respond, token, uriOf } from "../support/sip.mjs";

const need = missing("openssl", "kamailio");

after(() => setTimeout(() => process.exit(), 500).unref());

const metric = async (daemon, name) => {
  const line = (await daemon.metrics()).split("\n").filter((l) => l.startsWith(`sip_proxy_${name}`));
  return line.reduce((sum, l) => sum + Number(l.split(" ").pop()), 0);
};

/** An edge for ours.example: TLS for partners, UDP for the media server. */
async function startEdge({ ca, own, asterisk, partners, more = {}, listen = [], args = [] }) {
  const tls = await freePort(), udp = await freePort();
  const dir = scratch("federation-edge-");
  const settings = {
    listen: [
      { address: `tls:127.0.0.1:${tls}`, partners: true, certificate: own.cert, key: own.key },
      `udp:127.0.0.1:${udp}`, ...listen,
    ],
    "media-server": [`default=${asterisk.address}`],
    domain: ["ours.example", "private.example"],
    "partner-ca": ca, partner: partners, workers: 2, ...more,
  };
  const file = path.join(dir, "edge.json");
  fs.writeFileSync(file, JSON.stringify(settings));
  const edge = await startDaemon("sip-proxy", { args: ["--config", file, ...args], dir });
  return Object.assign(edge, { tls, udp, address: { host: "127.0.0.1", port: udp },
    async change(next) {
      fs.writeFileSync(file, JSON.stringify({ ...settings, ...next }));
      const { status, body } = await edge.admin("/reload", { method: "POST" });
      assert.equal(status, 200, body);
    } });
}

const ask = (from, { uri = "sip:alice@ours.example", method = "OPTIONS", headers = [], callId = token() } = {}) =>
  request(method, uri, { via: "SIP/2.0/TLS partner.example:5061", from: `<${from}>;tag=${token(4)}`,
    to: `<${uri}>`, callId, contact: "<sip:bob@partner.example>", headers });

/** A partner's TLS server that answers everything with 200. */
async function tlsServer({ certificate, ca, tlsPort }) {
  const seen = [], sockets = new Set();
  const server = tls.createServer({ cert: fs.readFileSync(certificate.cert), key: fs.readFileSync(certificate.key),
    ca: fs.readFileSync(ca), requestCert: true, rejectUnauthorized: true }, (socket) => {
    sockets.add(socket);
    const stream = new SipStream(socket, (m) => {
      seen.push({ m, servername: socket.servername, san: socket.getPeerCertificate().subjectaltname });
      if (m.method && m.method !== "ACK") stream.send(respond(m, 200, "OK", { tag: "x" }));
      return true;
    });
  });
  server.on("tlsClientError", () => {});
  server.listen(tlsPort, "127.0.0.1");
  await once(server, "listening");
  return { seen, stop() {
    for (const s of sockets) s.destroy();
    return new Promise((done) => server.close(done));
  } };
}

describe("who may connect", { skip: need }, () => {
  let good, other, own, asterisk, edge;
  const certs = {};

  before(async () => {
    good = await authority();
    other = await authority("Somebody else's CA");
    own = await good.issue({ san: ["URI:sip:ours.example", "DNS:edge.ours.example"] });
    certs.none = {};
    certs["self-signed"] = await good.issue({ san: ["URI:sip:partner.example"], self: true });
    certs["wrong CA"] = await other.issue({ san: ["URI:sip:partner.example"] });
    certs.expired = await good.issue({ san: ["URI:sip:partner.example"], days: -1 });
    certs["server only"] = await good.issue({ san: ["URI:sip:partner.example"], usage: "serverAuth" });
    certs["wrong domain"] = await good.issue({ san: ["URI:sip:nobody.example"] });
    certs.wildcard = await good.issue({ san: ["DNS:*.example"] });
    certs["sips URI"] = await good.issue({ san: ["URI:sips:partner.example"] });
    certs["a person"] = await good.issue({ san: ["URI:sip:bob@partner.example"] });
    certs["name beside SAN"] = await good.issue({ cn: "partner.example", san: ["DNS:nobody.example"] });
    // RFC 5922 7.1: DNS names count only where there is no sip: URI.
    certs["DNS beside URI"] = await good.issue({ san: ["URI:sip:nobody.example", "DNS:partner.example"] });
    certs["blocked domain"] = await good.issue({ san: ["URI:sip:sub.evil.example"] });
    certs.URI = await good.issue({ san: ["URI:sip:partner.example"] });
    certs.DNS = await good.issue({ san: ["DNS:PARTNER.example"] });
    certs["name only"] = await good.issue({ cn: "partner.example" });
    certs["two domains"] = await good.issue({ san: ["URI:sip:partner.example", "URI:sip:second.example"] });
    asterisk = await FakeAsterisk.start();
    edge = await startEdge({ ca: good.ca, own, asterisk, partners: [
      { domain: "partner.example", reach: ["ours.example"] },
      { domain: "second.example", method: ["OPTIONS", "MESSAGE"] },
      { domain: "sub.evil.example" }, { domain: "pinned.example", name: "host.second.example" },
      { domain: "hidden.example", name: "partner.example", anonymous: true },
    ], more: { "blocked-domain": ["evil.example"] } });
  });
  after(async () => {
    await edge?.stop({ drain: 100 });
    asterisk?.stop();
  });

  // certificate × (From domain → status; 0: cut before a byte was answered)
  const P = "sip:bob@partner.example", S = "sip:bob@second.example", E = "sip:bob@sub.evil.example",
    N = "sip:bob@nobody.example", O = "sip:alice@ours.example";
  const cut = (why) => ({ [P]: 0, why });
  const matrix = {
    none: cut("no_certificate"), "self-signed": cut("untrusted"), "wrong CA": cut("untrusted"),
    expired: cut("expired"), "server only": cut("purpose"), "wrong domain": cut("stranger"),
    wildcard: cut("stranger"), "sips URI": cut("stranger"), "a person": cut("stranger"),
    "name beside SAN": cut("stranger"), "DNS beside URI": cut("stranger"),
    "blocked domain": { [E]: 0, why: "stranger" },
    URI: { [P]: 200, [S]: 403, [E]: 403, [N]: 403, [O]: 403, "sip:anonymous@anonymous.invalid": 200,
      "tel:+4930123": 403, "sip:bob@PARTNER.EXAMPLE": 200, "sip:bob@x.partner.example": 403 },
    DNS: { [P]: 200, [S]: 403 }, "name only": { [P]: 200, [S]: 403 },
    "two domains": { [P]: 200, [S]: 200, [N]: 403 },
  };

  for (const [kind, row] of Object.entries(matrix)) {
    const { why, ...froms } = row;
    test(`certificate: ${kind}`, async () => {
      for (const [from, status] of Object.entries(froms)) {
        const before = why ? await metric(edge, `partners_refused_total{why="${why}"`) : 0;
        const got = await sClient(edge.tls, ask(from), { ...certs[kind], ca: good.ca });
        assert.equal(got.status, status, `${from}: ${got.text}`);
        if (!why) continue;
        assert.equal(await metric(edge, `partners_refused_total{why="${why}"`), before + 1);
        assert.equal(got.text, "");
      }
      if (why) await edge.waitLog(/partner refused why=/);
    });
  }

  test("TLS 1.2 as well", async () => {
    const got = await sClient(edge.tls, ask(P), { ...certs.URI, ca: good.ca, version: "-tls1_2" });
    assert.equal(got.status, 200);
    const cut = await sClient(edge.tls, ask(P), { ca: good.ca, version: "-tls1_2" });
    assert.equal(cut.status, 0);
    assert.match(cut.alert, /access denied/);
  });

  test("what a partner may send, and to whom", async () => {
    const with_ = (cert, text) => sClient(edge.tls, text, { ...certs[cert], ca: good.ca });
    const refused = (why) => metric(edge, `refused_total{reason="${why}"`);
    assert.equal((await with_("URI", ask(P, { method: "REGISTER", uri: "sip:ours.example" }))).status, 403);
    assert.equal(await refused("partner_method"), 1);
    assert.equal((await with_("two domains", ask(S, { method: "SUBSCRIBE" }))).status, 403);
    assert.equal(await refused("partner_method"), 2);
    // private.example is ours, but not for partner.example; second may.
    assert.equal((await with_("URI", ask(P, { uri: "sip:carol@private.example" }))).status, 403);
    assert.equal(await refused("partner_target"), 1);
    assert.equal((await with_("two domains", ask(S, { uri: "sip:carol@private.example" }))).status, 200);
    // Not a relay to third parties, not even to another partner.
    assert.equal((await with_("URI", ask(P, { uri: "sip:x@second.example" }))).status, 403);
    assert.equal(await refused("domain"), 1);
    // Someone else's identity in a certificate for another name of his.
    assert.equal((await with_("two domains", ask("sip:x@pinned.example"))).status, 403);
  });

  test("the decision is told", async () => {
    const callId = token();
    await sClient(edge.tls, ask(N, { callId }), { ...certs.URI, ca: good.ca });
    const { body } = await edge.admin(`/sip/why?call-id=${callId}`);
    const [entry] = JSON.parse(body).requests;
    assert.equal(entry.answer, 403);
    assert.match(body, /partner_from/);
    const good_ = token();
    await sClient(edge.tls, ask(P, { callId: good_ }), { ...certs.URI, ca: good.ca });
    const why = JSON.parse((await edge.admin(`/sip/why?call-id=${good_}`)).body).requests[0];
    assert.equal(why.partner, "partner.example");
    assert.equal(why.rule, "to a media server");
  });

  test("a reload blocks at once, on open connections too, and lets in again", async () => {
    const stream = await SipStream.open({ port: edge.tls, tls: { ca: fs.readFileSync(good.ca),
      cert: fs.readFileSync(certs.URI.cert), key: fs.readFileSync(certs.URI.key), servername: "edge.ours.example" } });
    stream.send(ask(P));
    await stream.response(200);
    await edge.change({ "blocked-domain": ["evil.example", "example"] });
    stream.send(ask(P));
    await stream.response(403);
    assert.equal((await sClient(edge.tls, ask(P), { ...certs.URI, ca: good.ca })).status, 0);
    await edge.change({});
    stream.send(ask(P));
    await stream.response(200);
    await edge.change({ "partner-purpose": "any" });
    assert.equal((await sClient(edge.tls, ask(P), { ...certs["server only"], ca: good.ca })).status, 200);
    assert.equal((await sClient(edge.tls, ask(P), { ...certs.expired, ca: good.ca })).status, 0);
    await stream.close();
  });

  test("new certificates and authorities with a reload, each listener its own", async () => {
    const served = async (port) => {
      const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
      await new Promise((done, fail) => socket.on("secureConnect", done).on("error", fail));
      const { subjectaltname } = socket.getPeerCertificate();
      socket.destroy();
      return subjectaltname;
    };
    const users = await good.issue({ san: ["DNS:users.ours.example"] });
    const port = await freePort();
    const dir = scratch("renew-"), cert = path.join(dir, "cert.pem"), key = path.join(dir, "key.pem"), ca = path.join(dir, "ca.pem");
    fs.copyFileSync(own.cert, cert);
    fs.copyFileSync(own.key, key);
    fs.copyFileSync(good.ca, ca);
    const edge2 = await startEdge({ ca, own: { cert, key }, asterisk, partners: [{ domain: "partner.example" }],
      listen: [`tls:127.0.0.1:${port},certificate=${users.cert},key=${users.key}`] });
    assert.match(await served(port), /users\.ours\.example/);
    const renewed = await other.issue({ san: ["URI:sip:ours.example", "DNS:renewed.ours.example"] });
    fs.copyFileSync(renewed.cert, cert);
    fs.copyFileSync(renewed.key, key);
    fs.copyFileSync(other.ca, ca);
    await edge2.change({});
    assert.match(await served(edge2.tls), /renewed\.ours\.example/);
    assert.match(await served(port), /users\.ours\.example/);
    assert.equal((await sClient(edge2.tls, ask(P), certs.URI)).status, 0);
    assert.equal((await sClient(edge2.tls, ask(P), certs["wrong CA"])).status, 200);
    // A file that is none changes nothing.
    fs.writeFileSync(cert, "no certificate");
    const { status } = await edge2.admin("/reload", { method: "POST" });
    assert.notEqual(status, 200);
    assert.match(await served(edge2.tls), /renewed\.ours\.example/);
    await edge2.stop({ drain: 100 });
  });

  test("over IPv6 as well", async () => {
    const port = await freePort("::1");
    const edge6 = await startEdge({ ca: good.ca, own, asterisk, partners: [{ domain: "partner.example" }],
      listen: [{ address: `tls:[::1]:${port}`, partners: true, certificate: own.cert, key: own.key }] });
    assert.equal((await sClient(port, ask(P), { ...certs.URI, ca: good.ca, host: "[::1]" })).status, 200);
    assert.equal((await sClient(port, ask(S), { ...certs.URI, ca: good.ca, host: "[::1]" })).status, 403);
    assert.equal((await sClient(port, ask(P), { ...certs["wrong CA"], ca: good.ca, host: "[::1]" })).status, 0);
    await edge6.stop({ drain: 100 });
  });

  test("a certificate cannot write our log", async () => {
    const cert = await good.issue({ cn: 'x" why="fine" \u001b[2J', san: ["URI:sip:evil\u0007.example"] });
    const before = edge.log().length;
    // The reason before was said less than a second ago: it is said once in that time.
    await waitFor(async () => {
      await sClient(edge.tls, ask(P), { ...cert, ca: good.ca });
      return /x/.test(edge.log().slice(before).match(/subject="(.*)" domains/)?.[1] ?? "");
    }, { what: "it is logged", every: 400 });
    const said = edge.log().slice(before);
    assert.doesNotMatch(said, /[\u0000-\u0009\u000b-\u001f\u007f]/);
    for (const line of said.trim().split("\n")) assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z \w+ +\w+: /);
    assert.doesNotMatch(said, /why="fine"/);
  });

  test("settings that cannot be", async () => {
    const base = ["--check", "--listen", "udp:127.0.0.1:5060", "--media-server", "default=udp:127.0.0.1:5070"];
    const tls = `tls:127.0.0.1:5061,certificate=${own.cert},key=${own.key}`;
    for (const [more, want] of [
      [["--listen", `${tls},partners=true`, "--partner", "a.example"], /needs partner-ca/],
      [["--listen", `${tls},partners=true`, "--partner-ca", good.ca, "--partner", "a.example"], /needs "domain"/],
      [["--listen", tls, "--domain", "b.example", "--partner", "a.example"], /listener with partners=true/],
      [["--listen", `${tls},partners=true`, "--partner-ca", good.ca, "--domain", "a.example", "--partner", "a.example"],
        /is a domain of ours/],
      [["--listen", `${tls},partners=true`, "--partner-ca", good.ca, "--domain", "b.example",
        "--partner", "a.example,method=FETCH"], /FETCH is not known/],
    ]) {
      const { code, stderr, stdout } = await runDaemon("sip-proxy", [...base, ...more]);
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, want);
    }
  });
});

describe("calls with Kamailio as partner", { skip: need }, () => {
  let good, asterisk, edge, kamailio, bob;

  before(async () => {
    good = await authority();
    const own = await good.issue({ san: ["URI:sip:ours.example"] });
    const theirs = await good.issue({ san: ["URI:sip:partner.example"] });
    asterisk = await FakeAsterisk.start();
    bob = await phone();
    const tlsPort = await freePort();
    edge = await startEdge({ ca: good.ca, own, asterisk, partners: [
      { domain: "partner.example", address: `tls:127.0.0.1:${tlsPort}`, identity: true }] });
    kamailio = await partnerKamailio({ domain: "partner.example", certificate: theirs, ca: good.ca,
      edge: edge.tls, inside: bob.port, tlsPort });
  });
  after(async () => {
    await edge?.stop({ drain: 100 });
    await kamailio?.stop();
    asterisk?.stop();
    bob?.close();
  });

  /** What a phone of theirs sends through its Kamailio. */
  const theirs = (method, uri, options) => request(method, uri, {
    via: `SIP/2.0/UDP 127.0.0.1:${bob.port}`, contact: `<sip:bob@127.0.0.1:${bob.port}>`, ...options });

  test("theirs to ours: call, their BYE and ours", async () => {
    for (const who of ["partner", "us"]) {
      const callId = token(), from = "<sip:bob@partner.example>;tag=b1", to = "<sip:alice@ours.example>";
      const dest = { host: "127.0.0.1", port: kamailio.udp };
      bob.send(theirs("INVITE", "sip:alice@ours.example", { from, to, callId }), dest);
      const ok = await bob.response(200, "1 INVITE");
      const routes = ok.all("record-route").reverse();
      const target = uriOf(ok.one("contact"));
      bob.send(theirs("ACK", target, { from, to: ok.one("to"), callId, routes }), dest);
      await asterisk.sip.request("ACK");
      if (who === "partner") {
        bob.send(theirs("BYE", target, { from, to: ok.one("to"), callId, cseq: 2, routes }), dest);
        const bye = await asterisk.sip.request("BYE");
        asterisk.reply(bye, 200, "OK");
        await bob.response(200, "2 BYE");
      } else {
        const cseq = asterisk.inDialog(callId, edge.address, "BYE");
        await waitFor(() => bob.seen.find((m) => m.method === "BYE" && m.callId === callId), { what: "BYE" });
        await asterisk.sip.response(200, cseq);
      }
    }
    assert.equal(await metric(edge, "partner_requests_total{direction=\"in\"}"), 2);
  });

  test("ours to theirs: call, re-INVITE and BYE both ways", async () => {
    const alice = asterisk.sip;
    const callId = token(), from = "<sip:alice@ours.example>;tag=a1", to = "<sip:bob@partner.example>";
    const via = `SIP/2.0/UDP 127.0.0.1:${alice.port};rport`, contact = `<sip:alice@127.0.0.1:${alice.port}>`;
    const send = (method, uri, options) =>
      alice.send(request(method, uri, { via, from, callId, contact, ...options }), edge.address);
    send("INVITE", "sip:bob@partner.example", { to });
    const ok = await alice.response(200, "1 INVITE");
    const routes = ok.all("record-route").reverse(), target = uriOf(ok.one("contact"));
    send("ACK", target, { to: ok.one("to"), routes });
    await bob.next((m) => m.method === "ACK" && m.callId === callId);
    send("INVITE", target, { to: ok.one("to"), cseq: 2, routes });
    await alice.response(200, "2 INVITE");
    send("ACK", target, { to: ok.one("to"), cseq: 2, routes });
    await bob.next((m) => m.cseq === "2 ACK" && m.callId === callId);
    // Their BYE: the dialog's token is the partner's, whatever connection it comes over.
    const invite = bob.seen.find((m) => m.callId === callId);
    bob.send(request("BYE", uriOf(invite.one("contact")), { via: `SIP/2.0/UDP 127.0.0.1:${bob.port}`, from: `${to};tag=bob`,
      to: from, callId, cseq: 9, routes: invite.all("record-route") }), { host: "127.0.0.1", port: kamailio.udp });
    const bye = await alice.request("BYE");
    assert.equal(bye.callId, callId);
    asterisk.reply(bye, 200, "OK");
    await bob.response(200, "9 BYE");
    assert.equal(await metric(edge, "partner_requests_total{direction=\"out\"}"), 1);
  });

  test("the partner's Kamailio restarts in the middle of a call", async () => {
    const callId = token(), from = "<sip:bob@partner.example>;tag=b3", to = "<sip:alice@ours.example>";
    bob.send(theirs("INVITE", "sip:alice@ours.example", { from, to, callId }), { host: "127.0.0.1", port: kamailio.udp });
    await bob.response(200, "1 INVITE");
    const { tls: tlsPort, udp: udpPort } = kamailio;
    await kamailio.stop();
    kamailio = await partnerKamailio({ domain: "partner.example", ca: good.ca, edge: edge.tls, inside: bob.port,
      certificate: await good.issue({ san: ["URI:sip:partner.example"] }), tlsPort, udpPort });
    const cseq = asterisk.inDialog(callId, edge.address, "BYE");
    await asterisk.sip.response(200, cseq);
    assert.ok(bob.seen.some((m) => m.method === "BYE" && m.callId === callId));
  });

  test("a blocked domain is called by nobody", async () => {
    await edge.change({ "blocked-domain": ["partner.example"] });
    const alice = await SipUdp.open();
    alice.send(request("INVITE", "sip:bob@partner.example", { via: `SIP/2.0/UDP 127.0.0.1:${alice.port};rport`,
      from: "<sip:alice@ours.example>;tag=a2", to: "<sip:bob@partner.example>", contact: `<sip:127.0.0.1:${alice.port}>` }),
    edge.address);
    await alice.response(403, "1 INVITE");
    alice.close();
    await edge.change({});
  });
});

describe("the partner's certificate, when we call", { skip: need }, () => {
  let good, other, asterisk, edge, bob;
  const kamailios = [];

  before(async () => {
    good = await authority();
    other = await authority("Somebody else's CA");
    asterisk = await FakeAsterisk.start();
    bob = await phone();
    const kinds = {
      right: await good.issue({ san: ["URI:sip:right.example"] }),
      dns: await good.issue({ san: ["DNS:dns.example"] }),
      wrongca: await other.issue({ san: ["URI:sip:wrongca.example"] }),
      selfsigned: await good.issue({ san: ["URI:sip:selfsigned.example"], self: true }),
      expired: await good.issue({ san: ["URI:sip:expired.example"], days: -1 }),
      // The host that DNS or we name is not the domain that was called.
      wrongdomain: await good.issue({ san: ["DNS:sip.wrongdomain.example", "IP:127.0.0.1"] }),
      wildcard: await good.issue({ san: ["DNS:*.example"] }),
      pinned: await good.issue({ san: ["DNS:edge.host.example"] }),
    };
    const partners = [];
    for (const [name, certificate] of Object.entries(kinds)) {
      const tlsPort = await freePort();
      partners.push({ domain: `${name}.example`, address: `tls:127.0.0.1:${tlsPort}`,
        ...(name === "pinned" ? { name: "edge.host.example" } : {}) });
      kamailios.push({ domain: `${name}.example`, certificate, ca: good.ca, tlsPort });
    }
    partners.push({ domain: "absent.example", address: `tls:127.0.0.1:${await freePort()}` });
    partners.push({ domain: "unknown.example" });
    edge = await startEdge({ ca: good.ca, own: await good.issue({ san: ["URI:sip:ours.example"] }), asterisk, partners });
    // One after the other: it is a TLS server all the same, and lighter.
    for (let i = 0; i < kamailios.length; i++)
      kamailios[i] = await tlsServer(kamailios[i]);
  });
  after(async () => {
    await edge?.stop({ drain: 100 });
    for (const k of kamailios) await k.stop?.();
    asterisk?.stop();
    bob?.close();
  });

  for (const [name, status] of Object.entries({ right: 200, dns: 200, pinned: 200, wrongca: 504, selfsigned: 504,
    expired: 504, wrongdomain: 504, wildcard: 504, absent: 504, unknown: 504 })) {
    test(`${name}: ${status}`, async () => {
      const alice = await SipUdp.open();
      alice.send(request("OPTIONS", `sip:bob@${name}.example`, { via: `SIP/2.0/UDP 127.0.0.1:${alice.port};rport`,
        from: "<sip:alice@ours.example>;tag=a2", to: `<sip:bob@${name}.example>` }), edge.address);
      const answer = await alice.final("1 OPTIONS", { timeout: 15000 });
      assert.equal(answer.status, status);
      alice.close();
    });
  }

  test("our own certificate was shown, the domain asked for", () => {
    const [first] = kamailios[0].seen;
    assert.match(first.san, /URI:sip:ours\.example/);
    assert.equal(first.servername, "right.example");
  });
});

describe("partners found by DNS", { skip: need }, () => {
  test("the federation's record, then the general one, the next host when one is dead", async () => {
    const good = await authority();
    const serve = async (san) => {
      const tlsPort = await freePort();
      return Object.assign(await tlsServer({ certificate: await good.issue({ san: [san] }), ca: good.ca, tlsPort }), { port: tlsPort });
    };
    const fed = await serve("URI:sip:fed.example"), sips = await serve("URI:sip:sips.example");
    // What DNS names is not what the certificate has to be for.
    const stolen = await serve("DNS:host.evil.example");
    const dead = await freePort();
    const dns = await startDns([
      ["_sipfederationtls._tcp.fed.example", "SRV", [10, 1, dead, "a.hosts.example"]],
      ["_sipfederationtls._tcp.fed.example", "SRV", [20, 1, fed.port, "b.hosts.example"]],
      ["_sips._tcp.fed.example", "SRV", [1, 1, stolen.port, "a.hosts.example"]],
      ["_sips._tcp.sips.example", "SRV", [1, 1, sips.port, "a.hosts.example"]],
      ["_sipfederationtls._tcp.stolen.example", "SRV", [1, 1, stolen.port, "host.evil.example"]],
      ["a.hosts.example", "A", "127.0.0.1"], ["b.hosts.example", "A", "127.0.0.1"], ["host.evil.example", "A", "127.0.0.1"],
    ]);
    const asterisk = await FakeAsterisk.start();
    const edge = await startEdge({ ca: good.ca, own: await good.issue({ san: ["URI:sip:ours.example"] }), asterisk,
      partners: ["fed", "sips", "stolen", "nowhere"].map((n) => ({ domain: `${n}.example` })),
      args: ["--dns-server", dns.address, "--partner-network", "127.0.0.0/8"] });
    await waitFor(() => dns.asked.some((q) => /_sips\._tcp\.nowhere/.test(q)), { what: "all were asked for" });
    const call = async (domain) => {
      const alice = await SipUdp.open();
      alice.send(request("MESSAGE", `sip:bob@${domain}`, { via: `SIP/2.0/UDP 127.0.0.1:${alice.port};rport`,
        from: "<sip:alice@ours.example>;tag=a", to: `<sip:bob@${domain}>` }), edge.address);
      const { status } = await alice.final("1 MESSAGE", { timeout: 15000 });
      alice.close();
      return status;
    };
    await waitFor(async () => (await call("fed.example")) === 200, { what: "fed.example is found" });
    await waitFor(async () => (await call("sips.example")) === 200, { what: "sips.example is found" });
    assert.equal(await call("stolen.example"), 504);
    assert.equal(await call("nowhere.example"), 504);
    assert.equal(stolen.seen.length, 0);
    // Nobody leads us to addresses that are not the internet's, unless we say so.
    await edge.stop({ drain: 100 });
    const strict = await startEdge({ ca: good.ca, own: await good.issue({ san: ["URI:sip:ours.example"] }), asterisk,
      partners: [{ domain: "sips.example" }], args: ["--dns-server", dns.address] });
    await waitFor(async () => (await metric(strict, "partner_addresses_refused_total")) > 0, { what: "refused addresses" });
    edge.udp = strict.udp;
    edge.address.port = strict.udp;
    assert.equal(await call("sips.example"), 504);
    await strict.stop({ drain: 100 });
    await dns.stop();
    for (const s of [fed, sips, stolen]) await s.stop();
    asterisk.stop();
  });
});

describe("media servers on TLS", { skip: need }, () => {
  test("are known by their certificate, where that is asked for", async () => {
    const good = await authority(), other = await authority("Somebody else's CA");
    const own = await good.issue({ san: ["IP:127.0.0.1", "DNS:edge.inside"] });
    const tls = await freePort(), ws = await freePort();
    const edge = await startDaemon("sip-proxy", { ready: true, args: [
      "--listen", `ws:127.0.0.1:${ws}`, "--listen", `tls:127.0.0.1:${tls},zone=internal,verify=true`,
      "--certificate", own.cert, "--key", own.key, "--server-ca", good.ca,
      "--media-server", `default=tls:127.0.0.1:${await freePort()}`, "--probe-interval", "0"] });
    const shown = {
      none: [{}, 0],
      "of another authority": [await other.issue({ san: ["IP:127.0.0.1"] }), 0],
      "for another name": [await good.issue({ cn: "127.0.0.1", san: ["DNS:other.inside"] }), 0],
      "for another address": [await good.issue({ san: ["IP:127.0.0.2"] }), 0],
      expired: [await good.issue({ san: ["IP:127.0.0.1"], days: -1 }), 0],
      right: [await good.issue({ san: ["IP:127.0.0.1"] }), 200],
    };
    const uri = `sip:127.0.0.1:${tls}`;
    const text = request("OPTIONS", uri, { via: "SIP/2.0/TLS 127.0.0.1:5061", from: "<sip:pbx@inside>;tag=1", to: `<${uri}>` });
    for (const [what, [cert, status]] of Object.entries(shown))
      assert.equal((await sClient(tls, text, { ...cert, ca: good.ca })).status, status, what);
    await edge.stop({ drain: 100 });
  });
});
