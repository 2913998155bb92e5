// SPDX-License-Identifier: MIT
// Runs inside a namespace of netns.mjs: a line of JSON in, a line out.
//
//   listen {protocol, address, port}   note what arrives; true when bound
//   send   {protocol, from, sport, to, port, mark, wait}
//          UDP: one packet that says `mark`; TCP: connect, true when it stood
//   heard  {}                          marks of the packets that arrived

import dgram from "node:dgram";
import net from "node:net";
import readline from "node:readline";

const heard = [];
const bound = new Map();

const sockets = new Map(); // UDP sockets of listen(), to send from as well

function listen({ protocol, address, port }) {
  const key = `${protocol} ${address} ${port}`;
  if (!bound.has(key))
    bound.set(key, new Promise((done) => {
      if (protocol === "udp") {
        const socket = dgram.createSocket(net.isIPv6(address) ? "udp6" : "udp4");
        socket.on("message", (message) => heard.push(message.toString()));
        socket.on("error", () => done(false));
        socket.bind(port, address, () => { sockets.set(key, socket); done(true); });
        return;
      }
      const server = net.createServer((connection) => {
        connection.on("error", () => {});
        connection.end();
      });
      server.once("error", () => done(false));
      server.listen(port, address, () => done(true));
    }));
  return bound.get(key);
}

function send({ protocol, from, sport, to, port, mark, wait }) {
  return new Promise((done) => {
    const own = sockets.get(`${protocol} ${from} ${sport}`);
    if (own) {
      own.send(mark, port, to, () => done(true));
      return;
    }
    if (protocol === "udp") {
      const socket = dgram.createSocket({ type: net.isIPv6(to) ? "udp6" : "udp4", reuseAddr: true });
      const end = (result) => { socket.close(); done(result); };
      socket.once("error", () => end(false));
      // A packet that a rule of this very host drops is an error: no matter.
      socket.bind(sport ?? 0, from, () => socket.send(mark, port, to, () => end(true)));
      return;
    }
    const socket = net.connect({ host: to, port, localAddress: from, localPort: sport });
    const end = (result) => { clearTimeout(timer); socket.destroy(); done(result); };
    const timer = setTimeout(() => end(false), wait);
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

const ops = { listen, send, heard: () => heard.splice(0) };

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, op, ...args } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ id, result: await ops[op](args) })}\n`);
}).on("close", () => process.exit(0));
