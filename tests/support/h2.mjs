// SPDX-License-Identifier: MIT
// HTTP/2 by hand: frames as bytes, heads as literals without a table; and a
// tunnel of RFC 8441 that carries WebSocket frames.

import tls from "node:tls";
import { once } from "node:events";

export const type = {
  DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5,
  PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9,
};
export const flag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 };
export const errors = {
  NO_ERROR: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2, FLOW_CONTROL_ERROR: 3, STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6, REFUSED_STREAM: 7, CANCEL: 8, COMPRESSION_ERROR: 9, ENHANCE_YOUR_CALM: 11,
};

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export function frame(kind, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function length(n) {
  if (n < 127) return Buffer.from([n]);
  const bytes = [127];
  for (n -= 127; n >= 128; n >>= 7) bytes.push((n & 127) | 128);
  bytes.push(n);
  return Buffer.from(bytes);
}

/** [["name", "value"], …] as literals that no table keeps; latin1. */
export function block(fields) {
  return Buffer.concat(fields.flatMap(([name, value]) => {
    const [n, v] = [Buffer.from(name, "latin1"), Buffer.from(value, "latin1")];
    return [Buffer.from([0]), length(n.length), n, length(v.length), v];
  }));
}

/** A connection on which SETTINGS are exchanged. */
export class RawH2 {
  static async connect(port, ca, { settings = true } = {}) {
    const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca, ALPNProtocols: ["h2"] });
    const raw = new RawH2(socket);
    await once(socket, "secureConnect");
    if (settings) raw.write(preface, frame(type.SETTINGS, 0, 0));
    return raw;
  }

  constructor(socket) {
    this.socket = socket;
    this.frames = [];
    this.closed = false;
    this.waiters = new Set();
    let data = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", () => { this.closed = true; this.wake(); });
    socket.on("data", (part) => {
      data = Buffer.concat([data, part]);
      while (data.length >= 9 && data.length >= 9 + data.readUIntBE(0, 3)) {
        const end = 9 + data.readUIntBE(0, 3);
        this.frames.push({
          type: data[3], flags: data[4], stream: data.readUInt32BE(5) & 0x7fffffff,
          payload: data.subarray(9, end),
        });
        data = data.subarray(end);
      }
      this.wake();
    });
  }

  wake() { for (const look of this.waiters) look(); }

  write(...parts) {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts));
  }

  /** Wait until probe(frames) is truthy or the connection has ended. */
  until(probe, timeout = 10000) {
    return new Promise((done, fail) => {
      const finish = (how) => { clearTimeout(late); this.waiters.delete(look); how(); };
      const look = () => {
        const found = probe(this.frames);
        if (found || this.closed) finish(() => done(found));
      };
      const late = setTimeout(() => finish(() => fail(new Error("nothing came"))), timeout);
      this.waiters.add(look);
      look();
    });
  }

  /** Everything said before this has been read: the answer to a PING. */
  async settle() {
    const mark = Buffer.from(String(Math.random()).slice(2, 10).padEnd(8));
    this.write(frame(type.PING, 0, 0, mark));
    await this.until((frames) => frames.some((f) => f.type === type.PING && f.payload.equals(mark)));
  }

  /** How a stream came out: { status, reset, goaway }. */
  outcome(stream) {
    const of = (kind) => this.frames.filter((f) => f.type === kind);
    const head = of(type.HEADERS).filter((f) => f.stream === stream).map((f) => statusOf(f.payload)).find((s) => s >= 200);
    return {
      status: head,
      reset: of(type.RST_STREAM).find((f) => f.stream === stream)?.payload.readUInt32BE(0),
      goaway: of(type.GOAWAY).map((f) => f.payload.readUInt32BE(4)).find((code) => code !== 0),
      closed: this.closed,
    };
  }

  destroy() { this.socket.destroy(); }
}

/** Of a head that begins with ":status", as encoders write it. */
export function statusOf(payload) {
  const known = { 0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500 };
  let at = 0;
  while ((payload[at] & 0xe0) === 0x20) at++; // a change of the table's size
  if (known[payload[at]]) return known[payload[at]];
  // Literal with the name of index 8..14, or of a field sent before.
  if ((payload[at] & 0xc0) === 0x40 || (payload[at] & 0xf0) === 0) {
    const text = payload.subarray(at + 2, at + 2 + (payload[at + 1] & 127));
    return payload[at + 1] & 128 ? huffmanDigits(text) : Number(text.toString());
  }
  return payload[at] & 0x80 ? 999 : undefined; // indexed before: some status
}

/** Three digits in the code of RFC 7541 appendix B. */
function huffmanDigits(bytes) {
  const codes = { "00000": 0, "00001": 1, "00010": 2, "011001": 3, "011010": 4, "011011": 5, "011100": 6, "011101": 7, "011110": 8, "011111": 9 };
  let bits = [...bytes].map((b) => b.toString(2).padStart(8, "0")).join("");
  let text = "";
  while (text.length < 3) {
    const size = codes[bits.slice(0, 5)] === undefined ? 6 : 5;
    text += codes[bits.slice(0, size)];
    bits = bits.slice(size);
  }
  return Number(text);
}

/** A WebSocket text frame as a client sends it. */
export function wsText(text) {
  const data = Buffer.from(text);
  const mask = Buffer.from([1, 2, 3, 4]);
  const head = data.length < 126 ? Buffer.from([0x81, 0x80 | data.length])
    : Buffer.from([0x81, 0x80 | 126, data.length >> 8, data.length & 255]);
  return Buffer.concat([head, mask, data.map((byte, i) => byte ^ mask[i % 4])]);
}

/** The texts of complete frames a server sent. */
export function wsTexts(data) {
  const texts = [];
  for (let at = 0; at + 2 <= data.length;) {
    let size = data[at + 1] & 127;
    let start = at + 2;
    if (size === 126) { size = data.readUInt16BE(at + 2); start = at + 4; }
    if (start + size > data.length) break;
    if ((data[at] & 15) === 1) texts.push(data.subarray(start, start + size).toString());
    at = start + size;
  }
  return texts;
}
