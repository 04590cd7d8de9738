/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A layer's activations as an orthonormal basis and singular values.
 *
 * DESIGN. Every measure between two layers follows from M = U_a^T U_b and the singular
 * values, where X = U S V^T is the centred n x d matrix of a layer. So each layer is
 * decomposed once, however many pairs it is in. While cond(X) <= 1e5 the Gram route is
 * taken: X^T X = V S^2 V^T, U = X V S^-1, at a quarter of the cost of QR; its loss of
 * orthogonality, cond^2 eps, is measured and taken back by one Cholesky pass (Cholesky-QR2).
 * Beyond, and for a rank that has to be found, X = Q R and the singular vectors of R.
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

enum tg_basis_route { TG_ROUTE_NONE, TG_ROUTE_GRAM, TG_ROUTE_GRAM_TWICE, TG_ROUTE_QR };

/* What a basis has to hold beside its numbers. */
enum tg_basis_need {
    TG_BASIS_U = 1,   /* the orthonormal columns u */
    TG_BASIS_X = 2,   /* the centred layer x */
    TG_BASIS_ALL = 4  /* every direction within the rank, not only those a rule keeps */
};

struct tg_basis_options {
    double threshold;      /* of both rules, (0, 1] */
    double rank_tolerance; /* relative to the largest singular value; 0: max(n, d) eps */
    unsigned needs;        /* enum tg_basis_need */
};

struct tg_basis {
    const char *name;
    int64_t n, d;
    int64_t constant_units; /* columns that never change; they are left out */
    int64_t rank;
    int64_t k[TG_SVCCA_RULES];
    int64_t kept;           /* columns of u that are filled */
    double condition;       /* largest over smallest singular value within the rank */
    double orthogonality;   /* max |U^T U - I| over the kept columns */
    enum tg_basis_route route;
    double *u;              /* n x kept, leading dimension ldu; NULL without TG_BASIS_U */
    double *x;              /* n x columns, leading dimension d; NULL without TG_BASIS_X */
    size_t ldu;
    int64_t columns;        /* that change: d - constant_units */
    double scale;           /* x is the centred layer times this power of two */
    double *s;              /* d singular values, descending, 0 beyond the rank */
    double *row_norm2;      /* n squared norms of centred rows, in units of s[0]^2 */
};

/* Scratch for layers of up to n x d, shared by one layer after another. */
struct tg_basis_scratch {
    double *x;             /* n x d */
    double *a, *b, *c, *w; /* d x d each, d */
    double *peak;          /* d: largest |entry| of a column */
    int64_t *bad, *column; /* d: first non-finite row; the columns that change */
    double *work;
};

/* Doubles that work needs for tg_basis_make() on n x d. */
size_t tg_basis_work(int64_t n, int64_t d);

/*
 * Decompose `mat` into `basis`, whose name, n, d, s, row_norm2, u with ldu, and x or NULL
 * are set. A layer that
 * never changes has rank 0. TG_NUMERIC when an entry is not finite; the report names the
 * layer and the first such entry.
 */
TG_MUST_CHECK enum tg_err tg_basis_make(const struct tg_ctx *ctx, const struct tg_mat *mat,
                                        const struct tg_basis_options *options,
                                        const struct tg_basis_scratch *scratch,
                                        struct tg_basis *basis, struct tg_report *report);

const char *tg_basis_route_name(enum tg_basis_route route);

#endif
