/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prose in columns. */
#include "proto/wrap.h"

#include <string.h>

#include "proto/table.h"

static size_t current_column(const struct tg_buf *out)
{
    size_t n = out->n, column = 0;
    while (n && out->p[n - 1] != '\n')
        column += ((unsigned char)out->p[--n] & 0xC0) != 0x80;
    return column;
}

void tg_wrap(struct tg_buf *out, const char *text, size_t indent, size_t width)
{
    bool at_start = true;
    while (!tg_buf_failed(out)) {
        char word[128];
        text += strspn(text, " \n");
        size_t n = strcspn(text, " \n");
        if (!n)
            return;
        if (n >= sizeof(word))
            n = sizeof(word) - 1;
        memcpy(word, text, n);
        word[n] = '\0';
        text += n;
        size_t column = current_column(out);
        if (!column) {
            tg_buf_printf(out, "%*s", (int)indent, "");
        } else if (column + !at_start + tg_text_columns(word) > width) {
            tg_buf_printf(out, "\n%*s", (int)indent, "");
        } else if (!at_start) {
            tg_buf_puts(out, " ");
        }
        tg_buf_puts(out, word);
        at_start = false;
    }
}
