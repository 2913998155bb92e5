// SPDX-License-Identifier: MIT
// Stream routes with ports of their own: TCP and TLS, ended here or behind us.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { once } from "node:events";
import fs from "node:fs";
import http2 from "node:http2";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import { freePort, makeCertificates, runDaemon, scratch, startDaemon, waitFor } from "../support/edge.mjs";

/** A server that says its name and echoes. */
async function echoServer(name, secure) {
  const sockets = new Set();
  const onSocket = (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.write(`${name}:${socket.alpnProtocol || ""}:${socket.servername || ""};`);
    socket.on("data", (part) => socket.write(part));
  };
  const server = secure
    ? tls.createServer({ cert: fs.readFileSync(secure.cert), key: fs.readFileSync(secure.key) }, onSocket)
    : net.createServer(onSocket);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: server.address().port, sockets,
    close() { for (const socket of sockets) socket.destroy(); server.close(); },
  };
}

/** What the server says first, and the socket. */
async function greet(port, options) {
  const socket = options ? tls.connect({ port, host: "127.0.0.1", ...options }) : net.connect(port, "127.0.0.1");
  const closed = new Promise((done) => socket.on("close", done));
  socket.on("error", () => {});
  const first = await Promise.race([
    new Promise((done) => socket.once("data", (data) => done(String(data)))), closed.then(() => "closed")]);
  return { socket, first, closed };
}

describe("stream routes", { concurrency: false }, () => {
  const dir = scratch();
  const ports = {};
  let certs, ca, one, two, secure, grpc, web;

  before(async () => {
    certs = await makeCertificates(path.join(dir, "pki"), { names: ["edge.test", "inner.test"], addresses: [] });
    ca = fs.readFileSync(certs.ca);
    [one, two, secure] = [await echoServer("one"), await echoServer("two"), await echoServer("tls", certs)];
    grpc = http2.createServer();
    grpc.on("stream", (s, headers) => { s.respond({ ":status": 200 }); s.end(`h2 ${headers[":path"]}`); });
    grpc.listen(0, "127.0.0.1");
    await once(grpc, "listening");
    const gone = await freePort();
    for (const name of ["tcp", "tls", "both", "grpc", "idle", "dead", "none"]) ports[name] = await freePort();
    web = await startDaemon("web-proxy", { config: {
      listen: [`tcp:127.0.0.1:${ports.tcp}`, `tls:127.0.0.1:${ports.tls}`, `tls:127.0.0.1:${ports.both}`,
        `tls:127.0.0.1:${ports.grpc}`, `tcp:127.0.0.1:${ports.idle}`, `tcp:127.0.0.1:${ports.dead}`,
        `tcp:127.0.0.1:${ports.none}`],
      certificate: [certs.cert], key: [certs.key], workers: 1,
      upstream: [
        { name: "group", url: [`tcp://127.0.0.1:${one.port}`, `tcp://127.0.0.1:${gone}`, `tcp://127.0.0.1:${two.port}`],
          "max-fails": 1, "out-time": "1h" },
        { name: "one", url: [`tcp://127.0.0.1:${one.port}`] },
        { name: "gone", url: [`tcp://127.0.0.1:${gone}`] },
        { name: "secure", url: [`tls://127.0.0.1:${secure.port}`], "server-name": "inner.test", "ca-file": certs.ca },
        { name: "grpc", url: [`tcp://127.0.0.1:${grpc.address().port}`] },
        { name: "web", url: [`http://127.0.0.1:${one.port}`] },
      ],
      route: ["/=web"],
      stream: [
        { name: "tcp", port: ports.tcp, upstream: "group" },
        { name: "tls", port: ports.tls, upstream: "one" },
        { name: "both", port: ports.both, upstream: "secure" },
        { name: "grpc", port: ports.grpc, upstream: "grpc", alpn: ["h2"] },
        { name: "idle", port: ports.idle, upstream: "one", "idle-timeout": "300ms" },
        { name: "dead", port: ports.dead, upstream: "gone" },
      ] } });
  });
  after(async () => {
    for (const server of [one, two, secure, grpc]) server?.close();
    const how = await web?.stop();
    assert.equal(how.code, 0, web.log());
  });

  const stream = async (name) => (await web.status()).streams.find((s) => s.name === name);

  test("servers take turns; one that is dead is passed over and taken out", async () => {
    const seen = [];
    for (let i = 0; i < 6; i++) {
      const { socket, first } = await greet(ports.tcp);
      seen.push(first.split(":")[0]);
      socket.destroy();
    }
    assert.equal(seen.filter((s) => s === "one").length + seen.filter((s) => s === "two").length, 6);
    assert.ok(seen.includes("one") && seen.includes("two"));
    const { servers } = (await web.status()).upstreams.find((u) => u.name === "group");
    assert.deepEqual(servers.map((s) => s.state), ["up", "ejected", "up"]);
    assert.equal((await stream("tcp")).no_server, 0);
  });

  test("TLS ends here", async () => {
    const { socket, first } = await greet(ports.tls, { servername: "edge.test", ca });
    assert.equal(first, "one::;");
    socket.write("x".repeat(100000));
    let got = 0;
    for await (const part of socket) if ((got += part.length) === 100000) break;
    socket.destroy();
  });

  test("TLS to the server, whose name is checked", async () => {
    const { socket, first } = await greet(ports.both, { servername: "edge.test", ca });
    assert.equal(first, "tls::inner.test;");
    socket.destroy();
  });

  test("gRPC's transport: HTTP/2 agreed on and passed on", async () => {
    const client = http2.connect(`https://edge.test:${ports.grpc}`, {
      ca, createConnection: () => tls.connect({ port: ports.grpc, host: "127.0.0.1", servername: "edge.test", ca, ALPNProtocols: ["h2"] }) });
    const request = client.request({ ":path": "/svc/Method" });
    let text = "";
    request.setEncoding("utf8");
    for await (const part of request) text += part;
    assert.equal(text, "h2 /svc/Method");
    client.close();
    const other = tls.connect({ port: ports.grpc, host: "127.0.0.1", servername: "edge.test", ca, ALPNProtocols: ["spdy/1"] });
    const [error] = await once(other, "error");
    assert.match(error.message, /no application protocol/i);
  });

  test("nothing for too long ends it", async () => {
    const { first, closed } = await greet(ports.idle);
    assert.equal(first, "one::;");
    await closed;
    assert.equal((await stream("idle")).idle, 1);
  });

  test("no server, no connection", async () => {
    assert.equal((await greet(ports.dead)).first, "closed");
    assert.equal((await stream("dead")).no_server, 1);
    assert.equal((await greet(ports.none)).first, "closed");
  });

  test("nothing is left", async () => {
    await waitFor(async () => {
      const { streams, stats } = await web.status();
      return streams.every((s) => s.open === 0) && stats.streams === 0;
    });
    const all = await stream("tls");
    assert.equal(all.bytes_in, 100000);
    assert.equal(all.bytes_out, 100000 + "one::;".length);
  });
});

