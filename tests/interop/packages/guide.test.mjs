// SPDX-License-Identifier: MIT
// The operator's guide word for word: its blocks marked "sh host", in their
// order, on a plain Debian. What an operator has beside the guide (addresses,
// certificates, names in DNS, the servers inside) is made here. See run.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { makeCertificates, root, scratch } from "../../support/edge.mjs";
import { boot, buildPackages, must } from "./machine.mjs";

const guide = fs.readFileSync(path.join(root, "deploy/README.md"), "utf8");
const blocks = [...guide.matchAll(/^```(sh host|json route)\n(.*?)^```$/gms)].map(([, mark, text]) => ({ mark, text }));

let packages;
before(() => { packages = buildPackages(["0.1.0", "0.1.1"]); });

for (const release of ["12", "13"])
  describe(`the guide on Debian ${release}`, { concurrency: false }, () => {
    let it;
    const copyPackages = (version) => {
      it.must("rm -f /root/*.deb");
      for (const file of fs.readdirSync(packages.get(version)))
        it.copy(path.join(packages.get(version), file), `/root/${file}`);
    };
    before(async () => {
      it = await boot(release);
      for (const address of ["10.1.0.1", "203.0.113.3"])
        must("nsenter", ["-t", String(it.pid), "-n", "ip", "address", "add", `${address}/32`, "dev", "lo"]);
      it.must("echo '203.0.113.3 edge.example.com' >>/etc/hosts");
      const made = await makeCertificates(scratch(), { names: ["edge.example.com"], addresses: ["203.0.113.3"] });
      it.copy(made.cert, "/root/fullchain.pem");
      it.copy(made.key, "/root/key.pem");
      it.copy(made.ca, "/root/inside-ca.pem");
      // An authority that everybody trusts, as an ACME one is.
      it.must("mkdir -p /etc/ssl/certs && cat /root/inside-ca.pem >>/etc/ssl/certs/ca-certificates.crt");
      const renewed = await makeCertificates(scratch(), { names: ["edge.example.com", "www.example.com"] });
      it.must("mkdir -p /etc/letsencrypt/live/edge.example.com");
      it.copy(renewed.cert, "/etc/letsencrypt/live/edge.example.com/fullchain.pem");
      it.copy(renewed.key, "/etc/letsencrypt/live/edge.example.com/privkey.pem");
      copyPackages("0.1.0");
    });
    after(() => it?.off());

    let installs = 0;
    for (const { mark, text } of blocks)
      test(text.split("\n")[0].slice(0, 70), () => {
        if (mark === "json route") {
          const file = "/etc/edge/web-proxy.json";
          const settings = it.must(`cat ${file}`);
          assert.match(settings, /"route": \[/);
          it.write(file, settings.replace('"route": [', () => `"route": [${text.trim()},`));
          return;
        }
        if (text.startsWith("apt-get install") && installs++ > 0) copyPackages("0.1.1");
        const done = it.inside(`cd /root && set -e\n${text}`);
        assert.equal(done.code, 0, done.out);
        if (text.includes("RENEWED_LINEAGE")) {
          const shown = must("nsenter", ["-t", String(it.pid), "-n", "sh", "-c",
            "echo | openssl s_client -connect 127.0.0.1:443 -servername edge.example.com 2>/dev/null | openssl x509 -noout -ext subjectAltName"]);
          assert.match(shown, /www\.example\.com/, "the new certificate is shown");
        }
        if (text.includes("acme-challenge") || text.includes("edgectl reload web-proxy")) {
          it.must("echo proof >/var/lib/edge/acme/.well-known/acme-challenge/token-1");
          const answer = must("nsenter", ["-t", String(it.pid), "-n", "curl", "-s", "-H", "Host: edge.example.com",
            "http://127.0.0.1/.well-known/acme-challenge/token-1"]);
          assert.equal(answer, "proof\n");
        }
      });
    test("nothing of it is left", () => it.must("test ! -e /etc/edge/turn-server.json && test ! -e /usr/bin/edgectl"));
  });
