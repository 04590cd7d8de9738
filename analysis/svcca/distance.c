/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows packed once, blocks of distances made from them, and passes over blocks. */
#include "svcca/distance.h"

#include <math.h>
#include <string.h>

#include "linalg/linalg.h"
#include "stats/selection.h"

enum {
    ROWS = TG_PANEL_ROWS,
    COLUMNS = 64, /* packed at a time: 8 KiB beside the panel */
    TILES = 64    /* of a buffer full of blocks, that lanes share */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t tg_blocks(int64_t n)
{
    int64_t rows = (n + TG_BLOCK_EDGE - 1) / TG_BLOCK_EDGE;
    return rows * (rows + 1) / 2;
}

struct tg_block tg_block_at(int64_t n, int64_t index)
{
    int64_t row = tg_tile_row(index), col = index - row * (row + 1) / 2;
    struct tg_block block = {.row = row * TG_BLOCK_EDGE, .col = col * TG_BLOCK_EDGE};
    block.rows = least(n - block.row, TG_BLOCK_EDGE);
    block.cols = least(n - block.col, TG_BLOCK_EDGE);
    return block;
}

/* A buffer full of blocks. */
struct batch {
    const struct tg_ctx *ctx;
    const struct tg_block_pass *pass;
    int64_t first, count, each; /* blocks, of which each tile has `each` */
    double *buffer;
};

static enum tg_err make_some(void *arg, int64_t tile, unsigned lane)
{
    (void)lane;
    const struct batch *batch = arg;
    int64_t end = least((tile + 1) * batch->each, batch->count);
    for (int64_t i = tile * batch->each; i < end; i++) {
        TG_TRY(tg_ctx_poll(batch->ctx));
        batch->pass->make(batch->pass->arg, batch->first + i,
                          batch->buffer + i * batch->pass->size);
    }
    return TG_OK;
}

enum tg_err tg_blocks_each(const struct tg_ctx *ctx, int64_t n,
                           const struct tg_block_pass *pass, double *buffer)
{
    int64_t blocks = tg_blocks(n), most = least(TG_BLOCK_BUFFER / pass->size, TG_BLOCK_SIZE);
    struct batch batch = {.ctx = ctx, .pass = pass, .buffer = buffer};
    for (; batch.first < blocks; batch.first += most) {
        batch.count = least(blocks - batch.first, most);
        batch.each = (batch.count + TILES - 1) / TILES;
        TG_TRY(tg_ctx_parallel(ctx, (batch.count + batch.each - 1) / batch.each, make_some,
                               &batch));
        for (int64_t i = 0; pass->add && i < batch.count; i++)
            pass->add(pass->arg, batch.first + i, buffer + i * pass->size);
        TG_TRY(tg_ctx_poll(ctx));
    }
    return TG_OK;
}

struct pairing {
    const struct tg_ctx *ctx;
    const struct tg_table *a, *b;
    const int64_t *map;
    double *part; /* of the product, by row of blocks */
    double product;
};

/* A block of a table: where it is, or made in `scratch`. */
static const double *block_of(const struct tg_table *table, int64_t index, double *scratch)
{
    if (table->block)
        return table->block + index * TG_BLOCK_SIZE;
    table->make(table->arg, index, scratch);
    return scratch;
}

static void make_product(void *arg, int64_t index, double *part)
{
    const struct pairing *job = arg;
    struct tg_block at = tg_block_at(job->a->n, index);
    double scratch_a[TG_BLOCK_SIZE], scratch_b[TG_BLOCK_SIZE], sum = 0;
    const double *a = block_of(job->a, index, scratch_a);
    const double *b = block_of(job->b, index, scratch_b);
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++)
            sum += a[i * TG_BLOCK_EDGE + j] * b[i * TG_BLOCK_EDGE + j];
    *part = at.row == at.col ? sum : 2 * sum;
}

static void add_product(void *arg, int64_t index, const double *part)
{
    (void)index;
    struct pairing *job = arg;
    job->product += *part;
}

/* sum_k a_k b_{map k}, in four sums side by side. */
static double dot_mapped(int64_t n, const double *a, const double *b, const int64_t *map)
{
    double sum[4] = {0};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4)
        for (int lane = 0; lane < 4; lane++)
            sum[lane] += a[k + lane] * b[map[k + lane]];
    for (; k < n; k++)
        sum[0] += a[k] * b[map[k]];
    return sum[0] + sum[1] + (sum[2] + sum[3]);
}

