// SPDX-License-Identifier: MIT
// `edgectl check`: names, SIP and routers that change it, the NAT of a place,
// and the ports open from it. Each finding is provoked once.

import assert from "node:assert/strict";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort, freePortRange, makeCertificates, runProgram, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { startDns } from "../support/dns.mjs";
import { check, edgectl, fakeMediaServer, fakeTurn, udpSocket } from "../support/check.mjs";

const closers = [];
after(async () => { for (const close of closers.reverse()) await close(); });

const found = ({ lines }, id, state) =>
  lines.filter((l) => l.id === id && l.state === state).map((l) => `${l.where}: ${l.text}`);

describe("names", () => {
  let dns;
  before(async () => {
    dns = await startDns();
    closers.push(() => dns.stop());
  });
  const srv = (name, port, target) => [`${name}.edge.test`, "SRV", [0, 0, port, target]];
  const ask = (...args) => check("--domain", "edge.test", "--dns", dns.address, ...args);
  const closed = "stun:localhost:9";

  test("records that lead where they should", async () => {
    dns.set([srv("_stun._udp", 9, "localhost"), srv("_sips._tcp", 5061, "localhost"),
      srv("_sipfederationtls._tcp", 5061, "localhost"), srv("_turn._udp", 0, ".")]);
    const seen = await ask("--only", "DNS-SRV", "--only", "DNS-SRV-OTHER", "--only", "DNS-SRV-TARGET", closed, "sips:localhost");
    assert.deepEqual(seen.bad, [], JSON.stringify(seen.lines, null, 1));
    assert.match(found(seen, "DNS-SRV", "ok").join("\n"),
      /_sips\._tcp\.edge\.test: leads to localhost port 5061\n_sip\._tls.*there is none.*\n_sipfed.*5061\n_stun.*9\n_turn\._udp.*no TURN/);
    for (const name of ["_sips._tcp", "_sip._tls", "_sipfederationtls._tcp", "_stun._udp", "_turn._udp", "_turn._tcp", "_turns._tcp"])
      assert.ok(dns.asked.includes(`SRV ${name}.edge.test`), name);
  });

  for (const [id, zone] of [
    ["DNS-SRV", () => []],
    ["DNS-SRV-TARGET", () => [srv("_stun._udp", 9, "nowhere.invalid")]],
    ["DNS-SRV-OTHER", () => [srv("_stun._udp", 10, "localhost")]],
  ])
    test(`${id} is found`, async () => {
      dns.set(zone());
      const seen = await ask(closed);
      assert.deepEqual(seen.bad, [id, "TURN-STUN"], JSON.stringify(seen.lines, null, 1));
    });

  test("DNS-SERVER is found where nobody answers", async () => {
    const seen = await check("--domain", "edge.test", "--dns", `127.0.0.1:${await freePort()}`);
    assert.deepEqual(seen.bad, ["DNS-SERVER"]);
  });

  test("DNS-NAME is found", async () => {
    const seen = await check("http://nowhere.invalid");
    assert.deepEqual(seen.bad, ["DNS-NAME", "WEB-CONNECT"]);
  });
});

