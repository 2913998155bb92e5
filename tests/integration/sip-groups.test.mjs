// SPDX-License-Identifier: MIT
// Groups of media servers: who gets whom, drain and reload in the middle of
// calls, and SIPp's refusals.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { spawn } from "node:child_process";
import { after, describe, test } from "node:test";
import { freePort, makeCertificates, missing, root, runProgram, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipStream, SipWs, request, token, uriOf } from "../support/sip.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

const registration = (user, domain, via) => request("REGISTER", `sip:${domain}`, { via, contact: `<sip:${user}@a.invalid>`,
  from: `<sip:${user}@${domain}>;tag=${token(4)}`, to: `<sip:${user}@${domain}>` });

const figure = async (proxy, name) =>
  Number((await proxy.metrics()).match(new RegExp(`sip_proxy_${name} (\\d+)`))[1]);

const many = (n, options) => Promise.all(Array.from({ length: n }, () => FakeAsterisk.start(options)));

describe("the group of a client", () => {
  test("by path, by the name in the TLS hello, by listener, by domain, else the default", async () => {
    const certs = await makeCertificates(scratch(), {});
    const [one, two, three, rest] = await many(4);
    const ports = { ws: await freePort(), tls: await freePort(), tcp: await freePort() };
    const proxy = await startDaemon("sip-proxy", { args: ["--drain-time", "100ms",
      "--listen", `ws:127.0.0.1:${ports.ws}`, "--listen", `tls:127.0.0.1:${ports.tls},group=three`,
      "--listen", `tcp:127.0.0.1:${ports.tcp},zone=external,group=three`, "--listen", "udp:127.0.0.1:0",
      "--certificate", certs.cert, "--key", certs.key,
      "--domain", "one.test=one", "--domain", "two.test=two", "--domain", "plain.test",
      "--media-server", `one=${one.address}`, "--media-server", `two=${two.address}`,
      "--media-server", `three=${three.address}`, "--media-server", `default=${rest.address}`] });
    const hello = { rejectUnauthorized: false };
    const rows = [
      ["path", "plain.test", one, () => SipWs.open(`ws://127.0.0.1:${ports.ws}/wssip-one`), "WS"],
      ["path before domain", "two.test", one, () => SipWs.open(`ws://127.0.0.1:${ports.ws}/wssip-one`), "WS"],
      ["domain", "two.test", two, () => SipWs.open(`ws://127.0.0.1:${ports.ws}/wssip`), "WS"],
      ["default", "plain.test", rest, () => SipWs.open(`ws://127.0.0.1:${ports.ws}/wssip`), "WS"],
      ["hello", "plain.test", two, () =>
        SipStream.open({ port: ports.tls, tls: { ...hello, servername: "Two.Test" } }), "TLS"],
      ["a hello that says nothing of it", "plain.test", three, () =>
        SipStream.open({ port: ports.tls, tls: { ...hello, servername: "plain.test" } }), "TLS"],
      ["listener", "one.test", three, () => SipStream.open({ port: ports.tcp }), "TCP"],
    ];
    for (const [what, domain, server, open, transport] of rows) {
      const user = token(4), client = await open();
      client.send(registration(user, domain, `SIP/2.0/${transport} a.invalid`));
      assert.equal((await client.final("1 REGISTER")).status, 200, what);
      assert.ok(server.bindings.has(user), what);
      await client.close();
    }
    await proxy.stop();
    for (const server of [one, two, three, rest]) server.stop();
  });

  test("a user's registration and calls meet at one server, on every connection and worker", async () => {
    const servers = await many(3), ws = await freePort();
    const proxy = await startDaemon("sip-proxy", { args: ["--drain-time", "100ms", "--workers", "2",
      "--listen", `ws:127.0.0.1:${ws}`, "--listen", "udp:127.0.0.1:0",
      ...servers.flatMap((s, i) => ["--media-server", `default=${s.address},weight=${i + 1}`])] });
    const used = new Set();
    for (let i = 0; i < 12; i++) {
      const first = await SipWs.open(`ws://127.0.0.1:${ws}/wssip`), second = await SipWs.open(`ws://127.0.0.1:${ws}/wssip`);
      first.send(registration(`u${i}`, "default", "SIP/2.0/WS a.invalid"));
      assert.equal((await first.final("1 REGISTER")).status, 200);
      const home = servers.find((s) => s.bindings.has(`u${i}`));
      used.add(home);
      const callId = token();
      second.send(request("INVITE", "sip:bob@default", { via: "SIP/2.0/WS b.invalid", from: `<sip:u${i}@DEFAULT>;tag=x`,
        to: "<sip:bob@default>", contact: `<sip:u${i}@b.invalid>`, callId }));
      assert.equal((await second.final("1 INVITE")).status, 200);
      assert.ok(home.dialogs.has(callId));
      await first.close();
      await second.close();
    }
    assert.ok(used.size > 1);
    await proxy.stop();
    for (const server of servers) server.stop();
  });
});

