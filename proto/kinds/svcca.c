/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job kind svcca: its tables, and the way of a job. */
#include "proto/kinds/svcca_kind.h"

#include <math.h>
#include <stdio.h>

enum { MAX_LAYERS = 512 };

/* The parts of a job beside its scores; their places are those of their states. */
static const struct svcca_part *const parts[] = {
    &svcca_classes_part,
    &svcca_directions_part,
    &svcca_dynamics_part,
    &svcca_head_part,
    &svcca_influence_part,
    &svcca_intervals_part,
    &svcca_peers_part,
    &svcca_samples_part, /* says how large tables are, which permutations need */
    &svcca_permutations_part,
    &svcca_significance_part,
    &svcca_units_part,
    NULL,
};

const char *const svcca_measure_names[] = {
    "cca",    "svcca",      "cka",   "cka_debiased",
    "pwcca", "procrustes", "shape", "regression",
    "cka_rbf", "cka_rbf_debiased", "cka_minibatch", "rsa_pearson",
    "rsa_spearman", "rsa_kendall", "rsa_cosine", "rsa_whitened", "knn", NULL};
static const char *const rules[] = {"variance", "sv_sum", NULL};
static const char *const pwcca_weights[] = {"mean", "first", NULL};
static const char *const pairs[] = {"all", "same_layer", "final", "across_models", NULL};

