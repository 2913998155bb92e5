/* SPDX-License-Identifier: MIT */
/* sip_stats.h - what the proxy refuses, and everything it counts.
 *
 * Each refusal has its status, its reason phrase and a counter of its own:
 * what cannot be counted cannot be operated.
 */
#ifndef SIP_STATS_H
#define SIP_STATS_H

#include "base/stats.h"

/* label, status, reason phrase */
#define SIP_REFUSAL_MAP(X)                                                     \
    X(max_forwards, 483, "Too Many Hops")                                      \
    X(loop, 482, "Loop Detected")                                              \
    X(max_breadth, 440, "Max-Breadth Exceeded")                                \
    X(extension, 420, "Bad Extension")                                         \
    X(scheme, 416, "Unsupported URI Scheme")                                   \
    X(method, 403, "Forbidden")                                                \
    X(refer_target, 403, "Forbidden")                                          \
    X(listener_method, 405, "Method Not Allowed")                              \
    X(body_size, 413, "Request Entity Too Large")                              \
    X(body_type, 415, "Unsupported Media Type")                                \
    X(body_encoding, 415, "Unsupported Media Type")                            \
    X(domain, 403, "Forbidden")                                                \
    X(preloaded_route, 403, "Forbidden")                                       \
    X(unsigned_route, 403, "Forbidden")                                        \
    X(forged_token, 403, "Forbidden")                                          \
    X(contact_size, 400, "Contact Too Long")                                   \
    X(no_dialog, 481, "Call/Transaction Does Not Exist")                       \
    X(foreign_cancel, 481, "Call/Transaction Does Not Exist")                  \
    X(flow_gone, 430, "Flow Failed")                                           \
    X(no_flow, 404, "Not Found")                                               \
    X(no_server, 503, "No Media Server Available")                             \
    X(connection_rate, 503, "Too Many Requests")                               \
    X(source_rate, 503, "Too Many Requests")                                   \
    X(user_rate, 503, "Too Many Requests")                                     \
    X(source_full, 503, "Too Many Requests Under Way")                         \
    X(guessed_user, 403, "Forbidden")                                          \
    X(partner_from, 403, "Forbidden")                                          \
    X(partner_method, 403, "Forbidden")                                        \
    X(partner_target, 403, "Forbidden")                                        \
    X(privacy, 500, "Privacy Not Possible")                                    \
    X(blocked_domain, 403, "Forbidden")                                        \
    X(partner_unreachable, 504, "Partner Not Reached")                         \
    X(client_full, 503, "Too Many Requests Under Way")                         \
    X(full, 503, "Service Unavailable")

enum sip_refusal {
    SIP_REFUSAL_NONE,
#define SIP_REFUSAL_ENUM(label, status, text) SIP_REFUSED_##label,
    SIP_REFUSAL_MAP(SIP_REFUSAL_ENUM)
#undef SIP_REFUSAL_ENUM
        SIP_REFUSAL_COUNT,
};

unsigned sip_refusal_status(enum sip_refusal refusal);
const char *sip_refusal_reason(enum sip_refusal refusal);
const char *sip_refusal_label(enum sip_refusal refusal);

