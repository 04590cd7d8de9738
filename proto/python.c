/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Python methods: one per kind, with the signature and the docstring of its table.
 *
 * DESIGN. The class is a mixin around one method, _submit_kind, which a client provides.
 * Every parameter is sent, so what help() shows is what runs.
 */
#include <stdio.h>
#include <string.h>

#include "proto/describe.h"
#include "proto/params.h"
#include "proto/schema.h"
#include "proto/wrap.h"

enum { WIDTH = 96, BODY = 8, LINE_MAX_COLUMNS = 100 };

static const char prologue[] =
    "# SPDX-License-Identifier: MIT\n"
    "\"\"\"One method for each kind of job. Generated from the daemon's table of "
    "kinds.\"\"\"\n"
    "\n"
    "from __future__ import annotations\n"
    "\n"
    "import datetime\n"
    "from typing import TYPE_CHECKING, Any, Literal, Mapping, Optional, Sequence, Union\n"
    "\n"
    "from ._arrays import ArrayLike\n"
    "\n"
    "if TYPE_CHECKING:\n"
    "    from ._job import Job\n"
    "\n"
    "Priority = Literal[\"high\", \"normal\", \"low\"]\n"
    "Time = Union[datetime.datetime, str, float]\n"
    "ArrayList = Union[Mapping[str, ArrayLike], Sequence[ArrayLike]]\n"
    "\n"
    "\n"
    "class KindMethods:\n"
    "    \"\"\"The methods of a client that submit jobs, one for each kind.\"\"\"\n"
    "\n"
    "    def _submit_kind(\n"
    "        self, kind: str, params: Mapping[str, Any], inputs: Mapping[str, Any], "
    "**options: "
    "Any\n"
    "    ) -> Job:\n"
    "        raise NotImplementedError\n";

/* What every method takes beside the kind's own inputs and parameters. */
static const struct {
    const char *name, *type, *doc, *def, *help;
} options[] = {
    {"name", "Optional[str]", "str, optional", "None", "A name for people."},
    {"priority", "Optional[Priority]", "high, normal or low", "None",
     "Which of the waiting jobs runs first."},
    {"max_run_s", "Optional[float]", "float, optional", "None",
     "Seconds the job may run."},
    {"deadline", "Optional[Time]", "datetime, str or float, optional", "None",
     "When the job must have ended: a time, RFC 3339 text, or Unix seconds."},
    {"keep", "bool", "bool", "False", "Never remove the job by retention."},
    {"cache", "bool", "bool", "True",
     "Take a stored result of the same job if there is one."},
};
enum { NOPTIONS = sizeof(options) / sizeof(options[0]) };

static void put_choices(const char *const *choices, struct tg_buf *out)
{
    tg_buf_puts(out, "Literal[");
    for (size_t i = 0; choices[i]; i++)
        tg_buf_printf(out, "%s\"%s\"", i ? ", " : "", choices[i]);
    tg_buf_puts(out, "]");
}

static void put_type(const struct tg_param *param, struct tg_buf *out)
{
    static const char *const plain[] = {
        [TG_PARAM_INT] = "int",
        [TG_PARAM_REAL] = "float",
        [TG_PARAM_BOOL] = "bool",
        [TG_PARAM_STRING] = "str",
        [TG_PARAM_INT_LIST] = "Sequence[int]",
        [TG_PARAM_REAL_LIST] = "Sequence[float]",
        [TG_PARAM_STRING_LIST] = "Sequence[str]",
    };
    if (param->type == TG_PARAM_ENUM) {
        put_choices(param->choices, out);
    } else if (param->type == TG_PARAM_ENUM_LIST) {
        tg_buf_puts(out, "Sequence[");
        put_choices(param->choices, out);
        tg_buf_puts(out, "]");
    } else {
        tg_buf_puts(out, plain[param->type]);
    }
}

/* A JSON scalar or list as a Python literal; lists become tuples, which cannot change. */
static void put_literal(const json_t *value, struct tg_buf *out)
{
    size_t n = json_array_size(value);
    if (json_is_array(value)) {
        tg_buf_puts(out, "(");
        for (size_t i = 0; i < n; i++) {
            put_literal(json_array_get(value, i), out);
            tg_buf_puts(out, i + 1 < n ? ", " : n == 1 ? "," : "");
        }
        tg_buf_puts(out, ")");
    } else if (json_is_string(value)) {
        tg_buf_json_string(out, json_string_value(value), json_string_length(value));
    } else if (json_is_boolean(value)) {
        tg_buf_puts(out, json_is_true(value) ? "True" : "False");
    } else if (json_is_integer(value)) {
        tg_buf_printf(out, "%lld", (long long)json_integer_value(value));
    } else {
        tg_buf_double(out, json_real_value(value));
    }
}

/* " = DEFAULT", a list one entry a line where the line would get too long. */
static void put_default(const struct tg_param *param, size_t column, struct tg_buf *out)
{
    json_t *value = tg_param_default(param);
    size_t before = out->n, n = json_array_size(value);
    tg_buf_puts(out, " = ");
    put_literal(value, out);
    if (json_is_array(value) && column + (out->n - before) > LINE_MAX_COLUMNS) {
        out->n = before;
        tg_buf_puts(out, " = (");
        for (size_t i = 0; i < n; i++) {
            tg_buf_puts(out, "\n            ");
            put_literal(json_array_get(value, i), out);
            tg_buf_puts(out, ",");
        }
        tg_buf_puts(out, "\n        )");
    }
    json_decref(value);
}