static const struct tg_param params[] = {
    TG_P_ENUM_LIST(
        struct svcca_params, measures, svcca_measure_names,
        "[\"cca\", \"svcca\", \"cka\", \"cka_debiased\"]",
        "Which measures to compute. Only what they need is made: CKA and Procrustes need no "
        "decomposition, SVCCA alone only the leading directions of each layer."),
    TG_P_REAL(struct svcca_params, threshold, 1e-6, 1, "0.99", "",
              "Share of a layer that the directions kept by SVCCA hold, by either rule. "
              "1 keeps every direction and makes SVCCA equal to CCA."),
    TG_P_ENUM(
        struct svcca_params, rule, rules, "\"variance\"",
        "What `threshold` is a share of in `svcca`: the variance (squared singular values) "
        "or the sum of singular values, as in the paper's appendix. The directions that "
        "either keeps are always reported."),
    TG_P_BOOL(struct svcca_params, both_rules, "false",
              "Score SVCCA by the other rule as well. The sum of singular values keeps many "
              "more directions and so costs more."),
    TG_P_REAL(struct svcca_params, rank_tolerance, 0, 0.5, "0", "",
              "Singular values below this share of the largest count as zero. 0 means "
              "max(n, d) times the machine epsilon."),
    TG_P_ENUM(
        struct svcca_params, layout, svcca_layout_names, "\"auto\"",
        "What the axes of the layers are: nd (samples, units), ntd (samples, steps, units), "
        "nchw (samples, channels, height, width), nhwc (samples, height, width, channels). "
        "Arrays of two axes are (samples, units) in any layout; auto takes no others, and "
        "none with more units than samples, which are mostly transposed."),
    TG_P_ENUM(
        struct svcca_params, reduction, svcca_reduction_names, "\"flatten\"",
        "What becomes of the positions (steps, or places in an image) of layers that have "
        "some: flatten makes a unit at each position a unit of its own, samples makes each "
        "position of a sample a sample, mean takes the mean over positions. dft compares "
        "Fourier coefficients frequency by frequency, each samples x units, which is what "
        "flatten gives where data are closed under (circular) translation, and much cheaper; "
        "`off_block` in quality tells how far they are from it. Maps of other sizes are "
        "compared on the frequencies that both have, those below the Nyquist frequency of "
        "the smaller; layers of two axes have frequency 0 alone. Not with pwcca, nor with "
        "what is made of whole layers: directions, influence, permutations, compare_with."),
    TG_P_ENUM_LIST(
        struct svcca_params, compare_with, svcca_peer_names, "[]",
        "Also tell what other programs print for the same pairs, and why it differs: "
        "google/svcca (cca_core and pwcca), anatome, ReSi, and the notebook of Kornblith et "
        "al. (whose kernel takes our `rbf_bandwidth`). Takes up to five times as long as the "
        "job alone."),
    TG_P_REAL(struct svcca_params, google_epsilon, 0, 1, "1e-10", "",
              "The epsilon of google/svcca that `compare_with` takes; its tutorial's is "
              "1e-10, its default 0."),
    TG_P_BOOL(struct svcca_params, influence, "false",
              "Also compute linear CKA without each sample in turn, to find the samples that "
              "a score hangs on. Costs about as much as the pairs themselves."),
    TG_P_INT(struct svcca_params, return_directions, 0, 100, "0", "",
             "How many leading SVCCA directions of each pair to return: variates, "
             "coefficients, loadings and explained variance. With a `threshold` of 1 they are "
             "those of CCA."),
    TG_P_ENUM(struct svcca_params, pwcca_weights, pwcca_weights, "\"mean\"",
              "Whose units weigh the correlations in `pwcca`: those of both layers, and the "
              "mean of the two is taken, or those of the first layer of a pair only, which "
              "halves the work."),
    TG_P_REAL(struct svcca_params, shape_alpha, 0, 1, "0.5", "",
              "Of the shape metric: layers become X (alpha I + (1 - alpha) (X^T X)^(-1/2)). "
              "1 is Procrustes, 0 whitens and leaves the mean canonical correlation; in "
              "between the scale of a layer matters."),
    TG_P_REAL(struct svcca_params, rbf_bandwidth, 1e-3, 1e3, "1", "",
              "Of `cka_rbf` and `cka_rbf_debiased`: the bandwidth sigma of the Gaussian kernel "
              "exp(-|x - y|^2 / (2 sigma^2)), as a share of the median distance between "
              "different samples of the layer. Large ones make it linear CKA."),
    TG_P_INT(struct svcca_params, batch_size, 4, 4096, "256", "samples",
             "Of `cka_minibatch`: samples in a batch, at least; n samples make n / batch_size "
             "batches, rounded down, as equal in size as can be. Costs n times this a pair."),
    TG_P_BOOL(struct svcca_params, batch_shuffle, "true",
              "Put the samples in an order drawn from `seed` before they are cut into "
              "minibatches. false takes them as they come, which is wrong for samples that "
              "are sorted by class."),
    TG_P_ENUM(struct svcca_params, rsa_distance, svcca_rsa_distances, "\"correlation\"",
              "Of the `rsa_` measures: the dissimilarity of two samples of a layer. correlation: "
              "1 - Pearson's r of their units; euclidean; squared_euclidean; cosine: 1 - the "
              "cosine. Pearson's r and the cosine are not defined for a sample whose units are "
              "all equal, or all 0; scores of such a layer are null, with a warning."),
    TG_P_ENUM(struct svcca_params, knn_distance, svcca_knn_distances, "\"euclidean\"",
              "Of `knn`: what samples are near by. cosine and correlation as in `rsa_distance`."),
    TG_P_INT(struct svcca_params, neighbours, 1, 10000, "10", "samples",
             "Of `knn`: how many nearest samples are shared or not, fewer than there are others. "
             "Of samples equally far the first are taken."),
    TG_P_INT(struct svcca_params, table_memory, 0, 1e6, "1024", "MiB",
             "Tables of samples by samples (of `cka_rbf` and the `rsa_` measures) are made once a "
             "layer and held while those of all layers together take no more than this; otherwise "
             "they are made anew for every pair, with the same result. With `permutations`, and "
             "for ranks, there is room for those of one pair beside this, and with `permutations` "
             "for one n x n more; while ranks are sorted each pair of samples takes 32 bytes."),
    TG_P_ENUM(struct svcca_params, pairs, pairs, "\"all\"",
              "Which pairs to compare: all; same_layer: entries of one name (over steps and "
              "models); final: each with the last step of the same name and model; "
              "across_models: entries of different models."),
    TG_P_INT(struct svcca_params, max_directions, 0, 1e9, "0", "directions",
             "Room for this many directions a layer when only the leading ones are kept "
             "(SVCCA without CCA): bounds the memory of a large grid. A layer that needs "
             "more fails the job and tells how many. 0: room for all."),
    TG_P_REAL(struct svcca_params, converged_at, 0, 1, "0.95", "",
              "A layer has converged at the step from which on its similarity with its last "
              "step is at least this share of the last one's own (which is 1)."),
    TG_P_REAL_LIST(struct svcca_params, layer_flops, 0, INFINITY, "[]", "",
                   "What each layer costs forward, in FLOPs or, for layers without shared "
                   "weights, parameters: a number for each name in `layers`, in the order "
                   "in which the names first come, which is taken for bottom to top. With "
                   "it, a grid with steps also tells what freezing saves."),
    TG_P_INT(struct svcca_params, permutations, 0, 1e6, "0", "",
             "How often to shuffle the samples of each layer against those of the other, for a "
             "p of every score that holds whatever the data. Layers are not decomposed again and "
             "no distances measured; each costs what the pair costs. For `cka_minibatch`, "
             "samples are shuffled within their batches."),
    TG_P_INT(struct svcca_params, seed, 0, 9007199254740991, "0", "",
             "What random numbers are drawn from: the same seed, the same draws."),
    TG_P_INT(struct svcca_params, compress_to, 0, 1e6, "0", "directions",
             "With `head_weights`: put them through this many directions of their layer, by "
             "two thin factors, and tell what that loses and saves. 0: do not."),
    TG_P_BOOL(struct svcca_params, return_factors, "false",
              "With `compress_to`: return the factors."),
    TG_P_INT(struct svcca_params, draws, 1, 1000, "5", "",
             "How often what is drawn at random (directions, units) is drawn; curves are the "
             "means."),
    TG_P_INT_LIST(struct svcca_params, unit_subsets, 1, 1e9, "[]", "units",
                  "Sizes of random subsets of a layer's units: tell what share of each of its "
                  "leading SVCCA directions is a combination of so many."),
    TG_P_ENUM(struct svcca_params, intervals, svcca_interval_names, "\"none\"",
              "Intervals of every score and of differences between pairs, for the score that "
              "ever more samples would give: jackknife leaves out one block of samples after "
              "the other; bootstrap draws half of the blocks, again and again, without "
              "repeated samples (which would raise every similarity). Both take the bias of "
              "few samples off. Layers are not decomposed again. Not for measures that set samples "
              "beside samples (cka_rbf and those after it), which are no functions of sums over "
              "samples: ranks, neighbours and a median distance change with the samples taken."),
    TG_P_INT(struct svcca_params, interval_blocks, 0, 1000, "0", "blocks",
             "Into how many blocks of consecutive samples `intervals` cuts the samples; each "
             "should be longer than samples depend on each other. 0: 20 for jackknife, 100 "
             "for bootstrap. At most as many as there are samples; for bootstrap an even "
             "number. Memory grows with them: three matrices of units by units a block."),
    TG_P_INT(struct svcca_params, interval_replicates, 50, 100000, "1000", "",
             "How many halves the bootstrap draws."),
    TG_P_REAL(struct svcca_params, confidence, 0.5, 0.9999, "0.95", "",
              "How often an interval is to hold the true value."),
};

