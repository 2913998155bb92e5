/* SPDX-License-Identifier: MIT */
#include "sip_server.h"

int main(int argc, char **argv)
{
    struct daemon_spec spec = sip_daemon_spec;

    spec.config = sip_config_spec;
    return daemon_main(&spec, argc, argv);
}
