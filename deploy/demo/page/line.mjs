// SPDX-License-Identifier: MIT
// One SIP line over a WebSocket, and its one call. Knows JsSIP and WebRTC,
// nothing of the page; reports through `on`, an object of functions:
//   registration(state, detail)   "online" | "offline" | "connecting"
//   call(state, call)             "ringing" | "calling" | "talking" | "ended"
//   changed(call)                 hold or mute changed, on either side
//   digit(digit)                  the other side pressed a key
//   stream(mediaStream)           what to play
//   event(text)                   one line for the log

import JsSIP from "jssip";

/** The microphone, or a quiet tone where there is none. */
async function microphone(report) {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true },
    });
  } catch (error) {
    report(`no microphone (${error.name}): sending a tone`);
    return tone();
  }
}

function tone() {
  const audio = new AudioContext();
  const oscillator = new OscillatorNode(audio, { frequency: 440 });
  const volume = new GainNode(audio, { gain: 0.1 });
  const out = audio.createMediaStreamDestination();
  oscillator.connect(volume).connect(out);
  oscillator.start();
  return out.stream;
}

/** A stream that says back what `feed(remote)` gives it. */
function echoStream() {
  const audio = new AudioContext();
  const out = audio.createMediaStreamDestination();
  const delay = new DelayNode(audio, { delayTime: 0.4 });
  delay.connect(out);
  return {
    stream: out.stream,
    feed: (remote) => audio.createMediaStreamSource(remote).connect(delay),
  };
}

// Waiting for every candidate can take many seconds when one server does not
// answer; what is there shortly after the first relay candidate is enough.
function settleEarly(session, policy) {
  let timer = null;
  session.on("icecandidate", ({ candidate, ready }) => {
    const enough = candidate.type === "relay" || policy !== "relay";
    if (enough && timer === null)
      timer = setTimeout(ready, candidate.type === "relay" ? 150 : 1200);
  });
}

