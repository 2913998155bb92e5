// SPDX-License-Identifier: MIT
// `edgectl check` in the documented installation: from the internet, from a
// host of the DMZ and from the LAN nothing is found; then one thing at a time
// is broken, and named.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { missing, runProgram, slow, waitFor } from "../support/edge.mjs";
import { checkFrom } from "../support/check.mjs";
import { Lab } from "../support/lab.mjs";
import { noNamespaces } from "../support/netns.mjs";

const skip = await noNamespaces() || missing("kamailio", "openssl", "nft", "conntrack");

describe("edgectl check in the three-server installation", { skip, concurrency: false }, () => {
  let lab;
  const children = [];
  const etc = (name) => path.join(lab.dir, "etc", name);
  const on = (host) => ["ip", "netns", "exec", lab.hosts[host]];
  const run = (host, ...words) => runProgram("ip", [...on(host).slice(1), ...words]);

  /** What the topology says is there and the lab has not: a port that accepts. */
  async function listen(host, port) {
    const child = spawn("ip", [...on(host).slice(1), process.execPath, "-e",
      `require("net").createServer((c) => c.on("error", () => {}).end()).listen(${port}, () => console.log("listens"))`],
    { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    await once(child.stdout, "data");
  }

  /** The questions that make sense at a place. */
  const asked = {
    cafe: () => ["--from", "internet", "--published", `${lab.addresses["edge-web"]}=${lab.names["edge.example.com"]}`,
      "https://edge.example.com", "--path", "/ucassistant/", "--websocket", "/wssip?token=a.b.c",
      "--secret-file", etc("turn.secret"), "turn:turn.example.com", "turn:turn.example.com?transport=tcp",
      "turns:turn.example.com:3478", "turns:turn.example.com:3478?transport=udp",
      "--media", `${lab.addresses.main}:10000`, "--media", `${lab.addresses.bridge}:10000`,
      "--forbidden", `${lab.addresses.uc}:443`, "--forbidden", `${lab.addresses["edge-sip"]}:5066`],
    "edge-web": () => ["--from", "edge-web"],
    "edge-sip": () => ["--from", "edge-sip"],
    "edge-turn": () => ["--from", "edge-turn"],
    main: () => ["--from", "main", `sip:${lab.addresses["edge-sip"]}`],
    admin: () => ["--from", "admin", "https://edge.example.com", "--websocket", "/wssip?token=a.b.c",
      "--secret-file", etc("turn.secret"), "turn:turn.example.com"],
  };

  const look = (host, ...more) => checkFrom(on(host), "--ca", lab.ca, "--topology", etc("topology.json"),
    "--web", etc("web-proxy.json"), "--sip", etc("sip-proxy.json"), "--turn", etc("turn-server.json"), ...asked[host](), ...more);
  const names = (seen) => [...new Set(seen.bad)].sort();
  const shown = (seen) => JSON.stringify(seen.lines.filter((l) => l.state !== "ok"), null, 1);

  /** Without a rule of a host's table; returns what puts it back. */
  async function withoutRule(host, comment) {
    const { stdout } = await run(host, "nft", "-a", "list", "table", "inet", "edge");
    let chain;
    let gone = 0;
    for (const line of stdout.split("\n")) {
      chain = line.match(/^\tchain (\w+)/)?.[1] ?? chain;
      const handle = line.match(/# handle (\d+)$/)?.[1];
      if (!handle || !comment.test(line)) continue;
      assert.equal((await run(host, "nft", "delete", "rule", "inet", "edge", chain, "handle", handle)).code, 0);
      gone++;
    }
    assert.ok(gone > 0, `${host} has no rule ${comment}:\n${stdout}`);
    await run(host, "conntrack", "-F");
    return () => run(host, "nft", "-f", path.join(lab.dir, "firewall", `${host}.nft`));
  }

  before(async () => {
    lab = await Lab.up({ args: ["--netns"] });
    for (const host of ["edge-web", "edge-sip", "edge-turn"]) await listen(host, 22);
    await listen("main", 443);
    // The guard of web-proxy counts logins of one address; registrars are asked each 10 s.
    await waitFor(async () => (await lab.status("sip-proxy")).media_servers.every((s) => s.up),
      { timeout: 30000, every: 500, what: "media servers up" });
  });
  after(async () => {
    for (const child of children) child.kill();
    const done = await lab?.down();
    if (done) assert.equal(done.code, 0, done.stderr);
  });

  for (const host of Object.keys(asked))
    test(`nothing is found at ${host}`, { timeout: 120000 }, async () => {
      const seen = await look(host);
      assert.deepEqual(names(seen), [], shown(seen));
      assert.ok(seen.ok.length > 4);
    });

  test("what was asked was answered, each way", { timeout: 60000 }, async () => {
    const { ok } = await look("cafe");
    const count = (id) => ok.filter((x) => x === id).length;
    assert.deepEqual(["TURN-ALLOCATE", "TURN-MEDIA", "TURN-FORBIDDEN", "TURN-RELAY-CLOSED", "SIP-WEBSOCKET", "WEB-HTTP2",
      "CLOCK-OFFSET", "TURN-TLS"].map(count), [4, 8, 16, 4, 1, 1, 1, 2]);
  });

  for (const [what, host, at, rule, ids] of [
    ["https at the outer firewall", "cafe", "outer", /dport 443 /, ["FLOW-BLOCKED", "WEB-CONNECT"]],
    ["TURN over UDP on its host", "cafe", "edge-turn", /udp dport 3478 /, ["FLOW-BLOCKED", "TURN-CONNECT", "TURN-STUN"]],
    ["media at the inner firewall", "cafe", "inner", /comment "relayed media to peers"/, ["TURN-MEDIA"]],
    ["media to the relay at the outer firewall", "cafe", "outer", /comment "media from peers"/, ["FLOW-SILENT", "TURN-RELAY-CLOSED"]],
    ["the way to the application", "edge-web", "inner", /10\.0\.0\.20 .*dport 443 /, ["FLOW-BLOCKED"]],
    ["administration", "admin", "edge-sip", /dport 22 /, ["FLOW-BLOCKED"]],
    ["SIP of the media servers", "main", "edge-sip", /udp dport 5060 .*from media servers/, ["FLOW-BLOCKED", "SIP-OPTIONS"]],
  ])
    test(`without the rule for ${what}: ${ids.join(", ")}`, { timeout: 120000 }, async () => {
      const back = await withoutRule(at, rule);
      const seen = await look(host);
      await back();
      assert.deepEqual(names(seen), ids, shown(seen));
    });

  test("a firewall that lets everything in: PORT-OPEN", { timeout: 60000 }, async () => {
    for (const host of ["outer", "edge-web"])
      await run(host, "nft", "add", "rule", "inet", "edge", host === "outer" ? "forward" : "input", "accept");
    const seen = await look("cafe", "--only", "PORT-OPEN");
    for (const host of ["outer", "edge-web"]) await run(host, "nft", "-f", path.join(lab.dir, "firewall", `${host}.nft`));
    assert.match(shown(seen), /edge-web 45\.0\.113\.2:22 tcp/);
    assert.deepEqual(names(seen), ["PORT-OPEN"]);
  });

  test("a stopped media server: SIP-WEBSOCKET", { timeout: 90000 }, async () => {
    const { stdout } = await runProgram("ip", ["netns", "pids", lab.hosts.main]);
    const registrar = stdout.split("\n").map(Number)
      .filter((pid) => pid && /kamailio/.test(fs.readFileSync(`/proc/${pid}/comm`, "utf8")));
    assert.ok(registrar.length > 0);
    for (const pid of registrar) process.kill(pid, "SIGSTOP");
    const seen = await look("cafe", "--only", "SIP-WEBSOCKET");
    for (const pid of registrar) process.kill(pid, "SIGCONT");
    assert.deepEqual(names(seen), ["SIP-WEBSOCKET"], shown(seen));
  });

  test("a wrong clock here: CLOCK-OFFSET, and what certificates and credentials say", {
    timeout: 60000, skip: slow > 1 ? "a sanitizer wants to be loaded first" : missing("faketime"),
  }, async () => {
    const seen = await checkFrom([...on("cafe"), "faketime", "-f", "+90d"], "--ca", lab.ca,
      "https://edge.example.com", "--only", "CLOCK-OFFSET", "--only", "CERT-EXPIRED");
    assert.deepEqual(names(seen), ["CERT-EXPIRED", "CLOCK-OFFSET"], shown(seen));
  });
});
