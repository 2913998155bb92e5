// SPDX-License-Identifier: MIT
// From a folder of settings to a network that can be built: who stands where,
// with which addresses and routes.
//
// The folder has the three daemons' settings, `topology.json` (as edgectl
// reads it) and `lab.json`:
//
//   names        name → address, as the internet knows it; first the web's,
//                last the relay's
//   publish      public address → address in the DMZ, translated by the outer firewall
//   files        daemon → its settings' file, where it is not <daemon>.json
//   inside-names names that the inside servers' certificate is for
//
// and, when a call can be made through it:
//
//   registrar    hosts that run a call server (the first knows the demo users)
//   application  host of the web application
//   turn         the relay's URIs, where they are not on port 3478
//   echo         host of the program that answers calls

import fs from "node:fs";
import path from "node:path";
import { contains, fromEnd, parseNetwork } from "./address.mjs";

/* Addresses that stand for public ones in documents are refused as peers of a
 * relay, as they should be. In the lab's own internet others stand for them. */
const stands = [["203.0.113.", "45.0.113."], ["198.51.100.", "45.51.100."]];

/** A file's text with addresses that the lab can use. */
export const labText = (file) =>
  stands.reduce((text, [from, to]) => text.replaceAll(from, to), fs.readFileSync(file, "utf8"));

/** JSON with comments, as the daemons read it. */
function readSettings(file) {
  const text = labText(file);
  const bare = text.replace(/("(?:[^"\\]|\\.)*")|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, string) => string ?? " ");
  try {
    return JSON.parse(bare);
  } catch (error) {
    throw new Error(`${file}: ${error.message}`);
  }
}

const internet = ["45.51.100.0/24"];
const homes = ["alice", "bob"];

/** Firewalls, each with its interfaces {zone, port} and addresses in each zone. */
function routersOf(topology, networks) {
  const used = new Map(Object.keys(networks).map((zone) => [zone, 0]));
  return topology.firewall.map(({ name, zones }) => ({
    name,
    interfaces: zones.map((words) => {
      const [zone, port] = words.split("=");
      const n = used.get(zone);
      used.set(zone, n + 1);
      return { zone, port, addresses: networks[zone].map((net) => [net, fromEnd(net, n)]) };
    }),
  }));
}

/** The interface, in `zone`, of the router that leads from there to `target`. */
function gateway(routers, zone, target, seen = new Set([zone])) {
  for (const router of routers) {
    const here = router.interfaces.find((i) => i.zone === zone);
    if (!here) continue;
    for (const { zone: next } of router.interfaces) {
      if (seen.has(next)) continue;
      if (next === target || gateway(routers, next, target, new Set([...seen, next]))) return here;
    }
  }
  return undefined;
}

/** Routes [network, via] of someone in `zone` with these addresses. */
function routes(routers, networks, zone, addresses, own = []) {
  const list = [];
  for (const [target, nets] of Object.entries(networks)) {
    if (target === zone || own.includes(target)) continue;
    const way = gateway(routers, zone, target);
    if (!way) continue;
    for (const [near, via] of way.addresses) {
      if (!addresses.some((a) => contains(near, a))) continue;
      // Everything that is in no other zone is the internet.
      if (target === "internet") list.push(["default", via]);
      else
        for (const net of nets)
          if (net.family === near.family) list.push([net.text, via]);
    }
  }
  return list;
}

const prefixed = (addresses, nets) => addresses.map((a) => {
  const net = nets.find((n) => contains(n, a));
  if (!net) throw new Error(`${a} is in no network of its zone`);
  return `${a}/${net.prefix}`;
});

function namesFor(lab, zone) {
  return Object.entries(lab.names).map(([name, address]) =>
    // Who is not outside is told the address behind the translation.
    [zone === "internet" ? address : lab.publish?.[address] ?? address, name]);
}

export function readPlan(folder) {
  const topology = readSettings(path.join(folder, "topology.json"));
  const lab = readSettings(path.join(folder, "lab.json"));
  const files = Object.fromEntries(["web-proxy", "sip-proxy", "turn-server"]
    .map((daemon) => [daemon, path.join(folder, lab.files?.[daemon] ?? `${daemon}.json`)])
    .filter(([, file]) => fs.existsSync(file)));
  const networks = Object.fromEntries(topology.zone.map(({ name, networks: nets }) =>
    [name, (nets ?? internet).map(parseNetwork)]));
  const routers = routersOf(topology, networks);

  const hosts = topology.host.map(({ name, zone, address, runs = [] }) => ({
    name, zone, runs, address: address[0],
    addresses: prefixed(address, networks[zone]),
    routes: routes(routers, networks, zone, address),
    names: namesFor(lab, zone),
  }));
  for (const router of routers) {
    const own = router.interfaces.map((i) => i.zone);
    router.routes = router.interfaces.flatMap(({ zone, addresses }) =>
      routes(routers.filter((r) => r !== router), networks, zone, addresses.map(([, a]) => a), own));
  }
  const translated = Object.entries(lab.publish ?? {});
  return {
    folder, files, lab, hosts, routers, translated,
    zones: Object.keys(networks),
    // The internet: one host right on it, and homes behind a router each.
    internet: { gateway: routers.flatMap((r) => r.interfaces).find((i) => i.zone === "internet").addresses[0][1],
      cafe: "45.51.100.10/24", names: namesFor(lab, "internet") },
    homes: homes.map((name, i) => ({
      name, router: `nat-${name}`, public: `45.51.100.${20 + i}/24`, net: `192.168.${70 + i}` })),
  };
}
