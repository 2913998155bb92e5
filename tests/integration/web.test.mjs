// SPDX-License-Identifier: MIT
// web-proxy as curl and openssl see it: TLS, redirects, errors, framing,
// time-outs, limits, the second leg.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import { once } from "node:events";
import {
  freePort, makeCertificates, missing, root, runDaemon, runProgram, scratch, sleep, startDaemon, waitFor,
} from "../support/edge.mjs";
import { httpServer, rawExchange } from "../support/web.mjs";

const dir = scratch();
let certs, other, backend, secureBackend, proxy, httpsPort, httpPort, redirectPort, rawPort, rawBackend;

/* What a request looks like at the back end. */
function describeRequest(request, response) {
  let length = 0;
  request.on("data", (part) => { length += part.length; });
  request.on("end", () => {
    const url = new URL(request.url, "http://x");
    const status = Number(url.searchParams.get("status") ?? 200);
    const answer = () => {
      response.writeHead(status, { "Content-Type": "application/json", "X-Powered-By": "test" });
      response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, length }));
    };
    setTimeout(answer, Number(url.searchParams.get("wait") ?? 0));
  });
}

/* Answers with whatever bytes the path names. */
const rawAnswers = {
  "/raw/close": "HTTP/1.0 200 OK\r\n\r\nuntil the end",
  "/raw/cut": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
  "/raw/garbage": "hello there\r\n",
  "/raw/both": "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  "/raw/empty": "",
  "/raw/bighead": `HTTP/1.1 200 OK\r\nX: ${"x".repeat(40000)}\r\n\r\n`,
};

before(async () => {
  certs = await makeCertificates(path.join(dir, "edge"));
  other = await makeCertificates(path.join(dir, "other"), { names: ["other.test"], addresses: [] });
  backend = await httpServer(describeRequest);
  secureBackend = https.createServer({ cert: fs.readFileSync(certs.cert), key: fs.readFileSync(certs.key) }, describeRequest);
  secureBackend.listen(0, "127.0.0.1");
  await once(secureBackend, "listening");
  rawBackend = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => socket.end(rawAnswers[String(data).split(" ")[1]] ?? ""));
  });
  rawBackend.listen(0, "127.0.0.1");
  await once(rawBackend, "listening");

  [httpsPort, httpPort, redirectPort, rawPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const secure = `https://127.0.0.1:${secureBackend.address().port}`;
  proxy = await startDaemon("web-proxy", {
    config: {
      listen: [`https:127.0.0.1:${httpsPort}`, `http:127.0.0.1:${httpPort}`, `redirect:127.0.0.1:${redirectPort}`],
      certificate: [certs.cert, other.cert],
      key: [certs.key, other.key],
      "external-port": 8443,
      hsts: "1h",
      upstream: [
        { name: "plain", url: `http://127.0.0.1:${backend.port}` },
        { name: "named", url: `http://localhost:${backend.port}`, host: "inside.test" },
        { name: "secure", url: secure, "ca-file": certs.ca, "server-name": "localhost" },
        { name: "wrong-name", url: secure, "ca-file": certs.ca, "server-name": "wrong.test" },
        { name: "wrong-ca", url: secure, "ca-file": other.ca, "server-name": "localhost" },
        { name: "unchecked", url: secure, verify: false },
        { name: "unknown", url: "http://no-such-host.invalid:80" },
        { name: "closed", url: `http://127.0.0.1:${await freePort()}` },
        { name: "raw", url: `http://127.0.0.1:${rawBackend.address().port}` },
      ],
      zone: ["slow=30r/m"],
      route: [
        "/plain=plain", "/named=named", "/secure=secure", "/wrong-name=wrong-name", "/wrong-ca=wrong-ca",
        "/unchecked=unchecked", "/unknown=unknown", "/closed=closed", "/raw=raw",
        { path: "/short", upstream: "plain", "first-byte-timeout": "200ms" },
        { path: "/small", upstream: "plain", "body-size": "1k" },
        { path: "/rated", upstream: "plain", zone: "slow", burst: 2, nodelay: true },
        { path: "/only", upstream: "plain", host: "other.test" },
        { path: "/moved", redirect: "https://elsewhere.test/here" },
      ],
      workers: 2,
      "body-timeout": "400ms",
    },
  });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
  secureBackend?.closeAllConnections();
  secureBackend?.close();
  rawBackend?.close();
});

