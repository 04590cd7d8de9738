/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON bodies: one strict walk that reads number arrays aside and leaves jansson the rest.
 *
 * DESIGN. The walk checks the whole grammar (RFC 8259, UTF-8, surrogates, depth), so that
 * errors name a line and a column of the body as it was sent; jansson is left with duplicate
 * keys. Every byte is read once, whatever the nesting: arrays that are open form a stack,
 * and each is taken for a rectangular block until something does not fit. Then it and
 * all arrays around it become plain; the complete rows they hold so far are blocks of their
 * own. Text is copied to the envelope only when a block replaces some of it, so numbers that
 * turn out to be plain are still there as they were written.
 *
 * All numbers lie in one allocation of exactly the right size, because a first pass counts
 * the bytes that can begin a number; it is never grown and never copied.
 */
#include "proto/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/jsonload.h"

#define RESERVED "$tangentd"

/* An open array: `count` numbers, or `count` blocks of shape[1..], or plain. */
struct frame {
    const char *open;
    size_t first;  /* index of its first number */
    int64_t count;
    int ndim;      /* 0: nothing yet; 1: numbers; more: blocks of one dimension less */
    int64_t shape[TG_MAX_NDIM];
};

/* Where the envelope goes on with the body's text; for positions in jansson's errors. */
struct mark {
    size_t at;
    const char *text;
};

struct walk {
    const char *start, *p, *end;
    const char *copied; /* the body's text before this stands in the envelope */
    struct tg_buf envelope;
    struct mark *mark; /* one an array */
    struct tg_json_body *body;
    size_t arrays_room, nnumbers, room, max_numbers, nvalues;
    struct frame frame[TG_JSON_MAX_DEPTH];
    int nframes, nplain; /* the outermost nplain frames are plain */
    bool blocks;         /* whether arrays in "inputs" are read aside at all */
    bool in_inputs;
    struct tg_report *report;
    enum tg_err err;
};

/* Errors: every function below that fails has set w->err and returns false. */

static bool wrong(struct walk *w, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool wrong(struct walk *w, const char *at, const char *format, ...)
{
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    size_t line = 1, column = 1;
    for (const char *p = w->start; p < at; p++) {
        line += *p == '\n';
        column = *p == '\n' ? 1 : column + ((*p & 0xC0) != 0x80);
    }
    w->err = tg_fault_add(w->report, TG_BAD_JSON, NULL, "line %zu, column %zu: %s", line,
                          column, what);
    return false;
}

static bool no_memory(struct walk *w)
{
    w->err = TG_NOMEM;
    return false;
}

/* Values outside the blocks cost memory in jansson that is far more than their text. */
static bool count_values(struct walk *w, int64_t n)
{
    w->nvalues += (size_t)n;
    if (w->nvalues <= TG_JSON_MAX_VALUES)
        return true;
    w->err = tg_fault_add(w->report, TG_BODY_TOO_LARGE, NULL,
                          "more than %d values outside rectangular number arrays",
                          TG_JSON_MAX_VALUES);
    return false;
}

/* Tokens ----------------------------------------------------------------------------- */

static void space(struct walk *w)
{
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\n' || *w->p == '\r' || *w->p == '\t'))
        w->p++;
}

static bool at(const struct walk *w, char c)
{
    return w->p < w->end && *w->p == c;
}

static bool begins_number(char c)
{
    return c == '-' || (c >= '0' && c <= '9');
}

static bool number(struct walk *w, double *x)
{
    const char *after = tg_json_scan_number(w->p, w->end, x);
    if (!after)
        return wrong(w, w->p, "this is not a JSON number");
    if (isinf(*x))
        return wrong(w, w->p, "this number is too large for a double");
    w->p = after;
    return true;
}

static int hex4(const char *p, const char *end)
{
    int x = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        x = 16 * x + digit;
    }
    return x;
}