static const struct tg_input inputs[] = {
    {"layers", true, false, MAX_LAYERS, 2, 4, "n,d or as `layout` says",
     "Activations of two or more layers, one array each: rows are samples, columns are "
     "units, or see `layout`. All have the same samples in the same order; the number of "
     "units may differ. In a grid, entries of one name are told apart by `model` and `step`.",
     TG_INPUT_LABELLED},
    {"a", false, false, 1, 2, 4, "n,d or as `layout` says",
     "One layer, when only two are compared. Goes with `b`.", 0},
    {"b", false, false, 1, 2, 4, "n,d or as `layout` says",
     "The other layer, for the same samples as `a`.", 0},
    {"sample_ids", true, false, MAX_LAYERS, 1, 1, "n",
     "Numbers that tell samples apart, one a row, in an array for each layer, under the "
     "layer's name (`a` and `b` where these are given). Layers whose ids differ in any row "
     "are refused, with the first one. Layers without ids are taken as they are.", 0},
    {"head_weights", true, false, MAX_LAYERS, 2, 2, "d,c",
     "Weights of what comes after a layer, units by outputs, under the name, `model` and "
     "`step` of the layer. Asks how many directions of the layer those outputs need.",
     TG_INPUT_LABELLED},
    {"head_bias", true, false, MAX_LAYERS, 1, 1, "c",
     "What is added to the outputs, labelled as its `head_weights`.", TG_INPUT_LABELLED},
    {"labels", false, false, 1, 1, 1, "n",
     "The class of each sample, from 0. Asks how well each layer knows each class. Outputs of "
     "`head_weights` are then the classes, the same for all, and accuracy is told.", 0},
    {"logits", false, false, 1, 2, 2, "n,c",
     "Outputs of a network for each sample; layers are set beside these, one by one, in place "
     "of classes.", 0},
};

