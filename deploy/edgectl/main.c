/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "ctl/ctl_man.h"
#include "ctl_client.h"
#include "ctl_commands.h"

#include <stdio.h>

#define JSON_OPTION                                                            \
    {                                                                          \
        "json", NULL, "JSON instead of text"                                   \
    }
#define DAEMON_OPTIONS CTL_TARGET_OPTIONS, JSON_OPTION
#define DAEMONS "[DAEMON]..."
#define DAEMON_MORE                                                            \
    "DAEMON is web-proxy, sip-proxy or turn-server; without one, each whose\n" \
    "socket is there.\n"

#define FLOW_OPTIONS                                                           \
    {"topology", "FILE", "hosts and networks"},                                \
        {"web", "FILE", "configuration of web-proxy"},                         \
        {"sip", "FILE", "configuration of sip-proxy"},                         \
    {                                                                          \
        "turn", "FILE", "configuration of turn-server"                         \
    }
#define FLOW_MORE                                                              \
    "Files not named are those of /etc/edge, where they are. Settings given\n" \
    "otherwise (environment): <daemon> --dump-config writes such a file.\n"    \
    "Exit code 1 when something could not be worked out.\n"

static const struct ctl_command commands[] = {
    {.name = "status",
     .words = DAEMONS,
     .help = "what runs, whether it is ready, and what is wrong",
     .more = DAEMON_MORE "Exit code 1 when one is not ready.\n",
     .words_max = CTL_DAEMONS,
     .run = cmd_status,
     .options = {DAEMON_OPTIONS}},
    {.name = "ready",
     .words = DAEMONS,
     .help = "only whether it is ready, for scripts",
     .more = DAEMON_MORE "Exit code 0 when all are, else 1.\n",
     .words_max = CTL_DAEMONS,
     .run = cmd_ready,
     .options = {CTL_TARGET_OPTIONS, {"quiet", NULL, "print nothing"}}},
    {.name = "top",
     .words = DAEMONS,
     .help = "live view: calls, allocations, connections, rates, refusals",
     .more = DAEMON_MORE,
     .words_max = CTL_DAEMONS,
     .run = cmd_top,
     .options = {CTL_TARGET_OPTIONS,
                 {"every", "SECONDS", "between two looks (default: 1)"},
                 {"once", NULL, "one picture after one interval, for scripts"},
                 {"json", NULL, "the same as JSON"}}},
    {.name = "dashboard",
     .words = DAEMONS,
     .help = "the same and more as a page for a browser on this machine",
     .more = DAEMON_MORE
     "Prints the page's address, which nobody can guess, and serves it on\n"
     "loopback until Ctrl-C. The page can change nothing.\n",
     .words_max = CTL_DAEMONS,
     .run = cmd_dashboard,
     .options = {CTL_TARGET_OPTIONS,
                 {"listen", "[IP:]PORT",
                  "loopback address and port (default: 127.0.0.1, any)"}}},
    {.name = "metrics",
     .words = DAEMONS,
     .help = "all counters, in the text format of Prometheus",
     .more = DAEMON_MORE,
     .words_max = CTL_DAEMONS,
     .run = cmd_metrics,
     .options = {CTL_TARGET_OPTIONS}},
    {.name = "reload",
     .words = DAEMONS,
     .help = "read the configuration again; sessions go on",
     .more = DAEMON_MORE "Exit code 1 when one refused its file (and keeps "
                         "the old settings).\n",
     .words_max = CTL_DAEMONS,
     .run = cmd_reload,
     .options = {DAEMON_OPTIONS}},
    {.name = "drain",
     .words = DAEMONS,
     .help = "take nothing new, stop when the last session ended",
     .words_max = CTL_DAEMONS,
     .run = cmd_drain,
     .options = {DAEMON_OPTIONS, {"all", NULL, "each whose socket is there"}}},
    {.name = "log-level",
     .words = "LEVEL [DAEMON]...",
     .help = "log error, warn, info or debug until the next reload or start",
     .more = DAEMON_MORE,
     .words_min = 1,
     .words_max = CTL_DAEMONS + 1,
     .run = cmd_log_level,
     .options = {DAEMON_OPTIONS}},
    {.name = "sip",
     .words = "why CALL-ID",
     .help = "why the requests of a call went where they went",
     .more = "What sip-proxy remembers of its newest requests.\n"
             "Exit code 1 when it knows nothing about this call.\n",
     .words_min = 2,
     .words_max = 2,
     .run = cmd_sip,
     .options = {DAEMON_OPTIONS}},
    {.name = "turn-credential",
     .words = "",
     .help = "a time-limited TURN user from the shared secret",
     .more = "The secret is never an argument; everybody sees those.\n",
     .run = cmd_turn_credential,
     .options = {{"secret-file", "FILE",
                  "the secret-file of turn-server; - is standard input"},
                 {"user", "ID", "who it is for; logged by turn-server"},
                 {"lifetime", "TIME", "90s, 15m, 12h, 30d (default: 12h)"},
                 {"uri", "URI", "turn:HOST… for the JSON; may be repeated"},
                 JSON_OPTION}},
    {.name = "cert",
     .words = "FILE...",
     .help = "what a certificate file says, and what is wrong with it",
     .more = "A file holds the server's certificate and its chain, in PEM; "
             "the key as well,\nperhaps.\n",
     .words_min = 1,
     .words_max = CTL_WORDS_MAX,
     .run = cmd_cert,
     .options = {{"key", "FILE", "does this private key belong to it?"},
                 {"name", "NAME", "is it for this host? May be repeated"},
                 {"days", "N", "warn when fewer are left (default: 21)"},
                 {"check", NULL, "exit code 1 on a warning or error"},
                 JSON_OPTION}},
    {.name = "check",
     .words = "[URI]...",
     .help = "an edge as seen from here: names, TLS, paths, SIP, TURN, ports",
     .more = "URI is https://HOST[:PORT], turn:HOST[:PORT][?transport=tcp],\n"
             "turns:HOST[:PORT][?transport=udp], stun:HOST[:PORT],\n"
             "sip:HOST[:PORT][;transport=tcp] or sips:HOST[:PORT].\n"
             "With --from, also every flow that the settings open from there "
             "(edgectl flows),\nand ports that must be closed.\n"
             "Exit code 1 on a warning or error.\n",
     .words_max = CTL_WORDS_MAX,
     .run = cmd_check,
     .options =
         {{"secret-file", "FILE", "shared secret of TURN: try an allocation"},
          {"websocket", "PATH", "must open; may be repeated"},
          {"path", "PATH", "must be answered; may be repeated"},
          {"media", "HOST:PORT", "the relay must reach it; may be repeated"},
          {"forbidden", "HOST:PORT",
           "the relay must not; beside 127.0.0.1 and 169.254.169.254"},
          {"echo-method", "METHOD", "of sip-proxy: do routers change SIP?"},
          {"domain", "NAME", "look at its SRV records"},
          {"dns", "IP[:PORT]", "ask this name server for them"},
          {"from", "PLACE", "zone or host of the topology we are at"},
          {"published", "INSIDE=OUTSIDE",
           "address as seen from here; may be repeated"},
          FLOW_OPTIONS,
          {"only", "ID", "print these findings alone; repeated"},
          {"skew", "SECONDS", "a clock may be off (default: 30)"},
          {"address", "IP", "go there, whatever the names resolve to"},
          {"ca", "FILE", "trust these (default: the system's)"},
          {"days", "N", "warn when fewer are left (default: 21)"},
          JSON_OPTION}},
    {.name = "probe",
     .words = "turn:HOST[:PORT]",
     .help = "is the way to the edge, and through its relay, good for voice?",
     .more = "Packets like those of a call go to the edge and back: as STUN, "
             "and through two\nrelays. Limits: one-way delay 50 ms, total "
             "150 ms, loss 3 %, jitter 20 ms, DSCP kept.\n"
             "Exit code 1 when one is not kept.\n",
     .words_min = 1,
     .words_max = 1,
     .run = cmd_probe,
     .options = {{"secret-file", "FILE", "shared secret of TURN"},
                 {"seconds", "N", "how long (default: 10)"},
                 {"rate", "N", "packets a second (default: 50)"},
                 {"size", "BYTES", "of a packet (default: 172)"},
                 {"address", "IP", "go there, whatever the name resolves to"},
                 {"svg", "FILE", "a picture of delay and loss over time"},
                 JSON_OPTION}},
    {.name = "flows",
     .words = "",
     .help = "which packets must pass: from, to, port, why",
     .more = FLOW_MORE,
     .run = cmd_flows,
     .options = {FLOW_OPTIONS,
                 {"format", "FORMAT", "text, csv, markdown or json"},
                 JSON_OPTION}},
    {.name = "firewall",
     .words = "[HOST|FIREWALL]",
     .help = "the same as nftables rules, everything else dropped",
     .more = FLOW_MORE,
     .words_max = 1,
     .run = cmd_firewall,
     .options = {FLOW_OPTIONS,
                 {"out", "DIR", "write all of them, DIR/<name>.nft"}}},
};

