// SPDX-License-Identifier: MIT
// The same stories told to our edge and to Kamailio's own example of one: what
// Kamailio does is done here as well, and where the two differ it is said how.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { freePort, missing, root, scratch, startDaemon } from "../support/edge.mjs";
import { startKamailio } from "../support/kamailio.mjs";
import { Observer, startKamailioEdge } from "../support/kamailio-edge.mjs";
import { SipWs, request, token, uriOf } from "../support/sip.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

async function startOurs(server) {
  const ws = await freePort(), udp = await freePort();
  const daemon = await startDaemon("sip-proxy", { args: ["--listen", `ws:127.0.0.1:${ws}`, "--listen", `udp:127.0.0.1:${udp}`, "--park-time", "0",
    "--media-server", `default=${server.address}`, "--probe-interval", "0", "--drain-time", "100ms"] });
  return Object.assign(daemon, { url: `ws://127.0.0.1:${ws}/wssip`, wsPort: ws, at: { host: "127.0.0.1", port: udp } });
}

const upgrade = ["GET /wssip HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
  "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: sip"];

function frame(first, payload, masked = true) {
  const key = Buffer.from([1, 2, 3, 4]), body = Buffer.from(payload), bit = masked ? 128 : 0;
  const length = Buffer.alloc(body.length < 126 ? 1 : body.length < 65536 ? 3 : 9);
  length[0] = bit | (body.length < 126 ? body.length : length.length === 3 ? 126 : 127);
  if (length.length === 3) length.writeUInt16BE(body.length, 1);
  if (length.length === 9) length.writeBigUInt64BE(BigInt(body.length), 1);
  return Buffer.concat([Buffer.from([first]), length,
    ...(masked ? [key, Buffer.from(body.map((c, i) => c ^ key[i & 3]))] : [body])]);
}

const statusOf = (promise) => promise.then((m) => m.status, () => 0);
// Kamailio's example takes a request for one of a client unless it has two Via.
const far = ["Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKfar"];

