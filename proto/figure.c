/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Figures.
 *
 * DESIGN. Each shape is a template, JSON with ' for ", into which titles, data and sizes
 * are set by path.
 */
#include "proto/figure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/template.h"

enum {
    ROWS_MAX = 5000,
    CELL = 48,
    SIDE_MIN = 120,
    SIDE_MAX = 640,
    CELLS_WITH_TEXT = 400
};

static const char heatmap_template[] =
    "{'$schema': 'https://vega.github.io/schema/vega-lite/v5.json',"
    " 'title': '', 'description': '', 'width': 0, 'height': 0, 'data': {'values': []},"
    " 'encoding': {'x': {'field': 'x', 'type': 'nominal', 'title': '', 'sort': []},"
    "              'y': {'field': 'y', 'type': 'nominal', 'title': '', 'sort': []}},"
    " 'layer': [{'mark': {'type': 'rect', 'tooltip': true},"
    "            'encoding': {'color': {'field': 'z', 'type': 'quantitative', 'title': "
    "'',"
    "                                   'scale': {'scheme': 'viridis'}}}}]}";

static const char cell_text_template[] =
    "{'mark': 'text',"
    " 'encoding': {'text': {'field': 'z', 'type': 'quantitative', 'format': '.3~g'},"
    "              'color': {'condition': {'test': '', 'value': 'black'},"
    "                        'value': 'white'}}}";

static const char lines_template[] =
    "{'$schema': 'https://vega.github.io/schema/vega-lite/v5.json',"
    " 'title': '', 'description': '', 'width': 480, 'height': 300, 'data': {'values': "
    "[]},"
    " 'encoding': {'x': {'field': 'x', 'type': 'quantitative', 'title': ''},"
    "              'y': {'field': 'y', 'type': 'quantitative', 'title': '', 'scale': {}},"
    "              'color': {'field': 'series', 'type': 'nominal', 'title': null,"
    "                        'sort': []}},"
    " 'layer': [{'mark': {'type': 'line', 'tooltip': true},"
    "            'transform': [{'filter': '!datum.points'}]},"
    "           {'mark': {'type': 'point', 'filled': true, 'tooltip': true},"
    "            'transform': [{'filter': 'datum.points'}]}]}";

static const char line_panes_template[] =
    "{'$schema': 'https://vega.github.io/schema/vega-lite/v5.json',"
    " 'title': '', 'description': '', 'columns': 4, 'data': {'values': []},"
    " 'facet': {'field': 'pane', 'type': 'nominal', 'title': null, 'sort': []},"
    " 'spec': {'width': 160, 'height': 130, 'encoding': {"
    "   'x': {'field': 'x', 'type': 'quantitative', 'title': ''},"
    "   'y': {'field': 'y', 'type': 'quantitative', 'title': ''},"
    "   'color': {'field': 'series', 'type': 'nominal', 'title': null, 'sort': []}},"
    "  'layer': [{'mark': {'type': 'line', 'point': true, 'tooltip': true}}]}}";

static const char level_template[] =
    "{'mark': {'type': 'rule', 'strokeDash': [4, 3], 'color': 'gray'},"
    " 'encoding': {'y': {'datum': 0}, 'x': null, 'color': null}}";

static const char heatmap_panes_template[] =
    "{'$schema': 'https://vega.github.io/schema/vega-lite/v5.json',"
    " 'title': '', 'description': '', 'columns': 4, 'data': {'values': []},"
    " 'facet': {'field': 'pane', 'type': 'nominal', 'title': null, 'sort': []},"
    " 'spec': {'width': 0, 'height': 0, 'mark': {'type': 'rect', 'tooltip': true},"
    "  'encoding': {"
    "   'x': {'field': 'x', 'type': 'nominal', 'title': '', 'sort': []},"
    "   'y': {'field': 'y', 'type': 'nominal', 'title': '', 'sort': []},"
    "   'color': {'field': 'z', 'type': 'quantitative', 'title': '',"
    "             'scale': {'scheme': 'viridis'}}}}}";

