// SPDX-License-Identifier: MIT
// SIP over TCP, TLS and wss: clients outside, media servers inside.

import assert from "node:assert/strict";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { freePort, makeCertificates, scratch, sleep, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipStream, SipWs, request, respond, token, uriOf } from "../support/sip.mjs";

after(() => setTimeout(() => process.exit(), 500).unref());

function registration(user, via, contact, more = {}) {
  return request("REGISTER", "sip:default", { via, contact: `<${contact}>;expires=60`,
    from: `<sip:${user}@default>;tag=${token(4)}`, to: `<sip:${user}@default>`, ...more });
}

/** A media server on TCP or TLS: answers, and keeps what else comes. */
async function streamServer(secure, { silent = false } = {}) {
  const inbox = [];
  const streams = new Set();
  const onConnection = (socket) => {
    const stream = new SipStream(socket, (m) => {
      inbox.push(m);
      if (silent || !m.method || m.method === "ACK") return false;
      const headers = m.method === "REGISTER"
        ? [`Contact: ${m.one("contact")}`, ...m.all("path").map((p) => `Path: ${p}`)]
        : [`Contact: <sip:127.0.0.1:${server.address().port};transport=${secure ? "tls" : "tcp"}>`];
      stream.send(respond(m, 200, "OK", { tag: "srv", headers }));
      return true;
    });
    streams.add(stream);
    socket.on("close", () => streams.delete(stream));
  };
  const server = secure ? tls.createServer(secure, onConnection) : net.createServer(onConnection);
  server.on("tlsClientError", () => {});
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { inbox, streams, port: server.address().port, stop() {
    for (const s of streams) s.socket.destroy();
    return new Promise((done) => server.close(done));
  } };
}