static const struct tg_output outputs[] = {
    {TG_OUT_VALUE, "n", "integer", "", "Samples."},
    {TG_OUT_VALUE, "layers", "array", "",
     "One row a layer: name, model and step where given, n, d, constant_units (that never "
     "change), rank (null when the measures need no decomposition), condition (largest over "
     "smallest singular value within the rank), k_variance and k_sv_sum (directions that "
     "hold `threshold` by either rule; null when singular values were not needed). With "
     "cka_rbf or cka_rbf_debiased, rbf_sigma: the kernel's bandwidth in the layer's units."},
    {TG_OUT_VALUE, "pairs", "array", "",
     "One row a pair of layers: a, b, and for each measure its similarity under its own name "
     "(regression: regression_a_to_b and regression_b_to_a) and its distance: the angle "
     "arccos s for every cka, procrustes, shape, rsa_cosine and rsa_whitened, and 1 - s for the "
     "others. The rsa_ measures compare the dissimilarities of all pairs of samples: by "
     "Pearson's r, by Spearman's (mean ranks among ties), by Kendall's tau-b (and "
     "rsa_kendall_tau_a), by their cosine, and by their cosine in the metric of the covariance "
     "that noise gives them (rsa_whitened: with rsa_distance squared_euclidean it is linear CKA, "
     "with euclidean the squared distance correlation). knn is the mean share of the "
     "`neighbours` nearest samples that are the same in both. cca "
     "also gives cca_mean, the same as cca, cca_mean_squared, null_cca_mean_squared (its "
     "expectation for unrelated Gaussian data) and forced_ones (canonical correlations that "
     "are 1 whatever the data, because there are too few samples); svcca gives svcca_k_a, "
     "svcca_k_b, svcca_variance and svcca_sv_sum (of `rule`, or of both_rules); pwcca gives "
     "pwcca_a and pwcca_b by the weights of either side; procrustes gives "
     "procrustes_distance2 = 2 - 2 s. Beside each of cca, svcca, every cka, every rsa_ and knn "
     "what unrelated layers show: null_mean and null_sd, z (distance from "
     "that mean in sd), adjusted (0 for chance, 1 for equality), p (of a score at least "
     "as high; for cca and svcca of their mean square). For cca and svcca also null_edge "
     "(where Wachter's law of the correlations ends) and significant_directions (at 5 %, "
     "by Bartlett's and Lawley's test). They hold for Gaussian data; for every cka, rsa_ and "
     "knn, null_mean and null_sd for any data under permutation of its samples (cka_minibatch: "
     "within the batches; the null_sd of rsa_kendall is not known and null). The p of linear cka "
     "takes singular values, and is null where no measure needs those; that of the others is "
     "null, and told by `permutations`. "
     "With `reduction` dft, scores are sums over the frequencies that both layers have, "
     "debiased ones frequency by frequency, and of the columns on chance there is "
     "null_cca_mean_squared."},
    {TG_OUT_VALUE, "peers", "array", "",
     "With `compare_with`, one row a pair and number: a, b, peer, measure, sense "
     "(similarity or distance), value (null where the peer stops or prints rounding noise), "
     "rounding (relative size of the peer's own rounding errors), our_measure and ours (the "
     "same measure in `pairs`), why (one sentence on what differs)."},
    {TG_OUT_VALUE, "influence", "array", "",
     "With `influence`, the three samples of each pair without which linear CKA changes most: "
     "a, b, sample (row, from 0), cka_without, change (cka_without less cka), "
     "cka_debiased_without."},
    {TG_OUT_VALUE, "permutations", "array", "",
     "With `permutations`, one row a pair and score: a, b, score (its name in `pairs`), value, "
     "null_mean, null_sd, null_median, null_95 and null_99 (of the shuffled scores), p (of a "
     "score at least as high, itself counted) and p_family (that any pair reaches as high "
     "above its own mean, in sd: holds for all pairs of the job together). null where a score "
     "is not defined."},
    {TG_OUT_VALUE, "intervals", "array", "",
     "With `intervals`, one row a pair and score: a, b, score (its name in `pairs`), value, "
     "corrected (less the bias of few samples), se, low and high (of the score that ever more "
     "samples would give), undercovers (null; few-samples: fewer than 10 for each direction of "
     "both layers; small-correlations: cca, svcca, pwcca, procrustes and shape where some "
     "correlation may be 0). Where correlations of a pair are equal, the weights of pwcca are "
     "not smooth, and its 95 % intervals hold 92 %, its differences 90 %; nothing tells. svcca "
     "keeps as many directions as for all samples."},
    {TG_OUT_VALUE, "differences", "array", "",
     "With `intervals`, one row a score and two pairs: a, b, other_a, other_b, score, "
     "difference (of the pairs a, b and other_a, other_b), corrected, se, low, high and p "
     "(two-sided, of no difference; not adjusted for their number). All pairs of up to 25 "
     "pairs, else those that share a layer."},
    {TG_OUT_ARRAY, "influence_cka", "float64", "P,n",
     "With `influence`, linear CKA of each pair without each sample."},
    {TG_OUT_ARRAY, "influence_cka_debiased", "float64", "P,n",
     "With `influence`, the same for debiased CKA."},
    {TG_OUT_VALUE, "dynamics", "array", "",
     "With `step` given for entries of one name and model that were compared with the last of "
     "them, one row a layer: name, model where given, steps (entries), first_step, last_step, "
     "for each measure <measure>_converged_step (from which on its similarity with its last "
     "step is at least `converged_at`; for regression, the variance of the last step that "
     "the layer explains), and freeze_step (from which on it and all layers of the model "
     "that come before it have converged, by svcca or else the first measure; null where a "
     "layer never changes)."},
    {TG_OUT_VALUE, "freezing", "array", "",
     "With `dynamics`, one row a model: model where given, measure (that freeze_step goes by), "
     "steps (of the training, from step 0), and where `layer_flops` is given backward_saved "
     "and training_saved: the share of the gradients' FLOPs, and of all, that these layers "
     "need not when each is frozen at its freeze_step."},
    {TG_OUT_VALUE, "heads", "array", "",
     "With `head_weights`, one row a way to choose directions of a layer, on which the layer is "
     "projected before its head: layer, directions (svd: by singular values; random: "
     "directions of the layer, mean over `draws`; units: random units, mean over `draws`; "
     "largest_units: by mean |activation|; svcca: of the pair with the layer `with`), "
     "outputs, count (directions there are), with `labels` accuracy (of the head itself) and "
     "k_accuracy (the fewest directions with 99 % of it), and k_variance (the fewest that keep "
     "99 % of the outputs' variance); null where all there are do not. Other units are put at "
     "their mean. With `compress_to`, svd and svcca also have k (directions of the factors), "
     "predicted_loss (share of the outputs' variance, from the spectrum), measured_loss (by "
     "going through the factors), accuracy_at_k, weights_saved (share; negative where the "
     "factors are larger) and factors (place in the arrays of `return_factors`)."},
    {TG_OUT_VALUE, "unit_subsets", "array", "",
     "With `unit_subsets`, one row a pair, side and size: layer, with (the other layer), units "
     "(that change, no more than there are), directions (the leading ones of the pair, up to "
     "50), first and mean (share of the first direction, and of all, that lies in so many "
     "units, mean over `draws`), chance (share of a random direction of the layer), held (how "
     "many directions, counted from the first, lie there to 99 %)."},
    {TG_OUT_ARRAY, "unit_subset_shares", "float64", "P,2,s,50",
     "With `unit_subsets`, the share of each direction; NaN beyond those there are."},
    {TG_OUT_VALUE, "classes", "array", "",
     "With `labels` or `logits`, one row a layer: layer, classes (that change), mean (of "
     "class_cca over these), worst and best (the classes with the least and the greatest), "
     "worst_cca, best_cca."},
    {TG_OUT_ARRAY, "class_cca", "float64", "L,c",
     "With `labels` or `logits`, the canonical correlation of each layer with each class alone "
     "(one column of `logits`, or being of this class): the multiple correlation coefficient. "
     "NaN where either never changes."},
    {TG_OUT_ARRAY, "class_svcca", "float64", "L,c",
     "With `labels` or `logits`, the same with the directions that SVCCA keeps."},
    {TG_OUT_ARRAY, "class_adjusted", "float64", "L,c",
     "With `labels` or `logits`, class_cca squared less chance: 0 for unrelated data, 1 for "
     "equality."},
    {TG_OUT_ARRAY, "head_accuracy", "float64", "H,D+1",
     "With `head_weights` and `labels`, the accuracy of each row of `heads` with 0, 1, ... "
     "directions; NaN beyond those there are."},
    {TG_OUT_ARRAY, "head_loss", "float64", "H,D+1",
     "With `head_weights`, the share of the outputs' variance that is lost, likewise."},
    {TG_OUT_ARRAY, "factors_in", "float64", "F,D,k",
     "With `return_factors`, A: a layer x goes through (x A) B + bias instead of its head, and "
     "the n values of each column of x A less their mean have norm 1. Padded with 0, like "
     "the other factors."},
    {TG_OUT_ARRAY, "factors_out", "float64", "F,k,c", "With `return_factors`, B."},
    {TG_OUT_ARRAY, "factors_bias", "float64", "F,c", "With `return_factors`, the bias."},
    {TG_OUT_ARRAY, "dynamics_similarity", "float64", "M,R,S",
     "With `dynamics`, by each measure in the order of the L x L arrays, the similarity of "
     "each of its R rows with its last step, at each step; NaN beyond a row's steps."},
    {TG_OUT_ARRAY, "dynamics_steps", "float64", "R,S", "With `dynamics`, the steps."},
    {TG_OUT_ARRAY, "cca", "float64", "L,L",
     "Mean canonical correlation of every pair; like all L x L arrays 1 on the diagonal and "
     "NaN for pairs that were not compared."},
    {TG_OUT_ARRAY, "svcca", "float64", "L,L", "SVCCA of every pair by `rule`."},
    {TG_OUT_ARRAY, "cka", "float64", "L,L", "Linear CKA of every pair."},
    {TG_OUT_ARRAY, "cka_debiased", "float64", "L,L",
     "Debiased linear CKA of every pair; may be below 0."},
    {TG_OUT_ARRAY, "pwcca", "float64", "L,L",
     "With `pwcca` asked for, projection-weighted canonical correlation of every pair."},
    {TG_OUT_ARRAY, "procrustes", "float64", "L,L",
     "With `procrustes` asked for, similarity by the best rotation, "
     "||X^T Y||_* / (||X|| ||Y||)."},
    {TG_OUT_ARRAY, "shape", "float64", "L,L",
     "With `shape` asked for, the same of layers whitened as far as shape_alpha says."},
    {TG_OUT_ARRAY, "regression", "float64", "L,L",
     "With `regression` asked for, R squared of the column's layer by linear regression on "
     "the row's layer."},
    {TG_OUT_ARRAY, "cka_rbf", "float64", "L,L",
     "With `cka_rbf` asked for, CKA with a Gaussian kernel of every pair."},
    {TG_OUT_ARRAY, "cka_rbf_debiased", "float64", "L,L",
     "With `cka_rbf_debiased` asked for, its debiased form; may be below 0."},
    {TG_OUT_ARRAY, "cka_minibatch", "float64", "L,L",
     "With `cka_minibatch` asked for, debiased linear CKA by minibatches of every pair."},
    {TG_OUT_ARRAY, "rsa_pearson", "float64", "L,L",
     "With `rsa_pearson` asked for, Pearson's r of the dissimilarities of every pair."},
    {TG_OUT_ARRAY, "rsa_spearman", "float64", "L,L",
     "With `rsa_spearman` asked for, Spearman's rank correlation of the dissimilarities of "
     "every pair."},
    {TG_OUT_ARRAY, "rsa_kendall", "float64", "L,L",
     "With `rsa_kendall` asked for, Kendall's tau-b of the dissimilarities of every pair."},
    {TG_OUT_ARRAY, "rsa_cosine", "float64", "L,L",
     "With `rsa_cosine` asked for, the cosine of the dissimilarities of every pair."},
    {TG_OUT_ARRAY, "rsa_whitened", "float64", "L,L",
     "With `rsa_whitened` asked for, their whitened cosine."},
    {TG_OUT_ARRAY, "knn", "float64", "L,L",
     "With `knn` asked for, the mean share of nearest samples that every pair has in common."},
    {TG_OUT_ARRAY, "singular_values", "float64", "L,D",
     "Singular values of each centred layer, padded with 0 to the largest number of "
     "units D. With measures that need them: svcca, shape, regression."},
    {TG_OUT_ARRAY, "cca_correlations", "float64", "P,D",
     "Canonical correlations of each of the P pairs in the order of `pairs`, padded with "
     "0. Left out, with a warning, where all pairs together have too many."},
    {TG_OUT_ARRAY, "svcca_correlations", "float64", "P,D",
     "The same for the directions that SVCCA keeps by `rule`."},
    {TG_OUT_ARRAY, "frequency_correlations", "float64", "P,H,W",
     "With `reduction` dft, the mean canonical correlation of each pair at each frequency, in the "
     "order of numpy.fft.fftfreq on the largest map H x W; NaN where a layer has it not."},
    {TG_OUT_ARRAY, "frequency_energy", "float64", "L,H,W",
     "With `reduction` dft, the share of each layer's variance at each frequency."},
    {TG_OUT_ARRAY, "direction_variates", "float64", "P,2,n,k",
     "With `return_directions`, values of each direction on every sample, norm 1, of both "
     "layers of a pair; arrays of directions are padded with 0."},
    {TG_OUT_ARRAY, "direction_coefficients", "float64", "P,2,D,k",
     "With `return_directions`, weights of the units: the centred layer times these gives the "
     "variates."},
    {TG_OUT_ARRAY, "direction_loadings", "float64", "P,2,D,k",
     "With `return_directions`, correlation of each variate with each unit; the largest of the "
     "first layer is positive."},
    {TG_OUT_ARRAY, "direction_explained", "float64", "P,2,k",
     "With `return_directions`, share of the layer's variance that follows from each variate."},
    {TG_OUT_FIGURE, "cca_heatmap", "", "",
     "Mean canonical correlation, layer by layer. In all heat maps of a grid, entries are "
     "ordered by model, then layer, then step."},
    {TG_OUT_FIGURE, "svcca_heatmap", "", "", "SVCCA, layer by layer."},
    {TG_OUT_FIGURE, "cka_heatmap", "", "", "Linear CKA, layer by layer."},
    {TG_OUT_FIGURE, "cka_debiased_heatmap", "", "",
     "Debiased linear CKA, layer by layer."},
    {TG_OUT_FIGURE, "null_spectrum", "", "",
     "Canonical correlations of the first 4 pairs, each with those that unrelated layers of "
     "its ranks would show."},
    {TG_OUT_FIGURE, "intervals", "", "",
     "With `intervals`, the scores of the first 12 pairs with their intervals."},
    {TG_OUT_FIGURE, "pwcca_heatmap", "", "",
     "With `pwcca` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "procrustes_heatmap", "", "",
     "With `procrustes` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "shape_heatmap", "", "", "With `shape` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "regression_heatmap", "", "",
     "With `regression` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "head_curves", "", "",
     "With `head_weights`, accuracy (without `labels`, the variance lost) by the number of "
     "directions, a pane for each of the first 12 heads; svcca with the first other layer."},
    {TG_OUT_FIGURE, "unit_subsets", "", "",
     "With `unit_subsets`, the share of each direction in so many units, a pane for each side "
     "of the first 6 pairs."},
    {TG_OUT_FIGURE, "class_heatmap", "", "",
     "With `labels` or `logits`, class_cca of up to 70 layers and classes."},
    {TG_OUT_FIGURE, "class_curves", "", "",
     "With `labels` or `logits` and steps, class_cca of the first 10 classes over training, a "
     "pane a layer, as in the paper's figure 6."},
    {TG_OUT_FIGURE, "layer_curves", "", "",
     "With `dynamics`, similarity with the last step over training: a pane for each of the "
     "first 24 layers, a line a measure."},
    {TG_OUT_FIGURE, "dynamics", "", "",
     "With `dynamics` and every pair compared, layers of the first model at up to 4 steps of "
     "training beside its layers at the end, as in the paper's figure 4."},
    {TG_OUT_FIGURE, "cka_rbf_heatmap", "", "",
     "With `cka_rbf` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "cka_rbf_debiased_heatmap", "", "",
     "With `cka_rbf_debiased` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "cka_minibatch_heatmap", "", "",
     "With `cka_minibatch` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "rsa_pearson_heatmap", "", "",
     "With `rsa_pearson` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "rsa_spearman_heatmap", "", "",
     "With `rsa_spearman` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "rsa_kendall_heatmap", "", "",
     "With `rsa_kendall` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "rsa_cosine_heatmap", "", "",
     "With `rsa_cosine` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "rsa_whitened_heatmap", "", "",
     "With `rsa_whitened` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "knn_heatmap", "", "",
     "With `knn` asked for, the same layer by layer."},
    {TG_OUT_FIGURE, "frequency_curve", "", "",
     "With `reduction` dft, the mean canonical correlation of the first 8 pairs by frequency, "
     "in cycles a map, over all directions of it."},
    {TG_OUT_FIGURE, "spectrum", "", "",
     "Singular values of each layer, of the first 12 layers."},
    {TG_OUT_QUALITY, "layers", "array", "",
     "One row a layer: name, route (none, cholesky, gram, gram_cholesky or qr: how the basis "
     "was made, by what is needed and by the condition), condition (an estimate on the route "
     "cholesky), error (about the most that a correlation is wrong by), "
     "orthogonality_error (largest entry of U^T U - I; null where U was not formed)."},
    {TG_OUT_QUALITY, "correlation_error", "number", "",
     "The largest error of all layers: canonical correlations are about as accurate."},
    {TG_OUT_QUALITY, "off_block", "array", "",
     "With `reduction` dft, one row a layer: name, share (of the squared covariance of its "
     "entries, what lies between different frequencies; 0 where data are closed under "
     "translation), unbiased (the same less what so many samples show by chance: 0 for "
     "stationary data), share_sd and unbiased_sd (standard errors, for both are estimated by "
     "16 fixed Gaussian probes). From 0.1 on there is a warning."},
};

