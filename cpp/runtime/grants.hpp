// Threads that the system grants: under a limit of memory or processes it refuses some, and OpenMP ends the process where it
// cannot make a thread of a team. So they are tried first, and a refusal costs speed only.
#pragma once

#include <mutex>

namespace chainrule::runtime {

// How many of `wanted` threads a team of the calling thread would get, itself among them.
int granted_threads(int wanted);

// Around each team of the calling thread. Where OpenMP has to make threads for it, others wait with theirs.
class TeamGrant {
  public:
    // Lowers `threads` to what is granted now.
    explicit TeamGrant(int& threads);
    // By worker 0, first of all: its part begins when all threads are there.
    void team_is_there();

  private:
    const int& threads_;
    std::unique_lock<std::mutex> lock_;
};

// By each worker: memory that a thread cannot do without, while there is room for it.
void settle_worker();

}  // namespace chainrule::runtime
