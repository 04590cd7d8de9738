/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streamed Gram matrices: chunks of columns packed by panels of rows, multiplied by tiles. */
#include "pca/gram.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    ROWS = TG_PANEL_ROWS,
    TILE = ROWS * ROWS,
    SPAN = 256,       /* columns that are read and packed at a time */
    PIECE = 4 * SPAN, /* columns of one stretch of work */
    LD = SPAN + 16,   /* keeps rows off the same cache sets */
    POLL_TILES = 512
};

/* What a slot's sums end with. */
enum { IS_SINGLE, NEXT_TENSOR, NEXT_COLUMN, FROM_PANEL, IS_DONE, STATE = 16 };

static const double chunk_bytes = 8 << 20; /* of packed columns */
static const double worth_keeping = 1 << 20; /* bytes of data */
/* Sums are kept after so much work by the clock of pass(): what a crash may cost. To keep a
 * byte may take a twentieth of what it saves. */
static const double keep_seconds = 0.25, keep_byte_seconds = 20 / 1e9;

struct stream {
    const struct tg_ctx *ctx;
    const struct tg_walk_data *data;
    struct tg_gram *gram;
    int64_t reference;
    double done, total;        /* bytes of data */
    double unsaved;            /* seconds of work since the slot was last kept */
    /* the slot */
    int64_t first, end;        /* its tensors */
    int64_t from;              /* panel of the first row that is wanted */
    double *sums, *step2, *same, *state;
    /* the chunk */
    int64_t tensor, column, n, pieces, strips;
    void *packed;
    double *step_part, *same_part; /* pieces x rows */
};

/* The plan --------------------------------------------------------------------------- */

static size_t slot_doubles(int64_t panels)
{
    return (size_t)(panels * (panels + 1) / 2 * TILE + 2 * ROWS * panels + STATE);
}

/*
 * Where the points outnumber the dimensions twice, products cost less than all the rest, and
 * in double they leave the Gram matrix its rank (pca.c).
 */
static bool is_single(const struct tg_walk_data *data, int64_t tensor)
{
    return 2 * data->d > data->t && tg_walk_is_single(data, tensor);
}

