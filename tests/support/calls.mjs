// SPDX-License-Identifier: MIT
// The steps of a call between two softphones through a lab, and the proof
// that nothing of it stays behind. Used with the demo registrar (tests/e2e)
// and with other call servers (tests/interop).

import assert from "node:assert/strict";
import { sleep, waitFor } from "./edge.mjs";
import { launchBrowser, Phone } from "./browser.mjs";
import { daemons, Lab } from "./lab.mjs";

/* What a daemon says it holds for others at this moment. */
const held = {
  "turn-server": (s) => s,
  "sip-proxy": (s) => s,
  "web-proxy": (s) => s,
};

export class Stage {
  static async set(options) {
    const lab = await Lab.up(options);
    try {
      return new Stage(lab, await launchBrowser());
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  constructor(lab, browser) {
    Object.assign(this, { lab, browser });
  }

  async clear() {
    await this.browser.close();
    const done = await this.lab.down();
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.stderr, "", "every process stopped when asked");
    assert.equal(done.left, false, "the lab leaves no file behind");
  }

  open(user, query) {
    const { url, password } = this.lab;
    return Phone.open(this.browser, { url, user, password, query });
  }

  async ringing(query) {
    const alice = await this.open("alice", query);
    const bob = await this.open("bob", query);
    await alice.call("bob");
    await bob.when("call", "ringing");
    return { alice, bob };
  }

  async talking(query) {
    const { alice, bob } = await this.ringing(query);
    await bob.click("#answer");
    await alice.when("call", "talking");
    await bob.when("call", "talking");
    return { alice, bob };
  }

  fds() {
    return Object.fromEntries(daemons.map((name) => [name, this.lab.fds(name)]));
  }

  /** Sign everybody out, and see that the daemons forget them. */
  async leave(phones, fds) {
    for (const phone of phones) {
      await phone.signOut();
      assert.match((await phone.events()).join("\n"), /unregistered/);
      assert.deepEqual(phone.errors, []);
      await phone.close();
    }
    for (const name of daemons)
      await waitFor(async () => {
        const left = held[name](await this.lab.status(name));
        for (const [what, count] of Object.entries(left))
          if (count !== 0) throw new Error(`${name} holds ${count} ${what}`);
        return true;
      }, { timeout: 45000, every: 500, what: `${name} holds nothing` });
    for (const name of Object.keys(fds ?? {}))
      await waitFor(() => this.lab.fds(name) <= fds[name],
        { timeout: 20000, what: `${name} closes its descriptors (had ${fds[name]})` });
  }
}

/** Hold is a re-INVITE that makes the other side receive-only: it falls silent. */
export async function holdAndResume(one, other) {
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

/** Keys go as SIP INFO and are seen on the other side. */
export async function sendKeys(one, other, keys) {
  await one.click("#keys");
  for (const key of keys) {
    await one.click(`#keypad button:text-is("${key}")`);
    await sleep(250);
  }
  await waitFor(async () => (await other.text("#digits")) === keys,
    { what: `${other.user} sees the keys ${keys}` });
}

export async function hangUp(one, other) {
  await one.click("#hangup");
  await one.when("call", "idle");
  await other.when("call", "idle");
}
