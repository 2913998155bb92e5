// SPDX-License-Identifier: MIT
// Frames in, a verdict out, and what the back end got: HTTP/2 requests that two
// programs could read differently, over TLS against the real daemon. Each case
// is a connection of its own.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import { freePort, makeCertificates, scratch, startDaemon } from "../support/edge.mjs";
import { RawH2, block, errors, flag, frame, type } from "../support/h2.mjs";
import { recordingServer } from "../support/web.mjs";

const dir = scratch();
const { END_HEADERS, END_STREAM } = flag;
let backend, proxy, port, ca;

before(async () => {
  const certs = await makeCertificates(dir);
  ca = fs.readFileSync(certs.ca);
  backend = await recordingServer();
  port = await freePort();
  proxy = await startDaemon("web-proxy", {
    config: {
      listen: [`https:127.0.0.1:${port}`], certificate: [certs.cert], key: [certs.key], workers: 1,
      upstream: [`a=http://127.0.0.1:${backend.port}`],
      route: [{ path: "/", upstream: "a" }, { path: "/ws", upstream: "a", websocket: "yes" },
        { path: "/token", upstream: "a", token: "format" }, { path: "/tiny", upstream: "a", "body-size": "4" }],
    },
  });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
});

/** The four pseudo-header fields, some of them otherwise (null: without). */
function head(other = {}, ...fields) {
  const all = { ":method": "GET", ":scheme": "https", ":authority": "edge.test", ":path": "/", ...other };
  return [...Object.entries(all).filter(([, value]) => value !== null), ...fields];
}

const headers = (fields, flags = END_HEADERS | END_STREAM) => frame(type.HEADERS, flags, 1, block(fields));
const data = (text, flags = END_STREAM) => frame(type.DATA, flags, 1, Buffer.from(text));
const open = END_HEADERS;

