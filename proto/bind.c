/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Binding: references become views.
 *
 * DESIGN. Files are opened once per digest however many references name them, and stay
 * open until the job is released. They are found again through a hash table whose hash is
 * the beginning of the digest, so that a job over thousands of checkpoints binds in time
 * that grows with their number only. The table of a file's tensors is one per file, too.
 */
#include "proto/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/fault.h"

struct opened {
    char sha256[TG_SHA256_HEX];
    void *handle;
    struct tg_array_file file;
    struct tg_array_member **order; /* the members by name; NULL until they are asked for */
    struct tg_bound_member *member; /* the same order */
};

struct binding {
    struct tg_opener opener;
    struct opened *opened;
    size_t nopened;
    uint32_t *slot; /* 1 + index into opened, 0: free; a power of two of them */
    size_t mask;
    struct tg_bound *bound; /* of all inputs, one behind the other */
};

struct binder {
    struct binding *binding;
    struct tg_job *job;
    struct tg_report *report;
    bool headers_only;
    size_t max_decoded_bytes;
};

static enum tg_err no_memory(struct tg_report *report)
{
    return tg_fault_add(report, TG_NOMEM, NULL, "There is no memory for this.");
}

/* The slot that holds the file of this digest, or the free one where it belongs. */
static uint32_t *find_slot(const struct binding *binding, const char *sha256)
{
    char head[9];
    snprintf(head, sizeof(head), "%.8s", sha256);
    for (size_t i = strtoul(head, NULL, 16);; i++) {
        uint32_t *slot = &binding->slot[i & binding->mask];
        if (!*slot || !strcmp(binding->opened[*slot - 1].sha256, sha256))
            return slot;
    }
}

static void cannot_open(struct binder *b, const struct tg_ref *ref, enum tg_err err)
{
    const struct tg_opener *opener = &b->binding->opener;
    const char *why = opener->why ? opener->why(opener->self) : "";
    if (*why)
        tg_fault_add(b->report, err, ref->pointer, "%s", why);
    else
        tg_fault_add(b->report, err, ref->pointer, "The data cannot be opened: %s.",
                     tg_err_title(err));
}

/* The opened file of a reference; NULL with a fault when it cannot be read. */
static struct opened *open_file(struct binder *b, const struct tg_ref *ref)
{
    struct binding *binding = b->binding;
    struct opened *opened = &binding->opened[binding->nopened];
    struct tg_report why;
    const void *bytes;
    size_t n;
    uint32_t *slot = find_slot(binding, ref->sha256);
    if (*slot)
        return &binding->opened[*slot - 1];
    enum tg_err err = binding->opener.open(binding->opener.self, ref->sha256, &bytes, &n,
                                           &opened->handle);
    if (err) {
        if (err == TG_UNKNOWN_DATA)
            tg_fault_add_value(
                b->report, err, ref->pointer, ref->sha256, NULL,
                "No data with this SHA-256 is stored here; send it with PUT "
                "/v1/data/%s.",
                ref->sha256);
        else
            cannot_open(b, ref, err);
        return NULL;
    }
    tg_report_init(&why);
    err = tg_array_file_open(bytes, n, &opened->file, &why);
    if (err) {
        tg_fault_add(b->report, err, ref->pointer, "%s", why.detail);
        binding->opener.close(binding->opener.self, opened->handle);
        return NULL;
    }
    snprintf(opened->sha256, sizeof(opened->sha256), "%s", ref->sha256);
    *slot = (uint32_t)++binding->nopened;
    return opened;
}

static void tell_keys(struct binder *b, const struct tg_array_file *file,
                      const struct tg_ref *ref)
{
    char pointer[TG_POINTER_SIZE], allowed[sizeof(((struct tg_fault *)0)->allowed)];
    const char **names = malloc((file->nmembers + 1) * sizeof(*names));
    if (!names) {
        no_memory(b->report);
        return;
    }
    for (size_t i = 0; i < file->nmembers; i++)
        names[i] = file->member[i].name;
    tg_join(allowed, sizeof(allowed), names, file->nmembers);
    tg_pointer_add(pointer, ref->pointer, "key");
    const char *dtype = ref->key ? tg_array_file_skipped(file, ref->key) : NULL;
    if (dtype)
        tg_fault_add_value(b->report, TG_INVALID, pointer, dtype, NULL,
                           "The array `%.80s` has the dtype %.60s, which is not supported; "
                           "convert it before saving it.",
                           ref->key, dtype);
    else if (ref->key && file->nmembers == 1 && !*names[0])
        tg_fault_add_value(
            b->report, TG_INVALID, pointer, ref->key, NULL,
            "The file is %s and holds one array without a name; leave `key` "
            "out.",
            tg_format_name(file->format));
    else if (ref->key)
        tg_fault_unknown(b->report, pointer, "array", ref->key, names, file->nmembers);
    else
        tg_fault_add_value(b->report, TG_INVALID, pointer, NULL, allowed,
                           "The file holds %zu arrays; `key` tells which one is meant.",
                           file->nmembers);
    free(names);
}

