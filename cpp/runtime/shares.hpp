// How a team divides its work: equally, until some of its workers turn out slower than others, because cores are of two
// kinds or somebody else needs one of them. Results do not depend on who computes what.
#pragma once

#include <atomic>
#include <vector>

#include "kernels/kernels.hpp"
#include "runtime/clock.hpp"

namespace chainrule::runtime {

// One of a team and its share of the work: of all there is, the part [from, to) of 1.
struct Worker {
    int index = 0, count = 1;
    double from = 0, to = 1;
};

// [first, last) of `total` items, in whole groups of `group`, for one worker of a team.
struct Range {
    Index first, last;
};
inline Range share(Index total, Index group, Worker worker) {
    const Index groups = (total + group - 1) / group;
    const auto place = [=](double part) {
        const Index item = static_cast<Index>(static_cast<double>(groups) * part + 0.5) * group;
        return item < total ? item : total;
    };
    return {place(worker.from), place(worker.to)};
}

// Who did a share in some time has the speed share / time, and shares in the ratio of the speeds end together: each goes half
// the way there, unless all were about equally late.
void follow_speeds(std::vector<double>& shares, const std::vector<double>& busy);

class Shares {
  public:
    // Equal shares, where the team was not of this size before.
    void reset(int workers);
    // Equal shares too, where the system gave a team of another size.
    Worker worker(int index, int count) const;
    // By any worker: it was busy for so long. A negative span takes off what it waited of a time counted before or after.
    void add_busy(int worker, Clock::duration span) { ticks_[static_cast<std::size_t>(worker)].busy.fetch_add(span.count(), std::memory_order_relaxed); }
    // By one of them, between two turns of work: `elapsed` more has gone by. New shares, once that is enough to tell speeds.
    void adjust(Clock::duration elapsed);

  private:
    struct alignas(line_bytes) Ticks {
        std::atomic<Clock::rep> busy{0};
    };
    void place();

    std::vector<double> shares_, busy_;
    std::vector<double> places_;  // worker i has [places_[i], places_[i + 1]); the first one begins at 0
    std::vector<Ticks> ticks_;
    Clock::duration elapsed_ = {};
};

}  // namespace chainrule::runtime
