/* SPDX-License-Identifier: MIT */
/* turn_stats.h - what one worker's relay counts. */
#ifndef TURN_STATS_H
#define TURN_STATS_H

#include "base/stats.h"

#define TURN_STATS(X)                                                          \
    X(GAUGE, allocations_udp, "allocations", "transport=\"udp\"",              \
      "allocations alive")                                                     \
    X(GAUGE, allocations_tcp, "allocations", "transport=\"tcp\"",              \
      "allocations alive")                                                     \
    X(GAUGE, allocations_tls, "allocations", "transport=\"tls\"",              \
      "allocations alive")                                                     \
    X(GAUGE, allocations_dtls, "allocations", "transport=\"dtls\"",            \
      "allocations alive")                                                     \
    X(COUNTER, allocations_opened, "allocations_opened", "",                   \
      "allocations made")                                                      \
    X(COUNTER, expired, "allocations_closed", "reason=\"expired\"",            \
      "allocations ended")                                                     \
    X(COUNTER, released, "allocations_closed", "reason=\"released\"",          \
      "allocations ended")                                                     \
    X(COUNTER, disconnected, "allocations_closed", "reason=\"disconnected\"",  \
      "allocations ended")                                                     \
    X(COUNTER, realm_gone, "allocations_closed", "reason=\"realm_gone\"",      \
      "allocations ended")                                                     \
    X(COUNTER, relayed_to_peer, "relayed_packets", "to=\"peer\"",              \
      "packets relayed")                                                       \
    X(COUNTER, relayed_to_client, "relayed_packets", "to=\"client\"",          \
      "packets relayed")                                                       \
    X(COUNTER, bytes_to_peer, "relayed_bytes", "to=\"peer\"",                  \
      "bytes relayed, without headers")                                        \
    X(COUNTER, bytes_to_client, "relayed_bytes", "to=\"client\"",              \
      "bytes relayed, without headers")                                        \
    X(COUNTER, icmp_told, "icmp_told", "",                                     \
      "ICMP errors from the way to a peer told to the client")                 \
    X(COUNTER, bindings, "bindings", "", "Binding requests answered")          \
    X(COUNTER, requests, "requests", "", "TURN requests received")             \
    X(COUNTER, succeeded, "responses", "code=\"0\"", "TURN answers")           \
    X(COUNTER, refused_300, "responses", "code=\"300\"", "TURN answers")       \
    X(COUNTER, refused_400, "responses", "code=\"400\"", "TURN answers")       \
    X(COUNTER, refused_401, "responses", "code=\"401\"", "TURN answers")       \
    X(COUNTER, refused_403, "responses", "code=\"403\"", "TURN answers")       \
    X(COUNTER, refused_405, "responses", "code=\"405\"", "TURN answers")       \
    X(COUNTER, refused_420, "responses", "code=\"420\"", "TURN answers")       \
    X(COUNTER, refused_437, "responses", "code=\"437\"", "TURN answers")       \
    X(COUNTER, refused_438, "responses", "code=\"438\"", "TURN answers")       \
    X(COUNTER, refused_440, "responses", "code=\"440\"", "TURN answers")       \
    X(COUNTER, refused_441, "responses", "code=\"441\"", "TURN answers")       \
    X(COUNTER, refused_442, "responses", "code=\"442\"", "TURN answers")       \
    X(COUNTER, refused_443, "responses", "code=\"443\"", "TURN answers")       \
    X(COUNTER, refused_446, "responses", "code=\"446\"", "TURN answers")       \
    X(COUNTER, refused_447, "responses", "code=\"447\"", "TURN answers")       \
    X(COUNTER, refused_486, "responses", "code=\"486\"", "TURN answers")       \
    X(COUNTER, refused_508, "responses", "code=\"508\"", "TURN answers")       \
    X(COUNTER, refused_other, "responses", "code=\"other\"", "TURN answers")   \
    X(COUNTER, wrong_password, "auth_failed", "reason=\"integrity\"",          \
      "requests with credentials that do not hold")                            \
    X(COUNTER, unknown_user, "auth_failed", "reason=\"user\"",                 \
      "requests with credentials that do not hold")                            \
    X(COUNTER, expired_user, "auth_failed", "reason=\"expired\"",              \
      "requests with credentials that do not hold")                            \
    X(COUNTER, token_key, "auth_failed", "reason=\"token_key\"",               \
      "requests with credentials that do not hold")                            \
    X(COUNTER, token_forged, "auth_failed", "reason=\"token_forged\"",         \
      "requests with credentials that do not hold")                            \
    X(COUNTER, token_expired, "auth_failed", "reason=\"token_expired\"",       \
      "requests with credentials that do not hold")                            \
    X(COUNTER, quota_total, "quota_reached", "limit=\"total\"",                \
      "allocations refused by a quota")                                        \
    X(COUNTER, quota_realm, "quota_reached", "limit=\"realm\"",                \
      "allocations refused by a quota")                                        \
    X(COUNTER, quota_user, "quota_reached", "limit=\"user\"",                  \
      "allocations refused by a quota")                                        \
    X(COUNTER, quota_source, "quota_reached", "limit=\"source\"",              \
      "allocations refused by a quota")                                        \
    X(COUNTER, ports_exhausted, "ports_exhausted", "",                         \
      "allocations refused because no relay port could be bound")              \
    X(COUNTER, reservations_full, "reservations_full", "",                     \
      "even ports given without a reserve: 256 are kept already")              \
    X(COUNTER, permissions_full, "permissions_full", "",                       \
      "permissions and channels refused by their limits")                      \
    X(COUNTER, mobile_moved, "allocations_moved", "",                          \
      "times a client went on from another address (RFC 8016)")                \
    X(COUNTER, forwarded, "forwarded", "",                                     \
      "packets handed to the worker of a client that has moved")               \
    X(GAUGE, tcp_connections, "tcp_connections", "",                           \
      "connections of TCP relays with peers")                                  \
    X(GAUGE, tcp_waiting, "tcp_connections_waiting", "",                       \
      "those among them that the client has not bound yet")                    \
    X(COUNTER, tcp_connected, "tcp_opened", "by=\"client\"",                   \
      "connections of TCP relays made")                                        \
    X(COUNTER, tcp_accepted, "tcp_opened", "by=\"peer\"",                      \
      "connections of TCP relays made")                                        \
    X(COUNTER, tcp_bound, "tcp_bound", "",                                     \
      "connections of TCP relays that a client has bound")                     \
    X(COUNTER, tcp_failed, "tcp_refused", "reason=\"failed\"",                 \
      "connections of TCP relays not made, or not kept")                       \
    X(COUNTER, tcp_unbound, "tcp_refused", "reason=\"not_bound\"",             \
      "connections of TCP relays not made, or not kept")                       \
    X(COUNTER, tcp_full, "tcp_refused", "reason=\"limit\"",                    \
      "connections of TCP relays not made, or not kept")                       \
    X(COUNTER, tcp_not_permitted, "tcp_refused", "reason=\"no_permission\"",   \
      "connections of TCP relays not made, or not kept")                       \
    X(COUNTER, tcp_to_peer, "tcp_relayed_bytes", "to=\"peer\"",                \
      "bytes through TCP relays")                                              \
    X(COUNTER, tcp_to_client, "tcp_relayed_bytes", "to=\"client\"",            \
      "bytes through TCP relays")                                              \
    X(COUNTER, tcp_throttled, "tcp_throttled", "",                             \
      "times a TCP relay was paused for its bandwidth")                        \
    X(COUNTER, drop_malformed, "dropped", "reason=\"malformed\"",              \
      "packets dropped")                                                       \
    X(COUNTER, drop_fingerprint, "dropped", "reason=\"fingerprint\"",          \
      "packets dropped")                                                       \
    X(COUNTER, drop_unexpected, "dropped", "reason=\"unexpected\"",            \
      "packets dropped")                                                       \
    X(COUNTER, drop_no_allocation, "dropped", "reason=\"no_allocation\"",      \
      "packets dropped")                                                       \
    X(COUNTER, drop_no_channel, "dropped", "reason=\"no_channel\"",            \
      "packets dropped")                                                       \
    X(COUNTER, drop_no_permission, "dropped", "reason=\"no_permission\"",      \
      "packets dropped")                                                       \
    X(COUNTER, drop_peer_denied, "dropped", "reason=\"peer_denied\"",          \
      "packets dropped")                                                       \
    X(COUNTER, drop_bandwidth, "dropped", "reason=\"bandwidth\"",              \
      "packets dropped")                                                       \
    X(COUNTER, drop_user_bandwidth, "dropped", "reason=\"user_bandwidth\"",    \
      "packets dropped")                                                       \
    X(COUNTER, drop_realm_bandwidth, "dropped", "reason=\"realm_bandwidth\"",  \
      "packets dropped")                                                       \
    X(COUNTER, drop_total_bandwidth, "dropped", "reason=\"total_bandwidth\"",  \
      "packets dropped")                                                       \
    X(COUNTER, drop_rate, "dropped", "reason=\"unauthenticated_rate\"",        \
      "packets dropped")                                                       \
    X(COUNTER, rules_ended, "rules_ended", "",                                 \
      "permissions and channels ended by new peer rules")

struct turn_stats {
    TURN_STATS(STATS_FIELD)
};

/* The same for one realm: as many of these as there may be realms. */
#define TURN_REALM_STATS(X)                                                    \
    X(GAUGE, allocations, "realm_allocations", "", "allocations alive")        \
    X(COUNTER, opened, "realm_allocations_opened", "", "allocations made")     \
    X(COUNTER, auth_failed, "realm_auth_failed", "",                           \
      "requests with credentials that do not hold")                            \
    X(COUNTER, quota_reached, "realm_quota_reached", "",                       \
      "allocations refused by a quota")                                        \
    X(COUNTER, forbidden, "realm_forbidden", "",                               \
      "requests answered with 403, for a peer most of the time")               \
    X(COUNTER, bytes_to_peer, "realm_bytes_to_peer", "",                       \
      "bytes relayed, without headers")                                        \
    X(COUNTER, bytes_to_client, "realm_bytes_to_client", "",                   \
      "bytes relayed, without headers")                                        \
    X(COUNTER, dropped_bandwidth, "realm_dropped_bandwidth", "",               \
      "packets dropped by a bandwidth limit")

struct turn_realm_stats {
    TURN_REALM_STATS(STATS_FIELD)
};

#endif /* TURN_STATS_H */