/* A row of blocks of a with whole rows of b, which stay in the cache. */
static enum tg_err add_rows(void *arg, int64_t panel, unsigned lane)
{
    (void)lane;
    const struct pairing *job = arg;
    int64_t n = job->a->n, first = panel * TG_BLOCK_EDGE, end = least(first + TG_BLOCK_EDGE, n);
    const double *block = job->a->block + panel * (panel + 1) / 2 * TG_BLOCK_SIZE;
    double product = 0;
    TG_TRY(tg_ctx_poll(job->ctx));
    for (int64_t i = first; i < end; i++) {
        const double *a = block + (i - first) * TG_BLOCK_EDGE;
        const double *b = job->b->whole + job->map[i] * n;
        double below = 0;
        for (int64_t j = 0; j < i; j += TG_BLOCK_EDGE)
            below += dot_mapped(least(i - j, TG_BLOCK_EDGE),
                                a + j / TG_BLOCK_EDGE * TG_BLOCK_SIZE, b, job->map + j);
        product += 2 * below + a[panel * TG_BLOCK_SIZE + i - first] * b[job->map[i]];
    }
    job->part[panel] = product;
    return TG_OK;
}

enum tg_err tg_table_product(const struct tg_ctx *ctx, const struct tg_table *a,
                             const struct tg_table *b, const int64_t *map, double *buffer,
                             double *product)
{
    struct pairing job = {.ctx = ctx, .a = a, .b = b, .map = map, .part = buffer};
    int64_t panels = (a->n + TG_BLOCK_EDGE - 1) / TG_BLOCK_EDGE;
    *product = 0;
    if (!map) {
        TG_TRY(tg_blocks_each(
            ctx, a->n, &(struct tg_block_pass){&job, 1, make_product, add_product}, buffer));
        *product = job.product;
        return TG_OK;
    }
    if (panels > TG_BLOCK_SIZE) /* 260000 samples; a table takes 270 GB */
        return TG_TOO_LARGE_JOB;
    TG_TRY(tg_ctx_parallel(ctx, panels, add_rows, &job));
    for (int64_t i = 0; i < panels; i++)
        *product += buffer[i];
    return TG_OK;
}

struct unfolding {
    int64_t n;
    const double *block;
    double *whole;
};

static void unfold_block(void *arg, int64_t index, double *part)
{
    (void)part;
    const struct unfolding *job = arg;
    struct tg_block at = tg_block_at(job->n, index);
    const double *block = job->block + index * TG_BLOCK_SIZE;
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.cols; j++) {
            double x = block[i * TG_BLOCK_EDGE + j];
            job->whole[(at.row + i) * job->n + at.col + j] = x;
            if (at.row != at.col)
                job->whole[(at.col + j) * job->n + at.row + i] = x;
        }
}

enum tg_err tg_table_unfold(const struct tg_ctx *ctx, int64_t n, const double *block,
                            double *buffer, double *whole)
{
    struct unfolding job = {n, block, whole};
    return tg_blocks_each(ctx, n, &(struct tg_block_pass){&job, 1, unfold_block, NULL}, buffer);
}

size_t tg_distance_room(int64_t n, int64_t d)
{
    size_t room;
    if (!tg_mul_ok((size_t)((n + ROWS - 1) / ROWS * ROWS), (size_t)d, &room))
        return SIZE_MAX; /* more than any arena has */
    return room;
}

double tg_distance_flops(int64_t n, int64_t d)
{
    /* A subtraction, a product and a sum each, on half of the n x n. */
    return 1.5 * (double)n * (double)n * (double)d;
}

/* Rows being packed. */
struct packing {
    const struct tg_ctx *ctx;
    const struct tg_mat *mat;
    struct tg_distance *distance;
    enum tg_metric metric;
    double scale;
};

/* Less its mean if that is asked for, and to length 1; a row without length becomes NaN. */
static void normalise(double *x, int64_t d, bool centre)
{
    double origin = centre ? x[0] : 0, sum = 0, peak = 0, norm2 = 0;
    for (int64_t k = 0; k < d * ROWS; k += ROWS) {
        x[k] -= origin; /* equal numbers then are exactly 0 */
        sum += x[k];
    }
    double mean = centre ? sum / (double)d : 0;
    for (int64_t k = 0; k < d * ROWS; k += ROWS) {
        x[k] -= mean;
        peak = fmax(peak, fabs(x[k]));
    }
    for (int64_t k = 0; peak > 0 && k < d * ROWS; k += ROWS)
        norm2 += x[k] / peak * (x[k] / peak);
    for (int64_t k = 0; k < d * ROWS; k += ROWS)
        x[k] = peak > 0 ? x[k] / peak / sqrt(norm2) : NAN;
}

