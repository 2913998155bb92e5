/* SPDX-License-Identifier: MIT */
/* web_stats.h - what a worker of web-proxy counts. */
#ifndef WEB_STATS_H
#define WEB_STATS_H

#include "base/stats.h"

#define WEB_STATS(X)                                                           \
    X(COUNTER, sessions_opened, "sessions", "", "client connections taken")    \
    X(COUNTER, h2_sessions, "h2_connections", "",                              \
      "client connections that speak HTTP/2")                                  \
    X(COUNTER, h2_refused, "h2_streams_refused", "",                           \
      "streams of HTTP/2 for which there was no room")                         \
    X(COUNTER, h2_fault_protocol, "h2_closed", "reason=\"protocol\"",          \
      "connections of HTTP/2 given up")                                        \
    X(COUNTER, h2_fault_resets, "h2_closed", "reason=\"resets\"",              \
      "connections of HTTP/2 given up")                                        \
    X(COUNTER, h2_fault_frames, "h2_closed", "reason=\"frames\"",              \
      "connections of HTTP/2 given up")                                        \
    X(COUNTER, h2_fault_continuations, "h2_closed",                            \
      "reason=\"continuations\"", "connections of HTTP/2 given up")            \
    X(COUNTER, h2_fault_headers, "h2_closed", "reason=\"headers\"",            \
      "connections of HTTP/2 given up")                                        \
    X(COUNTER, h2_fault_output, "h2_closed", "reason=\"output\"",              \
      "connections of HTTP/2 given up")                                        \
    X(COUNTER, h2_fault_memory, "h2_closed", "reason=\"memory\"",              \
      "connections of HTTP/2 given up")                                        \
    X(COUNTER, sessions_full, "sessions_full", "",                             \
      "client connections closed because there were too many")                 \
    X(COUNTER, requests, "requests", "", "request heads received")             \
    X(COUNTER, proxied, "proxied", "", "requests handed to a back end")        \
    X(COUNTER, answered_2xx, "answers", "class=\"2xx\"", "final answers sent") \
    X(COUNTER, answered_3xx, "answers", "class=\"3xx\"", "final answers sent") \
    X(COUNTER, answered_4xx, "answers", "class=\"4xx\"", "final answers sent") \
    X(COUNTER, answered_5xx, "answers", "class=\"5xx\"", "final answers sent") \
    X(COUNTER, bad_requests, "refused", "reason=\"malformed\"",                \
      "requests refused by us")                                                \
    X(COUNTER, refused_size, "refused", "reason=\"size\"",                     \
      "requests refused by us")                                                \
    X(COUNTER, refused_route, "refused", "reason=\"route\"",                   \
      "requests refused by us")                                                \
    X(COUNTER, refused_method, "refused", "reason=\"method\"",                 \
      "requests refused by us")                                                \
    X(COUNTER, refused_client, "refused", "reason=\"client\"",                 \
      "requests refused by us")                                                \
    X(COUNTER, refused_certificate, "refused", "reason=\"certificate\"",       \
      "requests refused by us")                                                \
    X(COUNTER, refused_maintenance, "refused", "reason=\"maintenance\"",       \
      "requests refused by us")                                                \
    X(COUNTER, refused_zone, "refused", "reason=\"rate\"",                     \
      "requests refused by us")                                                \
    X(COUNTER, refused_token, "refused", "reason=\"token\"",                   \
      "requests refused by us")                                                \
    X(COUNTER, refused_websocket, "refused", "reason=\"websocket\"",           \
      "requests refused by us")                                                \
    X(COUNTER, token_missing, "token_refused", "reason=\"missing\"",           \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_ambiguous, "token_refused", "reason=\"ambiguous\"",       \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_malformed, "token_refused", "reason=\"malformed\"",       \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_key, "token_refused", "reason=\"key\"",                   \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_signature, "token_refused", "reason=\"signature\"",       \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_expired, "token_refused", "reason=\"expired\"",           \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_early, "token_refused", "reason=\"early\"",               \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_issuer, "token_refused", "reason=\"issuer\"",             \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_audience, "token_refused", "reason=\"audience\"",         \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, token_claim, "token_refused", "reason=\"claim\"",               \
      "requests without a valid token, where one is needed")                   \
    X(COUNTER, redirected, "redirected", "", "requests redirected")            \
    X(COUNTER, files, "files", "", "requests answered with a file")            \
    X(COUNTER, delayed, "delayed", "", "requests held back by a rate zone")    \
    X(COUNTER, client_timeout, "client_timeouts", "",                          \
      "requests given up because the client was too slow")                     \
    X(COUNTER, client_gone, "client_gone", "",                                 \
      "clients that left before the answer was complete")                      \
    X(COUNTER, upstream_connects, "upstream_connects", "",                     \
      "connections opened to back ends")                                       \
    X(COUNTER, upstream_reused, "upstream_reused", "",                         \
      "requests sent on a kept connection")                                    \
    X(COUNTER, upstream_connect_failed, "upstream_failed",                     \
      "reason=\"connect\"", "requests that a back end failed")                 \
    X(COUNTER, upstream_timeout, "upstream_failed", "reason=\"timeout\"",      \
      "requests that a back end failed")                                       \
    X(COUNTER, upstream_broken, "upstream_failed", "reason=\"broken\"",        \
      "requests that a back end failed")                                       \
    X(COUNTER, upstream_invalid, "upstream_failed", "reason=\"answer\"",       \
      "requests that a back end failed")                                       \
    X(COUNTER, upstream_full, "upstream_failed", "reason=\"limit\"",           \
      "requests that a back end failed")                                       \
    X(COUNTER, upstream_out, "upstream_failed", "reason=\"out\"",              \
      "requests that a back end failed")                                       \
    X(COUNTER, queued, "queued", "",                                           \
      "requests that waited for a connection to a back end")                   \
    X(COUNTER, queue_timeout, "queue_timeouts", "",                            \
      "requests that waited for too long")                                     \
    X(GAUGE, queued_now, "queued_requests", "",                                \
      "requests that wait for a connection to a back end")                     \
    X(COUNTER, failed_over, "failed_over", "",                                 \
      "connections that failed and were tried at another server")              \
    X(COUNTER, ejected, "upstream_ejected", "",                                \
      "servers taken out because requests failed")                             \
    X(COUNTER, checks, "upstream_checks", "", "active checks made")            \
    X(COUNTER, checks_failed, "upstream_checks_failed", "",                    \
      "active checks that failed")                                             \
    X(COUNTER, retried, "retried", "",                                         \
      "requests sent again because a connection had died")                     \
    X(COUNTER, tunnels_opened, "tunnels", "", "WebSockets opened")             \
    X(COUNTER, farewells, "tunnel_farewells", "",                              \
      "WebSockets told that we go away")                                       \
    X(COUNTER, h2_tunnels, "h2_tunnels", "", "of them on streams of HTTP/2")   \
    X(COUNTER, tunnel_timeout, "tunnel_timeouts", "",                          \
      "WebSockets closed for lack of traffic")                                 \
    X(COUNTER, body_in, "request_body_bytes", "", "bytes of request bodies")   \
    X(COUNTER, body_out, "answer_body_bytes", "", "bytes of answer bodies")    \
    X(GAUGE, sessions, "open_sessions", "", "client connections open")         \
    X(COUNTER, egress_opened, "egress", "result=\"opened\"",                   \
      "connections to the outside asked for")                                  \
    X(COUNTER, egress_client, "egress", "result=\"client\"",                   \
      "connections to the outside asked for")                                  \
    X(COUNTER, egress_limit, "egress", "result=\"limit\"",                     \
      "connections to the outside asked for")                                  \
    X(COUNTER, egress_malformed, "egress", "result=\"malformed\"",             \
      "connections to the outside asked for")                                  \
    X(COUNTER, egress_target, "egress", "result=\"target\"",                   \
      "connections to the outside asked for")                                  \
    X(COUNTER, egress_address, "egress", "result=\"address\"",                 \
      "connections to the outside asked for")                                  \
    X(COUNTER, egress_failed, "egress", "result=\"failed\"",                   \
      "connections to the outside asked for")                                  \
    X(GAUGE, streams, "open_streams", "",                                      \
      "connections of stream routes and to the outside")                       \
    X(GAUGE, h2_streams, "h2_open_streams", "", "streams of HTTP/2 open")      \
    X(GAUGE, exchanges, "open_requests", "", "requests under way")             \
    X(GAUGE, links, "upstream_links", "", "connections to back ends open")     \
    X(GAUGE, idle_links, "upstream_idle_links", "",                            \
      "connections to back ends kept for later")                               \
    X(GAUGE, tunnels, "open_tunnels", "", "WebSockets open")

struct web_stats {
    WEB_STATS(STATS_FIELD)
};

#endif /* WEB_STATS_H */
