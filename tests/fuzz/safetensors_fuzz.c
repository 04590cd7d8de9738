/* SPDX-License-Identifier: GPL-3.0-or-later */
/* safetensors files: a length beyond the file is folded back, so that headers get parsed. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (copy && size > 8) {
        memcpy(copy, data, size);
        size_t length = (copy[0] | (size_t)copy[1] << 8) % (size - 7);
        memset(copy, 0, 8);
        copy[0] = (uint8_t)length;
        copy[1] = (uint8_t)(length >> 8);
        copy[8] = '{';
        tg_fuzz_array_file(copy, size);
    }
    free(copy);
    return 0;
}
