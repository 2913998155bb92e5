// SPDX-License-Identifier: MIT
// An Internet for the tests of the way out, to be run in a network namespace
// that has these addresses: a name server of our own, servers that say where
// they are, and clients on demand (one line of JSON in, one out).

import dgram from "node:dgram";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import readline from "node:readline";
import tls from "node:tls";

const { zone, servers, cert, key } = JSON.parse(process.argv[2]);
const asked = {};    // name → how often
const reached = [];  // addresses that got a connection

// ---- names ----

const bytesOf = (ip) => net.isIPv4(ip) ? Buffer.from(ip.split(".").map(Number)) : Buffer.from(
  new URL(`http://[${ip}]`).hostname.slice(1, -1).split("::").map((half) => half.split(":").filter(Boolean))
    .reduce((all, half, i, halves) => i === 0 ? half : [...all, ...Array(8 - halves[0].length - half.length).fill("0"), ...half], [])
    .map((word) => word.padStart(4, "0")).join(""), "hex");

function answer(query) {
  let at = 12;
  const labels = [];
  for (; query[at]; at += query[at] + 1) labels.push(String(query.subarray(at + 1, at + 1 + query[at])));
  const type = query.readUInt16BE(at + 1);
  const name = labels.join(".").toLowerCase();
  const turns = zone[name];
  const question = query.subarray(12, at + 5);
  const v6 = type === 28;
  if (type === 1) asked[name] = (asked[name] ?? 0) + 1;
  const turn = turns?.[Math.max(0, (asked[name] ?? 1) - 1) % turns.length] ?? [];
  const records = turn.filter((ip) => net.isIPv6(ip) === v6 && (v6 || type === 1)).map((ip) => {
    const head = Buffer.from("c00c00000001000000000000", "hex"); // TTL 0
    head.writeUInt16BE(type, 2);
    const data = bytesOf(ip);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  });
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(turns ? 0x8580 : 0x8583, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, question, ...records]);
}

const dns = dgram.createSocket("udp4");
dns.on("message", (query, from) => dns.send(answer(query), from.port, from.address));
await new Promise((done) => dns.bind(53, "127.0.0.1", done));

// ---- servers ----

for (const host of servers) {
  const server = tls.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\nConnection: close\r\n\r\n${host}`));
  });
  server.on("connection", () => reached.push(host));
  await new Promise((done) => server.listen(443, host, done));
  const echo = net.createServer((socket) => { socket.on("error", () => {}); socket.pipe(socket); });
  echo.on("connection", () => reached.push(host));
  await new Promise((done) => echo.listen(7, host, done));
}

// ---- clients ----

const commands = {
  reached: () => reached.splice(0),
  /** Send bytes, collect until closed (or `until` is in it, or for `ms`). */
  raw({ port, text, from = "127.0.0.1", until, ms = 5000 }) {
    return new Promise((done) => {
      const socket = net.connect({ port, host: "127.0.0.1", localAddress: from });
      let got = "";
      const finish = (closed) => { clearTimeout(timer); socket.destroy(); done({ got, closed }); };
      const timer = setTimeout(() => finish(false), ms);
      socket.on("connect", () => socket.write(text, "latin1"));
      socket.on("data", (part) => { got += part.toString("latin1"); if (until && got.includes(until)) finish(false); });
      socket.on("error", () => {});
      socket.on("close", () => finish(true));
    });
  },
  /** Node's own way: CONNECT, then TLS and a request inside. */
  node({ port, target }) {
    return new Promise((done) => {
      const request = http.request({ host: "127.0.0.1", port, method: "CONNECT", path: target });
      request.on("connect", (response, socket) => {
        if (response.statusCode !== 200) { done({ status: response.statusCode }); socket.destroy(); return; }
        const inner = tls.connect({ socket, servername: target.split(":")[0], rejectUnauthorized: false });
        let text = "";
        inner.on("secureConnect", () => inner.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        inner.on("data", (part) => { text += part; });
        inner.on("close", () => done({ status: 200, text }));
        inner.on("error", (error) => done({ status: 200, text: String(error) }));
      });
      request.on("error", (error) => done({ error: error.code }));
      request.end();
    });
  },
};

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { id, name, args } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ id, result: await commands[name](args ?? {}) })}\n`);
});
lines.on("close", () => process.exit(0));
process.stdout.write(`${JSON.stringify({ id: 0 })}\n`);
