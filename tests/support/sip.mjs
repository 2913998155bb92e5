// SPDX-License-Identifier: MIT
// SIP as text: enough to play a media server on UDP or a client on WebSocket
// byte by byte, and to see exactly what arrives.

import crypto from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import WebSocket from "ws";

const compact = { v: "via", f: "from", t: "to", i: "call-id", m: "contact",
  l: "content-length", k: "supported", c: "content-type", e: "content-encoding" };

export const token = (n = 8) => crypto.randomBytes(n).toString("hex");

/** { start, method, uri, status, headers: [[name, value]…], body, all(), one() } */
export function parse(text) {
  text = text.toString();
  const end = text.indexOf("\r\n\r\n");
  const [start, ...lines] = text.slice(0, end).split("\r\n");
  const headers = [];
  for (const line of lines) {
    if (/^[ \t]/.test(line)) {
      headers[headers.length - 1][1] += " " + line.trim();
      continue;
    }
    const colon = line.indexOf(":");
    headers.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  const status = start.match(/^SIP\/2\.0 (\d{3})/);
  const request = start.match(/^(\S+) (\S+) SIP\/2\.0$/);
  const message = {
    text, start, headers, body: text.slice(end + 4),
    status: status ? Number(status[1]) : 0,
    method: request?.[1], uri: request?.[2],
    /** All values of a header field, comma lists split. */
    all(name) {
      const wanted = name.toLowerCase();
      return headers.filter(([n]) => (compact[n.toLowerCase()] ?? n.toLowerCase()) === wanted)
        .flatMap(([, value]) => splitList(value));
    },
    one(name) {
      return message.all(name)[0];
    },
    tag: (name) => message.one(name)?.match(/;tag=([^;\s]+)/)?.[1],
  };
  message.cseq = message.one("cseq");
  message.callId = message.one("call-id");
  return message;
}

function splitList(value) {
  const out = [];
  let depth = 0, quoted = false, from = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value[i];
    if (c === "\\" && quoted) i++;
    else if (c === '"') quoted = !quoted;
    else if (!quoted && c === "<") depth++;
    else if (!quoted && c === ">") depth--;
    else if (!quoted && depth === 0 && c === ",") {
      out.push(value.slice(from, i).trim());
      from = i + 1;
    }
  }
  out.push(value.slice(from).trim());
  return out;
}

/** What stands between < and >, or before the first parameter. */
export const uriOf = (value) => value.match(/<([^>]*)>/)?.[1] ?? value.split(";")[0].trim();

/** A response to a parsed request. `headers`: lines to add. */
export function respond(request, status, reason, { tag, headers = [], body = "" } = {}) {
  let to = request.one("to");
  if (tag && !/;tag=/.test(to)) to += `;tag=${tag}`;
  return [
    `SIP/2.0 ${status} ${reason}`,
    ...request.all("via").map((v) => `Via: ${v}`),
    ...request.all("record-route").map((v) => `Record-Route: ${v}`),
    `From: ${request.one("from")}`, `To: ${to}`,
    `Call-ID: ${request.callId}`, `CSeq: ${request.cseq}`,
    ...headers, `Content-Length: ${Buffer.byteLength(body)}`, "", body,
  ].join("\r\n");
}

/** Messages in the order they came, waited for by what they are. */
class Inbox {
  messages = [];
  #waiting = [];

  push(text) {
    const message = typeof text === "string" ? parse(text) : text;
    const at = this.#waiting.findIndex((w) => w.wants(message));
    if (at < 0) {
      this.messages.push(message);
      return;
    }
    const [{ done, timer }] = this.#waiting.splice(at, 1);
    clearTimeout(timer);
    done(message);
  }

  /** The first message (also of those that came before) that `wants` likes. */
  next(wants = () => true, { timeout = 5000, what = "a SIP message" } = {}) {
    const at = this.messages.findIndex(wants);
    if (at >= 0) return Promise.resolve(this.messages.splice(at, 1)[0]);
    return new Promise((done, fail) => {
      const entry = { wants, done };
      entry.timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        fail(new Error(`${what}: not within ${timeout} ms; there: ` +
          this.messages.map((m) => m.start).join(" | ")));
      }, timeout);
      this.#waiting.push(entry);
    });
  }

  request(method, options) {
    return this.next((m) => m.method === method, { what: method, ...options });
  }

  response(status, cseq, options) {
    return this.next((m) => m.status === status && (!cseq || m.cseq === cseq),
      { what: `${status} to ${cseq ?? "anything"}`, ...options });
  }

  /** A final response. */
  final(cseq, options) {
    return this.next((m) => m.status >= 200 && (!cseq || m.cseq === cseq),
      { what: `final response to ${cseq ?? "anything"}`, ...options });
  }
}

/** A UDP socket that speaks SIP. `onMessage` may take messages away. */
export class SipUdp extends Inbox {
  static async open({ host = "127.0.0.1", port = 0, onMessage } = {}) {
    const self = new SipUdp();
    self.socket = dgram.createSocket({ type: host.includes(":") ? "udp6" : "udp4",
      recvBufferSize: 1 << 20 });
    self.socket.on("message", (data, from) => {
      if (!data.length) return;
      const message = parse(data);
      message.from = from;
      message.at = Date.now();
      if (!onMessage?.(message, self)) self.push(message);
    });
    self.socket.bind(port, host);
    await once(self.socket, "listening");
    self.host = host;
    self.port = self.socket.address().port;
    return self;
  }

