// A team (runtime/team) whose workers throw, each in turn: the exception comes out, and the next team works.
//
//     workers ROUNDS
//
// prints how many exceptions came out.
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/team.hpp"

using namespace chainrule;
using namespace chainrule::runtime;

namespace {

int caught = 0;

void fail(bool condition, const char* text) {
    if (condition) return;
    std::fprintf(stderr, "%s\n", text);
    std::exit(1);
}

// Whoever is in the set throws; the others do their share.
void one_round(int threads, int throwing, bool all, bool memory) {
    std::vector<int> items(1000, 0);
    bool thrown = false;
    try {
        run_team(threads, [&](Worker worker) {
            if (worker.index == throwing || all) {
                if (memory) throw std::bad_alloc();
                throw std::runtime_error(std::to_string(worker.index));
            }
            const Range mine = share(1000, 1, worker);
            for (Index i = mine.first; i < mine.last; ++i) ++items[static_cast<std::size_t>(i)];
        });
    } catch (const std::bad_alloc&) {
        thrown = memory;
    } catch (const std::runtime_error& error) {
        thrown = !memory && (all || error.what() == std::to_string(throwing));
    }
    fail(thrown, "an exception was lost, or another one came");
    ++caught;
    std::vector<int> after(1000, 0);
    run_team(threads, [&](Worker worker) {
        const Range mine = share(1000, 1, worker);
        for (Index i = mine.first; i < mine.last; ++i) ++after[static_cast<std::size_t>(i)];
    });
    for (const int each : after) fail(each == 1, "the next team left something out");
}

}  // namespace

int main(int count, char** words) {
    const int rounds = count > 1 ? std::atoi(words[1]) : 1;
    set_num_threads(8);
    for (int round = 0; round < rounds; ++round)
        for (int threads = 1; threads <= 8; ++threads)
            for (int throwing = 0; throwing < threads; ++throwing)
                for (const bool memory : {false, true}) {
                    one_round(threads, throwing, false, memory);
                    one_round(threads, throwing, true, memory);
                }
    std::printf("%d\n", caught);
}
