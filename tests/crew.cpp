// A crew (runtime/crew) without a net, for test_crew.py. A turn sleeps for its worker's share of a time, so that a team is as
// fast as it should be on a busy machine too.
//
//     crew SCENARIO THREADS
//
// prints words: for each turn how many worked in it, and what a scenario adds.

#include "runtime/crew.hpp"

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>
#include <thread>
#include <vector>

using namespace chainrule;
using namespace chainrule::runtime;

namespace {

void sleep(double seconds) { std::this_thread::sleep_for(duration(seconds)); }

// Of a run: the sizes of its crews, turn by turn; and whether each item had one worker in each turn.
struct Log {
    std::vector<int> sizes;
    std::vector<int> items = std::vector<int>(997, 0);
    bool complete = true;
    void mark(Worker worker) {
        const Range mine = share(static_cast<Index>(items.size()), 1, worker);
        for (Index i = mine.first; i < mine.last; ++i) ++items[static_cast<std::size_t>(i)];
    }
    void close(int size) {
        sizes.push_back(size);
        for (int& item : items) {
            complete = complete && item == 1;
            item = 0;
        }
    }
    void print() const {
        std::printf("%s", complete ? "complete" : "incomplete");
        for (const int size : sizes) std::printf(" %d", size);
        std::printf("\n");
    }
};

// A turn: body(worker), all meet, worker 0 counts it and may end the run.
template <class Body> void turn(Crew& crew, Worker worker, Log& log, Turn kind, std::size_t turns, const Body& body) {
    log.mark(worker);
    body();
    crew.barrier().wait(worker);
    if (worker.index == 0) {
        log.close(worker.count);
        if (log.sizes.size() == turns) crew.end();
        crew.count(kind);
    }
    crew.barrier().wait(worker);
}

constexpr auto never = Clock::time_point::max();

// Turns whose work is divided.
void divided(int threads) {
    Crew crew;
    Log log;
    crew.run(threads, false, never, [&](Worker worker) { turn(crew, worker, log, Turn::alike, 150, [&] { sleep(1e-3 * (worker.to - worker.from)); }); });
    log.print();
}

// Turns that a team does no faster than one, but later.
void slower(int threads) {
    Crew crew;
    Log log;
    crew.run(threads, false, never, [&](Worker worker) { turn(crew, worker, log, Turn::alike, 150, [&] { sleep(worker.count > 1 ? 2e-3 : 5e-4); }); });
    log.print();
}

// Every third turn is of another kind, ten times as long in a team; the others are divided.
void mixed(int threads) {
    Crew crew;
    Log log;
    crew.run(threads, false, never, [&](Worker worker) {
        const bool other = log.sizes.size() % 3 == 2;
        turn(crew, worker, log, other ? Turn::other : Turn::alike, 150, [&] {
            if (other) sleep(worker.count > 1 ? 5e-3 : 5e-4);
            else sleep(1e-3 * (worker.to - worker.from));
        });
    });
    log.print();
}

// A team from the first turn on, ended by a turn.
void at_once(int threads) {
    Crew crew;
    Log log;
    crew.run(threads, true, never, [&](Worker worker) { turn(crew, worker, log, Turn::alike, 100, [] {}); });
    log.print();
}

// Ended by the clock; then again, with what is known of the speeds.
void ended_by_clock(int threads) {
    Crew crew;
    Log log;
    for (int run = 0; run < 3; ++run) {
        const Clock::time_point start = Clock::now();
        crew.run(threads, false, start + duration(0.03), [&](Worker worker) { turn(crew, worker, log, Turn::alike, 0, [] { sleep(5e-4); }); });
        std::printf("%.4f ", seconds_between(start, Clock::now()));
    }
    log.print();
}

// Whether every worker flushes subnormal numbers within a run and keeps them after it.
void subnormals(int threads) {
    Crew crew;
    Log log;
    std::vector<int> flushed(static_cast<std::size_t>(threads), 0);
    const auto half_of_smallest = [] {
        volatile float smallest = std::numeric_limits<float>::min();
        return smallest * 0.5f;
    };
    crew.run(threads, true, never, [&](Worker worker) {
        turn(crew, worker, log, Turn::alike, 10, [&] { flushed[static_cast<std::size_t>(worker.index)] = half_of_smallest() == 0; });
    });
    std::printf("%d", half_of_smallest() > 0);
    for (const int each : flushed) std::printf(" %d", each);
    std::printf("\n");
}

}  // namespace

int main(int count, char** words) {
    const std::map<std::string, void (*)(int)> scenarios = {
        {"divided", divided}, {"slower", slower}, {"mixed", mixed}, {"at_once", at_once}, {"ended_by_clock", ended_by_clock}, {"subnormals", subnormals},
    };
    if (count != 3) return 2;
    scenarios.at(words[1])(std::atoi(words[2]));
}