/* Whether two names agree in their first `depth` components. */
static bool share_components(const char *a, const char *b, int depth)
{
    for (; depth > 0; a++, b++) {
        bool ends_a = !*a || *a == '.' || *a == '/', ends_b = !*b || *b == '.' || *b == '/';
        if (ends_a && ends_b && --depth == 0)
            return true;
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
    return true;
}

int64_t tg_gram_slot_end(const struct tg_gram_plan *plan, const struct tg_walk_data *data,
                         int64_t first)
{
    const struct tg_walk_tensor *a = &data->tensor[first];
    int64_t end = first + 1;
    for (; end < data->ntensors && plan->depth < INT_MAX; end++) {
        const struct tg_walk_tensor *b = &data->tensor[end];
        if (b->index != b[-1].index + 1 || b->weight != a->weight ||
            is_single(data, end) != is_single(data, first) ||
            !share_components(a->name, b->name, plan->depth))
            break;
    }
    return end;
}

static int64_t count_slots(const struct tg_gram_plan *plan, const struct tg_walk_data *data)
{
    int64_t n = 0;
    for (int64_t i = 0; i < data->ntensors; i = tg_gram_slot_end(plan, data, i))
        n++;
    return n;
}

static int most_components(const struct tg_walk_data *data)
{
    int most = 1;
    for (int64_t i = 0; i < data->ntensors; i++) {
        int n = 1;
        for (const char *c = data->tensor[i].name; *c; c++)
            n += *c == '.' || *c == '/';
        most = n > most ? n : most;
    }
    return most;
}

struct tg_gram_plan tg_gram_plan(const struct tg_walk_data *data)
{
    struct tg_gram_plan plan = {.t = data->t,
                                .panels = (data->t + ROWS - 1) / ROWS,
                                .depth = INT_MAX,
                                .pieces = 1,
                                .kernel = tg_tile_kernel()};
    int64_t longest = 0;
    plan.tiles = plan.panels * (plan.panels + 1) / 2;
    plan.slot = slot_doubles(plan.panels);
    plan.nslots = data->ntensors;
    double room = fmax((double)TG_GRAM_BYTES / (8 * (double)plan.slot), 1);
    if ((double)plan.nslots > room)
        plan.depth = most_components(data);
    while ((double)plan.nslots > room && plan.depth >= 0) {
        plan.nslots = count_slots(&plan, data);
        plan.depth -= (double)plan.nslots > room;
    }
    plan.depth = plan.depth < 0 ? 0 : plan.depth;
    for (int64_t i = 0; i < data->ntensors; i++)
        longest = data->tensor[i].n > longest ? data->tensor[i].n : longest;
    double piece = (double)plan.panels * ROWS * PIECE * 8;
    while ((double)(plan.pieces + 1) * piece <= chunk_bytes &&
           plan.pieces * 2 * PIECE < longest)
        plan.pieces++;
    plan.work = (size_t)(plan.pieces * plan.panels * ROWS) * (PIECE + 2 * 2);
    return plan;
}

/* One chunk: steps from the values as stored, differences from the reference packed -------- */

/* Panel i mod `panels` in piece i / panels. */
#define DEFINE_PACK(name, real, read, step, pack)                                         \
    static enum tg_err name(void *arg, int64_t i, unsigned lane)                          \
    {                                                                                     \
        (void)lane;                                                                       \
        const struct stream *s = arg;                                                     \
        const struct tg_gram_plan *plan = &s->gram->plan;                                 \
        int64_t piece = i / plan->panels, panel = i % plan->panels, row = panel * ROWS;   \
        int64_t count = plan->t - row < ROWS ? plan->t - row : ROWS, before = row > 0;    \
        real x[(ROWS + 1) * LD], origin[LD], *rows = x + LD;                              \
        double *step2 = s->step_part + piece * plan->panels * ROWS + row;                 \
        double *same = s->same_part + piece * plan->panels * ROWS + row;                  \
        memset(step2, 0, ROWS * sizeof(*step2));                                          \
        memset(same, 0, ROWS * sizeof(*same));                                            \
        real *to = (real *)s->packed + (piece * plan->panels + panel) * ROWS * PIECE;     \
        int64_t end = s->n < (piece + 1) * PIECE ? s->n : (piece + 1) * PIECE;            \
        for (int64_t at = piece * PIECE; at < end; at += SPAN, to += ROWS * SPAN) {       \
            int64_t n = end - at < SPAN ? end - at : SPAN;                                \
            read(s->data, s->tensor, row - before, count + before, s->column + at, n,     \
                 rows - before * LD, LD);                                                 \
            read(s->data, s->tensor, s->reference, 1, s->column + at, n, origin, LD);     \
            for (int64_t r = 1 - before; r < count && panel >= s->from; r++)              \
                step2[r] += step(plan->kernel, n, rows + (r - 1) * LD, rows + r * LD,     \
                                 &same[r]);                                               \
            for (int64_t r = count; r < ROWS; r++)                                        \
                memcpy(rows + r * LD, origin, (size_t)n * sizeof(*origin));               \
            pack(plan->kernel, n, rows, LD, origin, to);                                  \
        }                                                                                 \
        return TG_OK;                                                                     \
    }

DEFINE_PACK(pack_single, float, tg_walk_read_f32, tg_sstep, tg_spack)
DEFINE_PACK(pack_double, double, tg_walk_read_f64, tg_dstep, tg_dpack)

/* Its products: a strip of neighbouring tiles, piece after piece. */
#define DEFINE_MULTIPLY(name, real, multiply)                                             \
    static enum tg_err name(void *arg, int64_t i, unsigned lane)                          \
    {                                                                                     \
        (void)lane;                                                                       \
        const struct stream *s = arg;                                                     \
        const struct tg_gram_plan *plan = &s->gram->plan;                                 \
        int64_t skipped = s->from * (s->from + 1) / 2, count = plan->tiles - skipped;     \
        int64_t low = skipped + count * i / s->strips;                                    \
        int64_t high = skipped + count * (i + 1) / s->strips;                             \
        for (int64_t piece = 0; piece < s->pieces; piece++) {                             \
            const real *x = (const real *)s->packed + piece * plan->panels * ROWS * PIECE; \
            int64_t k = s->n - piece * PIECE < PIECE ? s->n - piece * PIECE : PIECE;      \
            int64_t row = tg_tile_row(low), column = low - row * (row + 1) / 2;           \
            for (int64_t tile = low; tile < high; tile++) {                               \
                if ((tile - low) % POLL_TILES == 0)                                       \
                    TG_TRY(tg_ctx_poll(s->ctx));                                          \
                multiply(plan->kernel, k, x + row * ROWS * PIECE,                         \
                         x + column * ROWS * PIECE, s->sums + tile * TILE);               \
                if (column++ == row) {                                                    \
                    row++;                                                                \
                    column = 0;                                                           \
                }                                                                         \
            }                                                                             \
        }                                                                                 \
        return TG_OK;                                                                     \
    }

DEFINE_MULTIPLY(multiply_single, float, tg_stile)
DEFINE_MULTIPLY(multiply_double, double, tg_dtile)

static enum tg_err take_chunk(struct stream *s)
{
    const struct tg_gram_plan *plan = &s->gram->plan;
    bool single = s->state[IS_SINGLE] > 0;
    int64_t rows = plan->panels * ROWS;
    int64_t tiles = plan->tiles - s->from * (s->from + 1) / 2;
    s->pieces = (s->n + PIECE - 1) / PIECE;
    s->strips = tiles < 4 * (int64_t)s->ctx->lanes ? tiles : 4 * (int64_t)s->ctx->lanes;
    TG_TRY(tg_ctx_parallel(s->ctx, s->pieces * plan->panels,
                           single ? pack_single : pack_double, s));
    TG_TRY(tg_ctx_parallel(s->ctx, s->strips, single ? multiply_single : multiply_double, s));
    for (int64_t piece = 0; piece < s->pieces; piece++)
        for (int64_t i = s->from * ROWS; i < rows; i++) {
            s->step2[i] += s->step_part[piece * rows + i];
            s->same[i] += s->same_part[piece * rows + i];
        }
    return TG_OK;
}

/* What was kept ---------------------------------------------------------------------- */

static bool is_kept(const struct stream *s)
{
    return s->data->prefix && s->total >= worth_keeping;
}

static void key_of(const struct stream *s, int64_t file, char *key)
{
    const struct tg_walk_tensor *tensor = s->data->tensor;
    snprintf(key, TG_KEY_MAX,
             "pca gram v2 %s ref=%" PRId64 " tensors=%" PRId64 "-%" PRId64 " kernel=%d",
             s->data->prefix[file], s->reference, tensor[s->first].index,
             tensor[s->end - 1].index, (int)s->gram->plan.kernel);
}

static void keep(struct stream *s)
{
    char key[TG_KEY_MAX];
    if (!is_kept(s))
        return;
    s->state[FROM_PANEL] = (double)s->from;
    key_of(s, s->data->nfiles - 1, key);
    tg_ctx_keep(s->ctx, key, s->sums, s->gram->plan.slot * sizeof(*s->sums));
    s->unsaved = 0;
}

/* Nothing is known of rows from panel `from` on. */
static void begin(struct stream *s, int64_t from, bool single)
{
    int64_t known = from * (from + 1) / 2 * TILE, rows = s->gram->plan.panels * ROWS;
    memset(s->sums + known, 0, (size_t)(s->step2 - s->sums - known) * sizeof(*s->sums));
    memset(s->step2 + from * ROWS, 0, (size_t)(rows - from * ROWS) * sizeof(*s->sums));
    memset(s->same + from * ROWS, 0, (size_t)(rows - from * ROWS) * sizeof(*s->sums));
    memset(s->state, 0, STATE * sizeof(*s->state));
    s->from = from;
    s->state[IS_SINGLE] = single;
    s->state[NEXT_TENSOR] = (double)s->first;
}

/*
 * The finished sums of the longest beginning of the trajectory that has some, in the
 * precision that all of it begins with. Tiles of fewer rows are the first tiles of more.
 */
static bool recall_prefix(struct stream *s, bool single)
{
    char key[TG_KEY_MAX];
    for (int64_t f = s->data->nfiles - 2; f >= 0 && s->data->first[f + 1] > s->reference; f--) {
        int64_t t = s->data->first[f + 1], panels = (t + ROWS - 1) / ROWS, rows = panels * ROWS;
        size_t n = slot_doubles(panels);
        key_of(s, f, key);
        if (!tg_ctx_recall(s->ctx, key, s->sums, n * sizeof(*s->sums)))
            continue;
        const double *step2 = s->sums + panels * (panels + 1) / 2 * TILE;
        const double *state = step2 + 2 * rows;
        if (state[IS_DONE] == 0 || (state[IS_SINGLE] > 0) != single)
            continue;
        memmove(s->same, step2 + rows, (size_t)rows * sizeof(*step2));
        memmove(s->step2, step2, (size_t)rows * sizeof(*step2));
        begin(s, t / ROWS, single);
        return true;
    }
    return false;
}

static void recall(struct stream *s, bool single)
{
    char key[TG_KEY_MAX];
    if (is_kept(s) && s->ctx->recall) {
        key_of(s, s->data->nfiles - 1, key);
        if (tg_ctx_recall(s->ctx, key, s->sums, s->gram->plan.slot * sizeof(*s->sums))) {
            s->from = (int64_t)s->state[FROM_PANEL];
            return;
        }
        if (recall_prefix(s, single))
            return;
    }
    begin(s, 0, single);
}

/* A slot ----------------------------------------------------------------------------- */

static int64_t chunk_columns(const struct stream *s)
{
    int64_t most = s->gram->plan.pieces * PIECE * (s->state[IS_SINGLE] > 0 ? 2 : 1);
    int64_t rest = s->data->tensor[s->tensor].n - s->column;
    return rest < most ? rest : most;
}

/* What was kept of the slot counts as done. */
static void skip_known(struct stream *s)
{
    int64_t next = (int64_t)s->state[NEXT_TENSOR];
    for (int64_t i = s->first; i < next; i++)
        s->done += tg_walk_column_bytes(s->data, i) * (double)s->data->tensor[i].n;
    if (next < s->end)
        s->done += tg_walk_column_bytes(s->data, next) * s->state[NEXT_COLUMN];
}

/* Bits are those of a pass that never stopped: chunks begin at multiples of their length. */
static enum tg_err pass(struct stream *s)
{
    double t = (double)s->data->t, rate = 4e10 * (double)s->ctx->lanes;
    double block = fmax(keep_seconds, keep_byte_seconds * 8 * (double)s->gram->plan.slot);
    int64_t column = (int64_t)s->state[NEXT_COLUMN];
    skip_known(s);
    for (s->tensor = (int64_t)s->state[NEXT_TENSOR]; s->tensor < s->end; s->tensor++) {
        double bytes = tg_walk_column_bytes(s->data, s->tensor);
        for (s->column = column; s->column < s->data->tensor[s->tensor].n; s->column += s->n) {
            s->n = chunk_columns(s);
            TG_TRY(take_chunk(s));
            double n = (double)s->n;
            s->gram->bytes_read += bytes * n;
            tg_ctx_was_read(s->ctx, bytes * n);
            s->done += bytes * n;
            s->unsaved += t * t * n / rate + bytes * n / 2e9;
            tg_ctx_progress(s->ctx, "reading", fmin(s->done, s->total), s->total, "bytes");
            if (s->unsaved > block) {
                s->state[NEXT_TENSOR] = (double)s->tensor;
                s->state[NEXT_COLUMN] = (double)(s->column + s->n);
                keep(s);
            }
        }
        column = 0;
    }
    return TG_OK;
}

/* The first point whose displacement is not finite; T when all are. */
static int64_t first_bad(const struct stream *s)
{
    for (int64_t i = 0; i < s->data->t; i++) {
        int64_t panel = i / ROWS;
        double square = s->sums[(panel * (panel + 3) / 2) * TILE + i % ROWS * (ROWS + 1)];
        if (!isfinite(square) || !isfinite(s->step2[i]))
            return i;
    }
    return s->data->t;
}

/* Whether squares of displacements may have been lost below single precision's range. */
static bool too_small(const struct stream *s)
{
    double most = 0, n = 0;
    for (int64_t i = s->first; i < s->end; i++)
        n += (double)s->data->tensor[i].n;
    for (int64_t i = 0; i < s->data->t; i++) {
        int64_t panel = i / ROWS;
        most = fmax(most, s->sums[(panel * (panel + 3) / 2) * TILE + i % ROWS * (ROWS + 1)]);
    }
    return most < 1e-28 * n;
}

/* The first non-finite entry of a point in the slot, if there is one. */
static enum tg_err require_finite(const struct stream *s, int64_t row, struct tg_report *report)
{
    double x[SPAN];
    for (int64_t tensor = s->first; tensor < s->end; tensor++) {
        const struct tg_walk_tensor *it = &s->data->tensor[tensor];
        for (int64_t col = 0; col < it->n; col += SPAN) {
            int64_t n = it->n - col < SPAN ? it->n - col : SPAN;
            TG_TRY(tg_ctx_poll(s->ctx));
            tg_walk_read_f64(s->data, tensor, row, 1, col, n, x, SPAN);
            tg_ctx_was_read(s->ctx, sizeof(double) * (double)n);
            for (int64_t j = 0; j < n; j++)
                if (!isfinite(x[j]))
                    return tg_fault_add(report, TG_NUMERIC, NULL,
                                        "The trajectory holds NaN or infinity, first in "
                                        "point %lld at coordinate %lld%s%s.",
                                        (long long)row, (long long)(col + j),
                                        *it->name ? " of " : "", it->name);
        }
    }
    return TG_OK;
}

static enum tg_err explain_bad(const struct stream *s, int64_t bad, struct tg_report *report)
{
    if (bad > 0)
        TG_TRY(require_finite(s, bad - 1, report));
    TG_TRY(require_finite(s, bad, report));
    return require_finite(s, s->reference, report);
}

static enum tg_err take_slot(struct stream *s, struct tg_report *report)
{
    double *sums = s->sums, bytes = 0;
    int64_t bad;
    s->step2 = sums + s->gram->plan.tiles * TILE;
    s->same = s->step2 + s->gram->plan.panels * ROWS;
    s->state = s->same + s->gram->plan.panels * ROWS;
    for (int64_t i = s->first; i < s->end; i++)
        bytes += tg_walk_column_bytes(s->data, i) * (double)s->data->tensor[i].n;
    double done = s->done + bytes;
    recall(s, is_single(s->data, s->first));
    if (s->state[IS_DONE] > 0) {
        s->done = done;
        return TG_OK;
    }
    TG_TRY(pass(s));
    bad = first_bad(s);
    if (bad < s->data->t)
        TG_TRY(explain_bad(s, bad, report));
    if (s->state[IS_SINGLE] > 0 && (bad < s->data->t || too_small(s))) {
        begin(s, 0, false);
        TG_TRY(pass(s));
        bad = first_bad(s);
    }
    if (bad < s->data->t)
        return tg_fault_add(report, TG_NUMERIC, NULL,
                            "Point %lld lies further away than double precision holds; "
                            "scale the trajectory down.",
                            (long long)bad);
    s->done = done;
    s->state[IS_DONE] = 1;
    keep(s);
    return TG_OK;
}

enum tg_err tg_gram_stream(const struct tg_ctx *ctx, const struct tg_walk_data *data,
                           int64_t reference, double *work, struct tg_gram *gram,
                           struct tg_report *report)
{
    gram->plan = tg_gram_plan(data);
    gram->bytes_read = 0;
    const struct tg_gram_plan *plan = &gram->plan;
    int64_t rows = plan->panels * ROWS;
    struct stream s = {.ctx = ctx, .data = data, .gram = gram, .reference = reference};
    s.packed = work;
    s.step_part = work + plan->pieces * rows * PIECE;
    s.same_part = s.step_part + 2 * plan->pieces * rows;
    for (int64_t i = 0; i < data->ntensors; i++)
        s.total += tg_walk_column_bytes(data, i) * (double)data->tensor[i].n;
    for (int64_t slot = 0; s.first < data->ntensors; slot++, s.first = s.end) {
        s.end = tg_gram_slot_end(plan, data, s.first);
        s.sums = gram->sums + (size_t)slot * plan->slot;
        TG_TRY(tg_ctx_poll(ctx));
        TG_TRY(take_slot(&s, report));
    }
    return TG_OK;
}

/* Reading ---------------------------------------------------------------------------- */

double tg_gram_at(const struct tg_gram *gram, int64_t slot, int64_t i, int64_t j)
{
    int64_t row = i > j ? i : j, column = i > j ? j : i, panel = row / ROWS;
    const double *sums = gram->sums + (size_t)slot * gram->plan.slot;
    int64_t tile = panel * (panel + 1) / 2 + column / ROWS;
    return sums[tile * TILE + row % ROWS * ROWS + column % ROWS];
}

const double *tg_gram_step2(const struct tg_gram *gram, int64_t slot)
{
    return gram->sums + (size_t)slot * gram->plan.slot + gram->plan.tiles * TILE;
}

const double *tg_gram_unchanged(const struct tg_gram *gram, int64_t slot)
{
    return tg_gram_step2(gram, slot) + gram->plan.panels * ROWS;
}

bool tg_gram_is_single(const struct tg_gram *gram, int64_t slot)
{
    return tg_gram_unchanged(gram, slot)[gram->plan.panels * ROWS + IS_SINGLE] > 0;
}
