// SPDX-License-Identifier: MIT
// Federation: certificates of every kind, and Kamailio as the partner's edge.

import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { freePort, scratch } from "./edge.mjs";
import { answersOptions, runKamailio } from "./kamailio.mjs";
import { SipUdp, respond } from "./sip.mjs";

const run = promisify(execFile);
const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** An authority: { ca, issue(options) }; `ca` is the path of its certificate. */
export async function authority(name = "Federation test CA") {
  const dir = scratch("federation-");
  const at = (file) => path.join(dir, file);
  const openssl = (...args) => run("openssl", args);
  let serial = 1;
  await openssl("req", "-x509", ...key, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-days", "30",
    "-subj", `/CN=${name}`, "-addext", "basicConstraints=critical,CA:TRUE",
    "-addext", "keyUsage=critical,keyCertSign,cRLSign");
  return {
    ca: at("ca.pem"),
    /**
     * A certificate: { cert, key }. `san`: "URI:sip:a.example", "DNS:a.example";
     * none: no alternative names. `days` negative: it has ended.
     */
    async issue({ cn = "leaf", san = [], days = 30, usage = "serverAuth,clientAuth", self = false } = {}) {
      const id = at(`leaf${serial++}`);
      const ext = ["basicConstraints=CA:FALSE", "keyUsage=digitalSignature", `extendedKeyUsage=${usage}`,
        ...(san.length ? [`subjectAltName=${san.join(",")}`] : []), ""].join("\n");
      fs.writeFileSync(`${id}.ext`, ext);
      await openssl("req", "-new", ...key, "-keyout", `${id}.key`, "-out", `${id}.csr`, "-subj", `/CN=${cn}`);
      const signer = self ? ["-signkey", `${id}.key`]
        : ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-set_serial", String(1000 + serial)];
      await openssl("x509", "-req", "-in", `${id}.csr`, ...signer, "-days", String(days),
        "-extfile", `${id}.ext`, "-out", `${id}.pem`);
      return { cert: `${id}.pem`, key: `${id}.key` };
    },
  };
}

/** What openssl s_client gets back for one SIP message; "" when it was cut. */
export async function sClient(port, message, { cert, key: keyFile, ca, version, host = "127.0.0.1" } = {}) {
  const args = ["s_client", "-connect", `${host}:${port}`, "-quiet",
    ...(ca ? ["-CAfile", ca] : []), ...(version ? [version] : []),
    ...(cert ? ["-cert", cert, "-key", keyFile] : [])];
  const child = spawn("openssl", args, { stdio: ["pipe", "pipe", "pipe"] });
  let out = "", err = "";
  child.stderr.setEncoding("utf8").on("data", (part) => { err += part; });
  child.stdin.on("error", () => {});
  const closed = new Promise((done) => child.on("close", done));
  const answered = new Promise((done) => {
    child.stdout.setEncoding("utf8").on("data", (part) => {
      out += part;
      if (/\r\n\r\n/.test(out)) done();
    });
  });
  child.stdin.write(message);
  const late = setTimeout(() => child.kill("SIGKILL"), 15000);
  await Promise.race([answered, closed]);
  child.stdin.end();
  child.kill("SIGTERM");
  await closed;
  clearTimeout(late);
  return { text: out, status: Number(out.match(/^SIP\/2\.0 (\d+)/)?.[1] ?? 0), alert: err.match(/alert ([a-z ]+)/)?.[1] ?? "" };
}

/** The partner's phone: a UDP socket that picks up. */
export async function phone({ answer = true } = {}) {
  const ua = await SipUdp.open({ onMessage: (m) => {
    if (!m.method || !answer) return false;
    if (m.method === "ACK") return false;
    const headers = [`Contact: <sip:bob@127.0.0.1:${ua.port}>`];
    ua.send(respond(m, 200, "OK", { tag: "bob", headers }), m.from);
    ua.seen.push(m);
    return true;
  } });
  ua.seen = [];
  return ua;
}

const config = ({ domain, tls, udp, cert, certKey, ca, edge, inside, verify }) => `#!KAMAILIO
debug=1
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
enable_tls=yes
disable_core_dump=yes
tcp_connection_lifetime=3605
tls_max_connections=64
listen=udp:127.0.0.1:${udp}
listen=tls:127.0.0.1:${tls}
alias="${domain}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "private_key", "${certKey}")
modparam("tls", "certificate", "${cert}")
modparam("tls", "ca_list", "${ca}")
modparam("tls", "verify_certificate", ${verify})
modparam("tls", "require_certificate", ${verify})
modparam("tm", "fr_timer", 4000)
modparam("rr", "enable_double_rr", 1)

request_route {
    if (!mf_process_maxfwd_header("10")) exit;
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
        sl_send_reply("404", "Not Here");
        exit;
    }
    if (is_method("OPTIONS") && $rU == $null) { sl_send_reply("200", "OK"); exit; }
    record_route();
    if ($proto == "tls") {
        # From the other organisation: to our phone.
        $du = "sip:127.0.0.1:${inside}";
    } else {
        # Ours to theirs.
        $du = "sip:127.0.0.1:${edge};transport=tls";
    }
    t_relay();
}
`;

/** Kamailio as the edge of `domain`: TLS towards us, UDP to its phone. */
export async function partnerKamailio({ domain, certificate, ca, edge, inside, tlsPort, udpPort, verify = 1 }) {
  const dir = scratch("kamailio-partner-");
  const tls = tlsPort ?? await freePort(), udp = udpPort ?? await freePort();
  const file = path.join(dir, "kamailio.cfg");
  fs.writeFileSync(file, config({ domain, tls, udp, cert: certificate.cert, certKey: certificate.key,
    ca, edge, inside, verify }));
  const program = await runKamailio(["-f", file], dir, () => answersOptions(udp, "127.0.0.1"), { memory: 48 });
  return { tls, udp, ...program };
}
