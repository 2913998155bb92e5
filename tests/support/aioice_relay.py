# SPDX-License-Identifier: MIT
"""Two ICE agents of aioice in one process that may only use relayed
candidates. One sends 50 packets, the other sends them back; prints
{"kinds": [...], "echoed": N}.

    aioice_relay.py HOST PORT USER PASSWORD udp|tcp|tls
"""
import asyncio
import json
import ssl
import sys

import aioice

PACKETS = 50


def agent(controlling):
    host, port, user, password, transport = sys.argv[1:6]
    context = False
    if transport == "tls":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return aioice.Connection(
        ice_controlling=controlling,
        turn_server=(host, int(port)),
        turn_username=user,
        turn_password=password,
        turn_transport="udp" if transport == "udp" else "tcp",
        turn_ssl=context,
        use_ipv6=False,
        transport_policy=aioice.TransportPolicy.RELAY,
    )


async def tell(one, other):
    for candidate in one.local_candidates:
        await other.add_remote_candidate(candidate)
    await other.add_remote_candidate(None)
    other.remote_username = one.local_username
    other.remote_password = one.local_password


async def echo(connection):
    for _ in range(PACKETS):
        await connection.send(await connection.recv())


async def main():
    caller, callee = agent(True), agent(False)
    await asyncio.gather(caller.gather_candidates(), callee.gather_candidates())
    kinds = {c.type for a in (caller, callee) for c in a.local_candidates}
    await tell(caller, callee)
    await tell(callee, caller)
    await asyncio.gather(caller.connect(), callee.connect())
    echoing = asyncio.ensure_future(echo(callee))
    echoed = 0
    for i in range(PACKETS):
        packet = b"packet %d" % i
        await caller.send(packet)
        echoed += await caller.recv() == packet
    await echoing
    await asyncio.gather(caller.close(), callee.close())
    print(json.dumps({"kinds": sorted(kinds), "echoed": echoed}))


asyncio.run(main())
