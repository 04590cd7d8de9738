/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Figures: Vega-Lite v5 specifications with their data inside.
 *
 * DESIGN. A handful of shapes serves every kind; specifications stay inside what Vega-Lite
 * 5 and 6 both accept. At most 5,000 rows go inline; longer series are thinned by equal
 * stride and the thinning is told in "usermeta". All functions return a new reference, NULL
 * without memory.
 */
#ifndef TG_PROTO_FIGURE_H
#define TG_PROTO_FIGURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* rows x cols values (row-major) as a labelled heat map with the number in each cell. */
json_t *tg_figure_heatmap(const char *title, const char *xtitle, const char *ytitle,
                          const char *ztitle, const char *const *xlabels, size_t cols,
                          const char *const *ylabels, size_t rows, const double *z);

struct tg_series {
    const char *name;
    const double *x; /* NULL: 1, 2, ..., n */
    const double *y;
    size_t n;
    bool points;     /* marks instead of a line */
};

/* Several series over one pair of axes, with a legend. logy: logarithmic y. */
json_t *tg_figure_lines(const char *title, const char *xtitle, const char *ytitle,
                        const struct tg_series *series, size_t nseries, bool logy);

/*
 * Small figures side by side, four in a row, each of nseries lines: pane p has the series
 * p * nseries and on, and the names of the first pane's are the legend. A dashed line lies
 * at `level`; NaN: none.
 */
json_t *tg_figure_line_panes(const char *title, const char *xtitle, const char *ytitle,
                             const char *const *panes, size_t npanes,
                             const struct tg_series *series, size_t nseries, double level);

/* Heat maps side by side with one scale of colours; pane p has z[p * rows * cols] and on. */
json_t *tg_figure_heatmap_panes(const char *title, const char *xtitle, const char *ytitle,
                                const char *ztitle, const char *const *panes,
                                size_t npanes, const char *const *xlabels, size_t cols,
                                const char *const *ylabels, size_t rows, const double *z);

/*
 * The same with a scale of its own for each pane, two in a row, and no level; what is drawn has
 * a title in its pane's name.
 */
json_t *tg_figure_panels(const char *title, const char *xtitle, const char *const *panes,
                         size_t npanes, const struct tg_series *series, size_t nseries);

/* A path in the plane, and a number at each of its points; NULL: none. */
struct tg_figure_path { const char *name; const double *x, *y, *z; size_t n; };

/*
 * A path in the order of its points, coloured by z (by step without one; logarithmically where
 * all z are above zero), start and end marked.
 */
json_t *tg_figure_path(const char *title, const char *xtitle, const char *ytitle,
                       const char *ztitle, const struct tg_figure_path *path);

/* Several paths, one colour each, their starts marked; points as large as z where all have z. */
json_t *tg_figure_paths(const char *title, const char *xtitle, const char *ytitle,
                        const char *ztitle, const struct tg_figure_path *paths, size_t npaths);

/* A path with an expected curve of as many points behind it, dashed. */
json_t *tg_figure_path_beside(const char *title, const char *xtitle, const char *ytitle,
                              const char *ztitle, const struct tg_figure_path *path,
                              const struct tg_figure_path *curve);

/* Bars (measured) with marks (expected) beside them. */
json_t *tg_figure_bars(const char *title, const char *xtitle, const char *ytitle,
                       const char *bar_name, const double *bars, const char *mark_name,
                       const double *marks, size_t n);

/* The same of things that have names; NULL: 1, 2, ..., n. */
json_t *tg_figure_named_bars(const char *title, const char *xtitle, const char *ytitle,
                             const char *const *names, const char *bar_name,
                             const double *bars, const char *mark_name, const double *marks,
                             size_t n);

/* Bars with a band about each mark, from mark - band to mark + band. */
json_t *tg_figure_bars_banded(const char *title, const char *xtitle, const char *ytitle,
                              const char *bar_name, const double *bars, const char *mark_name,
                              const double *marks, const double *band, size_t n);

/* A mark at x with a rule from low to high: one of a `series` in the row `label`. */
struct tg_figure_interval { const char *label, *series; double x, low, high; };

/* Intervals below each other, the series of a label side by side in their colours. */
json_t *tg_figure_intervals(const char *title, const char *xtitle,
                            const struct tg_figure_interval *interval, size_t n);

#endif