const stories = {
  async handshake(o, change) {
    const answer = await o.raw(`${change(upgrade).join("\r\n")}\r\n\r\n`, { enough: /\r\n\r\n/ });
    return Number(String(answer).match(/^HTTP\/1.1 (\d+)/)?.[1] ?? 0);
  },

  async register(o) {
    const { ok, binding, user } = await o.register();
    const [first] = binding.path;
    return { status: ok.status, values: binding.path.length, loose: /;lr\b/.test(first), token: /^<sip:[^@]+@/.test(first),
      contact: uriOf(ok.one("contact")) === `sip:${user}@${user}.invalid;transport=ws;ob` };
  },

  async call(o) {
    const { invite, ack, dialog, client, user } = await o.call();
    const seen = { recordRoutes: invite.all("record-route").length, vias: invite.all("via").length,
      ackRoutes: ack.all("route").length, ackTarget: ack.uri === uriOf(o.server.contact) };
    o.server.inDialog(dialog.callId, o.edge.at, "INFO");
    const info = await client.request("INFO");
    Object.assign(seen, { infoRoutes: info.all("route").length, infoUri: info.uri.replace(user, "USER").replace(user, "USER") });
    o.respond(client, info, 200);
    seen.infoAnswer = await statusOf(o.server.sip.next((m) => m.status && /INFO/.test(m.cseq)));
    client.send(request("BYE", dialog.target, { ...dialog, cseq: 2 }));
    const bye = await o.server.sip.request("BYE");
    seen.byeRoutes = bye.all("route").length;
    o.reply(bye, 200, "OK");
    seen.bye = await statusOf(client.final("2 BYE"));
    return seen;
  },

  async cancel(o) {
    o.server.answer = "ring";
    const { client, user } = await o.register(), to = "<sip:bob@default>";
    const invite = request("INVITE", "sip:bob@default", { ...o.shape(user), callId: token(), to });
    client.send(invite);
    await client.next((m) => m.status === 180);
    const other = (method, tag = "") => invite.replaceAll("INVITE", method).replace(/Contact:.*\r\n/, "")
      .replace(`To: ${to}`, `To: ${to}${tag}`);
    client.send(other("CANCEL"));
    const seen = { cancel: await statusOf(client.final("1 CANCEL")) };
    const cancel = await o.server.sip.request("CANCEL");
    seen.branch = cancel.one("via") === o.server.invite.one("via");
    o.reply(cancel, 200, "OK");
    o.reply(o.server.invite, 487, "Request Terminated");
    seen.ack = (await o.server.sip.request("ACK")).uri;
    seen.final = await statusOf(client.final("1 INVITE"));
    client.send(other("ACK", ";tag=ast"));
    o.server.answer = "ok";
    // The client's own ACK is for the edge: the next the server sees is this.
    client.send(request("MESSAGE", "sip:bob@default", { ...o.shape(user), to, contact: undefined }));
    seen.next = (await o.server.sip.next((m) => m.method === "ACK" || m.method === "MESSAGE")).method;
    return seen;
  },

  async strayCancel(o) {
    const client = await o.client();
    client.send(request("CANCEL", "sip:bob@default", { ...o.shape("x"), to: "<sip:bob@default>", contact: undefined }));
    return statusOf(client.final("1 CANCEL", { timeout: 1500 }));
  },

  async closed(o) {
    const { client, user } = await o.register();
    await client.close();
    const asked = o.server.requestTo(user, o.edge.at, "OPTIONS", { headers: far });
    return statusOf(o.server.sip.next((m) => m.status >= 200 && m.callId === asked.callId, { timeout: 4000 }));
  },

  async notify(o) {
    const { client, user } = await o.register();
    o.server.requestTo(user, o.edge.at, "NOTIFY", { headers: [...far, "Event: x", "Subscription-State: active"] });
    const notify = await client.request("NOTIFY");
    return { routes: notify.all("route").length, recordRoutes: notify.all("record-route").length };
  },

  async maxForwards(o) {
    const client = await o.client();
    client.send(request("OPTIONS", "sip:bob@default", { ...o.shape("m"), to: "<sip:bob@default>", maxForwards: 0 }));
    return statusOf(client.final("1 OPTIONS", { timeout: 1500 }));
  },

  /** An INFO inside a call with other Route values: where it went. */
  async inside(o, change) {
    const { client, dialog } = await o.call(), other = await o.call();
    client.send(request("INFO", dialog.target, { ...dialog, ...change(dialog, other.dialog), cseq: 2 }));
    const status = await statusOf(client.final("2 INFO", { timeout: 800 }));
    const away = await other.client.next((m) => m.method === "INFO", { timeout: 300 }).catch(() => undefined);
    return { status, toAnother: Boolean(away) };
  },

  /** A request that claims to be inside a dialog, and a bare Route of ours. */
  async relay(o) {
    const client = await o.client();
    client.send(request("INFO", `sip:victim@127.0.0.1:${o.server.port}`, { ...o.shape("evil"),
      to: "<sip:victim@x>;tag=madeup", routes: [`<sip:127.0.0.1:${o.edge.at.port};lr>`] }));
    const relayed = await o.server.sip.next((m) => m.method === "INFO", { timeout: 800 }).catch(() => undefined);
    return Boolean(relayed);
  },

  async binary(o) {
    const client = await o.client();
    client.send(Buffer.from(request("OPTIONS", "sip:bob@default", { ...o.shape("f"), to: "<sip:bob@default>" })), { binary: true });
    return statusOf(client.final("1 OPTIONS"));
  },

  frames: (o, frames) => o.closeCode(frames),

  async sipOnThePort(o) {
    const answer = await o.raw(request("OPTIONS", "sip:edge", { via: "SIP/2.0/TCP 127.0.0.1:9", from: "<sip:a@b>;tag=1",
      to: "<sip:edge>" }), { enough: /\r\n\r\n/ });
    return String(answer).split(" ")[0];
  },
};

const without = (what) => (lines) => lines.filter((line) => !line.includes(what));
const instead = (from, to) => (lines) => lines.map((line) => line.replace(from, to));