static const char path_template[] =
    "{'$schema': 'https://vega.github.io/schema/vega-lite/v5.json',"
    " 'title': '', 'description': '', 'width': 400, 'height': 400, 'data': {'values': "
    "[]},"
    " 'encoding': {'x': {'field': 'x', 'type': 'quantitative', 'title': '',"
    "                    'scale': {'zero': false}},"
    "              'y': {'field': 'y', 'type': 'quantitative', 'title': '',"
    "                    'scale': {'zero': false}},"
    "              'order': {'field': 'step', 'type': 'quantitative'}},"
    " 'layer': [{'mark': {'type': 'line', 'color': 'lightgray'}},"
    "           {'mark': {'type': 'point', 'filled': true, 'tooltip': true},"
    "            'encoding': {'color': {'field': 'step', 'type': 'quantitative',"
    "                                   'scale': {'scheme': 'viridis'}}}},"
    "           {'mark': {'type': 'point', 'filled': true, 'size': 120},"
    "            'transform': [{'filter': 'datum.end != null'}],"
    "            'encoding': {'shape': {'field': 'end', 'type': 'nominal', 'title': null,"
    "                                   'sort': ['start', 'end']},"
    "                         'color': {'value': 'black'}}}]}";

static const char paths_template[] =
    "{'$schema': 'https://vega.github.io/schema/vega-lite/v5.json',"
    " 'title': '', 'description': '', 'width': 400, 'height': 400, 'data': {'values': "
    "[]},"
    " 'encoding': {'x': {'field': 'x', 'type': 'quantitative', 'title': '',"
    "                    'scale': {'zero': false}},"
    "              'y': {'field': 'y', 'type': 'quantitative', 'title': '',"
    "                    'scale': {'zero': false}},"
    "              'order': {'field': 'step', 'type': 'quantitative'},"
    "              'color': {'field': 'series', 'type': 'nominal', 'title': null,"
    "                        'sort': []}},"
    " 'layer': [{'mark': {'type': 'line', 'opacity': 0.5}},"
    "           {'mark': {'type': 'point', 'filled': true, 'tooltip': true}, 'encoding': {}},"
    "           {'mark': {'type': 'point', 'filled': true, 'size': 120, 'shape': 'diamond'},"
    "            'transform': [{'filter': 'datum.step == 0'}]}]}";

static const char curve_template[] =
    "{'mark': {'type': 'line', 'color': 'firebrick', 'strokeDash': [5, 3]}, 'name': '',"
    " 'data': {'values': []}}";

static const char band_template[] =
    "{'mark': {'type': 'rule', 'strokeWidth': 5, 'opacity': 0.45, 'tooltip': true},"
    " 'encoding': {'y': {'field': 'low', 'type': 'quantitative', 'title': ''},"
    "              'y2': {'field': 'high'}, 'color': {'datum': ''}}}";

static const char bars_template[] =
    "{'$schema': 'https://vega.github.io/schema/vega-lite/v5.json',"
    " 'title': '', 'description': '', 'width': 480, 'height': 300, 'data': {'values': "
    "[]},"
    " 'encoding': {'x': {'field': 'x', 'type': 'ordinal', 'title': ''}},"
    " 'layer': [{'mark': {'type': 'bar', 'tooltip': true},"
    "            'encoding': {'y': {'field': 'bar', 'type': 'quantitative', 'title': ''},"
    "                         'color': {'datum': ''}}},"
    "           {'mark': {'type': 'tick', 'thickness': 2, 'tooltip': true},"
    "            'encoding': {'y': {'field': 'mark', 'type': 'quantitative', 'title': "
    "''},"
    "                         'color': {'datum': ''}}}]}";

static const char intervals_template[] =
    "{'$schema': 'https://vega.github.io/schema/vega-lite/v5.json',"
    " 'title': '', 'description': '', 'width': 480, 'height': {'step': 12},"
    " 'data': {'values': []},"
    " 'encoding': {'x': {'type': 'quantitative', 'title': '', 'scale': {'zero': false}},"
    "              'y': {'field': 'label', 'type': 'nominal', 'title': null, 'sort': []},"
    "              'yOffset': {'field': 'series', 'type': 'nominal', 'sort': []},"
    "              'color': {'field': 'series', 'type': 'nominal', 'title': null,"
    "                        'sort': []}},"
    " 'layer': [{'mark': {'type': 'rule', 'strokeWidth': 2, 'tooltip': true},"
    "            'encoding': {'x': {'field': 'low', 'type': 'quantitative', 'title': ''},"
    "                         'x2': {'field': 'high'}}},"
    "           {'mark': {'type': 'point', 'filled': true, 'tooltip': true},"
    "            'encoding': {'x': {'field': 'x', 'type': 'quantitative', 'title': ''}}}]}";

