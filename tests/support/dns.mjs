// SPDX-License-Identifier: MIT
// A small name server: the records of a test, over UDP, and what was asked.

import dgram from "node:dgram";

const types = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33, NAPTR: 35 };
const nameOf = Object.fromEntries(Object.entries(types).map(([name, code]) => [code, name]));

function name(text) {
  const labels = text.split(".").filter(Boolean);
  return Buffer.concat([...labels.map((l) => Buffer.concat([Buffer.from([l.length]), Buffer.from(l)])), Buffer.alloc(1)]);
}

const u16 = (...values) => Buffer.from(values.flatMap((v) => [v >> 8, v & 255]));
const u32 = (...values) => Buffer.concat(values.map((v) => u16(v >>> 16, v & 65535)));
const string = (text) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);

function ipv6(text) {
  const [head, tail] = text.split("::").map((part) => part.split(":").filter(Boolean));
  const groups = tail ? [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail] : head;
  return u16(...groups.map((g) => parseInt(g, 16)));
}

function data(type, d) {
  switch (type) {
  case "A": return Buffer.from(d.split(".").map(Number));
  case "AAAA": return ipv6(d);
  case "CNAME": return name(d);
  case "SRV": return Buffer.concat([u16(d[0], d[1], d[2]), name(d[3])]);
  case "NAPTR": return Buffer.concat([u16(d[0], d[1]), string(d[2]), string(d[3]), string(d[4] ?? ""), name(d[5])]);
  default: throw new Error(type);
  }
}

function question(packet) {
  const labels = [];
  let at = 12;
  while (packet[at]) {
    labels.push(packet.toString("latin1", at + 1, at + 1 + packet[at]));
    at += packet[at] + 1;
  }
  return { name: labels.join(".").toLowerCase(), type: nameOf[packet.readUInt16BE(at + 1)], end: at + 5 };
}

/**
 * A name server on a free port of 127.0.0.1. `zone`: rows [name, type, data] or
 * [name, type, data, ttl]; SRV data [priority, weight, port, target], NAPTR
 * [order, preference, flags, service, regexp, replacement].
 * { address, asked: ["SRV _sip._udp.x", …], set(zone), silent, stop() }
 */
export async function startDns(zone = []) {
  const socket = dgram.createSocket("udp4");
  const server = {
    asked: [], silent: false,
    set(rows) { zone = rows; },
    stop: () => new Promise((done) => socket.close(done)),
  };
  socket.on("message", (packet, from) => {
    const q = question(packet);
    server.asked.push(`${q.type} ${q.name}`);
    if (server.silent)
      return;
    const mine = zone.filter((row) => row[0].toLowerCase() === q.name);
    const answers = mine.filter((row) => row[1] === q.type || row[1] === "CNAME");
    const head = Buffer.from(packet.subarray(0, 12));
    u16(0x8180 | (mine.length ? 0 : 3)).copy(head, 2);
    u16(1, answers.length, answers.length ? 0 : 1, 0).copy(head, 4);
    const record = (owner, type, ttl, bytes) =>
      Buffer.concat([owner, u16(types[type], 1), u32(ttl), u16(bytes.length), bytes]);
    const body = answers.map((row) => record(u16(0xC00C), row[1], row[3] ?? 1, data(row[1], row[2])));
    if (!answers.length)
      body.push(record(Buffer.alloc(1), "SOA", 1, Buffer.concat([name("ns"), name("h"), u32(1, 2, 3, 4, 1)])));
    socket.send(Buffer.concat([head, packet.subarray(12, q.end), ...body]), from.port, from.address);
  });
  await new Promise((done) => socket.bind(0, "127.0.0.1", done));
  server.address = `127.0.0.1:${socket.address().port}`;
  return server;
}
