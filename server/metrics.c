/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metrics: the one table and its text. */
#include "server/metrics.h"

#include <stdbool.h>
#include <string.h>

enum type { COUNTER, GAUGE };

struct row {
    const char *name;
    enum type type;
    const char *help;
};

static const struct row rows[] = {
#define XX(field, name, type, help) {name, type, help},
    TG_METRICS_MAP(XX)
#undef XX
};

struct tg_metrics *tg_metrics(void)
{
    static struct tg_metrics metrics;
    return &metrics;
}

void tg_metrics_write(struct tg_buf *out, int openmetrics)
{
    int_fast64_t values[] = {
#define XX(field, name, type, help)                                                      \
    atomic_load_explicit(&tg_metrics()->field, memory_order_relaxed),
        TG_METRICS_MAP(XX)
#undef XX
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        bool counter = row->type == COUNTER;
        /* OpenMetrics names the family without the suffix that its counter carries. */
        int family =
            (int)(strlen(row->name) - (openmetrics && counter ? strlen("_total") : 0));
        tg_buf_printf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n%s %lld\n", family, row->name,
                      row->help, family, row->name, counter ? "counter" : "gauge",
                      row->name, (long long)values[i]);
    }
    if (openmetrics)
        tg_buf_puts(out, "# EOF\n");
}

void tg_metrics_markdown(struct tg_buf *out)
{
    tg_buf_puts(
        out,
        "<!-- Generated from the table of metrics by `make generated`. -->\n\n"
        "# Metrics\n\n"
        "`GET /metrics` answers in the text format of Prometheus 0.0.4, or in OpenMetrics "
        "1.0.0 when\n`Accept` asks for `application/openmetrics-text`. Counters start at 0 "
        "with the daemon; gauges are\nread when the page is asked for.\n\n"
        "| metric | type | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        tg_buf_printf(out, "| `%s` | %s | %s |\n", rows[i].name,
                      rows[i].type == COUNTER ? "counter" : "gauge", rows[i].help);
}
