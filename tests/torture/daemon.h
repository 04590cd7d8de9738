/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A whole daemon in this process, in a fresh store, and a client that allocates nothing. */
#ifndef TG_TESTS_DAEMON_H
#define TG_TESTS_DAEMON_H

#include "server/routes.h"

extern struct tg_server torture_server;
extern char torture_dir[]; /* of the store; files in it may be registered */

void torture_start(void);
/* Ends the daemon; its store must be whole. */
void torture_stop(void);

/*
 * Send a request on a connection of its own, its Content-Length added when there is a body,
 * and read the answer until the daemon closes. The status; 0 when no whole answer came.
 */
int torture_ask(const char *line, const char *headers, const void *body, size_t n);
extern char torture_answer[]; /* head and body, NUL behind them */
extern size_t torture_nanswer;
extern const char *torture_body; /* in it */
extern size_t torture_nbody;
/* The value of a header of the answer up to the end of its line, NULL when absent. */
const char *torture_header(const char *name);

/* The id of the job that the last answer's Location names. */
void torture_job_id(char id[TG_ID_SIZE]);
/* Jobs in the store, in all states. */
size_t torture_jobs(void);
/* Until the store can be written; it probes once a second. */
void torture_heal(void);

extern const char torture_request[]; /* a small job */

#endif
