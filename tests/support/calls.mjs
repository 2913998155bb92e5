// SPDX-License-Identifier: MIT
// The steps of a call between two softphones through a lab, and the proof
// that nothing of it stays behind. Used with the demo registrar (tests/e2e)
// and with other call servers (tests/interop).

import assert from "node:assert/strict";
import { sleep, waitFor } from "./edge.mjs";
import { launchBrowser, Phone } from "./browser.mjs";
import { daemons, Lab } from "./lab.mjs";

const only = (stats, names) =>
  Object.fromEntries(Object.entries(stats).filter(([name]) => names.test(name)));

/* What a daemon says it holds for others at this moment. */
const held = {
  "turn-server": ({ allocations, relay_ports, stats }) => ({
    allocations, relay_ports: relay_ports.taken,
    ...only(stats, /^(allocations_(udp|tcp|tls|dtls)|connections|stream_open)$/),
  }),
  "sip-proxy": ({ stats }) => only(stats, /^(flows|ws_open)$/),
  "web-proxy": ({ stats, connections }) => ({
    connections, ...only(stats, /^(sessions|exchanges|tunnels)$/),
  }),
};

/* The same for what the protocol keeps a while: a SIP transaction over UDP
 * waits 32 s for repeats, a connection to a back end waits for reuse. */
const lingering = {
  "turn-server": () => ({}),
  "sip-proxy": ({ stats }) => only(stats, /^transactions_(invite_)?(client|server)$|^transaction_bytes$/),
  "web-proxy": ({ stats }) => only(stats, /^(links|idle_links)$/),
};

/** One browser on this machine, or one in each of two homes of a network. */
async function browsersFor({ hosts, names }) {
  if (!hosts) return [await launchBrowser()];
  // Chromium looks for TURN servers as "name.", which /etc/hosts does not know.
  const rules = Object.entries(names).map(([name, address]) => `MAP ${name}. ${address}`);
  return Promise.all([hosts.alice, hosts.bob].map((namespace) =>
    launchBrowser([`--host-resolver-rules=${rules.join(",")}`], { namespace })));
}

export class Stage {
  static async set(options) {
    const lab = await Lab.up(options);
    try {
      return new Stage(lab, await browsersFor(lab));
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  constructor(lab, browsers) {
    const fds = Object.fromEntries(daemons.map((name) => [name, lab.fds(name)]));
    Object.assign(this, { lab, browsers, fds });
  }

  /** Forget phones that a failed test left open. */
  async reset() {
    for (const context of this.browsers.flatMap((browser) => browser.contexts())) await context.close();
  }

  async clear() {
    for (const browser of this.browsers) await browser.close();
    const done = await this.lab.down();
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.stderr, "", "every process stopped when asked");
    assert.equal(done.left, false, "the lab leaves no file behind");
  }

  open(user, query) {
    const { url, password } = this.lab;
    const browser = this.browsers[user === "bob" ? this.browsers.length - 1 : 0];
    return Phone.open(browser, { url, user, password, query });
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

  async #empty(what, timeout) {
    for (const name of daemons)
      await waitFor(async () => {
        const left = what[name](await this.lab.status(name));
        for (const [gauge, count] of Object.entries(left))
          if (count !== 0) throw new Error(`${name} holds ${count} ${gauge}`);
        return true;
      }, { timeout, every: 250, what: `${name} holds nothing` });
  }

  /** Sign everybody out, and see that the daemons forget them. */
  async leave(...phones) {
    for (const phone of phones) {
      await phone.signOut();
      assert.match((await phone.events()).join("\n"), /unregistered/);
      assert.deepEqual(phone.errors, []);
      await phone.close();
    }
    await this.#empty(held, 10000);
  }

  /** Nothing at all is left, and as many descriptors are open as at the start. */
  async spotless() {
    await this.#empty(held, 10000);
    await this.#empty(lingering, 70000);
    for (const name of daemons)
      await waitFor(() => this.lab.fds(name) <= this.fds[name],
        { what: `${name} closes its descriptors (had ${this.fds[name]})` });
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
