// SPDX-License-Identifier: MIT
// Raw bytes in; the verdict, and what reached the back end, out. What two
// programs could read differently must not pass: each case that is refused
// must leave no byte at the back end.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { freePort, startDaemon } from "../support/edge.mjs";
import { rawExchange, recordingServer } from "../support/web.mjs";

let backend, proxy, port;

before(async () => {
  backend = await recordingServer();
  port = await freePort();
  proxy = await startDaemon("web-proxy", {
    args: ["--workers", "1", "--listen", `http:127.0.0.1:${port}`,
      "--upstream", `a=http://127.0.0.1:${backend.port}`, "--route", "/a=a",
      "--route", "path=/ws,upstream=a,websocket=yes", "--head-timeout", "1s",
      "--access-log=false"],
  });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
});

const H = "Host: edge.test\r\n";
const get = (target, fields = "", host = H) => `GET ${target} HTTP/1.1\r\n${host}${fields}\r\n`;
const post = (fields, body = "", host = H) => `POST /a HTTP/1.1\r\n${host}${fields}\r\n${body}`;
const NEXT = get("/a/next");

/* [name, bytes]: 400, the connection closed, nothing at the back end. */
const refused = [
  // framing: two readings of where the content ends
  ["Content-Length and Transfer-Encoding", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["Transfer-Encoding and Content-Length", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n")],
  ["CL.TE with a second request", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG")],
  ["TE.CL with a second request", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "8\r\nSMUGGLED\r\n0\r\n\r\n")],
  ["Content-Length: 0 and chunked", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["two differing lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")],
  ["two equal lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")],
  ["a list of lengths", post("Content-Length: 3, 3\r\n", "abc")],
  ["a list of differing lengths", post("Content-Length: 3, 4\r\n", "abcd")],
  ["a negative length", post("Content-Length: -1\r\n", "abc")],
  ["a length with a plus", post("Content-Length: +3\r\n", "abc")],
  ["a hexadecimal length", post("Content-Length: 0x3\r\n", "abc")],
  ["a length with a blank inside", post("Content-Length: 1 2\r\n", "abc")],
  ["a length with a fraction", post("Content-Length: 3.0\r\n", "abc")],
  ["an empty length", post("Content-Length: \r\n", "abc")],
  ["a length beyond 64 bits", post("Content-Length: 18446744073709551619\r\n", "abc")],
  ["a length in other digits", post("Content-Length: \xb2\r\n", "abc")],
  ["a length followed by a comma", post("Content-Length: 3,\r\n", "abc")],
  ["Transfer-Encoding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")],
  ["chunked not last", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")],
  ["an obfuscated coding: xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), [400, 501]],
  ["an obfuscated coding: chunked;x", post("Transfer-Encoding: chunked;x=1\r\n", "0\r\n\r\n"), [400, 501]],
  ["an obfuscated coding: \"chunked\"", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), [400, 501]],
  ["an obfuscated coding: chunk", post("Transfer-Encoding: chunk\r\n", "0\r\n\r\n"), [400, 501]],
  ["identity", post("Transfer-Encoding: identity\r\n", "abc"), [400, 501]],
  ["gzip alone", post("Transfer-Encoding: gzip\r\n", "abc"), [400, 501]],
  ["an empty coding", post("Transfer-Encoding: \r\n", "0\r\n\r\n")],
  ["a comma as coding", post("Transfer-Encoding: ,\r\n", "0\r\n\r\n")],
  ["a vertical tab before chunked", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n")],
  ["a NUL after chunked", post("Transfer-Encoding: chunked\0\r\n", "0\r\n\r\n")],
  ["a blank before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")],
  ["a tab before the colon", post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n")],
  ["Content-Length with a blank before the colon", post("Content-Length : 3\r\n", "abc")],
  ["a folded Transfer-Encoding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")],
  ["a folded other field", post("X: a\r\n b\r\nContent-Length: 0\r\n")],
  ["a first field that is folded", `POST /a HTTP/1.1\r\n ${H}Content-Length: 0\r\n\r\n`],
  ["Transfer-Encoding in HTTP/1.0", `POST /a HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["chunked and close in HTTP/1.0", `POST /a HTTP/1.0\r\n${H}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],

  // lines
  ["bare LF after the request line", `GET /a HTTP/1.1\n${H}\r\n`],
  ["bare LF after a field", get("/a", "X: a\nY: b\r\n")],
  ["bare LF at the end of the head", `GET /a HTTP/1.1\r\n${H}\n`],
  ["LF LF", `GET /a HTTP/1.1\n${H.replace("\r", "")}\n`],
  ["bare CR in a value", get("/a", "X: a\rY: b\r\n")],
  ["bare CR as a line end", get("/a", "X: a\rContent-Length: 3\r\n")],
  ["CR CR LF", get("/a", "X: a\r\r\n")],
  ["a NUL in a value", get("/a", "X: a\0b\r\n")],
  ["a NUL in a name", get("/a", "X\0: a\r\n")],
  ["a control character in a value", get("/a", "X: a\x01b\r\n")],
  ["DEL in a value", get("/a", "X: a\x7fb\r\n")],
  ["a field without a name", get("/a", ": a\r\n")],
  ["a field without a colon", get("/a", "X\r\n")],
  ["a blank in a name", get("/a", "X Y: a\r\n")],
  ["a name with parentheses", get("/a", "X(Y): a\r\n")],
  ["a name with a slash", get("/a", "X/Y: a\r\n")],
  ["a name with a non-ASCII letter", get("/a", "X\xe9: a\r\n")],
  ["a name in quotes", get("/a", "\"X\": a\r\n")],

  // request line
  ["two blanks after the method", `GET  /a HTTP/1.1\r\n${H}\r\n`],
  ["two blanks before the version", `GET /a  HTTP/1.1\r\n${H}\r\n`],
  ["a tab after the method", `GET\t/a HTTP/1.1\r\n${H}\r\n`],
  ["a blank before the method", ` GET /a HTTP/1.1\r\n${H}\r\n`],
  ["no version", `GET /a\r\n${H}\r\n`, [400, 505]],
  ["HTTP/0.9", "GET /a\r\n\r\n", [400, 505]],
  ["HTTP/2.0", `GET /a HTTP/2.0\r\n${H}\r\n`, [400, 505]],
  ["HTTP/1.2", `GET /a HTTP/1.2\r\n${H}\r\n`, [400, 505]],
  ["HTTP/1.10", `GET /a HTTP/1.10\r\n${H}\r\n`, [400, 505]],
  ["http/1.1 in lower case", `GET /a http/1.1\r\n${H}\r\n`, [400, 505]],
  ["HTTP/1,1", `GET /a HTTP/1,1\r\n${H}\r\n`, [400, 505]],
  ["words behind the version", `GET /a HTTP/1.1 x\r\n${H}\r\n`],
  ["a method in lower case", `get /a HTTP/1.1\r\n${H}\r\n`, [400, 501]],
  ["an unknown method", `FROB /a HTTP/1.1\r\n${H}\r\n`, [400, 501]],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 405, 501, 505]],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ["an RTSP request", `DESCRIBE /a RTSP/1.0\r\n${H}\r\n`, [400, 501, 505]],
  ["an answer", "HTTP/1.1 200 OK\r\n\r\n", [400, 501]],

  // host and target
  ["no Host", "GET /a HTTP/1.1\r\n\r\n"],
  ["an empty Host", "GET /a HTTP/1.1\r\nHost: \r\n\r\n"],
  ["two Hosts", get("/a", H)],
  ["two differing Hosts", get("/a", "Host: other\r\n")],
  ["a list of Hosts", get("/a", "", "Host: a, b\r\n")],
  ["a Host with a path", get("/a", "", "Host: edge.test/x\r\n")],
  ["a Host with user information", get("/a", "", "Host: u@edge.test\r\n")],
  ["a Host with a blank", get("/a", "", "Host: edge test\r\n")],
  ["a Host with a bad port", get("/a", "", "Host: edge.test:99999\r\n")],
  ["a Host with a word as port", get("/a", "", "Host: edge.test:x\r\n")],
  ["a Host with a blank before the colon", get("/a", "", "Host : edge.test\r\n")],
  ["a Host that is folded", get("/a", "", "Host:\r\n edge.test\r\n")],
  ["a Host with a query", get("/a", "", "Host: edge.test?x\r\n")],
  ["a Host with a bracket", get("/a", "", "Host: [::1\r\n")],
  ["an absolute target with another host", get("http://other/a")],
  ["an absolute target with another port", get("http://edge.test:81/a")],
  ["an absolute target of another scheme", get("ftp://edge.test/a")],
  ["an absolute target with user information", get("http://u@edge.test/a")],
  ["a target without a slash", get("a")],
  ["a target that is a query", get("?a")],
  ["a fragment", get("/a#b")],
  ["an asterisk with GET", get("*")],
  ["a raw byte above 127 in the target", get("/a\xe9")],
  ["a control character in the target", get("/a\x01")],
  ["a NUL in the target", get("/a\0")],

  // paths with two readings
  ["an escaped slash", get("/a/%2fb")],
  ["an escaped backslash", get("/a/%5cb")],
  ["a raw backslash", get("/a\\b")],
  ["backslash and dots", get("/a/..\\b")],
  ["an escaped NUL", get("/a/%00")],
  ["an escaped line break", get("/a/%0d%0aX:1")],
  ["an escaped tab", get("/a/%09")],
  ["escaped dots", get("/a/%2e%2e/b")],
  ["half-escaped dots", get("/a/.%2e/b")],
  ["dots with a parameter", get("/a/..;/b")],
  ["dots with an escaped parameter", get("/a/..%3bx/b")],
  ["above the root", get("/../a")],
  ["above the root in the middle", get("/a/../../a")],
  ["an escape of an escape", get("/a/%252e%252e/b")],
  ["an escape of an escaped slash", get("/a/%252fb")],
  ["a broken escape", get("/a/%zz")],
  ["a cut escape", get("/a/%4")],
  ["an overlong slash", get("/a/%c0%af")],
  ["overlong dots", get("/a/%c0%ae%c0%ae/")],
  ["an overlong slash in three bytes", get("/a/%e0%80%af")],
  ["a surrogate", get("/a/%ed%a0%80")],
  ["a byte that is no UTF-8", get("/a/%ff")],
  ["an IIS escape", get("/a/%u002e")],

  // connection and upgrade tricks
  ["Connection naming Host", get("/a", "Connection: close, Host\r\n")],
  ["Connection naming Content-Length", post("Connection: Content-Length\r\nContent-Length: 3\r\n", "abc")],
  ["Connection naming X-Forwarded-For", get("/a", "Connection: X-Forwarded-For\r\n")],
  ["Connection naming Authorization", get("/a", "Connection: authorization\r\n")],
  ["Connection naming Cookie", get("/a", "Connection: cookie\r\n")],
  ["Upgrade with content", post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n", "abc")],
  ["Upgrade with chunks", post("Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["another expectation", post("Expect: 200-ok\r\nContent-Length: 3\r\n", "abc"), [417]],
];

/* Refused in other ways; [name, bytes, statuses, does the connection close]. */
const answered = [
  ["CONNECT", `CONNECT edge.test:443 HTTP/1.1\r\nHost: edge.test:443\r\n\r\n`, [405], true],
  ["TRACE", `TRACE /a HTTP/1.1\r\n${H}\r\n`, [405], false],
  ["an unlisted path", get("/b"), [404], false],
  ["a path that only begins alike", get("/ab"), [404], false],
  ["another case", get("/A"), [404], false],
  ["dots that leave the route", get("/a/../b"), [404], false],
  ["slashes that leave the route", get("//b/a"), [404], false],
  ["a long target", get(`/a/${"x".repeat(9000)}`), [414], true],
  ["a long field", get("/a", `X: ${"x".repeat(40000)}\r\n`), [431], true],
  ["many fields", get("/a", "X: y\r\n".repeat(200)), [431], true],
  ["many small fields without end", get("/a", "X:\r\n".repeat(20000)), [431], true],
  ["a WebSocket of version 8", get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), [426], false],
  ["a foreign origin", get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://evil.test\r\n"), [403], false],
  ["a WebSocket without a key", get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), [400], false],
  ["a WebSocket with two keys", get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), [400], false],
  ["a WebSocket with a short key", get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n"), [400], false],
  ["half a head", `GET /a HTTP/1.1\r\n${H}`, [408], true],
];

/* [name, bytes, what the back end saw: request lines; more to look at] */
const passed = [
  ["a plain request", get("/a"), ["GET /a HTTP/1.1"]],
  ["a query", get("/a?x=%2f..%00"), ["GET /a?x=%2f..%00 HTTP/1.1"]],
  ["an empty query", get("/a?"), ["GET /a? HTTP/1.1"]],
  ["an absolute target", get("http://edge.test/a/b?c"), ["GET /a/b?c HTTP/1.1"], { has: { host: "edge.test" } }],
  ["a Host in capitals", get("/a", "", "Host: EDGE.test\r\n"), ["GET /a HTTP/1.1"]],
  ["a Host with a port", get("/a", "", "Host: edge.test:8443\r\n"), ["GET /a HTTP/1.1"], { has: { "x-forwarded-host": "edge.test:8443" } }],
  ["an IPv6 Host", get("/a", "", "Host: [::1]:80\r\n"), ["GET /a HTTP/1.1"], { has: { host: "[::1]:80" } }],
  ["duplicate slashes", get("//a//b///c"), ["GET /a/b/c HTTP/1.1"]],
  ["plain dots", get("/x/../a/./b/../c"), ["GET /a/c HTTP/1.1"]],
  ["needless escapes", get("/%61/%7e%2D"), ["GET /a/~- HTTP/1.1"]],
  ["lower-case escapes", get("/a/%c3%a9%20%3f"), ["GET /a/%C3%A9%20%3F HTTP/1.1"]],
  ["raw characters that must be escaped", get("/a/|{}^[]`\""), ["GET /a/%7C%7B%7D%5E%5B%5D%60%22 HTTP/1.1"]],
  ["parameters", get("/a/b;c=d"), ["GET /a/b;c=d HTTP/1.1"]],
  ["an empty line first", `\r\n${get("/a")}`, ["GET /a HTTP/1.1"]],
  ["a field without white space", get("/a", "X:y\r\n"), ["GET /a HTTP/1.1"], { has: { x: "y" } }],
  ["a field with much white space", get("/a", "X: \t y \t\r\n"), ["GET /a HTTP/1.1"], { has: { x: "y" } }],
  ["an empty field", get("/a", "X:\r\n"), ["GET /a HTTP/1.1"], { has: { x: "" } }],
  ["a value above 127", get("/a", "X: caf\xe9\r\n"), ["GET /a HTTP/1.1"], { has: { x: "caf\xe9" } }],
  ["content with a length", post("Content-Length: 3\r\n", "abc"), ["POST /a HTTP/1.1"], { body: "abc" }],
  ["a length with zeros", post("Content-Length: 003\r\n", "abc"), ["POST /a HTTP/1.1"], { has: { "content-length": "3" }, body: "abc" }],
  ["a length of 0", post("Content-Length: 0\r\n"), ["POST /a HTTP/1.1"], { has: { "content-length": "0" }, body: "" }],
  ["content with GET", get("/a", "Content-Length: 3\r\n") + "abc", ["GET /a HTTP/1.1"], { body: "abc" }],
  ["chunks", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), ["POST /a HTTP/1.1"], { has: { "transfer-encoding": "chunked" }, body: "3\r\nabc\r\n0\r\n\r\n" }],
  ["chunks in capitals", post("Transfer-Encoding: CHUNKED\r\n", "3\r\nabc\r\n0\r\n\r\n"), ["POST /a HTTP/1.1"], { has: { "transfer-encoding": "chunked" } }],
  ["chunk extensions are dropped", post("Transfer-Encoding: chunked\r\n", "3;x=\"y\"\r\nabc\r\n0\r\n\r\n"), ["POST /a HTTP/1.1"], { body: "3\r\nabc\r\n0\r\n\r\n" }],
  ["trailers are dropped", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"), ["POST /a HTTP/1.1"], { body: "3\r\nabc\r\n0\r\n\r\n" }],
  ["two requests in one packet", get("/a/1") + get("/a/2"), ["GET /a/1 HTTP/1.1", "GET /a/2 HTTP/1.1"]],
  ["a request behind content", post("Content-Length: 3\r\n", "abc") + NEXT, ["POST /a HTTP/1.1", "GET /a/next HTTP/1.1"]],
  ["a request behind chunks", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n") + NEXT, ["POST /a HTTP/1.1", "GET /a/next HTTP/1.1"]],
  ["content that looks like a request", post(`Content-Length: ${NEXT.length}\r\n`, NEXT), ["POST /a HTTP/1.1"], { body: NEXT }],
  ["our own fields are ours", get("/a", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: gopher\r\nForwarded: for=x\r\nX-Real-IP: 1.1.1.1\r\n"),
    ["GET /a HTTP/1.1"], { has: { "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-real-ip": "127.0.0.1" }, once: ["x-forwarded-for", "forwarded", "x-real-ip"] }],
  ["our own fields with underscores", get("/a", "X_Forwarded_For: 1.1.1.1\r\nX_REAL_IP: 1.1.1.1\r\nContent_Length: 5\r\n"),
    ["GET /a HTTP/1.1"], { lacks: ["x_forwarded_for", "x_real_ip", "content_length"] }],
  ["fields that change the target", get("/a", "X-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nProxy: http://evil\r\nX-Host: evil\r\n"),
    ["GET /a HTTP/1.1"], { lacks: ["x-original-url", "x-rewrite-url", "proxy", "x-host"] }],
  ["hop-by-hop fields", get("/a", "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\nTrailer: X\r\nProxy-Authorization: x\r\nX-End: 1\r\n"),
    ["GET /a HTTP/1.1"], { has: { "x-end": "1" }, lacks: ["x-hop", "connection", "keep-alive", "te", "proxy-connection", "trailer", "proxy-authorization"] }],
  ["an upgrade nobody offered", get("/a", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
    ["GET /a HTTP/1.1"], { lacks: ["upgrade", "http2-settings", "connection"] }],
  ["a WebSocket where none is allowed", get("/a", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
    ["GET /a HTTP/1.1"], { lacks: ["upgrade", "sec-websocket-key"] }],
  ["HTTP/1.0", `GET /a HTTP/1.0\r\n${H}\r\n`, ["GET /a HTTP/1.1"]],
  ["HTTP/1.0 without Host", "GET /a HTTP/1.0\r\n\r\n", ["GET /a HTTP/1.1"]],
  ["other methods", `PUT /a HTTP/1.1\r\n${H}Content-Length: 1\r\n\r\nx`, ["PUT /a HTTP/1.1"], { body: "x" }],
  ["PROPFIND", `PROPFIND /a HTTP/1.1\r\n${H}\r\n`, ["PROPFIND /a HTTP/1.1"]],
];

/* Content that goes wrong when its request is already on the way: the answer
 * is 400, and what reaches the back end never becomes another request. */
const broken = [
  ["a chunk size that is no number", "x\r\nabc\r\n0\r\n\r\n"],
  ["a chunk size with a blank", "3 \r\nabc\r\n0\r\n\r\n"],
  ["a chunk size with 0x", "0x3\r\nabc\r\n0\r\n\r\n"],
  ["a negative chunk size", "-3\r\nabc\r\n0\r\n\r\n"],
  ["a chunk size with a plus", "+3\r\nabc\r\n0\r\n\r\n"],
  ["a chunk size beyond 64 bits", "10000000000000003\r\nabc\r\n0\r\n\r\n"],
  ["no chunk size", "\r\nabc\r\n0\r\n\r\n"],
  ["a chunk ended by LF", "3\nabc\r\n0\r\n\r\n"],
  ["chunk data ended by LF", "3\r\nabc\n0\r\n\r\n"],
  ["a chunk longer than it says", "3\r\nabcd\r\n0\r\n\r\n"],
  ["a chunk extension without end", `3;${"x".repeat(2000)}\r\nabc\r\n0\r\n\r\n`],
  ["a bare CR in a chunk extension", "3;a\rb\r\nabc\r\n0\r\n\r\n"],
  ["a LF in a chunk extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"],
  ["a trailer that frames", "3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n"],
  ["a trailer that routes", "3\r\nabc\r\n0\r\nHost: evil\r\n\r\n"],
  ["a trailer that is folded", "3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n"],
  ["a trailer with LF", "3\r\nabc\r\n0\r\nX: a\n\r\n"],
];

for (const [name, bytes, statuses = [400]] of refused)
  test(`refused: ${name}`, async () => {
    backend.forget();
    const got = await rawExchange(port, bytes + NEXT);
    assert.ok(statuses.includes(got.statuses[0]), `${got.statuses[0]}: ${got.text.slice(0, 200)}`);
    assert.equal(got.statuses.length, 1, "nothing behind it is answered");
    assert.ok(got.closed || /connection: .*close/i.test(got.text) || got.statuses[0] === 426, "the connection ends");
    assert.equal(backend.raw(), "", "no byte at the back end");
  });

for (const [name, bytes, statuses, closes] of answered)
  test(`answered by us: ${name}`, async () => {
    backend.forget();
    const got = await rawExchange(port, bytes);
    assert.deepEqual(got.statuses, statuses);
    assert.equal(/connection: .*close/i.test(got.text), closes);
    assert.equal(backend.raw(), "");
    assert.doesNotMatch(got.text, /server:|\d+\.\d+\.\d+/i, "nothing about the program");
  });

for (const [name, bytes, lines, { has = {}, lacks = [], once = [], body } = {}] of passed)
  test(`passed: ${name}`, async () => {
    backend.forget();
    const got = await rawExchange(port, bytes, { answers: lines.length });
    assert.deepEqual(got.statuses, lines.map(() => 200));
    assert.deepEqual(backend.requests.map((r) => r.line), lines);
    const [request] = backend.requests;
    for (const [field, value] of Object.entries(has)) assert.equal(request.value(field), value, field);
    for (const field of lacks) assert.equal(request.value(field), undefined, field);
    for (const field of ["host", ...once])
      assert.equal(request.headers.filter(([n]) => n === field).length, 1, field);
    if (body !== undefined) assert.equal(request.body, body);
  });

for (const [name, chunks] of broken)
  test(`broken off: ${name}`, async () => {
    backend.forget();
    const got = await rawExchange(port, post("Transfer-Encoding: chunked\r\n", chunks) + NEXT);
    assert.ok(got.statuses.length <= 1 && (got.statuses[0] ?? 400) === 400, got.text.slice(0, 200));
    assert.ok(backend.requests.length === 0, "no request was completed");
    assert.doesNotMatch(backend.raw(), /next/);
  });

test("after all that the proxy serves on, and nothing is left open", async () => {
  const got = await rawExchange(port, get("/a"));
  assert.deepEqual(got.statuses, [200]);
  const status = await proxy.status();
  assert.ok(JSON.stringify(status).includes("refused"));
});
