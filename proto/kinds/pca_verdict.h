/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict of the kind pca: what the null models say, as values, arrays and figures. */
#ifndef TG_KINDS_PCA_VERDICT_H
#define TG_KINDS_PCA_VERDICT_H

#include "pca/verdict.h"

#include "proto/kind.h"
#include "proto/result.h"

/* Rows for the table of outputs. */
#define PCA_VERDICT_OUTPUTS                                                              \
    {TG_OUT_VALUE, "verdict", "string", "",                                              \
     "In a sentence or two: what a walk would have shown, and whether any null model "   \
     "explains the path."},                                                              \
    {TG_OUT_VALUE, "explained_by", "string", "",                                         \
     "The plainest null model whose first five ratios lie within three bands of the "    \
     "measured ones; \"none\" when there is none. Of those that do, walk comes first, "  \
     "then walk_steps, then that of lowest AIC."},                                       \
    {TG_OUT_VALUE, "most_likely_model", "string", "",                                    \
     "The null model of lowest AIC, from the likelihood of the steps' Gram matrix."},    \
    {TG_OUT_VALUE, "d_eff_noise", "number", "",                                          \
     "Effective dimensions of the noise, from the cosines of the most likely model's "   \
     "innovations; bands, AIC and intervals use it."},                                   \
    {TG_OUT_VALUE, "models", "array", "",                                                \
     "One row a null model, fitted by maximum likelihood: model, explains, worst (most " \
     "bands that one of the first five ratios is away), ratio_1 and band_1, ratio_2, "   \
     "parameters, log_likelihood (of one effective dimension, less that of walk), aic "  \
     "(less the lowest), and with their 95 % profile intervals (_lo, _hi) momentum, "    \
     "alpha (pull back to the minimum) and shared (variance of what all steps have in "  \
     "common over that of their noise; for a drift mu |mu|^2 / (d sigma^2)). For a "     \
     "trap also radius, that of the shell on which the walk ends up, start (distance "   \
     "of the first point from the minimum), and at_radius (rms distance in the last "    \
     "quarter over radius)."},                                                           \
    {TG_OUT_VALUE, "shapes", "array", "",                                                \
     "One row a component: k, step_overlap (cosine of the scores with those of a walk "  \
     "with the measured step lengths), chebyshev_r2 (of the scores over the Chebyshev "  \
     "graph T_k of the first ones) and lissajous_r2 (share of the variance of the first "\
     "and k-th component on the Lissajous curve of a walk); all are 1 for a walk in "    \
     "infinitely many dimensions."},                                                     \
    {TG_OUT_ARRAY, "expected_distance", "float64", "n",                                  \
     "Root mean squared distance from the start in the most likely model."},             \
    {TG_OUT_FIGURE, "path_1_2", "", "",                                                  \
     "The path in components 1 and 2 over the Lissajous curve of a walk with the "       \
     "measured step lengths."},                                                          \
    {TG_OUT_FIGURE, "path_1_3", "", "", "The same in components 1 and 3."},              \
    {TG_OUT_FIGURE, "path_2_3", "", "", "The same in components 2 and 3."}

/* Put all of it into the result, with the figures of ratios and of distances. */
void pca_put_verdict(const struct tg_pca *pca, const struct tg_verdict *verdict,
                     struct tg_result *result);

#endif