describe("SIP", () => {
  const port = {};
  let pki;
  before(async () => {
    pki = await makeCertificates(path.join(scratch(), "pki"));
    for (const name of ["udp", "tls", "dead", "closed", "plain"]) port[name] = await freePort();
    const media = await fakeMediaServer();
    closers.push(() => media.close());
    for (const [listen, server] of [
      [[`udp:127.0.0.1:${port.udp},zone=external`, `tcp:127.0.0.1:${port.udp},zone=external`, `tls:127.0.0.1:${port.tls}`,
        `udp:127.0.0.1:${await freePort()}`], media.address().port],
      [[`tcp:127.0.0.1:${port.dead},zone=external`, `udp:127.0.0.1:${await freePort()}`], port.closed],
    ]) {
      const daemon = await startDaemon("sip-proxy", { ready: false, config: {
        listen, "media-server": [`default=udp:127.0.0.1:${server}`], "probe-interval": "0", workers: 1,
        certificate: pki.cert, key: pki.key, "echo-method": "MIRROR", domain: ["localhost"],
      } });
      closers.push(() => daemon.stop());
      await waitFor(() => daemon.status());
    }
    const silent = net.createServer((c) => c.on("error", () => {}).end()).listen(port.plain, "127.0.0.1");
    await once(silent, "listening");
    closers.push(() => silent.close());
  });

  test("every leg answers, and what is sent arrives unchanged", async () => {
    const seen = await check("--ca", pki.ca, "--echo-method", "MIRROR", "--address", "127.0.0.1",
      `sip:localhost:${port.udp}`, `sip:localhost:${port.udp};transport=tcp`, `sips:localhost:${port.tls}`);
    assert.deepEqual(seen.bad, [], JSON.stringify(seen.lines, null, 1));
    assert.deepEqual(["SIP-OPTIONS", "SIP-ALG", "SIP-TLS", "CERT"].map((id) => seen.ok.filter((x) => x === id).length), [3, 2, 1, 1]);
  });

  /** A router that "helps" SIP: on this port, whatever comes goes to sip-proxy with the addresses in it changed. */
  async function alg() {
    const front = await udpSocket();
    front.on("message", async (packet, from) => {
      const back = await udpSocket();
      back.on("message", (answer) => { front.send(answer, from.port, from.address); back.close(); });
      back.send(packet.toString().replace("c=IN IP4 127.0.0.1", "c=IN IP4 192.0.2.99"), port.udp, "127.0.0.1");
    });
    closers.push(() => front.close());
    return front.address().port;
  }

  for (const [id, args] of [
    ["SIP-CONNECT", () => [`sip:127.0.0.1:${port.closed};transport=tcp`]],
    ["SIP-TLS", () => [`sips:127.0.0.1:${port.plain}`]],
    ["SIP-OPTIONS", () => [`sip:127.0.0.1:${port.closed}`]],
    ["SIP-OPTIONS", () => ["--address", "127.0.0.1", `sip:localhost:${port.dead};transport=tcp`]],
    ["SIP-ECHO", () => ["--address", "127.0.0.1", "--echo-method", "OTHER", `sip:localhost:${port.udp}`]],
    ["SIP-ALG", async () => ["--address", "127.0.0.1", "--echo-method", "MIRROR", `sip:localhost:${await alg()}`]],
  ])
    test(`${id} is found, and nothing else`, async () => {
      const seen = await check(...await args());
      assert.deepEqual(seen.bad, [id], JSON.stringify(seen.lines, null, 1));
      if (id === "SIP-ALG") assert.match(found(seen, id, "error")[0], /"c=IN IP4 127\.0\.0\.1" became "c=IN IP4 192\.0\.2\.99"/);
    });
});

describe("the NAT of a place", () => {
  async function stun(mapped) {
    const socket = await fakeTurn(({ from }) => ({ mapped: mapped ?? from }));
    closers.push(() => socket.close());
    return `stun:127.0.0.1:${socket.address().port}`;
  }

  test("there is none", async () => {
    const seen = await check(await stun());
    assert.deepEqual(seen.bad, []);
    assert.match(found(seen, "NAT-TYPE", "ok")[0], /no NAT/);
  });

  test("one that shows us alike to all is well; NAT-PORT says that it changes ports", async () => {
    const seen = await check(await stun("192.0.2.9:1024"), await stun("192.0.2.9:1024"));
    assert.deepEqual(seen.bad, []);
    assert.match(found(seen, "NAT-TYPE", "ok")[0], /192\.0\.2\.9:1024 to all/);
    assert.match(found(seen, "NAT-PORT", "ok")[0], /became 1024/);
  });

  test("NAT-TYPE is found where each destination sees another port", async () => {
    const seen = await check(await stun("192.0.2.9:1024"), await stun("192.0.2.9:1025"));
    assert.deepEqual(seen.bad, ["NAT-TYPE"]);
  });

  test("turn-server's nat-discovery tells the type with one address", async () => {
    const ports = [await freePort(), await freePort()];
    const relay = await freePortRange(10);
    const secret = path.join(scratch(), "secret");
    fs.writeFileSync(secret, "north\n", { mode: 0o600 });
    const daemon = await startDaemon("turn-server", { config: {
      listen: ["127.0.0.1", "127.0.0.2"].flatMap((host) => ports.map((p) => `udp:${host}:${p}`)),
      "nat-discovery": true, "relay-address": ["127.0.0.1"], "relay-ports": `${relay}-${relay + 9}`,
      "secret-file": secret, workers: 1,
    } });
    closers.push(() => daemon.stop());
    const asked = [];
    // A router before it: everything seems to come from one port of its own.
    const front = await udpSocket();
    const back = await udpSocket();
    closers.push(() => { front.close(); back.close(); });
    let client;
    front.on("message", (packet, from) => { client = from; back.send(packet, ports[0], "127.0.0.1"); });
    back.on("message", (packet, from) => { asked.push(from.port); front.send(packet, client.port, client.address); });
    const seen = await check(`stun:127.0.0.1:${front.address().port}`);
    assert.ok(asked.length > 0);
    // Its other address sees us directly, this one through the router.
    assert.deepEqual(seen.bad, ["NAT-TYPE"], JSON.stringify(seen.lines, null, 1));
    const direct = await check(`stun:127.0.0.1:${ports[0]}`);
    assert.deepEqual(direct.bad, []);
  });
});