/* What follows a backslash; w->p is behind it. */
static bool escape(struct walk *w)
{
    const char *backslash = w->p - 1;
    if (w->p < w->end && *w->p != 'u')
        return *w->p && strchr("\"\\/bfnrt", *w->p++)
                   ? true
                   : wrong(w, backslash, "an unknown escape in a string");
    int x = w->p < w->end ? hex4(w->p + 1, w->end) : -1;
    if (x < 0)
        return wrong(w, backslash, "\\u needs four hexadecimal digits");
    if (x == 0)
        return wrong(w, backslash, "\\u0000 is not accepted in strings");
    w->p += 5;
    if (x < 0xD800 || x > 0xDFFF)
        return true;
    int low = w->end - w->p >= 6 && w->p[0] == '\\' && w->p[1] == 'u' ? hex4(w->p + 2, w->end) : 0;
    if (x > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return wrong(w, backslash, "half of a surrogate pair");
    w->p += 6;
    return true;
}

static bool is_plain_ascii(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* A string; w->p is at its opening quote. */
static bool string(struct walk *w)
{
    const char *open = w->p++;
    while (!at(w, '"')) {
        while (w->p < w->end && is_plain_ascii(*w->p))
            w->p++;
        if (w->p == w->end)
            return wrong(w, open, "this string does not end");
        size_t length = tg_utf8_length(w->p, (size_t)(w->end - w->p));
        if ((unsigned char)*w->p < 0x20)
            return wrong(w, w->p, "a control character in a string; write it as an escape");
        if (!length)
            return wrong(w, w->p, "this is not UTF-8");
        if (*w->p == '"')
            break;
        bool escaped = *w->p == '\\';
        w->p += length;
        if (escaped && !escape(w))
            return false;
    }
    w->p++;
    return true;
}

/* Whether the string at `quote` begins with `word` once its escapes are read; what follows. */
static const char *after_word(const char *quote, const char *end, const char *word)
{
    const char *p = quote + 1;
    for (; *word; word++) {
        bool escaped = *p == '\\' && p[1] == 'u';
        if ((escaped ? hex4(p + 2, end) : *p) != *word)
            return NULL;
        p += escaped ? 6 : 1;
    }
    return p;
}

static bool word(struct walk *w, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(w->end - w->p) < n || memcmp(w->p, text, n))
        return wrong(w, w->p, "expected a value");
    w->p += n;
    return true;
}

/* The envelope ----------------------------------------------------------------------- */

static void copy_until(struct walk *w, const char *p)
{
    tg_buf_add(&w->envelope, w->copied, (size_t)(p - w->copied));
    w->copied = p;
}

/* A placeholder for a new block of numbers that begin at `first`. */
static bool add_array(struct walk *w, size_t first, int ndim, const int64_t *shape)
{
    struct tg_json_body *body = w->body;
    if (body->narrays == w->arrays_room) {
        size_t room = w->arrays_room ? 2 * w->arrays_room : 8;
        void *array = realloc(body->array, room * sizeof(*body->array));
        if (!array)
            return no_memory(w);
        body->array = array;
        void *mark = realloc(w->mark, room * sizeof(*w->mark));
        if (!mark)
            return no_memory(w);
        w->mark = mark;
        w->arrays_room = room;
    }
    struct tg_json_array *array = &body->array[body->narrays];
    *array = (struct tg_json_array){.data = body->numbers + first, .ndim = ndim};
    memcpy(array->shape, shape, (size_t)ndim * sizeof(*shape));
    tg_buf_printf(&w->envelope, "{\"" TG_JSON_ARRAY_KEY "\":%zu}", body->narrays);
    w->mark[body->narrays++] = (struct mark){w->envelope.n, w->copied};
    return count_values(w, 2);
}

static int64_t numbers_in(int ndim, const int64_t *shape)
{
    int64_t n = 1;
    for (int i = 0; i < ndim; i++)
        n *= shape[i];
    return n;
}

/*
 * Make every open array plain. `rest` is where the innermost one's current element begins.
 * From the outside inwards, so that the envelope keeps the order of the body.
 */
static bool make_plain(struct walk *w, const char *rest)
{
    for (; w->nplain < w->nframes; w->nplain++) {
        struct frame *f = &w->frame[w->nplain];
        if (!count_values(w, 1))
            return false;
        if (f->ndim == 1) { /* only the innermost array can hold numbers */
            w->nnumbers = f->first;
            if (!count_values(w, f->count))
                return false;
        } else if (f->count) {
            const char *current = w->nplain + 1 < w->nframes ? f[1].open : rest;
            int64_t step = numbers_in(f->ndim - 1, f->shape + 1);
            copy_until(w, f->open + 1);
            w->copied = current;
            for (int64_t i = 0; i < f->count; i++) {
                if (!add_array(w, f->first + (size_t)(i * step), f->ndim - 1, f->shape + 1))
                    return false;
                tg_buf_puts(&w->envelope, ",");
            }
        }
    }
    return true;
}

/* Arrays ----------------------------------------------------------------------------- */

/* How many numbers the rest of the text has; bytes in strings may add to it. */
static size_t count_numbers(const char *p, const char *end)
{
    size_t n = 0;
    char before = '[';
    for (; p < end; p++) {
        n += begins_number(*p) && (before == ',' || before == '[' || before <= ' ');
        before = *p;
    }
    return n;
}

static bool make_room(struct walk *w)
{
    size_t n = count_numbers(w->p, w->end);
    w->room = n < w->max_numbers ? n : w->max_numbers;
    w->body->numbers = malloc(w->room ? w->room * sizeof(double) : 1);
    return w->body->numbers || no_memory(w);
}

/* A run of numbers of the innermost array; stops at its end or before another value. */
static bool read_numbers(struct walk *w, struct frame *f)
{
    f->ndim = 1;
    for (;;) {
        if (w->nnumbers == w->room) {
            w->err = tg_fault_add(w->report, TG_BODY_TOO_LARGE, NULL,
                                  "more than %zu numbers in JSON arrays; send arrays as npy to "
                                  "/v1/data and name their digests",
                                  w->max_numbers);
            return false;
        }
        if (!number(w, &w->body->numbers[w->nnumbers]))
            return false;
        w->nnumbers++;
        f->count++;
        space(w);
        if (!at(w, ','))
            return true;
        const char *comma = w->p++;
        space(w);
        if (w->p == w->end || !begins_number(*w->p)) {
            w->p = comma;
            return true;
        }
    }
}

/* Close the innermost array, a block or plain, and tell the array around it. */
static bool close_array(struct walk *w)
{
    struct frame f = w->frame[--w->nframes];
    if (w->nplain > w->nframes) {
        w->nplain = w->nframes;
        return true;
    }
    f.shape[0] = f.count;
    size_t shape_size = (size_t)f.ndim * sizeof(f.shape[0]);
    struct frame *around = w->nframes > w->nplain ? &w->frame[w->nframes - 1] : NULL;
    if (around && !around->count && f.ndim < TG_MAX_NDIM) {
        around->ndim = f.ndim + 1;
        memcpy(around->shape + 1, f.shape, shape_size);
    }
    if (around && around->ndim == f.ndim + 1 &&
        !memcmp(around->shape + 1, f.shape, shape_size)) {
        around->count++;
        return true;
    }
    if (!make_plain(w, f.open))
        return false;
    copy_until(w, f.open);
    w->copied = w->p;
    return add_array(w, f.first, f.ndim, f.shape);
}

static bool value(struct walk *w, int depth);

static bool element(struct walk *w, struct frame *f, int depth)
{
    if (w->nplain < w->nframes) {
        bool is_number = w->p < w->end && begins_number(*w->p);
        if (is_number && f->ndim < 2)
            return read_numbers(w, f);
        if ((!at(w, '[') || f->ndim == 1) && !make_plain(w, w->p))
            return false;
    }
    return value(w, depth);
}

static bool array(struct walk *w, int depth)
{
    struct frame *f = &w->frame[w->nframes++];
    *f = (struct frame){.open = w->p++, .first = w->nnumbers};
    if (w->in_inputs && !w->body->numbers && !make_room(w))
        return false;
    if (!w->in_inputs && !make_plain(w, w->p))
        return false;
    space(w);
    if (at(w, ']') && !make_plain(w, w->p)) /* no elements: no block */
        return false;
    while (!at(w, ']')) {
        if (!element(w, f, depth))
            return false;
        space(w);
        if (at(w, ']'))
            break;
        if (!at(w, ','))
            return wrong(w, w->p, "expected ',' or ']'");
        w->p++;
        space(w);
        if (at(w, ']'))
            return wrong(w, w->p, "expected a value");
    }
    w->p++;
    return close_array(w);
}

/* Objects and values ----------------------------------------------------------------- */

static bool member(struct walk *w, int depth)
{
    const char *name = w->p;
    if (!at(w, '"'))
        return wrong(w, w->p, "expected a member name in double quotes");
    if (!string(w))
        return false;
    if (after_word(name, w->p, RESERVED))
        return wrong(w, name, "member names that begin with " RESERVED " are reserved");
    const char *after = depth == 1 ? after_word(name, w->p, "inputs") : NULL;
    space(w);
    if (!at(w, ':'))
        return wrong(w, w->p, "expected ':'");
    w->p++;
    space(w);
    bool outer = w->in_inputs;
    w->in_inputs = outer || (w->blocks && after && *after == '"');
    bool good = value(w, depth);
    w->in_inputs = outer;
    return good;
}

static bool object(struct walk *w, int depth)
{
    w->p++;
    space(w);
    while (!at(w, '}')) {
        if (!member(w, depth))
            return false;
        space(w);
        if (at(w, '}'))
            break;
        if (!at(w, ','))
            return wrong(w, w->p, "expected ',' or '}'");
        w->p++;
        space(w);
        if (at(w, '}'))
            return wrong(w, w->p, "expected a member name in double quotes");
    }
    w->p++;
    return true;
}

/* Whether this number is a real, or an integer of 64 bits. */
static bool is_real_or_int64(const char *p, const char *end)
{
    for (const char *c = p; c < end; c++)
        if (*c == '.' || *c == 'e' || *c == 'E')
            return true;
    bool negative = *p == '-';
    int64_t x = 0; /* counted downwards, where there is one more */
    for (p += negative; p < end; p++)
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_sub_overflow(x, *p - '0', &x))
            return false;
    return negative || x != INT64_MIN;
}

