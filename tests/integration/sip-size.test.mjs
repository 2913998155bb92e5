// SPDX-License-Identifier: MIT
// Large requests to a media server on UDP: over TCP where it has that.

import assert from "node:assert/strict";
import net from "node:net";
import { after, describe, test } from "node:test";
import { freePort, missing, startDaemon } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { passwordOf, startKamailio } from "../support/kamailio.mjs";
import { SipStream, SipWs, digest, request, respond, token } from "../support/sip.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

const figure = async (proxy, name) =>
  Number((await proxy.metrics()).match(new RegExp(`sip_proxy_${name} (\\d+)`))[1]);

/** What listens on the media server's port on TCP, and answers there. */
function tcpOf(port) {
  const inbox = [], sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    const stream = new SipStream(socket, (m) => {
      inbox.push(m);
      if (m.method && m.method !== "ACK") stream.send(respond(m, 200, "OK", { tag: "tcp" }));
      return true;
    });
  });
  return new Promise((done) => server.listen(port, "127.0.0.1", () => done({ inbox, stop() {
    for (const socket of sockets) socket.destroy();
    return new Promise((ended) => server.close(ended));
  } })));
}

async function edge(server, extra = "") {
  const ws = await freePort(), inner = await freePort();
  const proxy = await startDaemon("sip-proxy", { args: ["--listen", `ws:127.0.0.1:${ws}`,
    "--listen", `udp:127.0.0.1:${inner}`, "--listen", `tcp:127.0.0.1:${inner}`, "--probe-interval", "0",
    "--media-server", `default=${server}${extra}`, "--drain-time", "100ms"] });
  return Object.assign(proxy, { url: `ws://127.0.0.1:${ws}/wssip`, inner });
}

async function register(url, size) {
  const client = await SipWs.open(url);
  client.send(request("REGISTER", "sip:default", { via: "SIP/2.0/WS a.invalid", contact: "<sip:a@a.invalid>",
    from: `<sip:a@default>;tag=${token(4)}`, to: "<sip:a@default>", headers: [`X-Pad: ${"x".repeat(size)}`] }));
  const answer = await client.final("1 REGISTER");
  await client.close();
  return answer;
}

describe("Kamailio as registrar", { skip: missing("kamailio") }, () => {
  for (const tcp of [true, false]) {
    test(`a large REGISTER reaches it ${tcp ? "over TCP" : "over UDP when it has no TCP"}`, async () => {
      const kamailio = await startKamailio({ tcp });
      const proxy = await edge(kamailio.address), client = await SipWs.open(proxy.url), from = "<sip:1001@default>;tag=x";
      const send = (cseq, headers) => client.send(request("REGISTER", "sip:default", { via: "SIP/2.0/WS a.invalid", cseq, from,
        contact: "<sip:1001@a.invalid>", to: "<sip:1001@default>", headers: [`X-Pad: ${"x".repeat(2500)}`, ...headers] }));
      send(1, []);
      const challenge = await client.final("1 REGISTER");
      assert.equal(challenge.status, 401);
      send(2, [digest(challenge, { method: "REGISTER", uri: "sip:default", user: "1001", password: passwordOf("1001") })]);
      assert.equal((await client.final("2 REGISTER")).status, 200);
      assert.equal(await figure(proxy, "large_over_tcp_total"), tcp ? 2 : 1);
      assert.equal(await figure(proxy, "large_tcp_refused_total"), tcp ? 0 : 1);
      await client.close();
      await proxy.stop();
      await kamailio.stop();
    });
  }
});

describe("the size of a datagram", () => {
  test("above it TCP, below it UDP", async () => {
    const asterisk = await FakeAsterisk.start({ port: await freePort() }), tcp = await tcpOf(asterisk.port);
    const proxy = await edge(asterisk.address);
    assert.equal((await register(proxy.url, 3000)).tag("to"), "tcp");
    assert.match(tcp.inbox[0].one("via"), new RegExp(`^SIP/2.0/TCP 127.0.0.1:${proxy.inner};`));
    await register(proxy.url, 10);
    assert.equal(tcp.inbox.length, 1);
    assert.equal(await figure(proxy, "large_over_tcp_total"), 1);
    assert.equal(await figure(proxy, "large_datagrams_total"), 0);
    await proxy.stop();
    await tcp.stop();
    asterisk.stop();
  });

  test("no TCP there: UDP at once, counted and named", async () => {
    const asterisk = await FakeAsterisk.start();
    const proxy = await edge(asterisk.address);
    assert.ok((await register(proxy.url, 3000)).status >= 200);
    assert.equal(await figure(proxy, "large_tcp_refused_total"), 1);
    assert.ok(await figure(proxy, "large_datagrams_total") >= 1);
    assert.match(proxy.log(), /takes no TCP.*server=udp:127/);
    assert.match(proxy.log(), /datagram needs fragments to=127.*bytes=3\d\d\d method=REGISTER/);
    await proxy.stop();
    asterisk.stop();
  });

  test("transport=fixed and max-size are the operator's word", async () => {
    const asterisk = await FakeAsterisk.start({ port: await freePort() }), tcp = await tcpOf(asterisk.port);
    for (const extra of [",transport=fixed", ",max-size=8k"]) {
      const proxy = await edge(asterisk.address, extra);
      await register(proxy.url, 3000);
      assert.equal(tcp.inbox.length, 0);
      await proxy.stop();
    }
    await tcp.stop();
    asterisk.stop();
  });
});