/** curl: { status, headers, body, code } */
async function curl(url, ...args) {
  const target = url.startsWith("http") ? url : `https://localhost:${httpsPort}${url}`;
  const got = await runProgram("curl", ["--silent", "--show-error", "--include", "--max-time", "20",
    "--cacert", certs.ca, "--noproxy", "*", ...args, target]);
  const [head, ...rest] = got.stdout.split("\r\n\r\n");
  const headers = Object.fromEntries(head.split("\r\n").slice(1).map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  return { status: Number(head.split(" ")[1]), headers, body: rest.join("\r\n\r\n"), code: got.code, stderr: got.stderr };
}

const skip = missing("curl", "openssl");

describe("web-proxy", { skip }, () => {
  test("a request goes through, with our word about the client", async () => {
    const got = await curl("/plain/x?token=a.b.c");
    assert.equal(got.status, 200);
    const seen = JSON.parse(got.body);
    assert.equal(seen.url, "/plain/x?token=a.b.c");
    assert.equal(seen.headers.host, `localhost:${httpsPort}`);
    assert.equal(seen.headers["x-forwarded-for"], "127.0.0.1");
    assert.equal(seen.headers["x-forwarded-proto"], "https");
    assert.match(seen.headers.forwarded, /^for=127\.0\.0\.1;proto=https;host="localhost:\d+"$/);
    assert.equal(got.headers["strict-transport-security"], "max-age=3600");
    assert.ok(got.headers.date);
  });

  for (const [version, flag] of [["1.2", "--tls-max 1.2 --tlsv1.2"], ["1.3", "--tlsv1.3"]])
    test(`TLS ${version}`, async () => {
      const got = await curl("/plain", ...flag.split(" "), "--verbose");
      assert.equal(got.status, 200, got.stderr);
      assert.match(got.stderr, new RegExp(`TLSv${version}`));
    });

  test("TLS 1.1 and old suites are refused", async () => {
    for (const words of [["-tls1_1"], ["-tls1_2", "-cipher", "AES128-SHA:AES256-SHA256"]]) {
      const got = await runProgram("openssl", ["s_client", "-connect", `127.0.0.1:${httpsPort}`, ...words], { input: "" });
      assert.notEqual(got.code, 0);
    }
  });

  test("ALPN is h2 or http/1.1", async () => {
    for (const [offered, chosen] of [["h2,http/1.1", "h2"], ["http/1.1,h2", "h2"], ["http/1.1", "http/1.1"], ["http/1.0,http/1.1", "http/1.1"]]) {
      const got = await runProgram("openssl", ["s_client", "-connect", `127.0.0.1:${httpsPort}`, "-alpn", offered], { input: "" });
      assert.ok(got.stdout.includes(`ALPN protocol: ${chosen}\n`), offered);
    }
  });

  test("the name asked for chooses the certificate", async () => {
    for (const [name, subject] of [["other.test", "other.test"], ["localhost", "localhost"], ["unknown.test", "localhost"]]) {
      const got = await runProgram("openssl", ["s_client", "-connect", `127.0.0.1:${httpsPort}`, "-servername", name], { input: "" });
      assert.match(got.stdout, new RegExp(`subject=CN ?= ?${subject}`), name);
    }
  });

  test("a host has routes of its own", async () => {
    const at = ["--resolve", `other.test:${httpsPort}:127.0.0.1`, "--cacert", other.ca];
    assert.equal((await curl(`https://other.test:${httpsPort}/only`, ...at)).status, 200);
    assert.equal((await curl("/only")).status, 404);
  });

  test("the plain door redirects to the external port", async () => {
    const got = await curl(`http://localhost:${redirectPort}/a/../plain/x?y=z`, "--path-as-is");
    assert.equal(got.status, 308);
    assert.equal(got.headers.location, "https://localhost:8443/plain/x?y=z");
    assert.equal(got.headers["strict-transport-security"], undefined);
  });

  test("a route redirects", async () => {
    const got = await curl("/moved/x");
    assert.equal(got.status, 308);
    assert.equal(got.headers.location, "https://elsewhere.test/here");
  });

  test("our own pages are small and tell nothing", async () => {
    const got = await curl("/nowhere");
    assert.equal(got.status, 404);
    assert.ok(got.body.length < 300);
    assert.equal(got.headers.server, undefined);
    assert.doesNotMatch(got.body, /proxy|edge|\d\.\d/i);
  });

  test("HEAD has no content", async () => {
    for (const target of ["/plain", "/nowhere"]) {
      const got = await curl(target, "--head");
      assert.equal(got.code, 0, got.stderr);
      assert.equal(got.body, "");
    }
  });

  test("methods and content go through", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
      const got = await curl("/plain", "--request", method, "--data", "x".repeat(5000));
      const seen = JSON.parse(got.body);
      assert.equal(seen.method, method);
      assert.equal(seen.length, 5000);
      assert.equal(seen.headers["content-length"], "5000");
    }
  });

  test("chunked content goes through", async () => {
    const file = path.join(dir, "content");
    fs.writeFileSync(file, "y".repeat(300000));
    const got = await curl("/plain", "--request", "POST", "--header", "Transfer-Encoding: chunked", "--data-binary", `@${file}`);
    const seen = JSON.parse(got.body);
    assert.equal(seen.length, 300000);
    assert.equal(seen.headers["transfer-encoding"], "chunked");
    assert.equal(seen.headers["content-length"], undefined);
  });

  test("Expect: 100-continue is answered by the back end", async () => {
    const got = await curl(`http://localhost:${httpPort}/plain`, "--header", "Expect: 100-continue", "--data", "hello", "--verbose");
    assert.match(got.stderr, /< HTTP\/1\.1 100 Continue/);
    assert.match(got.stderr, /< HTTP\/1\.1 200 OK/);
  });

  test("one connection carries many requests", async () => {
    const urls = Array.from({ length: 20 }, (_, i) => `https://localhost:${httpsPort}/plain/${i}`);
    const got = await runProgram("curl", ["--silent", "--cacert", certs.ca, "--write-out", "%{num_connects}\n", ...urls.flatMap((u) => [u, "--output", "/dev/null"])]);
    const connects = got.stdout.trim().split("\n").map(Number);
    assert.equal(connects.reduce((a, b) => a + b), 1);
  });

  test("statuses go through", async () => {
    for (const status of [201, 204, 301, 304, 400, 401, 404, 500, 503])
      assert.equal((await curl(`/plain?status=${status}`)).status, status);
  });

  test("content over a route's limit is 413", async () => {
    assert.equal((await curl("/small", "--data", "x".repeat(1024))).status, 200);
    assert.equal((await curl("/small", "--data", "x".repeat(1025))).status, 413);
    const chunked = await curl("/small", "--data", "x".repeat(5000), "--header", "Transfer-Encoding: chunked");
    assert.equal(chunked.status, 413);
  });

  test("over the rate is 429 with a time", async () => {
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await curl("/rated"));
    assert.deepEqual(all.map((a) => a.status), [200, 200, 200, 429, 429]);
    const wait = Number(all[4].headers["retry-after"]);
    assert.ok(wait >= 1 && wait <= 2, `Retry-After: ${wait}`);
  });

  test("the second leg: names, TLS, authorities, server names", async () => {
    assert.equal(JSON.parse((await curl("/named")).body).headers.host, "inside.test");
    assert.equal((await curl("/secure")).status, 200);
    assert.equal((await curl("/unchecked")).status, 200);
    assert.equal((await curl("/wrong-name")).status, 502);
    assert.equal((await curl("/wrong-ca")).status, 502);
    assert.equal((await curl("/unknown")).status, 502);
    assert.equal((await curl("/closed")).status, 502);
  });

  test("a back end that is slow is 504, and the connection lives", async () => {
    const got = await curl("/short?wait=2000");
    assert.equal(got.status, 504);
    assert.notEqual(got.headers.connection, "close");
  });

  test("content that stops coming is 408", async () => {
    const got = await rawExchange(httpPort, "POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert.deepEqual(got.statuses, [408]);
  });

  test("answers until close become chunks, cut ones are cut", async () => {
    const whole = await curl("/raw/close", "--http1.1");
    assert.equal(whole.body, "until the end");
    assert.equal(whole.headers["transfer-encoding"], "chunked");
    const cut = await curl("/raw/cut");
    assert.notEqual(cut.code, 0, "curl sees that something is missing");
  });

  test("what is no answer is 502", async () => {
    for (const name of ["garbage", "both", "empty", "bighead"])
      assert.equal((await curl(`/raw/${name}`)).status, 502, name);
  });

  test("the log has the request without its token", async () => {
    await curl("/plain/logged?token=secret.secret.secret&x=alsosecret");
    await curl("/nowhere/logged?token=secret.secret.secret");
    await proxy.waitLog(/GET \/plain\/logged\?token=-&x=- status=200 /);
    await proxy.waitLog(/GET \/nowhere\/logged\?token=- status=404 /);
    assert.doesNotMatch(proxy.log(), /secret/);
  });

  test("figures are there", async () => {
    const metrics = await proxy.metrics();
    assert.match(metrics, /web_proxy_requests_total [1-9]/);
    assert.match(metrics, /web_proxy_refused_total\{reason="route"\} [1-9]/);
    const status = await proxy.status();
    assert.ok(JSON.stringify(status).includes("https"));
  });

  test("nothing is left when the clients have gone", async () => {
    await waitFor(async () => /web_proxy_open_sessions 0\n/.test(await proxy.metrics()), { what: "all sessions are closed" });
    await waitFor(async () => /web_proxy_open_requests 0\n/.test(await proxy.metrics()), { what: "all requests are done" });
  });
});

