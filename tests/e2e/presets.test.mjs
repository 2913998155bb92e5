// SPDX-License-Identifier: MIT
// The presets as they are, each in the network it is for: every daemon gets
// ready behind the firewalls that follow from its settings; through those
// for XiVO, two browsers call each other.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { missing, root, runProgram } from "../support/edge.mjs";
import { browserPath } from "../support/browser.mjs";
import { hangUp, Stage } from "../support/calls.mjs";
import { Lab } from "../support/lab.mjs";
import { noNamespaces } from "../support/netns.mjs";

const skip = await noNamespaces() || missing("kamailio", "openssl", "curl", "nft");
const presets = path.join(root, "deploy/presets");
const args = (name) => [`--netns=${path.join(presets, name)}`];

/** The answer's status to a request from the host `cafe`. */
const status = async (lab, url, ...words) => (await runProgram("ip", ["netns", "exec", lab.hosts.cafe, "curl", "-s",
  "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", lab.ca, ...words, url])).stdout;

const inCafe = (lab, ...words) => runProgram("ip", ["netns", "exec", lab.hosts.cafe, ...words]);

// What someone on the internet gets, apart from calls.
const seen = {
  async pexip(lab) {
    // The nodes are not there: a published path is tried, no other is.
    assert.match(await status(lab, "https://join.example.com/webapp"), /^50[234]$/);
    assert.equal(await status(lab, "https://join.example.com/admin"), "404");
    // The world may ask for its address where that is meant, and have no relay.
    const bind = (port) => inCafe(lab, "timeout", "5", "turnutils_stunclient", "-p", port, lab.names["turn.example.com"]);
    assert.match((await bind("19302")).stdout, /UDP reflexive addr/);
    assert.notEqual((await bind("3478")).code, 0);
    const { code } = await inCafe(lab, "timeout", "5", "turnutils_uclient", "-u", "demo", "-w", lab.secret, "-y", "-n", "1",
      "turn.example.com");
    assert.notEqual(code, 0);
  },
  async xphone(lab) {
    assert.match(await status(lab, "https://xphone.example.com/XPhoneConnect/Mobile/x"), /^50[234]$/);
    assert.equal(await status(lab, "https://xphone.example.com/xphoneconnect/admin"), "404");
    const { stdout } = await inCafe(lab, "turnutils_natdiscovery", "-m", "-f", "turn.example.com");
    assert.match(stdout, /NAT with Endpoint Independent Mapping|No NAT detected/);
  },
  async lync(lab) {
    assert.match(await status(lab, "https://meet.example.com/meet"), /^50[234]$/);
    assert.equal(await status(lab, "https://meet.example.com/abs"), "404");
    // A partner without a certificate is nobody.
    const hello = await inCafe(lab, "sh", "-c",
      "openssl s_client -connect sip.example.com:5061 -servername sip.example.com </dev/null 2>&1");
    assert.match(hello.stdout, /Acceptable client certificate CA names|alert|CN = /);
    // The conference stream: no key, no way in.
    assert.equal(await status(lab, "https://webconf.example.com/conference", "--http1.1", "-H", "Connection: Upgrade",
      "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ=="), "401");
  },
};

for (const name of Object.keys(seen))
  test(`the preset ${name} runs in its network`, { skip: skip || missing("turnutils_uclient"), timeout: 120000 }, async () => {
    const lab = await Lab.up({ args: args(name) });
    try {
      const etc = path.join(lab.dir, "etc");
      const users = path.join(etc, "turn.users");
      lab.secret = fs.existsSync(users) ? fs.readFileSync(users, "utf8").trim().split(":")[1] : "";
      for (const daemon of lab.processes) assert.equal((await lab.status(daemon)).state, "running");
      await seen[name](lab);
    } finally {
      const done = await lab.down();
      assert.equal(done.left, false);
    }
  });

for (const name of ["xivo", "xivo-1"])
  describe(`the preset ${name}`, { skip: skip || (browserPath ? false : "chromium is not installed"), concurrency: false }, () => {
    let stage;
    before(async () => { stage = await Stage.set({ args: args(name) }); });
    after(async () => { await stage?.clear(); });

    for (const transport of ["udp", "tls"])
      test(`two browsers talk through it, TURN over ${transport}`, { timeout: 120000 }, async () => {
        const { alice, bob } = await stage.talking(`ice=relay&turn=${transport}`);
        for (const phone of [alice, bob]) assert.equal((await phone.hears()).local.protocol, transport);
        await hangUp(alice, bob);
        await stage.leave(alice, bob);
      });

    test("a path that is not published is not there", async () => {
      const edge = new URL(stage.lab.url).origin;
      assert.equal(await status(stage.lab, `${edge}/admin`), "404");
      assert.equal(await status(stage.lab, `${edge}/ucassistant/`), "200");
    });
  });