/* A figure under way: once something fails, spec is NULL and stays so. */
struct figure {
    json_t *spec;
    json_t *rows; /* borrowed from spec */
};

static void fail(struct figure *figure)
{
    json_decref(figure->spec);
    *figure = (struct figure){NULL, NULL};
}

/* Set what the path of names leads to (a digit is an index); takes `value`. */
static void set(struct figure *figure, json_t *value, const char *path)
{
    json_t *at = figure->spec;
    char name[24];
    size_t n = strcspn(path, "/");
    for (; path[n]; path += n + 1, n = strcspn(path, "/")) {
        memcpy(name, path, n);
        name[n] = '\0';
        at = json_is_array(at) ? json_array_get(at, (size_t)(name[0] - '0'))
                               : json_object_get(at, name);
    }
    if (json_object_set_new(at, path, value))
        fail(figure);
}

static void set_text(struct figure *figure, const char *text, const char *path)
{
    set(figure, json_string(text), path);
}

static struct figure begin(const char *template, const char *what, const char *title,
                           const char *xtitle)
{
    struct figure figure = {tg_json_template(template), NULL};
    const char *panes = json_object_get(figure.spec, "facet") ? "spec/" : "";
    char path[40];
    figure.rows = json_object_get(json_object_get(figure.spec, "data"), "values");
    set_text(&figure, title, "title");
    set(&figure, json_sprintf("%s: %s over %s.", what, title, xtitle), "description");
    snprintf(path, sizeof(path), "%sencoding/x/title", panes);
    set_text(&figure, xtitle, path);
    return figure;
}

static void add_row(struct figure *figure, json_t *row)
{
    if (json_array_append_new(figure->rows, row))
        fail(figure);
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* Only every stride-th point is shown, so that at most ROWS_MAX rows go inline. */
static size_t thin(struct figure *figure, size_t n)
{
    size_t stride = n > ROWS_MAX ? (n + ROWS_MAX - 1) / ROWS_MAX : 1;
    if (stride > 1)
        set(figure, json_pack("{s:I}", "stride", (json_int_t)stride), "usermeta");
    return stride;
}

/* Labels in their own order; Vega-Lite would sort them. */
static json_t *labels_value(const char *const *labels, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        tg_json_append(&list, json_string(labels[i]));
    return list;
}

static int side(size_t cells)
{
    return (int)fmin(fmax((double)cells * CELL, SIDE_MIN), SIDE_MAX);
}

/*
 * The number in each cell: black on the bright end of the colours, white on the dark one.
 */
static void add_cell_text(struct figure *figure, const double *z, size_t n)
{
    double lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(z[i])) {
            lo = fmin(lo, z[i]);
            hi = fmax(hi, z[i]);
        }
    }
    if (json_array_append_new(json_object_get(figure->spec, "layer"),
                              tg_json_template(cell_text_template)))
        fail(figure);
    set(figure, json_sprintf("datum.z > %.9g", isfinite(lo) ? lo + 0.6 * (hi - lo) : 0.0),
        "layer/1/encoding/color/condition/test");
}

json_t *tg_figure_heatmap(const char *title, const char *xtitle, const char *ytitle,
                          const char *ztitle, const char *const *xlabels, size_t cols,
                          const char *const *ylabels, size_t rows, const double *z)
{
    struct figure figure = begin(heatmap_template, "Heat map", title, xtitle);
    size_t n = rows * cols;
    set(&figure, json_integer(side(cols)), "width");
    set(&figure, json_integer(side(rows)), "height");
    set(&figure, labels_value(xlabels, cols), "encoding/x/sort");
    set(&figure, labels_value(ylabels, rows), "encoding/y/sort");
    set_text(&figure, ytitle, "encoding/y/title");
    set_text(&figure, ztitle, "layer/0/encoding/color/title");
    if (n <= CELLS_WITH_TEXT)
        add_cell_text(&figure, z, n);
    size_t stride = thin(&figure, n);
    for (size_t i = 0; i < n; i += stride)
        add_row(&figure, json_pack("{s:s, s:s, s:o}", "x", xlabels[i % cols], "y",
                                   ylabels[i / cols], "z", number(z[i])));
    return figure.spec;
}

/* The series in their own order, which Vega-Lite would sort; how many rows they have. */
static size_t set_series(struct figure *figure, const struct tg_series *series, size_t nseries)
{
    const char **names = calloc(nseries + 1, sizeof(*names));
    size_t total = 0;
    for (size_t i = 0; i < nseries; i++) {
        total += series[i].n;
        if (names)
            names[i] = series[i].name;
    }
    set(figure, names ? labels_value(names, nseries) : NULL, "encoding/color/sort");
    free(names);
    return total;
}

