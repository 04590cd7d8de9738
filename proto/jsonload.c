/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * jansson where memory may run short.
 *
 * DESIGN. When the buffer that jansson's lexer keeps a token in cannot grow, the byte is
 * dropped; if that is a string's closing quote, the lexer looks for it far behind the
 * buffer and copies what it passes. The buffer only grows, so the text is read as the
 * second entry of a list whose first one is a string longer than any token of it. That
 * string is handed over byte by byte and ends early when an allocation has failed, which
 * jansson takes well; its closing quote never falls where the buffer grows.
 */
#include "proto/jsonload.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local bool allocation_failed;

static void *note_malloc(size_t n)
{
    void *p = malloc(n);
    allocation_failed |= !p;
    return p;
}

__attribute__((constructor)) static void note_allocations(void)
{
    json_set_alloc_funcs(note_malloc, free);
}

void tg_json_watch(void)
{
    allocation_failed = false;
}

bool tg_json_ran_short(void)
{
    return allocation_failed;
}

/* Bytes of the longest string or word, and no fewer than that of anything else. */
static size_t longest_token(const char *p, const char *end)
{
    size_t longest = 0;
    while (p < end) {
        const char *start = p++;
        if (*start == '"') {
            while (p < end && *p != '"')
                p += *p == '\\' && p + 1 < end ? 2 : 1;
            p += p < end;
        } else {
            while (p < end && !strchr("\"{}[],: \t\r\n", *p))
                p++;
        }
        if ((size_t)(p - start) > longest)
            longest = (size_t)(p - start);
    }
    return longest;
}

/* Where the lexer is: in ["aaa...a", then in the text, then in ]. */
struct feed {
    const char *text;
    size_t n, padding, prefix, at;
};

static char byte_of_prefix(const struct feed *feed)
{
    if (feed->at < 2)
        return "[\""[feed->at];
    return feed->at < feed->padding + 2 ? 'a' : "\","[feed->at - feed->padding - 2];
}

static size_t give(void *p, size_t room, void *arg)
{
    struct feed *feed = arg;
    if (feed->at < feed->prefix) {
        if (allocation_failed)
            return 0;
        *(char *)p = byte_of_prefix(feed);
        feed->at++;
        return 1;
    }
    size_t done = feed->at - feed->prefix, left = feed->n - done;
    if (done > feed->n)
        return 0;
    if (!left) {
        *(char *)p = ']';
        feed->at++;
        return 1;
    }
    size_t n = left < room ? left : room;
    memcpy(p, feed->text + done, n);
    feed->at += n;
    return n;
}

/* The buffer's size is a power of two, and it grows for its last byte. */
static size_t padding_for(size_t longest)
{
    size_t n = longest + 2;
    return n + !((n + 2) & (n + 1));
}

static json_t *load(struct feed *feed, size_t flags, json_error_t *error)
{
    json_t *list = json_load_callback(give, feed, flags, error);
    json_t *value = json_incref(json_array_get(list, 1));
    json_decref(list);
    if (error->position > (int)feed->prefix)
        error->position -= (int)feed->prefix;
    return value;
}

json_t *tg_json_load_text(const char *text, size_t n, size_t flags, json_error_t *error,
                          bool *ran_short)
{
    size_t padding = padding_for(longest_token(text, text + n));
    struct feed feed = {.text = text, .n = n, .padding = padding, .prefix = padding + 4};
    bool before = allocation_failed;
    allocation_failed = false;
    json_t *value = load(&feed, flags, error);
    *ran_short = allocation_failed;
    allocation_failed |= before;
    if (!*ran_short)
        return value;
    json_decref(value);
    return NULL;
}

json_t *tg_json_load(const char *text)
{
    json_error_t error;
    bool ran_short;
    return tg_json_load_text(text, strlen(text), 0, &error, &ran_short);
}
