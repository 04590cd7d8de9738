/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * npz files: zip archives of npy files.
 *
 * DESIGN. libzip reads and writes the archive. Opening unpacks the npy header of each member;
 * the numbers of a stored member are a view where they are aligned, else they are unpacked
 * when they are asked for, into memory of the size that the npy header tells. libzip does
 * not say where a stored member lies, so the central directory is walked beside it; where
 * the walk fails or disagrees, members are unpacked. Members that are no .npy are none.
 */
#include "proto/array_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* Every member costs an unpacked header, so there is a limit; numpy's headers have 128 bytes. */
enum { MEMBERS_MAX = 10000, HEADER_MAX = 64 * 1024 };

static zip_t *open_archive(const struct tg_array_bytes *bytes, struct tg_report *report)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes->p, bytes->n, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (!zip) {
        zip_source_free(source);
        tg_fault_add(report, TG_BAD_ARRAY, NULL, "the npz (zip) file cannot be read: %s",
                     zip_error_strerror(&error));
    }
    zip_error_fini(&error);
    return zip;
}

/* The central directory ---------------------------------------------------------------- */

struct directory {
    const unsigned char *p;
    size_t n;
    uint64_t at; /* the next entry; n when there is none */
};

static uint64_t little(const unsigned char *p, int nbytes)
{
    uint64_t x = 0;
    while (nbytes--)
        x = x << 8 | p[nbytes];
    return x;
}

/* Whether `size` bytes with this signature lie at `at`. */
static bool has(const struct directory *d, uint64_t at, size_t size, const char *signature)
{
    return size <= d->n && at <= d->n - size && !memcmp(d->p + at, signature, 4);
}

/* Starts at the end record, which only a comment of up to 64 KiB may follow. */
static struct directory find_directory(const struct tg_array_bytes *bytes)
{
    struct directory d = {bytes->p, bytes->n, bytes->n};
    for (size_t comment = 0; comment <= UINT16_MAX && comment + 22 <= d.n; comment++) {
        size_t end = d.n - 22 - comment;
        if (!has(&d, end, 22, "PK\5\6") || little(d.p + end + 20, 2) != comment)
            continue;
        d.at = little(d.p + end + 16, 4);
        if (d.at == UINT32_MAX && end >= 20 && has(&d, end - 20, 20, "PK\6\7")) {
            uint64_t wide = little(d.p + end - 12, 8);
            d.at = has(&d, wide, 56, "PK\6\6") ? little(d.p + wide + 48, 8) : d.n;
        }
        break;
    }
    return d;
}

/* The offset in the zip64 extra field: behind the sizes, each only there if it is needed. */
static uint64_t wide_offset(const struct directory *d, const unsigned char *entry)
{
    const unsigned char *p = entry + 46 + little(entry + 28, 2);
    const unsigned char *end = p + little(entry + 30, 2);
    size_t skip = 8 * ((little(entry + 20, 4) == UINT32_MAX) +
                       (little(entry + 24, 4) == UINT32_MAX));
    while (end - p >= 4) {
        size_t length = little(p + 2, 2);
        if (length > (size_t)(end - p - 4))
            break;
        if (little(p, 2) == 1 && length >= skip + 8)
            return little(p + 4 + skip, 8);
        p += 4 + length;
    }
    return d->n;
}

/* Where the bytes of the next entry begin, NULL when that cannot be told. */
static const unsigned char *next_data(struct directory *d)
{
    if (!has(d, d->at, 46, "PK\1\2")) {
        d->at = d->n;
        return NULL;
    }
    const unsigned char *entry = d->p + d->at;
    uint64_t length = 46 + little(entry + 28, 2) + little(entry + 30, 2) + little(entry + 32, 2);
    if (length > d->n - d->at) {
        d->at = d->n;
        return NULL;
    }
    d->at += length;
    uint64_t local = little(entry + 42, 4);
    if (local == UINT32_MAX)
        local = wide_offset(d, entry);
    if (!has(d, local, 30, "PK\3\4"))
        return NULL;
    uint64_t data = local + 30 + little(d->p + local + 26, 2) + little(d->p + local + 28, 2);
    return data <= d->n ? d->p + data : NULL;
}