/* A number that goes to jansson, which keeps integers in 64 bits. */
static bool plain_number(struct walk *w)
{
    const char *start = w->p;
    double x;
    if (!number(w, &x))
        return false;
    if (fabs(x) >= 0x1p62 && !is_real_or_int64(start, w->p))
        return wrong(w, start, "this integer does not fit into 64 bits; write it as a real");
    return true;
}

/* Any value at w->p, `depth` levels below the top. */
static bool value(struct walk *w, int depth)
{
    char c = w->p < w->end ? *w->p : '\0';
    if ((c == '{' || c == '[') && depth == TG_JSON_MAX_DEPTH)
        return wrong(w, w->p, "nested deeper than %d levels", TG_JSON_MAX_DEPTH);
    if (c == '[')
        return array(w, depth + 1); /* counted when it is found to be plain */
    if (!count_values(w, 1))
        return false;
    switch (c) {
    case '{':
        return object(w, depth + 1);
    case '"':
        return string(w);
    case 't':
        return word(w, "true");
    case 'f':
        return word(w, "false");
    case 'n':
        return word(w, "null");
    case 'N':
    case 'I':
        return wrong(w, w->p, "NaN and infinity are not JSON; send such an array as npy");
    default:
        return begins_number(c) ? plain_number(w) : wrong(w, w->p, "expected a value");
    }
}

