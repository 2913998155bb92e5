// SPDX-License-Identifier: MIT
// JsSIP without a browser: its WebSocket is npm's ws, and its media engine one
// that makes offers and answers and sends nothing. The signalling is JsSIP's.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import WebSocket from "ws";

const require = createRequire(import.meta.url);

function description(direction = "sendrecv") {
  // As long as a browser's offer with candidates: more than one datagram holds.
  const candidates = Array.from({ length: 40 }, (_, i) =>
    `a=candidate:${i} 1 udp ${2122260223 - i} 192.0.2.${i} ${50000 + i} typ host generation 0 network-id 1`);
  return ["v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:0", `a=${direction}`,
    "a=rtpmap:111 opus/48000/2", "a=fingerprint:sha-256 " + "AB:".repeat(31) + "AB",
    ...candidates, ""].join("\r\n");
}

class PeerConnection extends EventTarget {
  iceGatheringState = "complete";
  iceConnectionState = "new";
  signalingState = "stable";
  localDescription = null;

  async createOffer() {
    return { type: "offer", sdp: description() };
  }
  async createAnswer() {
    return { type: "answer", sdp: description() };
  }
  async setLocalDescription(d) {
    this.localDescription = d;
    this.signalingState = d.type === "offer" ? "have-local-offer" : "stable";
  }
  async setRemoteDescription(d) {
    this.signalingState = d.type === "offer" ? "have-remote-offer" : "stable";
  }
  addTrack() {}
  getSenders() {
    return [];
  }
  close() {
    this.signalingState = "closed";
  }
}

globalThis.window = globalThis;
globalThis.WebSocket = WebSocket;
globalThis.RTCPeerConnection = PeerConnection;
globalThis.RTCSessionDescription = class {
  constructor({ type, sdp }) {
    Object.assign(this, { type, sdp });
  }
};

export const JsSIP = require("jssip");

/** What a call needs instead of a microphone. */
export const media = { getTracks: () => [], getAudioTracks: () => [], getVideoTracks: () => [] };

/** Wait for an event of a UA or a session; `fails` are those that must not come. */
export function event(emitter, name, { fails = [], timeout = 8000 } = {}) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`${name}: not within ${timeout} ms`)), timeout);
    emitter.on(name, (e) => {
      clearTimeout(timer);
      done(e);
    });
    for (const bad of fails)
      emitter.on(bad, (e) => {
        clearTimeout(timer);
        fail(new Error(`${bad} instead of ${name}: ${e?.cause ?? ""}`));
      });
  });
}

/** One UA calls another; both sessions, once confirmed. */
export async function connectCall(caller, callee, to) {
  const incoming = event(callee, "newRTCSession");
  const out = caller.call(to, { mediaStream: media });
  const confirmed = event(out, "confirmed", { fails: ["failed"] });
  const { session } = await incoming;
  const theirs = event(session, "confirmed", { fails: ["failed"] });
  session.answer({ mediaStream: media });
  await Promise.all([confirmed, theirs]);
  return { out, session };
}

/** One that refuses, and one whose caller gives up while it rings. */
export async function callInVain(caller, callee, to) {
  callee.once("newRTCSession", ({ session }) => session.terminate({ status_code: 486 }));
  const busy = caller.call(to, { mediaStream: media });
  assert.equal((await event(busy, "failed")).cause, "Busy");

  const ringing = event(callee, "newRTCSession");
  const out = caller.call(to, { mediaStream: media });
  const { session } = await ringing;
  const gone = event(session, "failed");
  await event(out, "progress");
  out.terminate();
  assert.equal((await gone).cause, "Canceled");
}
