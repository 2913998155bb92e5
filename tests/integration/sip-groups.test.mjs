// SPDX-License-Identifier: MIT
// Groups of media servers: who gets whom, drain and reload in the middle of
// calls, and SIPp's refusals.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, describe, test } from "node:test";
import { freePort, makeCertificates, missing, root, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipStream, SipWs, request, token, uriOf } from "../support/sip.mjs";
import { ackRefusal, answer, answerInside, optional, recv, scenario, send, sippCalls, sippServer } from "../support/sipp.mjs";

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

const uas = path.join(root, "tests/bench/sip/uas.xml"), uac = path.join(root, "tests/bench/sip/uac.xml");

describe("SIPp", { skip: missing("sipp") }, () => {
  async function run(files, caller, calls, row = (i) => `priority=${i}`) {
    const servers = [];
    for (const file of files) servers.push(await sippServer(file));
    const out = await freePort();
    const proxy = await startDaemon("sip-proxy", { args: ["--listen", `udp:127.0.0.1:${out},zone=external`,
      "--listen", "udp:127.0.0.1:0", "--probe-interval", "0", "--workers", "1", "--drain-time", "100ms", "--down-after", "100",
      ...servers.flatMap((s, i) => ["--media-server", `default=udp:127.0.0.1:${s.port},${row(i)}`])] });
    const ended = await sippCalls(out, caller, ["-m", String(calls), "-r", "50"]);
    assert.equal(ended.code, 0, ended.stdout.slice(-2000));
    const seen = { failovers: await figure(proxy, "failovers_total"), answers: await figure(proxy, "answers_total") };
    await proxy.stop();
    for (const s of servers) await s.stop();
    return seen;
  }

  const refuses = (status, headers) => scenario(recv("INVITE"), answer(status, { retrans: true, headers }), recv("ACK"));
  const refused = (status) => scenario(send("INVITE"), optional(100), optional(180), recv(status), ackRefusal());

  test("503: every call goes on to the next server, none fails", async () => {
    assert.deepEqual(await run([refuses(503), uas], uac, 20), { failovers: 20, answers: 20 });
  });

  test("302 and 486 are the callee's word and go to the caller", async () => {
    const redirects = refuses(302, ["Contact: <sip:carol@default>"]);
    assert.equal((await run([redirects, uas], refused(302), 10)).failovers, 0);
    assert.equal((await run([refuses(486), uas], refused(486), 10)).failovers, 0);
  });

  test("a call is cancelled while it rings", async () => {
    const rings = scenario(recv("INVITE"), answer(180), recv("CANCEL"),
      answerInside(200), answer(487, { retrans: true }).replace("[last_CSeq:]", "CSeq: 1 INVITE"), recv("ACK"));
    const cancels = scenario(send("INVITE"), optional(100), recv("180"), send("CANCEL", { branch: "[branch-3]" }),
      recv("200"), recv("487"), ackRefusal());
    await run([rings], cancels, 10);
  });

  test("a call to two servers at once: one takes it, the other is told to stop ringing", async () => {
    const rings = scenario(recv("INVITE"), answer(180), recv("CANCEL"), answerInside(200),
      answer(487, { retrans: true }).replace("[last_CSeq:]", "CSeq: 1 INVITE"), recv("ACK"));
    const takes = scenario(recv("INVITE"), answer(180), '<pause milliseconds="200"/>', answer(200, { retrans: true }),
      recv("ACK"), recv("BYE"), answerInside(200));
    const calls = scenario(send("INVITE"), optional(100), optional(180), optional(180), recv("200", 'rrs="true"'),
      send("ACK", { inside: true }), send("BYE", { cseq: 2, inside: true }), recv("200"));
    const seen = await run([rings, takes], calls, 10, () => "fork=true");
    assert.deepEqual(seen, { failovers: 0, answers: 10 });
  });

  test("a call is put on hold and taken back, then ends", async () => {
    const talk = (answers) => scenario(recv("INVITE"), answer(180), answer(200, { retrans: true }), recv("ACK"),
      ...Array(2).fill([recv("INVITE"), answerInside(200, { retrans: true }), recv("ACK")]).flat(), recv("BYE"), answers);
    const hold = (cseq) => [send("INVITE", { cseq, inside: true }), optional(100), recv("200"),
      send("ACK", { cseq, inside: true })];
    const caller = scenario(send("INVITE"), optional(100), optional(180), recv("200", 'rrs="true"'),
      send("ACK", { inside: true }), ...hold(2), ...hold(3), send("BYE", { cseq: 4, inside: true }), recv("200"));
    await run([talk(answerInside(200))], caller, 10);
  });
});