  send(text, to) {
    this.socket.send(text, to.port, to.address ?? to.host);
  }

  close() {
    this.socket.close();
  }
}

/** One TCP or TLS connection that speaks SIP, whoever opened it. */
export class SipStream extends Inbox {
  #data = Buffer.alloc(0);

  constructor(socket, onMessage) {
    super();
    this.socket = socket;
    this.onMessage = onMessage;
    this.closed = new Promise((done) => socket.on("close", done));
    socket.on("error", () => {});
    socket.on("data", (part) => this.#take(part));
  }

  static async open({ host = "127.0.0.1", port, tls: secure, onMessage }) {
    const socket = secure ? tls.connect({ host, port, ...secure }) : net.connect(port, host);
    await once(socket, secure ? "secureConnect" : "connect");
    return new SipStream(socket, onMessage);
  }

  get port() {
    return this.socket.localPort;
  }

  #take(part) {
    this.#data = Buffer.concat([this.#data, part]);
    for (;;) {
      if (this.#data.subarray(0, 2).toString() === "\r\n") {
        this.crlf = (this.crlf ?? 0) + 1;
        this.#data = this.#data.subarray(2);
        continue;
      }
      const end = this.#data.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(this.#data.toString("latin1", 0, end).match(/\r\n(?:content-length|l) *: *(\d+)/i)?.[1]);
      if (!(this.#data.length >= end + 4 + length)) return;
      const message = parse(this.#data.subarray(0, end + 4 + length));
      this.#data = this.#data.subarray(end + 4 + length);
      message.from = this;
      message.at = Date.now();
      if (!this.onMessage?.(message, this)) this.push(message);
    }
  }

  send(text) {
    this.socket.write(text);
  }

  async close() {
    this.socket.end();
    await this.closed;
  }
}

/** A client on WebSocket. */
export class SipWs extends Inbox {
  static async open(url, { headers, protocol = "sip", origin } = {}) {
    const self = new SipWs();
    self.socket = new WebSocket(url, protocol, { headers, origin, perMessageDeflate: false });
    self.socket.on("message", (data, isBinary) => {
      self.binary = isBinary;
      const text = data.toString();
      if (/^[\r\n]*$/.test(text)) self.crlf = (self.crlf ?? 0) + 1;
      else self.push(text);
    });
    self.closed = new Promise((done) => {
      self.socket.on("close", (code, reason) => done({ code, reason: String(reason) }));
    });
    self.socket.on("error", () => {});
    await once(self.socket, "open");
    return self;
  }

  send(text, options) {
    this.socket.send(text, options ?? { binary: false });
  }

  async close() {
    this.socket.close();
    await this.closed;
  }

  terminate() {
    this.socket.terminate();
  }
}

/** The HTTP status a WebSocket handshake is refused with (101 when it is not). */
export function handshakeStatus(url, { headers, protocol = "sip", origin } = {}) {
  return new Promise((done, fail) => {
    const socket = new WebSocket(url, protocol, { headers, origin, perMessageDeflate: false });
    socket.on("unexpected-response", (request, response) => {
      done(response.statusCode);
      request.destroy();
    });
    socket.on("open", () => {
      done(101);
      socket.terminate();
    });
    socket.on("error", fail);
  });
}

/** Header lines of a request, in the usual order. */
export function request(method, uri, { via, from, to, callId = token(), cseq = 1,
  contact, routes = [], headers = [], body = "", contentLength = true, maxForwards = 69 }) {
  return [
    `${method} ${uri} SIP/2.0`, `Via: ${via};branch=z9hG4bK${token()}`,
    `Max-Forwards: ${maxForwards}`, ...routes.map((r) => `Route: ${r}`),
    `From: ${from}`, `To: ${to}`, `Call-ID: ${callId}`, `CSeq: ${cseq} ${method}`,
    ...(contact ? [`Contact: ${contact}`] : []), ...headers,
    ...(contentLength ? [`Content-Length: ${Buffer.byteLength(body)}`] : []), "", body,
  ].join("\r\n");
}

/** Digest (RFC 2617, MD5, no qop) for a parsed 401 or 407. */
export function digest(challenge, { method, uri, user, password }) {
  const name = challenge.status === 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
  const text = challenge.headers.filter(([n]) => n.toLowerCase() === name.toLowerCase())[0][1];
  const value = (key) => text.match(new RegExp(`${key}="?([^",]+)`))?.[1];
  const md5 = (s) => crypto.createHash("md5").update(s).digest("hex");
  const realm = value("realm"), nonce = value("nonce");
  const response = md5(`${md5(`${user}:${realm}:${password}`)}:${nonce}:${md5(`${method}:${uri}`)}`);
  const header = challenge.status === 401 ? "Authorization" : "Proxy-Authorization";
  return `${header}: Digest username="${user}", realm="${realm}", nonce="${nonce}", ` +
    `uri="${uri}", response="${response}", algorithm=MD5`;
}