/* A stream that is refused: 400, or RST_STREAM PROTOCOL_ERROR. */
const bad = "bad";
const refusals = [
  // Pseudo-header fields (RFC 9113 8.3).
  ["no method", head({ ":method": null })],
  ["no scheme", head({ ":scheme": null })],
  ["no path", head({ ":path": null })],
  ["an empty path", head({ ":path": "" })],
  ["no authority and no host", head({ ":authority": null })],
  ["an empty authority", head({ ":authority": "" })],
  ["a method twice", head({}, [":method", "POST"])],
  ["a path twice", head({}, [":path", "/other"])],
  ["a scheme twice", head({}, [":scheme", "http"])],
  ["an authority twice", head({}, [":authority", "other.test"])],
  ["a pseudo-header field behind a field", head({ ":path": null }, ["a", "b"], [":path", "/"])],
  ["an unknown one", head({}, [":foo", "bar"])],
  ["one of answers", head({}, [":status", "200"])],
  [":protocol without CONNECT", head({}, [":protocol", "websocket"])],
  ["a name with nothing behind its colon", head({}, [":", "x"])],
  // Their values.
  ["another scheme", head({ ":scheme": "http" })],
  ["a scheme that is none", head({ ":scheme": "https://evil.test/?" })],
  ["a scheme in upper case", head({ ":scheme": "HTTPS" })],
  ["a path without slash", head({ ":path": "index.html" })],
  ["an absolute path", head({ ":path": "https://edge.test/" })],
  ["an asterisk with GET", head({ ":path": "*" })],
  ["a space in the path", head({ ":path": "/a HTTP/1.1" })],
  ["a request in the path", head({ ":path": "/ HTTP/1.1\r\nHost: evil\r\n\r\nGET /x" })],
  ["a NUL in the path", head({ ":path": "/a\0b" })],
  ["a tab in the path", head({ ":path": "/a\tb" })],
  ["a fragment in the path", head({ ":path": "/a#b" })],
  ["a raw byte in the path", head({ ":path": "/\xff" })],
  ["an escaped slash", head({ ":path": "/a%2fb" })],
  ["an escaped NUL", head({ ":path": "/%00" })],
  ["above the root", head({ ":path": "/../etc" })],
  ["an escaped climb", head({ ":path": "/%2e%2e/etc" })],
  ["a backslash", head({ ":path": "/a\\..\\b" })],
  ["overlong UTF-8", head({ ":path": "/%c0%ae%c0%ae/" })],
  ["a space in the method", head({ ":method": "GET /x" })],
  ["a line in the method", head({ ":method": "GET\r\n" })],
  ["a colon in the method", head({ ":method": "GE:T" })],
  ["a user in the authority", head({ ":authority": "user@edge.test" })],
  ["a path in the authority", head({ ":authority": "edge.test/x" })],
  ["a line in the authority", head({ ":authority": "edge.test\r\nX: y" })],
  ["a port that is none", head({ ":authority": "edge.test:99999" })],
  ["two authorities", head({ ":authority": "edge.test, evil.test" })],
  // Host beside it.
  ["a Host that differs", head({}, ["host", "evil.test"])],
  ["a Host with another port", head({}, ["host", "edge.test:1"])],
  ["two Hosts", head({ ":authority": null }, ["host", "edge.test"], ["host", "evil.test"])],
  ["two equal Hosts", head({}, ["host", "edge.test"], ["host", "edge.test"])],
  ["an empty Host", head({}, ["host", ""])],
  // Fields of a connection (8.2.2).
  ["connection", head({}, ["connection", "close"])],
  ["connection naming a field", head({}, ["connection", "x-forwarded-for"], ["x-forwarded-for", "1"])],
  ["keep-alive", head({}, ["keep-alive", "timeout=5"])],
  ["proxy-connection", head({}, ["proxy-connection", "keep-alive"])],
  ["transfer-encoding", head({}, ["transfer-encoding", "chunked"])],
  ["transfer-encoding in content", head({ ":method": "POST" }, ["transfer-encoding", "chunked"]), "0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["upgrade", head({}, ["upgrade", "websocket"])],
  ["te that is not trailers", head({}, ["te", "gzip"])],
  ["te with more", head({}, ["te", "trailers, chunked"])],
  // Names and values (8.2.1).
  ["a name in upper case", head({}, ["X-Big", "1"])],
  ["one letter in upper case", head({}, ["content-Length", "0"])],
  ["a space in a name", head({}, ["a b", "1"])],
  ["a colon in a name", head({}, ["a:b", "1"])],
  ["an empty name", head({}, ["", "1"])],
  ["a line in a name", head({}, ["a\r\nb", "1"])],
  ["a byte above ASCII in a name", head({}, ["n\xe4me", "1"])],
  ["CR LF in a value", head({}, ["a", "1\r\nx-forwarded-for: 6.6.6.6"])],
  ["CR in a value", head({}, ["a", "1\rb"])],
  ["LF in a value", head({}, ["a", "1\nb"])],
  ["NUL in a value", head({}, ["a", "1\0b"])],
  ["a value that begins with a space", head({}, ["a", " 1"])],
  ["a value that ends with a tab", head({}, ["a", "1\t"])],
  ["a cookie with a line in it", head({}, ["cookie", "a=1\r\nx: y"])],
  // Content-Length (8.1.1).
  ["less content than announced", head({ ":method": "POST" }, ["content-length", "10"]), "12345"],
  ["more content than announced", head({ ":method": "POST" }, ["content-length", "3"]), "12345"],
  ["content after a length of 0", head({ ":method": "POST" }, ["content-length", "0"]), "12345"],
  ["a length without content", head({ ":method": "POST" }, ["content-length", "5"])],
  ["two lengths", head({ ":method": "POST" }, ["content-length", "5"], ["content-length", "6"]), "12345"],
  ["two equal lengths", head({ ":method": "POST" }, ["content-length", "5"], ["content-length", "5"]), "12345"],
  ["a list of lengths", head({ ":method": "POST" }, ["content-length", "5, 5"]), "12345"],
  ["a negative length", head({ ":method": "POST" }, ["content-length", "-5"]), "12345"],
  ["a signed length", head({ ":method": "POST" }, ["content-length", "+5"]), "12345"],
  ["a hexadecimal length", head({ ":method": "POST" }, ["content-length", "0x5"]), "12345"],
  ["a huge length", head({ ":method": "POST" }, ["content-length", "99999999999999999999"]), "12345"],
  // CONNECT, plain and extended.
  ["CONNECT with a path", head({ ":method": "CONNECT" })],
  ["CONNECT without authority", [[":method", "CONNECT"]]],
  ["an extended CONNECT without path", head({ ":method": "CONNECT", ":path": null }, [":protocol", "websocket"])],
  ["an extended CONNECT without authority", head({ ":method": "CONNECT", ":authority": null, ":path": "/ws" }, [":protocol", "websocket"], ["host", "edge.test"])],
  ["an extended CONNECT with a length", head({ ":method": "CONNECT", ":path": "/ws" }, [":protocol", "websocket"], ["sec-websocket-version", "13"], ["content-length", "5"]), "12345"],
  // By the gate.
  ["CONNECT", [[":method", "CONNECT"], [":authority", "inside.test:22"]], undefined, 405],
  ["TRACE", head({ ":method": "TRACE" }), undefined, 405],
  ["another :protocol", head({ ":method": "CONNECT", ":path": "/ws" }, [":protocol", "connect-udp"]), undefined, 501],
  ["no token", head({ ":path": "/token" }), undefined, 403],
  ["too much content", head({ ":method": "POST", ":path": "/tiny" }, ["content-length", "5"]), "12345", 413],
  ["another expectation", head({}, ["expect", "magic"]), undefined, 417],
  ["a large field", head({}, ["a", "x".repeat(15000)], ["b", "x".repeat(15000)], ["c", "x".repeat(15000)]), undefined, 431],
  ["many fields", head({}, ...Array.from({ length: 150 }, (_, i) => [`f${i}`, "1"])), undefined, 431],
  ["a long path", head({ ":path": `/${"x".repeat(9000)}` }), undefined, 414],
];

describe("requests that reach nobody", () => {
  for (const [name, fields, content, verdict = bad] of refusals) {
    test(name, async () => {
      const raw = await RawH2.connect(port, ca);
      const heads = block(fields);
      const last = content === undefined ? END_STREAM : 0;
      backend.forget();
      // In frames of at most 16,000 bytes.
      for (let at = 0; at === 0 || at < heads.length; at += 16000) {
        const end = at + 16000 >= heads.length ? END_HEADERS : 0;
        raw.write(frame(at ? type.CONTINUATION : type.HEADERS, end | (at ? 0 : last), 1, heads.subarray(at, at + 16000)));
      }
      if (content !== undefined) raw.write(data(content));
      await raw.until(() => raw.outcome(1).status || raw.outcome(1).reset !== undefined || raw.outcome(1).goaway);
      const got = raw.outcome(1);
      if (verdict === bad)
        assert.ok(got.status === 400 || got.reset === errors.PROTOCOL_ERROR, JSON.stringify(got));
      else assert.equal(got.status, verdict, JSON.stringify(got));
      // The connection is not to blame; the next request is a request.
      assert.equal(got.goaway, undefined);
      raw.write(frame(type.HEADERS, END_HEADERS | END_STREAM, 3, block(head({ ":path": "/next" }))));
      await raw.until(() => raw.outcome(3).status);
      assert.equal(raw.outcome(3).status, 200);
      // What was begun with content may have been begun, never completed.
      const reached = backend.requests.map((r) => r.line);
      assert.deepEqual(reached, ["GET /next HTTP/1.1"], name);
      assert.ok(!backend.raw().includes("GET /x"));
      raw.destroy();
    });
  }
});

/* What arrives at the back end. */
const passed = [
  ["a plain request", head(), undefined, (r) => assert.equal(r.line, "GET / HTTP/1.1")],
  ["Host in place of an authority", head({ ":authority": null }, ["host", "edge.test"]), undefined,
    (r) => assert.equal(r.value("host"), "edge.test")],
  ["Host beside an equal authority", head({}, ["host", "EDGE.test"]), undefined,
    (r) => assert.equal(r.headers.filter(([n]) => n === "host").length, 1)],
  ["a path in normal form", head({ ":path": "/a/./b//../c?x=%2f" }), undefined,
    (r) => assert.match(r.line, /^GET \/a\/c\?x=%2f HTTP\/1\.1$|^GET \/a\/b\/c\?x=%2f HTTP\/1\.1$/)],
  ["te: trailers stays here", head({}, ["te", "trailers"]), undefined, (r) => assert.equal(r.value("te"), undefined)],
  ["crumbs of cookies", head({}, ["cookie", "a=1"], ["cookie", "b=2"], ["cookie", "c=3"]), undefined,
    (r) => assert.equal(r.value("cookie"), "a=1; b=2; c=3")],
  ["our word about the client", head({}, ["x-forwarded-for", "6.6.6.6"], ["x_forwarded_for", "6.6.6.6"], ["forwarded", "for=6.6.6.6"]), undefined,
    (r) => { assert.equal(r.value("x-forwarded-for"), "127.0.0.1"); assert.ok(!r.head.includes("6.6.6.6")); }],
  ["an underscore twin of a length", head({}, ["content_length", "5"]), undefined, (r) => assert.ok(!r.head.includes("content_length"))],
  ["content with its length", head({ ":method": "POST" }, ["content-length", "5"]), "12345",
    (r) => assert.deepEqual([r.value("content-length"), r.body], ["5", "12345"])],
  ["content without a length", head({ ":method": "POST" }), "12345",
    (r) => assert.deepEqual([r.value("transfer-encoding"), r.body], ["chunked", "5\r\n12345\r\n0\r\n\r\n"])],
  ["content that looks like a request", head({ ":method": "POST" }), "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    (r) => assert.ok(r.body.startsWith("1c\r\nGET /x"))],
  ["POST without content", head({ ":method": "POST" }), undefined, (r) => assert.equal(r.value("content-length"), "0")],
  ["a length of 0", head({ ":method": "POST" }, ["content-length", "0"]), "", (r) => assert.equal(r.value("content-length"), "0")],
  ["a key of a WebSocket that is none", head({}, ["sec-websocket-key", "x"]), undefined,
    (r) => assert.equal(r.value("sec-websocket-key"), undefined)],
  ["http2-settings", head({}, ["http2-settings", "AAMAAABk"]), undefined, (r) => assert.equal(r.value("http2-settings"), undefined)],
];

describe("requests that pass", () => {
  for (const [name, fields, content, look] of passed) {
    test(name, async () => {
      const raw = await RawH2.connect(port, ca);
      backend.forget();
      raw.write(headers(fields, content === undefined ? open | END_STREAM : open));
      if (content !== undefined) raw.write(data(content));
      await raw.until(() => raw.outcome(1).status);
      assert.equal(raw.outcome(1).status, 200);
      assert.equal(backend.requests.length, 1);
      look(backend.requests[0]);
      raw.destroy();
    });
  }
});

/* Errors of the connection: GOAWAY with a code, and the end. */
const id = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const flood = (n, ...one) => Buffer.concat(Array.from({ length: n }, () => frame(...one)));
const fatal = [
  ["DATA on stream 0", frame(type.DATA, 0, 0, Buffer.from("x")), errors.PROTOCOL_ERROR],
  ["DATA on an idle stream", frame(type.DATA, 0, 5, Buffer.from("x")), errors.PROTOCOL_ERROR],
  ["a stream's number used twice", Buffer.concat([5, 3].map((n) => frame(type.HEADERS, END_HEADERS | END_STREAM, n, block(head())))), errors.STREAM_CLOSED],
  ["HEADERS on an even stream", frame(type.HEADERS, END_HEADERS | END_STREAM, 2, block(head())), errors.PROTOCOL_ERROR],
  ["a frame in the middle of a head", Buffer.concat([headers(head(), END_STREAM), frame(type.PING, 0, 0, Buffer.alloc(8))]), errors.PROTOCOL_ERROR],
  ["CONTINUATION of another stream", Buffer.concat([headers(head(), END_STREAM), frame(type.CONTINUATION, END_HEADERS, 3)]), errors.PROTOCOL_ERROR],
  ["CONTINUATION of nothing", frame(type.CONTINUATION, END_HEADERS, 1, block(head())), errors.PROTOCOL_ERROR],
  ["an HPACK index of nothing", frame(type.HEADERS, END_HEADERS | END_STREAM, 1, Buffer.from([0xff, 0x7f])), errors.COMPRESSION_ERROR],
  ["a frame that is too long", frame(type.DATA, 0, 1, Buffer.alloc(16385)), errors.FRAME_SIZE_ERROR],
  ["SETTINGS of 5 bytes", frame(type.SETTINGS, 0, 0, Buffer.alloc(5)), errors.FRAME_SIZE_ERROR],
  ["a window beyond 2^31", frame(type.WINDOW_UPDATE, 0, 0, id(0x7fffffff)), errors.FLOW_CONTROL_ERROR],
  ["a window update of 0", frame(type.WINDOW_UPDATE, 0, 0, id(0)), errors.PROTOCOL_ERROR],
  ["a push from a client", frame(type.PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([id(2), block(head())])), errors.PROTOCOL_ERROR],
  ["PRIORITY on stream 0", frame(type.PRIORITY, 0, 0, Buffer.alloc(5)), errors.PROTOCOL_ERROR],
  ["a flood of PING", flood(3000, type.PING, 0, 0, Buffer.alloc(8)), errors.ENHANCE_YOUR_CALM],
  ["a flood of SETTINGS", flood(3000, type.SETTINGS, 0, 0), errors.ENHANCE_YOUR_CALM],
  ["a flood of PRIORITY", flood(3000, type.PRIORITY, 0, 3, Buffer.from([0, 0, 0, 0, 1])), errors.ENHANCE_YOUR_CALM],
  ["a flood of empty DATA", Buffer.concat([headers(head({ ":method": "POST" }), open), flood(3000, type.DATA, 0, 1)]), errors.ENHANCE_YOUR_CALM],
  ["a flood of window updates", flood(3000, type.WINDOW_UPDATE, 0, 0, id(1)), errors.ENHANCE_YOUR_CALM],
  ["a flood of unknown frames", flood(3000, 0x77, 0, 0), errors.ENHANCE_YOUR_CALM],
  ["CONTINUATIONs without end", Buffer.concat([headers(head(), END_STREAM), flood(2000, type.CONTINUATION, 0, 1, block([["a", "b"]]))]), errors.ENHANCE_YOUR_CALM],
  ["a header bomb", Buffer.concat([frame(type.HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([
    Buffer.from([0x40, 1, 0x61, 0x7f, 0x81, 0x1e]), Buffer.alloc(4000, "x"), Buffer.alloc(10000, 0xbe)]))]), errors.ENHANCE_YOUR_CALM],
  ["rapid reset", Buffer.concat(Array.from({ length: 1000 }, (_, i) => Buffer.concat([
    frame(type.HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, block(head())),
    frame(type.RST_STREAM, 0, 1 + 2 * i, id(errors.CANCEL))]))), errors.ENHANCE_YOUR_CALM],
  ["made you reset", Buffer.concat(Array.from({ length: 1000 }, (_, i) =>
    frame(type.HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, block(head({ ":path": null }))))), errors.ENHANCE_YOUR_CALM],
];

describe("connections that are ended", () => {
  for (const [name, bytes, code] of fatal) {
    test(name, async () => {
      const raw = await RawH2.connect(port, ca);
      raw.write(bytes);
      await raw.until(() => raw.closed);
      // The GOAWAY may be lost when the end overtakes what we still send.
      const { goaway } = raw.outcome(1);
      assert.ok(goaway === code || goaway === undefined && bytes.length > 16384, `${goaway}`);
      raw.destroy();
    });
  }

  test("each is counted by its reason", async () => {
    const metrics = await proxy.metrics();
    for (const reason of ["protocol", "resets", "frames", "continuations", "headers"])
      assert.ok(Number(metrics.match(new RegExp(`h2_closed_total\\{reason="${reason}"\\} (\\d+)`))[1]) > 0, reason);
    assert.match(metrics, /web_proxy_h2_open_streams 0\n/);
  });
});
