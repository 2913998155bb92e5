/* SPDX-License-Identifier: MIT */
/* nice_relay - two ICE agents of libnice in one process, forced to relay. One
 * sends 50 packets, the other sends them back; prints
 * {"relayed":true,"echoed":N}. Compiled by turn-clients.test.mjs.
 *
 *   nice_relay HOST PORT USER PASSWORD udp|tcp|tls
 */
#include <nice/agent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACKETS = 50, DEADLINE_S = 40 };

struct side {
    NiceAgent *agent;
    guint stream;
    gboolean gathered;
    gboolean ready;
    gboolean echoes;
};

static struct side sides[2];
static GMainLoop *loop;
static unsigned sent;
static unsigned echoed;

static struct side *side_of(NiceAgent *agent)
{
    return agent == sides[0].agent ? &sides[0] : &sides[1];
}

static void send_next(void)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "packet %u", ++sent);

    nice_agent_send(sides[0].agent, sides[0].stream, 1, (guint)len, text);
}

static void on_packet(NiceAgent *agent, guint stream, guint component,
                      guint len, gchar *bytes, gpointer arg)
{
    char want[32];
    int want_len = snprintf(want, sizeof(want), "packet %u", sent);

    (void)arg;
    if (side_of(agent)->echoes) {
        nice_agent_send(agent, stream, component, len, bytes);
        return;
    }
    if ((int)len == want_len && memcmp(want, bytes, len) == 0)
        echoed++;
    if (sent == PACKETS)
        g_main_loop_quit(loop);
    else
        send_next();
}

static void tell(struct side *from, struct side *to)
{
    gchar *user = NULL;
    gchar *password = NULL;
    GSList *list =
        nice_agent_get_local_candidates(from->agent, from->stream, 1);

    if (!nice_agent_get_local_credentials(from->agent, from->stream, &user,
                                          &password))
        exit(1);
    nice_agent_set_remote_credentials(to->agent, to->stream, user, password);
    if (nice_agent_set_remote_candidates(to->agent, to->stream, 1, list) < 1)
        exit(1);
    g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
    g_free(user);
    g_free(password);
}

static void on_gathered(NiceAgent *agent, guint stream, gpointer arg)
{
    (void)stream;
    (void)arg;
    side_of(agent)->gathered = TRUE;
    if (sides[0].gathered && sides[1].gathered) {
        tell(&sides[0], &sides[1]);
        tell(&sides[1], &sides[0]);
    }
}

static void on_state(NiceAgent *agent, guint stream, guint component,
                     guint state, gpointer arg)
{
    struct side *side = side_of(agent);

    (void)stream;
    (void)component;
    (void)arg;
    if (state == NICE_COMPONENT_STATE_FAILED) {
        fprintf(stderr, "failed\n");
        exit(1);
    }
    side->ready = side->ready || state == NICE_COMPONENT_STATE_READY;
    if (sides[0].ready && sides[1].ready && sent == 0)
        send_next();
}

static gboolean on_deadline(gpointer arg)
{
    (void)arg;
    fprintf(stderr, "not in time: %u sent, %u back\n", sent, echoed);
    exit(1);
}

static void open_side(struct side *side, gboolean controlling, char **argv)
{
    NiceRelayType type = strcmp(argv[5], "udp") == 0 ? NICE_RELAY_TYPE_TURN_UDP
                         : strcmp(argv[5], "tcp") == 0
                             ? NICE_RELAY_TYPE_TURN_TCP
                             : NICE_RELAY_TYPE_TURN_TLS;
    NiceAddress here;

    side->agent = nice_agent_new(g_main_loop_get_context(loop),
                                 NICE_COMPATIBILITY_RFC5245);
    side->echoes = !controlling;
    g_object_set(side->agent, "controlling-mode", controlling, "force-relay",
                 TRUE, "upnp", FALSE, NULL);
    nice_address_init(&here);
    nice_address_set_from_string(&here, argv[1]);
    nice_agent_add_local_address(side->agent, &here);
    g_signal_connect(side->agent, "candidate-gathering-done",
                     G_CALLBACK(on_gathered), NULL);
    g_signal_connect(side->agent, "component-state-changed",
                     G_CALLBACK(on_state), NULL);
    side->stream = nice_agent_add_stream(side->agent, 1);
    nice_agent_set_relay_info(side->agent, side->stream, 1, argv[1],
                              (guint)strtoul(argv[2], NULL, 10), argv[3],
                              argv[4], type);
    nice_agent_attach_recv(side->agent, side->stream, 1,
                           g_main_loop_get_context(loop), on_packet, NULL);
}

static gboolean is_relayed(struct side *side)
{
    NiceCandidate *local = NULL;
    NiceCandidate *remote = NULL;

    return nice_agent_get_selected_pair(side->agent, side->stream, 1, &local,
                                        &remote) &&
           local->type == NICE_CANDIDATE_TYPE_RELAYED;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    loop = g_main_loop_new(NULL, FALSE);
    open_side(&sides[0], TRUE, argv);
    open_side(&sides[1], FALSE, argv);
    g_timeout_add_seconds(DEADLINE_S, on_deadline, NULL);
    if (!nice_agent_gather_candidates(sides[0].agent, sides[0].stream) ||
        !nice_agent_gather_candidates(sides[1].agent, sides[1].stream))
        return 1;
    g_main_loop_run(loop);
    printf("{\"relayed\":%s,\"echoed\":%u}\n",
           is_relayed(&sides[0]) && is_relayed(&sides[1]) ? "true" : "false",
           echoed);
    return 0;
}