describe("clients on streams", () => {
  let asterisk, proxy, certs, ports;

  before(async () => {
    certs = await makeCertificates(scratch(), {});
    asterisk = await FakeAsterisk.start();
    ports = { tcp: await freePort(), tls: await freePort(), wss: await freePort(), udp: await freePort() };
    proxy = await startDaemon("sip-proxy", { args: [
      "--listen", `tcp:127.0.0.1:${ports.tcp},zone=external`, "--listen", `tls:127.0.0.1:${ports.tls}`,
      "--listen", `wss:127.0.0.1:${ports.wss}`, "--listen", `udp:127.0.0.1:${ports.udp}`,
      "--certificate", certs.cert, "--key", certs.key, "--handshake-timeout", "1s",
      "--stream-idle-timeout", "2s", "--park-time", "0", "--media-server", `default=${asterisk.address}`,
      "--workers", "2"] });
  });
  after(async () => {
    await proxy?.stop();
    asterisk?.stop();
  });

  const edge = () => ({ host: "127.0.0.1", port: ports.udp });

  for (const kind of ["tcp", "tls"]) {
    test(`${kind}: REGISTER, a request down the same connection, 430 when it is closed`, async () => {
      const secure = kind === "tls" ? { ca: fs.readFileSync(certs.ca), servername: "edge.test" } : undefined;
      const phone = await SipStream.open({ port: ports[kind], tls: secure });
      const contact = `sip:${kind}1@127.0.0.1:${phone.port};transport=${kind}`;
      const via = `SIP/2.0/${kind.toUpperCase()} 127.0.0.1:${phone.port}`;
      phone.send(registration(`${kind}1`, via, contact));
      assert.equal((await phone.final("1 REGISTER")).status, 200);
      asterisk.requestTo(`${kind}1`, edge());
      const invite = await phone.request("INVITE");
      assert.equal(invite.uri, contact);
      assert.match(invite.all("record-route")[0], new RegExp(`transport=${kind}`));
      phone.send(respond(invite, 200, "OK", { tag: "p", headers: [`Contact: <${contact}>`] }));
      assert.equal((await asterisk.sip.final(invite.cseq)).status, 200);
      await phone.close();
      await sleep(50);
      const sent = asterisk.requestTo(`${kind}1`, edge(), "MESSAGE");
      assert.equal((await asterisk.sip.next((m) => m.callId === sent.callId && m.status >= 200)).status, 430);
    });
  }

  test("wss carries the same as ws", async () => {
    const socket = tls.connect({ port: ports.wss, host: "127.0.0.1", ca: fs.readFileSync(certs.ca), servername: "edge.test" });
    await new Promise((done) => socket.on("secureConnect", done));
    socket.write("GET /wssip HTTP/1.1\r\nHost: edge.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n");
    const head = await new Promise((done) => socket.once("data", done));
    assert.match(head.toString(), /^HTTP\/1\.1 101 /);
    socket.destroy();
  });

  test("messages in pieces, two in one piece, keep-alives between", async () => {
    const phone = await SipStream.open({ port: ports.tcp });
    const via = `SIP/2.0/TCP 127.0.0.1:${phone.port}`;
    const one = registration("t2", via, "sip:t2@127.0.0.1");
    for (const byte of [one.slice(0, 7), one.slice(7, 100), one.slice(100)]) {
      phone.send(byte);
      await sleep(20);
    }
    assert.equal((await phone.final("1 REGISTER")).status, 200);
    phone.send(`\r\n\r\n${registration("t2", via, "sip:t2@127.0.0.1", { cseq: 2 })}` +
      `\r\n\r\n${registration("t2", via, "sip:t2@127.0.0.1", { cseq: 3 })}`);
    assert.equal((await phone.final("2 REGISTER")).status, 200);
    assert.equal((await phone.final("3 REGISTER")).status, 200);
    await waitFor(() => phone.crlf === 2);
    await phone.close();
  });

  test("a long message in two pieces, a hundred short ones behind it in the second", async () => {
    const phone = await SipStream.open({ port: ports.tcp });
    const via = `SIP/2.0/TCP 127.0.0.1:${phone.port}`;
    const long = registration("t5", via, "sip:t5@127.0.0.1", { body: "x".repeat(60000) });
    phone.send(long.slice(0, 50000));
    await sleep(50);
    let rest = long.slice(50000);
    for (let cseq = 2; cseq <= 101; cseq++)
      rest += registration("t5", via, "sip:t5@127.0.0.1", { cseq });
    phone.send(rest);
    for (let cseq = 1; cseq <= 101; cseq++)
      assert.equal((await phone.final(`${cseq} REGISTER`)).status, 200);
    await phone.close();
  });

  test("what cannot be followed ends the connection; so do silence before and after", async () => {
    const missing = await SipStream.open({ port: ports.tcp });
    missing.send(registration("t3", "SIP/2.0/TCP h", "sip:t3@h", { contentLength: false }));
    await missing.closed;
    const twice = await SipStream.open({ port: ports.tcp });
    twice.send(registration("t3", "SIP/2.0/TCP h", "sip:t3@h", { headers: ["Content-Length: 4"] }));
    await twice.closed;
    const mute = await SipStream.open({ port: ports.tcp });
    const began = Date.now();
    await mute.closed;
    assert.ok(Date.now() - began >= 900);
    const idle = await SipStream.open({ port: ports.tcp });
    idle.send(registration("t4", `SIP/2.0/TCP 127.0.0.1:${idle.port}`, "sip:t4@h"));
    await idle.final();
    await idle.closed;
    await waitFor(async () => /sip_proxy_streams 0\n/.test(await proxy.metrics()));
  });
});

