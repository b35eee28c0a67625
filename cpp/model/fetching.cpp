#include "model/fetching.hpp"

#include <algorithm>

namespace chainrule::model {
namespace {

// Of a row: the CPU goes on by itself within a page (guess).
constexpr Index most_lines = 4;

// The compiler knows of no effect of a prefetch, and leaves out a function that has no other.
inline void fetch(const void* line) {
    __builtin_prefetch(line, 0, 2);
    asm volatile("");
}

// A gather reads whole vectors, and waits for a line of theirs even where it takes no number from there.
void fetch_row(const void* rows, Index bytes, Index row) {
    const char* const first = static_cast<const char*>(rows) + row * bytes;
    const char* const last = first + std::min((bytes + line_bytes - 1) / line_bytes, most_lines) * line_bytes - 1;
    for (const char* line = first; line < last; line += line_bytes) fetch(line);
    fetch(last);
}

}  // namespace

void fetch_next(const Batch& batch, const Network& network, Index first, Index last) {
    const Index inputs_bytes = network.n_inputs() * bytes_of(batch.input_numbers), targets_bytes = network.n_targets() * bytes_of(batch.target_numbers);
    const std::int64_t* const places = batch.order + batch.next_first;
    for (Index r = first; r < std::min(last, batch.next_rows); ++r) {
        const Index row = static_cast<Index>(places[r]);
        fetch_row(batch.inputs, inputs_bytes, row);
        if (batch.labels) fetch(batch.labels + row);
        else fetch_row(batch.targets, targets_bytes, row);
        if (batch.weights) fetch(batch.weights + row);
    }
}

}  // namespace chainrule::model
