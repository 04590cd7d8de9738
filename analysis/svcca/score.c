/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of similarities. */
#include "svcca/score.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    enum tg_svcca_measure measure;
    size_t offset;
} scores[TG_SCORES] = {
#define ROW(score, name, measure, field) \
    [score] = {name, measure, offsetof(struct tg_svcca_pair, field)}
    ROW(TG_SCORE_CCA, "cca", TG_SVCCA_CCA, cca_mean),
    ROW(TG_SCORE_CCA_SQUARED, "cca_mean_squared", TG_SVCCA_CCA, cca_mean_squared),
    ROW(TG_SCORE_SVCCA, "svcca", TG_SVCCA_SVCCA, svcca), /* of the rule: tg_score_of() */
    ROW(TG_SCORE_CKA, "cka", TG_SVCCA_CKA, cka),
    ROW(TG_SCORE_CKA_DEBIASED, "cka_debiased", TG_SVCCA_CKA_DEBIASED, cka_debiased),
    ROW(TG_SCORE_PWCCA, "pwcca", TG_SVCCA_PWCCA, pwcca),
    ROW(TG_SCORE_PROCRUSTES, "procrustes", TG_SVCCA_PROCRUSTES, procrustes),
    ROW(TG_SCORE_SHAPE, "shape", TG_SVCCA_SHAPE, shape),
    ROW(TG_SCORE_A_TO_B, "regression_a_to_b", TG_SVCCA_REGRESSION, r2_a_to_b),
    ROW(TG_SCORE_B_TO_A, "regression_b_to_a", TG_SVCCA_REGRESSION, r2_b_to_a),
    ROW(TG_SCORE_CKA_RBF, "cka_rbf", TG_SVCCA_CKA_RBF, cka_rbf),
    ROW(TG_SCORE_CKA_RBF_DEBIASED, "cka_rbf_debiased", TG_SVCCA_CKA_RBF_DEBIASED,
        cka_rbf_debiased),
    ROW(TG_SCORE_CKA_MINIBATCH, "cka_minibatch", TG_SVCCA_CKA_MINIBATCH, cka_minibatch),
    ROW(TG_SCORE_RSA_PEARSON, "rsa_pearson", TG_SVCCA_RSA_PEARSON, rsa_pearson),
    ROW(TG_SCORE_RSA_SPEARMAN, "rsa_spearman", TG_SVCCA_RSA_SPEARMAN, rsa_spearman),
    ROW(TG_SCORE_RSA_KENDALL, "rsa_kendall", TG_SVCCA_RSA_KENDALL, rsa_kendall),
    ROW(TG_SCORE_RSA_COSINE, "rsa_cosine", TG_SVCCA_RSA_COSINE, rsa_cosine),
    ROW(TG_SCORE_RSA_WHITENED, "rsa_whitened", TG_SVCCA_RSA_WHITENED, rsa_whitened),
    ROW(TG_SCORE_KNN, "knn", TG_SVCCA_KNN, knn),
#undef ROW
};

const char *tg_score_name(enum tg_score score)
{
    return scores[score].name;
}

enum tg_svcca_measure tg_score_measure(enum tg_score score)
{
    return scores[score].measure;
}

bool tg_score_asked(const struct tg_svcca_options *options, enum tg_score score)
{
    return options->measures >> scores[score].measure & 1;
}

double tg_score_of(const struct tg_svcca_options *options, const struct tg_svcca_pair *pair,
                   enum tg_score score)
{
    double x;
    if (score == TG_SCORE_SVCCA)
        return pair->svcca[options->rule];
    memcpy(&x, (const char *)pair + scores[score].offset, sizeof(x));
    return x;
}

struct tg_svcca_pair tg_svcca_pair_unknown(int64_t a, int64_t b)
{
    return (struct tg_svcca_pair){.a = a,
                                  .b = b,
                                  .cca_mean = NAN,
                                  .cca_mean_squared = NAN,
                                  .null_cca_mean_squared = NAN,
                                  .svcca = {NAN, NAN},
                                  .cka = NAN,
                                  .cka_debiased = NAN,
                                  .pwcca = NAN,
                                  .pwcca_a = NAN,
                                  .pwcca_b = NAN,
                                  .procrustes = NAN,
                                  .shape = NAN,
                                  .r2_a_to_b = NAN,
                                  .r2_b_to_a = NAN,
                                  .cka_rbf = NAN,
                                  .cka_rbf_debiased = NAN,
                                  .cka_minibatch = NAN,
                                  .rsa_pearson = NAN,
                                  .rsa_spearman = NAN,
                                  .rsa_kendall = NAN,
                                  .rsa_kendall_a = NAN,
                                  .rsa_cosine = NAN,
                                  .rsa_whitened = NAN,
                                  .knn = NAN};
}
