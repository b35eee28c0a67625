#include "runtime/crew.hpp"

#include <algorithm>
#include <cmath>

namespace chainrule::runtime {
namespace {

// One thread goes first; a run that is over by then has waited for nobody (a sleeping team takes milliseconds), and
// its speed is what a team must beat.
constexpr double alone_seconds = 0.002;
// One thread is as fast as its fastest trial of so long; the first one warms the caches. A team that turns out slower is
// sent away, and called again later.
constexpr double alone_trial_seconds = 0.0005, team_trial_seconds = 0.002;
// Share of the time that reading the clock may take: it is read every so many turns.
constexpr double clock_seconds = 40e-9, clock_share = 0.01;

}  // namespace

bool Crew::calls_team(int threads) const {
    return threads > 1 && (at_once_ || (alone_each_ > 0 && Clock::now() >= team_rests_until()));
}

void Crew::begin_trial() { trial_seconds_ = trial_turns_ = 0; }

void Crew::begin_clock() {
    now_ = Clock::now();
    turns_ = 0;
    next_clock_ = 1;
    all_alike_ = true;
    begin_trial();
}

void Crew::begin_part(bool team, int threads) {
    begin_clock();
    fastest_ = team ? alone_each_ : INFINITY;  // a thread that waits for its team is looked at too shortly to seem slower
    leaves_ = in_team_ = false;
    recruits_ = 0;
    reported_ = 0;
    call_ = Call::wait;
    barrier_.reset(1, nullptr);
    part_end_ = team || threads == 1 ? Clock::time_point::max() : std::max(team_rests_until(), now_ + duration(alone_seconds));
}

// By the others, who wait for worker 0.
Crew::Call Crew::report() {
    reported_.fetch_add(1, std::memory_order_acq_rel);
    int spins = 0;
    Call call;
    while ((call = call_.load(std::memory_order_acquire)) == Call::wait) spin_once(spins);
    return call;
}

void Crew::wait_for_team() {
    for (int spins = 0; !team_has_come();) spin_once(spins);
}

// Calls the others in, or sends them home.
void Crew::begin_team(int workers) {
    if (!leaves_) {
        in_team_ = workers > 1;
        begin_clock();
    }
    barrier_.reset(workers, shares_);
    call_.store(leaves_ ? Call::leave : Call::start, std::memory_order_release);
}

void Crew::read_clock() {
    const Clock::time_point before = now_;
    now_ = Clock::now();
    const double seconds = seconds_between(before, now_), turns = static_cast<double>(turns_);
    if (all_alike_) {
        trial_seconds_ += seconds;
        trial_turns_ += turns;
    }
    turns_ = 0;
    next_clock_ = static_cast<long long>(clock_seconds / clock_share / (seconds / turns + 1e-9)) + 1;
    all_alike_ = true;
    if (now_ >= end_) end();
    if (now_ >= part_end_) leaves_ = true;
    if (in_team_) {
        for (int i = 0; i <= recruits_; ++i) shares_->add_busy(i, now_ - before);
        shares_->adjust(now_ - before);
    }
    if (trial_seconds_ < (in_team_ ? team_trial_seconds : alone_trial_seconds)) return;
    const double each = trial_seconds_ / trial_turns_;
    if (!in_team_) alone_each_ = fastest_ = std::min(fastest_, each);
    else if (!at_once_ && !trials_.pays(each, alone_each_)) leaves_ = true;
    begin_trial();
}

}  // namespace chainrule::runtime
