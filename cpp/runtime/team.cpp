#include "runtime/team.hpp"

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "runtime/cores.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/forks.hpp"
#include "runtime/grants.hpp"
#include "runtime/openmp.hpp"

namespace chainrule::runtime {
namespace {

std::atomic<int> chosen_threads{0};  // 0: not chosen by set_num_threads
std::atomic<int> openmp_start{0};    // 0: not asked yet
thread_local int limit_of_thread = 0;  // 0: none

// libgomp's threads spin for some milliseconds after a region before they sleep; its pool belongs to the thread that
// opened the region.
thread_local Clock::time_point last_region_end{};
constexpr auto team_stays_awake = std::chrono::microseconds(500);

constexpr int spins_before_yield = 1024;  // some 40 microseconds
constexpr double worth_an_awake_team = 4e6;      // flops of a call (measured on `rl`, `digits`, `mnist`)
constexpr double worth_waking_a_team = 1e9;      // flops; about 10 ms

// Nanoseconds: a team that paid for as long as its first rest has a clean record again.
constexpr std::int64_t first_rest = 100'000'000, longest_rest = 2'000'000'000;
std::atomic<std::int64_t> rest{0}, rest_end{0}, pays_since{0};

// Large calls of one thread that follow each other closely, as in a loop over layers, are worth a team together. They are
// looked at in trials of `worth_waking_a_team` flops: the first one alone, then in a team, as long as that is faster.
class Series {
  public:
    bool next_in_team(double flops) {
        const Clock::time_point now = Clock::now();
        if (now - std::max(last_call_, last_region_end) > longest_pause()) begin_trial(now, Trial::alone);
        last_call_ = now;
        last_flops_ = flops;
        if (flops >= worth_waking_a_team) return true;
        if (flops_ >= worth_waking_a_team) end_trial(now);
        flops_ += flops;
        return trial_ != Trial::alone;
    }

  private:
    enum class Trial { alone, waking, in_team };  // a team's first trial is not judged: its threads may have slept
    static constexpr double slowest_nanoseconds_a_flop = 0.1;

    Clock::duration longest_pause() const {
        return team_stays_awake + std::chrono::nanoseconds(static_cast<std::int64_t>(last_flops_ * slowest_nanoseconds_a_flop));
    }
    void begin_trial(Clock::time_point now, Trial trial) {
        trial_start_ = now;
        flops_ = 0;
        trial_ = trial;
    }
    void end_trial(Clock::time_point now) {
        const double each = std::chrono::duration<double>(now - trial_start_).count() / flops_;
        if (trial_ == Trial::alone) alone_each_ = each;
        if (trial_ == Trial::in_team) team_.pays(each, alone_each_);
        if (now < team_rests_until()) begin_trial(now, Trial::alone);
        else begin_trial(now, trial_ == Trial::alone ? Trial::waking : Trial::in_team);
    }