static enum tg_err pack_panel(void *arg, int64_t index, unsigned lane)
{
    (void)lane;
    static const double origin[COLUMNS]; /* zeroes */
    const struct packing *job = arg;
    const struct tg_distance *distance = job->distance;
    int64_t d = distance->d, rows = least(distance->n - index * ROWS, ROWS);
    double *panel = distance->panel + index * ROWS * d, part[ROWS * COLUMNS];
    for (int64_t col = 0; col < d; col += COLUMNS) {
        int64_t cols = least(d - col, COLUMNS);
        TG_TRY(tg_ctx_poll(job->ctx));
        memset(part, 0, sizeof(part));
        tg_mat_read_f64(job->mat, index * ROWS, rows, col, cols, part, COLUMNS);
        for (int i = 0; i < ROWS * COLUMNS; i++)
            part[i] *= job->scale;
        tg_dpack(tg_tile_kernel(), cols, part, COLUMNS, origin, panel + col * ROWS);
    }
    for (int64_t i = 0; job->metric != TG_METRIC_EUCLIDEAN && i < rows; i++)
        normalise(panel + i, d, job->metric == TG_METRIC_CORRELATION);
    return TG_OK;
}

enum tg_err tg_distance_pack(const struct tg_ctx *ctx, enum tg_metric metric,
                             const struct tg_mat *mat, double scale,
                             struct tg_distance *distance, int64_t *without, int64_t *first)
{
    struct packing job = {ctx, mat, distance, metric, scale};
    distance->factor = metric == TG_METRIC_EUCLIDEAN ? 1 : 0.5;
    *without = 0;
    *first = -1;
    TG_TRY(tg_ctx_parallel(ctx, (distance->n + ROWS - 1) / ROWS, pack_panel, &job));
    for (int64_t i = distance->n - 1; i >= 0; i--)
        if (isnan(distance->panel[i / ROWS * ROWS * distance->d + i % ROWS])) {
            ++*without;
            *first = i;
        }
    return TG_OK;
}

void tg_distance_make(const struct tg_distance *distance, int64_t index, double *out)
{
    struct tg_block block = tg_block_at(distance->n, index);
    enum tg_tile_kernel kernel = tg_tile_kernel();
    int64_t d = distance->d;
    for (int64_t i = 0; i < block.rows; i += ROWS)
        for (int64_t j = 0; j < block.cols; j += ROWS) {
            double tile[ROWS * ROWS] = {0};
            tg_dapart(kernel, d, distance->panel + (block.row + i) * d,
                      distance->panel + (block.col + j) * d, tile);
            for (int k = 0; k < ROWS * ROWS; k++)
                out[(i + k / ROWS) * TG_BLOCK_EDGE + j + k % ROWS] =
                    distance->factor * tile[k];
        }
}

/* A selection among distances. */
struct search {
    const struct tg_distance *distance;
    const double *block;
    struct tg_selection selection;
};

static void make_distances(void *arg, int64_t index, double *part)
{
    const struct search *search = arg;
    if (search->block)
        memcpy(part, search->block + index * TG_BLOCK_SIZE, TG_BLOCK_SIZE * sizeof(*part));
    else
        tg_distance_make(search->distance, index, part);
}

static void count_distances(void *arg, int64_t index, const double *part)
{
    struct search *search = arg;
    struct tg_block block = tg_block_at(search->distance->n, index);
    for (int64_t i = 0; i < block.rows; i++)
        tg_selection_add(&search->selection, block.row == block.col ? (size_t)i
                                                                    : (size_t)block.cols,
                         part + i * TG_BLOCK_EDGE);
}

enum tg_err tg_distance_median(const struct tg_ctx *ctx, const struct tg_distance *distance,
                               const double *block, double *buffer, int64_t *count,
                               double *median)
{
    struct search search = {.distance = distance, .block = block};
    const struct tg_block_pass pass = {&search, TG_BLOCK_SIZE, make_distances,
                                       count_distances};
    int64_t pairs = distance->n * (distance->n - 1) / 2;
    tg_selection_start(&search.selection, (pairs - 1) / 2, count);
    do
        TG_TRY(tg_blocks_each(ctx, distance->n, &pass, buffer));
    while (!tg_selection_done(&search.selection));
    double low = sqrt(search.selection.value), high = sqrt(search.selection.next);
    *median = pairs % 2 ? low : (low + high) / 2;
    return TG_OK;
}
