// Memory of large result arrays: aligned to cache lines and used again.
//
// A large array from the system comes as untouched pages, and touching them first costs more than computing what goes
// in. A step of a training loop makes the same arrays again and again, so blocks that were given back wait for the next
// one of their size; never more of them than are in use (8 MB apart), so that the process takes at most twice what its
// arrays need.
#pragma once

#include <cstddef>

struct _object;

namespace chainrule::bindings {

// Arrays from this size on; smaller ones come quickly from the heap.
constexpr std::size_t pooled_bytes = 64 * 1024;

// While it lives, NumPy takes array memory from the pool. Under the GIL.
class PooledMemory {
  public:
    PooledMemory();
    ~PooledMemory();
    PooledMemory(const PooledMemory&) = delete;
    PooledMemory& operator=(const PooledMemory&) = delete;

  private:
    _object* before_;
};

}  // namespace chainrule::bindings
