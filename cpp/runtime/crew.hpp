// A crew: the threads that carry out one long piece of work, turn by turn.
//
// One thread goes first. A team comes where that is worth it, while the first thread goes on, and is sent away where it turns
// out slower than one thread: trials of some milliseconds tell. Who works follows the clock, what is computed does not.
#pragma once

#include <atomic>

#include "runtime/clock.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

namespace chainrule::runtime {

// Of all turns alike, by which trials judge a team, or another one between them.
enum class Turn { alike, other };

class Crew {
  public:
    // Calls turn(worker) in every worker, again and again, until one of the turns ends the run or the clock finds `end` gone by.
    // With `at_once` the first turn is a team's, where there is one, else a team has to show that it pays. Each thread
    // flushes subnormal numbers. What is known of the speeds stays for the next run.
    template <class Body> void run(int threads, bool at_once, Clock::time_point end, const Body& turn);

    // Within a turn:
    Barrier& barrier() { return barrier_; }
    // By worker 0, before the last barrier: no turn comes after this one.
    void end() { ended_ = leaves_ = true; }
    // By worker 0, once a turn, before the last barrier. Whether it read the clock, as it does every so many turns; then now().
    bool count(Turn kind) {
        ++turns_;
        all_alike_ = all_alike_ && kind == Turn::alike;
        if (turns_ < next_clock_) return false;
        read_clock();
        return true;
    }
    Clock::time_point now() const { return now_; }

  private:
    enum class Call { wait, start, leave };

    bool calls_team(int threads) const;
    void begin_part(bool team, int threads);
    void begin_team(int workers);
    void begin_clock();
    void begin_trial();
    void read_clock();
    bool team_has_come() const { return reported_.load(std::memory_order_acquire) == recruits_; }
    Call report();
    void wait_for_team();
    template <class Body> void work(Worker worker, const Body& turn);
    template <class Body> void work_in_team(Worker worker, const Body& turn);

    // Of the run. Worker 0 writes, here and below; the others read, behind a barrier, what was written before it.
    bool at_once_ = false, ended_ = false;
    Clock::time_point end_ = {};
    Shares* shares_ = nullptr;
    // Of the part of it that one thread or one team does.
    bool leaves_ = false, in_team_ = false;
    Clock::time_point part_end_ = {};
    double fastest_ = 0;  // trial of one thread, seconds a turn
    // Since the clock was last read.
    Clock::time_point now_ = {};
    long long turns_ = 0, next_clock_ = 1;
    bool all_alike_ = true;
    // The trial in progress.
    double trial_seconds_ = 0, trial_turns_ = 0;
    // Of the work, from run to run.
    double alone_each_ = 0;  // seconds a turn of one thread; 0: not known yet
    TeamTrials trials_;

    Barrier barrier_;
    // Worker 0 goes ahead alone while a team wakes up; `recruits_` is how many it waits for, 0 in a team of one.
    int recruits_ = 0;
    std::atomic<int> reported_{0};
    std::atomic<Call> call_{Call::wait};
};

template <class Body> void Crew::work(Worker worker, const Body& turn) {
    while (!leaves_) {
        if (worker.count > 1) worker = shares_->worker(worker.index, worker.count);  // adjusted between turns
        turn(worker);
        if (worker.count == 1 && recruits_ > 0 && team_has_come()) return;
    }
}

// Worker 0 goes on at once and calls the others in when all have come.
template <class Body> void Crew::work_in_team(Worker worker, const Body& turn) {
    if (worker.index > 0) {
        if (report() == Call::start) work(worker, turn);
        return;
    }
    recruits_ = worker.count - 1;
    if (at_once_) wait_for_team();
    else work(Worker{}, turn);
    begin_team(worker.count);
    if (!leaves_) work(worker, turn);
}

template <class Body> void Crew::run(int threads, bool at_once, Clock::time_point end, const Body& turn) {
    at_once_ = at_once;
    ended_ = false;
    end_ = end;
    shares_ = &shares_of_caller();
    while (!ended_) {
        const bool team = calls_team(threads);
        begin_part(team, threads);
        run_team(team ? threads : 1, [&](Worker worker) {
            const FloatingPointState state(Subnormals::flush);
            if (team) work_in_team(worker, turn);
            else work(worker, turn);
        });
    }
}

}  // namespace chainrule::runtime
