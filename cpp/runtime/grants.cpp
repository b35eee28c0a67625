#include "runtime/grants.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sys/mman.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include "runtime/memory.hpp"
#include "runtime/shares.hpp"

namespace chainrule::runtime {
namespace {

#if defined(__unix__) || defined(__APPLE__)
// Bytes of "512K", "2 m" or "64" (kilobytes), as OMP_STACKSIZE is written; 0 for anything else.
std::size_t stack_bytes(const char* text) {
    if (!text) return 0;
    char* rest = nullptr;
    const unsigned long long size = std::strtoull(text, &rest, 10);
    if (rest == text) return 0;
    const auto skip_spaces = [&rest] {
        while (std::isspace(static_cast<unsigned char>(*rest))) ++rest;
    };
    int shift = 10;
    skip_spaces();
    switch (std::tolower(static_cast<unsigned char>(*rest))) {
        case 'b': shift = 0; ++rest; break;
        case 'k': shift = 10; ++rest; break;
        case 'm': shift = 20; ++rest; break;
        case 'g': shift = 30; ++rest; break;
        default: break;
    }
    skip_spaces();
    return *rest == '\0' ? static_cast<std::size_t>(size) << shift : 0;
}

// Threads with the stacks that OpenMP gives its own.
class TrialThreads {
  public:
    TrialThreads() {
        pthread_attr_init(&attributes_);
        for (const char* name : {"OMP_STACKSIZE", "GOMP_STACKSIZE"})
            if (const std::size_t bytes = stack_bytes(std::getenv(name)); bytes > 0) {
                pthread_attr_setstacksize(&attributes_, bytes);  // fails for a size that is too small, which OpenMP ignores too
                break;
            }
    }
    ~TrialThreads() { pthread_attr_destroy(&attributes_); }
    TrialThreads(const TrialThreads&) = delete;
    TrialThreads& operator=(const TrialThreads&) = delete;

    // How many can be had and leave as much memory as they take; all alive at once, and of fewer than were tried half: the rest
    // of the process needs memory and threads too, and somebody else may take some before the team does.
    int had(int wanted) {
        while (wanted > 0 && !room_for(wanted)) wanted /= 2;
        std::vector<Thread> threads(static_cast<std::size_t>(wanted));
        int count = 0;
        {
            const std::lock_guard<std::mutex> closed(gate_);
            for (Thread& thread : threads) {
                thread.gate = &gate_;
                if (pthread_create(&thread.handle, &attributes_, pass_gate, &thread) != 0) break;
                ++count;
            }
        }
        for (int i = 0; i < count; ++i) wait_for_end(threads[static_cast<std::size_t>(i)]);
        return count == wanted ? count : count / 2;
    }

  private:
    struct Thread {
        pthread_t handle;
        std::mutex* gate;
        long id;
    };
    static void* pass_gate(void* argument) {
        Thread& self = *static_cast<Thread*>(argument);
        const std::lock_guard<std::mutex> opened(*self.gate);
#if defined(__linux__)
        self.id = syscall(SYS_gettid);
#endif
        return nullptr;
    }
    // A joined thread still counts for a moment, until the system knows it no more.
    static void wait_for_end(const Thread& thread) {
        pthread_join(thread.handle, nullptr);
#if defined(__linux__)
        while (syscall(SYS_tgkill, getpid(), thread.id, 0) == 0) sched_yield();
#endif
    }
    // Twice what a thread takes: its stack and, at its first allocation, an arena of the C library's heap (addresses alone).
    bool room_for(int count) const {
        constexpr std::size_t arena = std::size_t(64) << 20;
        std::size_t stack = 0;
        if (pthread_attr_getstacksize(&attributes_, &stack) != 0) return false;
        const std::size_t stacks = 2 * static_cast<std::size_t>(count) * stack, all = stacks + 2 * static_cast<std::size_t>(count) * arena;
        void* const room = mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room == MAP_FAILED) return false;
        const bool usable = mprotect(room, stacks, PROT_READ | PROT_WRITE) == 0;
        munmap(room, all);
        return usable;
    }

    pthread_attr_t attributes_;
    std::mutex gate_;
};

int new_threads_had(int wanted) { return TrialThreads().had(wanted); }
#else
int new_threads_had(int wanted) { return wanted; }
#endif

// A refusal is believed for so long: a trial takes some 35 microseconds a thread.
constexpr auto refusal = std::chrono::seconds(2);

// What the calling thread knows: OpenMP keeps the threads of a team for whoever opened it, but those that the next one does
// not need.
class Grants {
  public:
    int threads_there = 1;

    // More than were granted and not more than were asked for is known to be refused.
    int unless_refused(int wanted) const {
        return wanted > granted_ && wanted <= asked_ && Clock::now() < refused_until_ ? granted_ : wanted;
    }
    bool enough_for(int wanted) const { return wanted <= granted_; }
    int now(int wanted) {
        granted_ = wanted <= threads_there ? wanted : threads_there + new_threads_had(wanted - threads_there);
        asked_ = std::max(asked_, wanted);
        if (granted_ < wanted) refused_until_ = Clock::now() + refusal;
        return granted_;
    }

  private:
    int granted_ = 1, asked_ = 1;
    Clock::time_point refused_until_{};
};
thread_local Grants grants;

// Whoever tries or makes threads does so alone in this process, and none is about it while a child is forked.
std::mutex making;
#if defined(__unix__) || defined(__APPLE__)
const int fork_handlers = pthread_atfork([] { making.lock(); }, [] { making.unlock(); }, [] { making.unlock(); });
#endif

}  // namespace

int granted_threads(int wanted) {
    if (wanted = grants.unless_refused(wanted); grants.enough_for(wanted)) return wanted;
    const std::lock_guard<std::mutex> lock(making);
    return grants.now(wanted);
}

TeamGrant::TeamGrant(int& threads) : threads_(threads), lock_(making, std::defer_lock) {
    threads = grants.unless_refused(threads);
    if (threads <= grants.threads_there) return;
    lock_.lock();
    threads = grants.now(threads);
}

void TeamGrant::team_is_there() {
    grants.threads_there = threads_;
    if (lock_) lock_.unlock();
}

void settle_worker() { scratch_bytes(0); }

}  // namespace chainrule::runtime
