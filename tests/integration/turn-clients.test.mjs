// SPDX-License-Identifier: MIT
// ICE agents of others that have nothing but our relay: aioice (Python) and
// libnice (the ICE of GStreamer and of many media servers).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import {
  freePort, freePortRange, makeCertificates, runProgram, scratch, slow, startDaemon, waitFor,
} from "../support/edge.mjs";

const dir = scratch();
const support = path.resolve(new URL("../support", import.meta.url).pathname);
const python = "/usr/bin/python3"; // Debian's, which python3-aioice is for
const [user, password, realm] = ["alice", "wonder", "ice.test"];
const timeout = 60000 * slow;

async function withoutAioice() {
  if (!fs.existsSync(python)) return `${python} is not installed`;
  const { code } = await runProgram(python, ["-c", "import aioice"]);
  return code === 0 ? false : "python3-aioice is not installed";
}

/** The program, compiled here; or why not. */
async function buildNice() {
  const flags = await runProgram("pkg-config", ["--cflags", "--libs", "nice"]).catch(() => ({ code: 1 }));
  if (flags.code !== 0) return { skip: "libnice-dev is not installed" };
  const program = path.join(dir, "nice_relay");
  const cc = await runProgram("cc", ["-o", program, path.join(support, "nice_relay.c"),
    ...flags.stdout.trim().split(/\s+/)], { timeout });
  assert.equal(cc.code, 0, cc.stderr);
  return { skip: false, program };
}

const noAioice = await withoutAioice();
const nice = await buildNice();

describe("two agents that may only relay meet", () => {
  let turn;
  let port;

  before(async () => {
    const users = path.join(dir, "users");
    fs.writeFileSync(users, `${user}:${password}\n`, { mode: 0o600 });
    const certificates = await makeCertificates(path.join(dir, "pki"));
    const first = await freePortRange(40);
    port = await freePort();
    turn = await startDaemon("turn-server", {
      config: {
        listen: [`udp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`], workers: 2,
        certificate: certificates.cert, key: certificates.key,
        "relay-address": ["127.0.0.1"], "relay-ports": `${first}-${first + 39}`,
        realm, "users-file": users, "allow-peer": ["127.0.0.0/8"],
      },
    });
  });
  after(async () => {
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  const counted = async () => (await turn.status()).stats;

  for (const transport of ["udp", "tcp", "tls"])
    test(`aioice over ${transport}`, { skip: noAioice, timeout: 2 * timeout }, async () => {
      const before = await counted();
      const run = await runProgram(python,
        [path.join(support, "aioice_relay.py"), "127.0.0.1", String(port), user, password, transport],
        { timeout });
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(JSON.parse(run.stdout), { kinds: ["relay"], echoed: 50 });
      const now = await counted();
      assert.ok(now.relayed_to_peer - before.relayed_to_peer >= 100, "through the relay");
      await waitFor(async () => (await turn.status()).allocations === 0, { what: "all released" });
    });

  for (const transport of ["udp", "tcp", "tls"])
    test(`libnice over ${transport}`, { skip: nice.skip, timeout: 2 * timeout }, async () => {
      const run = await runProgram(nice.program,
        ["127.0.0.1", String(port), user, password, transport], { timeout });
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(JSON.parse(run.stdout), { relayed: true, echoed: 50 });
    });
});
