// SPDX-License-Identifier: MIT
// The product in one test: two browsers sign in through web-proxy, register
// through sip-proxy at the demo registrar, and talk through turn-server.
// Afterwards nothing of them is left in any daemon.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { missing } from "../support/edge.mjs";
import { browserPath } from "../support/browser.mjs";
import { hangUp, holdAndResume, sendKeys, Stage } from "../support/calls.mjs";

const skip = browserPath ? missing("kamailio", "openssl", "curl") : "chromium is not installed";
const relay = "ice=relay&turn=udp";

let stage;
before(async () => { if (!skip) stage = await Stage.set(); });
afterEach(async () => { await stage?.reset(); });
after(async () => { await stage?.clear(); });

for (const [transport, caller] of [["udp", true], ["tcp", false], ["tls", true]])
  test(`two browsers talk, TURN over ${transport}`, { skip, timeout: 120000 }, async () => {
    const { alice, bob } = await stage.talking(`ice=relay&turn=${transport}`);
    for (const phone of [alice, bob]) {
      const now = await phone.hears();
      assert.equal(now.local.type, "relay");
      assert.equal(now.local.protocol, transport);
      assert.equal(now.remote.type, "relay");
      assert.ok(now.energy > 0);
    }
    await holdAndResume(alice, bob);
    await sendKeys(bob, alice, "159#");
    if (caller) await hangUp(alice, bob);
    else await hangUp(bob, alice);
    await stage.leave(alice, bob);
  });

test("a call that nobody answers is cancelled", { skip, timeout: 60000 }, async () => {
  const { alice, bob } = await stage.ringing(relay);
  await hangUp(alice, bob);
  assert.match((await bob.events()).join("\n"), /call ended: Canceled/);
  await stage.leave(alice, bob);
});

test("a call that is declined ends on both sides", { skip, timeout: 60000 }, async () => {
  const { alice, bob } = await stage.ringing(relay);
  await bob.click("#reject");
  await alice.when("call", "idle");
  await bob.when("call", "idle");
  assert.match((await alice.events()).join("\n"), /call ended: (Rejected|Busy|Unavailable)/);
  await stage.leave(alice, bob);
});

test("a page that goes away in a call ends it", { skip, timeout: 60000 }, async () => {
  const { alice, bob } = await stage.talking(relay);
  await alice.hears();
  await alice.close();
  await bob.when("call", "idle");
  await stage.leave(bob);
});

// Over TCP the relay sees its client go; over UDP it learns of it when the
// allocation's lifetime (10 min) is over.
test("a browser that dies in a call leaves nothing behind", { skip, timeout: 60000 }, async () => {
  const { alice, bob } = await stage.talking("ice=relay&turn=tcp");
  await alice.hears();
  await alice.crash();
  await bob.click("#hangup");
  await bob.when("call", "idle");
  await stage.leave(bob);
});

test("the echo of the demo LAN plays back what we say", {
  skip: skip || missing("baresip"), timeout: 60000,
}, async () => {
  const carol = await stage.open("carol", relay);
  await carol.call("echo");
  await carol.when("call", "talking");
  await carol.hears();
  await carol.click("#hangup");
  await carol.when("call", "idle");
  await stage.leave(carol);
});

test("nothing is left in any daemon", { skip, timeout: 120000 }, async () => {
  await stage.spotless();
});
