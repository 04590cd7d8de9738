# SPDX-License-Identifier: MIT
"""One method for each kind of job. Generated from the daemon's table of kinds."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Literal, Mapping, Optional, Sequence, Union

from ._arrays import ArrayLike

if TYPE_CHECKING:
    from ._job import Job

Priority = Literal["high", "normal", "low"]
Time = Union[datetime.datetime, str, float]
ArrayList = Union[Mapping[str, ArrayLike], Sequence[ArrayLike]]


class KindMethods:
    """The methods of a client that submit jobs, one for each kind."""

    def _submit_kind(
        self, kind: str, params: Mapping[str, Any], inputs: Mapping[str, Any], **options: Any
    ) -> Job:
        raise NotImplementedError

    def pca(
        self,
        trajectory: Optional[ArrayLike] = None,
        trajectories: Optional[ArrayList] = None,
        checkpoints: Optional[ArrayList] = None,
        loss: Optional[ArrayLike] = None,
        *,
        components: int = 10,
        reference: Literal["first", "last"] = "first",
        tensors: Sequence[str] = (),
        exclude: Sequence[str] = (),
        weights: Sequence[str] = (),
        start: int = 0,
        stop: int = 0,
        stride: int = 1,
        return_gram: bool = False,
        return_directions: int = 0,
        simulate: bool = False,
        walk_points: int = 200,
        walk_dimensions: int = 2000,
        walk_seed: int = 0,
        walk_momentum: float = 0,
        walk_alpha: float = 0,
        walk_drift: float = 0,
        walk_stationary: bool = False,
        walk_schedule: Literal["constant", "linear", "cosine", "exp", "step"] = "constant",
        name: Optional[str] = None,
        priority: Optional[Priority] = None,
        max_run_s: Optional[float] = None,
        deadline: Optional[Time] = None,
        keep: bool = False,
        cache: bool = True,
    ) -> Job:
        """Principal components of a trajectory.

        Projects the path of a network's weights during training onto its principal components,
        and sets the explained variance beside that of a random walk. A walk in many dimensions
        already has 61 % of its variance along one component and draws Lissajous curves, so only
        what differs from it tells about the training. Where losses are given they are shown
        along the path, never as contours over the plane, which the path leaves; how far it does
        is reported.

        Parameters
        ----------
        trajectory : array of shape (n,d)
            3 to 5000 points in the order of time, one a row: a network's weights, flattened, at
            n moments of its training. Read in one pass from the stored file, so d may be very
            large. Left out with `trajectories`, `checkpoints` or `simulate`.
        trajectories : 1 to 100 arrays of shape (n,d)
            Several such arrays of as many columns, by name, instead of `trajectory`: runs that
            are compared with each other. Components are common to all; `start`, `stop` and
            `stride` count in each of them. Together they have at most 5000 points.
        checkpoints : 1 to 5000 files of arrays of shape (any, the same in all), with model and
            step
            3 to 5000 files of a network's weights, one a point, instead of `trajectory`. They
            are in the order of time or give their `step`. All have the same tensors, which one
            after the other make a point; with a key, an entry is that tensor alone. When a list
            has grown at its end the files are read once more, but only products with new points
            are made (all of them with `reference` last). Those of several models, told apart by
            `model`, are several runs: components are common to all, `start`, `stop` and
            `stride` count in each of them, and they are compared with each other.
        loss : array of shape (n)
            The loss at each point, in the order in which the points are given (also those
            outside of the window); NaN or infinity where it is not known. It finds the minimum
            of the path, and colours its figures. There are no contours over the plane of two
            components, and no option for them: they would show the loss of networks in that
            plane, and those of the path lie off it, often by many of their steps. What is
            reported in their place is the loss where the path really went, and how far it went
            from the plane: `faithfulness`.
        components : integer from 1 to 100
            Principal components to report; at most one less than there are points, and at most
            as many as there are dimensions.
        reference : one of first, last
            The point that is subtracted before products are taken. It does not change the
            result but its accuracy: take the point that most others are near.
        tensors : list of at most 10000 texts, each in bytes from 1 to 200
            Of checkpoints: which of their tensors make a point, as patterns of names in which
            `*` stands for any characters and `?` for one. Empty: all. Tensors of integers, such
            as counters of steps, never do. Another choice is answered from what is kept of each
            tensor, without reading it again.
        exclude : list of at most 10000 texts, each in bytes from 1 to 200
            Patterns of the names of tensors to leave out of those.
        weights : list of at most 10000 texts, each in bytes from 1 to 200
            Factors of tensors' parts in every squared distance, as "pattern=weight": with
            "*.bias=4" biases count twice as far. Of several patterns that match the last holds;
            what none matches has 1. Other weights are answered without reading again.
        start : integer from 0 to 4999
            First point that is looked at, counted from 0. Another window or stride of the same
            array is answered from what is kept of it, without reading it again.
        stop : integer from 0 to 5000
            The point that is no longer looked at; 0: all points.
        stride : integer from 1 to 5000
            Only every stride-th point from `start` on is looked at.
        return_gram : true or false
            Also return the centred Gram matrix, from which every score and distance follows.
        return_directions : integer from 0 to 100
            How many of the leading components to return as unit vectors of length d, for which
            the data are read once more; at most `components`, and at most 1 GiB.
        simulate : true or false
            Instead of reading a trajectory, draw a walk x_t = (1 - walk_alpha) x_{t-1} + v_t +
            l_t mu with v_t = walk_momentum v_{t-1} + l_t noise, and analyse that: a test of the
            whole way, and a lesson.
        walk_points : integer from 3 to 5000
            Points of a simulated walk; times walk_dimensions at most 50 million.
        walk_dimensions : integer from 1 to 10000000
            Dimensions of a simulated walk.
        walk_seed : integer from 0 to 9.00719925474099e+15
            Seed of a simulated walk.
        walk_momentum : number from -0.999999 to 0.999999
            Momentum of a simulated walk.
        walk_alpha : number from 0 to 1.999999
            Pull of a simulated walk to its origin, an Ornstein-Uhlenbeck process (learning rate
            times curvature).
        walk_drift : number from 0 to 1000000
            Drift of a simulated walk: |mu|^2 over the mean squared length of its noise.
        walk_stationary : true or false
            Start a simulated walk as if it had gone on for ever; otherwise at rest in its
            origin.
        walk_schedule : one of constant, linear, cosine, exp, step
            Step length l_t of a simulated walk: constant; linear to 0; cosine, (1 + cos) / 2;
            exp, to exp(-5); step, a tenth in the second half.
        name : str, optional
            A name for people.
        priority : high, normal or low
            Which of the waiting jobs runs first.
        max_run_s : float, optional
            Seconds the job may run.
        deadline : datetime, str or float, optional
            When the job must have ended: a time, RFC 3339 text, or Unix seconds.
        keep : bool
            Never remove the job by retention.
        cache : bool
            Take a stored result of the same job if there is one.

        Returns
        -------
        Job
            On disk and waiting; its result has

            n : value, integer
                Points.
            d : value, integer
                Dimensions.
            first_component_ratio : value, number
                Share of the variance along the first component.
            random_walk_first_component_ratio : value, number
                The same for a random walk of n points in many dimensions: 6/pi^2 for large n.
            step_null_first_component_ratio : value, number
                The same for a walk in independent directions with the measured step lengths; a
                learning rate schedule alone moves it.
            total_variance : value, number
                Sum of squared distances from the mean over n - 1.
            d_eff : value, number
                Effective dimensions of the steps: 1 over their mean squared cosine.
            components : value, array
                One row a component: k, explained_variance (over n - 1, as scikit-learn), ratio,
                ratio_error (bound on the error of that, first order), random_walk_ratio,
                step_null_ratio, band (one standard deviation of random_walk_ratio, which is
                less than sqrt(2 / d_eff) of it), dct_overlap (cosine of the scores with the
                walk's, a cosine curve of k half periods).
            faithfulness : value, array
                Whether a picture in the plane of the first two components shows the path, one
                row a run: model (where there are several), steps (that are longer than the
                error of the scores), hides_more (share of them of which the plane hides more
                than it shows, by squared length), hidden (share of the squared lengths of all
                steps that lies outside of the plane), walk_hidden (the same of a random walk of
                n points, 1 - 2 / (n - 1); null for several runs), steps_off (median of
                `steps_off_plane`).
            minima : value, array
                With `loss`, one row a run: model (where there are several), point (of least
                loss, from 0 among those of the result), step (where given), loss (there),
                last_loss, and from_start and from_end (distances of the minimum from the first
                and the last point).
            layers : value, array
                With `checkpoints`, one row a tensor: layer, tensors (more than one where sums
                for each would take too much memory), coordinates, weight, share (of the total
                variance), component_1 and component_2 (shares of these components' directions),
                and of the tensor by itself, without its weight: first_ratio (share of its
                variance along its own first component), d_eff, step_norm (mean length of a
                step), path_length, and distance (from the first point to the last).
            runs : value, array
                With `trajectories` or `checkpoints` of several models, one row a run: model (or
                the trajectory's name), n (points), first_ratio (of its variance along its own
                first component), explained_by, most_likely_model and d_eff_noise (as of one
                run), and plane (share of its variance along the common first two components).
                They stand one behind the other in the order in which models are named.
            run_pairs : value, array
                With `runs`, one row a pair of them: a, b, overlap (of their covariances, tr C_a
                C_b / (|C_a| |C_b|)), start_distance and end_distance (between their first and
                their last points), displacement_cosine (of the ways from first to last), alike
                (mean squared cosine of the principal angles between the spans of their own
                components), and its chance and chance_sd for random subspaces in as many
                dimensions as their noise fills.
            between_runs : value, number
                With `runs`, the share of the common variance that lies between their means.
            run : array, float64 (n)
                With `runs`, that of each point, from 0.
            principal_cosines : array, float64 (r,r,k)
                With `runs`, cosines of the principal angles between the spans of two runs' own
                components, descending (Bjorck and Golub 1973).
            scores : array, float64 (n,k)
                The points in the components' coordinates; the entry of largest magnitude of
                each component is positive.
            step : array, float64 (n)
                With `checkpoints` that give their steps, that of each point.
            explained_variance : array, float64 (k)
                Eigenvalues of the covariance.
            explained_variance_ratio : array, float64 (k)
                Shares of the total variance.
            step_norm : array, float64 (n-1)
                Length of each step.
            distance_from_start : array, float64 (n)
                Distance of each point from the first.
            distance_from_end : array, float64 (n)
                Distance of each point from the last.
            distance_from_minimum : array, float64 (n)
                With `loss`, distance of each point from that of least loss in its run.
            loss : array, float64 (n)
                With `loss`, that of each point of the result.
            off_plane : array, float64 (n)
                Distance of each point from the plane of the first two components: where it is
                not small, a picture in that plane is not faithful.
            step_hidden : array, float64 (n-1)
                Share of each step's squared length that lies outside of the plane of the first
                two components; NaN where a step is shorter than the error of the scores.
            steps_off_plane : array, float64 (n-1)
                `off_plane` where each step ends over the length of that step: how many such
                steps lead back to the plane.
            step_cosine : array, float64 (n-2)
                Cosines of successive steps.
            gram : array, float64 (n,n)
                Centred Gram matrix, with `return_gram`.
            directions : array, float32 or float64 (k,d)
                With `return_directions`, unit vectors along the leading components, in the
                precision of the data: a point less the mean of all points, times these, gives
                its `scores`. NaN where the data do not tell a direction.
            verdict : value, string
                In a sentence or two: what a walk would have shown, and whether any null model
                explains the path.
            explained_by : value, string
                The plainest null model whose first five ratios lie within three bands of the
                measured ones; "none" when there is none. Of those that do, walk comes first,
                then walk_steps, then that of lowest AIC.
            most_likely_model : value, string
                The null model of lowest AIC, from the likelihood of the steps' Gram matrix.
            d_eff_noise : value, number
                Effective dimensions of the noise, from the cosines of the most likely model's
                innovations; bands, AIC and intervals use it.
            models : value, array
                One row a null model, fitted by maximum likelihood: model, explains, worst (most
                bands that one of the first five ratios is away), ratio_1 and band_1, ratio_2,
                parameters, log_likelihood (of one effective dimension, less that of walk), aic
                (less the lowest), and with their 95 % profile intervals (_lo, _hi) momentum,
                alpha (pull back to the minimum) and shared (variance of what all steps have in
                common over that of their noise; for a drift mu |mu|^2 / (d sigma^2)). For a
                trap also radius, that of the shell on which the walk ends up, start (distance
                of the first point from the minimum), and at_radius (rms distance in the last
                quarter over radius).
            shapes : value, array
                One row a component: k, step_overlap (cosine of the scores with those of a walk
                with the measured step lengths), chebyshev_r2 (of the scores over the Chebyshev
                graph T_k of the first ones) and lissajous_r2 (share of the variance of the
                first and k-th component on the Lissajous curve of a walk); all are 1 for a walk
                in infinitely many dimensions.
            expected_distance : array, float64 (n)
                Root mean squared distance from the start in the most likely model.
            path_1_2 : figure
                The path in components 1 and 2, with `loss` coloured by it, over the Lissajous
                curve of a walk with the measured step lengths.
            path_1_3 : figure
                The same in components 1 and 3.
            path_2_3 : figure
                The same in components 2 and 3.
            path : figure
                The path in the plane of the first two components, with `loss` coloured by it;
                of several runs, each of them, with `loss` in points as large as it.
            runs_alike : figure
                With `runs`, the mean squared cosine of principal angles, run by run.
            layers : figure
                With `checkpoints`, share of the variance of each tensor beside its share of the
                coordinates.
            scree : figure
                Explained variance ratios, measured and of a walk with the measured step
                lengths, with its band.
            distance : figure
                Of one run, distance from the start, from the end, and with `loss` from the
                minimum, point by point, and what the most likely null model expects.
            panels : figure
                Along the path, of each run: distances from the start, the end, and with `loss`
                from the minimum, the loss, lengths and cosines of steps, the distance from the
                plane of the first two components, and the share of each step that it hides.
            ratio_error : quality, number
                First-order bound on the error of every ratio.
            data_bytes_read : quality, integer
                Bytes of points that were read; 0 when all sums had been kept by an earlier job.
            precision : quality, string
                Of the products: single for float32, float16 and bfloat16 data, else double;
                sums are double.
            direction_error : quality, number
                With `return_directions`: how far the directions are from orthonormal, as the
                largest entry of |V V^T - 1|.
            negative_eigenvalues : quality, integer
                Eigenvalues below zero beyond the solver's rounding; in exact arithmetic there
                are none.
            unchanged_coordinates : quality, number
                Fraction of coordinates that a step leaves exactly as they were.

        References
        ----------
        J. M. Antognini, J. Sohl-Dickstein, "PCA of high dimensional random walks with
        comparison to neural network training", NeurIPS 2018, arXiv:1806.08805.
        """
        return self._submit_kind(
            "pca",
            {
                "components": components,
                "reference": reference,
                "tensors": tensors,
                "exclude": exclude,
                "weights": weights,
                "start": start,
                "stop": stop,
                "stride": stride,
                "return_gram": return_gram,
                "return_directions": return_directions,
                "simulate": simulate,
                "walk_points": walk_points,
                "walk_dimensions": walk_dimensions,
                "walk_seed": walk_seed,
                "walk_momentum": walk_momentum,
                "walk_alpha": walk_alpha,
                "walk_drift": walk_drift,
                "walk_stationary": walk_stationary,
                "walk_schedule": walk_schedule,
            },
            {"trajectory": trajectory, "trajectories": trajectories, "checkpoints": checkpoints, "loss": loss},
            name=name,
            priority=priority,
            max_run_s=max_run_s,
            deadline=deadline,
            keep=keep,
            cache=cache,
        )

    def svcca(
        self,
        layers: Optional[ArrayList] = None,
        a: Optional[ArrayLike] = None,
        b: Optional[ArrayLike] = None,
        sample_ids: Optional[ArrayList] = None,
        head_weights: Optional[ArrayList] = None,
        head_bias: Optional[ArrayList] = None,
        labels: Optional[ArrayLike] = None,
        logits: Optional[ArrayLike] = None,
        *,
        measures: Sequence[Literal["cca", "svcca", "cka", "cka_debiased", "pwcca", "procrustes", "shape", "regression", "cka_rbf", "cka_rbf_debiased", "cka_minibatch", "rsa_pearson", "rsa_spearman", "rsa_kendall", "rsa_cosine", "rsa_whitened", "knn"]] = (
            "cca",
            "svcca",
            "cka",
            "cka_debiased",
        ),
        threshold: float = 0.99,
        rule: Literal["variance", "sv_sum"] = "variance",
        both_rules: bool = False,
        rank_tolerance: float = 0,
        layout: Literal["auto", "nd", "ntd", "nchw", "nhwc"] = "auto",
        reduction: Literal["flatten", "samples", "mean", "dft"] = "flatten",
        compare_with: Sequence[Literal["google_cca", "google_pwcca", "anatome", "resi", "kornblith"]] = (
        ),
        google_epsilon: float = 1e-10,
        influence: bool = False,
        return_directions: int = 0,
        pwcca_weights: Literal["mean", "first"] = "mean",
        shape_alpha: float = 0.5,
        rbf_bandwidth: float = 1,
        batch_size: int = 256,
        batch_shuffle: bool = True,
        rsa_distance: Literal["correlation", "euclidean", "squared_euclidean", "cosine"] = "correlation",
        knn_distance: Literal["euclidean", "cosine", "correlation"] = "euclidean",
        neighbours: int = 10,
        table_memory: int = 1024,
        pairs: Literal["all", "same_layer", "final", "across_models"] = "all",
        max_directions: int = 0,
        converged_at: float = 0.95,
        layer_flops: Sequence[float] = (),
        permutations: int = 0,
        seed: int = 0,
        compress_to: int = 0,
        return_factors: bool = False,
        draws: int = 5,
        unit_subsets: Sequence[int] = (),
        intervals: Literal["none", "jackknife", "bootstrap"] = "none",
        interval_blocks: int = 0,
        interval_replicates: int = 1000,
        confidence: float = 0.95,
        name: Optional[str] = None,
        priority: Optional[Priority] = None,
        max_run_s: Optional[float] = None,
        deadline: Optional[Time] = None,
        keep: bool = False,
        cache: bool = True,
    ) -> Job:
        """Similarity of representations (CCA, SVCCA, PWCCA, CKA, Procrustes, RSA).

        Compares layers of neural networks by their activations on the same samples: every pair
        of the layers given, each layer decomposed once. Canonical correlations ignore any
        invertible linear map of the units; SVCCA first keeps the directions that hold 99 % of a
        layer; linear CKA ignores rotations and scale only, and its debiased form does not grow
        with the number of units.

        Parameters
        ----------
        layers : 1 to 512 arrays of shape (n,d or as `layout` says), with model and step
            Activations of two or more layers, one array each: rows are samples, columns are
            units, or see `layout`. All have the same samples in the same order; the number of
            units may differ. In a grid, entries of one name are told apart by `model` and
            `step`.
        a : array of shape (n,d or as `layout` says)
            One layer, when only two are compared. Goes with `b`.
        b : array of shape (n,d or as `layout` says)
            The other layer, for the same samples as `a`.
        sample_ids : 1 to 512 arrays of shape (n)
            Numbers that tell samples apart, one a row, in an array for each layer, under the
            layer's name (`a` and `b` where these are given). Layers whose ids differ in any row
            are refused, with the first one. Layers without ids are taken as they are.
        head_weights : 1 to 512 arrays of shape (d,c), with model and step
            Weights of what comes after a layer, units by outputs, under the name, `model` and
            `step` of the layer. Asks how many directions of the layer those outputs need.
        head_bias : 1 to 512 arrays of shape (c), with model and step
            What is added to the outputs, labelled as its `head_weights`.
        labels : array of shape (n)
            The class of each sample, from 0. Asks how well each layer knows each class. Outputs
            of `head_weights` are then the classes, the same for all, and accuracy is told.
        logits : array of shape (n,c)
            Outputs of a network for each sample; layers are set beside these, one by one, in
            place of classes.
        measures : list of distinct names out of cca, svcca, cka, cka_debiased, pwcca,
            procrustes, shape, regression, cka_rbf, cka_rbf_debiased, cka_minibatch,
            rsa_pearson, rsa_spearman, rsa_kendall, ...
            Which measures to compute. Only what they need is made: CKA and Procrustes need no
            decomposition, SVCCA alone only the leading directions of each layer.
        threshold : number from 1e-06 to 1
            Share of a layer that the directions kept by SVCCA hold, by either rule. 1 keeps
            every direction and makes SVCCA equal to CCA.
        rule : one of variance, sv_sum
            What `threshold` is a share of in `svcca`: the variance (squared singular values) or
            the sum of singular values, as in the paper's appendix. The directions that either
            keeps are always reported.
        both_rules : true or false
            Score SVCCA by the other rule as well. The sum of singular values keeps many more
            directions and so costs more.
        rank_tolerance : number from 0 to 0.5
            Singular values below this share of the largest count as zero. 0 means max(n, d)
            times the machine epsilon.
        layout : one of auto, nd, ntd, nchw, nhwc
            What the axes of the layers are: nd (samples, units), ntd (samples, steps, units),
            nchw (samples, channels, height, width), nhwc (samples, height, width, channels).
            Arrays of two axes are (samples, units) in any layout; auto takes no others, and
            none with more units than samples, which are mostly transposed.
        reduction : one of flatten, samples, mean, dft
            What becomes of the positions (steps, or places in an image) of layers that have
            some: flatten makes a unit at each position a unit of its own, samples makes each
            position of a sample a sample, mean takes the mean over positions. dft compares
            Fourier coefficients frequency by frequency, each samples x units, which is what
            flatten gives where data are closed under (circular) translation, and much cheaper;
            `off_block` in quality tells how far they are from it. Maps of other sizes are
            compared on the frequencies that both have, those below the Nyquist frequency of the
            smaller; layers of two axes have frequency 0 alone. Not with pwcca, nor with what is
            made of whole layers: directions, influence, permutations, compare_with.
        compare_with : list of distinct names out of google_cca, google_pwcca, anatome, resi,
            kornblith
            Also tell what other programs print for the same pairs, and why it differs:
            google/svcca (cca_core and pwcca), anatome, ReSi, and the notebook of Kornblith et
            al. (whose kernel takes our `rbf_bandwidth`). Takes up to five times as long as the
            job alone.
        google_epsilon : number from 0 to 1
            The epsilon of google/svcca that `compare_with` takes; its tutorial's is 1e-10, its
            default 0.
        influence : true or false
            Also compute linear CKA without each sample in turn, to find the samples that a
            score hangs on. Costs about as much as the pairs themselves.
        return_directions : integer from 0 to 100
            How many leading SVCCA directions of each pair to return: variates, coefficients,
            loadings and explained variance. With a `threshold` of 1 they are those of CCA.
        pwcca_weights : one of mean, first
            Whose units weigh the correlations in `pwcca`: those of both layers, and the mean of
            the two is taken, or those of the first layer of a pair only, which halves the work.
        shape_alpha : number from 0 to 1
            Of the shape metric: layers become X (alpha I + (1 - alpha) (X^T X)^(-1/2)). 1 is
            Procrustes, 0 whitens and leaves the mean canonical correlation; in between the
            scale of a layer matters.
        rbf_bandwidth : number from 0.001 to 1000
            Of `cka_rbf` and `cka_rbf_debiased`: the bandwidth sigma of the Gaussian kernel
            exp(-|x - y|^2 / (2 sigma^2)), as a share of the median distance between different
            samples of the layer. Large ones make it linear CKA.
        batch_size : integer from 4 to 4096, in samples
            Of `cka_minibatch`: samples in a batch, at least; n samples make n / batch_size
            batches, rounded down, as equal in size as can be. Costs n times this a pair.
        batch_shuffle : true or false
            Put the samples in an order drawn from `seed` before they are cut into minibatches.
            false takes them as they come, which is wrong for samples that are sorted by class.
        rsa_distance : one of correlation, euclidean, squared_euclidean, cosine
            Of the `rsa_` measures: the dissimilarity of two samples of a layer. correlation: 1
            - Pearson's r of their units; euclidean; squared_euclidean; cosine: 1 - the cosine.
            Pearson's r and the cosine are not defined for a sample whose units are all equal,
            or all 0; scores of such a layer are null, with a warning.
        knn_distance : one of euclidean, cosine, correlation
            Of `knn`: what samples are near by. cosine and correlation as in `rsa_distance`.
        neighbours : integer from 1 to 10000, in samples
            Of `knn`: how many nearest samples are shared or not, fewer than there are others.
            Of samples equally far the first are taken.
        table_memory : integer from 0 to 1000000, in MiB
            Tables of samples by samples (of `cka_rbf` and the `rsa_` measures) are made once a
            layer and held while those of all layers together take no more than this; otherwise
            they are made anew for every pair, with the same result. With `permutations`, and
            for ranks, there is room for those of one pair beside this, and with `permutations`
            for one n x n more; while ranks are sorted each pair of samples takes 32 bytes.
        pairs : one of all, same_layer, final, across_models
            Which pairs to compare: all; same_layer: entries of one name (over steps and
            models); final: each with the last step of the same name and model; across_models:
            entries of different models.
        max_directions : integer from 0 to 1000000000, in directions
            Room for this many directions a layer when only the leading ones are kept (SVCCA
            without CCA): bounds the memory of a large grid. A layer that needs more fails the
            job and tells how many. 0: room for all.
        converged_at : number from 0 to 1
            A layer has converged at the step from which on its similarity with its last step is
            at least this share of the last one's own (which is 1).
        layer_flops : list, each number of at least 0
            What each layer costs forward, in FLOPs or, for layers without shared weights,
            parameters: a number for each name in `layers`, in the order in which the names
            first come, which is taken for bottom to top. With it, a grid with steps also tells
            what freezing saves.
        permutations : integer from 0 to 1000000
            How often to shuffle the samples of each layer against those of the other, for a p
            of every score that holds whatever the data. Layers are not decomposed again and no
            distances measured; each costs what the pair costs. For `cka_minibatch`, samples are
            shuffled within their batches.
        seed : integer from 0 to 9.00719925474099e+15
            What random numbers are drawn from: the same seed, the same draws.
        compress_to : integer from 0 to 1000000, in directions
            With `head_weights`: put them through this many directions of their layer, by two
            thin factors, and tell what that loses and saves. 0: do not.
        return_factors : true or false
            With `compress_to`: return the factors.
        draws : integer from 1 to 1000
            How often what is drawn at random (directions, units) is drawn; curves are the
            means.
        unit_subsets : list, each integer from 1 to 1000000000, in units
            Sizes of random subsets of a layer's units: tell what share of each of its leading
            SVCCA directions is a combination of so many.
        intervals : one of none, jackknife, bootstrap
            Intervals of every score and of differences between pairs, for the score that ever
            more samples would give: jackknife leaves out one block of samples after the other;
            bootstrap draws half of the blocks, again and again, without repeated samples (which
            would raise every similarity). Both take the bias of few samples off. Layers are not
            decomposed again. Not for measures that set samples beside samples (cka_rbf and
            those after it), which are no functions of sums over samples: ranks, neighbours and
            a median distance change with the samples taken.
        interval_blocks : integer from 0 to 1000, in blocks
            Into how many blocks of consecutive samples `intervals` cuts the samples; each
            should be longer than samples depend on each other. 0: 20 for jackknife, 100 for
            bootstrap. At most as many as there are samples; for bootstrap an even number.
            Memory grows with them: three matrices of units by units a block.
        interval_replicates : integer from 50 to 100000
            How many halves the bootstrap draws.
        confidence : number from 0.5 to 0.9999
            How often an interval is to hold the true value.
        name : str, optional
            A name for people.
        priority : high, normal or low
            Which of the waiting jobs runs first.
        max_run_s : float, optional
            Seconds the job may run.
        deadline : datetime, str or float, optional
            When the job must have ended: a time, RFC 3339 text, or Unix seconds.
        keep : bool
            Never remove the job by retention.
        cache : bool
            Take a stored result of the same job if there is one.

        Returns
        -------
        Job
            On disk and waiting; its result has

            n : value, integer
                Samples.
            layers : value, array
                One row a layer: name, model and step where given, n, d, constant_units (that
                never change), rank (null when the measures need no decomposition), condition
                (largest over smallest singular value within the rank), k_variance and k_sv_sum
                (directions that hold `threshold` by either rule; null when singular values were
                not needed). With cka_rbf or cka_rbf_debiased, rbf_sigma: the kernel's bandwidth
                in the layer's units.
            pairs : value, array
                One row a pair of layers: a, b, and for each measure its similarity under its
                own name (regression: regression_a_to_b and regression_b_to_a) and its distance:
                the angle arccos s for every cka, procrustes, shape, rsa_cosine and
                rsa_whitened, and 1 - s for the others. The rsa_ measures compare the
                dissimilarities of all pairs of samples: by Pearson's r, by Spearman's (mean
                ranks among ties), by Kendall's tau-b (and rsa_kendall_tau_a), by their cosine,
                and by their cosine in the metric of the covariance that noise gives them
                (rsa_whitened: with rsa_distance squared_euclidean it is linear CKA, with
                euclidean the squared distance correlation). knn is the mean share of the
                `neighbours` nearest samples that are the same in both. cca also gives cca_mean,
                the same as cca, cca_mean_squared, null_cca_mean_squared (its expectation for
                unrelated Gaussian data) and forced_ones (canonical correlations that are 1
                whatever the data, because there are too few samples); svcca gives svcca_k_a,
                svcca_k_b, svcca_variance and svcca_sv_sum (of `rule`, or of both_rules); pwcca
                gives pwcca_a and pwcca_b by the weights of either side; procrustes gives
                procrustes_distance2 = 2 - 2 s. Beside each of cca, svcca, every cka, every rsa_
                and knn what unrelated layers show: null_mean and null_sd, z (distance from that
                mean in sd), adjusted (0 for chance, 1 for equality), p (of a score at least as
                high; for cca and svcca of their mean square). For cca and svcca also null_edge
                (where Wachter's law of the correlations ends) and significant_directions (at 5
                %, by Bartlett's and Lawley's test). They hold for Gaussian data; for every cka,
                rsa_ and knn, null_mean and null_sd for any data under permutation of its
                samples (cka_minibatch: within the batches; the null_sd of rsa_kendall is not
                known and null). The p of linear cka takes singular values, and is null where no
                measure needs those; that of the others is null, and told by `permutations`.
                With `reduction` dft, scores are sums over the frequencies that both layers
                have, debiased ones frequency by frequency, and of the columns on chance there
                is null_cca_mean_squared.
            peers : value, array
                With `compare_with`, one row a pair and number: a, b, peer, measure, sense
                (similarity or distance), value (null where the peer stops or prints rounding
                noise), rounding (relative size of the peer's own rounding errors), our_measure
                and ours (the same measure in `pairs`), why (one sentence on what differs).
            influence : value, array
                With `influence`, the three samples of each pair without which linear CKA
                changes most: a, b, sample (row, from 0), cka_without, change (cka_without less
                cka), cka_debiased_without.
            permutations : value, array
                With `permutations`, one row a pair and score: a, b, score (its name in
                `pairs`), value, null_mean, null_sd, null_median, null_95 and null_99 (of the
                shuffled scores), p (of a score at least as high, itself counted) and p_family
                (that any pair reaches as high above its own mean, in sd: holds for all pairs of
                the job together). null where a score is not defined.
            intervals : value, array
                With `intervals`, one row a pair and score: a, b, score (its name in `pairs`),
                value, corrected (less the bias of few samples), se, low and high (of the score
                that ever more samples would give), undercovers (null; few-samples: fewer than
                10 for each direction of both layers; small-correlations: cca, svcca, pwcca,
                procrustes and shape where some correlation may be 0). Where correlations of a
                pair are equal, the weights of pwcca are not smooth, and its 95 % intervals hold
                92 %, its differences 90 %; nothing tells. svcca keeps as many directions as for
                all samples.
            differences : value, array
                With `intervals`, one row a score and two pairs: a, b, other_a, other_b, score,
                difference (of the pairs a, b and other_a, other_b), corrected, se, low, high
                and p (two-sided, of no difference; not adjusted for their number). All pairs of
                up to 25 pairs, else those that share a layer.
            influence_cka : array, float64 (P,n)
                With `influence`, linear CKA of each pair without each sample.
            influence_cka_debiased : array, float64 (P,n)
                With `influence`, the same for debiased CKA.
            dynamics : value, array
                With `step` given for entries of one name and model that were compared with the
                last of them, one row a layer: name, model where given, steps (entries),
                first_step, last_step, for each measure <measure>_converged_step (from which on
                its similarity with its last step is at least `converged_at`; for regression,
                the variance of the last step that the layer explains), and freeze_step (from
                which on it and all layers of the model that come before it have converged, by
                svcca or else the first measure; null where a layer never changes).
            freezing : value, array
                With `dynamics`, one row a model: model where given, measure (that freeze_step
                goes by), steps (of the training, from step 0), and where `layer_flops` is given
                backward_saved and training_saved: the share of the gradients' FLOPs, and of
                all, that these layers need not when each is frozen at its freeze_step.
            heads : value, array
                With `head_weights`, one row a way to choose directions of a layer, on which the
                layer is projected before its head: layer, directions (svd: by singular values;
                random: directions of the layer, mean over `draws`; units: random units, mean
                over `draws`; largest_units: by mean |activation|; svcca: of the pair with the
                layer `with`), outputs, count (directions there are), with `labels` accuracy (of
                the head itself) and k_accuracy (the fewest directions with 99 % of it), and
                k_variance (the fewest that keep 99 % of the outputs' variance); null where all
                there are do not. Other units are put at their mean. With `compress_to`, svd and
                svcca also have k (directions of the factors), predicted_loss (share of the
                outputs' variance, from the spectrum), measured_loss (by going through the
                factors), accuracy_at_k, weights_saved (share; negative where the factors are
                larger) and factors (place in the arrays of `return_factors`).
            unit_subsets : value, array
                With `unit_subsets`, one row a pair, side and size: layer, with (the other
                layer), units (that change, no more than there are), directions (the leading
                ones of the pair, up to 50), first and mean (share of the first direction, and
                of all, that lies in so many units, mean over `draws`), chance (share of a
                random direction of the layer), held (how many directions, counted from the
                first, lie there to 99 %).
            unit_subset_shares : array, float64 (P,2,s,50)
                With `unit_subsets`, the share of each direction; NaN beyond those there are.
            classes : value, array
                With `labels` or `logits`, one row a layer: layer, classes (that change), mean
                (of class_cca over these), worst and best (the classes with the least and the
                greatest), worst_cca, best_cca.
            class_cca : array, float64 (L,c)
                With `labels` or `logits`, the canonical correlation of each layer with each
                class alone (one column of `logits`, or being of this class): the multiple
                correlation coefficient. NaN where either never changes.
            class_svcca : array, float64 (L,c)
                With `labels` or `logits`, the same with the directions that SVCCA keeps.
            class_adjusted : array, float64 (L,c)
                With `labels` or `logits`, class_cca squared less chance: 0 for unrelated data,
                1 for equality.
            head_accuracy : array, float64 (H,D+1)
                With `head_weights` and `labels`, the accuracy of each row of `heads` with 0, 1,
                ... directions; NaN beyond those there are.
            head_loss : array, float64 (H,D+1)
                With `head_weights`, the share of the outputs' variance that is lost, likewise.
            factors_in : array, float64 (F,D,k)
                With `return_factors`, A: a layer x goes through (x A) B + bias instead of its
                head, and the n values of each column of x A less their mean have norm 1. Padded
                with 0, like the other factors.
            factors_out : array, float64 (F,k,c)
                With `return_factors`, B.
            factors_bias : array, float64 (F,c)
                With `return_factors`, the bias.
            dynamics_similarity : array, float64 (M,R,S)
                With `dynamics`, by each measure in the order of the L x L arrays, the
                similarity of each of its R rows with its last step, at each step; NaN beyond a
                row's steps.
            dynamics_steps : array, float64 (R,S)
                With `dynamics`, the steps.
            cca : array, float64 (L,L)
                Mean canonical correlation of every pair; like all L x L arrays 1 on the
                diagonal and NaN for pairs that were not compared.
            svcca : array, float64 (L,L)
                SVCCA of every pair by `rule`.
            cka : array, float64 (L,L)
                Linear CKA of every pair.
            cka_debiased : array, float64 (L,L)
                Debiased linear CKA of every pair; may be below 0.
            pwcca : array, float64 (L,L)
                With `pwcca` asked for, projection-weighted canonical correlation of every pair.
            procrustes : array, float64 (L,L)
                With `procrustes` asked for, similarity by the best rotation, ||X^T Y||_* /
                (||X|| ||Y||).
            shape : array, float64 (L,L)
                With `shape` asked for, the same of layers whitened as far as shape_alpha says.
            regression : array, float64 (L,L)
                With `regression` asked for, R squared of the column's layer by linear
                regression on the row's layer.
            cka_rbf : array, float64 (L,L)
                With `cka_rbf` asked for, CKA with a Gaussian kernel of every pair.
            cka_rbf_debiased : array, float64 (L,L)
                With `cka_rbf_debiased` asked for, its debiased form; may be below 0.
            cka_minibatch : array, float64 (L,L)
                With `cka_minibatch` asked for, debiased linear CKA by minibatches of every
                pair.
            rsa_pearson : array, float64 (L,L)
                With `rsa_pearson` asked for, Pearson's r of the dissimilarities of every pair.
            rsa_spearman : array, float64 (L,L)
                With `rsa_spearman` asked for, Spearman's rank correlation of the
                dissimilarities of every pair.
            rsa_kendall : array, float64 (L,L)
                With `rsa_kendall` asked for, Kendall's tau-b of the dissimilarities of every
                pair.
            rsa_cosine : array, float64 (L,L)
                With `rsa_cosine` asked for, the cosine of the dissimilarities of every pair.
            rsa_whitened : array, float64 (L,L)
                With `rsa_whitened` asked for, their whitened cosine.
            knn : array, float64 (L,L)
                With `knn` asked for, the mean share of nearest samples that every pair has in
                common.
            singular_values : array, float64 (L,D)
                Singular values of each centred layer, padded with 0 to the largest number of
                units D. With measures that need them: svcca, shape, regression.
            cca_correlations : array, float64 (P,D)
                Canonical correlations of each of the P pairs in the order of `pairs`, padded
                with 0. Left out, with a warning, where all pairs together have too many.
            svcca_correlations : array, float64 (P,D)
                The same for the directions that SVCCA keeps by `rule`.
            frequency_correlations : array, float64 (P,H,W)
                With `reduction` dft, the mean canonical correlation of each pair at each
                frequency, in the order of numpy.fft.fftfreq on the largest map H x W; NaN where
                a layer has it not.
            frequency_energy : array, float64 (L,H,W)
                With `reduction` dft, the share of each layer's variance at each frequency.
            direction_variates : array, float64 (P,2,n,k)
                With `return_directions`, values of each direction on every sample, norm 1, of
                both layers of a pair; arrays of directions are padded with 0.
            direction_coefficients : array, float64 (P,2,D,k)
                With `return_directions`, weights of the units: the centred layer times these
                gives the variates.
            direction_loadings : array, float64 (P,2,D,k)
                With `return_directions`, correlation of each variate with each unit; the
                largest of the first layer is positive.
            direction_explained : array, float64 (P,2,k)
                With `return_directions`, share of the layer's variance that follows from each
                variate.
            cca_heatmap : figure
                Mean canonical correlation, layer by layer. In all heat maps of a grid, entries
                are ordered by model, then layer, then step.
            svcca_heatmap : figure
                SVCCA, layer by layer.
            cka_heatmap : figure
                Linear CKA, layer by layer.
            cka_debiased_heatmap : figure
                Debiased linear CKA, layer by layer.
            null_spectrum : figure
                Canonical correlations of the first 4 pairs, each with those that unrelated
                layers of its ranks would show.
            intervals : figure
                With `intervals`, the scores of the first 12 pairs with their intervals.
            pwcca_heatmap : figure
                With `pwcca` asked for, the same layer by layer.
            procrustes_heatmap : figure
                With `procrustes` asked for, the same layer by layer.
            shape_heatmap : figure
                With `shape` asked for, the same layer by layer.
            regression_heatmap : figure
                With `regression` asked for, the same layer by layer.
            head_curves : figure
                With `head_weights`, accuracy (without `labels`, the variance lost) by the
                number of directions, a pane for each of the first 12 heads; svcca with the
                first other layer.
            unit_subsets : figure
                With `unit_subsets`, the share of each direction in so many units, a pane for
                each side of the first 6 pairs.
            class_heatmap : figure
                With `labels` or `logits`, class_cca of up to 70 layers and classes.
            class_curves : figure
                With `labels` or `logits` and steps, class_cca of the first 10 classes over
                training, a pane a layer, as in the paper's figure 6.
            layer_curves : figure
                With `dynamics`, similarity with the last step over training: a pane for each of
                the first 24 layers, a line a measure.
            dynamics : figure
                With `dynamics` and every pair compared, layers of the first model at up to 4
                steps of training beside its layers at the end, as in the paper's figure 4.
            cka_rbf_heatmap : figure
                With `cka_rbf` asked for, the same layer by layer.
            cka_rbf_debiased_heatmap : figure
                With `cka_rbf_debiased` asked for, the same layer by layer.
            cka_minibatch_heatmap : figure
                With `cka_minibatch` asked for, the same layer by layer.
            rsa_pearson_heatmap : figure
                With `rsa_pearson` asked for, the same layer by layer.
            rsa_spearman_heatmap : figure
                With `rsa_spearman` asked for, the same layer by layer.
            rsa_kendall_heatmap : figure
                With `rsa_kendall` asked for, the same layer by layer.
            rsa_cosine_heatmap : figure
                With `rsa_cosine` asked for, the same layer by layer.
            rsa_whitened_heatmap : figure
                With `rsa_whitened` asked for, the same layer by layer.
            knn_heatmap : figure
                With `knn` asked for, the same layer by layer.
            frequency_curve : figure
                With `reduction` dft, the mean canonical correlation of the first 8 pairs by
                frequency, in cycles a map, over all directions of it.
            spectrum : figure
                Singular values of each layer, of the first 12 layers.
            layers : quality, array
                One row a layer: name, route (none, cholesky, gram, gram_cholesky or qr: how the
                basis was made, by what is needed and by the condition), condition (an estimate
                on the route cholesky), error (about the most that a correlation is wrong by),
                orthogonality_error (largest entry of U^T U - I; null where U was not formed).
            correlation_error : quality, number
                The largest error of all layers: canonical correlations are about as accurate.
            off_block : quality, array
                With `reduction` dft, one row a layer: name, share (of the squared covariance of
                its entries, what lies between different frequencies; 0 where data are closed
                under translation), unbiased (the same less what so many samples show by chance:
                0 for stationary data), share_sd and unbiased_sd (standard errors, for both are
                estimated by 16 fixed Gaussian probes). From 0.1 on there is a warning.

        References
        ----------
        M. Raghu, J. Gilmer, J. Yosinski, J. Sohl-Dickstein, "SVCCA: Singular Vector Canonical
        Correlation Analysis for Deep Learning Dynamics and Interpretability", NeurIPS 2017,
        arXiv:1706.05806. S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "Similarity of Neural
        Network Representations Revisited", ICML 2019, arXiv:1905.00414.
        """
        return self._submit_kind(
            "svcca",
            {
                "measures": measures,
                "threshold": threshold,
                "rule": rule,
                "both_rules": both_rules,
                "rank_tolerance": rank_tolerance,
                "layout": layout,
                "reduction": reduction,
                "compare_with": compare_with,
                "google_epsilon": google_epsilon,
                "influence": influence,
                "return_directions": return_directions,
                "pwcca_weights": pwcca_weights,
                "shape_alpha": shape_alpha,
                "rbf_bandwidth": rbf_bandwidth,
                "batch_size": batch_size,
                "batch_shuffle": batch_shuffle,
                "rsa_distance": rsa_distance,
                "knn_distance": knn_distance,
                "neighbours": neighbours,
                "table_memory": table_memory,
                "pairs": pairs,
                "max_directions": max_directions,
                "converged_at": converged_at,
                "layer_flops": layer_flops,
                "permutations": permutations,
                "seed": seed,
                "compress_to": compress_to,
                "return_factors": return_factors,
                "draws": draws,
                "unit_subsets": unit_subsets,
                "intervals": intervals,
                "interval_blocks": interval_blocks,
                "interval_replicates": interval_replicates,
                "confidence": confidence,
            },
            {"layers": layers, "a": a, "b": b, "sample_ids": sample_ids, "head_weights": head_weights, "head_bias": head_bias, "labels": labels, "logits": logits},
            name=name,
            priority=priority,
            max_run_s=max_run_s,
            deadline=deadline,
            keep=keep,
            cache=cache,
        )
