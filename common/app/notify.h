/* SPDX-License-Identifier: MIT */
/* notify.h - telling the service manager (sd_notify protocol): a datagram to
 * the socket named by NOTIFY_SOCKET. Without that variable nothing is sent.
 */
#ifndef APP_NOTIFY_H
#define APP_NOTIFY_H

#include <stdint.h>

/* "READY=1", lines separated by '\n'. Never blocks; failures are ignored, as
 * the protocol wants. */
void notify_send(const char *text);

/* "RELOADING=1" with the time, which Type=notify-reload needs. */
void notify_reloading(void);

/* How often WATCHDOG=1 is to be sent, in ms; 0: never. */
uint64_t notify_watchdog_ms(void);

#endif /* APP_NOTIFY_H */
