// SPDX-License-Identifier: MIT
// Calls that survive the loss of a connection, and a kill -9 of the edge:
// real clients (JsSIP) that reconnect, and a real registrar (Kamailio).

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort, missing, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { JsSIP, connectCall, event } from "../support/jssip-node.mjs";
import { passwordOf, startKamailio } from "../support/kamailio.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

describe("JsSIP loses its connection in a call", { skip: missing("kamailio") }, () => {
  let kamailio, proxy, alice, bob, ws, udp, file;

  // Four workers: a client that comes back is seldom at the same one.
  async function start() {
    proxy = await startDaemon("sip-proxy", { args: ["--listen", `ws:127.0.0.1:${ws}`,
      "--listen", `udp:127.0.0.1:${udp}`, "--media-server", `default=${kamailio.address}`, "--workers", "4",
      "--token-key-file", file, "--park-time", "15s"] });
  }

  async function online(user) {
    const ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(`ws://127.0.0.1:${ws}/wssip`)], uri: `sip:${user}@default`,
      password: passwordOf(user), register: true, register_expires: 60, session_timers: false,
      connection_recovery_min_interval: 1, connection_recovery_max_interval: 1 });
    const registered = event(ua, "registered", { fails: ["registrationFailed"] });
    ua.start();
    await registered;
    return ua;
  }

  before(async () => {
    kamailio = await startKamailio();
    [ws, udp] = [await freePort(), await freePort()];
    file = path.join(scratch(), "key");
    fs.writeFileSync(file, "a key that stays the same\n");
    await start();
    alice = await online("1000");
    bob = await online("1001");
  });
  after(async () => {
    alice?.stop();
    bob?.stop();
    await proxy?.stop();
    await kamailio?.stop();
  });

  const connected = () => connectCall(alice, bob, "sip:1001@default");

  // JsSIP minds when it hangs up before the ACK of its re-INVITE is out.
  const settled = (...sessions) => waitFor(() => sessions.every((one) => one.isReadyToReOffer()));

  const cut = (ua) => ua._transport.socket._ws.terminate();

  const counter = async (name) =>
    Number((await proxy.metrics()).match(new RegExp(`sip_proxy_${name}_total (\\d+)`))[1]);

  for (const who of ["the callee", "the caller"])
    test(`${who} reconnects: re-INVITE and BYE of the other side reach it`, async () => {
      const { out, session } = await connected();
      const [lost, there, other] = who === "the callee" ? [bob, session, out] : [alice, out, session];
      const again = event(lost, "registered");
      cut(lost);
      await again;
      const held = event(there, "hold");
      assert.ok(other.hold());
      await held;
      const resumed = event(there, "unhold");
      await waitFor(() => other.unhold());
      await resumed;
      await settled(other, there);
      const ended = event(there, "ended");
      other.terminate();
      assert.equal((await ended).cause, "Terminated");
      assert.ok(await counter("clients_back") >= 1);
      assert.ok(await counter("requests_moved") >= 2);
    });

  test("a BYE that comes while it is away waits for it", async () => {
    const { out, session } = await connected();
    const before = await counter("parked");
    const ended = event(session, "ended");
    cut(bob);
    await waitFor(async () => /sip_proxy_flows 1\n/.test(await proxy.metrics()));
    out.terminate();
    assert.equal((await ended).cause, "Terminated");
    assert.equal(await counter("parked"), before + 1);
    assert.equal(await counter("parked_in_vain"), 0);
  });

  test("the edge is killed in a call: both come back, re-INVITE and BYE go through", async () => {
    const { out, session } = await connected();
    const again = [event(alice, "registered", { timeout: 20000 }), event(bob, "registered", { timeout: 20000 })];
    proxy.signal("SIGKILL");
    await waitFor(() => proxy.child.signalCode);
    await start();
    await Promise.all(again);
    const held = event(session, "hold");
    assert.ok(out.hold());
    await held;
    await settled(out, session);
    const ended = event(out, "ended");
    session.terminate();
    assert.equal((await ended).cause, "Terminated");
    assert.ok(await counter("requests_moved") >= 1);
  });

  test("why, as the edge tells it", async () => {
    const { out, session } = await connected();
    const again = event(bob, "registered");
    cut(bob);
    await again;
    const ended = event(session, "ended");
    out.terminate();
    await ended;
    // Kamailio keeps the Call-ID: two requests, one from each side of it.
    const trail = JSON.parse((await proxy.admin(
      `/sip/why?call-id=${encodeURIComponent(out._request.call_id)}`)).body).requests;
    const bye = trail.filter((r) => r.method === "BYE" && r.rule === "to a client's connection");
    assert.deepEqual(bye.map((r) => [r.token, r.answer]), [["moved", 200]]);
  });
});
