// SPDX-License-Identifier: MIT
// The rule sets of `edgectl firewall` loaded for real: the three-server
// layout of deploy/config in network namespaces, default drop everywhere.
// Every flow passes, nothing else does, and no rule can be left out.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { buildDir, root, runProgram, scratch, slow } from "../support/edge.mjs";
import { Network, noNamespaces } from "../support/netns.mjs";

const skip = await noNamespaces();

const file = (daemon) => path.join(root, "deploy/config/three-hosts", `${daemon}.json`);
const files = ["--topology", path.join(root, "deploy/config/three-hosts/topology.json"), "--web", file("web-proxy"),
  "--sip", file("sip-proxy"), "--turn", file("turn-server")];
const edgectl = (...args) =>
  runProgram(path.join(buildDir, "deploy/edgectl/edgectl"), args);

// Who stands where. "outside" is a host of the internet, "desk" one of the LAN
// that the topology does not name.
const zones = { internet: ["outside"], dmz: ["edge-web", "edge-sip", "edge-turn"],
  lan: ["main", "mds1", "mds2", "uc", "bridge", "admin", "desk"] };
const addresses = {
  outside: "198.51.100.10", "edge-web": "10.1.0.1", "edge-sip": "10.1.0.2",
  "edge-turn": "203.0.113.3", main: "10.0.0.10", mds1: "10.0.0.11", mds2: "10.0.0.12",
  uc: "10.0.0.20", bridge: "10.0.0.30", admin: "10.0.9.9", desk: "10.0.50.50",
};
const zoneOf = (host) => Object.keys(zones).find((zone) => zones[zone].includes(host));
const filtered = { "edge-web": "edge-web", "edge-sip": "edge-sip", "edge-turn": "edge-turn",
  "router-out": "outer", "router-in": "inner" };

async function build(network) {
  for (const bridge of ["sw-net", "sw-dmz", "sw-lan"]) await network.bridge(bridge);
  for (const host of ["router-out", "router-in", ...Object.values(zones).flat()])
    await network.host(host);
  await network.plug("router-out", "eth0", "sw-net", "198.51.100.1/24");
  await network.plug("router-out", "eth1", "sw-dmz", "10.1.0.254/24", "203.0.113.6/29");
  await network.plug("router-in", "eth0", "sw-dmz", "10.1.0.253/24", "203.0.113.5/29");
  await network.plug("router-in", "eth1", "sw-lan", "10.0.255.254/16");
  for (const router of ["router-out", "router-in"])
    await network.sysctl(router, "net.ipv4.ip_forward=1");
  await network.ip("router-out", "route", "add", "10.0.0.0/16", "via", "10.1.0.253");
  await network.ip("router-in", "route", "add", "default", "via", "10.1.0.254");
  const plug = (host, bridge, bits, ...ways) => network.plug(host, "eth0", bridge, `${addresses[host]}/${bits}`)
    .then(async () => {
      for (const [net, via] of ways) await network.ip(host, "route", "add", net, "via", via);
    });
  await plug("outside", "sw-net", 24, ["default", "198.51.100.1"]);
  for (const host of ["edge-web", "edge-sip"])
    await plug(host, "sw-dmz", 24, ["default", "10.1.0.254"], ["10.0.0.0/16", "10.1.0.253"]);
  await plug("edge-turn", "sw-dmz", 29, ["default", "203.0.113.6"], ["10.0.0.0/16", "203.0.113.5"]);
  for (const host of zones.lan) await plug(host, "sw-lan", 16, ["default", "10.0.255.254"]);
}

const number = (ip) => ip.split(".").reduce((n, part) => n * 256 + Number(part), 0);
const inNet = (ip, net) => {
  const [base, bits = "32"] = net.split("/");
  const size = 2 ** (32 - Number(bits));
  return Math.floor(number(ip) / size) === Math.floor(number(base) / size);
};
const between = (ports, port) => {
  if (ports === "any") return true;
  const [first, last = first] = ports.split("-").map(Number);
  return port >= first && port <= last;
};

