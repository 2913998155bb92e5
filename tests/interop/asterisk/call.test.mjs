// SPDX-License-Identifier: MIT
// The call of tests/e2e with a real Asterisk (chan_pjsip) as the LAN's call
// server: once with Path (support_path=yes), once without, when sip-proxy
// rewrites Contacts. On demand: tests/interop/asterisk/run.

import assert from "node:assert/strict";
import { test } from "node:test";
import path from "node:path";
import { root } from "../../support/edge.mjs";
import { hangUp, holdAndResume, sendKeys, Stage } from "../../support/calls.mjs";

const registrar = path.join(root, "tests/interop/asterisk/registrar");

const modes = [
  { name: "Path", env: {} },
  { name: "rewritten Contacts", env: { ASTERISK_PATH: "no", LAB_SIP_PATH: "off" } },
];

for (const { name, env } of modes)
  test(`two browsers talk through Asterisk, ${name}`, { timeout: 180000 }, async () => {
    const stage = await Stage.set({ env: { LAB_REGISTRAR: registrar, ...env } });
    try {
      const { alice, bob } = await stage.talking("ice=relay&turn=udp");
      for (const phone of [alice, bob]) {
        const now = await phone.hears();
        assert.equal(now.local.type, "relay");
        assert.ok(now.energy > 0);
      }
      await holdAndResume(alice, bob);
      await sendKeys(bob, alice, "159#");
      await hangUp(alice, bob);

      await bob.call("echo");
      await bob.when("call", "talking");
      await bob.hears();
      await bob.click("#hangup");
      await bob.when("call", "idle");
      await stage.leave(alice, bob);
    } catch (error) {
      error.message += `\n--- Asterisk:\n${stage.lab.log("registrar").slice(-6000)}` +
        `\n--- sip-proxy:\n${stage.lab.log("sip-proxy").slice(-3000)}`;
      throw error;
    } finally {
      await stage.clear();
    }
  });
