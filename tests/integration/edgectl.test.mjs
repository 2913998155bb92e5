// SPDX-License-Identifier: MIT
// edgectl against the real daemons, certificates of OpenSSL, and coturn's
// client for the credentials it makes.

import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import {
  buildDir, freePort, freePortRange, makeCertificates, missing, root, runProgram,
  scratch, slow, startDaemon, waitFor,
} from "../support/edge.mjs";

const program = path.join(buildDir, "deploy/edgectl/edgectl");
const edgectl = (...args) => runProgram(program, args, { timeout: 20000 * slow });
const json = async (...args) => JSON.parse((await edgectl(...args)).stdout);

describe("edgectl and the daemons", () => {
  const dir = scratch();
  const daemons = {};
  const ports = {};
  const at = ["--dir", dir];

  before(async () => {
    for (const name of ["web", "ws", "sip", "media", "turn", "peer"])
      ports[name] = await freePort();
    fs.writeFileSync(path.join(dir, "secret"), "north-star-secret\n", { mode: 0o600 });
    const relay = await freePortRange(40);
    const configs = {
      "web-proxy": {
        listen: [`http:127.0.0.1:${ports.web}`],
        upstream: [`sip=http://127.0.0.1:${ports.ws}`],
        route: [{ path: "/wssip", upstream: "sip" }],
      },
      "sip-proxy": {
        listen: [`ws:127.0.0.1:${ports.ws}`, `udp:127.0.0.1:${ports.sip}`],
        // Nobody is there: it must be told as down.
        "media-server": [`default=udp:127.0.0.1:${ports.media}`],
        "probe-interval": "500ms", "probe-timeout": "200ms",
      },
      "turn-server": {
        listen: [`udp:127.0.0.1:${ports.turn}`, `tcp:127.0.0.1:${ports.turn}`],
        "relay-address": ["127.0.0.1"], "relay-ports": `${relay}-${relay + 39}`,
        realm: "edge.test", "secret-file": path.join(dir, "secret"),
        "allow-peer": ["127.0.0.0/8"],
      },
    };
    for (const [name, config] of Object.entries(configs))
      daemons[name] = await startDaemon(name, {
        config: { ...config, workers: 1 }, dir, ready: name !== "sip-proxy",
      });
    await waitFor(async () => (await daemons["sip-proxy"].status()).pid,
      { what: "sip-proxy answers" });
  });
  after(async () => {
    for (const daemon of Object.values(daemons)) await daemon.stop();
  });

  test("status shows all daemons, text and JSON", async () => {
    await waitFor(async () => (await edgectl("status", ...at)).stdout.includes("is down"),
      { what: "the dead media server is noticed" });
    const { stdout } = await edgectl("status", ...at);
    for (const [name, daemon] of Object.entries(daemons))
      assert.match(stdout, new RegExp(`^${name} +running .* ${daemon.pid} `, "m"));
    assert.match(stdout,
      new RegExp(`sip-proxy: media server 127.0.0.1:${ports.media} of group default is down`));

    const all = await json("status", "--json", ...at);
    assert.deepEqual(Object.keys(all).sort(), Object.keys(daemons).sort());
    assert.equal(all["turn-server"].ready, true);
    assert.equal(all["turn-server"].status.pid, daemons["turn-server"].pid);
  });

  test("a daemon is asked alone by its name or its socket", async () => {
    const byName = await json("status", "--json", "turn-server", ...at);
    assert.deepEqual(Object.keys(byName), ["turn-server"]);
    const bySocket = await json("status", "--json", "--socket", daemons["turn-server"].socketPath);
    assert.deepEqual(Object.keys(bySocket), ["turn-server"]);
  });

  test("ready tells by its exit code, and agrees with /readyz", async () => {
    for (const [name, daemon] of Object.entries(daemons)) {
      const { status } = await daemon.admin("/readyz");
      const { code, stdout } = await edgectl("ready", name, ...at);
      assert.equal(code, status === 200 ? 0 : 1, stdout);
      assert.match(stdout, status === 200 ? /: ready\n/ : /: not ready: ./);
    }
    const quiet = await edgectl("ready", "--quiet", "turn-server", ...at);
    assert.deepEqual([quiet.code, quiet.stdout], [0, ""]);
  });

  test("who does not answer is exit code 3", async () => {
    const empty = scratch();
    let out = await edgectl("status", "--dir", empty);
    assert.equal(out.code, 3);
    assert.match(out.stderr, /no daemon runs here/);

    out = await edgectl("status", "web-proxy", "--dir", empty);
    assert.equal(out.code, 3);
    assert.match(out.stdout, /web-proxy +no answer/);

    // A socket whose process is gone.
    const dead = path.join(empty, "turn-server.sock");
    const server = http.createServer().listen(dead);
    await waitFor(() => fs.existsSync(dead));
    fs.linkSync(dead, `${dead}.kept`);
    await new Promise((done) => server.close(done));
    out = await edgectl("reload", "--socket", `${dead}.kept`);
    assert.equal(out.code, 3);
    assert.match(out.stderr, /refused/i);
  });

  test("one that answers nonsense does not hang or crash it", async () => {
    const socket = path.join(scratch(), "x.sock");
    const server = (await import("node:net")).createServer((c) => {
      c.on("error", () => {});
      c.end("220 mail.example ESMTP\r\n");
    }).listen(socket);
    await waitFor(() => fs.existsSync(socket));
    const out = await edgectl("status", "--socket", socket);
    server.close();
    assert.equal(out.code, 3);
  });

  test("metrics of all stand behind each other", async () => {
    const { stdout, code } = await edgectl("metrics", ...at);
    assert.equal(code, 0);
    for (const prefix of ["web_proxy", "sip_proxy", "turn_server"])
      assert.equal(stdout.match(new RegExp(`^# TYPE ${prefix}_up_info gauge$`, "mg")).length, 1);
  });

  test("top counts what happens between its two looks", async () => {
    const looking = json("top", "--json", "--every", "2", "web-proxy", ...at);
    const begin = Date.now();
    let sent = 0;
    while (Date.now() - begin < 1500) {
      const answer = await fetch(`http://127.0.0.1:${ports.web}/nothing`);
      await answer.arrayBuffer();
      sent++;
      await new Promise((done) => setTimeout(done, 20));
    }
    const { "web-proxy": web } = await looking;
    assert.equal(web.state, "running");
    assert.ok(web.requests.total > 0 && web.requests.total <= sent);
    assert.ok(web.requests.per_second > 1, `${web.requests.per_second}`);

    const { stdout, code } = await edgectl("top", "--once", ...at);
    assert.equal(code, 0);
    assert.match(stdout, /^ {2}refused .* route \d+/m);
    assert.match(stdout, /^turn-server .*running, ready/m);
    assert.doesNotMatch(stdout, /\x1b/);
  });

  test("top redraws in a terminal and leaves it as it was", {
    skip: missing("script", "timeout"),
  }, async () => {
    const { stdout } = await runProgram("script", ["-qec",
      `timeout --foreground -s INT 2.5 ${program} top --dir ${dir}`, "/dev/null"],
    { env: { TERM: "xterm" } });
    assert.match(stdout, /^\x1b\[\?1049h\x1b\[\?25l/);
    assert.ok(stdout.split("\x1b[H").length >= 3, "drawn at least twice");
    assert.match(stdout, /\x1b\[\?25h\x1b\[\?1049l$/);

    const piped = await edgectl("top", ...at);
    assert.equal(piped.code, 2);
    assert.match(piped.stderr, /--once/);
  });

  test("log-level is changed, and nothing else taken for one", async () => {
    const out = await edgectl("log-level", "debug", "web-proxy", ...at);
    assert.deepEqual([out.code, out.stdout], [0, "web-proxy: debug\n"]);
    await daemons["web-proxy"].waitLog(/log level changed level=debug/);
    assert.equal((await edgectl("log-level", "loud", ...at)).code, 2);
  });

  test("reload takes good settings and says why it refuses bad ones", async () => {
    const file = path.join(dir, "web-proxy.json");
    const good = fs.readFileSync(file, "utf8");
    let out = await edgectl("reload", "web-proxy", ...at);
    assert.equal(out.code, 0);

    fs.writeFileSync(file, good.replace('"route"', '"rout"'));
    out = await edgectl("reload", "web-proxy", "turn-server", ...at);
    assert.equal(out.code, 1);
    assert.match(out.stderr, /rout.*unknown|rout.*did you mean/);
    assert.match(out.stdout, /^turn-server: /m);
    const said = await json("reload", "--json", "web-proxy", ...at);
    assert.equal(said["web-proxy"].ok, false);
    assert.match(said["web-proxy"].said.join("\n"), /rout/);
    fs.writeFileSync(file, good);
  });

  const lossless = /Total lost packets 0 \(0\.0+%\), total send dropped 0/;

  test("a credential opens turn-server to turnutils_uclient", {
    skip: missing("turnutils_uclient"),
  }, async () => {
    const user = await json("turn-credential", "--secret-file", path.join(dir, "secret"),
      "--user", "alice", "--lifetime", "10m", "--uri", "turn:edge.test:3478", "--json");
    assert.match(user.username, /^\d+:alice$/);
    const left = Number(user.username.split(":")[0]) - Date.now() / 1000;
    assert.ok(left > 590 && left <= 600, `${left}`);
    assert.equal(user.ttl, 600);
    assert.deepEqual(user.uris, ["turn:edge.test:3478"]);

    const call = (name, password) => runProgram("turnutils_uclient", [
      "-y", "-c", "-n", "5", "-m", "1", "-l", "100", "-z", "20", "-u", name, "-w", password,
      "-p", String(ports.turn), "127.0.0.1"], { timeout: 30000 * slow });
    let out = await call(user.username, user.password);
    if (!lossless.test(out.stdout)) out = await call(user.username, user.password);
    assert.match(out.stdout, lossless);

    const wrong = async () => (await daemons["turn-server"].status()).stats.wrong_password;
    const before = await wrong();
    const refused = await call(user.username.replace("alice", "mallory"), user.password);
    assert.doesNotMatch(refused.stdout, lossless);
    assert.ok(await wrong() > before, "turn-server saw the wrong password");
  });

  test("drain ends a daemon, and asks who is meant", async () => {
    assert.equal((await edgectl("drain", ...at)).code, 2);
    const out = await edgectl("drain", "web-proxy", ...at);
    assert.deepEqual([out.code, out.stdout], [0, "web-proxy: draining\n"]);
    await waitFor(() => daemons["web-proxy"].ended(), { what: "web-proxy is gone" });
    assert.equal(daemons["web-proxy"].ended().code, 0);
  });
});

describe("edgectl alone", () => {
  test("help names every command, and wrong words are exit code 2", async () => {
    const { stdout, code } = await edgectl("--help");
    assert.equal(code, 0);
    const names = [...stdout.matchAll(/^ {2}([a-z-]+) {2,}\S/mg)].map((m) => m[1]);
    assert.ok(names.length >= 10, names.join(" "));
    for (const name of names) {
      const help = await edgectl(name, "--help");
      assert.equal(help.code, 0);
      assert.match(help.stdout, new RegExp(`^edgectl ${name} - `));
      assert.equal((await edgectl(name, "--nonsense")).code, 2);
    }
    assert.equal((await edgectl()).code, 2);
    assert.equal((await edgectl("stauts")).code, 2);
  });

  test("a secret is taken from a file or standard input only", async () => {
    assert.equal((await edgectl("turn-credential")).code, 2);
    assert.equal((await edgectl("turn-credential", "--secret", "x")).code, 2);
    const piped = await runProgram(program, ["turn-credential", "--secret-file", "-"],
      { input: "s\n" });
    assert.equal(piped.code, 0);
    assert.match(piped.stdout, /^username {2}\d+\npassword {2}\S{28}\nttl {7}43200\n$/);
    const empty = await runProgram(program, ["turn-credential", "--secret-file", "-"],
      { input: "# none\n" });
    assert.equal(empty.code, 2);
  });

  test("a secret everybody can read is warned of", async () => {
    const file = path.join(scratch(), "secret");
    fs.writeFileSync(file, "s\n", { mode: 0o600 });
    assert.equal((await edgectl("turn-credential", "--secret-file", file)).stderr, "");
    fs.chmodSync(file, 0o644);
    assert.match((await edgectl("turn-credential", "--secret-file", file)).stderr, /chmod/);
  });
});

describe("edgectl cert", { skip: missing("openssl") }, () => {
  const dir = scratch();
  const at = (name) => path.join(dir, name);
  let made;

  const openssl = async (...args) => {
    const { code, stderr } = await runProgram("openssl", args);
    assert.equal(code, 0, stderr);
  };
  const selfSigned = (name, ...args) => openssl("req", "-x509", "-nodes", "-newkey", "ec",
    "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=x.test", "-keyout", at(`${name}.key`),
    "-out", at(`${name}.pem`), "-days", "30", ...args);
  const cut = (file, n) => fs.readFileSync(file, "utf8").match(/-----BEGIN[^]*?-----END[^\n]*\n/g)[n];

  before(async () => {
    made = await makeCertificates(at("pki"));
    const read = (file) => fs.readFileSync(file, "utf8");
    fs.writeFileSync(at("leaf.pem"), cut(made.cert, 0));
    fs.writeFileSync(at("turned.pem"), cut(made.cert, 1) + cut(made.cert, 0));
    fs.writeFileSync(at("with-key.pem"), read(made.cert) + read(made.key));
    fs.writeFileSync(at("nothing.pem"), "hello\n");
    fs.writeFileSync(at("torn.pem"), cut(made.cert, 0) +
      cut(made.cert, 1).replace(/\n.{20}/, "\n"));
    await selfSigned("san", "-addext", "subjectAltName=DNS:x.test");
    await selfSigned("no-san");
    await selfSigned("client", "-addext", "extendedKeyUsage=clientAuth",
      "-addext", "subjectAltName=DNS:x.test");
    await openssl("req", "-x509", "-nodes", "-newkey", "rsa:1024", "-subj", "/CN=x.test",
      "-keyout", at("weak.key"), "-out", at("weak.pem"), "-days", "30",
      "-addext", "subjectAltName=DNS:x.test");
    await openssl("pkey", "-in", made.key, "-aes256", "-passout", "pass:abc", "-out", at("locked.key"));
    // Signed by an authority that is not in the file: one over SHA-1, one
    // that is an authority itself.
    await openssl("req", "-new", "-key", made.key, "-subj", "/CN=x.test", "-out", at("csr"));
    for (const [name, hash, more] of [["sha1", "-sha1", ""], ["sub", "-sha256", "basicConstraints=CA:TRUE\n"]]) {
      fs.writeFileSync(at("ext"), `${more}subjectAltName=DNS:x.test\n`);
      await openssl("x509", "-req", hash, "-in", at("csr"), "-CA", made.ca, "-CAkey", made.caKey,
        "-CAcreateserial", "-days", "30", "-extfile", at("ext"), "-out", at(`${name}.pem`));
    }
    // Not valid yet, and not valid any more.
    for (const [name, from, to] of [["early", "20900101000000Z", "20910101000000Z"],
      ["late", "20200101000000Z", "20210101000000Z"]]) {
      fs.mkdirSync(at(name));
      fs.writeFileSync(at(`${name}/index`), "");
      fs.writeFileSync(at(`${name}/serial`), "01\n");
      fs.writeFileSync(at(`${name}/ca.cnf`), `[ca]\ndefault_ca=c\n[c]\ndatabase=${at(name)}/index
serial=${at(name)}/serial\nnew_certs_dir=${at(name)}\ndefault_md=sha256\npolicy=p
copy_extensions=copy\n[p]\ncommonName=supplied\n`);
      await openssl("req", "-new", "-key", made.key, "-subj", "/CN=x.test",
        "-addext", "subjectAltName=DNS:x.test", "-out", at(`${name}/csr`));
      await openssl("ca", "-batch", "-config", at(`${name}/ca.cnf`), "-cert", made.ca,
        "-keyfile", made.caKey, "-startdate", from, "-enddate", to, "-in", at(`${name}/csr`),
        "-notext", "-out", at(`${name}.pem`));
    }
  });

  test("a good one is shown with names, days, chain and key", async () => {
    const out = await edgectl("cert", "--check", "--key", made.key, "--name", "edge.test",
      "--name", "127.0.0.1", made.cert);
    assert.equal(out.code, 0, out.stdout);
    assert.match(out.stdout, /names +dns:localhost, dns:edge\.test/);
    assert.match(out.stdout, /(29|30) days left/);
    assert.match(out.stdout, /key +EC 256/);
    assert.match(out.stdout, /private key belongs to certificate 1/);
    assert.match(out.stdout, /note CERT-ROOT-SENT/);

    const [report] = await json("cert", "--json", at("with-key.pem"));
    assert.equal(report.certificates.length, 2);
    assert.equal(report.key_matches, true);
    assert.ok(report.certificates[0].days_left >= 29);
    const print = await runProgram("openssl", ["x509", "-in", made.cert, "-noout",
      "-fingerprint", "-sha256"]);
    assert.equal(report.certificates[0].sha256,
      print.stdout.split("=")[1].trim().replaceAll(":", "").toLowerCase());
  });

  // What provokes each finding; nothing else may be found beside `also`.
  for (const [id, args, also] of [
    ["CERT-NOTHING", () => [at("nothing.pem")]],
    ["CERT-UNREADABLE", () => [at("torn.pem")], ["CERT-CHAIN-MISSING"]],
    ["CERT-NOT-YET", () => [at("early.pem")], ["CERT-CHAIN-MISSING"]],
    ["CERT-EXPIRED", () => [at("late.pem")], ["CERT-CHAIN-MISSING"]],
    ["CERT-EXPIRES-SOON", () => ["--days", "60", at("leaf.pem")], ["CERT-CHAIN-MISSING"]],
    ["CERT-NO-SAN", () => [at("no-san.pem")], ["CERT-SELF-SIGNED"]],
    ["CERT-NAME", () => ["--name", "other.test", at("leaf.pem")], ["CERT-CHAIN-MISSING"]],
    ["CERT-EKU", () => [at("client.pem")], ["CERT-SELF-SIGNED"]],
    ["CERT-SELF-SIGNED", () => [at("san.pem")]],
    ["CERT-CHAIN-MISSING", () => [at("leaf.pem")]],
    ["CERT-CHAIN-ORDER", () => [at("turned.pem")], ["CERT-NO-SAN"]],
    ["CERT-IS-CA", () => [at("sub.pem")], ["CERT-CHAIN-MISSING"]],
    ["CERT-WEAK-HASH", () => [at("sha1.pem")], ["CERT-CHAIN-MISSING"]],
    ["CERT-WEAK-KEY", () => [at("weak.pem")], ["CERT-SELF-SIGNED"]],
    ["CERT-KEY-UNREADABLE", () => ["--key", at("locked.key"), at("leaf.pem")], ["CERT-CHAIN-MISSING"]],
    ["CERT-KEY-MISMATCH", () => ["--key", at("san.key"), at("leaf.pem")], ["CERT-CHAIN-MISSING"]],
  ])
    test(`${id} is found, and --check fails`, async () => {
      const out = await edgectl("cert", "--check", "--json", ...args());
      assert.equal(out.code, 1, out.stderr);
      const found = JSON.parse(out.stdout)[0].findings.map((f) => f.id);
      assert.deepEqual(found.sort(), [id, ...(also ?? [])].sort());
      assert.equal((await edgectl("cert", ...args())).code, 0);
    });

  test("CERT-RSA is a note, of the server's certificate alone", async () => {
    await openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", at("rsa.key"), "-out", at("rsa.pem"),
      "-days", "30", "-subj", "/CN=x.test", "-addext", "subjectAltName=DNS:x.test");
    const out = await edgectl("cert", "--json", at("rsa.pem"));
    const notes = JSON.parse(out.stdout)[0].findings.filter((f) => f.severity === "note").map((f) => f.id);
    assert.deepEqual(notes, ["CERT-RSA"]);
  });

  test("a file that is not there is exit code 2", async () => {
    const out = await edgectl("cert", at("gone.pem"));
    assert.equal(out.code, 2);
    assert.match(out.stderr, /gone\.pem/);
  });
});

const layouts = ["three-hosts"].map((name) => {
  const file = (daemon) => path.join(root, "deploy/config", name, `${daemon}.json`);
  return ["--topology", path.join(root, "deploy/config/three-hosts/topology.json"), "--web", file("web-proxy"),
    "--sip", file("sip-proxy"), "--turn", file("turn-server")];
});

describe("edgectl flows", () => {
  const [three] = layouts;

  test("the documented layout has the flows of the documentation and no finding", async () => {
    const { flows, findings } = await json("flows", ...three, "--format", "json");
    assert.deepEqual(findings, []);
    const has = (from, to, protocol, ports) => flows.some((f) => f.from.name === from &&
      f.to.name === to && f.protocol === protocol && f.to.ports === ports);
    for (const flow of [
      ["internet", "edge-web", "tcp", "443"], ["lan", "edge-web", "tcp", "443"],
      ["internet", "edge-turn", "udp", "3478"], ["internet", "edge-turn", "tcp", "3478"],
      ["internet", "edge-turn", "udp", "30000-39999"], ["edge-web", "uc", "tcp", "443"],
      ["edge-web", "main", "tcp", "443"], ["edge-web", "edge-sip", "tcp", "5066"],
      ["edge-sip", "mds1", "udp", "5060"], ["mds1", "edge-sip", "udp", "5060"],
      ["mds1", "edge-turn", "udp", "3478"], ["mds1", "edge-turn", "tcp", "3478"],
      ["10.0.0.0/24", "edge-turn", "udp", "30000-39999"],
      ["edge-turn", "bridge", "udp", "10000"],
    ])
      assert.ok(has(...flow), flow.join(" "));
    // Nothing comes from outside to the SIP proxy or into the LAN.
    assert.ok(!flows.some((f) => f.from.name === "internet" &&
      (f.to.name === "edge-sip" || f.to.zone === "lan")));
  });

  test("all formats have the same rows", async () => {
    const { flows } = await json("flows", ...three, "--json");
    const text = (await edgectl("flows", ...three)).stdout.trim().split("\n");
    const csv = (await edgectl("flows", ...three, "--format", "csv")).stdout.trim().split("\r\n");
    const markdown = (await edgectl("flows", ...three, "--format", "markdown")).stdout.trim().split("\n");
    assert.equal(text.length, flows.length + 1);
    assert.equal(csv.length, flows.length + 1);
    assert.equal(markdown.length, flows.length + 2);
    assert.equal((await edgectl("flows", ...three, "--format", "xml")).code, 2);
  });

  test("one host with everything has its flows, and none inside", async () => {
    const file = (daemon) => path.join(root, "deploy/config/one-host", `${daemon}.json`);
    const topology = path.join(scratch(), "topology.json");
    fs.writeFileSync(topology, JSON.stringify({
      zone: [{ name: "internet", clients: true }, { name: "dmz", networks: ["10.1.0.0/24"] },
        { name: "lan", networks: ["10.0.0.0/16"], clients: true }],
      host: [{ name: "edge", zone: "dmz", address: ["10.1.0.1", "203.0.113.3"],
        runs: ["web-proxy", "sip-proxy", "turn-server"] }],
    }));
    const files = ["--topology", topology, "--web", file("web-proxy"), "--sip", file("sip-proxy"),
      "--turn", file("turn-server")];
    const { flows, findings } = await json("flows", ...files, "--json");
    assert.deepEqual(findings, []);
    assert.ok(flows.every((f) => f.from.name !== f.to.name));
    assert.ok(!flows.some((f) => f.to.ports === "5066"), "the WebSocket inside the host");
    // web-proxy listens on every address, turn-server on one.
    const open = (ports) => flows.filter((f) => f.from.name === "internet" && f.to.ports === ports)
      .map((f) => f.to.addresses.join()).sort();
    assert.deepEqual(open("443"), ["10.1.0.1", "203.0.113.3"]);
    assert.deepEqual([...new Set(open("3478"))], ["203.0.113.3"]);
    // Without firewalls in the topology one stands between all zones.
    const { stdout, code } = await edgectl("firewall", ...files, "firewall");
    assert.equal(code, 0);
    assert.match(stdout, /chain forward[^]*ip daddr \{ 203\.0\.113\.3 \} udp dport 3478 accept/);
  });

  test("mistakes name the file and the key", async () => {
    const dir = scratch();
    const file = path.join(dir, "topology.json");
    fs.writeFileSync(file, '{"zone": ["a"], "host": [{"name": "h", "zone": "b", "address": ["10.0.0.1"]}]}');
    const out = await edgectl("flows", "--topology", file);
    assert.equal(out.code, 2);
    assert.match(out.stderr, /topology\.json: .*no zone "b"/);
  });

  test("a daemon whose settings are missing is a finding", async () => {
    const out = await edgectl("flows", ...three.slice(0, 4));
    assert.equal(out.code, 1);
    assert.match(out.stderr, /FLOW-NO-SETTINGS: edge-sip runs sip-proxy/);
  });

  test("nft accepts every rule set", {
    skip: process.getuid() !== 0 ? "needs root" : missing("nft", "unshare"),
  }, async (t) => {
    if ((await runProgram("unshare", ["-n", "nft", "list", "ruleset"])).code !== 0)
      return t.skip("no network namespaces here");
    const dir = scratch();
    const { stdout, code } = await edgectl("firewall", ...three, "--out", dir);
    assert.equal(code, 0);
    const files = stdout.trim().split("\n");
    assert.deepEqual(files.map((f) => path.basename(f)).sort(),
      ["edge-sip.nft", "edge-turn.nft", "edge-web.nft", "inner.nft", "outer.nft"]);
    for (const file of files) {
      const out = await runProgram("unshare", ["-n", "nft", "-c", "-f", file]);
      assert.equal(out.code, 0, out.stderr);
    }
    const one = await edgectl("firewall", ...three, "inner");
    assert.equal(one.stdout, fs.readFileSync(path.join(dir, "inner.nft"), "utf8"));
    assert.equal((await edgectl("firewall", ...three, "nobody")).code, 2);
    assert.equal((await edgectl("firewall", ...three)).code, 2);
  });
});
