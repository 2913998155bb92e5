// SPDX-License-Identifier: MIT
// Back ends and raw clients for the tests of web-proxy.

import http from "node:http";
import net from "node:net";
import tls from "node:tls";
import { once } from "node:events";

/**
 * A back end that keeps every byte it was sent. It takes requests apart on its
 * own simple terms (a head up to the empty line, Content-Length or chunks) and
 * answers each with 200 and "ok".
 *
 * requests: [{ head, body, line, headers }] in the order of arrival.
 */
export async function recordingServer() {
  const requests = [];
  const sockets = new Set();
  let connections = 0;
  let raw = "";

  const server = net.createServer((socket) => {
    let data = "";
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.setEncoding("latin1");
    socket.on("data", (part) => {
      raw += part;
      data += part;
      for (;;) {
        const taken = takeRequest(data);
        if (!taken) return;
        data = data.slice(taken.length);
        requests.push(taken.request);
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: server.address().port,
    requests,
    raw: () => raw,
    connections: () => connections,
    forget() { requests.length = 0; raw = ""; },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function takeRequest(data) {
  const end = data.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const head = data.slice(0, end + 4);
  const [line, ...fields] = head.trimEnd().split("\r\n");
  const headers = fields.map((f) => {
    const colon = f.indexOf(":");
    return [f.slice(0, colon).toLowerCase(), f.slice(colon + 1).trim()];
  });
  const value = (name) => headers.find(([n]) => n === name)?.[1];
  let length = head.length;
  if (/chunked/i.test(value("transfer-encoding") ?? "")) {
    const last = data.indexOf("0\r\n\r\n", length);
    if (last < 0) return null;
    length = last + 5;
  } else if (value("content-length")) {
    length += Number(value("content-length"));
    if (data.length < length) return null;
  }
  return { length, request: { head, line, headers, value, body: data.slice(head.length, length) } };
}

/** An ordinary HTTP back end on a free port. */
export async function httpServer(handler, options = {}) {
  const server = http.createServer(options, handler);
  server.listen(0, options.host ?? "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    port: server.address().port,
    close() {
      server.closeAllConnections?.();
      server.close();
    },
  };
}

/**
 * Send bytes (latin1 text) on a connection of their own and collect what comes
 * back, until the peer closes, `answers` final answers are there and nothing
 * follows for a moment, or the time is over.
 */
export async function rawExchange(port, text, { answers = 1, timeout = 3000, quiet = 40, ca } = {}) {
  const socket = ca
    ? tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca })
    : net.connect(port, "127.0.0.1");
  let data = "";
  let closed = false;
  socket.setEncoding("latin1");
  socket.on("error", () => {});
  return new Promise((done) => {
    let calm;
    const finish = () => {
      clearTimeout(calm);
      clearTimeout(late);
      socket.destroy();
      done({ text: data, statuses: statusesOf(data), closed });
    };
    const late = setTimeout(finish, timeout);
    socket.on(ca ? "secureConnect" : "connect", () => socket.write(text, "latin1"));
    socket.on("data", (part) => {
      data += part;
      if (statusesOf(data).filter((s) => s >= 200).length >= answers) {
        clearTimeout(calm);
        calm = setTimeout(finish, quiet);
      }
    });
    socket.on("close", () => { closed = true; finish(); });
  });
}

/** The status codes of the answers in a byte stream (bodies here are small and plain). */
export function statusesOf(text) {
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map((m) => Number(m[1]));
}