json_t *tg_figure_lines(const char *title, const char *xtitle, const char *ytitle,
                        const struct tg_series *series, size_t nseries, bool logy)
{
    struct figure figure = begin(lines_template, "Lines", title, xtitle);
    size_t total = set_series(&figure, series, nseries);
    set_text(&figure, ytitle, "encoding/y/title");
    if (logy)
        set_text(&figure, "log", "encoding/y/scale/type");
    size_t stride = thin(&figure, total);
    for (size_t i = 0; i < nseries; i++) {
        const struct tg_series *s = &series[i];
        for (size_t k = 0; k < s->n; k += stride) {
            bool shown = !logy || s->y[k] > 0;
            add_row(&figure, json_pack("{s:s, s:o, s:o, s:b}", "series", s->name, "x",
                                       number(s->x ? s->x[k] : (double)(k + 1)), "y",
                                       shown ? number(s->y[k]) : json_null(), "points",
                                       s->points));
        }
    }
    return figure.spec;
}

/* A line at `level` across every pane. */
static void add_level(struct figure *figure, double level)
{
    json_t *layers = json_object_get(json_object_get(figure->spec, "spec"), "layer");
    if (json_array_append_new(layers, tg_json_template(level_template)))
        fail(figure);
    set(figure, json_real(level), "spec/layer/1/encoding/y/datum");
}

json_t *tg_figure_line_panes(const char *title, const char *xtitle, const char *ytitle,
                             const char *const *panes, size_t npanes,
                             const struct tg_series *series, size_t nseries, double level)
{
    struct figure figure = begin(line_panes_template, "Lines in panes", title, xtitle);
    json_t *names = json_array();
    size_t total = 0;
    for (size_t i = 0; i < npanes * nseries; i++)
        total += series[i].n;
    for (size_t i = 0; i < nseries; i++)
        tg_json_append(&names, json_string(series[i].name));
    set(&figure, names, "spec/encoding/color/sort");
    set(&figure, labels_value(panes, npanes), "facet/sort");
    set_text(&figure, ytitle, "spec/encoding/y/title");
    if (isfinite(level))
        add_level(&figure, level);
    size_t stride = thin(&figure, total);
    for (size_t i = 0; i < npanes * nseries; i++)
        for (size_t k = 0; k < series[i].n; k += stride)
            add_row(&figure,
                    json_pack("{s:s, s:s, s:o, s:o}", "pane", panes[i / nseries], "series",
                              series[i].name, "x",
                              number(series[i].x ? series[i].x[k] : (double)(k + 1)), "y",
                              number(series[i].y[k])));
    return figure.spec;
}

json_t *tg_figure_heatmap_panes(const char *title, const char *xtitle, const char *ytitle,
                                const char *ztitle, const char *const *panes,
                                size_t npanes, const char *const *xlabels, size_t cols,
                                const char *const *ylabels, size_t rows, const double *z)
{
    struct figure figure =
        begin(heatmap_panes_template, "Heat maps in panes", title, xtitle);
    size_t n = rows * cols;
    set(&figure, json_integer(side(cols) / 2), "spec/width");
    set(&figure, json_integer(side(rows) / 2), "spec/height");
    set(&figure, labels_value(panes, npanes), "facet/sort");
    set(&figure, labels_value(xlabels, cols), "spec/encoding/x/sort");
    set(&figure, labels_value(ylabels, rows), "spec/encoding/y/sort");
    set_text(&figure, ytitle, "spec/encoding/y/title");
    set_text(&figure, ztitle, "spec/encoding/color/title");
    size_t stride = thin(&figure, n * npanes);
    for (size_t i = 0; i < n * npanes; i += stride)
        add_row(&figure, json_pack("{s:s, s:s, s:s, s:o}", "pane", panes[i / n], "x",
                                   xlabels[i % cols], "y", ylabels[i % n / cols], "z",
                                   number(z[i])));
    return figure.spec;
}

json_t *tg_figure_panels(const char *title, const char *xtitle, const char *const *panes,
                         size_t npanes, const struct tg_series *series, size_t nseries)
{
    struct figure figure = {tg_figure_line_panes(title, xtitle, "", panes, npanes, series,
                                                 nseries, NAN),
                            NULL};
    set(&figure, json_integer(2), "columns");
    set(&figure, json_integer(300), "spec/width");
    set(&figure, tg_json_template("{'scale': {'y': 'independent'}}"), "resolve");
    return figure.spec;
}

