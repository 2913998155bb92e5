// SPDX-License-Identifier: MIT
// A client behind NAT, in network namespaces: port-preserving and symmetric.
//
//   client 192.168.77.2 ── NAT 192.168.77.1 | 203.0.113.50 ── server 203.0.113.3, .4

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import {
  adminRequest, binary, missing, runProgram, scratch, waitFor,
} from "../support/edge.mjs";

const id = `edge${process.pid}`;
const [server, nat, client] = ["s", "n", "c"].map((c) => `${id}${c}`);

async function command(file, ...args) {
  const { code, stderr } = await runProgram(file, args);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")}: ${stderr}`);
}
const inside = (ns, ...words) => command("ip", "netns", "exec", ns, ...words);

async function wire(nsA, devA, addressA, nsB, devB, addressB) {
  await command("ip", "link", "add", devA, "netns", nsA, "type", "veth", "peer", "name", devB, "netns", nsB);
  for (const [ns, dev, addresses] of [[nsA, devA, addressA], [nsB, devB, addressB]]) {
    for (const address of addresses) await inside(ns, "ip", "addr", "add", `${address}/24`, "dev", dev);
    await inside(ns, "ip", "link", "set", dev, "up");
    await inside(ns, "ip", "link", "set", "lo", "up");
  }
}

async function setUp() {
  for (const ns of [server, nat, client]) await command("ip", "netns", "add", ns);
  await wire(server, "eth0", ["203.0.113.3", "203.0.113.4"], nat, "wan", ["203.0.113.50"]);
  await wire(nat, "lan", ["192.168.77.1"], client, "eth0", ["192.168.77.2"]);
  await inside(client, "ip", "route", "add", "default", "via", "192.168.77.1");
  await inside(nat, "sysctl", "-qw", "net.ipv4.ip_forward=1");
}

async function masquerade(how) {
  await runProgram("ip", ["netns", "exec", nat, "nft", "flush", "ruleset"]);
  await inside(nat, "nft", `table ip n { chain p { type nat hook postrouting priority 100;`
    + ` oifname "wan" masquerade ${how}; }; }`);
}

async function tearDown() {
  for (const ns of [server, nat, client]) await runProgram("ip", ["netns", "del", ns]);
}

async function skipReason() {
  if (process.getuid() !== 0) return "needs root for network namespaces";
  const without = missing("ip", "nft", "turnutils_uclient", "turnutils_peer", "turnutils_natdiscovery");
  if (without) return without;
  try {
    await setUp();
    await masquerade("");
  } catch (error) {
    await tearDown();
    return `no network namespaces here: ${error.message.trim()}`;
  }
  return false;
}

describe("a client behind NAT", { skip: await skipReason(), concurrency: false }, () => {
  const dir = scratch();
  const children = [];
  const run = (ns, ...words) => {
    const child = spawn("ip", ["netns", "exec", ns, ...words], { stdio: "ignore" });
    children.push(child);
    return child;
  };

  before(async () => {
    const admin = path.join(dir, "admin.sock");
    fs.writeFileSync(path.join(dir, "users"), "alice:wonder\n", { mode: 0o600 });
    run(server, binary("turn-server"),
      ...["203.0.113.3", "203.0.113.4"].flatMap((ip) => ["3478", "3479"].flatMap((port) => ["--listen", `udp:${ip}:${port}`])),
      "--listen", "tcp:203.0.113.3:3478", "--nat-discovery",
      "--relay-address", "203.0.113.3", "--relay-ports", "40000-40999", "--realm", "nat.test",
      "--users-file", path.join(dir, "users"), "--allow-peer", "203.0.113.4:5000-5001",
      "--admin-socket", admin, "--drain-time", "0", "--workers", "2");
    run(server, "turnutils_peer", "-L", "203.0.113.4", "-p", "5000");
    await waitFor(async () => (await adminRequest(admin, "/readyz")).status === 200, { what: "ready" });
  });
  after(async () => {
    for (const child of children.reverse()) {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    }
    await tearDown();
  });

  const kinds = [
    ["port-preserving", "", /Endpoint Independent Mapping/],
    ["symmetric", "fully-random", /Address and Port Dependent Mapping|Address Dependent Mapping/],
  ];
  for (const [kind, how, verdict] of kinds) {
    test(`${kind}: discovery tells which NAT it is`, async () => {
      await masquerade(how);
      const { stdout } = await runProgram("ip", ["netns", "exec", client,
        "turnutils_natdiscovery", "-m", "-f", "-p", "3478", "203.0.113.3"]);
      assert.match(stdout, verdict);
      assert.match(stdout, /Port Dependent Filtering/);
    });

    for (const transport of [[], ["-t"]])
      test(`${kind}: media is relayed over ${transport.length ? "TCP" : "UDP"} without loss`, async () => {
        await masquerade(how);
        const { stdout } = await runProgram("ip", ["netns", "exec", client, "turnutils_uclient",
          "-u", "alice", "-w", "wonder", "-e", "203.0.113.4", "-r", "5000",
          "-n", "20", "-m", "2", "-z", "20", ...transport, "203.0.113.3"]);
        assert.match(stdout, /Total lost packets 0 \(0\.0+%\)/, stdout);
      });
  }
});
