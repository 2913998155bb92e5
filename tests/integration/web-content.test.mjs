// SPDX-License-Identifier: MIT
// What web-proxy says itself or changes of what is said: files, redirects,
// addresses behind another port, fields, pages, maintenance. The client is curl.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";
import { freePort, makeCertificates, missing, runDaemon, runProgram, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { httpServer } from "../support/web.mjs";

const dir = scratch();
const site = path.join(dir, "site");
const acme = path.join(dir, "acme");
const big = crypto.randomBytes(3 * 1024 * 1024);
let certs, backend, proxy, config, file, ports;

function answer(request, response) {
  const url = new URL(request.url, "http://x");
  const headers = { Server: "secret/1.0", "X-Powered-By": "php" };
  if (url.searchParams.has("location")) headers.Location = url.searchParams.get("location");
  if (url.searchParams.has("cookie")) headers["Set-Cookie"] = url.searchParams.get("cookie");
  response.writeHead(headers.Location ? 302 : 200, headers);
  response.end(JSON.stringify({ url: request.url, method: request.method, headers: request.headers }));
}

/** curl; the answer with its headers in lower case. */
async function curl(url, ...args) {
  const out = path.join(dir, "body");
  fs.rmSync(out, { force: true });
  const { stdout } = await runProgram("curl", ["-sS", "--cacert", certs.ca, "-D", "-", "-o", out, ...args, url]);
  const [line, ...fields] = stdout.trimEnd().split("\r\n\r\n").at(-1).split("\r\n");
  const headers = {};
  for (const field of fields) {
    const at = field.indexOf(":");
    headers[field.slice(0, at).toLowerCase()] = field.slice(at + 1).trim();
  }
  const body = fs.existsSync(out) ? fs.readFileSync(out) : Buffer.alloc(0);
  return { status: Number(line.split(" ")[1]), headers, body, text: body.toString() };
}

const https = (p) => `https://localhost:${ports.https}${p}`;
const resolve = () => ["--resolve", `localhost:${ports.https}:127.0.0.1`];
const get = (p, ...args) => curl(https(p), ...resolve(), ...args);

function write(change) {
  Object.assign(config, change);
  fs.writeFileSync(file, JSON.stringify(config));
}

before(async (t) => {
  certs = await makeCertificates(path.join(dir, "certs"));
  backend = await httpServer(answer);
  ports = { https: await freePort(), redirect: await freePort() };
  fs.mkdirSync(path.join(site, "sub"), { recursive: true });
  fs.mkdirSync(path.join(acme, ".well-known/acme-challenge"), { recursive: true });
  const at = (name) => path.join(site, name);
  fs.writeFileSync(at("index.html"), "<h1>front</h1>");
  fs.writeFileSync(at("sub/index.html"), "<h1>sub</h1>");
  fs.writeFileSync(at("app.js"), "let a = 1;\n".repeat(100));
  fs.writeFileSync(at("app.js.br"), zlib.brotliCompressSync(fs.readFileSync(at("app.js"))));
  fs.writeFileSync(at("app.js.gz"), zlib.gzipSync(fs.readFileSync(at("app.js"))));
  fs.writeFileSync(at("old.css"), "a{}");
  fs.writeFileSync(at("old.css.gz"), zlib.gzipSync("b{}"));
  fs.utimesSync(at("old.css.gz"), 1000, 1000);
  fs.writeFileSync(at("empty.txt"), "");
  fs.writeFileSync(at("big.bin"), big);
  fs.writeFileSync(at(".hidden"), "no");
  fs.writeFileSync(path.join(dir, "outside.txt"), "outside");
  fs.symlinkSync("../outside.txt", at("link-out.txt"));
  fs.symlinkSync("/etc/hostname", at("link-abs.txt"));
  fs.symlinkSync("app.js", at("link-in.js"));
  fs.symlinkSync("..", at("up"));
  fs.writeFileSync(path.join(acme, ".well-known/acme-challenge/token"), "token.key");
  fs.writeFileSync(path.join(dir, "busy.html"), "<h1>busy</h1>");
  fs.writeFileSync(path.join(dir, "busy.json"), "{\"busy\":true}");
  file = path.join(dir, "web-proxy.json");
  config = {};
  write({
    listen: [`https:127.0.0.1:${ports.https}`, `redirect:127.0.0.1:${ports.redirect}`],
    certificate: [certs.cert], key: [certs.key], "external-port": ports.https, workers: 2,
    upstream: [`a=http://127.0.0.1:${backend.port}`, `gone=http://127.0.0.1:${await freePort()}`],
    hsts: "1h", "hsts-subdomains": true,
    "answer-fields": ["-Server", "-X-Powered-By", "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY"],
    "error-page": [{ status: "5xx", file: "busy.html", "json-file": "busy.json" }],
    route: [
      { path: "/files", root: site, precompressed: true, "cache-control": "max-age=60" },
      { path: "/.well-known/acme-challenge", root: acme, rewrite: "/.well-known/acme-challenge", plain: true },
      { path: "/app", upstream: "a", rewrite: "/", "cookie-secure": true, "answer-fields": ["X-Frame-Options: SAMEORIGIN"] },
      { path: "/api", upstream: "a", methods: ["GET", "POST"] },
      { path: "/Case", upstream: "a", "ignore-case": true },
      { path: "/gone", upstream: "gone" },
      { path: "/closed", upstream: "a", allow: ["192.0.2.0/24"] },
      { path: "/old", redirect: "{origin}/new{rest}{query}", "redirect-status": 301 },
    ],
  });
  proxy = await startDaemon("web-proxy", { args: ["--config", file] });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
});

describe("files", { skip: missing("curl") }, () => {
  test("have type, tag and date, and are not sent twice", async () => {
    const first = await get("/files/app.js");
    assert.equal(first.status, 200);
    assert.equal(first.headers["content-type"], "text/javascript; charset=utf-8");
    assert.equal(first.headers["cache-control"], "max-age=60");
    assert.equal(first.headers["x-content-type-options"], "nosniff");
    assert.equal(first.headers["strict-transport-security"], "max-age=3600; includeSubDomains");
    assert.match(first.headers.etag, /^"[^"]+"$/);
    assert.equal(first.text, fs.readFileSync(path.join(site, "app.js"), "utf8"));
    for (const field of [`If-None-Match: ${first.headers.etag}`, `If-Modified-Since: ${first.headers["last-modified"]}`]) {
      const again = await get("/files/app.js", "-H", field);
      assert.equal(again.status, 304);
      assert.equal(again.body.length, 0);
    }
  });

  test("are sent compressed to those who take it", async () => {
    const plain = await get("/files/app.js");
    const br = await get("/files/app.js", "-H", "Accept-Encoding: gzip, br");
    const gz = await get("/files/app.js", "-H", "Accept-Encoding: gzip");
    assert.equal(br.headers["content-encoding"], "br");
    assert.deepEqual(zlib.brotliDecompressSync(br.body), plain.body);
    assert.equal(gz.headers["content-encoding"], "gzip");
    assert.deepEqual(zlib.gunzipSync(gz.body), plain.body);
    for (const answer of [plain, br, gz]) assert.equal(answer.headers.vary, "Accept-Encoding");
    assert.equal(new Set([plain, br, gz].map((a) => a.headers.etag)).size, 3);
    const old = await get("/files/old.css", "-H", "Accept-Encoding: gzip");
    assert.equal(old.headers["content-encoding"], undefined, "one that is older than the file is not taken");
    assert.equal(old.text, "a{}");
  });

  test("are sent in parts", async () => {
    const part = await get("/files/big.bin", "-r", "1000000-1999999");
    assert.equal(part.status, 206);
    assert.equal(part.headers["content-range"], `bytes 1000000-1999999/${big.length}`);
    assert.ok(part.body.equals(big.subarray(1000000, 2000000)));
    const several = await get("/files/big.bin", "-r", "0-1,-2");
    assert.equal(several.status, 206);
    const boundary = /boundary=(\w+)/.exec(several.headers["content-type"])[1];
    const parts = several.body.toString("latin1").split(`--${boundary}`);
    assert.equal(parts.length, 4);
    assert.ok(parts[1].endsWith(`\r\n\r\n${big.subarray(0, 2).toString("latin1")}\r\n`));
    assert.ok(parts[2].endsWith(`\r\n\r\n${big.subarray(-2).toString("latin1")}\r\n`));
    const beyond = await get("/files/big.bin", "-r", "99999999-");
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers["content-range"], `bytes */${big.length}`);
  });

  test("a large one arrives whole, also at a slow client's pace", async () => {
    assert.ok((await get("/files/big.bin")).body.equals(big));
    assert.ok((await get("/files/big.bin", "--limit-rate", "6m")).body.equals(big));
    assert.equal((await get("/files/big.bin", "-I")).headers["content-length"], String(big.length));
    assert.equal((await get("/files/empty.txt")).headers["content-length"], "0");
  });

  test("folders have an index and a slash", async () => {
    assert.equal((await get("/files/")).text, "<h1>front</h1>");
    const slash = await get("/files/sub?x=1");
    assert.equal(slash.status, 308);
    assert.equal(slash.headers.location, "/files/sub/?x=1");
    assert.equal((await get("/files/sub/")).text, "<h1>sub</h1>");
  });

  test("nothing outside, nothing hidden, nothing but reading", async () => {
    for (const name of ["link-out.txt", "link-abs.txt", "up/outside.txt", ".hidden", "none", "app.js/x"])
      assert.equal((await get(`/files/${name}`)).status, 404, name);
    assert.equal((await get("/files/link-in.js")).status, 200);
    for (const target of ["/files/../outside.txt", "/files/..%2foutside.txt", "/files/%2e%2e/outside.txt"]) {
      const answer = await get("/files/", "--path-as-is", "--request-target", target);
      assert.ok(answer.status === 400 || answer.status === 404, `${target}: ${answer.status}`);
      assert.ok(!answer.text.includes("outside"));
    }
    const post = await get("/files/app.js", "-X", "POST", "-d", "x");
    assert.equal(post.status, 405);
    assert.equal(post.headers.allow, "GET, HEAD");
  });

  test("the challenge of a certificate is answered without TLS", async () => {
    const base = `http://127.0.0.1:${ports.redirect}`;
    assert.equal((await curl(`${base}/.well-known/acme-challenge/token`)).text, "token.key");
    const other = await curl(`${base}/files/app.js`, "-H", "Host: localhost");
    assert.equal(other.status, 308);
    assert.equal(other.headers.location, https("/files/app.js"));
  });
});

