// SPDX-License-Identifier: MIT
// The documented installation for real: three hosts in a DMZ between two
// firewalls with the rules edgectl makes, media servers and web application
// in the LAN, two browsers in homes behind NAT.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missing, runProgram, waitFor } from "../support/edge.mjs";
import { browserPath } from "../support/browser.mjs";
import { hangUp, Stage } from "../support/calls.mjs";
import { noNamespaces } from "../support/netns.mjs";

const skip = await noNamespaces() ||
  (browserPath ? missing("kamailio", "openssl", "curl", "nft", "conntrack") : "chromium is not installed");

/** Delete a rule of a host's table by its comment; returns what puts the table back. */
async function withoutRule(stage, host, comment) {
  const inside = (...words) => runProgram("ip", ["netns", "exec", stage.lab.hosts[host], ...words]);
  const { stdout } = await inside("nft", "-a", "list", "table", "inet", "edge");
  let chain;
  let found = 0;
  for (const line of stdout.split("\n")) {
    chain = line.match(/^\tchain (\w+)/)?.[1] ?? chain;
    const handle = line.match(/# handle (\d+)$/)?.[1];
    if (!handle || !comment.test(line)) continue;
    const { code } = await inside("nft", "delete", "rule", "inet", "edge", chain, "handle", handle);
    assert.equal(code, 0);
    found++;
  }
  assert.ok(found > 0, `${host} has no rule ${comment}:\n${stdout}`);
  // What was let through before is not remembered.
  await inside("conntrack", "-F");
  return () => inside("nft", "-f", `${stage.lab.dir}/firewall/${host}.nft`);
}

for (const nat of ["preserving", "symmetric"])
  describe(`the three-server installation, homes behind ${nat} NAT`, { skip, concurrency: false }, () => {
    let stage;
    before(async () => { stage = await Stage.set({ args: ["--netns", "--nat", nat] }); });
    after(async () => { await stage?.clear(); });

    for (const transport of ["udp", "tcp", "tls"])
      test(`two browsers talk through the relay, TURN over ${transport}`, { timeout: 120000 }, async () => {
        const { alice, bob } = await stage.talking(`ice=relay&turn=${transport}`);
        for (const phone of [alice, bob]) {
          const now = await phone.hears();
          assert.equal(now.local.type, "relay");
          assert.equal(now.local.protocol, transport);
        }
        await hangUp(alice, bob);
        await stage.leave(alice, bob);
      });

    test("two browsers that may choose find a way", { timeout: 120000 }, async () => {
      const { alice, bob } = await stage.talking("");
      const now = await alice.hears();
      await bob.hears();
      // Behind symmetric NAT on both sides there is no direct one.
      if (nat === "symmetric")
        assert.ok([now.local.type, now.remote.type].includes("relay"), JSON.stringify(now));
      await hangUp(alice, bob);
      await stage.leave(alice, bob);
    });

    test("the echo in the LAN answers", { skip: missing("baresip"), timeout: 60000 }, async () => {
      const carol = await stage.open("carol", "");
      await carol.call("echo");
      await carol.when("call", "talking");
      await carol.hears();
      await carol.click("#hangup");
      await carol.when("call", "idle");
      await stage.leave(carol);
    });
  });

// What a wrong rule set does: each missing rule is noticed where it is needed.
describe("a rule set that lacks something", { skip, concurrency: false }, () => {
  let stage;
  before(async () => { stage = await Stage.set({ args: ["--netns"] }); });
  after(async () => { await stage?.clear(); });

  const page = () => runProgram("ip", ["netns", "exec", stage.lab.hosts.alice, "curl", "-sSf", "-m", "3",
    "--cacert", stage.lab.ca, stage.lab.url]);

  test("without https at the outer firewall there is no page", async () => {
    assert.equal((await page()).code, 0);
    const back = await withoutRule(stage, "outer", /dport 443 /);
    assert.notEqual((await page()).code, 0);
    await back();
    assert.equal((await page()).code, 0);
  });

  test("without the way to the application there is no page either", { timeout: 60000 }, async () => {
    const back = await withoutRule(stage, "inner", /10\.1\.0\.1 .*10\.0\.0\.20 /);
    assert.notEqual((await page()).code, 0);
    await back();
    await waitFor(async () => (await page()).code === 0, { timeout: 30000, what: "the page is there again" });
  });

  test("without SIP at the inner firewall the media servers are seen as down", { timeout: 60000 }, async () => {
    const down = async () => (await stage.lab.status("sip-proxy")).media_servers.every((s) => !s.up);
    assert.equal(await down(), false);
    const back = await withoutRule(stage, "inner", /udp dport 5060 /);
    await waitFor(down, { timeout: 45000, every: 500, what: "media servers down" });
    await back();
    await waitFor(async () => !(await down()), { timeout: 45000, every: 500, what: "media servers up" });
  });
});
