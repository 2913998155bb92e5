// SPDX-License-Identifier: MIT
// testssl.sh looks for what is weak in our TLS: protocols, suites, server
// defaults, resumption, known attacks. Half a minute; not repeated under
// sanitizers.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { freePort, makeCertificates, missing, runProgram, scratch, slow, startDaemon } from "../support/edge.mjs";
import { httpServer } from "../support/web.mjs";

const skip = missing("testssl") || missing("openssl") || (slow > 1 && "takes too long here");

/* What it may complain about: things of the certificate and of this machine,
 * not of the server. */
const chosen = new Set([
  "engine_problem",  // its own OpenSSL
  "cert_revocation", // our test CA publishes nothing
  "DNS_CAArecord",   // nor has localhost such a record
]);

describe("testssl.sh", { skip, concurrency: false }, () => {
  const dir = scratch();
  let web, backend, found;
  const finding = (id) => found.find((f) => f.id === id)?.finding ?? "";

  async function examine(port, ca, file) {
    const { code, stdout, stderr } = await runProgram("testssl", ["--quiet", "--color", "0", "--warnings", "off",
      "--jsonfile", file, "--add-ca", ca, "-p", "-s", "-f", "-P", "-S", "-U", "--ip", "127.0.0.1",
      `localhost:${port}`], { timeout: 190000, cwd: dir });
    assert.ok(fs.existsSync(file), `${code}: ${stdout}${stderr}`);
    return JSON.parse(fs.readFileSync(file, "utf8"));
  }

  before(async () => {
    const made = await makeCertificates(path.join(dir, "pki"), { days: 200 });
    const port = await freePort();
    backend = await httpServer((request, answer) => answer.end("ok"));
    web = await startDaemon("web-proxy", { config: {
      listen: [`https:127.0.0.1:${port}`], certificate: [made.cert], key: [made.key], workers: 1,
      "source-handshake-rate": 0, upstream: [`a=http://127.0.0.1:${backend.port}`], route: ["/=a"] } });
    // On a busy machine its own client gives up now and then, and says so: ask again.
    for (let i = 0; i < 3 && (!found || found.some((f) => /connect problem/.test(f.finding))); i++)
      found = await examine(port, made.ca, path.join(dir, `found${i}.json`));
  }, { timeout: 600000 });
  after(async () => {
    backend?.close();
    const how = await web?.stop();
    assert.equal(how.code, 0, web.log());
  });

  test("no complaint beyond those chosen", () => {
    const complaints = found.filter((f) => !["OK", "INFO"].includes(f.severity) && !chosen.has(f.id));
    assert.deepEqual(complaints.map((f) => `${f.severity} ${f.id}: ${f.finding}`), []);
    assert.ok(found.length > 50, `${found.length} findings`);
  });

  test("TLS 1.2 and 1.3 and nothing below", () => {
    for (const id of ["SSLv2", "SSLv3", "TLS1", "TLS1_1"]) assert.match(finding(id), /not offered/, id);
    for (const id of ["TLS1_2", "TLS1_3"]) assert.match(finding(id), /^offered/, id);
  });

  test("forward secrecy, authenticated encryption and nothing else", () => {
    const weak = found.filter((f) => /^cipherlist_(?!STRONG)/.test(f.id) || f.id === "cipherlist_STRONG_NOFS");
    assert.ok(weak.length >= 5);
    for (const { id, finding } of weak) assert.match(finding, /not offered/, id);
    assert.match(found.filter((f) => /^P?FS$/.test(f.id)).map((f) => f.finding).join(), /offered/);
  });
});
