// SPDX-License-Identifier: MIT
// `edgectl check` and the wrong servers its findings are provoked by.

import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import path from "node:path";
import { buildDir, runProgram, slow } from "./edge.mjs";

export const edgectl = path.join(buildDir, "deploy/edgectl/edgectl");

/** What it found: { code, lines, ok: [id…], bad: [id…] }. `before`: words that run it elsewhere. */
export async function checkFrom(before, ...args) {
  const [file, ...words] = [...before, edgectl, "check", "--json", ...args];
  const out = await runProgram(file, words, { timeout: 60000 * slow });
  assert.ok(out.code === 0 || out.code === 1, `${out.code}: ${out.stderr}`);
  const lines = JSON.parse(out.stdout);
  return {
    code: out.code,
    lines,
    ok: lines.filter((l) => l.state === "ok").map((l) => l.id),
    bad: lines.filter((l) => l.state !== "ok").map((l) => l.id),
  };
}

export const check = (...args) => checkFrom([], ...args);

export async function udpSocket(port = 0, host = "127.0.0.1") {
  const socket = dgram.createSocket("udp4");
  socket.bind(port, host);
  await once(socket, "listening");
  return socket;
}

/** A media server: SIP is answered with this status, anything else with itself. */
export async function fakeMediaServer(status = 200) {
  const socket = await udpSocket();
  socket.on("message", (packet, from) => {
    const head = packet.toString().split("\r\n\r\n")[0].split("\r\n");
    if (!/ SIP\/2\.0$/.test(head[0])) {
      socket.send(packet, from.port, from.address);
      return;
    }
    const kept = head.filter((line) => /^(via|from|to|call-id|cseq)\s*:/i.test(line))
      .map((line) => (/^to\s*:/i.test(line) && !/;tag=/.test(line) ? `${line};tag=media` : line));
    socket.send([`SIP/2.0 ${status} Yes`, ...kept, "Content-Length: 0", "", ""].join("\r\n"), from.port, from.address);
  });
  return socket;
}

/* ---- STUN and TURN ---- */

const cookie = Buffer.from([0x21, 0x12, 0xa4, 0x42]);

function attribute(type, value) {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

/** "192.0.2.1:80", masked or not. */
function address(text, masked = true) {
  const [ip, port] = text.split(":");
  const bytes = Buffer.from([0, 1, port >> 8, port & 255, ...ip.split(".").map(Number)]);
  const mask = Buffer.concat([Buffer.alloc(2), cookie.subarray(0, 2), cookie]);
  return masked ? bytes.map((b, i) => b ^ mask[i]) : bytes;
}

function peerOf(packet) {
  for (let at = 20; at + 4 <= packet.length;) {
    const [type, length] = [packet.readUInt16BE(at), packet.readUInt16BE(at + 2)];
    if (type === 0x0012) {
      const bytes = packet.subarray(at + 4, at + 12);
      const mask = Buffer.concat([Buffer.alloc(2), cookie.subarray(0, 2), cookie]);
      const [, , high, low, ...ip] = bytes.map((b, i) => b ^ mask[i]);
      return `${ip.join(".")}:${high * 256 + low}`;
    }
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  return undefined;
}

/**
 * A STUN and TURN server over UDP that says what `answer` says: called with
 * { method, known, peer, from }, it returns { code, relayed, mapped, other },
 * addresses as "IP:PORT". ChannelData goes to `onData(channel, data, client)`.
 */
export async function fakeTurn(answer, { onData = () => {} } = {}) {
  const socket = await udpSocket();
  socket.on("message", (packet, from) => {
    if (packet[0] >= 0x40) {
      onData(packet.readUInt16BE(0), packet.subarray(4, 4 + packet.readUInt16BE(2)), from);
      return;
    }
    const method = packet.readUInt16BE(0);
    const { code, relayed, mapped, other } = answer({
      method, known: packet.includes("edgectl"), peer: peerOf(packet), from: `${from.address}:${from.port}` }) ?? {};
    const parts = [];
    if (code) {
      parts.push(attribute(0x0009, Buffer.concat([
        Buffer.from([0, 0, Math.floor(code / 100), code % 100]), Buffer.from("no")])));
      if (code === 401) {
        parts.push(attribute(0x0014, Buffer.from("realm")));
        parts.push(attribute(0x0015, Buffer.from("nonce")));
      }
    }
    if (relayed) parts.push(attribute(0x0016, address(relayed)));
    if (mapped) parts.push(attribute(0x0020, address(mapped)));
    if (other) parts.push(attribute(0x802c, address(other, false)));
    const head = Buffer.from(packet.subarray(0, 20));
    head.writeUInt16BE(method | (code ? 0x0110 : 0x0100));
    head.writeUInt16BE(parts.reduce((n, p) => n + p.length, 0), 2);
    socket.send(Buffer.concat([head, ...parts]), from.port, from.address);
  });
  return socket;
}

/** ChannelData to the client of a fakeTurn. */
export function sendChannel(socket, channel, data, { port, address: host }) {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(channel);
  head.writeUInt16BE(data.length, 2);
  socket.send(Buffer.concat([head, data]), port, host);
}
