/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A layer's activations: centred, and as much of a decomposition as is asked for.
 *
 * DESIGN. Every measure between two layers follows from the product of their centred
 * matrices, n x d each, or of their orthonormal bases: X = U F, M = U_a^T U_b. So each layer
 * is decomposed once, however many pairs it is in, and only as far as its readers need:
 *   nothing                    centred rows and their norms; CKA and Procrustes ask no more
 *   TG_BASIS_WHITE             G = X^T X = L L^T; U = X L^-T is never formed, for
 *                              M = L_a^-1 X_a^T X_b L_b^-T
 *   TG_BASIS_S                 G = V S^2 V^T, all singular values, V for what is kept
 *   TG_BASIS_U, or not ALL     U itself, by one product: leading columns make pairs cheap
 * The Gram routes lose cond^2 eps of a correlation. While that is below 1e-8 U stays unformed
 * (`error` tells); while cond <= 1e5 it is formed, its loss of orthogonality is measured and
 * taken back by one Cholesky pass (Cholesky-QR2); beyond, and for a rank that has to be
 * found, X = Q R and the singular vectors of R.
 */
#ifndef TG_SVCCA_BASIS_H
#define TG_SVCCA_BASIS_H

#include "core/ctx.h"
#include "core/mat.h"

/* How many leading directions of a layer hold `threshold` of it. */
enum tg_svcca_rule {
    TG_SVCCA_VARIANCE, /* of the sum of squared singular values */
    TG_SVCCA_SV_SUM,   /* of the sum of singular values, as in the paper's appendix */
    TG_SVCCA_RULES
};

enum tg_basis_route {
    TG_ROUTE_NONE,       /* not decomposed */
    TG_ROUTE_CHOLESKY,
    TG_ROUTE_GRAM,
    TG_ROUTE_GRAM_TWICE,
    TG_ROUTE_QR
};

/* What a basis has to hold beside its numbers. */
enum tg_basis_need {
    TG_BASIS_U = 1,      /* the orthonormal columns u */
    TG_BASIS_X = 2,      /* the centred layer x */
    TG_BASIS_ALL = 4,    /* every direction within the rank, not only those a rule keeps */
    TG_BASIS_S = 8,      /* singular values, and both k */
    TG_BASIS_WHITE = 16, /* that M can be made, in whatever way is cheapest */
    TG_BASIS_F = 32,     /* f = U^T X; with TG_BASIS_S or TG_BASIS_U it is S V^T */
    TG_BASIS_GRAM = 64,  /* gram_norm2 */
    TG_BASIS_PRODUCT = 128 /* X_a^T X_b: x, or u with all of s */
};

struct tg_basis_options {
    double threshold;      /* of both rules, (0, 1] */
    double rank_tolerance; /* relative to the largest singular value; 0: max(n, d) eps */
    unsigned needs;        /* enum tg_basis_need */
    unsigned rules;        /* bits of enum tg_svcca_rule: whose k directions are kept */
};

/*
 * Lengths and norms of x, f and gram are those of the centred layer times `scale`, a power
 * of two that makes squares safe; s is in the layer's own units.
 */
struct tg_basis {
    const char *name;
    int64_t n, d;
    int64_t constant_units; /* columns that never change; they are left out */
    int64_t columns;        /* that change: d - constant_units */
    double scale;
    double norm2;           /* ||X||_F^2 */
    double gram_norm2;      /* ||X^T X||_F^2; NaN without TG_BASIS_GRAM */
    double *x_row2;         /* n squared norms of the rows of x */
    int64_t rank;           /* 0: never changes; -1: not decomposed, not known */
    int64_t k[TG_SVCCA_RULES]; /* 0 without singular values */
    int64_t kept;           /* directions: columns of u, rows of f and of m */
    double condition;       /* largest over smallest singular value within the rank; NaN
                               when not decomposed; an estimate on the route Cholesky */
    double error;           /* about the most that a correlation is wrong by */
    double orthogonality;   /* max |U^T U - I|; NaN when u was not formed */
    enum tg_basis_route route;
    double *x;              /* n x columns, leading dimension d; may be NULL */
    double *u;              /* n x kept, leading dimension ldu; NULL when not formed */
    size_t ldu;
    double *s;              /* d singular values, descending, 0 beyond the rank */
    double *w;              /* without u: columns x kept, U = X W; on the route Cholesky
                               L (columns x columns), U = X L^-T */
    double *f;              /* kept x columns, leading dimension columns; may be NULL */

    /* Memory that the above is put into: n x d, n x max_kept, d x d, d x d, or NULL. */
    struct tg_basis_memory { double *x, *u, *w, *f; int64_t max_kept; } memory;
};

/* Scratch for layers of up to n x d, shared by one layer after another. */
struct tg_basis_scratch {
    double *x;             /* n x d */
    double *a, *b, *c, *w; /* d x d each, d */
    double *shift, *mean;  /* d: the first row, and the mean of all rows less that */
    double *peak;          /* d: largest distance from the first row */
    int64_t *column;       /* d: the columns that change */
    double *work;
};

/* Doubles that work needs for n x d and what is needed. */
size_t tg_basis_work(int64_t n, int64_t d, unsigned needs);

/* Which memory a layer with these needs is to be given. */
struct tg_basis_takes { bool x, u, w, f; };
struct tg_basis_takes tg_basis_takes(unsigned needs);

/*
 * Centre `mat` into `basis`, whose name, n, d, s, x_row2 and memory are set; x then is the
 * centred layer until the basis is decomposed. A layer that never changes has rank 0.
 * TG_NUMERIC when an entry is not finite; the report names the layer and the first one.
 */
TG_MUST_CHECK enum tg_err tg_basis_centre(const struct tg_ctx *ctx, const struct tg_mat *mat,
                                          const struct tg_basis_scratch *scratch,
                                          struct tg_basis *basis, struct tg_report *report);

/*
 * Decompose a centred basis. `key` names the contents of the layer for what is kept and
 * recalled (core/ctx.h); NULL: nothing is. TG_TOO_LARGE_JOB when more than memory.max_kept
 * directions have to be kept; the report tells how many.
 */
TG_MUST_CHECK enum tg_err tg_basis_decompose(const struct tg_ctx *ctx,
                                             const struct tg_basis_options *options,
                                             const struct tg_basis_scratch *scratch,
                                             const char *key, struct tg_basis *basis,
                                             struct tg_report *report);

/*
 * The singular values of a centred basis with columns, in units of the scaled x, descending
 * in s[columns]; x stays as it is unless it is scratch->x. By X^T X where its condition
 * allows, else by X = Q R. n d^2 FLOPs and O(d^3).
 */
TG_MUST_CHECK enum tg_err tg_basis_values(const struct tg_ctx *ctx,
                                          const struct tg_basis_scratch *scratch,
                                          const struct tg_basis *basis, double *s);

/*
 * M = U_a^T U_b (a->kept x b->kept) into scratch->a, whether or not the two are formed;
 * `product`: X_a^T X_b if the caller has it, in scratch->b, or NULL. Overwrites scratch->b
 * and c.
 */
TG_MUST_CHECK enum tg_err tg_basis_product(const struct tg_ctx *ctx, const struct tg_basis *a,
                                           const struct tg_basis *b, const double *product,
                                           const struct tg_basis_scratch *scratch);

const char *tg_basis_route_name(enum tg_basis_route route);

#endif
