// SPDX-License-Identifier: MIT
// DTLS on turn-server's UDP port: OpenSSL's client, strangers who never show
// a cookie, and clients that do and then fall silent.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import dgram from "node:dgram";
import path from "node:path";
import {
  freePort, makeCertificates, missing, scratch, sleep, startDaemon, waitFor,
} from "../support/edge.mjs";
import { message, parse } from "../support/turn_client.mjs";

const BINDING = 0x0001;
const BINDING_SUCCESS = 0x0101;
const VERIFY_SIZE = 60;

/** A ClientHello in one record, with this cookie. */
function clientHello(mark, cookie = Buffer.alloc(0)) {
  const seq = cookie.length ? 1 : 0;
  // Extensions that let the handshake go on: curves, point format, signatures.
  const extensions = Buffer.from("000a00060004001d0017" + "000b00020100" + "000d0006000404030401", "hex");
  const body = Buffer.concat([
    Buffer.from([0xfe, 0xfd]), Buffer.alloc(32, mark), Buffer.from([0, cookie.length]), cookie,
    Buffer.from([0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]),
    Buffer.from([0, extensions.length]), extensions,
  ]);
  const head = Buffer.alloc(25);
  head.writeUInt8(22, 0);
  head.writeUInt16BE(0xfefd, 1);
  head.writeUInt32BE(seq, 7);
  head.writeUInt16BE(body.length + 12, 11);
  head.writeUInt32BE(0x01000000 + body.length, 13);
  head.writeUInt16BE(seq, 17);
  head.writeUInt16BE(body.length, 23);
  return Buffer.concat([head, body]);
}

/** A UDP socket that keeps what it gets. */
async function socket(port) {
  const s = dgram.createSocket("udp4");
  const got = [];
  s.on("message", (m) => got.push(m));
  await new Promise((done) => s.connect(port, "127.0.0.1", done));
  return { send: (m) => s.send(m), got, close: () => s.close() };
}

describe("DTLS", { concurrency: false }, () => {
  const dir = scratch();
  let port;
  let made;
  let turn;
  const sockets = [];
  const stats = async () => (await turn.status()).stats;

  before(async () => {
    made = await makeCertificates(path.join(dir, "pki"));
    port = await freePort();
    turn = await startDaemon("turn-server", {
      config: {
        listen: [`udp:127.0.0.1:${port}`],
        "relay-address": ["127.0.0.1"],
        certificate: made.cert,
        key: made.key,
        "drain-time": "1s",
        workers: 1,
      },
    });
  });
  after(async () => {
    for (const s of sockets) s.close();
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  test("OpenSSL's client learns its address", { skip: missing("openssl") }, async () => {
    const tid = Buffer.alloc(12, 7);
    const client = spawn("openssl", ["s_client", "-dtls1_2", "-quiet", "-no_ign_eof", "-alpn", "stun.turn",
      "-CAfile", made.ca, "-verify_return_error", "-connect", `127.0.0.1:${port}`]);
    const out = [];
    client.stdout.on("data", (d) => out.push(d));
    client.stdin.write(message(BINDING, tid, []));
    await waitFor(() => out.length > 0, { what: "an answer through DTLS" });
    const answer = parse(Buffer.concat(out));
    assert.equal(answer.type, BINDING_SUCCESS);
    assert.equal((await stats()).dtls_sessions, 1);
    client.stdin.end(); // says close_notify
    await waitFor(async () => (await stats()).dtls_sessions === 0, { what: "the session to end" });
    const s = await stats();
    assert.equal(s.dtls_handshakes, 1);
    assert.equal(s.dtls_closed_peer, 1);
    assert.equal(s.dtls_bad_records, 0);
  });

  test("strangers are told a cookie, shorter than what they sent, and forgotten", async () => {
    const before = await stats();
    const s = await socket(port);
    sockets.push(s);
    for (let i = 0; i < 1000; i++) {
      s.send(clientHello(i & 255));
      if (i % 50 === 49) await sleep(5);
    }
    await waitFor(() => s.got.length > 900, { what: "most of the answers" });
    assert.ok(s.got.every((m) => m.length === VERIFY_SIZE));
    assert.ok(clientHello(0).length > VERIFY_SIZE);
    const now = await stats();
    assert.ok(now.dtls_cookies_sent - before.dtls_cookies_sent > 900);
    assert.equal(now.dtls_half_open, 0);
    assert.equal(now.dtls_sessions, 0);
  });

  test("one address holds only so many unfinished handshakes", async () => {
    for (let i = 0; i < 40; i++) {
      const s = await socket(port);
      sockets.push(s);
      s.send(clientHello(i));
      await waitFor(() => s.got.length > 0, { what: "a cookie", every: 2 });
      s.send(clientHello(i, s.got[0].subarray(28)));
    }
    await waitFor(async () => (await stats()).dtls_cookies_good >= 41, { what: "all to be looked at" });
    const now = await stats();
    assert.equal(now.dtls_half_open, 16);
    assert.equal(now.dtls_refused_half_open_source, 24);
    // Nobody else notices.
    const s = await socket(port);
    sockets.push(s);
    s.send(message(BINDING, Buffer.alloc(12, 9), []));
    await waitFor(() => s.got.length > 0, { what: "a plain answer" });
    assert.equal(parse(s.got[0]).type, BINDING_SUCCESS);
  });
});