    Clock::time_point last_call_{}, trial_start_{};
    double last_flops_ = 0, flops_ = 0, alone_each_ = 0;
    TeamTrials team_;
    Trial trial_ = Trial::alone;
};
thread_local Series series;

// Threads that OpenMP starts with, from OMP_NUM_THREADS or the cores. A new thread tells, whatever was set for others.
int threads_at_start() {
    int count = openmp_start.load(std::memory_order_relaxed);
    if (count > 0) return count;
    try {
        std::thread([&count] { count = omp_get_max_threads(); }).join();
    } catch (const std::system_error&) {
        return omp_get_max_threads();
    }
    openmp_start.store(count, std::memory_order_relaxed);
    return count;
}

// What somebody has set for the calling thread's teams while the program runs, with omp_set_num_threads as threadpoolctl does;
// and OMP_THREAD_LIMIT.
int openmp_limit() {
    const int now = omp_get_max_threads();
    return std::min(now == threads_at_start() ? INT_MAX : now, omp_get_thread_limit());
}

int default_threads() {
    if (const char* text = std::getenv("OMP_NUM_THREADS")) {
        const long wanted = std::strtol(text, nullptr, 10);
        if (wanted >= 1 && wanted <= 4096) return static_cast<int>(wanted);
    }
    return usable_cores();
}

int threads_allowed() { return omp_in_parallel() ? 1 : get_num_threads(); }

}  // namespace

void set_num_threads(int count) { chosen_threads.store(count); }

int limit_threads_here(int count) { return std::exchange(limit_of_thread, count); }

int get_num_threads() {
    if (stays_alone()) return 1;
    static const int standard = default_threads();
    const int chosen = chosen_threads.load(std::memory_order_relaxed);
    const int allowed = std::min(chosen > 0 ? chosen : standard, openmp_limit());
    return limit_of_thread > 0 ? std::min(allowed, limit_of_thread) : allowed;
}

int threads_for_training() { return granted_threads(threads_allowed()); }

bool TeamTrials::pays(double in_team, double alone) {
    const std::int64_t now = std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
    const std::int64_t since = pays_since.load(std::memory_order_relaxed), before = rest.load(std::memory_order_relaxed);
    ratio_ += smoothing * (std::min(in_team / alone, worst) - ratio_);
    if (ratio_ <= 1) {
        if (since == 0) pays_since.store(now, std::memory_order_relaxed);
        else if (now - since >= first_rest) rest.store(0, std::memory_order_relaxed);
        return true;
    }
    const std::int64_t next = before == 0 ? first_rest : std::min(2 * before, longest_rest);
    rest.store(next, std::memory_order_relaxed);
    rest_end.store(now + next, std::memory_order_relaxed);
    pays_since.store(0, std::memory_order_relaxed);
    ratio_ = hopeful;
    return false;
}

Clock::time_point team_rests_until() {
    return Clock::time_point(std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(rest_end.load(std::memory_order_relaxed))));
}

bool team_is_forced() {
    const char* text = std::getenv("CHAINRULE_TEAM");
    return text && std::string(text) == "always";
}

int threads_for_call(double flops) {
    if (team_is_forced()) return threads_allowed();
    if (flops < worth_an_awake_team) return 1;
    const int threads = threads_allowed();
    return threads > 1 && series.next_in_team(flops) ? threads : 1;
}

Shares& shares_of_caller() {
    thread_local Shares shares;
    return shares;
}

void spin_once(int& spins) {
    // With more threads than cores the one we wait for may need ours.
    if (++spins > spins_before_yield) {
        std::this_thread::yield();
        return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

void Barrier::wait(Worker worker) {
    if (count_ == 1) return;
    const unsigned generation = generation_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
        arrived_.store(0, std::memory_order_relaxed);
        generation_.store(generation + 1, std::memory_order_release);
        return;
    }
    const Clock::time_point start = Clock::now();
    const bool crowded = count_ > usable_cores();
    for (int spins = crowded ? spins_before_yield : 0; generation_.load(std::memory_order_acquire) == generation;) spin_once(spins);
    if (shares_) shares_->add_busy(worker.index, start - Clock::now());
}

namespace detail {

void run_team(int threads, TeamBody call, const void* body) {
    note_team();
    TeamGrant grant(threads);
    Shares& shares = shares_of_caller();
    shares.reset(threads);
    std::exception_ptr failure;
    std::mutex failure_mutex;
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads)
#endif
    {
        const FloatingPointFlags flags;
        if (omp_get_thread_num() == 0) grant.team_is_there();
        settle_worker();
        try {
            call(body, shares.worker(omp_get_thread_num(), omp_get_num_threads()));
        } catch (...) {
            const std::lock_guard<std::mutex> lock(failure_mutex);
            if (!failure) failure = std::current_exception();
        }
    }
    last_region_end = Clock::now();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace detail
}  // namespace chainrule::runtime
