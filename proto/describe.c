/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A kind described: as a JSON document, as a page of documentation, as text. */
#include "proto/describe.h"

#include <stdio.h>
#include <string.h>

#include "proto/jsonload.h"
#include "proto/jsonwrite.h"
#include "proto/params.h"
#include "proto/schema.h"
#include "proto/template.h"
#include "proto/wrap.h"

enum { WIDTH = 80, HELP_INDENT = 4 };

const char *const tg_output_where_names[] = {"value", "array", "figure", "quality"};

json_t *tg_kind_example(const struct tg_kind *kind)
{
    return tg_json_load(kind->example);
}

char *tg_input_text(const struct tg_input *input, char *out, size_t size)
{
    bool members = input->flags & TG_INPUT_MEMBERS;
    const char *one = members ? "file of arrays" : "array",
               *many = members ? "files of arrays" : "arrays";
    if (input->list)
        snprintf(out, size, "1 to %zu %s of shape (%s)%s", input->max_count, many,
                 input->shape, input->flags & TG_INPUT_LABELLED ? ", with model and step"
                                                                : "");
    else
        snprintf(out, size, "%s of shape (%s)", one, input->shape);
    return out;
}

static json_t *describe_inputs(const struct tg_kind *kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < kind->ninputs; i++) {
        const struct tg_input *input = &kind->inputs[i];
        bool labelled = input->flags & TG_INPUT_LABELLED,
             members = input->flags & TG_INPUT_MEMBERS;
        tg_json_append(&list, json_pack("{s:s, s:b, s:b, s:I, s:[i, i], s:s, s:b, s:b, s:s}",
                                        "name", input->name, "list", input->list,
                                        "required", input->required, "max_count",
                                        (json_int_t)(input->list ? input->max_count : 1),
                                        "ndim", input->ndim_lo, input->ndim_hi, "shape",
                                        input->shape, "labelled", labelled, "members",
                                        members, "help", input->help));
    }
    return list;
}

static json_t *describe_outputs(const struct tg_kind *kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < kind->noutputs; i++) {
        const struct tg_output *output = &kind->outputs[i];
        tg_json_append(&list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "where",
                                        tg_output_where_names[output->where], "name",
                                        output->name, "type", output->type, "shape",
                                        output->shape, "help", output->help));
    }
    return list;
}

json_t *tg_kind_description(const struct tg_kind *kind)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "name",
                     kind->name, "version", kind->version, "title", kind->title,
                     "summary", kind->summary, "reference", kind->reference, "params",
                     tg_schema_params(kind), "inputs", describe_inputs(kind), "outputs",
                     describe_outputs(kind), "example", tg_kind_example(kind), "schema",
                     tg_schema_job(kind));
}

/* Markdown --------------------------------------------------------------------------- */

/* A table cell: "|" would end it. */
static void put_cell(struct tg_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            tg_buf_puts(out, "\\");
        tg_buf_add(out, text, 1);
    }
    tg_buf_puts(out, " |");
}

static void markdown_params(const struct tg_kind *kind, struct tg_buf *out)
{
    char range[240];
    if (!kind->nparams)
        return;
    tg_buf_puts(out, "\n## Parameters\n\n"
                     "| name | takes | default | unit | |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < kind->nparams; i++) {
        const struct tg_param *param = &kind->params[i];
        tg_buf_printf(out, "| `%s` | ", param->name);
        put_cell(out, tg_param_range(param, range, sizeof(range)));
        if (param->def)
            tg_buf_printf(out, " `%s` |", param->def);
        else
            tg_buf_puts(out, " required |");
        tg_buf_printf(out, " %s | ", param->unit);
        put_cell(out, param->help);
        tg_buf_puts(out, "\n");
    }
}

static void markdown_inputs(const struct tg_kind *kind, struct tg_buf *out)
{
    char text[160];
    tg_buf_puts(out, "\n## Inputs\n\n| name | takes | | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < kind->ninputs; i++) {
        const struct tg_input *input = &kind->inputs[i];
        tg_buf_printf(out, "| `%s` | %s | %s | ", input->name,
                      tg_input_text(input, text, sizeof(text)),
                      input->required ? "required" : "optional");
        put_cell(out, input->help);
        tg_buf_puts(out, "\n");
    }
}

