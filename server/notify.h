/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells systemd (Type=notify) where the daemon is: "READY=1", "STOPPING=1". */
#ifndef TG_SERVER_NOTIFY_H
#define TG_SERVER_NOTIFY_H

/* Does nothing without $NOTIFY_SOCKET. */
void tg_notify(const char *state);

#endif