/* Reading ---------------------------------------------------------------------------- */

/* zip_fread may return less than asked for. */
static bool read_all(zip_file_t *entry, void *to, size_t n)
{
    for (char *p = to; n;) {
        zip_int64_t got = zip_fread(entry, p, n);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

/* The npy header of an entry into head[HEADER_MAX]; its length, or 0. */
static size_t read_header(zip_t *zip, uint64_t index, unsigned char *head)
{
    zip_file_t *entry = zip_fopen_index(zip, index, 0);
    if (!entry)
        return 0;
    size_t n = read_all(entry, head, TG_NPY_FIXED) ? tg_npy_header_length(head) : 0;
    if (n < TG_NPY_FIXED || n > HEADER_MAX ||
        !read_all(entry, head + TG_NPY_FIXED, n - TG_NPY_FIXED))
        n = 0;
    zip_fclose(entry);
    return n;
}

/* One member; `data` is where it lies in the file if it is stored, or NULL. */
static enum tg_err add_member(struct tg_array_file *file, zip_t *zip, const zip_stat_t *stat,
                              const unsigned char *data, unsigned char *head,
                              struct tg_report *report)
{
    const struct tg_array_bytes *bytes = file->decoded;
    char where[120], other[TG_NPY_DTYPE];
    size_t n = strlen(stat->name) - strlen(".npy");
    struct tg_mat mat;
    snprintf(where, sizeof(where), "member \"%s\": ", stat->name);
    if (stat->encryption_method != ZIP_EM_NONE)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL, "%sit is encrypted", where);
    struct tg_member_source source = {.index = stat->index};
    source.skip = read_header(zip, stat->index, head);
    if (!source.skip)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "%sit cannot be unpacked or is no npy file", where);
    TG_TRY(tg_npy_parse_header(head, source.skip, where, &mat, other, report));
    if (*other)
        return tg_array_skip(file, stat->name, n, other) ? TG_OK : TG_NOMEM;
    source.length = tg_mat_bytes(&mat);
    if (stat->size < source.skip || stat->size - source.skip != source.length)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL,
                            "%sits header tells of %llu bytes, the archive of %llu", where,
                            (unsigned long long)source.length,
                            (unsigned long long)(stat->size - source.skip));
    if (data && stat->comp_method == ZIP_CM_STORE && stat->comp_size == stat->size &&
        stat->size <= (size_t)(bytes->p + bytes->n - data) && !memcmp(data, head, source.skip) &&
        tg_is_aligned(data + source.skip, mat.dtype))
        mat.data = data + source.skip;
    return tg_array_add(file, stat->name, n, &mat, &source) ? TG_OK : TG_NOMEM;
}

static bool is_npy(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && !strcmp(name + n - 4, ".npy");
}

static enum tg_err add_members(struct tg_array_file *file, zip_t *zip, unsigned char *head,
                               struct tg_report *report)
{
    const zip_uint64_t need = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                              ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD | ZIP_STAT_INDEX;
    struct directory directory = find_directory(file->decoded);
    zip_int64_t n = zip_get_num_entries(zip, 0);
    if (n > MEMBERS_MAX)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL, "the npz file has more than %d members",
                            MEMBERS_MAX);
    for (zip_int64_t i = 0; i < n; i++) {
        const unsigned char *data = next_data(&directory);
        zip_stat_t stat;
        if (zip_stat_index(zip, (zip_uint64_t)i, 0, &stat) || (stat.valid & need) != need)
            return tg_fault_add(report, TG_BAD_ARRAY, NULL, "an entry of the npz file is damaged");
        if (is_npy(stat.name))
            TG_TRY(add_member(file, zip, &stat, data, head, report));
    }
    if (!file->nmembers && !file->nskipped)
        return tg_fault_add(report, TG_BAD_ARRAY, NULL, "the zip file holds no npy array");
    if (!file->nmembers) {
        char where[120];
        snprintf(where, sizeof(where), "member \"%s\": ", file->skipped[0].name);
        return tg_npy_refuse_dtype(where, file->skipped[0].dtype, report);
    }
    return TG_OK;
}

