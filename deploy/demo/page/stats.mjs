// SPDX-License-Identifier: MIT
// Turns RTCPeerConnection.getStats() into the few figures people look at.

const candidate = (c) => c && {
  type: c.candidateType,
  protocol: c.relayProtocol ?? c.protocol,
  relayed: c.candidateType === "relay",
  address: c.address ?? c.ip ?? "hidden",
  port: c.port,
  url: c.url ?? "",
};

/** Totals of one connection now; null while there is nothing. */
export async function totals(connection) {
  if (!connection || connection.signalingState === "closed") return null;
  const found = { time: performance.now(), sent: 0, received: 0, lost: 0, jitter: 0,
    rtt: null, energy: 0, seconds: 0, local: null, remote: null };
  const stats = await connection.getStats();
  stats.forEach((s) => {
    if (s.type === "outbound-rtp" && s.kind === "audio") found.sent += s.packetsSent;
    if (s.type === "inbound-rtp" && s.kind === "audio") {
      found.received += s.packetsReceived;
      found.lost += s.packetsLost;
      found.jitter = Math.max(found.jitter, s.jitter * 1000);
      found.energy += s.totalAudioEnergy ?? 0;
      found.seconds += s.totalSamplesDuration ?? 0;
    }
    if (s.type === "transport" && s.selectedCandidatePairId) {
      const pair = stats.get(s.selectedCandidatePairId);
      if (!pair) return;
      found.local = candidate(stats.get(pair.localCandidateId));
      found.remote = candidate(stats.get(pair.remoteCandidateId));
      if (pair.currentRoundTripTime !== undefined)
        found.rtt = pair.currentRoundTripTime * 1000;
    }
  });
  return found;
}

/** What happened between two totals, per second. */
export function rates(before, after) {
  const seconds = (after.time - before.time) / 1000;
  const received = after.received - before.received;
  const lost = Math.max(0, after.lost - before.lost);
  const energy = after.energy - before.energy;
  const heard = after.seconds - before.seconds;
  return {
    sent: Math.max(0, after.sent - before.sent) / seconds,
    received: Math.max(0, received) / seconds,
    jitter: after.jitter,
    loss: received + lost > 0 ? (100 * lost) / (received + lost) : 0,
    level: heard > 0 ? Math.sqrt(Math.max(0, energy / heard)) : 0,
  };
}
