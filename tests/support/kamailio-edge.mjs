// SPDX-License-Identifier: MIT
// Kamailio in the role of sip-proxy (tests/bench/sip/kamailio-edge.cfg), and
// what one sees of an edge from both of its sides.

import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { freePort, root, scratch } from "./edge.mjs";
import { FakeAsterisk } from "./fake-asterisk.mjs";
import { runKamailio } from "./kamailio.mjs";
import { SipWs, request, respond, token, uriOf } from "./sip.mjs";

/** { url, wsPort, at, stop() }, in front of a media server on UDP. */
export async function startKamailioEdge(server) {
  const ws = await freePort(), udp = await freePort(), dir = scratch("kamailio-edge-");
  const file = path.join(dir, "edge.cfg");
  fs.writeFileSync(file, fs.readFileSync(path.join(root, "tests/bench/sip/kamailio-edge.cfg"), "utf8")
    .replaceAll("@WS@", ws).replaceAll("@UDP@", udp).replaceAll("@SERVER@", server.port));
  const url = `ws://127.0.0.1:${ws}/wssip`;
  const program = await runKamailio(["-f", file], dir, async () => (await SipWs.open(url)).close().then(() => true));
  return { url, wsPort: ws, at: { host: "127.0.0.1", port: udp }, ...program };
}

/** The same observations of any edge: each is a plain value to compare. */
export class Observer {
  constructor(edge, server) {
    this.edge = edge;
    this.server = server;
  }

  static async open(start) {
    const server = await FakeAsterisk.start();
    return new Observer(await start(server), server);
  }

  async stop() {
    await this.edge.stop();
    this.server.stop();
  }

  shape(user) {
    return { via: `SIP/2.0/WS ${user}.invalid`, from: `<sip:${user}@default>;tag=${token(4)}`,
      contact: `<sip:${user}@${user}.invalid;transport=ws;ob>;+sip.instance="<urn:uuid:${user}>";reg-id=1` };
  }

  async client() {
    return SipWs.open(this.edge.url);
  }

  /** A client that is registered: what the registrar got, and the answer. */
  async register(user = `u${token(3)}`) {
    const client = await this.client();
    client.send(request("REGISTER", "sip:default", { ...this.shape(user), to: `<sip:${user}@default>`,
      headers: ["Supported: path, gruu, outbound"] }));
    const ok = await client.final("1 REGISTER");
    return { client, user, ok, binding: this.server.bindings.get(user) };
  }

  /** A call of a client, answered by the media server. */
  async call() {
    const reg = await this.register(), callId = token(), shape = { ...this.shape(reg.user), callId };
    reg.client.send(request("INVITE", "sip:bob@default", { ...shape, to: "<sip:bob@default>",
      headers: ["Content-Type: application/sdp"], body: "v=0\r\n" }));
    const ok = await reg.client.final("1 INVITE");
    const dialog = { ...shape, to: ok.one("to"), routes: ok.all("record-route").reverse(),
      target: uriOf(ok.one("contact")), contact: undefined };
    reg.client.send(request("ACK", dialog.target, { ...dialog, cseq: 1 }));
    const ack = await this.server.sip.request("ACK");
    return { ...reg, dialog, ok, ack, invite: this.server.invite };
  }

  /** Bytes to the WebSocket port, until the other side ends it, has said
   * `enough`, or says no more. */
  raw(bytes, { wait = 1500, enough } = {}) {
    return new Promise((done) => {
      const socket = net.connect(this.edge.wsPort, "127.0.0.1", () => socket.write(bytes));
      let data = Buffer.alloc(0);
      const end = () => {
        socket.destroy();
        done(data);
      };
      socket.on("data", (part) => {
        data = Buffer.concat([data, part]);
        if (enough?.test(data.toString("latin1"))) end();
      });
      socket.on("error", end);
      socket.on("close", end);
      setTimeout(end, wait);
    });
  }

  /** An upgrade with raw frames behind it: the close code, or 0. */
  async closeCode(frames) {
    const hello = ["GET /wssip HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: sip", "", ""];
    const data = await this.raw(Buffer.concat([Buffer.from(hello.join("\r\n")), frames]));
    const rest = data.subarray(data.indexOf("\r\n\r\n") + 4);
    for (let at = 0; at + 1 < rest.length;) {
      const length = rest[at + 1] & 127;
      if ((rest[at] & 15) === 8) return length >= 2 ? rest.readUInt16BE(at + 2) : 1005;
      at += 2 + length;
    }
    return 0;
  }

  reply(m, status, reason, options) {
    this.server.reply(m, status, reason, options);
  }

  respond(client, m, status, options) {
    client.send(respond(m, status, "X", { tag: "cl", ...options }));
  }
}
