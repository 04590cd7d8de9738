/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wording of faults. */
#include "proto/fault.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 64 };

char *tg_pointer_add(char out[TG_POINTER_SIZE], const char *base, const char *member)
{
    if (out != base)
        snprintf(out, TG_POINTER_SIZE, "%s", base);
    size_t n = strlen(out);
    if (n + 1 < TG_POINTER_SIZE)
        out[n++] = '/';
    for (; *member && n + 2 < TG_POINTER_SIZE; member++) {
        if (*member == '~' || *member == '/') {
            out[n++] = '~';
            out[n++] = *member == '~' ? '0' : '1';
        } else {
            out[n++] = *member;
        }
    }
    out[n] = '\0';
    return out;
}

char *tg_pointer_index(char out[TG_POINTER_SIZE], const char *base, size_t index)
{
    char text[24];
    snprintf(text, sizeof(text), "%zu", index);
    return tg_pointer_add(out, base, text);
}

static char *array_text(const struct tg_json_array *array, char out[TG_GOT_SIZE])
{
    struct tg_mat mat;
    char shape[TG_GOT_SIZE - 16];
    if (!tg_mat_init(&mat, NULL, TG_F64, array->ndim, array->shape, false))
        TG_BUG("an array of the body has no valid shape");
    snprintf(out, TG_GOT_SIZE, "array of shape %.*s", (int)sizeof(shape) - 4,
             tg_mat_shape_text(&mat, shape, sizeof(shape)));
    return out;
}

/*
 * A string in quotes, cut before the byte that would not fit; never within a character.
 */
static void string_text(const char *text, char out[TG_GOT_SIZE])
{
    size_t n = strlen(text), room = TG_GOT_SIZE - 6;
    bool cut = n > room;
    if (cut)
        for (n = room; n && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
            ;
    snprintf(out, TG_GOT_SIZE, "\"%.*s%s\"", (int)n, text, cut ? "..." : "");
}

char *tg_value_text(const json_t *value, const struct tg_json_body *body,
                    char out[TG_GOT_SIZE])
{
    const struct tg_json_array *array = body ? tg_json_body_array(body, value) : NULL;
    if (array)
        return array_text(array, out);
    out[0] = '\0';
    if (!value)
        return out;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        snprintf(out, TG_GOT_SIZE, "object of %zu members", json_object_size(value));
        break;
    case JSON_ARRAY:
        snprintf(out, TG_GOT_SIZE, "array of %zu entries", json_array_size(value));
        break;
    case JSON_STRING:
        string_text(json_string_value(value), out);
        break;
    case JSON_INTEGER:
        snprintf(out, TG_GOT_SIZE, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(out, TG_GOT_SIZE, "%.15g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        snprintf(out, TG_GOT_SIZE, "%s",
                 json_is_null(value)   ? "null"
                 : json_is_true(value) ? "true"
                                       : "false");
        break;
    }
    return out;
}

/*
 * Edits from one word to the other, two swapped neighbours counting as one (optimal
 * string alignment); both have at most WORD_MAX bytes.
 */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t row[3][WORD_MAX + 1];
    for (size_t j = 0; j <= nb; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[na % 3][nb];
}

const char *tg_nearest(const char *word, const char *const *choice, size_t n)
{
    const char *nearest = NULL;
    size_t nword = strlen(word), best = nword < 4 ? 2 : 1 + nword / 3;
    if (nword > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t nchoice = choice[i] ? strlen(choice[i]) : SIZE_MAX;
        if (nchoice > WORD_MAX)
            continue;
        size_t d = distance(word, nword, choice[i], nchoice);
        if (d < best) {
            best = d;
            nearest = choice[i];
        }
    }
    return nearest;
}

char *tg_join(char *out, size_t size, const char *const *choice, size_t n)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t need = strlen(choice[i]) + (used ? 2 : 0);
        if (used + need + (i + 1 < n ? sizeof(", ...") : 1) > size) {
            snprintf(out + used, size - used, "%s", used ? ", ..." : "...");
            break;
        }
        snprintf(out + used, size - used, "%s%s", used ? ", " : "", choice[i]);
        used += need;
    }
    return out;
}

enum tg_err tg_fault_unknown(struct tg_report *report, const char *pointer,
                             const char *what, const char *word,
                             const char *const *choice, size_t n)
{
    char allowed[sizeof(((struct tg_fault *)0)->allowed)];
    const char *nearest = tg_nearest(word, choice, n);
    tg_join(allowed, sizeof(allowed), choice, n);
    if (nearest)
        return tg_fault_add_value(report, TG_INVALID, pointer, word, allowed,
                                  "There is no %s `%.80s`; did you mean `%s`?", what,
                                  word, nearest);
    return tg_fault_add_value(report, TG_INVALID, pointer, word, allowed,
                              "There is no %s `%.80s`.", what, word);
}