static struct tg_array_member *
find_member(struct binder *b, const struct tg_array_file *file, const struct tg_ref *ref)
{
    if (!ref->key && file->nmembers == 1)
        return &file->member[0];
    for (size_t i = 0; ref->key && *ref->key && i < file->nmembers; i++)
        if (!strcmp(file->member[i].name, ref->key))
            return &file->member[i];
    tell_keys(b, file, ref);
    return NULL;
}

/* Whether the array's shape is one the input takes; `name` is "" or the tensor's. */
static bool check_shape(struct binder *b, const struct tg_input *input,
                        const struct tg_ref *ref, const char *name,
                        const struct tg_mat *mat)
{
    char got[TG_GOT_SIZE], allowed[64], which[100] = "this one";
    tg_mat_shape_text(mat, got, sizeof(got));
    if (*name)
        snprintf(which, sizeof(which), "`%.80s`", name);
    if (input->ndim_lo == input->ndim_hi)
        snprintf(allowed, sizeof(allowed), "%d dimensions", input->ndim_lo);
    else
        snprintf(allowed, sizeof(allowed), "%d to %d dimensions", input->ndim_lo,
                 input->ndim_hi);
    if (mat->ndim < input->ndim_lo || mat->ndim > input->ndim_hi) {
        tg_fault_add_value(b->report, TG_INVALID, ref->pointer, got, allowed,
                           "`%s` takes arrays of %s (%s); %s has shape %s.", input->name,
                           allowed, input->shape, which, got);
        return false;
    }
    if (!tg_mat_count(mat) && !(input->flags & TG_INPUT_MEMBERS)) {
        tg_fault_add_value(b->report, TG_INVALID, ref->pointer, got, NULL,
                           "The array is empty: its shape is %s.", got);
        return false;
    }
    return true;
}

/* Decodes the member unless that is done or only headers are wanted; false with a fault. */
static bool read_member(struct binder *b, const struct tg_ref *ref, struct opened *opened,
                        struct tg_array_member *member)
{
    if (!member->decoded_bytes || member->mat.data)
        return true;
    if (!b->headers_only) {
        size_t used = b->job->decoded_bytes,
               room = b->max_decoded_bytes > used ? b->max_decoded_bytes - used : 0;
        struct tg_report why;
        struct tg_mat mat;
        tg_report_init(&why);
        enum tg_err err = tg_array_file_read_at(
            &opened->file, (size_t)(member - opened->file.member), room, &mat, &why);
        if (err) {
            tg_fault_add(b->report, err, ref->pointer, "%s", why.detail);
            return false;
        }
    }
    b->job->decoded_bytes += member->decoded_bytes;
    return true;
}

/* A zip file may use a name twice; the order is one all the same. */
static int by_name(const void *a, const void *b)
{
    const struct tg_array_member *x = *(const struct tg_array_member *const *)a,
                                 *y = *(const struct tg_array_member *const *)b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x > y) - (x < y);
}

/* Makes the table of the file's tensors; false with a fault. */
static bool order_members(struct binder *b, struct opened *opened)
{
    size_t n = opened->file.nmembers;
    opened->order = calloc(n, sizeof(struct tg_array_member *));
    opened->member = calloc(n, sizeof(*opened->member));
    if (!opened->order || !opened->member) {
        no_memory(b->report);
        return false;
    }
    b->job->decoded_bytes += n * (sizeof(*opened->order) + sizeof(*opened->member));
    for (size_t i = 0; i < n; i++)
        opened->order[i] = &opened->file.member[i];
    qsort(opened->order, n, sizeof(struct tg_array_member *), by_name);
    return true;
}

