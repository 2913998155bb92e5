// SPDX-License-Identifier: MIT
// The product in one test: two browsers sign in through web-proxy, register
// through sip-proxy at the demo registrar, and talk through turn-server.
// Afterwards nothing of them is left in any daemon.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing, sleep, waitFor } from "../support/edge.mjs";
import { browserPath, launchBrowser, Phone } from "../support/browser.mjs";
import { daemons, Lab } from "../support/lab.mjs";

const skip = browserPath ? missing("kamailio", "openssl", "curl") : "chromium is not installed";

let lab;
let browser;

before(async () => {
  if (skip) return;
  lab = await Lab.up();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  const done = await lab?.down();
  if (done) {
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.stderr, "", "every process stopped when asked");
    assert.equal(done.left, false, "the lab leaves no file behind");
  }
});

const open = (user, query) =>
  Phone.open(browser, { url: lab.url, user, password: lab.password, query });

async function connect(query) {
  const alice = await open("alice", query);
  const bob = await open("bob", query);
  await alice.call("bob");
  await bob.when("call", "ringing");
  await bob.click("#answer");
  await alice.when("call", "talking");
  await bob.when("call", "talking");
  return { alice, bob };
}

/* Hold is a re-INVITE that makes the other side receive-only: it falls silent. */
async function holdAndResume(one, other) {
  await one.click("#hold");
  await one.when("held", "us");
  await other.when("held", "peer");
  await sleep(500);
  const quiet = await one.totals();
  await sleep(1000);
  const later = await one.totals();
  assert.ok(later.received - quiet.received < 10, "media stops while on hold");
  await one.click("#hold");
  await one.when("held", "no");
  await other.when("held", "no");
  await one.hears();
  await other.hears();
}

async function sendKeys(one, other, keys) {
  await one.click("#keys");
  for (const key of keys) {
    await one.click(`#keypad button:text-is("${key}")`);
    await sleep(250);
  }
  await waitFor(async () => (await other.text("#digits")) === keys,
    { what: `${other.user} sees the keys ${keys}` });
}

async function signOut(...phones) {
  for (const phone of phones) {
    await phone.signOut();
    const events = (await phone.events()).join("\n");
    assert.match(events, /unregistered/);
    assert.deepEqual(phone.errors, []);
    await phone.close();
  }
}

/* What a daemon says it holds for others at this moment. */
const held = {
  "turn-server": (s) => s,
  "sip-proxy": (s) => s,
  "web-proxy": (s) => s,
};

async function nothingIsLeft() {
  for (const name of daemons)
    await waitFor(async () => {
      const left = held[name](await lab.status(name));
      for (const [what, count] of Object.entries(left))
        if (count !== 0) throw new Error(`${name} holds ${count} ${what}`);
      return true;
    }, { timeout: 45000, every: 500, what: `${name} holds nothing` });
}

const cases = [
  { transport: "udp", ends: "caller" },
  { transport: "tcp", ends: "callee" },
  { transport: "tls", ends: "caller" },
];

for (const { transport, ends } of cases)
  test(`two browsers talk, TURN over ${transport}`, { skip, timeout: 120000 }, async () => {
    const fds = Object.fromEntries(daemons.map((name) => [name, lab.fds(name)]));
    const { alice, bob } = await connect(`ice=relay&turn=${transport}`);
    for (const phone of [alice, bob]) {
      const now = await phone.hears();
      assert.equal(now.local.type, "relay");
      assert.equal(now.local.protocol, transport);
      assert.equal(now.remote.type, "relay");
      assert.ok(now.energy > 0);
    }

    await holdAndResume(alice, bob);
    await sendKeys(bob, alice, "159#");
    await (ends === "caller" ? alice : bob).click("#hangup");
    await alice.when("call", "idle");
    await bob.when("call", "idle");

    await signOut(alice, bob);
    await nothingIsLeft();
    for (const name of daemons)
      await waitFor(() => lab.fds(name) <= fds[name],
        { timeout: 20000, what: `${name} closes its descriptors (had ${fds[name]})` });
  });

test("a call that nobody answers is cancelled", { skip, timeout: 60000 }, async () => {
  const alice = await open("alice", "ice=relay&turn=udp");
  const bob = await open("bob", "ice=relay&turn=udp");
  await alice.call("bob");
  await bob.when("call", "ringing");
  await alice.click("#hangup");
  await alice.when("call", "idle");
  await bob.when("call", "idle");
  assert.match((await bob.events()).join("\n"), /call ended: Canceled/);
  await signOut(alice, bob);
  await nothingIsLeft();
});

test("a call that is declined ends on both sides", { skip, timeout: 60000 }, async () => {
  const alice = await open("alice", "ice=relay&turn=udp");
  const bob = await open("bob", "ice=relay&turn=udp");
  await alice.call("bob");
  await bob.when("call", "ringing");
  await bob.click("#reject");
  await alice.when("call", "idle");
  await bob.when("call", "idle");
  await signOut(alice, bob);
  await nothingIsLeft();
});

test("the echo of the demo LAN plays back what we say", {
  skip: skip || missing("baresip"), timeout: 60000,
}, async () => {
  const carol = await open("carol", "ice=relay&turn=udp");
  await carol.call("echo");
  await carol.when("call", "talking");
  await carol.hears();
  await carol.click("#hangup");
  await carol.when("call", "idle");
  await signOut(carol);
  await nothingIsLeft();
});
