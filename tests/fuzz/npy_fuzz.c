/* SPDX-License-Identifier: GPL-3.0-or-later */
/* npy files, and csv: whatever has no magic is tried as text. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_fuzz_array_file(data, size);
    return 0;
}
