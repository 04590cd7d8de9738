/* SPDX-License-Identifier: GPL-3.0-or-later */
/* npz files: the first signature is mended, so that mutations reach the archive reader. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (copy && size >= 4) {
        memcpy(copy, data, size);
        memcpy(copy, "PK\3\4", 4);
        tg_fuzz_array_file(copy, size);
    }
    free(copy);
    return 0;
}
