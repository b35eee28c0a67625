// Threads: how many, when they are worth it, and the barrier between them.
//
// Results never depend on the number of threads, so serial or parallel is decided by run-time facts.
#pragma once

#include <atomic>
#include <exception>

#include "runtime/shares.hpp"

namespace chainrule::runtime {

// Largest team that the calling thread may have. set_num_threads beats OMP_NUM_THREADS, which beats the smaller of affinity
// mask and container quota; a limit that somebody sets for OpenMP in the calling thread later bounds them all, and 1 where
// the process stays alone.
void set_num_threads(int count);
int get_num_threads();
// A bound for the calling thread alone, 0 for none; returns the one before.
int limit_threads_here(int count);

// CHAINRULE_TEAM=always: every call that can use a team gets one, at once, however small it is, with uneven shares. For
// tests: results do not depend on it, so without it small cases would never run in parallel.
bool team_is_forced();

// Threads for a training: as many as the system grants; 1 inside somebody's parallel region.
int threads_for_training();

// Whether a team beats one thread, asked time and again: the seconds each took for the same work, as a ratio, smoothed.
// A new team is trusted for a while, since its cores must wake up first and any may be interrupted for milliseconds.
class TeamTrials {
  public:
    // Where it does not pay (the cores are busy), teams rest for a while, longer each time that they fail soon again.
    bool pays(double in_team, double alone);

  private:
    static constexpr double hopeful = 0.5, worst = 2, smoothing = 0.25;
    double ratio_ = hopeful;
};
Clock::time_point team_rests_until();

// The shares of the teams that the calling thread opens: their workers are the same threads each time.
Shares& shares_of_caller();

// Runs body(Worker) on up to `threads` threads and waits for all. The first exception is thrown again here.
template <class Body> void run_team(int threads, const Body& body);

// Threads for one call of `flops` operations: more than one only where it, together with the calls just before it, is some
// milliseconds of work, since waking a sleeping team takes longer than most calls; where the call itself is worth moving
// its data between cores; and as long as such calls turn out faster in a team than alone.
int threads_for_call(double flops);

// Runs such a call in a team whose shares follow the speeds of its workers.
template <class Body> void run_call(double flops, const Body& body);

// All threads of a team meet here. Spins, and yields where there are more threads than cores.
class Barrier {
  public:
    // Time that workers of a team wait here does not count as busy in its shares.
    void reset(int count, Shares* shares) {
        count_ = count;
        shares_ = shares;
        arrived_.store(0, std::memory_order_relaxed);
    }
    void wait(Worker worker);

  private:
    int count_ = 1;
    Shares* shares_ = nullptr;
    alignas(line_bytes) std::atomic<int> arrived_{0};
    alignas(line_bytes) std::atomic<unsigned> generation_{0};
};

void spin_once(int& spins);

namespace detail {
using TeamBody = void (*)(const void* body, Worker worker);
void run_team(int threads, TeamBody call, const void* body);
}  // namespace detail

template <class Body> void run_team(int threads, const Body& body) {
    if (threads <= 1) return body(Worker{});
    detail::run_team(threads, [](const void* b, Worker worker) { (*static_cast<const Body*>(b))(worker); }, &body);
}

template <class Body> void run_call(double flops, const Body& body) {
    const int threads = threads_for_call(flops);
    if (threads <= 1) return body(Worker{});
    Shares& shares = shares_of_caller();
    const Clock::time_point start = Clock::now();
    run_team(threads, [&](Worker worker) {
        const Clock::time_point own_start = Clock::now();
        body(worker);
        shares.add_busy(worker.index, Clock::now() - own_start);
    });
    shares.adjust(Clock::now() - start);
}

}  // namespace chainrule::runtime