test("settings that cannot be are refused with what is wrong", async () => {
  const base = ["--check", "--listen", "tcp:127.0.0.1:9000", "--upstream", "t=tcp://127.0.0.1:1",
    "--upstream", "h=http://127.0.0.1:2", "--route", "/=h"];
  const cases = [
    [["--stream", "a=x,port=9000"], /stream\[0\]\.upstream.*no upstream "x"/],
    [["--stream", "a=h,port=9000"], /stream\[0\]\.upstream.*"h" is not tcp:\/\/ or tls:\/\//],
    [["--stream", "a=t,port=9001"], /stream\[0\]\.port.*no listener tcp: or tls: has port 9001/],
    [["--stream", "a=t,port=9000", "--stream", "b=t,port=9000"], /stream\[1\]\.port.*9000 is there twice/],
    [["--stream", "a=t,port=9000", "--stream", "a=t"], /stream\[1\]\.name.*"a" is there twice/],
    [["--stream", "a=t,port=9000,alpn=h2"], /stream\[0\]\.port.*is not tls/],
    [["--stream", "a=t,server-names=x"], /stream\[0\]\.port.*no listener shared/],
    [["--stream", "a=t"], /stream\[0\]\.server-names.*chooses nothing/],
    [["--stream", "a=t,alpn=http/1.1"], /stream\[0\]\.alpn.*would take HTTPS away/],
    [["--stream", "a=t,server-names=UPPER"], /stream\[0\]\.server-names.*not a host name/],
    [["--route", "/x=t"], /route\[1\]\.upstream.*"t" is for streams/],
  ];
  for (const [args, expected] of cases) {
    const { code, stderr } = await runDaemon("web-proxy", [...base, ...args]);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, expected, args.join(" "));
  }
});
