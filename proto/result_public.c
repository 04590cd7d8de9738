/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stored result document as it is sent. Text to text: documents are mostly numbers, which
 * would take longer to read and to write again than a small job takes.
 */
#include <string.h>

#include "proto/jsonload.h"
#include "proto/result.h"

/* `"name":value` of an object. */
struct member {
    const char *name, *value, *end;
};

static const char *string_end(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static const char *value_end(const char *p)
{
    int depth = 0;
    if (*p != '"' && *p != '{' && *p != '[')
        return p + strcspn(p, ",]}");
    do {
        if (*p == '"') {
            p = string_end(p);
            continue;
        }
        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
        p++;
    } while (*p && depth > 0);
    return p;
}

/* *p is where an object begins or where a member of it ended; false after the last one. */
static bool next_member(const char **p, struct member *member)
{
    if ((**p != '{' && **p != ',') || (*p)[1] != '"')
        return false;
    member->name = *p + 1;
    member->value = string_end(member->name);
    if (*member->value != ':')
        return false;
    member->value++;
    *p = member->end = value_end(member->value);
    return true;
}

static bool is_named(const struct member *member, const char *quoted)
{
    size_t n = strlen(quoted);
    return (size_t)(member->value - member->name) == n + 1 &&
           !memcmp(member->name, quoted, n);
}

/* Any name as one segment of a path. */
static void put_href(const struct member *entry, const char *base, const char *part,
                     struct tg_buf *out)
{
    size_t n = (size_t)(entry->value - entry->name) - 1;
    json_error_t error;
    bool ran_short;
    json_t *name = tg_json_load_text(entry->name, n, 0, &error, &ran_short);
    if (!name) {
        out->failed = true;
        return;
    }
    tg_buf_printf(out, "\"href\":\"%s/%s/", base, part);
    for (const unsigned char *p = (const unsigned char *)json_string_value(name); *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("-._~", *p);
        tg_buf_printf(out, plain ? "%c" : "%%%02X", *p);
    }
    tg_buf_puts(out, "\"");
    json_decref(name);
}

/* The object at p, each entry with its address and without the member `dropped`. */
static void put_entries(const char *p, const char *base, const char *part,
                        const char *dropped, struct tg_buf *out)
{
    struct member entry, field;
    const char *separator = "{";
    while (next_member(&p, &entry)) {
        tg_buf_puts(out, separator);
        tg_buf_add(out, entry.name, (size_t)(entry.value - entry.name));
        tg_buf_puts(out, "{");
        for (const char *q = entry.value; next_member(&q, &field);) {
            if (is_named(&field, dropped))
                continue;
            tg_buf_add(out, field.name, (size_t)(field.end - field.name));
            tg_buf_puts(out, ",");
        }
        put_href(&entry, base, part, out);
        tg_buf_puts(out, "}");
        separator = ",";
    }
    tg_buf_puts(out, *separator == '{' ? "{}" : "}");
}

void tg_result_public(const char *document, const char *base, struct tg_buf *out)
{
    struct member member;
    const char *separator = "{";
    while (next_member(&document, &member)) {
        tg_buf_puts(out, separator);
        tg_buf_add(out, member.name, (size_t)(member.value - member.name));
        if (is_named(&member, "\"arrays\""))
            put_entries(member.value, base, "arrays", "", out);
        else if (is_named(&member, "\"figures\""))
            put_entries(member.value, base, "figures", "\"spec\"", out);
        else
            tg_buf_add(out, member.value, (size_t)(member.end - member.value));
        separator = ",";
    }
    tg_buf_puts(out, "}");
}