static bool all_above_zero(const double *z, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isfinite(z[i]) && !(z[i] > 0))
            return false;
    return true;
}

/* A scale of z as `channel` of what `encoding` leads to. */
static void encode_z(struct figure *figure, const char *encoding, const char *channel,
                     const char *title, bool logarithmic)
{
    char path[60];
    snprintf(path, sizeof(path), "%s/%s", encoding, channel);
    set(figure, json_pack("{s:s, s:s, s:s, s:{s:s}}", "field", "z", "type", "quantitative",
                          "title", title, "scale", "type", logarithmic ? "log" : "linear"),
        path);
    if (strcmp(channel, "color") == 0) {
        snprintf(path, sizeof(path), "%s/%s/scale/scheme", encoding, channel);
        set_text(figure, "viridis", path);
    }
}

/* A row of a path; `series` and `end` may be NULL. */
static void add_point(struct figure *figure, const struct tg_figure_path *path, size_t i,
                      const char *series, const char *end)
{
    json_t *row = json_pack("{s:I, s:o, s:o, s:s*, s:s*}", "step", (json_int_t)i, "x",
                            number(path->x[i]), "y", number(path->y[i]), "series", series,
                            "end", end);
    if (path->z)
        tg_json_set(&row, "z", number(path->z[i]));
    add_row(figure, row);
}

json_t *tg_figure_paths(const char *title, const char *xtitle, const char *ytitle,
                        const char *ztitle, const struct tg_figure_path *paths, size_t npaths)
{
    struct figure figure = begin(paths_template, "Paths in the plane", title, xtitle);
    json_t *names = json_array();
    bool sized = true, logarithmic = true;
    size_t total = 0;
    for (size_t i = 0; i < npaths; i++) {
        total += paths[i].n;
        tg_json_append(&names, json_string(paths[i].name));
        sized = sized && paths[i].z;
        logarithmic = sized && logarithmic && all_above_zero(paths[i].z, paths[i].n);
    }
    set(&figure, names, "encoding/color/sort");
    set_text(&figure, ytitle, "encoding/y/title");
    if (sized)
        encode_z(&figure, "layer/1/encoding", "size", ztitle, logarithmic);
    size_t stride = thin(&figure, total);
    for (size_t i = 0; i < npaths; i++)
        for (size_t k = 0; k < paths[i].n; k += stride)
            add_point(&figure, &paths[i], k, paths[i].name, NULL);
    return figure.spec;
}

json_t *tg_figure_path(const char *title, const char *xtitle, const char *ytitle,
                       const char *ztitle, const struct tg_figure_path *path)
{
    struct figure figure = begin(path_template, "Path in the plane", title, xtitle);
    size_t n = path->n, stride = thin(&figure, n + 1);
    set_text(&figure, ytitle, "encoding/y/title");
    if (path->z)
        encode_z(&figure, "layer/1/encoding", "color", ztitle, all_above_zero(path->z, n));
    for (size_t i = 0; i < n; i++) {
        const char *end = i == 0 ? "start" : i + 1 == n ? "end" : NULL;
        if (i % stride == 0 || end)
            add_point(&figure, path, i, NULL, end);
    }
    return figure.spec;
}

json_t *tg_figure_path_beside(const char *title, const char *xtitle, const char *ytitle,
                              const char *ztitle, const struct tg_figure_path *path,
                              const struct tg_figure_path *curve)
{
    struct figure figure = {tg_figure_path(title, xtitle, ytitle, ztitle, path), NULL};
    json_t *layer = tg_json_template(curve_template);
    json_t *rows = json_object_get(json_object_get(layer, "data"), "values");
    size_t n = curve->n;
    size_t stride = n > ROWS_MAX / 2 ? (n + ROWS_MAX / 2 - 1) / (ROWS_MAX / 2) : 1;
    bool whole = rows && !json_object_set_new(layer, "name", json_string(curve->name));
    for (size_t i = 0; whole && i < n; i += stride)
        whole = !json_array_append_new(
            rows, json_pack("{s:I, s:o, s:o}", "step", (json_int_t)i, "x",
                            number(curve->x[i]), "y", number(curve->y[i])));
    if (!whole || json_array_insert_new(json_object_get(figure.spec, "layer"), 0, layer)) {
        json_decref(whole ? NULL : layer);
        fail(&figure);
    }
    return figure.spec;
}

