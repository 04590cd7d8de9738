/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing behind: whatever the pieces, file and digest have the bytes in their order. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/digest.h"
#include "server/behind.h"
#include "server/point.h"

Suite *behind_suite(void);

enum { SIZE = 9 << 20 };

static char *sent, *kept;
static struct tg_sha256 *sha; /* of what a test writes */

static void make_bytes(void)
{
    sent = malloc(SIZE);
    kept = malloc(SIZE);
    sha = tg_sha256_new();
    ck_assert(sent && kept && sha);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 2654435761u >> 13);
}

static void free_bytes(void)
{
    free(sent);
    free(kept);
    tg_sha256_free(sha);
}

/* A file that is gone when it is closed. */
static int open_file(int how)
{
    char path[] = "behind-XXXXXX";
    int made = mkstemp(path), fd = open(path, how);
    ck_assert_int_ge(fd, 0);
    close(made);
    unlink(path);
    return fd;
}

/* Bytes [from, to) in pieces of `piece`. */
static void write_part(int fd, size_t from, size_t to, size_t piece)
{
    struct tg_behind *behind = tg_behind_new(fd, from, sha);
    ck_assert_ptr_nonnull(behind);
    for (size_t at = from, n; at < to; at += n) {
        n = to - at < piece ? to - at : piece;
        ck_assert_int_eq(tg_behind_put(behind, sent + at, n), 0);
    }
    ck_assert_int_eq(tg_behind_flush(behind), 0);
    tg_behind_free(behind);
}

static void check_kept(int fd)
{
    char digest[TG_SHA256_HEX], expected[TG_SHA256_HEX];
    fcntl(fd, F_SETFL, O_APPEND); /* read as usual */
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), SIZE);
    ck_assert_int_eq(pread(fd, kept, SIZE, 0), SIZE);
    ck_assert(!memcmp(sent, kept, SIZE));
    tg_sha256_end(sha, digest);
    tg_sha256_hex(sent, SIZE, expected);
    ck_assert_str_eq(digest, expected);
}

START_TEST(bytes_arrive_in_order_also_after_a_break_anywhere)
{
    static const size_t piece[] = {16000, 4096, 1 << 20, 5000001};
    static const size_t broken[] = {0, 1, 4096, 2 << 20, (2 << 20) + 4097, SIZE - 1};
    int fd = open_file(O_RDWR | O_APPEND);
    write_part(fd, 0, broken[_i], piece[_i % 4]);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)broken[_i]);
    write_part(fd, broken[_i], SIZE, piece[(_i + 1) % 4]);
    check_kept(fd);
    close(fd);
}
END_TEST

#ifdef TG_TESTING
START_TEST(a_file_system_that_refuses_direct_writing_is_written_to_as_usual)
{
    int fd = open_file(O_RDWR | O_APPEND);
    if (fcntl(fd, F_SETFL, O_APPEND | O_DIRECT) < 0)
        return; /* this one never says that it can */
    fcntl(fd, F_SETFL, O_APPEND);
    tg_point_set("upload.write=invalid@1");
    write_part(fd, 0, SIZE, 1 << 20);
    ck_assert_uint_gt(tg_point_seen("upload.write"), 1);
    tg_point_set(NULL);
    check_kept(fd);
    close(fd);
}
END_TEST
#endif

START_TEST(a_failed_write_is_told_and_stays)
{
    int fd = open_file(O_RDONLY), error = 0;
    struct tg_behind *behind = tg_behind_new(fd, 0, sha);
    ck_assert_ptr_nonnull(behind);
    for (int i = 0; i < 4 && !error; i++)
        error = tg_behind_put(behind, sent, 2 << 20);
    ck_assert_int_eq(error, EBADF);
    ck_assert_int_eq(tg_behind_flush(behind), EBADF);
    tg_behind_free(behind);
    close(fd);
}
END_TEST

START_TEST(what_was_not_flushed_is_dropped)
{
    int fd = open_file(O_RDWR | O_APPEND);
    struct tg_behind *behind = tg_behind_new(fd, 0, sha);
    ck_assert_ptr_nonnull(behind);
    ck_assert_int_eq(tg_behind_put(behind, sent, 100), 0);
    tg_behind_free(behind);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
    close(fd);
}
END_TEST

Suite *behind_suite(void)
{
    Suite *suite = suite_create("behind");
    TCase *tc = tcase_create("writing behind");
    tcase_add_checked_fixture(tc, make_bytes, free_bytes);
    tcase_add_loop_test(tc, bytes_arrive_in_order_also_after_a_break_anywhere, 0, 6);
#ifdef TG_TESTING
    tcase_add_test(tc, a_file_system_that_refuses_direct_writing_is_written_to_as_usual);
#endif
    tcase_add_test(tc, a_failed_write_is_told_and_stays);
    tcase_add_test(tc, what_was_not_flushed_is_dropped);
    suite_add_tcase(suite, tc);
    return suite;
}