static void check_pair_inputs(const struct tg_job_input *layers,
                              const struct tg_job_input *a, const struct tg_job_input *b,
                              struct tg_report *report)
{
    if (layers->n && (a->n || b->n))
        tg_fault_add(report, TG_INVALID, "/inputs",
                     "Give either `layers`, or `a` and `b`, not both.");
    else if (!layers->n && !a->n && !b->n)
        tg_fault_add(report, TG_INVALID, "/inputs",
                     "Nothing to compare: give `layers`, or `a` and `b`.");
    else if (!layers->n && !a->n)
        tg_fault_add(report, TG_INVALID, "/inputs/a",
                     "`a` is missing; it goes with `b`.");
    else if (!layers->n && !b->n)
        tg_fault_add(report, TG_INVALID, "/inputs/b",
                     "`b` is missing; it goes with `a`.");
    else if (layers->n == 1)
        tg_fault_add(report, TG_INVALID, "/inputs/layers",
                     "One layer has nothing to be compared with; give at least two.");
}

static enum tg_err prepare(const struct tg_job *job, unsigned lanes, struct tg_arena *arena,
                           struct svcca_work *work, struct tg_svcca_cost *cost);

/* With reduction "dft" nothing can be had that is made of layers or bases. */
static void check_parts(const struct tg_job *job, struct tg_report *report)
{
    struct svcca_work work;
    struct tg_svcca_cost cost;
    if (!svcca_is_dft(job->params) || report->count)
        return;
    struct tg_arena *arena = tg_arena_new_measuring();
    enum tg_err err = arena ? prepare(job, 1, arena, &work, &cost) : TG_NOMEM;
    if (err)
        tg_fault_add(report, err, "/params/reduction", "There is no memory to check this.");
    else if (work.refused)
        tg_fault_add_value(
            report, TG_INVALID, "/params/reduction", "dft", "flatten, samples, mean",
            "Reduction \"dft\" gives scores and what follows from them. Directions, influence, "
            "permutations, compare_with and what else is made of whole layers go with other "
            "reductions.");
    if (arena)
        svcca_release(&work);
    tg_arena_free(arena);
}

