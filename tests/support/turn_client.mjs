// SPDX-License-Identifier: MIT
// A TURN client of the plainest kind, for tests that other people's clients
// cannot do: wrong requests, slow readers, half frames.

import crypto from "node:crypto";
import dgram from "node:dgram";
import net from "node:net";
import tls from "node:tls";

export const METHOD = {
  binding: 1, allocate: 3, refresh: 4, send: 6, data: 7, permission: 8, channel: 9,
  connect: 10, connectionBind: 11, connectionAttempt: 12,
};
export const ATTR = {
  username: 0x06, integrity: 0x08, error: 0x09, unknown: 0x0a, channel: 0x0c, lifetime: 0x0d,
  peer: 0x12, data: 0x13, realm: 0x14, nonce: 0x15, relayed: 0x16, family: 0x17,
  transport: 0x19, dontFragment: 0x1a, token: 0x1b, connection: 0x2a, ticket: 0x8030, icmp: 0x8004, mapped: 0x20, software: 0x8022,
};
const COOKIE = Buffer.from("2112a442", "hex");

export function attr(type, value) {
  const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  padded.writeUInt16BE(type, 0);
  padded.writeUInt16BE(value.length, 2);
  value.copy(padded, 4);
  return padded;
}

const text = (type, s) => attr(type, Buffer.from(s));
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };

/** 16 bytes of an IPv6 address ("::", embedded IPv4 included). */
function ipv6Bytes(ip) {
  const url = new URL(`http://[${ip}]/`).hostname.slice(1, -1);
  const [head, tail] = url.split("::");
  const words = (s) => (s ? s.split(":") : []);
  const zeros = url.includes("::") ? 8 - words(head).length - words(tail).length : 0;
  const all = [...words(head), ...Array(zeros).fill("0"), ...words(tail)];
  return Buffer.concat(all.map((w) => Buffer.from(w.padStart(4, "0"), "hex")));
}

function xorAddress(ip, port, tid) {
  const v6 = net.isIPv6(ip);
  const bytes = v6 ? ipv6Bytes(ip) : Buffer.from(ip.split(".").map(Number));
  const mask = Buffer.concat([COOKIE, tid]);
  const out = Buffer.alloc(4 + bytes.length);
  out[1] = v6 ? 2 : 1;
  out.writeUInt16BE(port ^ 0x2112, 2);
  bytes.forEach((b, i) => { out[4 + i] = b ^ mask[i]; });
  return out;
}

function readXorAddress(value, tid) {
  const mask = Buffer.concat([COOKIE, tid]);
  const bytes = value.subarray(4).map((b, i) => b ^ mask[i]);
  const ip = value[1] === 1 ? bytes.join(".")
    : Array.from({ length: 8 }, (_, i) => bytes.subarray(2 * i, 2 * i + 2))
      .map((w) => ((w[0] << 8) | w[1]).toString(16)).join(":");
  return { ip, port: value.readUInt16BE(2) ^ 0x2112 };
}

export function message(type, tid, attrs) {
  const body = Buffer.concat(attrs);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, COOKIE, tid, body]);
}

/** { type, tid, attrs: Map, code } of a message. */
export function parse(packet) {
  const attrs = new Map();
  for (let at = 20; at < packet.length;) {
    const type = packet.readUInt16BE(at);
    const len = packet.readUInt16BE(at + 2);
    if (!attrs.has(type)) attrs.set(type, packet.subarray(at + 4, at + 4 + len));
    at += 4 + Math.ceil(len / 4) * 4;
  }
  const error = attrs.get(ATTR.error);
  return {
    type: packet.readUInt16BE(0), tid: packet.subarray(8, 20), attrs, size: packet.length,
    code: error ? error[2] * 100 + error[3] : 0,
  };
}

/** Username and password of a time-limited user. */
export function timedUser(secret, name = "test", seconds = 600) {
  const user = `${Math.floor(Date.now() / 1000) + seconds}:${name}`;
  return { user, password: crypto.createHmac("sha1", secret).update(user).digest("base64") };
}

export class TurnClient {
  /** transport: "udp", "tcp" or "tls". */
  static async open({ host = "127.0.0.1", port, transport = "udp", user, password, realm, servername, halfOpen = false }) {
    const client = new TurnClient();
    Object.assign(client, { user, password, realm, transport, host, port, servername, halfOpen });
    client.nonce = null;
    client.waiting = new Map();
    client.onData = () => {};
    client.onIcmp = () => {};
    client.onAttempt = () => {};
    client.isRaw = false; // a data connection of RFC 6062: bytes, no frames
    client.onRaw = null;
    client.closed = false;
    client.rest = Buffer.alloc(0);
    if (transport === "udp") await client.#openUdp();
    else await client.#openStream();
    return client;
  }

