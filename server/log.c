/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Log lines.
 *
 * DESIGN. One write() a line, so that lines of several threads never mix. $JOURNAL_STREAM
 * names the device and inode of the journal's socket; only when stderr is that very
 * socket is the level sent as <N> and the time left to the journal.
 */
#include "server/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    int priority; /* of syslog */
} levels[] = {
    [TG_LOG_ERROR] = {"error", 3},
    [TG_LOG_WARN] = {"warn", 4},
    [TG_LOG_INFO] = {"info", 6},
    [TG_LOG_DEBUG] = {"debug", 7},
};
enum { NLEVELS = sizeof levels / sizeof *levels };

static atomic_int shown = TG_LOG_INFO;

bool tg_log_set_level(const char *name)
{
    for (int i = 0; i < NLEVELS; i++) {
        if (!strcmp(name, levels[i].name)) {
            atomic_store(&shown, i);
            return true;
        }
    }
    return false;
}

static bool is_journal(void)
{
    static atomic_int answer = -1;
    int known = atomic_load(&answer);
    if (known < 0) {
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device = 0, inode = 0;
        struct stat st;
        known =
            stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
            fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
        atomic_store(&answer, known);
    }
    return known;
}

static int put_prefix(char *line, size_t size, enum tg_level level)
{
    if (is_journal())
        return snprintf(line, size, "<%d>", levels[level].priority);
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    int n = (int)strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + snprintf(line + n, size - (size_t)n, ".%03ldZ %-5s ",
                        now.tv_nsec / 1000000, levels[level].name);
}

void tg_log(enum tg_level level, const char *format, ...)
{
    if ((int)level > atomic_load(&shown))
        return;
    char line[1024];
    size_t n = (size_t)put_prefix(line, sizeof line, level);
    va_list ap;
    va_start(ap, format);
    int text = vsnprintf(line + n, sizeof line - n, format, ap);
    va_end(ap);
    if (text < 0)
        return;
    size_t end = n + (size_t)text;
    if (end > sizeof line - 1)
        end = sizeof line - 1;
    for (size_t i = n; i < end; i++) {
        if ((unsigned char)line[i] < ' ')
            line[i] = ' '; /* text from outside must not start a line of its own */
    }
    line[end] = '\n';
    if (write(STDERR_FILENO, line, end + 1) < 0)
        return; /* there is nowhere left to tell */
}