static void check(const struct tg_job *job, struct tg_report *report)
{
    const struct tg_job_input *layers = tg_job_input(job, "layers");
    const struct tg_job_input *sides[] = {tg_job_input(job, "a"), tg_job_input(job, "b")};
    const struct svcca_params *p = job->params;
    if (!p->measures)
        tg_fault_add_value(report, TG_INVALID, "/params/measures", "[]",
                           "any of the measures", "Name at least one measure.");
    check_pair_inputs(layers, sides[0], sides[1], report);
    svcca_check_layers(job, report);
    svcca_check_ids(job, report);
    svcca_check_grid(job, report);
    svcca_check_dft(job, report);
    for (size_t i = 0; parts[i]; i++)
        if (parts[i]->check)
            parts[i]->check(job, report);
    check_parts(job, report);
}

void svcca_add_hook(struct svcca_work *work, const struct tg_svcca_hook *hook)
{
    work->hook[work->options.nhooks++] = *hook;
    work->options.hook = work->hook;
}

static bool goes_with(const struct svcca_params *p, const struct svcca_part *part)
{
    return !svcca_is_dft(p) || part->of_scores;
}

/*
 * What is to be done, with the parts' memory from `arena`; `cost` is what they add to the
 * cost of the scores. The work is big and stays where it is: options point into it.
 */