#define SIP_STATS(X)                                                           \
    X(COUNTER, requests_outside, "requests", "from=\"outside\"",               \
      "requests received")                                                     \
    X(COUNTER, requests_inside, "requests", "from=\"inside\"",                 \
      "requests received")                                                     \
    X(COUNTER, responses_outside, "responses", "from=\"outside\"",             \
      "responses received")                                                    \
    X(COUNTER, responses_inside, "responses", "from=\"inside\"",               \
      "responses received")                                                    \
    X(COUNTER, registers, "registrations", "", "REGISTER answered with 2xx")   \
    X(COUNTER, invites, "invites", "", "initial INVITE forwarded")             \
    X(COUNTER, answers, "answers", "", "INVITE answered with 2xx")             \
    X(COUNTER, malformed, "malformed", "", "messages not understood")          \
    X(COUNTER, unknown_source, "unknown_source", "",                           \
      "datagrams on an inner address that no media server sent")               \
    X(COUNTER, stray_responses, "stray_responses", "",                         \
      "responses that match no transaction")                                   \
    X(COUNTER, stray_acks, "stray_acks", "", "ACK that belongs to nothing")    \
    X(COUNTER, wrong_peer, "wrong_peer", "",                                   \
      "messages of a transaction from another peer")                           \
    X(COUNTER, challenges_refused, "challenges_refused", "",                   \
      "401 and 407 from clients, made 403")                                    \
    X(COUNTER, overload_hidden, "overload_hidden", "",                         \
      "503 of media servers, made 500")                                        \
    X(COUNTER, outbound_flows, "outbound_registrations", "",                   \
      "REGISTER answered 2xx with Require: outbound")                          \
    X(COUNTER, path_ignored, "path_ignored", "",                               \
      "REGISTER answered 2xx without our Path")                                \
    X(COUNTER, failovers, "failovers", "",                                     \
      "requests sent to another media server")                                 \
    X(COUNTER, server_failures, "server_failures", "",                         \
      "media servers that did not answer, or with 503")                        \
    X(COUNTER, probes, "probes", "", "OPTIONS sent to media servers")          \
    X(COUNTER, timer_c, "timer_c", "", "INVITE given up after timer C")        \
    X(COUNTER, abandoned, "abandoned", "",                                     \
      "INVITE cancelled because the caller's connection closed")               \
    X(COUNTER, orphans, "orphans", "",                                         \
      "calls answered when the caller was gone, hung up by us")                \
    X(COUNTER, forked, "forked", "",                                           \
      "calls given to several media servers at once")                          \
    X(COUNTER, strict_routes, "strict_routes", "",                             \
      "requests from and to strict routers, put right")                        \
    X(COUNTER, echoes, "echoes", "result=\"sent\"", "requests for an echo")    \
    X(COUNTER, echoes_dropped, "echoes", "result=\"dropped\"",                 \
      "requests for an echo")                                                  \
    X(COUNTER, handed_over, "handed_over", "",                                 \
      "messages given to the worker that owns the connection")                 \
    X(COUNTER, hand_over_refused, "hand_over_refused", "",                     \
      "messages lost because a worker's mailbox was full")                     \
    X(COUNTER, large_datagrams, "large_datagrams", "",                         \
      "datagrams sent beyond the size that needs no fragments")                \
    X(COUNTER, large_over_stream, "large_over_tcp", "",                        \
      "requests sent over TCP because a datagram would be too long")           \
    X(COUNTER, streams_refused, "large_tcp_refused", "",                       \
      "media servers on UDP found to take no TCP")                             \
    X(COUNTER, send_failures, "send_failures", "",                             \
      "messages the transport did not take")                                   \
    X(COUNTER, edit_failures, "edit_failures", "",                             \
      "messages that could not be rewritten")                                  \
    X(COUNTER, hide_failures, "hide_failures", "",                             \
      "messages not passed on because what is inside could not be hidden")     \
    X(COUNTER, hide_forged, "hide_forged", "",                                 \
      "messages with hidden parts that are not ours")                          \
    X(COUNTER, dropped_banned, "dropped", "reason=\"banned\"",                 \
      "datagrams the guard dropped")                                           \
    X(COUNTER, dropped_scanner, "dropped", "reason=\"scanner\"",               \
      "datagrams the guard dropped")                                           \
    X(COUNTER, dropped_rate, "dropped", "reason=\"rate\"",                     \
      "datagrams the guard dropped")                                           \
    X(COUNTER, closed_banned, "closed", "reason=\"banned\"",                   \
      "connections the guard closed")                                          \
    X(COUNTER, closed_scanner, "closed", "reason=\"scanner\"",                 \
      "connections the guard closed")                                          \
    X(COUNTER, guesses, "auth_failures", "",                                   \
      "credentials that a media server refused")                               \
    X(COUNTER, misses, "unknown_users", "",                                    \
      "users asked for by strangers that are not there")                       \
    X(COUNTER, bans, "bans", "", "sources banned")                             \
    X(GAUGE, banned, "banned_sources", "", "sources banned now")               \
    X(COUNTER, partners_dialled, "partner_connections", "direction=\"out\"",   \
      "connections with federation partners")                                  \
    X(COUNTER, partners_accepted, "partner_connections", "direction=\"in\"",   \
      "connections with federation partners")                                  \
    X(COUNTER, partners_led_inside, "partner_addresses_refused", "",           \
      "addresses of partners in DNS that are none of the public internet")     \
    X(COUNTER, requests_to_partners, "partner_requests", "direction=\"out\"",  \
      "first requests, with federation partners")                              \
    X(COUNTER, requests_of_partners, "partner_requests", "direction=\"in\"",   \
      "first requests, with federation partners")                              \
    X(COUNTER, rebinds, "clients_back", "",                                    \
      "clients registered on another connection than before")                  \
    X(COUNTER, moved_requests, "requests_moved", "",                           \
      "requests delivered on the connection their client has now")             \
    X(COUNTER, homes_full, "clients_unknown", "",                              \
      "clients that were not remembered because the table was full")           \
    X(COUNTER, parked, "parked", "",                                           \
      "requests that waited for a client to come back")                        \
    X(COUNTER, park_expired, "parked_in_vain", "",                             \
      "requests that did, and it did not")                                     \
    X(COUNTER, park_full, "parked_full", "",                                   \
      "requests that could not wait because too many did")                     \
    X(GAUGE, parked_now, "parked_requests", "",                                \
      "requests that wait for a client to come back")                          \
    X(COUNTER, flows_opened, "flows_opened", "", "connections opened")         \
    X(COUNTER, flows_refused, "flows_refused", "",                             \
      "connections refused because the table was full")                        \
    X(COUNTER, source_flows_refused, "source_flows_refused", "",               \
      "connections refused because their address had its share")               \
    X(GAUGE, flows, "flows", "", "connections open")                           \
    X(GAUGE, transactions_invite_client, "transactions",                       \
      "kind=\"invite_client\"", "transactions alive")                          \
    X(GAUGE, transactions_client, "transactions", "kind=\"client\"",           \
      "transactions alive")                                                    \
    X(GAUGE, transactions_invite_server, "transactions",                       \
      "kind=\"invite_server\"", "transactions alive")                          \
    X(GAUGE, transactions_server, "transactions", "kind=\"server\"",           \
      "transactions alive")                                                    \
    X(GAUGE, transaction_bytes, "transaction_bytes", "",                       \
      "bytes kept for retransmission")                                         \
    X(COUNTER, transactions_made, "transactions_made", "",                     \
      "transactions made")                                                     \
    X(COUNTER, retransmissions, "retransmissions", "", "messages sent again")  \
    X(COUNTER, repeated, "repeated", "", "messages received again")            \
    X(COUNTER, timeouts, "timeouts", "", "transactions that timed out")        \
    X(COUNTER, transactions_full, "transactions_full", "",                     \
      "transactions refused because the table was full")

#define SIP_REFUSAL_FIELD(label, status, text) uint64_t refused_##label;

struct sip_stats {
    SIP_STATS(STATS_FIELD)
    SIP_REFUSAL_MAP(SIP_REFUSAL_FIELD)
};

#define SIP_REFUSAL_DEF(label, status, text)                                   \
    {STATS_COUNTER, "refused_" #label, "refused", "reason=\"" #label "\"",     \
     "requests refused"},

/* The counter of one refusal. */
uint64_t *sip_refusal_counter(struct sip_stats *stats,
                              enum sip_refusal refusal);

#endif /* SIP_STATS_H */
