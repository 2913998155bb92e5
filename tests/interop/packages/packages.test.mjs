// SPDX-License-Identifier: MIT
// The packages on a plain Debian 12 and 13, with a real systemd: installing,
// refusing to start unfilled, running, secrets as credentials, the watchdog,
// an upgrade during a download, removing, purging. See run.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { makeCertificates, scratch, sleep, waitFor } from "../../support/edge.mjs";
import { boot, buildPackages } from "./machine.mjs";

const daemons = ["web-proxy", "sip-proxy", "turn-server"];

const settings = {
  "web-proxy": {
    listen: ["https:0.0.0.0:443"],
    certificate: ["/etc/edge/fullchain.pem"], key: ["/etc/edge/key.pem"],
    upstream: ["app=http://127.0.0.1:8080"], route: ["/app=app"],
  },
  "sip-proxy": {
    listen: ["ws:127.0.0.1:5066", "udp:127.0.0.1:5060"],
    "media-server": ["default=udp:127.0.0.1:5070"],
    "token-key-file": "/etc/edge/sip-token.key",
  },
  "turn-server": {
    listen: ["udp:0.0.0.0:3478", "tcp:0.0.0.0:3478"],
    "relay-address": ["127.0.0.1"], realm: "edge.test",
    "secret-file": "/etc/edge/turn.secret",
  },
};

let packages;
before(() => { packages = buildPackages(["0.1.0", "0.1.1", "0.1.2"]); });

/* A server inside that needs four seconds for its answer; node, outside the
 * machine's root but on its loopback. */
const slowServer = `
  require("node:http").createServer((request, answer) => {
    answer.writeHead(200, {"content-length": "8"});
    let n = 0;
    const timer = setInterval(() => { answer.write("part"); if (++n === 2) { clearInterval(timer); answer.end(); } }, 2000);
  }).listen(8080, "127.0.0.1", () => console.log("up"));`;

