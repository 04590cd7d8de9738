/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Handlers of the route table, and what they share.
 *
 * DESIGN. A handler reads the request, calls store, pool or jobs, and fills the answer:
 * status (200 unless it says otherwise), type, headers, and a body, a file or a stream. On
 * a fault it returns the code, and http makes the problem document from the report.
 */
#ifndef TG_SERVER_HANDLE_H
#define TG_SERVER_HANDLE_H

#include <jansson.h>

#include "server/header.h"
#include "server/http.h"
#include "server/store.h"

/* handle_jobs.c */
enum tg_err tg_handle_submit(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_list(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_job(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_cancel(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_retry(struct tg_request *, struct tg_response *, struct tg_report *);
/* handle_results.c */
enum tg_err tg_handle_result(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_result_array(struct tg_request *, struct tg_response *,
                                   struct tg_report *);
enum tg_err tg_handle_result_figure(struct tg_request *, struct tg_response *,
                                    struct tg_report *);
/* handle_events.c */
enum tg_err tg_handle_job_events(struct tg_request *, struct tg_response *,
                                 struct tg_report *);
enum tg_err tg_handle_events(struct tg_request *, struct tg_response *, struct tg_report *);
/* handle_data.c */
enum tg_err tg_begin_data(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_piece_data(struct tg_request *, const char *p, size_t n, struct tg_report *);
void tg_abort_data(struct tg_request *);
enum tg_err tg_handle_data_end(struct tg_request *, struct tg_response *,
                               struct tg_report *);
enum tg_err tg_handle_data_get(struct tg_request *, struct tg_response *,
                               struct tg_report *);
enum tg_err tg_handle_data_delete(struct tg_request *, struct tg_response *,
                                  struct tg_report *);
enum tg_err tg_handle_data_list(struct tg_request *, struct tg_response *,
                                struct tg_report *);
/* handle_meta.c */
enum tg_err tg_handle_kinds(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_kind(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_problem(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_openapi(struct tg_request *, struct tg_response *, struct tg_report *);
/* handle_page.c */
enum tg_err tg_handle_page(struct tg_request *, struct tg_response *, struct tg_report *);
/* handle_health.c */
enum tg_err tg_handle_status(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_livez(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_readyz(struct tg_request *, struct tg_response *, struct tg_report *);
enum tg_err tg_handle_metrics(struct tg_request *, struct tg_response *, struct tg_report *);

/* Shared (handle.c) ------------------------------------------------------------------- */

/* Answer with `value` as JSON and drop the reference; TG_NOMEM when it is NULL, or not whole
 * because memory ran short since the request came. */
TG_MUST_CHECK enum tg_err tg_answer_json(struct tg_response *response, int status,
                                         json_t *value);
/* Answer 304 if the request has this entity tag already; sends the tag either way. */
bool tg_answer_not_modified(const struct tg_request *request, struct tg_response *response,
                            const char *etag);
/* Answer with bytes of a blob, whole or the range asked for; closes the blob. */
TG_MUST_CHECK enum tg_err tg_answer_blob(const struct tg_request *request,
                                         struct tg_response *response, struct tg_blob *blob,
                                         const char *etag, struct tg_report *report);

/* A representation: its name in ?format=, and its media type. */
struct tg_format_offer { const char *name, *type; };
/* The index of the representation asked for by ?format= or Accept. TG_NOT_ACCEPTABLE. */
TG_MUST_CHECK enum tg_err tg_choose_format(const struct tg_request *request,
                                           const struct tg_format_offer *offers, size_t n,
                                           size_t *choice, struct tg_report *report);

/* A number of the query within [lo, hi]; `*out` is left alone when it is absent. */
TG_MUST_CHECK enum tg_err tg_query_number(const struct tg_request *request, const char *name,
                                          double lo, double hi, double *out,
                                          struct tg_report *report);
/* Unix seconds of a number or RFC 3339 time. */
TG_MUST_CHECK enum tg_err tg_query_time(const struct tg_request *request, const char *name,
                                        double *out, struct tg_report *report);
bool tg_query_is_true(const struct tg_request *request, const char *name);

/*
 * Wait until the job is in a terminal state, `timeout_s` passed, the client left, or the
 * server drains; `row` is what it then is (released first, filled on TG_OK).
 */
TG_MUST_CHECK enum tg_err tg_wait_for_job(const struct tg_request *request, const char *id,
                                          double timeout_s, struct tg_job_row *row,
                                          struct tg_report *report);
/* A job's stored result document, to be freed; TG_CONFLICT, with its state, without one. */
TG_MUST_CHECK enum tg_err tg_result_of(const struct tg_request *request,
                                       const struct tg_job_row *row, char **document,
                                       struct tg_report *report);
/* Append it as it is sent. */
TG_MUST_CHECK enum tg_err tg_answer_result(struct tg_response *response, const char *id,
                                           const char *document);

#endif
