// SPDX-License-Identifier: MIT
// The way out: CONNECT for listed clients to listed targets with public
// addresses. In a network of its own, where we are the Internet.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { makeCertificates, missing, runDaemon, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { Network, noNamespaces } from "../support/netns.mjs";

const world = new URL("../support/egress_world.mjs", import.meta.url).pathname;
const PUSH = "17.1.2.3";   // Apple's
const OTHER = "9.9.9.10";  // public, somebody else's
const INSIDE = "10.9.8.7";
const PUBLIC6 = "2606:4700::10";
const PORT = 3128;

const skip = (await noNamespaces()) || missing("curl");

describe("the way out", { skip, concurrency: false }, () => {
  const dir = scratch();
  const network = new Network();
  const waiting = new Map();
  let web, certs, internet, id = 0;

  const call = (name, args) => new Promise((done) => {
    waiting.set(++id, done);
    internet.stdin.write(`${JSON.stringify({ id, name, args })}\n`);
  });
  const raw = (text, args) => call("raw", { port: PORT, text, ...args });
  const connectTo = (target) => `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`;
  const status = (answer) => Number(answer.got.match(/^HTTP\/1\.1 (\d{3})/)?.[1] ?? 0);
  const counter = async (result) =>
    Number((await web.metrics()).match(new RegExp(`web_proxy_egress_total{result="${result}"} (\\d+)`))[1]);
  const curl = (...args) => network.exec("out", "curl", "-sS", "--max-time", "20", "-o", "-",
    "-w", "\n%{http_connect}", "-k", "-x", `http://127.0.0.1:${PORT}`, ...args);

  before(async () => {
    certs = await makeCertificates(path.join(dir, "pki"));
    await network.host("out");
    for (const ip of [PUSH, OTHER, INSIDE]) await network.ip("out", "addr", "add", `${ip}/32`, "dev", "lo");
    await network.ip("out", "-6", "addr", "add", `${PUBLIC6}/128`, "dev", "lo", "nodad");
    const name = network.name("out");
    internet = spawn("ip", ["netns", "exec", name, process.execPath, world, JSON.stringify({
      ...certs, servers: [PUSH, OTHER, INSIDE, "127.0.0.1", PUBLIC6],
      zone: {
        "push.test": [[PUSH]], "other.test": [[OTHER]], "free.test": [[OTHER]], "six.test": [[PUBLIC6]],
        "inside.test": [[INSIDE]], "loop.test": [["127.0.0.1"]], "loop6.test": [["::1"]],
        "mapped.test": [[`::ffff:${OTHER}`]], "nat64.test": [["64:ff9b::7f00:1"]],
        "mixed.test": [["127.0.0.1", INSIDE, PUSH]],
        "rebind.test": [[PUSH], ["127.0.0.1"]],
        "a.wild.test": [[OTHER]], "a.b.wild.test": [[OTHER]],
        "closed.test": [["17.1.2.4"]],
      } })], { stdio: ["pipe", "pipe", "inherit"] });
    readline.createInterface({ input: internet.stdout }).on("line", (line) => {
      const { id, result } = JSON.parse(line);
      waiting.get(id)?.(result);
      waiting.delete(id);
    });
    await new Promise((done) => waiting.set(0, done));
    web = await startDaemon("web-proxy", { under: ["ip", "netns", "exec", name], config: {
      listen: [`connect:127.0.0.1:${PORT}`], workers: 1, resolver: ["127.0.0.1"],
      upstream: ["x=http://127.0.0.1:1"], route: ["/=x"],
      "egress-from": ["127.0.0.1/32"], "egress-connections-per-address": 4, "head-timeout": "1s",
      "egress-connect-timeout": "3s",
      egress: [
        { to: "push.test:443", nets: ["17.0.0.0/8", "127.0.0.0/8"] },
        { to: "push.test:7", nets: ["17.0.0.0/8"] },
        { to: "other.test:443", nets: ["17.0.0.0/8"] },
        "free.test:443", "six.test:443", "inside.test:443", "loop.test:443", "loop6.test:443", "mapped.test:443",
        "nat64.test:443", "mixed.test:443", "rebind.test:443", "*.wild.test:443", "missing.test:443", "closed.test:443",
        "127.0.0.1:443", `${OTHER}:443`, "2130706433:443", "0x7f000001:443", "127.1:443", "[::1]:443",
      ] } });
  });
  after(async () => {
    const how = await web?.stop();
    internet?.stdin.end();
    await network.close();
    assert.equal(how?.code, 0, web?.log());
  });

  test("curl and Node reach what is listed", async () => {
    const { stdout, stderr } = await curl("https://push.test/");
    assert.equal(stdout, `${PUSH}\n200`, stderr);
    const got = await call("node", { port: PORT, target: "free.test:443" });
    assert.equal(got.status, 200);
    assert.match(got.text, new RegExp(`\r\n\r\n${OTHER}$`));
    assert.equal((await curl("https://a.wild.test/")).stdout, `${OTHER}\n200`);
    assert.equal((await curl("https://six.test/")).stdout, `${PUBLIC6}\n200`);
    assert.equal((await curl(`https://${OTHER}/`)).stdout, `${OTHER}\n200`);
    await call("reached");
  });

  test("bytes behind the request are the tunnel's", async () => {
    const { got } = await raw(`${connectTo("push.test:7")}early`, { until: "early" });
    assert.equal(got, "HTTP/1.1 200 Connection established\r\n\r\nearly");
    await call("reached");
  });

  const refused = [
    ["not listed", "nobody.test:443"], ["another port", "push.test:80"], ["a name below", "x.push.test:443"],
    ["two labels for a wildcard", "a.b.wild.test:443"],
    ["a public address outside of the networks given", "other.test:443"],
    ["a private address", "inside.test:443"], ["loopback", "loop.test:443"], ["loopback, IPv6", "loop6.test:443"],
    ["IPv4 in IPv6", "mapped.test:443"], ["NAT64 of loopback", "nat64.test:443"],
    ["loopback, listed as such", "127.0.0.1:443"], ["loopback in brackets", "[::1]:443"],
  ];
  for (const [what, target] of refused)
    test(`403: ${what}`, async () => {
      assert.equal(status(await raw(connectTo(target))), 403);
      assert.deepEqual(await call("reached"), []);
    });

  for (const target of ["2130706433:443", "0x7f000001:443", "127.1:443"])
    test(`another spelling of loopback: ${target}`, async () => {
      assert.ok([403, 502].includes(status(await raw(connectTo(target)))));
      assert.deepEqual(await call("reached"), []);
    });

  test("of several addresses only the public ones are tried", async () => {
    assert.equal((await curl("https://mixed.test/")).stdout, `${PUSH}\n200`);
    assert.deepEqual(await call("reached"), [PUSH]);
  });

  test("a name that moves inside between two requests gains nothing", async () => {
    const seen = [];
    for (let i = 0; i < 6; i++) {
      seen.push(status(await raw(connectTo("rebind.test:443"), { until: "\r\n\r\n" })));
      // every answer says it may not be kept
      await new Promise((done) => setTimeout(done, 50));
    }
    const reached = await call("reached");
    assert.ok(seen.includes(200), String(seen));
    assert.ok(!reached.includes("127.0.0.1"), String(reached));
    assert.equal(reached.length, seen.filter((s) => s === 200).length);
  });

  test("what cannot be reached is 502 or 504", async () => {
    assert.equal(status(await raw(connectTo("missing.test:443"))), 502);
    assert.ok([502, 504].includes(status(await raw(connectTo("closed.test:443")))));
  });

  test("the target counts, whatever Host says", async () => {
    const host = (target, name) => raw(`CONNECT ${target} HTTP/1.1\r\nHost: ${name}\r\n\r\n`, { until: "\r\n\r\n" });
    assert.equal(status(await host("push.test:443", `127.0.0.1:${PORT}`)), 200);
    assert.equal(status(await host("nobody.test:443", "push.test:443")), 403);
    assert.deepEqual(await call("reached"), [PUSH]);
  });

  test("405: other methods", async () => {
    for (const text of ["GET http://push.test/ HTTP/1.1\r\nHost: push.test\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST http://push.test/ HTTP/1.1\r\nHost: push.test\r\nContent-Length: 3\r\n\r\nabc"]) {
      const answer = await raw(text);
      assert.equal(status(answer), 405, text);
      assert.match(answer.got, /\r\nAllow: CONNECT\r\n/);
    }
  });

  test("400: malformed", async () => {
    for (const text of ["CONNECT push.test HTTP/1.1\r\nHost: push.test\r\n\r\n",
      "CONNECT push.test:443 HTTP/1.1\r\nHost: a b\r\n\r\n",
      "CONNECT push.test:443 HTTP/1.1\r\nHost: push.test:443\r\nHost: push.test:443\r\n\r\n",
      "CONNECT push.test:443 HTTP/1.1\r\n\r\n",
      "CONNECT http://push.test:443/ HTTP/1.1\r\nHost: push.test:443\r\n\r\n",
      "CONNECT push.test:443@evil.test:443 HTTP/1.1\r\nHost: push.test:443\r\n\r\n",
      "CONNECT push.test:443 HTTP/1.1\r\nHost: push.test:443\r\nContent-Length: 5\r\n\r\nhello",
      "CONNECT push.test:443 HTTP/1.1\nHost: push.test:443\n\n"]) {
      const answer = await raw(text);
      assert.equal(status(answer), 400, `${text}\n${answer.got}`);
    }
    assert.deepEqual(await call("reached"), []);
  });

  test("clients that are not listed are sent away unheard", async () => {
    const before = await counter("client");
    assert.deepEqual(await raw(connectTo("push.test:443"), { from: INSIDE }), { got: "", closed: true });
    assert.equal(await counter("client"), before + 1);
  });

  test("who says nothing is cut", async () => {
    assert.equal(status(await raw("CONNECT push")), 408);
  });

  test("places per client are limited", async () => {
    const before = await counter("limit");
    const four = [1, 2, 3, 4].map(() => raw(connectTo("push.test:7"), { ms: 1500 }));
    await waitFor(async () => (await web.status()).stats.streams === 4);
    assert.equal((await raw(connectTo("push.test:7"))).got, "");
    assert.equal(await counter("limit"), before + 1);
    await Promise.all(four);
    await waitFor(async () => (await web.status()).stats.streams === 0);
  });

  test("the log names client, target and address, and no secrets", async () => {
    await raw(`CONNECT push.test:7 HTTP/1.1\r\nHost: push.test:7\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\nx`, { until: "x" });
    await web.waitLog(/egress client=127\.0\.0\.1 target=push\.test:7 address=17\.1\.2\.3 status=200 in=\d+ out=\d+ ms=\d+ end=\w+/);
    assert.match(web.log(), /egress client=127\.0\.0\.1 target=inside\.test:443 address=- status=403: /);
    assert.doesNotMatch(web.log(), /c2VjcmV0/);
  });

  test("a reload changes who and where", async () => {
    const file = path.join(web.dir, "web-proxy.json");
    const config = JSON.parse(fs.readFileSync(file, "utf8"));
    config.egress = ["free.test:443"];
    config["egress-bytes"] = 2000;
    fs.writeFileSync(file, JSON.stringify(config));
    assert.equal((await web.admin("/reload", { method: "POST" })).status, 200);
    assert.equal(status(await raw(connectTo("push.test:443"))), 403);
    assert.equal((await raw(connectTo("free.test:443"), { until: "\r\n\r\n" })).got.slice(9, 12), "200");
  });
});

test("settings of the way out that cannot be are refused", async () => {
  const base = ["--check", "--upstream", "h=http://127.0.0.1:2", "--route", "/=h"];
  const cases = [
    [["--listen", "connect:127.0.0.1:3128"], /egress-from.*needed/],
    [["--listen", "connect:127.0.0.1:3128", "--egress-from", "10.0.0.0/8"], /egress: needed|egress.*where it leads/],
    [["--listen", "http:127.0.0.1:80", "--egress", "a.test:443"], /egress.*no listener connect/],
    [["--listen", "connect:127.0.0.1:3128", "--egress-from", "10.0.0.0/8", "--egress", "a.test"],
      /egress\[0\]\.to.*"a\.test" is not host:port/],
  ];
  for (const [args, expected] of cases) {
    const { code, stderr } = await runDaemon("web-proxy", [...base, ...args]);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, expected, args.join(" "));
  }
});