describe("media servers on streams", () => {
  async function edge(servers, args = []) {
    const ws = await freePort(), inner = await freePort();
    const kind = servers[0].match(/=(\w+):/)[1];
    const proxy = await startDaemon("sip-proxy", { args: ["--listen", `ws:127.0.0.1:${ws}`,
      "--listen", `${kind}:127.0.0.1:${inner},zone=internal`, ...servers.flatMap((s) => ["--media-server", s]), ...args] });
    return Object.assign(proxy, { url: `ws://127.0.0.1:${ws}/wssip`, inner });
  }
  const ws = { via: "SIP/2.0/WS a.invalid", from: "<sip:a@default>;tag=1", contact: "<sip:a@a.invalid;transport=ws>" };

  test("TCP: one connection for all, dialogs, and requests on a connection of its own", async () => {
    const server = await streamServer();
    const proxy = await edge([`default=tcp:127.0.0.1:${server.port}`], ["--workers", "2"]);
    const client = await SipWs.open(proxy.url);
    for (let i = 1; i <= 5; i++) {
      client.send(request("REGISTER", "sip:default", { ...ws, to: "<sip:a@default>", cseq: i, callId: "r" }));
      assert.equal((await client.final(`${i} REGISTER`)).status, 200);
    }
    assert.ok(server.streams.size <= 2, "a connection for each worker at most");
    const path = server.inbox.find((m) => m.method === "REGISTER").one("path");
    assert.match(path, new RegExp(`@127\\.0\\.0\\.1:${proxy.inner};transport=tcp;lr>`));

    client.send(request("INVITE", "sip:b@default", { ...ws, to: "<sip:b@default>", callId: "c" }));
    const ok = await client.final("1 INVITE");
    const dialog = { ...ws, to: ok.one("to"), callId: "c", routes: ok.all("record-route").reverse() };
    client.send(request("ACK", uriOf(ok.one("contact")), dialog));
    client.send(request("BYE", uriOf(ok.one("contact")), { ...dialog, cseq: 2 }));
    assert.equal((await client.final("2 BYE")).status, 200);
    await waitFor(() => server.inbox.some((m) => m.method === "ACK"));

    // a request in comes on a connection the media server opens; whichever
    // worker accepts it
    for (let i = 0; i < 6; i++) {
      const back = await SipStream.open({ port: proxy.inner });
      back.send(request("MESSAGE", "sip:a@a.invalid;transport=ws", { via: `SIP/2.0/TCP 127.0.0.1:${back.port}`,
        from: "<sip:s@x>;tag=1", to: "<sip:a@default>", callId: `m${i}`, routes: [path] }));
      const message = await client.request("MESSAGE");
      client.send(respond(message, 200, "OK", { tag: "c" }));
      assert.equal((await back.final("1 MESSAGE")).status, 200);
      await back.close();
    }
    await client.close();
    await proxy.stop();
    await server.stop();
  });

  test("TCP: a server nobody can connect to is followed by the next at once", async () => {
    const server = await streamServer();
    const dead = await freePort();
    const proxy = await edge([`default=tcp:127.0.0.1:${dead}`, `default=tcp:127.0.0.1:${server.port},priority=1`],
      ["--probe-interval", "0", "--server-timeout", "10s"]);
    const client = await SipWs.open(proxy.url);
    const began = Date.now();
    client.send(request("REGISTER", "sip:default", { ...ws, to: "<sip:a@default>" }));
    assert.equal((await client.final("1 REGISTER")).status, 200);
    assert.ok(Date.now() - began < 1000);
    await client.close();
    await proxy.stop();
    await server.stop();
  });

  test("TCP: what a server leaves unanswered when it hangs up goes to the next at once", async () => {
    const server = await streamServer();
    const rude = await streamServer(undefined, { silent: true });
    const proxy = await edge([`default=tcp:127.0.0.1:${rude.port}`, `default=tcp:127.0.0.1:${server.port},priority=1`],
      ["--probe-interval", "0", "--server-timeout", "10s"]);
    const client = await SipWs.open(proxy.url);
    client.send(request("REGISTER", "sip:default", { ...ws, to: "<sip:a@default>" }));
    await waitFor(() => rude.inbox.length === 1);
    const began = Date.now();
    for (const stream of rude.streams) stream.socket.destroy();
    assert.equal((await client.final("1 REGISTER")).status, 200);
    assert.ok(Date.now() - began < 1000);
    await client.close();
    await proxy.stop();
    await rude.stop();
    await server.stop();
  });

  test("TLS: only a server whose certificate our CA signed", async () => {
    const good = await makeCertificates(path.join(scratch(), "a"), {});
    const other = await makeCertificates(path.join(scratch(), "b"), {});
    const read = (c) => ({ cert: fs.readFileSync(c.cert), key: fs.readFileSync(c.key) });
    for (const [certs, status] of [[good, 200], [other, 503]]) {
      const server = await streamServer(read(certs));
      const proxy = await edge([`default=tls:127.0.0.1:${server.port}`],
        ["--server-ca", good.ca, "--certificate", good.cert, "--key", good.key, "--probe-interval", "0"]);
      const client = await SipWs.open(proxy.url);
      client.send(request("REGISTER", "sip:default", { ...ws, to: "<sip:a@default>" }));
      assert.equal((await client.final("1 REGISTER")).status, status);
      assert.equal(server.inbox.length, status === 200 ? 1 : 0);
      await client.close();
      await proxy.stop();
      await server.stop();
    }
  });
});