// What is seen, of both the same; or of each its own.
const rows = [
  ["an upgrade as it should be", "handshake", (l) => l, 101],
  ["an upgrade without subprotocol", "handshake", without("Protocol"), 400],
  ["an upgrade of another version", "handshake", instead(": 13", ": 12"), 426],
  ["an upgrade without key", "handshake", without("Key"), 400],
  ["a subprotocol that only contains \"sip\"", "handshake", instead(/: sip$/, ": xsipx"), { ours: 400, kamailio: 101 }],
  ["a path that is not SIP's", "handshake", instead("/wssip", "/other"), { ours: 404, kamailio: 101 }],
  ["POST instead of GET", "handshake", instead("GET", "POST"), { ours: 405, kamailio: 404 }],
  ["SIP without WebSocket on its port", "sipOnThePort", undefined, { ours: "HTTP/1.1", kamailio: "SIP/2.0" }],
  ["REGISTER: one Path, and the client's own Contact back", "register", undefined,
    { both: { status: 200, values: 1, loose: true, token: true, contact: true } }],
  ["a call, and requests inside it from both sides", "call", undefined,
    { both: { recordRoutes: 2, vias: 2, ackRoutes: 0, ackTarget: true, infoRoutes: 0,
      infoUri: "sip:USER@USER.invalid;transport=ws;ob", infoAnswer: 200, byeRoutes: 0, bye: 200 } }],
  ["CANCEL, and the ACK that is for the edge", "cancel", undefined,
    { both: { cancel: 200, branch: true, ack: "sip:bob@default", final: 487, next: "MESSAGE" } }],
  ["a CANCEL of nothing", "strayCancel", undefined, { ours: 481, kamailio: 0 }],
  ["a request to a client that is gone", "closed", undefined, { ours: 430, kamailio: "an error, or nothing in 4 s" }],
  ["NOTIFY is on record", "notify", undefined,
    { ours: { routes: 0, recordRoutes: 2 }, kamailio: "outside a dialog: not on record" }],
  ["Max-Forwards used up", "maxForwards", undefined, 483],
  ["a token that is not ours", "inside", (d) => ({ routes: d.routes.map((r) =>
    r.replace(/sip:(.)/, (_, c) => `sip:${c === "A" ? "B" : "A"}`)) }),
  { ours: { status: 403, toAnother: false }, kamailio: { status: 404, toAnother: false } }],
  ["no Route", "inside", () => ({ routes: [] }),
    { ours: { status: 403, toAnother: false }, kamailio: { status: 404, toAnother: false } }],
  ["the Route of another call", "inside", (d, other) => ({ routes: other.routes }),
    { ours: { status: 403, toAnother: false }, kamailio: "passed on" }],
  ["an invented dialog", "relay", undefined, { ours: false, kamailio: true }],
  ["a binary message", "binary", undefined, 200],
  ["a frame without mask", "frames", frame(0x81, "OPTIONS", false), 1002],
  ["a frame with a reserved bit", "frames", frame(0xC1, "OPTIONS"), 1002],
  ["a frame above all limits", "frames", frame(0x81, Buffer.alloc(70000, 120)), { ours: 1009, kamailio: 0 }],
];

// Kamailio's registrar with SIP Outbound (RFC 5626) required, in 20 lines.
const registrar = `#!KAMAILIO
debug=0
log_stderror=yes
children=1
disable_tcp=yes
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 0)
modparam("registrar", "gruu_enabled", 1)
modparam("registrar", "outbound_mode", 2)
request_route {
    if (is_method("REGISTER"))
        save("location");
    else
        sl_send_reply("200", "OK");
}
`;

describe("Kamailio as registrar", { skip: missing("kamailio") }, () => {
  test("takes a flow of ours where it insists on one, and the client is told its time", async () => {
    const dir = scratch(), port = await freePort();
    fs.writeFileSync(path.join(dir, "kamailio.cfg"), registrar);
    const kamailio = await startKamailio({ config: path.relative(root, path.join(dir, "kamailio.cfg")), port });
    const ours = await startOurs({ address: `udp:127.0.0.1:${port}` }), client = await SipWs.open(ours.url);
    const register = async (cseq, contact, headers) => {
      client.send(request("REGISTER", "sip:default", { via: "SIP/2.0/WS a.invalid", cseq, from: "<sip:u@default>;tag=1",
        to: "<sip:u@default>", contact, headers }));
      return client.final(`${cseq} REGISTER`);
    };
    const ok = await register(1, '<sip:u@a.invalid;transport=ws;ob>;+sip.instance="<urn:uuid:0b8d7c52>";reg-id=1',
      ["Supported: path, gruu, outbound"]);
    assert.equal(ok.status, 200, ok.text);
    assert.equal(ok.one("flow-timer"), "80");
    // Who cannot, is told so by the registrar: 421, and no Flow-Timer.
    const no = await register(2, "<sip:u@a.invalid;transport=ws>", ["Supported: path"]);
    assert.equal(no.status, 421);
    await client.close();
    await ours.stop();
    await kamailio.stop();
  });
});

describe("beside Kamailio", { skip: missing("kamailio") }, () => {
  let kamailio, ours;

  before(async () => {
    kamailio = await Observer.open(startKamailioEdge);
    ours = await Observer.open(startOurs);
  });
  after(async () => {
    await kamailio?.stop();
    await ours?.stop();
  });

  for (const [what, story, argument, expected] of rows) {
    test(what, async (t) => {
      const split = typeof expected === "object" && "ours" in expected;
      const same = typeof expected === "object" && "both" in expected ? expected.both : expected;
      const here = await stories[story](ours, argument);
      const there = await stories[story](kamailio, argument).catch((error) => error.message);
      assert.deepEqual(here, split ? expected.ours : same, "ours");
      // A sentence only says what is to be seen there.
      if (!split || typeof expected.kamailio !== "string" || !expected.kamailio.includes(" "))
        assert.deepEqual(there, split ? expected.kamailio : same, "Kamailio");
      t.diagnostic(`ours ${JSON.stringify(here)}, Kamailio ${JSON.stringify(there)}`);
    });
  }
});