static enum tg_err prepare(const struct tg_job *job, unsigned lanes, struct tg_arena *arena,
                           struct svcca_work *work, struct tg_svcca_cost *cost)
{
    const struct svcca_params *p = job->params;
    *work = (struct svcca_work){.job = job, .params = p, .lanes = lanes};
    *cost = (struct tg_svcca_cost){0};
    work->options = (struct tg_svcca_options){.measures = p->measures,
                                              .threshold = p->threshold,
                                              .rule = (enum tg_svcca_rule)p->rule,
                                              .both_rules = p->both_rules,
                                              .rank_tolerance = p->rank_tolerance,
                                              .pwcca_first = p->pwcca_weights == 1,
                                              .shape_alpha = p->shape_alpha,
                                              .max_directions = p->max_directions};
    TG_TRY(svcca_collect(work));
    for (size_t i = 0; parts[i]; i++) {
        size_t before = tg_arena_used(arena);
        if (!parts[i]->prepare)
            continue;
        TG_TRY(parts[i]->prepare(work, i, arena, cost));
        work->refused = work->refused || (!goes_with(p, parts[i]) &&
                                          (work->options.nhooks || tg_arena_used(arena) > before));
    }
    return tg_arena_failed(arena) ? TG_NOMEM : TG_OK;
}

/* What the scores alone cost. */
static enum tg_err cost_of_scores(const struct svcca_work *work, struct tg_svcca_cost *cost)
{
    if (svcca_is_dft(work->params))
        return tg_dft_cost(work->layers, work->places, work->nlayers, &work->options, cost);
    return tg_svcca_cost(work->layers, work->nlayers, &work->options, cost);
}