enum tg_err tg_npz_open(struct tg_array_file *file, struct tg_report *report)
{
    zip_t *zip = open_archive(file->decoded, report);
    if (!zip)
        return TG_BAD_ARRAY;
    unsigned char *head = malloc(HEADER_MAX);
    enum tg_err err = head ? add_members(file, zip, head, report) : TG_NOMEM;
    free(head);
    zip_discard(zip);
    return err;
}

/* Reads on to the end of the entry, where libzip compares the CRC-32. */
static bool unpack(zip_t *zip, const struct tg_member_source *source)
{
    char scratch[4096];
    zip_file_t *entry = zip_fopen_index(zip, source->index, 0);
    bool good = entry;
    for (size_t left = source->skip; good && left;) {
        size_t n = left < sizeof(scratch) ? left : sizeof(scratch);
        good = read_all(entry, scratch, n);
        left -= n;
    }
    good = good && read_all(entry, source->decoded, source->length) &&
           zip_fread(entry, scratch, 1) == 0;
    if (entry)
        zip_fclose(entry);
    return good;
}

enum tg_err tg_npz_decode(const struct tg_array_bytes *bytes, struct tg_member_source *source,
                          struct tg_report *report)
{
    zip_t *zip = open_archive(bytes, report);
    if (!zip)
        return TG_BAD_ARRAY;
    bool good = unpack(zip, source);
    zip_discard(zip);
    return good ? TG_OK
                : tg_fault_add(report, TG_BAD_ARRAY, NULL, "the npz file is damaged: a member "
                               "does not unpack to what its header tells");
}

/* Writing ---------------------------------------------------------------------------- */

/* Adds a stored member over `npy`, which must live until the archive is closed. */
static bool write_member(zip_t *zip, const char *name, const struct tg_buf *npy)
{
    enum { FIRST_DAY = 1 << 5 | 1 }; /* 1980-01-01: the same arrays give the same bytes */
    struct tg_buf full;
    tg_buf_init(&full, 4096);
    tg_buf_printf(&full, "%s.npy", name);
    zip_source_t *source = zip_source_buffer(zip, npy->p, npy->n, 0);
    zip_int64_t index = -1;
    if (source && !tg_buf_failed(&full))
        index = zip_file_add(zip, full.p, source, ZIP_FL_ENC_UTF_8);
    tg_buf_release(&full);
    if (index < 0)
        zip_source_free(source);
    return index >= 0 && !zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) &&
           !zip_file_set_dostime(zip, (zip_uint64_t)index, 0, FIRST_DAY, 0);
}

/* The whole archive into `target`. npy[i] takes the i-th file, one after the other. */
static bool write_archive(zip_source_t *target, const char *const *names,
                          const struct tg_mat *mats, size_t n, size_t max, struct tg_buf *npy)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_t *zip = zip_open_from_source(target, ZIP_TRUNCATE, &error);
    zip_error_fini(&error);
    if (!zip)
        return false;
    zip_source_keep(target); /* closing the archive gives up one reference */
    bool good = true;
    for (size_t i = 0; good && i < n; i++) {
        tg_buf_init(&npy[i], max);
        tg_npy_write(&mats[i], &npy[i]);
        good = !tg_buf_failed(&npy[i]) && write_member(zip, names[i], &npy[i]);
    }
    if (good && !zip_close(zip))
        return true;
    zip_discard(zip);
    return false;
}

static bool copy_archive(zip_source_t *target, struct tg_buf *out)
{
    zip_stat_t stat;
    if (zip_source_stat(target, &stat) || zip_source_open(target))
        return false;
    void *to = tg_buf_grow(out, (size_t)stat.size);
    bool good = to && zip_source_read(target, to, stat.size) == (zip_int64_t)stat.size;
    zip_source_close(target);
    return good;
}

enum tg_err tg_npz_write(const char *const *names, const struct tg_mat *mats, size_t n,
                         struct tg_buf *out)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_error_fini(&error);
    struct tg_buf *npy = calloc(n + 1, sizeof(*npy));
    bool good = target && npy && write_archive(target, names, mats, n, out->max, npy) &&
                copy_archive(target, out);
    for (size_t i = 0; npy && i < n; i++)
        tg_buf_release(&npy[i]);
    free(npy);
    zip_source_free(target);
    return good ? TG_OK : TG_NOMEM;
}