/* Inputs that are required come first: Python wants defaults last. */
static void put_inputs(const struct tg_kind *kind, bool required, struct tg_buf *out)
{
    for (size_t i = 0; i < kind->ninputs; i++) {
        const struct tg_input *input = &kind->inputs[i];
        const char *type = input->list ? "ArrayList" : "ArrayLike";
        if (input->required == required)
            tg_buf_printf(out,
                          required ? "        %s: %s,\n"
                                   : "        %s: Optional[%s] = None,\n",
                          input->name, type);
    }
}

static void put_signature(const struct tg_kind *kind, struct tg_buf *out)
{
    tg_buf_printf(out, "\n    def %s(\n        self,\n", kind->name);
    put_inputs(kind, true, out);
    put_inputs(kind, false, out);
    tg_buf_puts(out, "        *,\n");
    for (size_t i = 0; i < kind->nparams; i++) {
        size_t start = out->n;
        tg_buf_printf(out, "        %s: ", kind->params[i].name);
        put_type(&kind->params[i], out);
        if (kind->params[i].def)
            put_default(&kind->params[i], out->n - start + 1, out);
        tg_buf_puts(out, ",\n");
    }
    for (size_t i = 0; i < NOPTIONS; i++)
        tg_buf_printf(out, "        %s: %s = %s,\n", options[i].name, options[i].type,
                      options[i].def);
    tg_buf_puts(out, "    ) -> Job:\n");
}

static void put_entry(const char *name, const char *type, const char *help,
                      struct tg_buf *out)
{
    tg_buf_printf(out, "        %s : ", name);
    tg_wrap(out, type, BODY + 4, WIDTH);
    tg_buf_puts(out, "\n");
    tg_wrap(out, help, BODY + 4, WIDTH);
    tg_buf_puts(out, "\n");
}

static void put_param_doc(const struct tg_param *param, struct tg_buf *out)
{
    char range[240], type[320];
    snprintf(type, sizeof(type), "%s%s%s", tg_param_range(param, range, sizeof(range)),
             *param->unit ? ", in " : "", param->unit);
    put_entry(param->name, type, param->help, out);
}

static void put_outputs(const struct tg_kind *kind, struct tg_buf *out)
{
    char type[160];
    tg_buf_puts(out, "\n        Returns\n        -------\n        Job\n"
                     "            On disk and waiting; its result has\n");
    for (size_t i = 0; i < kind->noutputs; i++) {
        const struct tg_output *output = &kind->outputs[i];
        snprintf(type, sizeof(type), "%s%s%s%s%s%s", tg_output_where_names[output->where],
                 *output->type ? ", " : "", output->type, *output->shape ? " (" : "",
                 output->shape, *output->shape ? ")" : "");
        tg_buf_printf(out, "\n            %s : %s\n", output->name, type);
        tg_wrap(out, output->help, BODY + 8, WIDTH);
        tg_buf_puts(out, i + 1 < kind->noutputs ? "" : "\n");
    }
}

static void put_docstring(const struct tg_kind *kind, struct tg_buf *out)
{
    char text[160];
    tg_buf_printf(out, "        \"\"\"%s.\n\n", kind->title);
    tg_wrap(out, kind->summary, BODY, WIDTH);
    tg_buf_puts(out, "\n\n        Parameters\n        ----------\n");
    for (size_t i = 0; i < kind->ninputs; i++)
        put_entry(kind->inputs[i].name,
                  tg_input_text(&kind->inputs[i], text, sizeof(text)),
                  kind->inputs[i].help, out);
    for (size_t i = 0; i < kind->nparams; i++)
        put_param_doc(&kind->params[i], out);
    for (size_t i = 0; i < NOPTIONS; i++)
        put_entry(options[i].name, options[i].doc, options[i].help, out);
    put_outputs(kind, out);
    tg_buf_puts(out, "\n        References\n        ----------\n");
    tg_wrap(out, kind->reference, BODY, WIDTH);
    tg_buf_puts(out, "\n        \"\"\"\n");
}

static void put_body(const struct tg_kind *kind, struct tg_buf *out)
{
    tg_buf_printf(out,
                  "        return self._submit_kind(\n            \"%s\",\n            {",
                  kind->name);
    for (size_t i = 0; i < kind->nparams; i++)
        tg_buf_printf(out, "\n                \"%s\": %s,", kind->params[i].name,
                      kind->params[i].name);
    tg_buf_puts(out,
                kind->nparams ? "\n            },\n            {" : "},\n            {");
    for (size_t i = 0; i < kind->ninputs; i++)
        tg_buf_printf(out, "%s\"%s\": %s", i ? ", " : "", kind->inputs[i].name,
                      kind->inputs[i].name);
    tg_buf_puts(out, "},\n");
    for (size_t i = 0; i < NOPTIONS; i++)
        tg_buf_printf(out, "            %s=%s,\n", options[i].name, options[i].name);
    tg_buf_puts(out, "        )\n");
}

void tg_kinds_python(struct tg_buf *out)
{
    tg_buf_puts(out, prologue);
    for (size_t i = 0; i < tg_nkinds; i++) {
        put_signature(tg_kinds[i], out);
        put_docstring(tg_kinds[i], out);
        put_body(tg_kinds[i], out);
    }
}