static enum tg_err estimate(const struct tg_job *job, unsigned lanes,
                            struct tg_cost *cost)
{
    struct svcca_work work;
    struct tg_svcca_cost scores, extra;
    struct tg_arena *arena = tg_arena_new_measuring();
    if (!arena)
        return TG_NOMEM;
    enum tg_err err = prepare(job, lanes, arena, &work, &extra);
    if (!err)
        err = cost_of_scores(&work, &scores);
    if (!err)
        *cost = (struct tg_cost){.peak_bytes = scores.bytes + tg_arena_high_water(arena),
                                 .flops = scores.flops + extra.flops,
                                 .read_bytes = scores.read_bytes + extra.read_bytes};
    if (!err)
        svcca_plan(&work, &scores, cost->plan, sizeof(cost->plan));
    svcca_release(&work);
    tg_arena_free(arena);
    return err;
}

static enum tg_err run_scores(struct svcca_work *work, const struct tg_ctx *ctx,
                              struct tg_report *report)
{
    if (svcca_is_dft(work->params))
        return tg_dft_run(ctx, work->layers, work->places, work->nlayers, &work->options,
                          &work->svcca, &work->dft, report);
    return tg_svcca_run(ctx, work->layers, work->nlayers, &work->options, &work->svcca, report);
}

static enum tg_err run_work(struct svcca_work *work, const struct tg_ctx *ctx,
                            struct tg_result *result)
{
    struct tg_report report;
    tg_report_init(&report);
    work->report = &report;
    enum tg_err err = run_scores(work, ctx, &report);
    if (report.count)
        tg_result_warn(result, tg_err_slug(report.code), "%s", report.detail);
    TG_TRY(err);
    svcca_put_scores(work, result);
    if (svcca_is_dft(work->params))
        TG_TRY(svcca_put_dft(work, result));
    for (size_t i = 0; parts[i]; i++)
        if (parts[i]->finish && goes_with(work->params, parts[i]))
            TG_TRY(parts[i]->finish(work, i, ctx, result));
    return tg_result_failed(result) ? TG_NOMEM : TG_OK;
}

static enum tg_err run(const struct tg_job *job, const struct tg_ctx *ctx,
                       struct tg_result *result)
{
    struct svcca_work work;
    struct tg_svcca_cost extra;
    enum tg_err err = prepare(job, ctx->lanes, ctx->arena, &work, &extra);
    if (!err)
        err = run_work(&work, ctx, result);
    svcca_release(&work);
    return err;
}

static const char example[] =
    "{\"kind\": \"svcca\",\n"
    " \"params\": {\"threshold\": 0.99},\n"
    " \"inputs\": {\"layers\": {\n"
    "   \"fc1\": [[0.1, 1.2, 0.4], [0.9, 0.3, 0.8], [1.7, 0.2, 0.1], [0.4, 1.1, 0.9],\n"
    "           [1.2, 0.8, 0.3], [0.2, 0.5, 1.4], [1.0, 0.0, 0.6], [0.6, 1.5, 1.1],\n"
    "           [1.4, 0.6, 0.7], [0.3, 0.9, 1.2], [0.8, 1.3, 0.2], [1.1, 0.4, 1.0],\n"
    "           [0.5, 0.7, 0.5], [1.6, 1.0, 0.9], [0.7, 0.1, 1.3], [1.3, 1.4, 0.0]],\n"
    "   \"fc2\": [[0.3, 2.1], [1.1, 1.4], [1.9, 0.7], [0.8, 2.4],\n"
    "           [1.3, 1.5], [0.7, 2.2], [1.2, 0.9], [1.0, 3.0],\n"
    "           [1.6, 1.2], [0.5, 1.8], [1.0, 2.2], [1.4, 1.1],\n"
    "           [0.6, 1.6], [1.7, 1.9], [0.9, 0.8], [1.5, 2.3]]}}}\n";

const struct tg_kind tg_kind_svcca = {
    .name = "svcca",
    .version = 4,
    .title = "Similarity of representations (CCA, SVCCA, PWCCA, CKA, Procrustes, RSA)",
    .summary = "Compares layers of neural networks by their activations on the same "
               "samples: every pair of the layers given, each layer decomposed once. "
               "Canonical correlations ignore any invertible linear map of the units; "
               "SVCCA first keeps the directions that hold 99 % of a layer; linear CKA "
               "ignores rotations and scale only, and its debiased form does not grow "
               "with the number of units.",
    .reference =
        "M. Raghu, J. Gilmer, J. Yosinski, J. Sohl-Dickstein, \"SVCCA: Singular Vector "
        "Canonical Correlation Analysis for Deep Learning Dynamics and "
        "Interpretability\", "
        "NeurIPS 2017, arXiv:1706.05806. S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "
        "\"Similarity of Neural Network Representations Revisited\", ICML 2019, "
        "arXiv:1905.00414.",
    .params = params,
    .nparams = sizeof(params) / sizeof(*params),
    .params_size = sizeof(struct svcca_params),
    .inputs = inputs,
    .ninputs = sizeof(inputs) / sizeof(*inputs),
    .outputs = outputs,
    .noutputs = sizeof(outputs) / sizeof(*outputs),
    .example = example,
    .check = check,
    .estimate = estimate,
    .run = run,
};
