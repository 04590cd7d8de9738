/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fourier transforms by products with sines and cosines, first along y, then along x. */
#include "svcca/fourier.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"

enum {
    COLS = 64, ROWS = 512, /* tiles of the scan */
    TILE = 1 << 18,        /* doubles of a tile of samples, if there is more than one */
    AT_ONCE = 4            /* rows of frequencies that are transformed along y together */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Whether -f is f on a grid of this size. */
static bool is_own_mirror(int64_t f, int64_t size)
{
    return f == 0 || 2 * f == size;
}

/* The fx of row fy are [first, last]; none when the map has no such row. */
struct range { int64_t first, last; };

static struct range row_of(const struct tg_places *places, int64_t fy)
{
    int64_t w = places->w;
    if (2 * fy > places->h)
        return (struct range){0, -1};
    return (struct range){is_own_mirror(fy, places->h) ? 0 : -((w - 1) / 2), w / 2};
}

/* The part of row fy that is in the group. */
static struct range part_of(const struct tg_places *places,
                            const struct tg_fourier_group *group, int64_t fy)
{
    struct range row = row_of(places, fy);
    return (struct range){most(row.first, group->x),
                          least(row.last, group->x + group->nx - 1)};
}

static int64_t length(struct range range)
{
    return range.last < range.first ? 0 : range.last - range.first + 1;
}

int64_t tg_fourier_index(const struct tg_places *places, int64_t fy, int64_t fx)
{
    struct range row = row_of(places, fy);
    int64_t before = fy == 0 ? 0 : places->w / 2 + 1 + (fy - 1) * places->w;
    return fx < row.first || fx > row.last ? -1 : before + fx - row.first;
}

int64_t tg_fourier_count(const struct tg_places *places)
{
    return 1 + tg_fourier_index(places, places->h / 2, places->w / 2);
}

bool tg_fourier_is_real(const struct tg_places *places, int64_t fy, int64_t fx)
{
    return is_own_mirror(fy, places->h) && is_own_mirror(fx, places->w);
}

int64_t tg_fourier_slots(const struct tg_places *places, const struct tg_fourier_group *size)
{
    return least(size->ny, places->h / 2 + 1) * least(size->nx, places->w);
}

/* Samples of a tile. */
static int64_t tile_of(const struct tg_places *places)
{
    return least(places->n, most(1, TILE / (places->h * places->w * places->units)));
}

static double *take(struct tg_arena *arena, int64_t a, int64_t b)
{
    size_t count;
    if (!tg_mul_ok((size_t)a, (size_t)b, &count))
        count = SIZE_MAX; /* more than any arena has */
    return tg_arena_alloc(arena, count, sizeof(double));
}

void tg_fourier_layout(struct tg_arena *arena, const struct tg_places *places, size_t count,
                       struct tg_fourier_scratch *scratch)
{
    int64_t tile = 0, strip = 0, map = 0, h = 0, w = 0;
    for (size_t i = 0; i < count; i++) {
        const struct tg_places *p = &places[i];
        int64_t units = p->w * p->units;
        tile = most(tile, tile_of(p) * p->h * units);
        strip = most(strip, tile_of(p) * 2 * units);
        map = most(map, p->h * units);
        h = most(h, p->h);
        w = most(w, p->w);
    }
    scratch->rows = take(arena, tile, 1);
    scratch->turned = take(arena, tile, 1);
    scratch->half = take(arena, strip, AT_ONCE);
    scratch->row = take(arena, strip, 1);
    scratch->along_y = take(arena, h + 2, h);
    scratch->along_x = take(arena, 2 * w, 2 * w);
    scratch->spread = take(arena, map, 1);
    scratch->bad = tg_arena_alloc(arena, (size_t)map, sizeof(*scratch->bad));
}

double tg_fourier_flops(const struct tg_places *places, const struct tg_fourier_group *size)
{
    double h = (double)places->h, w = (double)places->w, rows = (double)(places->h / 2 + 1);
    double parts = ceil(w / (double)least(size->nx, places->w));
    return (double)places->n * (double)places->units * rows * parts * (4 * h * w + 8 * w * w);
}

struct scan {
    const struct tg_ctx *ctx;
    const struct tg_fourier_scratch *scratch;
    struct tg_fourier *layer;
};

/* Spread and first bad row of a tile of columns. */
static enum tg_err scan_columns(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct scan *job = arg;
    const struct tg_mat *mat = &job->layer->mat;
    int64_t n = mat->shape[0], col = tile * COLS, m = least(COLS, mat->shape[1] - col);
    double block[64 * COLS], *origin = job->layer->origin + col;
    double *spread = job->scratch->spread + col;
    int64_t *bad = job->scratch->bad + col;
    for (int64_t row = 0; row < n; row += 64) {
        int64_t nrows = least(64, n - row);
        if (row % ROWS == 0)
            TG_TRY(tg_ctx_poll(job->ctx));
        tg_mat_read_f64(mat, row, nrows, col, m, block, COLS);
        for (int64_t j = 0; row == 0 && j < m; j++) {
            origin[j] = block[j];
            spread[j] = 0;
            bad[j] = n;
        }
        for (int64_t i = 0; i < nrows; i++)
            for (int64_t j = 0; j < m; j++) {
                double x = block[i * COLS + j];
                if (!isfinite(x) && bad[j] == n)
                    bad[j] = row + i;
                spread[j] = fmax(spread[j], fabs(x - origin[j]));
            }
    }
    return TG_OK;
}

static enum tg_err require_finite(const char *name, const struct tg_fourier *layer,
                                  const int64_t *bad, struct tg_report *report)
{
    int64_t n = layer->mat.shape[0], row = n, col = 0;
    for (int64_t j = 0; j < layer->mat.shape[1]; j++)
        if (bad[j] < row) {
            row = bad[j];
            col = j;
        }
    if (row == n)
        return TG_OK;
    return tg_fault_add(report, TG_NUMERIC, NULL,
                        "Layer \"%s\" holds NaN or infinity, first at sample %lld, entry %lld "
                        "of its map.",
                        name, (long long)row, (long long)col);
}

enum tg_err tg_fourier_scan(const struct tg_ctx *ctx, const char *name,
                            const struct tg_fourier_scratch *scratch,
                            struct tg_fourier *layer, struct tg_report *report)
{
    struct scan job = {ctx, scratch, layer};
    int64_t d = layer->mat.shape[1];
    double peak = 0;
    TG_TRY(tg_ctx_parallel(ctx, (d + COLS - 1) / COLS, scan_columns, &job));
    TG_TRY(require_finite(name, layer, scratch->bad, report));
    layer->constant = 0;
    for (int64_t j = 0; j < d; j++) {
        layer->constant += !(scratch->spread[j] > 0);
        peak = fmax(peak, scratch->spread[j]);
    }
    if (!isfinite(peak))
        return tg_fault_add(
            report, TG_NUMERIC, NULL,
            "Layer \"%s\" spans more than double precision holds; scale it down.", name);
    layer->scale = peak > 0 ? ldexp(1, -ilogb(peak)) : 1;
    return TG_OK;
}

/* cos and sin of 2 pi k / size, exact at multiples of a quarter turn. */
static void turn(int64_t k, int64_t size, double *c, double *s)
{
    static const double quarter[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    k = (k % size + size) % size;
    if (4 * k % size == 0) {
        *c = quarter[4 * k / size][0];
        *s = quarter[4 * k / size][1];
        return;
    }
    double angle = 2 * acos(-1) * (double)k / (double)size;
    *c = cos(angle);
    *s = sin(angle);
}

/* Rows cos, -sin for each fy, along y. */
static void fill_along_y(const struct tg_places *places, double *to)
{
    int64_t h = places->h;
    for (int64_t fy = 0; fy <= h / 2; fy++)
        for (int64_t y = 0; y < h; y++) {
            double c, s;
            turn(fy * y, h, &c, &s);
            to[2 * fy * h + y] = c;
            to[(2 * fy + 1) * h + y] = -s;
        }
}

/* Two rows for each fx: what of (Re, Im) along x goes to Re, and to Im. */
static void fill_along_x(const struct tg_places *places, double *to)
{
    int64_t w = places->w;
    double norm = 1 / sqrt((double)places->h * (double)w);
    for (int64_t fx = -((w - 1) / 2); fx <= w / 2; fx++, to += 4 * w)
        for (int64_t x = 0; x < w; x++) {
            double c, s;
            turn(fx * x, w, &c, &s);
            to[x] = norm * c;
            to[w + x] = norm * s;
            to[2 * w + x] = -norm * s;
            to[3 * w + x] = norm * c;
        }
}

/* `count` samples from `first`, less the first one, by places: h w x (count units). */
static void turn_rows(const struct tg_fourier *layer, int64_t first, int64_t count,
                      const struct tg_fourier_scratch *scratch)
{
    const struct tg_places *p = &layer->places;
    int64_t places = p->h * p->w, units = p->units, d = places * units;
    tg_mat_read_f64(&layer->mat, first, count, 0, d, scratch->rows, (size_t)d);
    for (int64_t i = 0; i < count; i++)
        for (int64_t place = 0; place < places; place++)
            for (int64_t unit = 0; unit < units; unit++) {
                int64_t k = p->units_last ? place * units + unit : unit * places + place;
                scratch->turned[(place * count + i) * units + unit] =
                    (scratch->rows[i * d + k] - layer->origin[k]) * layer->scale;
            }
}

/*
 * Samples of a tile and their frequencies on row fy, transformed along y to `half`, into the
 * blocks of the group. A row is always transformed as a whole, so that its bits do not
 * depend on the group.
 */
static enum tg_err transform_row(const struct tg_ctx *ctx,
                                 const struct tg_fourier_scratch *scratch, const double *half,
                                 struct range row, struct range part, int64_t units,
                                 const struct tg_places *p, double *blocks)
{
    const double *along = scratch->along_x + 4 * p->w * (row.first + (p->w - 1) / 2);
    size_t ld = (size_t)(p->n * p->units);
    bool whole = length(row) == length(part);
    TG_TRY(tg_gemm(ctx, TG_N, TG_N, 2 * length(row), units, 2 * p->w, 1, along,
                   (size_t)(2 * p->w), half, (size_t)units, 0, whole ? blocks : scratch->row,
                   whole ? ld : (size_t)units));
    const double *from = scratch->row + 2 * (part.first - row.first) * units;
    for (int64_t i = 0; !whole && i < 2 * length(part); i++)
        memcpy(blocks + (size_t)i * ld, from + i * units, (size_t)units * sizeof(*from));
    return TG_OK;
}

/* The tile's part of all blocks of the group. */
static enum tg_err transform_tile(const struct tg_ctx *ctx,
                                  const struct tg_fourier_scratch *scratch,
                                  const struct tg_fourier_group *group, int64_t first,
                                  int64_t count, struct tg_fourier *layer)
{
    const struct tg_places *p = &layer->places;
    int64_t units = count * p->units, end = least(group->y + group->ny, p->h / 2 + 1);
    double *blocks = layer->blocks + first * p->units;
    for (int64_t top = group->y / AT_ONCE * AT_ONCE; top < end; top += AT_ONCE) {
        int64_t rows = least(AT_ONCE, p->h / 2 + 1 - top);
        TG_TRY(tg_gemm(ctx, TG_N, TG_N, 2 * rows, p->w * units, p->h, 1,
                       scratch->along_y + 2 * top * p->h, (size_t)p->h, scratch->turned,
                       (size_t)(p->w * units), 0, scratch->half, (size_t)(p->w * units)));
        for (int64_t fy = most(top, group->y); fy < least(top + rows, end); fy++) {
            struct range row = row_of(p, fy), part = part_of(p, group, fy);
            if (!length(part))
                continue;
            TG_TRY(transform_row(ctx, scratch, scratch->half + 2 * (fy - top) * p->w * units,
                                 row, part, units, p, blocks));
            blocks += 2 * length(part) * p->n * p->units;
        }
    }
    return TG_OK;
}

enum tg_err tg_fourier_make(const struct tg_ctx *ctx, const struct tg_fourier_scratch *scratch,
                            const struct tg_fourier_group *group, struct tg_fourier *layer)
{
    const struct tg_places *p = &layer->places;
    int64_t tile = tile_of(p);
    if (2 * group->y > p->h || group->x > p->w / 2 || group->x + group->nx <= -((p->w - 1) / 2))
        return TG_OK; /* nothing of the layer is in it */
    fill_along_y(p, scratch->along_y);
    fill_along_x(p, scratch->along_x);
    for (int64_t first = 0; first < p->n; first += tile) {
        int64_t count = least(tile, p->n - first);
        TG_TRY(tg_ctx_poll(ctx));
        turn_rows(layer, first, count, scratch);
        TG_TRY(transform_tile(ctx, scratch, group, first, count, layer));
    }
    return TG_OK;
}

double *tg_fourier_block(const struct tg_fourier *layer, const struct tg_fourier_group *group,
                         int64_t fy, int64_t fx)
{
    const struct tg_places *p = &layer->places;
    int64_t before = 0;
    if (fy < group->y || fy >= group->y + group->ny)
        return NULL;
    struct range part = part_of(p, group, fy);
    if (fx < part.first || fx > part.last)
        return NULL;
    for (int64_t y = group->y; y < fy; y++)
        before += length(part_of(p, group, y));
    return layer->blocks + (before + fx - part.first) * 2 * p->n * p->units;
}
