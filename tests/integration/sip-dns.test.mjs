// SPDX-License-Identifier: MIT
// Media servers by name (RFC 3263), with a name server of our own.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import tls from "node:tls";
import { after, describe, test } from "node:test";
import { startDns } from "../support/dns.mjs";
import { freePort, makeCertificates, runDaemon, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipStream, SipWs, request, respond, token } from "../support/sip.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

const portOf = (asterisk) => Number(asterisk.address.split(":").pop());

async function edge(dns, servers, args = []) {
  const ws = await freePort(), udp = await freePort();
  const daemon = await startDaemon("sip-proxy", { ready: false,
    args: ["--listen", `ws:127.0.0.1:${ws}`, "--listen", `udp:127.0.0.1:${udp}`,
      ...(dns ? ["--dns-server", dns.address] : []), "--dns-fail-ttl", "1s", "--drain-time", "100ms", "--dns-max-ttl", "1s",
      ...servers.flatMap((s) => ["--media-server", s]), ...args] });
  return Object.assign(daemon, { url: `ws://127.0.0.1:${ws}/wssip` });
}

async function register(url, user = "u1") {
  const client = await SipWs.open(url);
  client.send(request("REGISTER", "sip:default", { via: "SIP/2.0/WS a.invalid", contact: `<sip:${user}@a.invalid>`,
    from: `<sip:${user}@default>;tag=${token(4)}`, to: `<sip:${user}@default>`, contentLength: false }));
  const answer = await client.final("1 REGISTER");
  await client.close();
  return answer.status;
}

/** Every worker knows it a moment after /status does. */
const registers = (url, user) => waitFor(async () => (await register(url, user)) === 200);

const servers = async (proxy) => (await proxy.status()).media_servers;
const known = (proxy, n) => waitFor(async () => (await servers(proxy)).length === n);