json_t *tg_figure_named_bars(const char *title, const char *xtitle, const char *ytitle,
                             const char *const *names, const char *bar_name,
                             const double *bars, const char *mark_name, const double *marks,
                             size_t n)
{
    struct figure figure = begin(bars_template, "Bars", title, xtitle);
    size_t stride = thin(&figure, n);
    set_text(&figure, ytitle, "layer/0/encoding/y/title");
    set_text(&figure, ytitle, "layer/1/encoding/y/title");
    set_text(&figure, bar_name, "layer/0/encoding/color/datum");
    set_text(&figure, mark_name, "layer/1/encoding/color/datum");
    if (names)
        set(&figure, labels_value(names, n), "encoding/x/sort");
    for (size_t i = 0; i < n; i += stride)
        add_row(&figure,
                json_pack("{s:o, s:o, s:o}", "x",
                          names ? json_string(names[i]) : json_integer((json_int_t)(i + 1)),
                          "bar", number(bars[i]), "mark", number(marks[i])));
    return figure.spec;
}

json_t *tg_figure_bars(const char *title, const char *xtitle, const char *ytitle,
                       const char *bar_name, const double *bars, const char *mark_name,
                       const double *marks, size_t n)
{
    return tg_figure_named_bars(title, xtitle, ytitle, NULL, bar_name, bars, mark_name, marks,
                                n);
}

json_t *tg_figure_bars_banded(const char *title, const char *xtitle, const char *ytitle,
                              const char *bar_name, const double *bars, const char *mark_name,
                              const double *marks, const double *band, size_t n)
{
    struct figure figure = {
        tg_figure_bars(title, xtitle, ytitle, bar_name, bars, mark_name, marks, n), NULL};
    json_t *layers = json_object_get(figure.spec, "layer"), *row;
    size_t stride = n > ROWS_MAX ? (n + ROWS_MAX - 1) / ROWS_MAX : 1, i;
    figure.rows = json_object_get(json_object_get(figure.spec, "data"), "values");
    json_array_foreach(figure.rows, i, row)
    {
        double mark = marks[i * stride], half = band[i * stride];
        if (json_object_set_new(row, "low", number(mark - half)) ||
            json_object_set_new(row, "high", number(mark + half))) {
            fail(&figure);
            return NULL;
        }
    }
    if (json_array_append_new(layers, tg_json_template(band_template)))
        fail(&figure);
    set_text(&figure, ytitle, "layer/2/encoding/y/title");
    set_text(&figure, mark_name, "layer/2/encoding/color/datum");
    return figure.spec;
}

/* The names that `at` gives, each once, in order of appearance; stays as it is without memory. */
static void set_order(struct figure *figure, const struct tg_figure_interval *interval, size_t n,
                      size_t offset, const char *path)
{
    json_t *names = json_array();
    for (size_t i = 0; i < n; i++) {
        const char *name, *before = NULL;
        memcpy(&name, (const char *)&interval[i] + offset, sizeof(name));
        for (size_t k = 0; k < json_array_size(names) && !before; k++)
            if (!strcmp(json_string_value(json_array_get(names, k)), name))
                before = name;
        if (!before && json_array_append_new(names, json_string(name)))
            fail(figure);
    }
    set(figure, names, path);
}

json_t *tg_figure_intervals(const char *title, const char *xtitle,
                            const struct tg_figure_interval *interval, size_t n)
{
    struct figure figure = begin(intervals_template, "Intervals", title, xtitle);
    for (size_t i = 0; i < n; i++)
        add_row(&figure, json_pack("{s:s, s:s, s:o, s:o, s:o}", "label", interval[i].label,
                                   "series", interval[i].series, "x", number(interval[i].x),
                                   "low", number(interval[i].low), "high",
                                   number(interval[i].high)));
    set_text(&figure, xtitle, "layer/0/encoding/x/title");
    set_text(&figure, xtitle, "layer/1/encoding/x/title");
    set_order(&figure, interval, n, offsetof(struct tg_figure_interval, label),
              "encoding/y/sort");
    set_order(&figure, interval, n, offsetof(struct tg_figure_interval, series),
              "encoding/yOffset/sort");
    set_order(&figure, interval, n, offsetof(struct tg_figure_interval, series),
              "encoding/color/sort");
    return figure.spec;
}
