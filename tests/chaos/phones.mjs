// SPDX-License-Identifier: MIT
// The phones of one home, for the chaos run: JsSIP over wss through web-proxy
// and sip-proxy, media through a TURN allocation of its own. Runs on a host of
// the lab and tells what happens in lines of JSON:
//
//   {t, what: "registered" | "disconnected", user}
//   {t, what: "call", id, user, result, setup, cause, gap, packets, at, until}
//
// result: good, refused (it never stood), silent (it stood, without media at
// its end), dropped (it ended without anybody wishing it).
//
// argv[2]: JSON {role: "caller" | "callee", users, url, host, turn, sipSecret, turnSecret, hold}

import { JsSIP, media } from "../support/jssip-node.mjs";
import { TurnClient } from "../support/turn_client.mjs";
import { sipPassword, turnCredential } from "../../deploy/demo/credentials.mjs";

const settings = JSON.parse(process.argv[2]);
const tell = (what, facts) => console.log(JSON.stringify({ t: Date.now(), what, ...facts }));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const packetEvery = 50;

/* ---- media: RTP-like packets from one allocation to the other ------------- */

let allocations = 0;

class Media extends EventTarget {
  iceGatheringState = "complete";
  iceConnectionState = "new";
  signalingState = "stable";
  localDescription = null;
  heard = [];

  async #description() {
    if (!this.turn) {
      const { username, credential } = turnCredential(settings.turnSecret, "chaos", 3600);
      this.turn = await TurnClient.open({ host: settings.turn, port: 3478, user: username, password: credential,
        realm: settings.realm, transport: allocations++ % 2 ? "tcp" : "udp" });
      if (this.turn.transport === "udp") this.turn.resend = 300;
      const answer = await this.turn.allocate();
      if (answer?.code !== 0) throw new Error(`no allocation: ${answer?.code ?? "no answer"}`);
      this.relayed = answer.relayed;
      this.turn.onData = () => this.heard.push(Date.now());
    }
    return ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0",
      `m=audio ${this.relayed.port} UDP/TLS/RTP/SAVPF 111`, `c=IN IP4 ${this.relayed.ip}`, "a=mid:0", "a=sendrecv",
      "a=rtpmap:111 opus/48000/2", `a=fingerprint:sha-256 ${"AB:".repeat(31)}AB`, ""].join("\r\n");
  }

  async createOffer() { return { type: "offer", sdp: await this.#description() }; }
  async createAnswer() { return { type: "answer", sdp: await this.#description() }; }

  async setLocalDescription(d) {
    this.localDescription = d;
    this.signalingState = d.type === "offer" ? "have-local-offer" : "stable";
    if (d.type === "answer") await this.#connect();
  }

  async setRemoteDescription(d) {
    this.remote = { ip: d.sdp.match(/^c=IN IP4 (\S+)/m)[1], port: Number(d.sdp.match(/^m=audio (\d+)/m)[1]) };
    this.signalingState = d.type === "offer" ? "have-remote-offer" : "stable";
    if (d.type === "answer") await this.#connect();
  }

  async #connect() {
    if (this.timer || this.closed) return;
    const { ip, port } = this.remote;
    this.timer = setInterval(() => {
      if (this.bound && !this.turn.closed) this.turn.channelData(0x4000, Buffer.alloc(172));
    }, packetEvery);
    this.bound = (await this.turn.bind(0x4000, ip, port))?.code === 0;
  }

  /** The longest silence until now, ms, and how long it is silent by now. */
  silence(since) {
    const times = [since, ...this.heard.filter((t) => t >= since), Date.now()];
    const gaps = times.slice(1).map((t, i) => t - times[i]);
    return { longest: Math.max(...gaps), last: gaps.at(-1), packets: times.length - 2 };
  }

  addTrack() {}
  getSenders() { return []; }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.signalingState = "closed";
    clearInterval(this.timer);
    const { turn } = this;
    if (turn?.closed === false) turn.refresh(0).then(() => turn.close(), () => turn.close());
  }
}

globalThis.RTCPeerConnection = Media;

/* ---- phones ------------------------------------------------------------------ */

function phone(user) {
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(`${settings.url}?token=a.b.c`)], uri: `sip:${user}@default`,
    password: sipPassword(settings.sipSecret, user), register: true, register_expires: 20,
    session_timers: false, connection_recovery_min_interval: 1, connection_recovery_max_interval: 4 });
  ua.on("registered", () => tell("registered", { user }));
  ua.on("disconnected", () => tell("disconnected", { user }));
  ua.start();
  return ua;
}

function answerAll(ua, user) {
  ua.on("newRTCSession", ({ session, originator }) => {
    if (originator !== "remote") return;
    session.on("failed", () => {});
    const begun = Date.now();
    session.on("ended", ({ cause, originator: by }) =>
      tell("ended", { user, cause, by, at: begun, call: session.request?.call_id ?? session._request?.call_id }));
    session.answer({ mediaStream: media });
  });
}

/** One call from beginning to end; what became of it. */
function call(ua, user, peer) {
  return new Promise((done) => {
    const at = Date.now();
    let stood = 0, wished = false;
    const finish = (result, facts = {}) => {
      const quiet = stood ? session.connection?.silence(stood) : undefined;
      done({ user, result, at, until: Date.now(), setup: stood ? stood - at : undefined,
        gap: quiet?.longest, packets: quiet?.packets, ...facts });
    };
    const session = ua.call(`sip:${peer}@default`, { mediaStream: media });
    const late = setTimeout(() => { if (!stood) session.terminate(); }, 20000);
    session.on("failed", ({ cause }) => { clearTimeout(late); finish("refused", { cause }); });
    session.on("confirmed", async () => {
      clearTimeout(late);
      stood = Date.now();
      await sleep(settings.hold * (0.7 + 0.6 * Math.random()));
      if (wished) return;
      wished = true;
      const quiet = session.connection.silence(stood);
      finish(quiet.last > 1000 ? "silent" : "good", { id: session._request?.call_id });
      session.terminate();
    });
    session.on("ended", ({ cause }) => {
      if (wished) return;
      wished = true;
      finish("dropped", { cause });
    });
  });
}

async function callAgain(ua, user, peer) {
  for (;;) {
    if (!ua.isRegistered()) { await sleep(200); continue; }
    const facts = await call(ua, user, peer).catch((error) => ({ user, result: "refused", cause: error.message, at: Date.now(), until: Date.now() }));
    tell("call", facts);
    if (facts.result !== "good") await sleep(500);
    await sleep(300);
  }
}

const uas = settings.users.map((user) => {
  const ua = phone(user);
  if (settings.role === "callee") answerAll(ua, user);
  else callAgain(ua, user, user.replace("caller", "callee"));
  return ua;
});

process.on("unhandledRejection", () => {});
process.on("SIGTERM", async () => {
  for (const ua of uas) ua.stop();
  await sleep(1500);
  process.exit(0);
});