static bool document(struct walk *w)
{
    space(w);
    if (!at(w, '{'))
        return wrong(w, w->p, "expected a JSON object");
    if (!value(w, 0))
        return false;
    space(w);
    return w->p == w->end || wrong(w, w->p, "text after the end of the object");
}

/* The place in the body that jansson means by a position in the envelope. */
static const char *place_of(const struct walk *w, size_t position)
{
    struct mark mark = {0, w->start};
    for (size_t i = 0; i < w->body->narrays && w->mark[i].at <= position; i++)
        mark = w->mark[i];
    return mark.text + (position - mark.at);
}

static bool load(struct walk *w)
{
    bool same = !w->body->narrays; /* then the body is its own envelope */
    if (!same)
        copy_until(w, w->end);
    if (tg_buf_failed(&w->envelope))
        return no_memory(w);
    json_error_t error;
    bool ran_short;
    w->body->root = tg_json_load_text(same ? w->start : w->envelope.p,
                                      same ? (size_t)(w->end - w->start) : w->envelope.n,
                                      JSON_REJECT_DUPLICATES, &error, &ran_short);
    if (ran_short)
        return no_memory(w);
    if (w->body->root)
        return true;
    return wrong(w, place_of(w, (size_t)error.position), "%s", error.text);
}

static enum tg_err parse(const char *text, size_t n, bool blocks, size_t max_numbers,
                         struct tg_json_body *body, struct tg_report *report)
{
    *body = (struct tg_json_body){0};
    struct walk w = {.start = text, .p = text, .end = text + n, .copied = text,
                     .body = body, .blocks = blocks, .max_numbers = max_numbers,
                     .report = report};
    tg_buf_init(&w.envelope, SIZE_MAX / 4);
    if (document(&w))
        load(&w);
    free(w.mark);
    tg_buf_release(&w.envelope);
    if (w.err)
        tg_json_body_release(body);
    return w.err;
}

enum tg_err tg_json_body_parse(const char *text, size_t n, size_t max_numbers,
                               struct tg_json_body *body, struct tg_report *report)
{
    return parse(text, n, true, max_numbers, body, report);
}

enum tg_err tg_json_parse(const char *text, size_t n, json_t **root, struct tg_report *report)
{
    struct tg_json_body body;
    enum tg_err err = parse(text, n, false, 0, &body, report);
    *root = body.root;
    return err;
}

void tg_json_body_release(struct tg_json_body *body)
{
    json_decref(body->root);
    free(body->array);
    free(body->numbers);
    *body = (struct tg_json_body){0};
}

const struct tg_json_array *tg_json_body_array(const struct tg_json_body *body,
                                               const json_t *value)
{
    const json_t *index = json_object_get(value, TG_JSON_ARRAY_KEY);
    return index && json_integer_value(index) < (json_int_t)body->narrays
               ? &body->array[json_integer_value(index)]
               : NULL;
}