/* A whole file, or the member of the reference's key. */
static void bind_members(struct binder *b, const struct tg_input *input,
                         const struct tg_ref *ref, struct opened *opened,
                         struct tg_bound *bound)
{
    const struct tg_array_member *only =
        ref->key ? find_member(b, &opened->file, ref) : NULL;
    if ((ref->key && !only) || (!opened->member && !order_members(b, opened)))
        return;
    for (size_t i = 0; i < opened->file.nmembers; i++) {
        struct tg_array_member *member = opened->order[i];
        if (only && member != only)
            continue;
        if (!check_shape(b, input, ref, member->name, &member->mat) ||
            !read_member(b, ref, opened, member))
            return;
        opened->member[i] = (struct tg_bound_member){member->name, member->mat};
        if (!bound->nmembers++)
            bound->member = &opened->member[i];
    }
    if (!only) {
        bound->skipped = opened->file.skipped;
        bound->nskipped = opened->file.nskipped;
    }
}

static void bind_ref(struct binder *b, const struct tg_input *input,
                     const struct tg_ref *ref, struct tg_bound *bound)
{
    *bound = (struct tg_bound){.name = ref->name,
                               .model = ref->model,
                               .step = ref->step,
                               .pointer = ref->pointer,
                               .key = ref->key};
    memcpy(bound->sha256, ref->sha256, sizeof(bound->sha256));
    struct opened *opened = open_file(b, ref);
    if (!opened)
        return;
    if (input->flags & TG_INPUT_MEMBERS) {
        bind_members(b, input, ref, opened, bound);
        return;
    }
    struct tg_array_member *member = find_member(b, &opened->file, ref);
    if (member && check_shape(b, input, ref, "", &member->mat) &&
        read_member(b, ref, opened, member))
        bound->mat = member->mat;
}

static enum tg_err allocate(const struct tg_request_spec *spec, size_t nrefs,
                            struct tg_job *job, struct tg_report *report)
{
    struct binding *binding = calloc(1, sizeof(*binding));
    if (!binding)
        return no_memory(report);
    job->priv = binding;
    job->inputs = calloc(spec->kind->ninputs + 1, sizeof(*job->inputs));
    binding->opened = calloc(nrefs + 1, sizeof(*binding->opened));
    binding->bound = calloc(nrefs + 1, sizeof(*binding->bound));
    size_t nslots = 2;
    while (nslots / 2 <= nrefs)
        nslots *= 2;
    binding->slot = calloc(nslots, sizeof(*binding->slot));
    binding->mask = nslots - 1;
    if (!job->inputs || !binding->opened || !binding->bound || !binding->slot)
        return no_memory(report);
    return TG_OK;
}

enum tg_err tg_job_bind(const struct tg_request_spec *spec,
                        const struct tg_opener *opener, bool headers_only,
                        size_t max_decoded_bytes, struct tg_job *job,
                        struct tg_report *report)
{
    struct tg_report own;
    size_t nrefs = 0;
    if (!report)
        report = &own;
    tg_report_init(report);
    for (size_t i = 0; i < spec->kind->ninputs; i++)
        nrefs += spec->inputs[i].n;
    *job = (struct tg_job){.kind = spec->kind, .params = spec->params};
    enum tg_err err = allocate(spec, nrefs, job, report);
    if (err) {
        tg_job_release(job);
        return err;
    }
    struct binding *binding = job->priv;
    binding->opener = *opener;
    struct binder b = {binding, job, report, headers_only, max_decoded_bytes};
    struct tg_bound *bound = binding->bound;
    for (size_t i = 0; i < spec->kind->ninputs; i++) {
        const struct tg_input_refs *refs = &spec->inputs[i];
        job->inputs[i] = (struct tg_job_input){refs->input, bound, refs->n};
        for (size_t k = 0; k < refs->n; k++)
            bind_ref(&b, refs->input, &refs->ref[k], bound++);
    }
    if (!report->count && job->kind->check)
        job->kind->check(job, report);
    if (!report->count)
        return TG_OK;
    tg_job_release(job);
    return report->code;
}

void tg_job_release(struct tg_job *job)
{
    struct binding *binding = job->priv;
    for (size_t i = 0; binding && i < binding->nopened; i++) {
        struct opened *opened = &binding->opened[i];
        free(opened->order);
        free(opened->member);
        tg_array_file_release(&opened->file);
        binding->opener.close(binding->opener.self, opened->handle);
    }
    if (binding) {
        free(binding->opened);
        free(binding->bound);
        free(binding->slot);
    }
    free(binding);
    free(job->inputs);
    *job = (struct tg_job){0};
}

const struct tg_job_input *tg_job_input(const struct tg_job *job, const char *name)
{
    for (size_t i = 0; i < job->kind->ninputs; i++)
        if (!strcmp(job->kind->inputs[i].name, name))
            return &job->inputs[i];
    TG_BUG("the table has no such input");
}
