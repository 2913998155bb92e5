// SPDX-License-Identifier: MIT
// Other people's clients: coturn's turnutils against our server.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  freePort, freePortRange, makeCertificates, missing, runProgram, scratch, startDaemon,
} from "../support/edge.mjs";

const hasV6 = Object.values(os.networkInterfaces()).flat().some((a) => a.address === "::1");
const skip = missing("turnutils_uclient", "turnutils_peer", "turnutils_stunclient");

const lossless = /Total lost packets 0 \(0\.0+%\), total send dropped 0/;

describe("coturn's clients", { skip, concurrency: false }, () => {
  const dir = scratch();
  let port;
  let peerPort;
  let turn;
  const peers = [];

  before(async () => {
    const made = await makeCertificates(path.join(dir, "pki"));
    fs.writeFileSync(path.join(dir, "users"), "alice:wonder\n", { mode: 0o600 });
    fs.writeFileSync(path.join(dir, "secret"), "north\n", { mode: 0o600 });
    port = await freePort();
    peerPort = await freePort();
    const first = await freePortRange(200);
    turn = await startDaemon("turn-server", {
      config: {
        listen: [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`]
          .concat(hasV6 ? [`udp:[::1]:${port}`, `tcp:[::1]:${port}`] : []),
        "relay-address": ["127.0.0.1"].concat(hasV6 ? ["::1"] : []),
        "relay-ports": `${first}-${first + 199}`,
        realm: "turn.test",
        "users-file": path.join(dir, "users"),
        "secret-file": path.join(dir, "secret"),
        certificate: made.cert,
        key: made.key,
        "allow-peer": ["127.0.0.0/8"].concat(hasV6 ? ["::1/128"] : []),
        "public-peers": true, // what -G permits is anywhere
        "drain-time": "1s",
        workers: 2,
      },
    });
    for (const host of ["127.0.0.1"].concat(hasV6 ? ["::1"] : []))
      peers.push(spawn("turnutils_peer", ["-L", host, "-p", String(peerPort)], { stdio: "ignore" }));
  });
  after(async () => {
    for (const peer of peers) peer.kill();
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  const cases = [
    ["UDP", []],
    ["UDP, Send method", ["-s"]],
    ["UDP, client to client", ["-y"]],
    ["UDP, not to be fragmented", ["-g"]],
    ["UDP, Send method, not to be fragmented", ["-g", "-s"]],
    ["TCP", ["-t"]],
    ["TCP, client to client", ["-t", "-y"]],
    ["TLS", ["-t", "-S"]],
    ["DTLS", ["-S"]],
    ["DTLS, client to client", ["-S", "-y"]],
    ["DTLS, packets as long as we relay", ["-S", "-l", "2040"]],
    ["UDP with a time-limited user", ["-W", "north"]],
    ["UDP with extra requests", ["-G"]],
    ["UDP, dual allocation", ["-Z"], hasV6],
    ["IPv6 relay", ["-x"], hasV6, "::1"],
    ["IPv6 relay, client to client over TCP", ["-x", "-t", "-y"], hasV6, "::1"],
  ];
  for (const [what, args, possible = true, host = "127.0.0.1"] of cases)
    test(`${what}: no packet is lost`, { skip: possible ? false : "no ::1 here" }, async () => {
      // The client gives up waiting for late answers: on a machine that is
      // busy with other things that may happen once.
      let stdout;
      for (let i = 0; i < 2; i++) {
        ({ stdout } = await runProgram("turnutils_uclient", [
          "-u", "alice", "-w", "wonder", "-p", String(port), "-e", host, "-r", String(peerPort),
          "-n", "25", "-m", "4", "-l", "170", "-z", "20", ...args, host], { timeout: 60000 }));
        if (lossless.test(stdout)) break;
      }
      assert.match(stdout, lossless);
      const [, sent, received] = stdout.match(/tot_send_msgs=(\d+), tot_recv_msgs=(\d+)\n.*tot_send_bytes ~ \d+, tot_recv_bytes ~ \d+\n.*Total transmit/);
      assert.ok(Number(sent) > 0);
      assert.equal(sent, received);
    });

  for (const host of ["127.0.0.1"].concat(hasV6 ? ["::1"] : []))
    test(`turnutils_stunclient learns its address at ${host}`, async () => {
      const { stdout } = await runProgram("turnutils_stunclient", ["-p", String(port), host]);
      assert.match(stdout, /UDP reflexive addr: (127\.0\.0\.1|::1):\d+/);
    });

  test("nothing was dropped or refused on the way", async () => {
    const { stats } = await turn.status();
    for (const name of ["drop_malformed", "drop_unexpected", "drop_no_channel", "refused_403", "refused_508", "udp_send_errors"])
      assert.equal(stats[name], 0, name);
  });

  const negative = (...args) => runProgram("turnutils_uclient", [
    "-u", "alice", "-w", "wonder", "-p", String(port), "-e", "127.0.0.1", "-r", String(peerPort),
    "-n", "10", "-m", "2", "-l", "170", ...args, "127.0.0.1"], { timeout: 60000 });

  test("negative test: one channel number more for the same peer is refused (400)", async () => {
    const { stdout, stderr } = await negative("-N", "-v");
    assert.match(stdout + stderr, /channel bind: error 400/);
  });

  test("negative protocol test: broken messages are counted and do no harm to others", async () => {
    const refused = (s) => s.drop_malformed + s.drop_fingerprint + s.drop_unexpected + s.refused_400
      + s.refused_420 + s.connections_garbage;
    const before = (await turn.status()).stats;
    // chance decides what it breaks; it may have to give up in the middle
    for (let i = 0; i < 10 && refused((await turn.status()).stats) === refused(before); i++)
      await negative("-R", "-t");
    assert.ok(refused((await turn.status()).stats) > refused(before));
    assert.match((await negative("-t")).stdout, lossless);
  });
});

test("turnutils_natdiscovery comes to its verdicts", { skip: missing("turnutils_natdiscovery") }, async () => {
  const [port, other] = [await freePort(), await freePort()];
  const turn = await startDaemon("turn-server", {
    config: {
      listen: ["127.0.0.1", "127.0.0.2"].flatMap((ip) => [`udp:${ip}:${port}`, `udp:${ip}:${other}`]),
      "nat-discovery": true,
      "relay-address": ["127.0.0.1"],
    },
  });
  try {
    const { stdout } = await runProgram("turnutils_natdiscovery", ["-m", "-f", "-P", "-p", String(port), "127.0.0.1"]);
    assert.match(stdout, /Endpoint Independent Mapping/);
    assert.match(stdout, /Endpoint Independent Filtering/);
    assert.match(stdout, new RegExp(`Other addr: : 127\\.0\\.0\\.2:${other}`));
  } finally {
    await turn.stop();
  }
});
