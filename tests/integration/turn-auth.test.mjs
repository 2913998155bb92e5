// SPDX-License-Identifier: MIT
// The credentials of RFC 8489 with a client written after the text of the RFC, digests by Node:
// SHA-256 keys and integrity, USERHASH, names beyond ASCII, and what a man in the middle may try.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { freePort, freePortRange, scratch, startDaemon } from "../support/edge.mjs";
import { ATTR, METHOD, TurnClient, attr, message } from "../support/turn_client.mjs";

const USERHASH = 0x001e, INTEGRITY_SHA256 = 0x001c, ALGORITHM = 0x001d, ALGORITHMS = 0x8002;
const hash = (name, ...parts) => crypto.createHash(name).update(parts.join(":")).digest();
const transport = attr(ATTR.transport, Buffer.from([17, 0, 0, 0]));
const sha256First = Buffer.from([0, 2, 0, 0, 0, 1, 0, 0]);

describe("credentials of RFC 8489", { concurrency: false }, () => {
  const dir = scratch();
  const realm = "r\u00e9alm.test";
  let turn;
  let port;

  /** An Allocate by `user`; the answer. `how` says what is done differently from a good client. */
  async function allocate(user, password, how = {}) {
    const client = await TurnClient.open({ port });
    const challenge = await client.request(METHOD.allocate, [transport], { plain: true });
    assert.equal(challenge.code, 401);
    const nonce = (how.nonce ?? ((n) => n))(Buffer.from(challenge.attrs.get(ATTR.nonce)));
    const named = challenge.attrs.get(ATTR.realm).toString();
    const algorithm = how.algorithm ?? 2;
    const list = "list" in how ? how.list : challenge.attrs.get(ALGORITHMS);
    const key = hash(algorithm === 2 ? "sha256" : "md5", user, named, password);
    const request = (tid) => {
      const attrs = [transport,
        how.byHash ? attr(USERHASH, hash("sha256", user, named)) : attr(ATTR.username, Buffer.from(user)),
        attr(ATTR.realm, Buffer.from(named)), attr(ATTR.nonce, nonce)];
      if (list !== null) attrs.push(attr(ALGORITHMS, list));
      if (how.chosen !== null) attrs.push(attr(ALGORITHM, Buffer.from([0, how.chosen ?? algorithm, 0, 0])));
      const [type, digest, size] = how.sha1 ? [ATTR.integrity, "sha1", 20] : [INTEGRITY_SHA256, "sha256", 32];
      const bare = message(METHOD.allocate, tid, attrs);
      bare.writeUInt16BE(bare.length - 20 + 4 + (how.keep ?? size), 2);
      return [...attrs, attr(type, crypto.createHmac(digest, key).update(bare).digest().subarray(0, how.keep ?? size))];
    };
    const answer = await client.request(METHOD.allocate, request, { plain: true });
    const signed = answer.attrs.get(INTEGRITY_SHA256);
    if (answer.code === 0) assert.equal(signed?.length, how.sha1 ? undefined : 32);
    client.close();
    return { ...answer, challenge };
  }

  before(async () => {
    fs.writeFileSync(path.join(dir, "users"), "alice:wonder\nAme\u0301lie:pa\u3000ss\n", { mode: 0o600 });
    port = await freePort();
    const first = await freePortRange(100);
    turn = await startDaemon("turn-server", {
      config: {
        listen: [`udp:127.0.0.1:${port}`], "relay-address": ["127.0.0.1"], "relay-ports": `${first}-${first + 99}`,
        realm, "users-file": path.join(dir, "users"), "allow-peer": ["127.0.0.0/8"], "drain-time": "0", workers: 1,
      },
    });
  });
  after(async () => {
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  test("the nonce says what is offered", async () => {
    const { challenge, code } = await allocate("alice", "wonder");
    assert.equal(code, 0);
    const nonce = challenge.attrs.get(ATTR.nonce).toString();
    assert.match(nonce, /^obMatJos2/);
    assert.equal(Buffer.from(nonce.slice(9, 13), "base64")[0], 0xc0, "password algorithms, user name anonymity");
    assert.deepEqual(challenge.attrs.get(ALGORITHMS), sha256First);
    assert.equal(challenge.attrs.get(ATTR.realm).toString(), realm);
  });

  test("SHA-256 and MD5 keys, both integrities, a user hash, a truncated MAC", async () => {
    assert.equal((await allocate("alice", "wonder", { byHash: true })).code, 0);
    assert.equal((await allocate("alice", "wonder", { algorithm: 1 })).code, 0);
    assert.equal((await allocate("alice", "wonder", { sha1: true })).code, 0);
    assert.equal((await allocate("alice", "wonder", { algorithm: 1, sha1: true, list: null, chosen: null })).code, 0);
    assert.equal((await allocate("alice", "wonder", { keep: 16 })).code, 0);
    assert.equal((await allocate("alice", "wonder", { keep: 12 })).code, 401, "shorter than allowed");
    assert.equal((await allocate("alice", "wander")).code, 401);
    assert.equal((await allocate("malice", "wonder", { byHash: true })).code, 401);
  });

  test("a name and a password in NFC are those of the file in another form", async () => {
    assert.equal((await allocate("Am\u00e9lie", "pa ss")).code, 0);
    assert.equal((await allocate("Am\u00e9lie", "pa ss", { byHash: true })).code, 0);
    assert.equal((await allocate("am\u00e9lie", "pa ss")).code, 401);
  });

  test("a downgrade is noticed", async () => {
    const md5Only = Buffer.from([0, 1, 0, 0]);
    assert.equal((await allocate("alice", "wonder", { algorithm: 1, list: md5Only })).code, 400, "the list was shortened");
    assert.equal((await allocate("alice", "wonder", { list: Buffer.from([0, 1, 0, 0, 0, 2, 0, 0]) })).code, 400, "and turned round");
    assert.equal((await allocate("alice", "wonder", { list: null })).code, 400, "the choice alone");
    assert.equal((await allocate("alice", "wonder", { chosen: null })).code, 400, "the list alone");
    assert.equal((await allocate("alice", "wonder", { chosen: 7 })).code, 400, "an algorithm nobody offered");
    assert.equal((await allocate("alice", "wonder", { algorithm: 2, chosen: 1 })).code, 401, "another one's key");
    const without = (nonce) => Buffer.from(nonce.toString().replace(/^obMatJos2..../, "obMatJos2AAAA"));
    assert.equal((await allocate("alice", "wonder", { nonce: without, algorithm: 1, list: null, chosen: null })).code, 438,
      "the features were taken out of the nonce");
    const { stats } = await turn.status();
    assert.equal(stats.refused_400, 5);
    assert.equal(stats.refused_438, 1);
  });

  test("neither nonces nor answers go from one client to another", async () => {
    const other = await TurnClient.open({ port });
    const stolen = (await other.request(METHOD.allocate, [transport], { plain: true })).attrs.get(ATTR.nonce);
    assert.equal((await allocate("alice", "wonder", { nonce: () => stolen })).code, 438);
    other.close();
  });
});
