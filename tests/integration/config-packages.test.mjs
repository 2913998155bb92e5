// SPDX-License-Identifier: MIT
// The Debian packages as files: what is in them, what they ask for, what their
// scripts look like. tests/interop/packages/run installs them for real.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { missing, root, runProgram, scratch, slow } from "../support/edge.mjs";

const daemons = ["web-proxy", "sip-proxy", "turn-server"];
const secrets = { "web-proxy": "", "sip-proxy": "sip-token.key", "turn-server": "turn.secret" };
const skip = slow > 1 ? "packages are no different in a sanitizer's run"
  : missing("dpkg-shlibdeps", "cpack", "readelf", "gzip");

async function must(file, args, options) {
  const done = await runProgram(file, args, { timeout: 400000, ...options });
  assert.equal(done.code, 0, `${file} ${args.join(" ")}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

describe("packages", { skip }, () => {
  const dir = {}; // name of a package: where it is unpacked, control files in DEBIAN
  before(async () => {
    const said = await must(path.join(root, "deploy/packages/build"), []);
    const out = said.trim().match(/^packages: (.*)$/m)[1];
    const files = fs.readdirSync(out).filter((name) => name.endsWith(".deb"));
    assert.equal(files.length, 4);
    for (const file of files) {
      const to = scratch();
      await must("dpkg-deb", ["-R", path.join(out, file), to]);
      dir[file.replace(/_.*/, "")] = to;
    }
  });
  const control = (name) => fs.readFileSync(path.join(dir[name], "DEBIAN/control"), "utf8");
  const tree = (name) => fs.readdirSync(dir[name], { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(dir[name], path.join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !file.startsWith("DEBIAN/"));
  const mode = (file) => (fs.statSync(file).mode & 0o7777).toString(8);

  for (const daemon of daemons)
    test(`edge-${daemon} has everything in its place`, () => {
      assert.deepEqual(tree(`edge-${daemon}`).sort(), [
        `etc/edge/${daemon}.json`,
        `usr/lib/systemd/system/${daemon}.service`,
        `usr/lib/sysusers.d/edge-${daemon}.conf`,
        `usr/sbin/${daemon}`,
        `usr/share/bash-completion/completions/${daemon}`,
        `usr/share/doc/edge-${daemon}/changelog.gz`,
        `usr/share/doc/edge-${daemon}/copyright`,
        `usr/share/man/man8/${daemon}.8.gz`,
      ]);
      const at = dir[`edge-${daemon}`];
      assert.equal(fs.readFileSync(path.join(at, "DEBIAN/conffiles"), "utf8"), `/etc/edge/${daemon}.json\n`);
      for (const script of ["postinst", "prerm", "postrm"])
        assert.equal(mode(path.join(at, "DEBIAN", script)), "755");
    });

  test("edge-tools has the program, its page, and what is copied from", () => {
    const files = tree("edge-tools");
    for (const file of ["usr/bin/edgectl", "usr/share/man/man1/edgectl.1.gz",
      "usr/share/bash-completion/completions/edgectl", "usr/share/doc/edge-tools/README.md",
      "usr/share/edge/config/three-hosts/web-proxy.json"])
      assert.ok(files.includes(file), file);
  });

  test("they ask only for what Debian 12 and 13 both have", () => {
    const known = /^(libc6|libcjson1|libuv1|libuv1t64|libc-ares2|libcares2|libnghttp2-14|systemd|systemd-standalone-sysusers|systemd-sysusers|init-system-helpers)$/;
    for (const name of Object.keys(dir)) {
      const depends = control(name).match(/^Depends: (.*)$/m)[1];
      for (const one of depends.split(/[,|]/)) assert.match(one.trim().split(" ")[0], known, depends);
      assert.match(control(name), /^Description: [a-zA-Z].{10,70}\n \S/m);
      assert.doesNotMatch(control(name), /^ {2}/m, "paragraphs flow");
    }
  });

  test("programs are stripped and hardened, and files belong to root and nobody writes them", async () => {
    for (const name of Object.keys(dir))
      for (const file of tree(name)) {
        const full = path.join(dir[name], file);
        const program = /s?bin\//.test(file);
        assert.equal(mode(full), program || file === "usr/share/edge/renewed" ? "755" : "644", file);
        if (!program) continue;
        const said = await must("readelf", ["-hldW", full]);
        assert.match(said, /Type:\s+DYN/, "position independent");
        assert.match(said, /GNU_STACK.* RW /);
        assert.match(said, /GNU_RELRO/);
        assert.match(said, /BIND_NOW|FLAGS_1.*NOW/);
        assert.doesNotMatch(said, /R(UN)?PATH/);
        assert.doesNotMatch(said, /NEEDED.*(mbed|llhttp|unistring)/);
        assert.doesNotMatch(await must("readelf", ["-SW", full]), /\.debug_info/);
        assert.ok(!fs.readFileSync(full).includes(`${root}/`), "no path of this machine");
      }
  });

  test("manual pages and scripts are clean", { skip: missing("man", "shellcheck") }, async () => {
    for (const name of Object.keys(dir)) {
      for (const file of tree(name).filter((one) => one.includes("/man/"))) {
        const done = await runProgram("man", ["--warnings", "-l", path.join(dir[name], file)],
          { env: { LC_ALL: "C.UTF-8", MANWIDTH: "80" } });
        assert.equal(done.stderr, "");
        assert.match(done.stdout, /NAME/);
      }
      for (const script of ["postinst", "prerm", "postrm"]) {
        const file = path.join(dir[name], "DEBIAN", script);
        if (!fs.existsSync(file)) continue;
        await must("shellcheck", ["-s", "sh", "-e", "SC2194,SC2050,SC2157", file]);
        assert.doesNotMatch(fs.readFileSync(file, "utf8"), /@[a-z]+@/, "all is filled in");
      }
    }
  });

  for (const daemon of daemons)
    test(`${daemon} as installed says what must be filled in, and nothing else`, async () => {
      const at = dir[`edge-${daemon}`];
      const etc = scratch();
      const file = path.join(etc, "settings.json");
      fs.writeFileSync(file, fs.readFileSync(path.join(at, `etc/edge/${daemon}.json`), "utf8")
        .replaceAll("/etc/edge/", `${etc}/`));
      if (secrets[daemon])
        fs.writeFileSync(path.join(etc, secrets[daemon]), `${"0123456789abcdef".repeat(4)}\n`, { mode: 0o600 });
      const done = await runProgram(path.join(at, "usr/sbin", daemon), ["--config", file, "--check"]);
      assert.equal(done.code, 1);
      const keys = done.stderr.trim().split("\n")
        .map((line) => line.match(/(?:json: |^[a-z-]+: )([a-z-]+)(?:\[0\])?: /)?.[1] ?? line);
      assert.deepEqual(keys.sort(), {
        "web-proxy": ["certificate", "key", "route"],
        "sip-proxy": ["listen", "media-server"],
        "turn-server": ["relay-address"],
      }[daemon]);
    });
});