describe("routes", { skip: missing("curl") }, () => {
  test("a prefix is taken off, and put back into what comes back", async () => {
    const seen = JSON.parse((await get("/app/x/y?z=1")).text);
    assert.equal(seen.url, "/x/y?z=1");
    assert.equal(seen.headers["x-forwarded-port"], String(ports.https));
    const at = async (location) =>
      (await get(`/app/?location=${encodeURIComponent(location)}`)).headers.location;
    assert.equal(await at("/login"), "/app/login");
    assert.equal(await at(`http://127.0.0.1:${backend.port}/login`), https("/app/login"));
    assert.equal(await at("https://localhost/login"), https("/app/login"));
    assert.equal(await at("https://elsewhere.example/"), "https://elsewhere.example/");
    const cookie = await get(`/app/?cookie=${encodeURIComponent("a=b; Path=/; Domain=127.0.0.1")}`);
    assert.equal(cookie.headers["set-cookie"], "a=b; Path=/app; Secure");
  });

  test("fields are hidden and set", async () => {
    const { headers } = await get("/app/");
    assert.equal(headers.server, undefined);
    assert.equal(headers["x-powered-by"], undefined);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["x-frame-options"], "SAMEORIGIN");
    assert.equal((await get("/api/")).headers["x-frame-options"], "DENY");
    assert.equal((await get("/none")).headers["x-frame-options"], "DENY");
  });

  test("methods, case, clients, redirects", async () => {
    const denied = await get("/api/", "-X", "DELETE");
    assert.equal(denied.status, 405);
    assert.equal(denied.headers.allow, "GET, HEAD, POST");
    assert.equal((await get("/api/", "-d", "x")).status, 200);
    assert.equal((await get("/cASE/x")).status, 200);
    assert.equal((await get("/API/")).status, 404);
    assert.equal((await get("/closed")).status, 403);
    const moved = await get("/old/a?b");
    assert.equal(moved.status, 301);
    assert.equal(moved.headers.location, https("/new/a?b"));
  });

  test("pages of the operator's", async () => {
    const html = await get("/gone");
    assert.equal(html.status, 502);
    assert.equal(html.text, "<h1>busy</h1>");
    const json = await get("/gone", "-H", "Accept: application/json");
    assert.equal(json.headers["content-type"], "application/json");
    assert.equal(json.text, "{\"busy\":true}");
    const ours = await get("/none", "-H", "Accept: application/json");
    assert.deepEqual(JSON.parse(ours.text), { status: 404, error: "Not Found" });
  });

  test("maintenance comes and goes by reload", async () => {
    write({ maintenance: true, "maintenance-time": "2m" });
    proxy.signal("SIGHUP");
    const closed = await waitFor(async () => {
      const answer = await get("/api/");
      return answer.status === 503 && answer;
    });
    assert.equal(closed.headers["retry-after"], "120");
    assert.equal(closed.text, "<h1>busy</h1>");
    write({ "maintenance-testers": ["127.0.0.0/8"] });
    proxy.signal("SIGHUP");
    await waitFor(async () => (await get("/api/")).status === 200);
    write({ maintenance: false });
    proxy.signal("SIGHUP");
  });
});