export class Line {
  constructor(account, on, { echo = false } = {}) {
    this.account = account;
    this.on = on;
    this.echo = echo;
    this.media = { policy: "all", transport: "any" };
    this.session = null;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const url = `${scheme}://${location.host}${account.webSocket}` +
      `?token=${encodeURIComponent(account.token)}`;
    this.ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(url)],
      uri: `sip:${account.user}@${account.domain}`,
      password: account.password,
      display_name: account.name,
      register_expires: 60,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 20,
      user_agent: "edge demo phone",
    });
    this.#watch();
  }

  #watch() {
    const { ua, on } = this;
    ua.on("connecting", () => on.registration("connecting", "Connecting"));
    ua.on("connected", () => on.event("WebSocket open"));
    ua.on("disconnected", (e) => {
      on.registration("offline", "Offline");
      on.event(`WebSocket closed${e.code ? ` (${e.code})` : ""}`);
    });
    ua.on("registered", () => {
      on.registration("online", "Registered");
      on.event("registered");
    });
    ua.on("unregistered", () => {
      on.registration("offline", "Not registered");
      on.event("unregistered");
    });
    ua.on("registrationFailed", (e) => {
      on.registration("offline", "Refused");
      on.event(`registration failed: ${e.cause}`);
    });
    ua.on("newRTCSession", ({ session, originator }) => {
      if (this.session && this.session !== session) {
        if (originator === "remote") session.terminate({ status_code: 486 });
        return;
      }
      this.#adopt(session, originator);
    });
  }

  start() { this.ua.start(); }

  /** Unregister and close the socket; resolves when the registrar agreed. */
  async stop() {
    this.hangUp();
    if (this.ua.isRegistered())
      await new Promise((done) => {
        const late = setTimeout(done, 3000);
        this.ua.once("unregistered", () => { clearTimeout(late); done(); });
        this.ua.unregister();
      });
    this.ua.stop();
  }

  #pcConfig() {
    const { policy, transport } = this.media;
    const keep = {
      any: () => true,
      udp: (u) => u.startsWith("turn:") && !u.includes("transport=tcp"),
      tcp: (u) => u.startsWith("turn:") && u.includes("transport=tcp"),
      tls: (u) => u.startsWith("turns:"),
    }[transport];
    const iceServers = this.account.ice.servers
      .map((s) => ({ ...s, urls: s.urls.filter(keep) }))
      .filter((s) => s.urls.length > 0);
    return { iceServers, iceTransportPolicy: policy };
  }

  async #options() {
    this.mirror = this.echo ? echoStream() : null;
    return {
      mediaStream: this.mirror?.stream ?? await microphone(this.on.event),
      mediaConstraints: { audio: true, video: false },
      pcConfig: this.#pcConfig(),
    };
  }

  async call(user) {
    if (this.session) return;
    const options = await this.#options();
    this.ua.call(`sip:${user}@${this.account.domain}`, options);
  }

  async answer() {
    this.session?.answer(await this.#options());
  }

  hangUp() {
    if (this.session && !this.session.isEnded()) this.session.terminate();
  }

  /** Hold or resume by re-INVITE; resolves when the other side agreed. */
  hold(on) {
    return new Promise((done) => {
      const ok = on ? this.session.hold({}, done) : this.session.unhold({}, done);
      if (!ok) done();
    });
  }

  mute(on) {
    if (on) this.session.mute({ audio: true });
    else this.session.unmute({ audio: true });
  }

  digit(key) {
    this.session.sendDTMF(key, { transportType: "INFO", duration: 100 });
    this.on.event(`sent key ${key}`);
  }

  get connection() { return this.session?.connection ?? null; }

  #adopt(session, originator) {
    const { on } = this;
    const peer = session.remote_identity;
    const call = {
      incoming: originator === "remote",
      peer: peer.display_name || peer.uri.user,
      since: null, heldByUs: false, heldByPeer: false, muted: false, cause: "",
    };
    this.session = session;
    settleEarly(session, this.media.policy);
    this.#media(session);

    session.on("progress", () => {
      if (!call.incoming) on.event(`${call.peer} is ringing`);
    });
    session.on("confirmed", () => {
      if (call.since) return;
      call.since = Date.now();
      on.call("talking", call);
    });
    for (const [name, held] of [["hold", true], ["unhold", false]])
      session.on(name, (e) => {
        if (e.originator === "local") call.heldByUs = held;
        else call.heldByPeer = held;
        on.event(`${e.originator === "local" ? "we" : call.peer} ${held ? "hold" : "resume"}`);
        on.changed(call);
      });
    for (const [name, muted] of [["muted", true], ["unmuted", false]])
      session.on(name, () => { call.muted = muted; on.changed(call); });
    session.on("newDTMF", (e) => {
      if (e.originator === "remote") on.digit(e.dtmf.tone);
    });
    const over = (e) => {
      call.cause = e.cause;
      this.session = null;
      this.mirror = null;
      on.call("ended", call);
      on.event(`call ended: ${e.cause} (${e.originator})`);
    };
    session.on("ended", over);
    session.on("failed", over);

    on.call(call.incoming ? "ringing" : "calling", call);
    on.event(call.incoming ? `${call.peer} calls` : `calling ${call.peer}`);
    if (this.echo && call.incoming) this.answer();
  }

  #media(session) {
    const attach = (connection) => {
      connection.addEventListener("track", (e) => {
        const stream = e.streams[0] ?? new MediaStream([e.track]);
        this.on.stream(stream, { quiet: this.echo });
        this.mirror?.feed(stream);
      });
      connection.addEventListener("iceconnectionstatechange", () => {
        this.on.event(`ICE ${connection.iceConnectionState}`);
      });
    };
    if (session.connection) attach(session.connection);
    else session.on("peerconnection", (e) => attach(e.peerconnection));
  }
}