describe("media servers by name", () => {
  test("NAPTR, SRV and addresses: transport, port and order are what DNS says", async () => {
    const one = await FakeAsterisk.start(), two = await FakeAsterisk.start();
    const dns = await startDns([
      ["pbx.test", "NAPTR", [10, 10, "s", "SIP+D2U", "", "_sip._udp.pbx.test"]],
      ["_sip._udp.pbx.test", "SRV", [20, 1, portOf(two), "b.pbx.test"]],
      ["_sip._udp.pbx.test", "SRV", [10, 1, portOf(one), "a.pbx.test"]],
      ["a.pbx.test", "A", "127.0.0.1"],
      ["b.pbx.test", "A", "127.0.0.1"],
    ]);
    const proxy = await edge(dns, ["default=sip:PBX.test"]);
    await known(proxy, 2);
    const list = await servers(proxy);
    assert.deepEqual(list.map((s) => [s.transport, s.address, s.name, s.rank]), [
      ["udp", `127.0.0.1:${portOf(one)}`, "PBX.test", 0], ["udp", `127.0.0.1:${portOf(two)}`, "PBX.test", 1]]);
    await registers(proxy.url);
    await waitFor(() => one.bindings.size);
    // The first is gone: the next of the list.
    one.stop();
    await registers(proxy.url);
    assert.ok(dns.asked.includes("NAPTR pbx.test"));
    await proxy.stop();
    two.stop();
    await dns.stop();
  });

  test("another answer of DNS moves what is new; without DNS the last one stays", async () => {
    const one = await FakeAsterisk.start(), two = await FakeAsterisk.start();
    const zone = (asterisk) => [["_sip._udp.pbx.test", "SRV", [10, 1, portOf(asterisk), "a.pbx.test"]],
      ["a.pbx.test", "A", "127.0.0.1"]];
    const dns = await startDns(zone(one));
    const proxy = await edge(dns, ["default=sip:pbx.test"]);
    await known(proxy, 1);
    await registers(proxy.url);
    dns.set(zone(two));
    await waitFor(async () => (await servers(proxy))[0].address.endsWith(`:${portOf(two)}`), { timeout: 30000 });
    await waitFor(async () => await register(proxy.url) === 200 && two.bindings.size > 0);
    dns.set([]);
    await waitFor(() => proxy.log().includes("its last addresses are used"), { timeout: 30000 });
    await registers(proxy.url, "u2");
    await proxy.stop();
    one.stop();
    two.stop();
    await dns.stop();
  });

  test("a name that is not known yet: 503, not ready, and served once it is", async () => {
    const asterisk = await FakeAsterisk.start();
    const dns = await startDns([]);
    const proxy = await edge(dns, [`default=udp:pbx.test:${portOf(asterisk)}`]);
    await waitFor(() => dns.asked.length > 0);
    assert.equal(await register(proxy.url), 503);
    assert.equal(await register(`${proxy.url}-default`), 503); // its path is there all the same
    assert.deepEqual([...new Set(dns.asked)].filter((q) => /SRV|NAPTR/.test(q)), []);
    const figure = async (name) => Number((await proxy.metrics()).match(new RegExp(`sip_proxy_${name} (\\d+)`))[1]);
    await waitFor(async () => await figure("names_missing") === 1 && await figure("dns_failed_total") > 0);
    dns.set([["pbx.test", "A", "127.0.0.1"]]);
    await known(proxy, 1);
    await waitFor(async () => await figure("names_missing") === 0 && await figure("dns_queries_total") > 1);
    await registers(proxy.url);
    await proxy.stop();
    asterisk.stop();
    await dns.stop();
  });

  test("the configured hosts come first and ask nobody", async () => {
    const asterisk = await FakeAsterisk.start();
    const dns = await startDns([["pbx", "A", "127.0.0.9"]]);
    const proxy = await edge(dns, [`default=sip:PBX:${portOf(asterisk)}`], ["--host", "pbx=127.0.0.1"]);
    await known(proxy, 1);
    await registers(proxy.url);
    assert.deepEqual(dns.asked, []);
    await proxy.stop();
    asterisk.stop();
    await dns.stop();
  });

  test("a silent name server keeps nobody waiting", async () => {
    const asterisk = await FakeAsterisk.start();
    const dns = await startDns();
    dns.silent = true;
    const proxy = await edge(dns, [`default=${asterisk.address}`, "other=sip:pbx.test"]);
    await waitFor(() => dns.asked.length > 0);
    await registers(proxy.url);
    await proxy.stop();
    asterisk.stop();
    await dns.stop();
  });

  test("a TLS server by name shows a certificate for that name, not for the host DNS sends us to", async () => {
    const right = await makeCertificates(scratch(), { names: ["pbx.test"], addresses: [] });
    const wrong = await makeCertificates(scratch(), { names: ["host.test"], addresses: ["127.0.0.1"] });
    const ca = path.join(scratch(), "ca.pem");
    fs.writeFileSync(ca, fs.readFileSync(right.ca, "utf8") + fs.readFileSync(wrong.ca, "utf8"));
    for (const [certs, expected] of [[right, 200], [wrong, 503]]) {
      const asked = [];
      const server = tls.createServer({ cert: fs.readFileSync(certs.cert), key: fs.readFileSync(certs.key) }, (socket) => {
        asked.push(socket.servername);
        new SipStream(socket, (m) => m.from.send(respond(m, 200, "OK", { tag: "s" })) ?? true);
      });
      server.on("tlsClientError", () => {});
      await new Promise((done) => server.listen(0, "127.0.0.1", done));
      const dns = await startDns([["_sips._tcp.pbx.test", "SRV", [1, 1, server.address().port, "host.test"]],
        ["host.test", "A", "127.0.0.1"]]);
      const proxy = await edge(dns, ["default=sips:pbx.test"], ["--listen", "tls:127.0.0.1:0,zone=internal",
        "--server-ca", ca, "--certificate", right.cert, "--key", right.key, "--probe-interval", "0"]);
      await known(proxy, 1);
      await waitFor(async () => (await register(proxy.url)) === expected);
      if (expected !== 200)
        await waitFor(async () => await register(proxy.url) === 503 &&
          /sip_proxy_connects_failed_total [1-9]/.test(await proxy.metrics()));
      assert.deepEqual([...new Set(asked)], expected === 200 ? ["pbx.test"] : []);
      await proxy.stop();
      server.close();
      await dns.stop();
    }
  });

  test("what cannot be is refused at the start", async () => {
    const run = await runDaemon("sip-proxy", ["--check", "--listen", "ws:127.0.0.1:0", "--listen", "udp:127.0.0.1:0",
      "--media-server", "default=sips:pbx.test"]);
    assert.notEqual(run.code, 0);
    assert.match(run.stderr, /media-server\[0\].*server-ca/);
  });
});