static void markdown_outputs(const struct tg_kind *kind, struct tg_buf *out)
{
    tg_buf_puts(out, "\n## Result\n\n| | name | type | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < kind->noutputs; i++) {
        const struct tg_output *output = &kind->outputs[i];
        tg_buf_printf(out, "| %s | `%s` | %s", tg_output_where_names[output->where],
                      output->name, output->type);
        if (*output->shape)
            tg_buf_printf(out, " (%s)", output->shape);
        tg_buf_puts(out, " | ");
        put_cell(out, output->help);
        tg_buf_puts(out, "\n");
    }
}

void tg_kind_markdown(const struct tg_kind *kind, struct tg_buf *out)
{
    tg_buf_printf(out,
                  "<!-- Generated from the table of kinds by `make generated`. -->\n\n"
                  "# `%s`: %s\n\n",
                  kind->name, kind->title);
    tg_wrap(out, kind->summary, 0, WIDTH);
    tg_buf_puts(out, "\n");
    markdown_inputs(kind, out);
    markdown_params(kind, out);
    markdown_outputs(kind, out);
    tg_buf_puts(out, "\n## Example\n\n```sh\ncurl -H 'Prefer: wait=60' "
                     "http://127.0.0.1:8748/v1/jobs -d '\n");
    json_t *example = tg_kind_example(kind);
    tg_json_write_pretty(example, WIDTH, out);
    json_decref(example);
    tg_buf_puts(out, "'\n```\n\n## Reference\n\n");
    tg_wrap(out, kind->reference, 0, WIDTH);
    tg_buf_puts(out, "\n");
}

/* Terminal --------------------------------------------------------------------------- */

static void help_entry(struct tg_buf *out, const char *name, const char *takes,
                       const char *more, const char *help)
{
    char head[400];
    snprintf(head, sizeof(head), "%s%s%s", takes, *takes && *more ? "; " : "", more);
    tg_buf_printf(out, "  %s  ", name);
    tg_wrap(out, head, HELP_INDENT + 2, WIDTH);
    tg_buf_puts(out, "\n");
    tg_wrap(out, help, HELP_INDENT, WIDTH);
    tg_buf_puts(out, "\n");
}

static void help_param(const struct tg_param *param, struct tg_buf *out)
{
    char range[240], more[160];
    snprintf(more, sizeof(more), "%s%s%s%s", *param->unit ? "in " : "", param->unit,
             *param->unit ? "; " : "", param->def ? "default " : "required");
    size_t n = strlen(more);
    snprintf(more + n, sizeof(more) - n, "%s", param->def ? param->def : "");
    help_entry(out, param->name, tg_param_range(param, range, sizeof(range)), more,
               param->help);
}

static void help_output(const struct tg_output *output, struct tg_buf *out)
{
    char type[160];
    snprintf(type, sizeof(type), "%s%s%s%s%s%s", tg_output_where_names[output->where],
             *output->type ? ", " : "", output->type, *output->shape ? " (" : "",
             output->shape, *output->shape ? ")" : "");
    help_entry(out, output->name, type, "", output->help);
}

void tg_kind_help(const struct tg_kind *kind, struct tg_buf *out)
{
    char text[160];
    tg_buf_printf(out, "%s: %s\n\n", kind->name, kind->title);
    tg_wrap(out, kind->summary, 0, WIDTH);
    tg_buf_puts(out, "\n\nInputs\n");
    for (size_t i = 0; i < kind->ninputs; i++)
        help_entry(out, kind->inputs[i].name,
                   tg_input_text(&kind->inputs[i], text, sizeof(text)),
                   kind->inputs[i].required ? "required" : "optional",
                   kind->inputs[i].help);
    if (kind->nparams)
        tg_buf_puts(out, "\nParameters\n");
    for (size_t i = 0; i < kind->nparams; i++)
        help_param(&kind->params[i], out);
    tg_buf_puts(out, "\nResult\n");
    for (size_t i = 0; i < kind->noutputs; i++)
        help_output(&kind->outputs[i], out);
    tg_buf_puts(out, "\nExample\n");
    json_t *example = tg_kind_example(kind);
    tg_json_write_pretty(example, WIDTH, out);
    json_decref(example);
    tg_buf_puts(out, "\n\nReference\n");
    tg_wrap(out, kind->reference, 0, WIDTH);
    tg_buf_puts(out, "\n");
}
