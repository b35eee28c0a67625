// Sizes of blocks, which follow the caches. Bits do not depend on them: a block goes on with the chains of the one before it.
#pragma once

#include <algorithm>

#include "runtime/caches.hpp"

namespace chainrule::model {

// Chosen on `wide` with caches of 48 KB and 2 MB, and of 32 KB and 512 KB.
template <class T> struct Blocks {
    Index inner = lanes<T>;  // length of one pass over the inner index: a strip of weights and a tile's rows stay in L1
    Index quarter_l2;        // bytes: what is read again and again while the rest passes by
    Index rows;              // samples whose part of such a pass takes so much

    Blocks() {
        const runtime::Caches& caches = runtime::caches();
        const Index bytes = caches.l1 / 48, size = static_cast<Index>(sizeof(T));
        while (2 * inner * size <= bytes) inner *= 2;  // as widths often are
        quarter_l2 = caches.l2 / 4;
        rows = std::max<Index>(quarter_l2 / (inner * size), 1);
    }
};

}  // namespace chainrule::model
