// SPDX-License-Identifier: MIT
// Real clients (JsSIP) and a real registrar (Kamailio) with the edge between.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePort, missing, startDaemon, waitFor } from "../support/edge.mjs";
import { JsSIP, callInVain, connectCall, event, media } from "../support/jssip-node.mjs";
import { passwordOf, startKamailio } from "../support/kamailio.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

describe("JsSIP and Kamailio", { skip: missing("kamailio") }, () => {
  let kamailio, proxy, alice, bob;

  function agent(user) {
    const ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(proxy.url)], uri: `sip:${user}@default`,
      password: passwordOf(user), register: true, register_expires: 60, session_timers: false,
      connection_recovery_min_interval: 1, connection_recovery_max_interval: 1 });
    return ua;
  }

  async function online(ua) {
    const registered = event(ua, "registered", { fails: ["registrationFailed"] });
    ua.start();
    await registered;
  }

  before(async () => {
    kamailio = await startKamailio();
    const ws = await freePort(), udp = await freePort();
    proxy = await startDaemon("sip-proxy", { args: ["--listen", `ws:127.0.0.1:${ws}`,
      "--listen", `udp:127.0.0.1:${udp}`, "--media-server", `default=${kamailio.address}`, "--workers", "2",
      "--park-time", "0"] });
    proxy.url = `ws://127.0.0.1:${ws}/wssip`;
    alice = agent("1000");
    bob = agent("1001");
    await online(alice);
    await online(bob);
  });
  after(async () => {
    alice?.stop();
    bob?.stop();
    await proxy?.stop();
    await kamailio?.stop();
  });

  const connected = () => connectCall(alice, bob, "sip:1001@default");

  test("a call: both confirmed, hold, DTMF, hang-up by the callee", async () => {
    const { out, session } = await connected();
    const held = event(session, "hold");
    assert.ok(out.hold());
    await held;
    const resumed = event(session, "unhold");
    await waitFor(() => out.unhold());
    await resumed;
    const back = event(out, "hold");
    await waitFor(() => session.hold());
    await back;
    const digit = event(session, "newDTMF");
    out.sendDTMF("5");
    assert.equal((await digit).dtmf.tone, "5");
    const ended = event(out, "ended");
    session.terminate();
    await ended;
  });

  test("hang-up by the caller", async () => {
    const { out, session } = await connected();
    const ended = event(session, "ended");
    out.terminate();
    await ended;
  });

  test("refused, cancelled, not there", async () => {
    await callInVain(alice, bob, "sip:1001@default");

    const nobody = alice.call("sip:1999@default", { mediaStream: media });
    assert.equal((await event(nobody, "failed")).message.status_code, 480);
  });

  test("MESSAGE both ways", async () => {
    for (const [from, to, name] of [[alice, bob, "1001"], [bob, alice, "1000"]]) {
      const got = new Promise((done) => {
        const seen = (e) => {
          if (e.originator !== "remote") return;
          to.removeListener("newMessage", seen);
          done(e);
        };
        to.on("newMessage", seen);
      });
      await new Promise((done, fail) => from.sendMessage(`sip:${name}@default`, "héllo",
        { eventHandlers: { succeeded: done, failed: fail } }));
      assert.equal((await got).request.body, "héllo");
    }
  });

  test("a phone that lost its connection is back and reachable", async () => {
    const again = event(bob, "registered");
    bob._transport.socket._ws.terminate();
    await again;
    const { out, session } = await connected();
    const ended = event(session, "ended");
    out.terminate();
    await ended;
  });

  test("a callee without a connection is unavailable at once", async () => {
    const carol = agent("1002");
    await online(carol);
    const began = Date.now();
    carol._transport.socket._ws.terminate();
    carol._transport.disconnect();
    const out = alice.call("sip:1002@default", { mediaStream: media });
    const failed = await event(out, "failed");
    assert.equal(failed.message.status_code, 480);
    assert.ok(Date.now() - began < 1000);
    carol.stop();
  });

  test("unregister; nothing but the registrations' traffic is left", async () => {
    for (const ua of [alice, bob]) {
      const gone = event(ua, "unregistered");
      ua.unregister();
      await gone;
    }
    alice.stop();
    bob.stop();
    await waitFor(async () => /sip_proxy_flows 0\n/.test(await proxy.metrics()));
    const metrics = await proxy.metrics();
    for (const counter of ["edit_failures", "unknown_source", "malformed", "wrong_peer", "path_ignored"])
      assert.match(metrics, new RegExp(`sip_proxy_${counter}_total 0\n`), counter);
    assert.match(metrics, /sip_proxy_large_datagrams_total [1-9]/);
  });
});