  async #openUdp() {
    this.socket = dgram.createSocket(net.isIPv6(this.host) ? "udp6" : "udp4");
    await new Promise((done) => this.socket.connect(this.port, this.host, done));
    this.socket.on("error", () => {});
    this.socket.on("message", (packet) => this.#onPacket(packet));
    this.write = (bytes) => this.socket.send(bytes);
  }

  async #openStream() {
    const { host, port } = this;
    await new Promise((done, fail) => {
      this.socket = this.transport === "tls"
        ? tls.connect({ host, port, servername: this.servername, rejectUnauthorized: false }, done)
        : net.connect({ host, port, allowHalfOpen: this.halfOpen }, done);
      this.socket.once("error", fail);
    });
    this.socket.removeAllListeners("error");
    this.socket.on("error", () => {});
    this.socket.on("close", () => { this.closed = true; });
    this.socket.on("data", (bytes) => this.#onBytes(bytes));
    this.write = (bytes) => this.socket.write(bytes);
  }

  #onBytes(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= 4 && !this.isRaw) {
      const len = this.rest.readUInt16BE(2);
      const size = this.rest[0] >= 0x40 ? 4 + Math.ceil(len / 4) * 4 : 20 + len;
      if (this.rest.length < size) return;
      this.#onPacket(this.rest.subarray(0, size));
      this.rest = this.rest.subarray(size);
    }
    if (this.isRaw) this.#flushRaw();
  }

  #flushRaw() {
    if (!this.onRaw || !this.rest.length) return;
    const bytes = this.rest;
    this.rest = Buffer.alloc(0);
    this.onRaw(bytes);
  }

  #onPacket(packet) {
    if (packet[0] >= 0x40) {
      this.onData(packet.subarray(4, 4 + packet.readUInt16BE(2)), packet.readUInt16BE(0));
      return;
    }
    const msg = parse(packet);
    if (msg.type === 0x0017 && msg.attrs.has(ATTR.icmp)) {
      const value = msg.attrs.get(ATTR.icmp).readUInt16BE(2);
      this.onIcmp({ type: value >> 9, code: value & 0x1ff }, readXorAddress(msg.attrs.get(ATTR.peer), msg.tid));
      return;
    }
    if (msg.type === 0x0017) {
      this.onData(msg.attrs.get(ATTR.data), readXorAddress(msg.attrs.get(ATTR.peer), msg.tid));
      return;
    }
    if (msg.type === 0x001c) {
      this.onAttempt(Buffer.from(msg.attrs.get(ATTR.connection)), readXorAddress(msg.attrs.get(ATTR.peer), msg.tid));
      return;
    }
    if (msg.type === 0x010b) this.isRaw = true;
    this.waiting.get(msg.tid.toString("hex"))?.(msg);
  }

  /** Send a request, with credentials unless `plain`; the answer, or null after `timeout`. */
  async request(method, attrs = [], { plain = false, timeout = 2000, tid } = {}) {
    tid ??= crypto.randomBytes(12);
    const all = typeof attrs === "function" ? attrs(tid) : [...attrs];
    if (!plain && this.nonce) {
      all.push(text(ATTR.username, this.user), text(ATTR.realm, this.realm), attr(ATTR.nonce, this.nonce));
      if (this.token) all.push(attr(ATTR.token, this.token)); // RFC 7635
      const key = this.sessionKey ?? crypto.createHash("md5").update(`${this.user}:${this.realm}:${this.password}`).digest();
      const bare = message(method, tid, all);
      bare.writeUInt16BE(bare.length - 20 + 24, 2);
      all.push(attr(ATTR.integrity, crypto.createHmac("sha1", key).update(bare).digest()));
    }
    const answer = new Promise((done) => {
      const timer = setTimeout(() => done(null), timeout);
      this.waiting.set(tid.toString("hex"), (msg) => { clearTimeout(timer); done(msg); });
    });
    const bytes = message(method, tid, all);
    this.write(bytes);
    // Only who asks for it repeats lost requests (`resend`, ms).
    const again = this.resend && setInterval(() => { if (!this.closed) this.write(bytes); }, this.resend);
    const msg = await answer;
    clearInterval(again);
    this.waiting.delete(tid.toString("hex"));
    if (msg?.attrs.has(ATTR.nonce)) this.nonce = Buffer.from(msg.attrs.get(ATTR.nonce));
    return msg;
  }

  binding(options) { return this.request(METHOD.binding, [], { plain: true, ...options }); }

  /** The whole exchange; the answer has .relayed when it succeeded. */
  async allocate({ family, relay = "udp", mobile = false } = {}) {
    const attrs = [attr(ATTR.transport, Buffer.from([relay === "tcp" ? 6 : 17, 0, 0, 0]))];
    if (family) attrs.push(attr(ATTR.family, Buffer.from([family, 0, 0, 0])));
    if (mobile) attrs.push(attr(ATTR.ticket, Buffer.alloc(0)));
    let msg = null;
    for (let i = 0; i < 3; i++) {
      msg = await this.request(METHOD.allocate, attrs);
      if (!msg || (msg.code !== 401 && msg.code !== 438) || i === 2) break;
      if (i === 1 && msg.code === 401) break;
    }
    if (msg?.code === 0) msg.relayed = readXorAddress(msg.attrs.get(ATTR.relayed), msg.tid);
    return msg;
  }

  refresh(seconds) { return this.request(METHOD.refresh, [attr(ATTR.lifetime, u32(seconds))]); }

  /** RFC 8016: go on here with the allocation of this ticket. */
  async move(ticket, seconds = 600) {
    const attrs = [attr(ATTR.lifetime, u32(seconds)), attr(ATTR.ticket, ticket)];
    let msg = await this.request(METHOD.refresh, attrs);
    for (let i = 0; i < 2 && (msg?.code === 401 || msg?.code === 438); i++)
      msg = await this.request(METHOD.refresh, attrs);
    return msg;
  }

  permit(ip, port = 1) {
    return this.request(METHOD.permission, (tid) => [attr(ATTR.peer, xorAddress(ip, port, tid))]);
  }

  /** RFC 6062; the answer has .connection when it succeeded. */
  async connect(ip, port, options = {}) {
    const msg = await this.request(METHOD.connect, (tid) => [attr(ATTR.peer, xorAddress(ip, port, tid))],
      { timeout: 40000, ...options });
    if (msg?.code === 0) msg.connection = Buffer.from(msg.attrs.get(ATTR.connection));
    return msg;
  }

  /** On a connection of its own; from a success on, its bytes go to `onRaw`. */
  async bindConnection(connection, onRaw = null) {
    const attrs = [attr(ATTR.connection, connection)];
    let msg = await this.request(METHOD.connectionBind, attrs);
    for (let i = 0; i < 2 && msg && (msg.code === 401 || msg.code === 438); i++)
      msg = await this.request(METHOD.connectionBind, attrs);
    this.readRaw(onRaw);
    return msg;
  }

  readRaw(onRaw) {
    this.onRaw = onRaw;
    if (this.isRaw) this.#flushRaw();
  }

  bind(number, ip, port) {
    return this.request(METHOD.channel, (tid) => [
      attr(ATTR.channel, u32(number * 65536)), attr(ATTR.peer, xorAddress(ip, port, tid))]);
  }

  sendTo(ip, port, data, { whole = false } = {}) {
    const tid = crypto.randomBytes(12);
    this.write(message(0x0016, tid, [attr(ATTR.peer, xorAddress(ip, port, tid)),
      ...(whole ? [attr(ATTR.dontFragment, Buffer.alloc(0))] : []), attr(ATTR.data, data)]));
  }

  channelData(number, data) {
    const padded = Buffer.alloc(4 + Math.ceil(data.length / 4) * 4);
    padded.writeUInt16BE(number, 0);
    padded.writeUInt16BE(data.length, 2);
    data.copy(padded, 4);
    this.write(padded);
  }

  close() {
    if (this.isOver) return;
    this.isOver = true;
    if (this.transport === "udp") this.socket.close();
    else this.socket.destroy();
  }
}

/** A UDP socket that sends back what it gets; { port, got, close() }. */
export async function echoPeer(host = "127.0.0.1") {
  const socket = dgram.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
  const peer = { got: [], echo: true, close: () => socket.close(), socket };
  socket.on("message", (bytes, from) => {
    peer.got.push({ bytes, from });
    if (peer.echo) socket.send(bytes, from.port, from.address);
  });
  await new Promise((done) => socket.bind(0, host, done));
  peer.port = socket.address().port;
  return peer;
}
