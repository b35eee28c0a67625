// Samples in a shuffled order: the CPU foresees no row of theirs, and one that is not in cache costs a wait for memory and for
// its page's address. So the rows of the next batch are asked for while the present one is at work, some between every two
// pieces of it: more at a time than memory delivers meanwhile would make the work wait.
#pragma once

#include "model/engine.hpp"

namespace chainrule::model {

constexpr Index bytes_of(Number number) {
    switch (number) {
        case Number::uint8: case Number::int8: return 1;
        case Number::uint16: case Number::int16: return 2;
        case Number::float32: case Number::uint32: case Number::int32: return 4;
        default: return 8;
    }
}

// The samples [first, last) of the next batch, or as many as it has of them. For a batch that has one.
void fetch_next(const Batch& batch, const Network& network, Index first, Index last);

}  // namespace chainrule::model
