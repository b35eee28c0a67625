#include "model/fetching.hpp"

#include <algorithm>

namespace chainrule::model {
namespace {

// Of a row: the CPU goes on by itself within a page (guess).
constexpr Index most_lines = 4;

// A gather reads whole vectors, and waits for a line of theirs even where it takes no number from there.
void fetch_row(const void* rows, Index bytes, Index row) {
    const char* const first = static_cast<const char*>(rows) + row * bytes;
    const char* const last = first + std::min((bytes + line_bytes - 1) / line_bytes, most_lines) * line_bytes - 1;
    for (const char* line = first; line < last; line += line_bytes) __builtin_prefetch(line, 0, 2);
    __builtin_prefetch(last, 0, 2);
}

}  // namespace

Fetching::Fetching(const Batch& batch, const Network& network, runtime::Worker worker, Index pieces) : batch_(batch) {
    if (batch.next_rows == 0) return;
    const runtime::Range mine = runtime::share(batch.next_rows, 1, worker);
    next_ = batch.first + batch.rows + mine.first;
    end_ = batch.first + batch.rows + mine.last;
    each_ = (mine.last - mine.first + pieces - 1) / pieces;
    inputs_bytes_ = network.n_inputs() * bytes_of(batch.input_numbers);
    targets_bytes_ = network.n_targets() * bytes_of(batch.target_numbers);
}

void Fetching::fetch() {
    for (const Index last = std::min(next_ + each_, end_); next_ < last; ++next_) {
        const Index row = static_cast<Index>(batch_.order[next_]);
        fetch_row(batch_.inputs, inputs_bytes_, row);
        if (batch_.labels) __builtin_prefetch(batch_.labels + row, 0, 2);
        else fetch_row(batch_.targets, targets_bytes_, row);
        if (batch_.weights) __builtin_prefetch(batch_.weights + row, 0, 2);
    }
}

}  // namespace chainrule::model
