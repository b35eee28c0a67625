// A crew (runtime/crew) without a net, for test_crew.py. Time is what the turns say that they take (virtual/runtime/clock.hpp).
//
//     crew SCENARIO THREADS
//
// prints words: whether each item had one worker in each turn, then the sizes of the crews, turn by turn, from a few turns
// before a team came.

#include "runtime/crew.hpp"

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>
#include <vector>

using namespace chainrule;
using namespace chainrule::runtime;

namespace {

constexpr std::size_t before = 10, after = 100, most = 10'000'000;
constexpr auto never = Clock::time_point::max();

void pass(double seconds) { Clock::nanoseconds += duration(seconds).count(); }

struct Log {
    std::vector<int> sizes;
    std::size_t team = 0;  // the first turn of a team, from 1
    std::vector<int> items = std::vector<int>(997, 0);
    bool complete = true;
    void mark(Worker worker) {
        const Range mine = share(static_cast<Index>(items.size()), 1, worker);
        for (Index i = mine.first; i < mine.last; ++i) ++items[static_cast<std::size_t>(i)];
    }
    void close(int size) {
        sizes.push_back(size);
        if (team == 0 && size > 1) team = sizes.size();
        for (int& item : items) {
            complete = complete && item == 1;
            item = 0;
        }
    }
    void print() const {
        std::printf("%s", complete ? "complete" : "incomplete");
        for (std::size_t i = team > before ? team - before : 0; i < sizes.size(); ++i) std::printf(" %d", sizes[i]);
        std::printf("\n");
    }
};

// All take their items and meet, then time goes by. Returns after the last meeting.
void turn(Crew& crew, Worker worker, Log& log, Turn kind, double seconds, bool last) {
    log.mark(worker);
    crew.barrier().wait(worker);
    if (worker.index == 0) {
        log.close(worker.count);
        pass(seconds);
        if (last) crew.end();
        crew.count(kind);
    }
    crew.barrier().wait(worker);
}

// A run of `after` turns from the first one of a team on, of these kinds and lengths, by the turn's number and the crew's size.
template <class Kind, class Seconds> void run(int threads, bool at_once, const Kind& kind, const Seconds& seconds) {
    Crew crew;
    Log log;
    crew.run(threads, at_once, never, [&](Worker worker) {
        const std::size_t number = log.sizes.size(), first = threads == 1 ? 1 : log.team;
        const bool last = (first > 0 && number + 2 == first + after) || number == most;
        turn(crew, worker, log, kind(number), seconds(number, worker.count), last);
    });
    log.print();
}

Turn alike(std::size_t) { return Turn::alike; }

void divided(int threads) {
    run(threads, false, alike, [](std::size_t, int workers) { return 1e-3 / workers; });
}

void slower(int threads) {
    run(threads, false, alike, [](std::size_t, int workers) { return workers > 1 ? 2e-3 : 5e-4; });
}

bool is_third(std::size_t number) { return number % 3 == 2; }
// Every third turn takes a team ten times as long; the others are divided.
double mixed_seconds(std::size_t number, int workers) { return is_third(number) && workers > 1 ? 1e-2 : 1e-3 / workers; }

void mixed(int threads) {
    run(threads, false, [](std::size_t number) { return is_third(number) ? Turn::other : Turn::alike; }, mixed_seconds);
}

void mixed_alike(int threads) { run(threads, false, alike, mixed_seconds); }

void at_once(int threads) {
    run(threads, true, alike, [](std::size_t, int) { return 1e-3; });
}

// Three runs of 30 ms; prints how long each took and how many turns there were.
void ended_by_clock(int threads) {
    Crew crew;
    Log log;
    for (int i = 0; i < 3; ++i) {
        const Clock::time_point start = Clock::now();
        crew.run(threads, false, start + duration(0.03), [&](Worker worker) { turn(crew, worker, log, Turn::alike, 7e-4, false); });
        std::printf("%.4f %zu ", seconds_between(start, Clock::now()), log.sizes.size());
    }
    std::printf("%s\n", log.complete ? "complete" : "incomplete");
}

// Turns that take no time worth naming: how often the clock was read in 10000 of them.
void short_turns(int threads) {
    Crew crew;
    int turns = 0, reads = 0;
    crew.run(threads, false, never, [&](Worker) {
        pass(1e-7);
        if (++turns == 10000) crew.end();
        reads += crew.count(Turn::alike);
    });
    std::printf("%d\n", reads);
}

// Whether the caller keeps subnormal numbers after a run, then whether each worker flushes them within.
void subnormals(int threads) {
    Crew crew;
    Log log;
    std::vector<int> flushed(static_cast<std::size_t>(threads), 0);
    const auto half_of_smallest = [] {
        volatile float smallest = std::numeric_limits<float>::min();
        return smallest * 0.5f;
    };
    crew.run(threads, true, never, [&](Worker worker) {
        flushed[static_cast<std::size_t>(worker.index)] = half_of_smallest() == 0;
        turn(crew, worker, log, Turn::alike, 1e-3, log.sizes.size() == 9);
    });
    std::printf("%d", half_of_smallest() > 0);
    for (const int each : flushed) std::printf(" %d", each);
    std::printf("\n");
}

}  // namespace

int main(int count, char** words) {
    const std::map<std::string, void (*)(int)> scenarios = {
        {"divided", divided}, {"slower", slower}, {"mixed", mixed}, {"mixed_alike", mixed_alike}, {"at_once", at_once},
        {"ended_by_clock", ended_by_clock}, {"short_turns", short_turns}, {"subnormals", subnormals},
    };
    if (count != 3) return 2;
    scenarios.at(words[1])(std::atoi(words[2]));
}