describe("drain and reload", () => {
  test("a server in drain, then removed, finishes its calls and gets no new one", async () => {
    const [one, two] = await many(2), ws = await freePort(), udp = await freePort();
    const at = { host: "127.0.0.1", port: udp };
    const config = { listen: [`ws:127.0.0.1:${ws}`, `udp:127.0.0.1:${udp}`], "drain-time": "100ms",
      "media-server": [`default=${one.address}`] };
    const proxy = await startDaemon("sip-proxy", { config });
    const reload = async (rows) => {
      config["media-server"] = rows;
      fs.writeFileSync(path.join(proxy.dir, "sip-proxy.json"), JSON.stringify(config));
      const before = proxy.log().length;
      proxy.signal("SIGHUP");
      await waitFor(() => /reload/i.test(proxy.log().slice(before)));
      await waitFor(async () => (await proxy.status()).media_servers.length === rows.length);
    };
    const client = await SipWs.open(`ws://127.0.0.1:${ws}/wssip`);
    const call = async () => {
      const d = { callId: token(), from: `<sip:u@default>;tag=${token(4)}`, via: "SIP/2.0/WS a.invalid" };
      client.send(request("INVITE", "sip:bob@default", { ...d, to: "<sip:bob@default>", contact: "<sip:u@a.invalid>" }));
      const ok = await client.final("1 INVITE");
      assert.equal(ok.status, 200);
      Object.assign(d, { to: ok.one("to"), routes: ok.all("record-route").reverse(), target: uriOf(ok.one("contact")) });
      client.send(request("ACK", d.target, { ...d, cseq: 1 }));
      return d;
    };
    const inside = async (d, method, cseq, server) => {
      client.send(request(method, d.target, { ...d, cseq }));
      const m = await server.sip.request(method);
      assert.equal(m.callId, d.callId);
      server.reply(m, 200, "OK");
      assert.equal((await client.final(`${cseq} ${method}`)).status, 200);
    };
    const old = await call(), second = await call();
    assert.ok(one.dialogs.has(old.callId));

    await reload([`default=${one.address},drain=true`, `default=${two.address}`]);
    const fresh = await call();
    assert.ok(two.dialogs.has(fresh.callId));
    await inside(old, "INFO", 2, one);

    await reload([`default=${two.address}`]);
    await inside(old, "BYE", 3, one);
    one.inDialog(second.callId, at, "BYE");
    const bye = await client.request("BYE");
    assert.equal(bye.callId, second.callId);
    const next = await call();
    assert.ok(two.dialogs.has(next.callId));
    await client.close();
    await proxy.stop();
    one.stop();
    two.stop();
  });
});

/* --- SIPp --- */

const head = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="s">';
const lines = (...rows) => `<![CDATA[\n${rows.join("\n")}\n\n]]>`;

/** A media server that refuses every call. */
const refuses = (status, ...more) => `${head}<recv request="INVITE"/><send retrans="500">${lines(`SIP/2.0 ${status} No`,
  "[last_Via:]", "[last_From:]", "[last_To:];tag=r[call_number]", "[last_Call-ID:]", "[last_CSeq:]", ...more,
  "Content-Length: 0")}</send><recv request="ACK"/></scenario>`;

/** A caller that is refused. */
const refused = (status) => `${head}<send retrans="500">${lines("INVITE sip:bob@default SIP/2.0",
  "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport", "Max-Forwards: 70",
  "From: <sip:a[call_number]@default>;tag=[call_number]", "To: <sip:bob@default>", "Call-ID: [call_id]", "CSeq: 1 INVITE",
  "Contact: <sip:a@[local_ip]:[local_port]>", "Content-Length: 0")}</send><recv response="100" optional="true"/>
  <recv response="${status}"/><send>${lines("ACK sip:bob@default SIP/2.0", "[last_Via:]", "Max-Forwards: 70",
  "From: <sip:a[call_number]@default>;tag=[call_number]", "[last_To:]", "Call-ID: [call_id]", "CSeq: 1 ACK",
  "Content-Length: 0")}</send></scenario>`;

function sipp(file, port) {
  const child = spawn("sipp", ["-sf", file, "-i", "127.0.0.1", "-p", String(port), "-nostdin"],
    { cwd: scratch(), stdio: "ignore" });
  const closed = new Promise((done) => child.on("close", done));
  process.on("exit", () => child.kill("SIGKILL"));
  return { async stop() {
    child.kill("SIGKILL");
    await closed;
  } };
}

function scenario(text) {
  const file = path.join(scratch(), "scenario.xml");
  fs.writeFileSync(file, text);
  return file;
}

const uas = path.join(root, "tests/bench/sip/uas.xml"), uac = path.join(root, "tests/bench/sip/uac.xml");

describe("SIPp's refusals", { skip: missing("sipp") }, () => {
  async function run(first, second, caller, calls) {
    const ports = [await freePort(), await freePort()], out = await freePort(), local = await freePort();
    const servers = [sipp(first, ports[0]), sipp(second, ports[1])];
    const proxy = await startDaemon("sip-proxy", { args: ["--listen", `udp:127.0.0.1:${out},zone=external`,
      "--listen", "udp:127.0.0.1:0", "--probe-interval", "0", "--workers", "1", "--drain-time", "100ms", "--down-after", "100",
      "--media-server", `default=udp:127.0.0.1:${ports[0]}`, "--media-server", `default=udp:127.0.0.1:${ports[1]},priority=1`] });
    const ended = await runProgram("sipp", [`127.0.0.1:${out}`, "-sf", caller, "-i", "127.0.0.1", "-p", String(local),
      "-nostdin", "-m", String(calls), "-r", "50"], { cwd: scratch(), timeout: 60000 });
    assert.equal(ended.code, 0, ended.stdout.slice(-2000));
    const failovers = await figure(proxy, "failovers_total");
    await proxy.stop();
    for (const server of servers) await server.stop();
    return failovers;
  }

  test("503: every call goes on to the next server, none fails", async () => {
    assert.equal(await run(scenario(refuses(503)), uas, uac, 20), 20);
  });

  test("302 and 486 are the callee's word and go to the caller", async () => {
    assert.equal(await run(scenario(refuses(302, "Contact: <sip:carol@default>")), uas, scenario(refused(302)), 10), 0);
    assert.equal(await run(scenario(refuses(486)), uas, scenario(refused(486)), 10), 0);
  });
});
