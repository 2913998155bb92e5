// SPDX-License-Identifier: MIT
// Each image as built: what it says about itself, and its daemon run the way it
// says, with a root nobody can write, until the health check is good. See run.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { freePort, makeCertificates, scratch, waitFor } from "../../support/edge.mjs";

const work = process.env.EDGE_IMAGES;

/* The root of an image in a mount namespace of its own: read-only but for what
 * the image calls a volume, and /etc/edge from here; then its account, with no
 * capability left. */
const enter = `
set -eu
root=$1 etc=$2 volume=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$etc" "$root/tmp"
mount --bind "$volume" "$root/run/edge"
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro "$root/tmp"
exec chroot "$root" setpriv --reuid=990 --regid=990 --clear-groups --no-new-privs \\
  --inh-caps=-all --bounding-set=-all "$@"`;

async function settings(name, etc) {
  if (name === "web-proxy") return {
    WEB_PROXY_LISTEN: `https:127.0.0.1:${await freePort()}`,
    WEB_PROXY_CERTIFICATE: "/tmp/cert.pem", WEB_PROXY_KEY: "/tmp/key.pem",
    WEB_PROXY_UPSTREAM: "cc=http://127.0.0.1:1", WEB_PROXY_ROUTE: "/app=cc",
  };
  if (name === "sip-proxy") return {
    SIP_PROXY_LISTEN: `ws:127.0.0.1:${await freePort()} udp:127.0.0.1:${await freePort()}`,
    SIP_PROXY_MEDIA_SERVER: "default=udp:127.0.0.1:5070",
  };
  fs.writeFileSync(path.join(etc, "turn"), "0123456789abcdef0123456789abcdef\n");
  return {
    TURN_SERVER_LISTEN: `udp:127.0.0.1:${await freePort()}`,
    TURN_SERVER_REALM: "edge.test", TURN_SERVER_SECRET_FILE: "/tmp/turn",
    TURN_SERVER_RELAY_ADDRESS: "127.0.0.1",
  };
}

for (const name of ["web-proxy", "sip-proxy", "turn-server"])
  test(`the image of ${name}`, async () => {
    const image = JSON.parse(fs.readFileSync(path.join(work, `${name}.json`), "utf8")).Docker.config;
    const root = fs.readFileSync(path.join(work, `${name}.root`), "utf8").trim();
    assert.equal(image.User, "edge");
    assert.deepEqual(image.Entrypoint, [`/usr/sbin/${name}`]);
    assert.deepEqual(Object.keys(image.Volumes), ["/run/edge"]);
    assert.equal(image.StopSignal, "SIGTERM");
    for (const tool of ["gcc", "cmake", "curl", "ninja"])
      assert.ok(!fs.existsSync(path.join(root, "usr/bin", tool)), `no ${tool} in it`);

    const etc = scratch();
    const made = await makeCertificates(etc);
    for (const file of fs.readdirSync(etc)) fs.chmodSync(path.join(etc, file), 0o644);
    assert.ok(made.cert);
    fs.chmodSync(etc, 0o755);
    const volume = scratch();
    fs.chownSync(volume, 990, 990);
    const own = Object.fromEntries(image.Env.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
    const env = { ...own, ...await settings(name, etc) };
    for (const file of fs.readdirSync(etc)) fs.chmodSync(path.join(etc, file), 0o644);
    const words = (command) => ["-m", "sh", "-c", enter, "enter", root, etc, volume, ...command];
    const health = () => spawnSync("unshare", words(image.Healthcheck.Test.slice(1)), { env, encoding: "utf8" });
    assert.equal(image.Healthcheck.Test[0], "CMD");
    assert.notEqual(health().status, 0, "nothing runs yet");

    const write = spawnSync("unshare", words(["sh", "-c", "touch /x || touch /etc/x || touch /usr/x || touch /tmp/x"]),
      { env, encoding: "utf8" });
    assert.notEqual(write.status, 0);
    assert.match(write.stderr, /Read-only file system|Permission denied/);

    const child = spawn("unshare", words(image.Entrypoint), { env, stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    child.stderr.on("data", (part) => { log += part; });
    child.stdout.on("data", (part) => { log += part; });
    const ended = new Promise((done) => child.once("close", (code) => done(code)));
    try {
      await waitFor(() => health().status === 0, { what: `${name} is healthy` })
        .catch((error) => { throw new Error(`${error.message}\n${log}`); });
      const status = fs.readFileSync(`/proc/${child.pid}/status`, "utf8");
      assert.match(status, /^Uid:\t990\t990\t990\t990$/m);
      assert.match(status, /^CapEff:\t0+$/m);
      assert.match(status, /^CapBnd:\t0+$/m);
    } finally {
      child.kill("SIGTERM");
    }
    assert.equal(await ended, 0, log);
    assert.notEqual(health().status, 0, "stopped");
  });
