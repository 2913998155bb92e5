// SPDX-License-Identifier: MIT
// Stream routes with ports of their own: TCP and TLS, ended here or behind us.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { once } from "node:events";
import fs from "node:fs";
import http2 from "node:http2";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { freePort, makeCertificates, root, runDaemon, scratch, startDaemon, waitFor } from "../support/edge.mjs";

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

const hasV6 = Object.values(os.networkInterfaces()).flat().some((a) => a.address === "::1");

/** A server that keeps the PROXY header (version 2) each connection begins with. */
async function headServer() {
  const heads = [];
  const server = net.createServer((socket) => {
    let head = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (part) => {
      head = Buffer.concat([head, part]);
      if (head.length < 16 || head.length < 16 + head.readUInt16BE(14)) return;
      heads.push(head.subarray(0, 16 + head.readUInt16BE(14)));
      socket.end("seen");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: server.address().port, heads, close: () => server.close() };
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
  let certs, ca, one, two, secure, grpc, heads, web;

  before(async () => {
    certs = await makeCertificates(path.join(dir, "pki"), { names: ["edge.test", "inner.test"], addresses: [] });
    ca = fs.readFileSync(certs.ca);
    [one, two, secure] = [await echoServer("one"), await echoServer("two"), await echoServer("tls", certs)];
    heads = await headServer();
    grpc = http2.createServer();
    grpc.on("stream", (s, headers) => { s.respond({ ":status": 200 }); s.end(`h2 ${headers[":path"]}`); });
    grpc.listen(0, "127.0.0.1");
    await once(grpc, "listening");
    const gone = await freePort();
    for (const name of ["tcp", "tls", "both", "grpc", "idle", "dead", "none", "head", "checked"]) ports[name] = await freePort();
    web = await startDaemon("web-proxy", { config: {
      listen: [`tcp:127.0.0.1:${ports.tcp}`, `tls:127.0.0.1:${ports.tls}`, `tls:127.0.0.1:${ports.both}`,
        `tls:127.0.0.1:${ports.grpc}`, `tcp:127.0.0.1:${ports.idle}`, `tcp:127.0.0.1:${ports.dead}`,
        `tcp:127.0.0.1:${ports.none}`, `tcp:127.0.0.1:${ports.checked}`, `tcp:127.0.0.1:${ports.head}`,
        ...hasV6 ? [`tcp:[::1]:${ports.head}`] : []],
      "proxy-from": ["127.0.0.9/32"],
      certificate: [certs.cert], key: [certs.key], workers: 1,
      upstream: [
        { name: "group", url: [`tcp://127.0.0.1:${one.port}`, `tcp://127.0.0.1:${gone}`, `tcp://127.0.0.1:${two.port}`],
          "max-fails": 1, "out-time": "1h" },
        { name: "checked", url: [`tcp://127.0.0.1:${one.port}`, `tcp://127.0.0.1:${gone}`],
          "check-connect": true, "check-interval": "100ms", "check-fall": 1 },
        { name: "one", url: [`tcp://127.0.0.1:${one.port}`] },
        { name: "gone", url: [`tcp://127.0.0.1:${gone}`] },
        { name: "secure", url: [`tls://127.0.0.1:${secure.port}`], "server-name": "inner.test", "ca-file": certs.ca },
        { name: "head", url: [`tcp://127.0.0.1:${heads.port}`] },
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
        { name: "checked", port: ports.checked, upstream: "checked" },
        { name: "head", port: ports.head, upstream: "head", "send-proxy": true },
      ] } });
  });
  after(async () => {
    for (const server of [one, two, secure, grpc, heads]) server?.close();
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

  /** Connect, say something first if there is something; the header the server got. */
  async function headOf(host, localAddress, first) {
    const socket = net.connect({ port: ports.head, host, localAddress });
    await once(socket, "connect");
    const { localPort } = socket;
    socket.write(first ?? "x");
    await once(socket, "data");
    socket.destroy();
    return { head: heads.heads.at(-1), localPort };
  }

  test("the server is told the client's address and ours", async () => {
    const { head, localPort } = await headOf("127.0.0.1", "127.0.0.3");
    assert.equal(head.length, 28);
    assert.equal(head.subarray(0, 14).toString("hex"), "0d0a0d0a000d0a515549540a2111");
    assert.deepEqual([...head.subarray(16, 24)], [127, 0, 0, 3, 127, 0, 0, 1]);
    assert.equal(head.readUInt16BE(24), localPort);
    assert.equal(head.readUInt16BE(26), ports.head);
  });

  test("the same with IPv6", { skip: hasV6 ? false : "no ::1 here" }, async () => {
    const { head, localPort } = await headOf("::1", "::1");
    assert.equal(head.length, 52);
    assert.equal(head[13], 0x21);
    assert.equal(head.subarray(16, 48).toString("hex"), `${"00".repeat(15)}01`.repeat(2));
    assert.equal(head.readUInt16BE(48), localPort);
  });

  test("who a front end names is who the server is told", async () => {
    const { head } = await headOf("127.0.0.1", "127.0.0.9", "PROXY TCP4 192.0.2.77 192.0.2.1 4711 443\r\nx");
    assert.deepEqual([...head.subarray(16, 20)], [192, 0, 2, 77]);
    assert.equal(head.readUInt16BE(24), 4711);
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

  test("/metrics has a series for each route", async () => {
    const text = await web.metrics();
    assert.match(text, /^web_proxy_stream_taken_total{stream="tcp"} 6$/m);
    assert.match(text, /^web_proxy_stream_ended_total{stream="dead",reason="server"} 1$/m);
    assert.match(text, /^web_proxy_stream_bytes_total{stream="tls",direction="in"} 100000$/m);
    assert.match(text, /^# TYPE web_proxy_stream_open gauge$/m);
  });

  test("connections alone tell who is well", async () => {
    const servers = async () => (await web.status()).upstreams.find((u) => u.name === "checked").servers;
    await waitFor(async () => (await servers()).map((s) => s.state).join() === "up,down");
    for (let i = 0; i < 4; i++) {
      const { socket, first } = await greet(ports.checked);
      assert.equal(first, "one::;");
      socket.destroy();
    }
    assert.equal((await servers())[1].failures, 0, "no client has met it");
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

test("what the README shows is accepted", async () => {
  const dir = scratch();
  const made = await makeCertificates(dir);
  const readme = fs.readFileSync(path.join(root, "web-proxy/README.md"), "utf8");
  const blocks = [...readme.matchAll(/^```json\n(.*?)^```$/gms)].map(([, text]) => text)
    .filter((text) => /"(stream|egress|client-auth)"/.test(text));
  assert.equal(blocks.length, 3);
  for (const block of blocks) {
    const config = JSON.parse(`{${block}}`);
    for (const client of config["client-auth"] ?? []) {
      client["ca-file"] = made.ca;
      delete client["crl-file"];
    }
    config.listen ??= ["https:127.0.0.1:443"];
    config.upstream = [...config.upstream ?? [], "a=http://127.0.0.1:1"];
    Object.assign(config, { certificate: [made.cert], key: [made.key], route: config.route ?? ["/=a"] });
    const file = path.join(dir, "readme.json");
    fs.writeFileSync(file, JSON.stringify(config));
    const { code, stderr } = await runDaemon("web-proxy", ["--check", "--config", file]);
    assert.equal(code, 0, `${block}\n${stderr}`);
  }
});

test("a listener that no stream uses is said", async () => {
  const { code, stderr } = await runDaemon("web-proxy", ["--check", "--listen", "tcp:127.0.0.1:9000",
    "--upstream", "h=http://127.0.0.1:2", "--route", "/=h"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /warning.*listen.*tcp:127\.0\.0\.1:9000: no stream has this port/);
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