static int help(int code)
{
    struct buf out;

    buf_init(&out, CTL_ERROR_MAX);
    ctl_help(commands, ARRAY_SIZE(commands), &out);
    if (code == CTL_OK)
        return ctl_flush(&out) ? code : CTL_USAGE;
    (void)fprintf(stderr, "%.*s", SPAN_FMT(buf_span(&out)));
    buf_deinit(&out);
    return code;
}

/* What packages are built with: not for people, so not in --help. */
static int describe(void (*make)(const struct ctl_command *commands, size_t n,
                                 struct buf *out))
{
    struct buf out;

    buf_init(&out, CTL_ERROR_MAX);
    make(commands, ARRAY_SIZE(commands), &out);
    return ctl_flush(&out) ? CTL_OK : CTL_USAGE;
}

static int run(const struct ctl_command *command, int argc, char *const *argv)
{
    struct ctl_args args = {.command = command};
    struct buf text;

    buf_init(&text, CTL_ERROR_MAX);
    if (ctl_args_parse(command, argc, argv, &text, &args) < 0) {
        buf_printf(&text, "see edgectl %s --help\n", command->name);
        return ctl_fail(&args, &text, CTL_USAGE);
    }
    if (!args.help) {
        buf_deinit(&text);
        return command->run(&args);
    }
    ctl_help_command(command, &text);
    return ctl_flush(&text) ? CTL_OK : CTL_USAGE;
}

int main(int argc, char **argv)
{
    const struct ctl_command *command;

    if (argc < 2)
        return help(CTL_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return help(CTL_OK);
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("edgectl " EDGE_VERSION);
        return CTL_OK;
    }
    if (strcmp(argv[1], "--help-man") == 0)
        return describe(ctl_man);
    if (strcmp(argv[1], "--help-completion") == 0)
        return describe(ctl_completion);
    command = ctl_command_find(commands, ARRAY_SIZE(commands), argv[1]);
    if (!command) {
        (void)fprintf(stderr, "edgectl: unknown command \"%s\"\n", argv[1]);
        return help(CTL_USAGE);
    }
    return run(command, argc - 2, argv + 2);
}