describe("the rule sets in a network of namespaces", { skip, concurrency: false }, () => {
  const network = new Network();
  const dir = scratch();
  let flows;
  let mark = 0;

  /** Of an end of a flow: hosts of ours that are one. */
  const hostsOf = (end) => (end.addresses.length === 0 ? zones[end.zone]
    : Object.keys(addresses).filter((h) => end.addresses.some((net) => inNet(addresses[h], net))));

  const pick = (ports, fallback) => {
    if (ports === "any") return fallback;
    const [first, last = first] = ports.split("-").map(Number);
    return first + Math.floor(Math.random() * (last - first + 1));
  };

  /** Which of the probes {protocol, from, sport, to, port} get through. */
  async function passing(probes, wait = 1000 * slow) {
    const marks = new Map();
    await Promise.all(probes.map(async (p) =>
      (await network.agent(p.to)).call("listen", { protocol: p.protocol, address: addresses[p.to], port: p.port })));
    const passed = new Set();
    await Promise.all(probes.map(async (p) => {
      const text = String(++mark);
      marks.set(text, p);
      const stood = await (await network.agent(p.from)).call("send", {
        ...p, from: addresses[p.from], to: addresses[p.to], mark: text, wait });
      if (p.protocol === "tcp" && stood) passed.add(p);
    }));
    // No longer than needed: all of them through is known at once.
    const end = Date.now() + wait;
    do {
      for (const host of new Set(probes.map((p) => p.to)))
        for (const text of await (await network.agent(host)).call("heard"))
          if (marks.has(text)) passed.add(marks.get(text));
      await new Promise((done) => setTimeout(done, 20));
    } while (passed.size < probes.length && Date.now() < end);
    return passed;
  }

  const probeOf = (flow, from, to) => ({
    protocol: flow.protocol, from, to, sport: pick(flow.from.ports), port: pick(flow.to.ports, 12345), flow });

  /** One probe for each flow and each pair of hosts it is for. */
  const probes = () => flows.flatMap((flow) => hostsOf(flow.from).flatMap((from) =>
    hostsOf(flow.to).filter((to) => to !== from).map((to) => probeOf(flow, from, to))));

  /** What no flow is: between all hosts, to ports something might listen on. */
  function strangers() {
    const ports = [22, 53, 80, 443, 3478, 5060, 5066, 8080, 10000, 15000, 35000];
    const allowed = (p) => flows.some((f) => f.protocol === p.protocol &&
      hostsOf(f.from).includes(p.from) && hostsOf(f.to).includes(p.to) &&
      between(f.to.ports, p.port) && between(f.from.ports, p.sport));
    const tried = [];
    for (const from of Object.keys(addresses))
      for (const to of Object.keys(addresses)) {
        // Inside a zone that is not ours nothing of ours filters.
        if (from === to || (zoneOf(from) === zoneOf(to) && zoneOf(from) !== "dmz")) continue;
        for (const protocol of ["udp", "tcp"])
          for (const port of ports) {
            const p = { protocol, from, to, port, sport: 41000 + (tried.length % 20000) };
            if (!allowed(p)) tried.push(p);
          }
      }
    return tried;
  }

  const describeProbe = (p) => `${p.protocol} ${p.from}:${p.sport ?? "*"} → ${p.to}:${p.port}`;

  const load = async (host) => {
    const { code, stderr } = await network.exec(host, "nft", "-f", path.join(dir, `${filtered[host]}.nft`));
    assert.equal(code, 0, stderr);
  };

  before(async () => {
    await build(network);
    ({ flows } = JSON.parse((await edgectl("flows", ...files, "--json")).stdout));
    assert.equal((await edgectl("firewall", ...files, "--out", dir)).code, 0);
  });
  after(() => network.close());

  test("without rules every flow passes: the network is right", async () => {
    const all = probes();
    const passed = await passing(all);
    assert.deepEqual(all.filter((p) => !passed.has(p)).map(describeProbe), []);
    // What must not pass later does now: those probes can fail.
    const others = strangers().filter((p, i) => i % 5 === 0);
    const through = await passing(others);
    assert.deepEqual(others.filter((p) => !through.has(p)).map(describeProbe), []);
  });

  test("with the rules every flow passes", async () => {
    for (const host of Object.keys(filtered)) await load(host);
    const all = probes();
    const passed = await passing(all);
    assert.ok(all.length >= 40, `${all.length} probes`);
    assert.deepEqual(all.filter((p) => !passed.has(p)).map(describeProbe), []);
  });

  test("nothing else passes", async () => {
    const tried = strangers();
    const leaked = [];
    for (let i = 0; i < tried.length; i += 300)
      leaked.push(...await passing(tried.slice(i, i + 300), 300));
    assert.ok(tried.length > 1000, `${tried.length} probes`);
    assert.deepEqual(leaked.map(describeProbe), []);
  });

  test("someone outside cannot pretend to be of the LAN", async () => {
    await network.ip("outside", "addr", "add", "10.0.0.10/32", "dev", "eth0");
    const agent = await network.agent("outside");
    const text = String(++mark);
    await (await network.agent("edge-turn")).call("listen", { protocol: "udp", address: addresses["edge-turn"], port: 31000 });
    await agent.call("send", { protocol: "udp", from: "10.0.0.10", sport: 12000,
      to: addresses["edge-turn"], port: 31000, mark: text });
    await new Promise((done) => setTimeout(done, 300 * slow));
    const heard = await (await network.agent("edge-turn")).call("heard");
    await network.ip("outside", "addr", "del", "10.0.0.10/32", "dev", "eth0");
    assert.ok(!heard.includes(text));
  });

  test("no rule can be left out", {
    skip: slow > 1 ? "the rules are those of the other builds" : false,
  }, async () => {
    let removed = 0;
    for (const host of Object.keys(filtered)) {
      const { stdout } = await network.exec(host, "nft", "-a", "list", "table", "inet", "edge");
      let chain;
      for (const line of stdout.split("\n")) {
        chain = line.match(/^\tchain (\w+)/)?.[1] ?? chain;
        const handle = line.match(/comment "[^"]*" # handle (\d+)/)?.[1];
        if (!handle) continue;
        const out = await network.exec(host, "nft", "delete", "rule", "inet", "edge", chain, "handle", handle);
        assert.equal(out.code, 0, out.stderr);
        const all = probes();
        const passed = await passing(all, 150);
        const stopped = all.filter((p) => !passed.has(p));
        assert.ok(stopped.length > 0, `superfluous in ${filtered[host]}: ${line.trim()}`);
        // It was this rule, no packet lost by chance: not again without it, at once with it.
        assert.deepEqual([...await passing(stopped, 150)].map(describeProbe), [], line);
        await load(host);
        assert.equal((await passing(stopped, 2000)).size, stopped.length, line);
        removed++;
      }
    }
    assert.ok(removed >= 40, `${removed} rules`);
    const all = probes();
    const passed = await passing(all);
    assert.deepEqual(all.filter((p) => !passed.has(p)).map(describeProbe), []);
  });
});
