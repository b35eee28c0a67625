// Threads: how many, when they are worth it, and the barrier between them.
//
// Results never depend on the number of threads, so serial or parallel is decided by run-time facts.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>

#include "kernels/kernels.hpp"

namespace chainrule::runtime {

struct Worker {
    int index, count;
};

// [first, last) of `total` items, in whole groups of `group`, for one worker of a team.
struct Range {
    Index first, last;
};
inline Range share(Index total, Index group, Worker worker) {
    const Index groups = (total + group - 1) / group;
    const Index first = groups * worker.index / worker.count * group;
    const Index last = groups * (worker.index + 1) / worker.count * group;
    return {first < total ? first : total, last < total ? last : total};
}

// set_num_threads beats OMP_NUM_THREADS, which beats the smaller of affinity mask and container quota.
void set_num_threads(int count);
int get_num_threads();
int usable_cores();

// True in a child of fork(): OpenMP's threads did not come along.
bool in_forked_child();

// CHAINRULE_TEAM=always: every call that can use a team gets one, at once, however small it is. For tests: results do
// not depend on it, so without it small cases would never run in parallel.
bool team_is_forced();

// Threads for one call of `flops` operations: more than one only where it, together with the calls just before it, is some
// milliseconds of work, since waking a sleeping team takes longer than most calls; where the call itself is worth moving
// its data between cores; and as long as such calls turn out faster in a team than alone.
int threads_for_call(double flops);

// Threads for a training; 1 in a forked child and inside somebody's parallel region.
int threads_for_training();

// A caller that measured says whether a team beat one thread. Where it did not (the cores are busy), teams rest for a
// while, longer each time.
using Clock = std::chrono::steady_clock;
void judge_team(bool paid);
Clock::time_point team_rests_until();

// Runs body(Worker) on up to `threads` threads and waits for all. The first exception is thrown again here.
template <class Body> void run_team(int threads, const Body& body);

// All threads of a team meet here. Spins, and yields where there are more threads than cores.
class Barrier {
  public:
    void reset(int count) {
        count_ = count;
        arrived_.store(0, std::memory_order_relaxed);
    }
    void wait();

  private:
    int count_ = 1;
    alignas(line_bytes) std::atomic<int> arrived_{0};
    alignas(line_bytes) std::atomic<unsigned> generation_{0};
};

void spin_once(int& spins);

namespace detail {
using TeamBody = void (*)(const void* body, Worker worker);
void run_team(int threads, TeamBody call, const void* body);
}  // namespace detail

template <class Body> void run_team(int threads, const Body& body) {
    if (threads <= 1) return body(Worker{0, 1});
    detail::run_team(threads, [](const void* b, Worker worker) { (*static_cast<const Body*>(b))(worker); }, &body);
}

}  // namespace chainrule::runtime
