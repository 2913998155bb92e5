// SPDX-License-Identifier: MIT
// Limits of the shell: handshakes per source, listeners' figures, and addresses of this host that come and go.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import {
  adminRequest, binary, freePort, makeCertificates, runProgram, scratch, slow, startDaemon, waitFor,
} from "../support/edge.mjs";
import { noNamespaces } from "../support/netns.mjs";
import { TurnClient } from "../support/turn_client.mjs";
import { spawn } from "node:child_process";
import { once } from "node:events";

test("handshakes of one source begin at a bounded rate, plain clients do not count", async () => {
  const dir = scratch();
  const made = await makeCertificates(path.join(dir, "pki"));
  const port = await freePort();
  const config = {
    listen: [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`],
    "relay-address": ["127.0.0.1"],
    certificate: made.cert,
    key: made.key,
    "source-handshake-rate": 1,
    workers: 1,
  };
  const turn = await startDaemon("turn-server", { config });
  try {
    const attempts = [];
    for (let i = 0; i < 12; i++)
      attempts.push(TurnClient.open({ port, transport: "tls" }).then((c) => { c.close(); return true; }, () => false));
    const opened = (await Promise.all(attempts)).filter(Boolean).length;
    assert.ok(opened >= 1 && opened < 12, `${opened} of 12`);
    for (const transport of ["tcp", "udp"]) {
      const plain = await TurnClient.open({ port, transport });
      assert.equal((await plain.binding()).type, 0x0101);
      plain.close();
    }
    await waitFor(async () => (await turn.status()).stats.listener_refused_rate_source === 12 - opened,
      { what: "refusals counted" });
    const metrics = await turn.metrics();
    assert.match(metrics, new RegExp(`^turn_server_accept_refused_total\\{reason="handshake_rate_source"\\} ${12 - opened}$`, "m"));
    assert.match(metrics, /^turn_server_accepted_total 13$/m);

    // and 0 is none, from the next reload on
    fs.writeFileSync(path.join(turn.dir, "turn-server.json"), JSON.stringify({ ...config, "source-handshake-rate": 0 }));
    assert.equal((await turn.admin("/reload", { method: "POST" })).status, 200);
    for (let i = 0; i < 12; i++) (await TurnClient.open({ port, transport: "tls" })).close();
  } finally {
    await turn.stop();
  }
});

test("a connection that is no handshake waits, fails and is counted", async () => {
  const dir = scratch();
  const made = await makeCertificates(path.join(dir, "pki"));
  const port = await freePort();
  const turn = await startDaemon("turn-server", {
    config: {
      listen: [`tls:127.0.0.1:${port}`], "relay-address": ["127.0.0.1"], certificate: made.cert, key: made.key, workers: 1,
      "max-handshakes": 16,
    },
  });
  try {
    const silent = net.connect(port, "127.0.0.1");
    silent.on("error", () => {});
    await waitFor(async () => (await turn.status()).stats.listener_waiting === 1, { what: "it waits" });
    silent.write("no handshake at all\r\n\r\n");
    await waitFor(async () => (await turn.status()).stats.listener_handshake_failed === 1, { what: "failure counted" });
    silent.destroy();

    const many = Array.from({ length: 20 }, () => net.connect(port, "127.0.0.1").on("error", () => {}));
    await waitFor(async () => (await turn.status()).stats.listener_refused_waiting === 4, { what: "the oldest give way" });
    assert.equal((await turn.status()).stats.listener_waiting, 16);
    const client = await TurnClient.open({ port, transport: "tls" });
    assert.equal((await client.binding()).type, 0x0101);
    client.close();
    for (const socket of many) socket.destroy();
  } finally {
    await turn.stop();
  }
});

const host = `edge${process.pid}o`;
describe("addresses of a host", { skip: await noNamespaces() }, () => {
  test("that come are our own within seconds, behind a wildcard listener", async () => {
    const dir = scratch();
    const admin = path.join(dir, "admin.sock");
    const inside = (...words) => runProgram("ip", ["netns", "exec", host, ...words]);
    let child;
    try {
      await runProgram("ip", ["netns", "add", host]);
      await inside("ip", "link", "set", "lo", "up");
      await inside("ip", "addr", "add", "10.9.9.1/32", "dev", "lo");
      fs.writeFileSync(path.join(dir, "users"), "alice:wonder\n", { mode: 0o600 });
      child = spawn("ip", ["netns", "exec", host, binary("turn-server"), "--listen", "udp:0.0.0.0:3478",
        "--relay-address", "10.9.9.1", "--realm", "own.test", "--users-file", path.join(dir, "users"),
        "--allow-peer", "10.9.9.0/24", "--admin-socket", admin, "--drain-time", "0", "--workers", "2"], { stdio: "ignore" });
      await waitFor(async () => (await adminRequest(admin, "/readyz")).status === 200, { what: "ready" });
      const library = new URL("../support/turn_client.mjs", import.meta.url).href;
      const bind = async (ip) => Number((await inside(process.execPath, "--input-type=module", "-e", `
        import { TurnClient } from ${JSON.stringify(library)};
        const client = await TurnClient.open({ host: "10.9.9.1", port: 3478, realm: "own.test", user: "alice", password: "wonder" });
        await client.allocate();
        console.log((await client.bind(0x4001, ${JSON.stringify(ip)}, 3478)).code);
        client.close();`)).stdout);
      assert.equal(await bind("10.9.9.1"), 403, "the listener itself");
      assert.equal(await bind("10.9.9.9"), 0, "another host's");
      await inside("ip", "addr", "add", "10.9.9.9/32", "dev", "lo");
      await waitFor(async () => await bind("10.9.9.9") === 403, { timeout: 20000 * slow, every: 500, what: "it is ours now" });
      await inside("ip", "addr", "del", "10.9.9.9/32", "dev", "lo");
      assert.equal((await adminRequest(admin, "/reload", { method: "POST" })).status, 200);
      await waitFor(async () => await bind("10.9.9.9") === 0, { what: "a reload reads them at once" });
    } finally {
      child?.kill("SIGTERM");
      if (child && child.exitCode === null && child.signalCode === null) await once(child, "close");
      await runProgram("ip", ["netns", "del", host]);
    }
  });
});
