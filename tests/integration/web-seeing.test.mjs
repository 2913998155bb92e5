// SPDX-License-Identifier: MIT
// What an operator sees of web-proxy: access log in both forms, samples,
// traces, figures of routes and upstreams. What nobody may see: tokens.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { freePort, scratch, sleep, startDaemon, waitFor } from "../support/edge.mjs";
import { httpServer, rawExchange } from "../support/web.mjs";

let dir, file, port, backend, proxy, config, seen;

async function start(change = {}, args = []) {
  config = {
    listen: [`http:127.0.0.1:${port}`], workers: 2,
    upstream: [`a=http://127.0.0.1:${backend.port}`],
    route: [{ path: "/x", upstream: "a" }, { path: "/t", upstream: "a", token: "format" }],
    ...change,
  };
  fs.writeFileSync(file, JSON.stringify(config));
  proxy = await startDaemon("web-proxy", { args: ["--config", file, ...args] });
}

const ask = (target, fields = "") =>
  rawExchange(port, `GET ${target} HTTP/1.1\r\nHost: Edge.example\r\n${fields}Connection: close\r\n\r\n`);
const lines = (pattern) => proxy.log().split("\n").filter((line) => pattern.test(line));
const waitLines = (pattern, n) => waitFor(() => lines(pattern).length >= n && lines(pattern));

beforeEach(async () => {
  dir = scratch();
  file = path.join(dir, "web-proxy.json");
  port = await freePort();
  seen = [];
  backend = await httpServer((request, response) => {
    seen.push(request.headers);
    response.statusCode = request.url.includes("broken") ? 500 : 200;
    setTimeout(() => response.end("hello"), request.url.includes("slow") ? 60 : 0);
  });
});

afterEach(async () => {
  await proxy?.stop();
  backend.close();
});

test("a line has its times, and no secret", async () => {
  await start();
  await ask("/x?slow&token=s3cret&q=private");
  await ask("/t?token=eyJhbGc.s3cret");
  await ask("/t?a=1&token=eyJhbGc.s3cret.sig", "Authorization: Bearer s3cret\r\nCookie: id=s3cret\r\n");
  const [line] = await waitLines(/access: GET \/x/, 1);
  assert.match(line, /GET \/x\?-&token=-&q=- status=200 client=127\.0\.0\.1 host=Edge\.example upstream=a link=new in=0 out=5 /);
  const [, queue, connect, first, whole] = /queue=(\d+) connect=(\d+) first=(\d+) ms=(\d+)/.exec(line).map(Number);
  assert.ok(first >= 50 && whole >= first && queue + connect <= first, line);
  await waitLines(/access: GET \/t.*status=200/, 1);
  assert.match(lines(/status=403/)[0], /GET \/t\?token=- status=403 .*refused=true/);
  assert.doesNotMatch(proxy.log(), /s3cret|private/);
});

for (const [name, change, args] of [
  ["access-format=json", { "access-format": "json" }, []],
  ["log-format=json", {}, ["--log-format", "json"]],
]) {
  test(`as JSON by ${name}`, async () => {
    await start(change, args);
    await ask("/x/%22a%20b?q=1");
    await ask("/none");
    const [good] = (await waitLines(/"component":"access".*"status":200/, 1)).map((l) => JSON.parse(l.slice(l.indexOf("{"))));
    assert.equal(good.method, "GET");
    assert.equal(good.target, "/x/%22a%20b?q=-");
    assert.equal(good.host, "Edge.example");
    assert.equal(good.upstream, "a");
    assert.equal(good.out, 5);
    assert.equal(good.refused, false);
    for (const key of ["queue_ms", "connect_ms", "first_ms", "ms"]) assert.equal(typeof good[key], "number", key);
    const [bad] = (await waitLines(/"status":404/, 1)).map((l) => JSON.parse(l.slice(l.indexOf("{"))));
    assert.equal(bad.refused, true);
  });
}

test("one of so many that went well, and all that did not", async () => {
  await start({ "access-sample": 10, workers: 1 });
  for (let i = 0; i < 30; i++) await ask("/x/fine");
  for (let i = 0; i < 3; i++) await ask("/x/broken");
  for (let i = 0; i < 3; i++) await ask("/none");
  await waitLines(/status=404/, 3);
  assert.equal(lines(/status=500/).length, 3);
  assert.equal(lines(/\/x\/fine/).length, 3);
});

test("a trace is kept or made, sent on and logged", async () => {
  await start({ trace: "keep" });
  const given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  await ask("/x", `traceparent: ${given}\r\n`);
  await ask("/x");
  await ask("/x", "Traceparent: nonsense\r\n");
  assert.equal(seen[0].traceparent, given);
  for (const headers of seen.slice(1)) assert.match(headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.notEqual(seen[1].traceparent, seen[2].traceparent);
  await waitLines(/trace=/, 3);
  for (const headers of seen) assert.ok(proxy.log().includes(`trace=${headers.traceparent.split("-")[1]}`));
});

test("routes, upstreams and servers have figures, which a reload keeps", async () => {
  await start();
  await ask("/x");
  await ask("/x/slow");
  await ask("/t");
  const figures = async () => (await proxy.admin("/metrics")).body;
  await waitFor(async () => (await figures()).includes('web_proxy_route_answers_total{route="/x",class="2xx"} 2'));
  let text = await figures();
  for (const line of [
    'web_proxy_route_answers_total{route="/t",class="4xx"} 1',
    'web_proxy_upstream_answers_total{upstream="a",class="2xx"} 2',
    'web_proxy_route_first_byte_seconds_count{route="/x"} 2',
    'web_proxy_route_first_byte_seconds_bucket{route="/x",le="0.050"} 1',
    'web_proxy_route_request_seconds_bucket{route="/x",le="+Inf"} 2',
    `web_proxy_server_up{upstream="a",server="127.0.0.1:${backend.port}"} 1`,
    'web_proxy_route_bytes_total{route="/x",direction="out"} 10',
  ]) assert.ok(text.includes(`${line}\n`), `${line}\n${text}`);
  const status = await proxy.status();
  assert.equal(status.routes.find((r) => r.name === "/x").answers.good, 2);
  assert.equal(status.upstreams[0].answers.good, 2);
  config.route = [{ path: "/x", upstream: "a", "body-size": "1k" }, { path: "/new", upstream: "a" }];
  fs.writeFileSync(file, JSON.stringify(config));
  assert.equal((await proxy.admin("/reload", { method: "POST" })).status, 200);
  await sleep(50);
  await ask("/x");
  await waitFor(async () => (await figures()).includes('web_proxy_route_answers_total{route="/x",class="2xx"} 3'));
  text = await figures();
  assert.ok(!text.includes('route="/t"'), "what is gone is gone");
  assert.ok(text.includes('web_proxy_route_answers_total{route="/new",class="2xx"} 0'));
});