describe("IPv6", { skip }, () => {
  test("clients and back ends", async (t) => {
    let six;
    try {
      six = await httpServer(describeRequest, { host: "::1" });
    } catch (error) {
      t.skip(`no IPv6 here: ${error.message}`);
      return;
    }
    const port = await freePort("::1");
    const small = await startDaemon("web-proxy", {
      args: ["--listen", `http:[::1]:${port}`, "--upstream", `a=http://[::1]:${six.port}`, "--route", "/=a"],
    });
    try {
      const got = await curl(`http://[::1]:${port}/x`);
      assert.equal(got.status, 200);
      const { headers } = JSON.parse(got.body);
      assert.equal(headers["x-forwarded-for"], "::1");
      assert.equal(headers.forwarded, `for="[::1]";proto=http;host="[::1]:${port}"`);
    } finally {
      await small.stop();
      six.close();
    }
  });
});

describe("limits", { skip }, () => {
  test("connections in all and per address", async () => {
    const port = await freePort();
    const small = await startDaemon("web-proxy", {
      args: ["--listen", `http:127.0.0.1:${port}`, "--upstream", `a=http://127.0.0.1:${backend.port}`, "--route", "/=a",
        "--connections", "50", "--connections-per-address", "3", "--workers", "2"],
    });
    const sockets = [];
    let refused = 0;
    try {
      for (let i = 0; i < 5; i++) {
        const socket = net.connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.on("close", () => { refused++; socket.refused = true; });
        sockets.push(socket);
        await once(socket, "connect");
      }
      await waitFor(() => refused === 2, { what: "those over the limit are closed" });
      await sleep(100);
      assert.equal(refused, 2, "the others stay");
      // With two workers the first to connect need not be the first accepted.
      const kept = sockets.find((socket) => !socket.refused);
      kept.write("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
      const [data] = await once(kept, "data");
      assert.match(String(data), /^HTTP\/1\.1 200/);
    } finally {
      for (const socket of sockets) socket.destroy();
      await small.stop();
    }
  });
});

describe("settings", () => {
  const base = () => ["--listen", "http:127.0.0.1:0", "--upstream", "a=http://127.0.0.1:1", "--check"];

  test("what is right is accepted", async () => {
    const got = await runDaemon("web-proxy", [...base(), "--route", "/x=a"]);
    assert.equal(got.code, 0, got.stderr);
  });

  for (const [name, args, pattern] of [
    ["an unknown upstream", ["--route", "/x=b"], /route\[0\]\.upstream.*no upstream "b"/],
    ["an unknown zone", ["--route", "/x=a,zone=z"], /route\[0\]\.zone.*no zone "z"/],
    ["a path that is not normal", ["--route", "/x/../y=a"], /route\[0\]\.path/],
    ["the same route twice", ["--route", "/x=a", "--route", "/x=a"], /there twice/],
    ["a rate that is none", ["--zone", "z=fast", "--route", "/x=a"], /zone\[0\]\.rate/],
    ["HTTPS without a certificate", ["--listen", "https:127.0.0.1:0", "--route", "/x=a"], /certificate/],
    ["no route", [], /route/],
    ["a route to nowhere", ["--route", "/x"], /upstream, redirect and root/],
  ])
    test(`${name} is refused`, async () => {
      const got = await runDaemon("web-proxy", [...base(), ...args]);
      assert.equal(got.code, 1);
      assert.match(got.stderr, pattern);
    });

  test("the table of settings in the README is the program's own", async () => {
    const { stdout } = await runDaemon("web-proxy", ["--help-markdown"]);
    const readme = fs.readFileSync(path.join(root, "web-proxy/README.md"), "utf8");
    assert.ok(readme.includes(stdout), "replace the table by web-proxy --help-markdown");
  });

  test("a port that is taken is said", async () => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    const got = await runDaemon("web-proxy", ["--listen", `http:127.0.0.1:${port}`, "--upstream", "a=http://127.0.0.1:1", "--route", "/=a"]);
    server.close();
    assert.equal(got.code, 1);
    assert.match(got.stderr, new RegExp(`cannot listen on tcp:127.0.0.1:${port}`));
  });
});
