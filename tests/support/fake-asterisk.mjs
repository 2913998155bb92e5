// SPDX-License-Identifier: MIT
// A media server with the rules that chan_pjsip follows behind a proxy, where
// they differ from what one would like:
//
//  - a Path without "Supported: path" is 420;
//  - Path values are kept with the binding, echoed in the 200, and sent as
//    Route on every request to that contact; with `path: false` they are not;
//  - a Request-URI is the stored Contact, byte by byte; a sips: one would make
//    it insist on TLS, so it is a failure here;
//  - URIs of 512 bytes and more do not fit;
//  - a request from a client is matched to its binding by the exact Contact.

import { SipUdp, digest, parse, respond, request, token, uriOf } from "./sip.mjs";

const challenge = 'WWW-Authenticate: Digest realm="asterisk", nonce="n0", algorithm=MD5';

export class FakeAsterisk {
  bindings = new Map(); // user → { contact, path: [] }
  refused = [];         // what broke a rule
  answer = "ok";        // to INVITE: "ok", "busy", "ring", "silent", "overload"
  dialogs = new Map();  // Call-ID → { remote, local, routes, target, cseq }

  static async start({ path = true, host = "127.0.0.1", port = 0, password } = {}) {
    const self = new FakeAsterisk();
    self.usesPath = path;
    self.password = password;
    self.sip = await SipUdp.open({ host, port, onMessage: (m) => self.#on(m) });
    self.port = self.sip.port;
    self.host = host;
    return self;
  }

  get address() {
    return `udp:${this.host}:${this.port}`;
  }

  get contact() {
    return `<sip:${this.host}:${this.port}>`;
  }

  stop() {
    this.sip.close();
  }

  /** No answer to anything from now on: a host that is gone. */
  set dead(value) {
    this.isDead = value;
  }

  #reply(m, status, reason, options) {
    this.sip.send(respond(m, status, reason, { tag: "ast", ...options }), m.from);
  }

  #fail(m, rule, status, reason) {
    this.refused.push(rule);
    if (m.method !== "ACK") this.#reply(m, status, reason);
    return true;
  }

  /** True: taken. */
  #on(m) {
    this.last = m;
    if (this.isDead) return true;
    if (!m.method) return false;
    const uris = [m.uri, ...["contact", "path", "record-route", "route"]
      .flatMap((n) => m.all(n)).filter((v) => v !== "*").map(uriOf)];
    if (uris.some((u) => Buffer.byteLength(u) >= 512)) return this.#fail(m, "uri-size", 400, "Bad Request");
    if (uris.some((u) => u.startsWith("sips:"))) return this.#fail(m, "sips", 400, "Secure Transport Required");
    if (m.method === "REGISTER") return this.#register(m);
    if (m.method === "OPTIONS" && !m.all("route").length) {
      this.#reply(m, 200, "OK");
      return true;
    }
    if (m.method === "INVITE") return this.#invite(m);
    return false;
  }

  /** The credentials are there, and the right ones. */
  #knows(m) {
    const given = m.headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
    const value = (key) => given.match(new RegExp(`\\b${key}="([^"]*)"`))?.[1];
    if (!given) return false;
    const right = digest(parse(`SIP/2.0 401 Unauthorized\r\n${challenge}\r\n\r\n`), {
      method: m.method, uri: value("uri"), user: value("username"), password: this.password });
    return right.includes(`response="${value("response")}"`);
  }

  #register(m) {
    const paths = m.all("path");
    if (paths.length && !m.all("supported").some((v) => v === "path"))
      return this.#fail(m, "path-without-supported", 420, "Bad Extension");
    if (this.password && !this.#knows(m)) {
      this.#reply(m, 401, "Unauthorized", { headers: [challenge] });
      return true;
    }
    const user = uriOf(m.one("to")).match(/^sips?:([^@]*)@/)[1];
    const expires = Number(m.one("contact")?.match(/;expires=(\d+)/)?.[1] ?? m.one("expires") ?? 3600);
    if (expires === 0 || m.one("contact") === "*") this.bindings.delete(user);
    else this.bindings.set(user, { contact: uriOf(m.one("contact")), path: this.usesPath ? paths : [] });
    const binding = this.bindings.get(user);
    this.#reply(m, 200, "OK", { headers: [
      ...(binding ? [`Contact: <${binding.contact}>;expires=${expires}`] : []),
      ...(this.usesPath && paths.length ? [...paths.map((p) => `Path: ${p}`), "Supported: path"] : []),
    ] });
    return true;
  }

  #invite(m) {
    const inDialog = /;tag=/.test(m.one("to"));
    this.invite = m;
    if (this.answer === "silent") return true;
    if (this.answer === "overload") {
      this.#reply(m, 503, "Service Unavailable", { headers: ["Retry-After: 60"] });
      return true;
    }
    this.#reply(m, 100, "Trying", { tag: undefined });
    if (this.answer === "busy") {
      this.#reply(m, 486, "Busy Here");
      return true;
    }
    if (!inDialog) this.#reply(m, 180, "Ringing", { headers: [`Contact: ${this.contact}`] });
    if (this.answer === "ring") return true;
    this.#reply(m, 200, "OK", { headers: [`Contact: ${this.contact}`, "Content-Type: application/sdp"],
      body: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" });
    this.dialogs.set(m.callId, {
      remote: m.one("from"), local: `${m.one("to").replace(/;tag=.*/, "")};tag=ast`,
      routes: m.all("record-route"), target: uriOf(m.one("contact")), cseq: 100 });
    return true;
  }

  /** Answer a request a test has taken from the inbox. */
  reply(m, status, reason, options) {
    this.#reply(m, status, reason, options);
  }

  #send(text, edge) {
    if (/^\S+ sips:/.test(text)) throw new Error("a sips: Request-URI needs TLS");
    this.sip.send(text, edge);
  }

  /** A request outside any dialog to a registered user; returns what it sent. */
  requestTo(user, edge, method = "INVITE", { headers = [], body = "", callId = token() } = {}) {
    const binding = this.bindings.get(user);
    if (!binding) throw new Error(`${user} is not registered`);
    const text = request(method, binding.contact, {
      via: `SIP/2.0/UDP ${this.host}:${this.port};rport`,
      from: `<sip:${this.host}>;tag=ast${token(4)}`, to: `<${binding.contact}>`,
      callId, cseq: 7, contact: this.contact, routes: binding.path, headers, body });
    this.#send(text, edge);
    return parseSent(text);
  }

  /** A request inside the dialog of a call we answered. */
  inDialog(callId, edge, method, { headers = [], body = "" } = {}) {
    const d = this.dialogs.get(callId);
    const text = request(method, d.target, {
      via: `SIP/2.0/UDP ${this.host}:${this.port};rport`, from: d.local, to: d.remote,
      callId, cseq: ++d.cseq, contact: this.contact, routes: d.routes, headers, body });
    this.#send(text, edge);
    return `${d.cseq} ${method}`;
  }
}

function parseSent(text) {
  const callId = text.match(/Call-ID: (\S+)/)[1];
  const cseq = text.match(/CSeq: (.*)\r/)[1];
  return { text, callId, cseq };
}
