// SPDX-License-Identifier: MIT
// Two realms on one server: by listener, by server name; figures; reloads.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {
  freePort, freePortRange, makeCertificates, missing, runProgram, scratch, startDaemon, waitFor,
} from "../support/edge.mjs";
import { ATTR, TurnClient, timedUser } from "../support/turn_client.mjs";

describe("several realms", { concurrency: false }, () => {
  const dir = scratch();
  const secretFile = (name, content) => {
    const file = path.join(dir, name);
    fs.writeFileSync(file, content, { mode: 0o600 });
    return file;
  };
  let turn;
  let config;
  let portA;
  let portB;
  const clients = [];

  const open = async (more) => {
    const client = await TurnClient.open({ port: portA, realm: "a.test", user: "alice", password: "wonder", ...more });
    clients.push(client);
    return client;
  };
  const anna = (more) => open({ port: portB, realm: "b.test", password: "other", ...more });
  const reload = async (changed) => {
    fs.writeFileSync(path.join(turn.dir, "turn-server.json"), JSON.stringify(changed));
    return turn.admin("/reload", { method: "POST" });
  };
  const realmOf = async (name) => (await turn.status()).realms.find((r) => r.name === name);

  before(async () => {
    const made = await makeCertificates(path.join(dir, "pki"));
    portA = await freePort();
    portB = await freePort();
    const first = await freePortRange(50);
    config = {
      listen: [`udp:127.0.0.1:${portA}`, `tcp:127.0.0.1:${portA}`, `udp:127.0.0.1:${portB},realm=b.test`],
      "relay-address": ["127.0.0.1"],
      "relay-ports": `${first}-${first + 49}`,
      realm: "a.test",
      "users-file": secretFile("users-a", "alice:wonder\n"),
      "allow-peer": ["127.0.0.1/32"],
      certificate: made.cert,
      key: made.key,
      "extra-realm": [{
        name: "b.test",
        "server-name": ["turn.b.test"],
        "users-file": secretFile("users-b", "alice:other\nmds:inside\n"),
        "secret-file": secretFile("secret-b", "east\n"),
        "allow-peer": ["127.0.0.2/32"],
        "user-quota": 1,
      }],
      "quota-of": ["mds=2,realm=b.test"],
      "drain-time": "1s",
      workers: 2,
    };
    turn = await startDaemon("turn-server", { config });
  });
  after(async () => {
    for (const client of clients) client.close();
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  test("a listener's realm has its own users and peers", async () => {
    const one = await open();
    const other = await anna();
    assert.equal((await one.allocate()).code, 0);
    assert.equal((await other.allocate()).code, 0);
    assert.equal((await one.permit("127.0.0.1")).code, 0);
    assert.equal((await one.permit("127.0.0.2")).code, 403);
    assert.equal((await other.permit("127.0.0.2")).code, 0);
    assert.equal((await other.bind(0x4001, "127.0.0.1", 5000)).code, 403);
    assert.equal((await other.permit("192.0.2.1")).code, 403, "listed peers stand for all");
    const stray = await open({ port: portB, realm: "b.test" });
    assert.equal((await stray.allocate()).code, 401);

    const listed = JSON.parse((await turn.admin("/allocations")).body);
    assert.deepEqual(listed.map((a) => a.realm).sort(), ["a.test", "b.test"]);
    assert.equal((await realmOf("b.test")).allocations, 1);
    assert.equal((await realmOf("b.test")).users, 2);
    const metrics = await turn.metrics();
    assert.match(metrics, /^turn_server_realm_allocations\{realm="a\.test"\} 1$/m);
    assert.match(metrics, /^turn_server_realm_allocations\{realm="b\.test"\} 1$/m);
    assert.match(metrics, /^turn_server_realm_auth_failed_total\{realm="b\.test"\} 1$/m);
    assert.match(metrics, /^turn_server_realm_forbidden_total\{realm="b\.test"\} 2$/m);
    await one.refresh(0);
    await other.refresh(0);
  });

  test("quotas are a realm's, exceptions a user's", async () => {
    const first = await anna();
    assert.equal((await first.allocate()).code, 0);
    assert.equal((await (await anna()).allocate()).code, 486);
    const mds = [];
    for (let i = 0; i < 3; i++) mds.push(await anna({ user: "mds", password: "inside" }));
    const codes = [];
    for (const client of mds) codes.push((await client.allocate()).code);
    assert.deepEqual(codes, [0, 0, 486]);
    for (const client of [first, ...mds.slice(0, 2)]) await client.refresh(0);
  });

  test("a TLS client's server name tells its realm", async () => {
    const named = await open({ transport: "tls", servername: "turn.b.test", realm: "b.test", password: "other" });
    assert.equal((await named.allocate()).code, 0);
    await named.refresh(0);
    for (const servername of ["else.test", undefined]) {
      const client = await open({ transport: "tls", servername });
      assert.equal((await client.request(3)).attrs.get(ATTR.realm).toString(), "a.test");
    }
  });

  test("realms come, change and go by reloads", async () => {
    const one = await open();
    const other = await anna(timedUser("east"));
    const named = await open({ transport: "tls", servername: "turn.c.test", realm: "c.test", user: "carol", password: "x" });
    assert.equal((await one.allocate()).code, 0);
    assert.equal((await other.allocate()).code, 0);

    // a secret is rotated: the allocation lives on, new ones need the new one
    secretFile("secret-b", "west\neast\n");
    assert.equal((await reload(config)).status, 200);
    secretFile("secret-b", "west\n");
    assert.equal((await reload(config)).status, 200);
    await waitFor(async () => (await (await anna(timedUser("east", "late"))).allocate())?.code === 401, { what: "old secret refused" });
    assert.equal((await other.refresh(600)).code, 0);

    // a realm more
    const more = { ...config, "extra-realm": [
      { name: "c.test", "server-name": ["turn.c.test"], "users-file": secretFile("users-c", "carol:x\n") },
      ...config["extra-realm"]] };
    assert.equal((await reload(more)).status, 200);
    const carol = await open({ transport: "tls", servername: "turn.c.test", realm: "c.test", user: "carol", password: "x" });
    await waitFor(async () => (await carol.allocate())?.code === 0, { what: "the new realm" });
    assert.equal((await realmOf("c.test")).opened, 1);
    assert.equal((await other.refresh(600)).code, 0, "another place in the list changes nothing");
    assert.equal((await named.request(3)).attrs.get(ATTR.realm).toString(), "a.test", "a connection keeps its realm");

    // and less: its allocation ends, its connection gets nothing more
    assert.equal((await reload(config)).status, 200);
    await waitFor(async () => (await turn.status()).stats.realm_gone === 1, { what: "its allocation has ended" });
    assert.equal((await carol.request(3)).code, 403);
    assert.equal(await realmOf("c.test"), undefined);
    assert.doesNotMatch(await turn.metrics(), /c\.test/);
    assert.equal((await one.refresh(600)).code, 0);
    assert.equal((await other.refresh(600)).code, 0);

    // one that a listener serves stays
    const refused = await reload({ ...config, "extra-realm": [], "quota-of": [] });
    assert.equal(refused.status, 409);
    assert.match(refused.body, /listen\[2\]\.realm/);
    assert.equal((await other.refresh(600)).code, 0);
    await one.refresh(0);
    await other.refresh(0);
  });

  test("coturn's client relays in the other realm", { skip: missing("turnutils_uclient", "turnutils_peer") }, async () => {
    const peerPort = await freePort("127.0.0.2");
    const peer = spawn("turnutils_peer", ["-L", "127.0.0.2", "-p", String(peerPort)], { stdio: "ignore" });
    try {
      let stdout;
      for (let i = 0; i < 2; i++) {
        ({ stdout } = await runProgram("turnutils_uclient", [
          "-u", "mds", "-w", "inside", "-p", String(portB), "-e", "127.0.0.2", "-r", String(peerPort),
          "-n", "10", "-m", "1", "-l", "170", "-z", "20", "-c", "127.0.0.1"], { timeout: 60000 }));
        if (/Total lost packets 0 /.test(stdout)) break;
      }
      assert.match(stdout, /Total lost packets 0 /);
      assert.ok((await realmOf("b.test")).bytes_to_peer >= 1700);
    } finally {
      peer.kill();
    }
  });
});
