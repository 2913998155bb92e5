// SPDX-License-Identifier: MIT
// What the network does to SIP: DiffServ marks on all sockets, and the mirror
// that shows what a router has changed.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { freePort, missing, runDaemon, runProgram, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipStream, SipUdp, SipWs, request, token } from "../support/sip.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

const mirror = (via, more = {}) => request("MIRROR", "sip:edge", { via, from: `<sip:u@default>;tag=${token(4)}`,
  to: "<sip:edge>", contact: "<sip:u@192.168.7.9:5060>", ...more });

describe("DSCP", { skip: missing("ss") }, () => {
  test("every socket of SIP has it, IPv4 and IPv6, accepted and connected", async () => {
    const four = await FakeAsterisk.start(), inner = await freePort();
    const net = await import("node:net");
    const server = net.createServer();
    await new Promise((done) => server.listen(0, "::1", done));
    const ports = { tcp: await freePort(), ws: await freePort(), udp6: await freePort("::1") };
    const proxy = await startDaemon("sip-proxy", { ready: false, args: ["--dscp", "26", "--drain-time", "100ms",
      "--listen", `tcp:127.0.0.1:${ports.tcp},zone=external`, "--listen", `ws:127.0.0.1:${ports.ws}`,
      "--listen", `udp:127.0.0.1:${inner}`, "--listen", `udp:[::1]:${ports.udp6},zone=external`,
      "--listen", "tcp:[::1]:0", "--media-server", `default=${four.address}`,
      "--media-server", `default=tcp:[::1]:${server.address().port}`, "--probe-interval", "500ms"] });
    const client = await waitFor(() => SipStream.open({ port: ports.tcp }));
    await new Promise((done) => server.once("connection", done)); // the probe of the second
    const { stdout } = await runProgram("ss", ["-Hanptu", "--tos"]);
    const rows = stdout.split(/\n(?=\S)/).filter((row) => row.includes(`pid=${proxy.pid},`));
    const kinds = new Set();
    for (const row of rows) {
      assert.match(row, /\b(tos|tclass):0x68\b/, row); // 26 << 2
      kinds.add(`${row.split(/\s+/).slice(0, 2).join(" ")} ${row.includes("[::1]") ? 6 : 4}`);
    }
    for (const kind of ["udp UNCONN 4", "udp UNCONN 6", "tcp LISTEN 4", "tcp LISTEN 6", "tcp ESTAB 4", "tcp ESTAB 6"])
      assert.ok(kinds.has(kind), `${kind} in ${[...kinds]}`);
    await client.close();
    await proxy.stop();
    four.stop();
    server.close();
  });
});

describe("the mirror", () => {
  test("shows a client its request as it arrived; over UDP never more than was sent", async () => {
    const asterisk = await FakeAsterisk.start(), ws = await freePort(), udp = await freePort();
    const proxy = await startDaemon("sip-proxy", { args: ["--echo-method", "MIRROR", "--drain-time", "100ms",
      "--listen", `ws:127.0.0.1:${ws}`, "--listen", `udp:127.0.0.1:${udp},zone=external`,
      "--listen", `udp:127.0.0.1:${await freePort()}`, "--media-server", `default=${asterisk.address}`] });

    const browser = await SipWs.open(`ws://127.0.0.1:${ws}/wssip`);
    const sent = mirror("SIP/2.0/WS a.invalid", { body: "v=0\r\nc=IN IP4 192.168.7.9\r\n",
      headers: ["Content-Type: application/sdp", "X-Odd:   white  space"] });
    browser.send(sent);
    const answer = await browser.final("1 MIRROR");
    assert.equal(answer.status, 200);
    assert.equal(answer.one("content-type"), "message/sip");
    assert.equal(answer.body, sent);
    await browser.close();

    const phone = await SipUdp.open();
    const to = { host: "127.0.0.1", port: udp }, via = `SIP/2.0/UDP 127.0.0.1:${phone.port};rport`;
    const padded = mirror(via, { body: "x".repeat(1500), headers: ["Content-Type: text/plain"] });
    phone.send(padded, to);
    const back = await phone.final("1 MIRROR");
    assert.ok(Buffer.byteLength(back.text) <= Buffer.byteLength(padded));
    assert.ok(back.body.length > 900 && padded.startsWith(back.body));
    phone.send(mirror(via, { cseq: 2 }), to);
    await waitFor(async () => /sip_proxy_echoes_total\{result="dropped"\} 1/.test(await proxy.metrics()));
    assert.match(await proxy.metrics(), /sip_proxy_echoes_total\{result="sent"\} 2/);
    phone.close();
    assert.equal(asterisk.sip.inbox?.length ?? 0, 0);
    await proxy.stop();
    asterisk.stop();
  });

  test("is off unless it has a name, and that of no SIP method", async () => {
    const run = await runDaemon("sip-proxy", ["--check", "--listen", "udp:127.0.0.1:0", "--media-server",
      "default=udp:127.0.0.1:5060", "--echo-method", "OPTIONS"]);
    assert.notEqual(run.code, 0);
    assert.match(run.stderr, /echo-method/);
  });
});