for (const release of ["12", "13"])
  describe(`Debian ${release}`, { concurrency: false }, () => {
    let it;
    const helpers = [];
    before(async () => {
      it = await boot(release);
      for (const [version, dir] of packages) {
        it.must(`mkdir -p /tmp/${version}`);
        for (const file of fs.readdirSync(dir)) it.copy(path.join(dir, file), `/tmp/${version}/${file}`);
      }
    });
    after(async () => {
      for (const helper of helpers) helper.kill("SIGKILL");
      await it?.off();
    });
    const show = (unit, what) => it.must(`systemctl show -P ${what} ${unit}`).trim();
    const log = (unit) => it.must(`journalctl --sync; journalctl -o cat --no-pager -u ${unit}`);

    test("apt installs them with what this Debian has, and nothing is started", () => {
      const said = it.must("apt-get install -y --no-install-recommends /tmp/0.1.0/edge-*.deb");
      assert.match(said, /fill in \/etc\/edge\/web-proxy\.json/);
      assert.match(said, /route: must be set/);
      assert.match(said, /fullchain\.pem" cannot be read/);
      assert.match(said, /media-server: must be set/);
      assert.match(said, /relay-address: must be set/);
      assert.equal(it.must("stat -c '%a %U:%G' /etc/edge").trim(), "750 root:edge");
      for (const file of ["web-proxy.json", "sip-proxy.json", "turn-server.json", "turn.secret", "sip-token.key"])
        assert.equal(it.must(`stat -c '%a %U:%G' /etc/edge/${file}`).trim(), "640 root:edge", file);
      assert.match(it.must("cat /etc/edge/turn.secret"), /^[0-9a-f]{64}\n$/);
      assert.match(it.must("getent passwd edge"), /:\/nonexistent:\/usr\/sbin\/nologin$/m);
      for (const name of daemons) {
        assert.equal(it.inside(`systemctl is-active ${name}`).out.trim(), "inactive");
        assert.equal(it.inside(`systemctl is-enabled ${name}`).out.trim(), "disabled");
        assert.match(it.must(`${name} --version`), /^\S+ \d/);
      }
    });

    test("a unit does not start unfilled, and its log says what is missing", () => {
      assert.notEqual(it.inside("systemctl start turn-server").code, 0);
      assert.match(log("turn-server"), /relay-address: must be set/);
      it.must("systemctl reset-failed || true");
    });

    test("filled in, the three run as their account and are ready", async () => {
      const made = await makeCertificates(scratch());
      it.write("/etc/edge/fullchain.pem", fs.readFileSync(made.cert, "utf8"));
      it.write("/etc/edge/key.pem", fs.readFileSync(made.key, "utf8"));
      for (const name of daemons)
        it.write(`/etc/edge/${name}.json`, JSON.stringify(settings[name], null, 2));
      it.must(`systemctl enable --now ${daemons.join(" ")}`);
      for (const name of daemons) {
        assert.equal(show(name, "ActiveState"), "active");
        const pid = show(name, "MainPID");
        assert.equal(it.must(`stat -c %U /proc/${pid}`).trim(), "edge");
        assert.match(it.must(`cat /proc/${pid}/status`), /NoNewPrivs:\s1/);
        assert.match(it.must(`cat /proc/${pid}/status`), /Seccomp:\s2/);
        assert.match(show(name, "LimitNOFILE"), /^(262144|131072)$/);
        assert.match(log(name), new RegExp(`ready program=${name} `));
      }
      it.must("edgectl ready");
      assert.match(it.must("edgectl status"), /turn-server/);
      for (const name of daemons) it.must(`systemctl reload ${name}`);
      it.must("edgectl ready");
    });

    test("systemd itself finds little exposed", () => {
      for (const name of daemons) {
        const said = it.must(`systemd-analyze security --no-pager --threshold=20 ${name}.service | tail -n 1`);
        assert.ok(Number(said.match(/: ([0-9.]+) /)[1]) <= 2.0, said);
      }
    });

    test("a secret can be a credential that the account cannot read in its file", () => {
      it.must("mkdir -p /etc/credstore && chmod 700 /etc/credstore && " +
        "mv /etc/edge/turn.secret /etc/credstore/edge.turn-secret && " +
        "chown root:root /etc/credstore/edge.turn-secret && chmod 600 /etc/credstore/edge.turn-secret");
      const changed = { ...settings["turn-server"],
        "secret-file": "/run/credentials/turn-server.service/edge.turn-secret" };
      it.write("/etc/edge/turn-server.json", JSON.stringify(changed));
      it.must("systemctl restart turn-server && edgectl ready turn-server");
      const uid = it.must("id -u edge").trim();
      assert.notEqual(it.inside(`setpriv --reuid=${uid} --regid=${uid} --clear-groups cat /etc/credstore/edge.turn-secret`).code, 0);
    });

    test("killed, or hanging, a daemon comes back by itself", async () => {
      const first = show("sip-proxy", "MainPID");
      it.must(`kill -KILL ${first}`);
      await waitFor(() => show("sip-proxy", "ActiveState") === "active" && show("sip-proxy", "MainPID") !== first);
      it.must("mkdir -p /run/systemd/system/sip-proxy.service.d && " +
        "printf '[Service]\\nWatchdogSec=3\\n' >/run/systemd/system/sip-proxy.service.d/test.conf && " +
        "systemctl daemon-reload && systemctl restart sip-proxy");
      const second = show("sip-proxy", "MainPID");
      it.must(`kill -STOP ${second}`);
      await waitFor(() => show("sip-proxy", "ActiveState") === "active" && show("sip-proxy", "MainPID") !== second,
        { timeout: 60000, what: "the watchdog has restarted it" });
      assert.match(log("sip-proxy"), /[Ww]atchdog timeout/);
    });

    test("an upgrade keeps the settings and lets a download finish first", async () => {
      const server = it.outside("node", ["-e", slowServer]);
      helpers.push(server);
      await new Promise((up) => server.stdout.once("data", up));
      const before_ = show("web-proxy", "MainPID");
      const kept = it.must("cat /etc/edge/*.json");
      const curl = it.outside("curl", ["-sk", "-w", " %{http_code}", "https://127.0.0.1/app/"]);
      let body = "";
      curl.stdout.on("data", (part) => { body += part; });
      const done = new Promise((end) => curl.once("close", end));
      await sleep(1000);
      it.must("apt-get install -y --no-install-recommends /tmp/0.1.1/edge-*.deb");
      await done;
      assert.equal(body, "partpart 200", "the download was not cut");
      assert.equal(it.must("cat /etc/edge/*.json"), kept);
      assert.notEqual(show("web-proxy", "MainPID"), before_);
      it.must("edgectl ready");
      assert.match(it.must("dpkg-query -W edge-web-proxy"), /0\.1\.1/);
    });

    test("an upgrade that would not start leaves the old one running", () => {
      const before_ = show("turn-server", "MainPID");
      it.must("sed -i 's/{/{\"no-such-setting\": 1,/' /etc/edge/turn-server.json");
      const said = it.must("apt-get install -y --no-install-recommends /tmp/0.1.2/edge-*.deb");
      assert.match(said, /was not restarted: it refuses \/etc\/edge\/turn-server\.json/);
      assert.match(said, /no-such-setting/);
      assert.equal(show("turn-server", "MainPID"), before_);
      it.must("edgectl ready");
    });

    test("removed, they are stopped and the settings stay; purged, nothing stays", () => {
      it.must("apt-get remove -y edge-web-proxy edge-sip-proxy edge-turn-server edge-tools");
      for (const name of daemons) {
        assert.notEqual(it.inside(`systemctl is-active ${name}`).code, 0);
        assert.notEqual(it.inside(`command -v ${name}`).code, 0);
        it.must(`test -e /etc/edge/${name}.json`);
      }
      it.must("rm /etc/edge/fullchain.pem /etc/edge/key.pem");
      it.must("apt-get purge -y edge-web-proxy edge-sip-proxy edge-turn-server edge-tools");
      it.must("test ! -e /etc/edge");
      it.must("test ! -e /etc/systemd/system/multi-user.target.wants/web-proxy.service");
      assert.equal(it.inside("dpkg-query -W 'edge-*' 2>/dev/null").out.trim(), "");
    });
  });