test("bad settings are refused with key and value", async () => {
  const base = { listen: ["http:127.0.0.1:0"], upstream: ["a=http://127.0.0.1:1"] };
  const cases = [
    [{ route: [{ path: "/", redirect: "{nothing}" }] }, /route\[0\]\.redirect.*nothing/],
    [{ route: [{ path: "/", redirect: "/x", "redirect-status": 305 }] }, /redirect-status.*305/],
    [{ route: [{ path: "/", upstream: "a", rewrite: "x//y" }] }, /rewrite.*x\/\/y/],
    [{ route: [{ path: "/", upstream: "a", methods: ["FLY"] }] }, /methods.*FLY/],
    [{ route: [{ path: "/", upstream: "a", "answer-fields": ["Content-Length: 3"] }] }, /answer-fields.*Content-Length/],
    [{ route: [{ path: "/", upstream: "a", "answer-fields": ["nonsense"] }] }, /answer-fields.*nonsense/],
    [{ route: [{ path: "/", upstream: "a", root: "/srv" }] }, /one of upstream, redirect and root/],
    [{ route: [{ path: "/", root: "srv" }] }, /root.*srv/],
    [{ route: [{ path: "/", root: "/nowhere/at/all" }] }, /\/nowhere\/at\/all/],
    [{ route: ["/=a"], "error-page": ["3xx=/etc/hostname"] }, /error-page\[0\]\.status.*3xx/],
  ];
  for (const [change, said] of cases) {
    const bad = path.join(dir, "bad.json");
    fs.writeFileSync(bad, JSON.stringify({ ...base, ...change }));
    const { code, stderr } = await runDaemon("web-proxy", ["--config", bad]);
    assert.notEqual(code, 0, JSON.stringify(change));
    assert.match(stderr, said);
  }
});
