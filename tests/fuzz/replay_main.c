/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A main() for the fuzz targets where there is no libFuzzer.
 *
 *     json_fuzz [--random N SEED] [FILE...]
 *
 * feeds every file to the target, and with --random also N mutations of each. Without files
 * it takes the corpus named after the target below $srcdir, and then mutates by default, so
 * that `make check` can run it.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { INPUT_MAX = 1 << 16, DEFAULT_MUTATIONS = 2000 };

static uint64_t state = 1;

/* xorshift64*: below n. */
static size_t draw(size_t n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return n ? (size_t)(state * 0x2545F4914F6CDD1Dull >> 16) % n : 0;
}

/* One small change of p[0..n); the new length, never above INPUT_MAX. */
static size_t mutate(uint8_t *p, size_t n)
{
    static const char tokens[] = "[]{},:\"\\0123456789-.eE'() \n<>|fibuVnulltrue"
                                 "PK\x01\x02\x05\x06\x7F\xFF";
    size_t at = draw(n), length = 1 + draw(8);
    switch (n ? draw(6) : 4) {
    case 0: /* a bit */
        p[at] ^= (uint8_t)(1 << draw(8));
        break;
    case 1: /* a byte */
        p[at] = (uint8_t)draw(256);
        break;
    case 2: /* a byte that means something */
        p[at] = (uint8_t)tokens[draw(sizeof(tokens))];
        break;
    case 3: /* fewer */
        length = length < n - at ? length : n - at;
        memmove(p + at, p + at + length, n - at - length);
        n -= length;
        break;
    case 4: /* more */
        if (n + length > INPUT_MAX)
            break;
        memmove(p + at + length, p + at, n - at);
        for (size_t i = 0; i < length; i++)
            p[at + i] = (uint8_t)tokens[draw(sizeof(tokens))];
        n += length;
        break;
    default: /* a piece from elsewhere */
        length = length < n - at ? length : n - at;
        memmove(p + at, p + draw(n - length + 1), length);
    }
    return n;
}

/* The target sees exactly n bytes of heap, so that a sanitizer notices the first one beyond. */
static void feed(const uint8_t *p, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        abort();
    memcpy(exact, p, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

static int replay(const char *path, long mutations)
{
    static uint8_t original[INPUT_MAX], p[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t n = fread(original, 1, INPUT_MAX, file);
    fclose(file);
    feed(original, n);
    for (long i = 0; i < mutations; i++) {
        size_t length = n;
        memcpy(p, original, n);
        for (size_t k = 1 + draw(6); k; k--)
            length = mutate(p, length);
        feed(p, length);
    }
    return 0;
}

/* The corpus of `program`, which is called NAME_fuzz. */
static int replay_corpus(const char *program, long mutations)
{
    struct dirent **names;
    char folder[4096], path[4096];
    const char *srcdir = getenv("srcdir"), *name = strrchr(program, '/');
    name = name ? name + 1 : program;
    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%.*s", srcdir ? srcdir : ".",
             (int)strcspn(name, "_"), name);
    int n = scandir(folder, &names, NULL, alphasort), failed = n <= 2;
    if (failed)
        fprintf(stderr, "%s: no corpus\n", folder);
    for (int i = 0; i < n; i++) {
        int length = snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            failed |= length >= (int)sizeof(path) || replay(path, mutations);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return failed;
}

int main(int argc, char **argv)
{
    long mutations = 0;
    int first = 1, failed = 0;
    if (argc > 3 && !strcmp(argv[1], "--random")) {
        mutations = strtol(argv[2], NULL, 10);
        state = strtoull(argv[3], NULL, 10) * 2 + 1;
        first = 4;
    }
    if (first >= argc)
        return replay_corpus(argv[0], first == 1 ? DEFAULT_MUTATIONS : mutations);
    for (int i = first; i < argc; i++)
        failed |= replay(argv[i], mutations);
    return failed;
}
