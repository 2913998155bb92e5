// SPDX-License-Identifier: MIT
// Every preset passes --check without a warning, has a page that names it, and
// starts: with loopback in place of its addresses and free ports in place of
// its ports, all else as it stands.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { runDaemon, startDaemon } from "../support/edge.mjs";
import { daemons, etcEdge, Loopback, presets } from "../support/presets.mjs";

for (const preset of fs.readdirSync(presets))
  describe(`preset ${preset}`, () => {
    const files = fs.readdirSync(path.join(presets, preset))
      .filter((name) => name.endsWith(".json") && daemons.some((daemon) => name.startsWith(daemon)));
    const page = fs.readFileSync(path.join(presets, preset, "README.md"), "utf8");

    test("has a page that names its files", () => {
      assert.ok(files.length > 0);
      for (const file of files) assert.ok(page.includes(`\`${file}\``), file);
    });

    for (const file of files) {
      const name = daemons.find((one) => file.startsWith(one));
      const source = fs.readFileSync(path.join(presets, preset, file), "utf8");

      test(`${file} is accepted`, async () => {
        const { dir, text } = await etcEdge(source);
        const own = path.join(dir, file);
        fs.writeFileSync(own, text);
        const done = await runDaemon(name, ["--config", own, "--check"]);
        assert.equal(done.code, 0, done.stderr);
        assert.equal(done.stderr, "", "no warning either");
      });

      test(`${file} starts`, async () => {
        const { dir, text } = await etcEdge(await new Loopback().move(source));
        const own = path.join(dir, file);
        fs.writeFileSync(own, text);
        const daemon = await startDaemon(name, { args: ["--config", own, "--workers", "1"] });
        const status = await daemon.status();
        assert.ok(status);
        assert.equal((await daemon.stop()).code, 0);
      });
    }
  });