describe("the ports open from a place", () => {
  const port = {};
  const dir = scratch();
  let topology;
  before(async () => {
    for (const name of ["open", "closed", "extra"]) port[name] = await freePort();
    for (const name of ["open", "extra"]) {
      const server = net.createServer((c) => c.on("error", () => {}).end()).listen(port[name], "127.0.0.1");
      await once(server, "listening");
      closers.push(() => server.close());
    }
    const silent = await udpSocket();
    closers.push(() => silent.close());
    port.silent = silent.address().port;
    const media = await fakeMediaServer();
    closers.push(() => media.close());
    port.media = media.address().port;
    topology = (...also) => {
      const file = path.join(dir, `${Math.random()}.json`);
      fs.writeFileSync(file, JSON.stringify({
        zone: [{ name: "internet" }, { name: "dmz", networks: ["127.0.0.0/24"] }, { name: "lan", networks: ["10.0.0.0/8"] }],
        host: [{ name: "edge", zone: "dmz", address: ["127.0.0.1"] }],
        firewall: [{ name: "outer", zones: ["internet", "dmz"] }, { name: "inner", zones: ["dmz", "lan"] }],
        also: also.map(([from, protocol, ports]) => ({ from, to: "edge", protocol, ports: String(ports), why: "a test" })),
      }));
      return file;
    };
  });
  /* Ports of this machine that others listen on are not this test's. */
  const ours = (seen) => seen.lines.filter((l) => l.state !== "ok" &&
    (l.id !== "PORT-OPEN" || l.where.includes(`:${port.extra} `))).map((l) => l.id);

  test("what is open is reached, and NAT is followed", async () => {
    const seen = await check("--from", "internet", "--topology", topology(
      ["internet", "tcp", port.open], ["internet", "udp", port.media], ["lan", "udp", port.silent]));
    assert.deepEqual(ours(seen), [], JSON.stringify(seen.lines, null, 1));
    assert.equal(found(seen, "FLOW-BLOCKED", "ok").filter((t) => /reached: a test/.test(t)).length, 2);
    const elsewhere = await check("--from", "internet", "--published", "127.0.0.1=127.0.0.2", "--topology",
      topology(["internet", "tcp", port.open]));
    assert.deepEqual(ours(elsewhere), ["FLOW-REFUSED"]);
  });

  for (const [id, also] of [
    ["FLOW-REFUSED", () => ["internet", "tcp", port.closed]],
    ["FLOW-REFUSED", () => ["internet", "udp", port.closed]],
    ["FLOW-BLOCKED", () => ["internet", "udp", port.silent]],
    ["FLOW-SILENT", () => ["internet", "udp", `${port.silent}-${port.silent + 1}`]],
    ["PORT-OPEN", () => ["lan", "tcp", port.extra]],
  ])
    test(`${id} is found, and nothing else`, async () => {
      const seen = await check("--from", "internet", "--topology", topology(also()));
      assert.deepEqual(ours(seen), [id], JSON.stringify(seen.lines, null, 1));
      assert.equal(seen.code, 1);
    });

  test("what the files say too little of is said by flows", async () => {
    const write = (name, value) => fs.writeFileSync(path.join(dir, name), JSON.stringify(value)) ?? path.join(dir, name);
    const host = { name: "edge", zone: "dmz", address: ["10.1.0.2"], runs: ["sip-proxy"] };
    const sip = write("sip.json", {
      listen: ["ws:10.1.0.2:5066", "udp:10.1.0.2:5060"], "media-server": ["default=udp:10.0.0.1:5060"] });
    for (const [id, topo] of [
      ["FLOW-NO-ZONE", { zone: [{ name: "dmz", networks: ["10.1.0.0/24"] }], host: [host] }],
      ["FLOW-NO-FIREWALL", { zone: [{ name: "dmz", networks: ["10.1.0.0/24"] }, { name: "lan", networks: ["10.0.0.0/16"] },
        { name: "far", networks: ["192.0.2.0/24"] }], host: [host], firewall: [{ name: "f", zones: ["dmz", "far"] }] }],
    ]) {
      const out = await runProgram(edgectl, ["flows", "--topology", write(`${id}.json`, topo), "--sip", sip]);
      assert.equal(out.code, 1, out.stderr);
      assert.match(out.stderr, new RegExp(`${id}: `));
    }
  });

  test("a place nobody knows, or nothing to check, is exit code 2", async () => {
    for (const args of [["--from", "moon", "--topology", topology()], [], ["--media", "host"], ["--published", "1.2.3.4"],
      ["--dns", "::1", "--domain", "a"]]) {
      const out = await runProgram(edgectl, ["check", ...args]);
      assert.equal(out.code, 2, out.stdout);
      assert.notEqual(out.stderr, "");
    }
  });
});
