// operator new that fails when it is told to: preloaded by allocations.py.
//
// Of the thread-safe kind: the compiled core allocates in several threads. The smallest ones never fail: pybind11 notes each
// object in a table, and ends the process where it cannot.
#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<long> count{0}, failing{0};  // 0: none fails
std::atomic<bool> for_good{false};

constexpr std::size_t smallest = 64;  // bytes

bool fails(std::size_t bytes) {
    if (bytes < smallest) return false;
    const long place = ++count, wanted = failing;
    return wanted > 0 && (place == wanted || (for_good && place > wanted));
}
void* made(std::size_t bytes) { return fails(bytes) ? nullptr : std::malloc(bytes ? bytes : 1); }
void* made(std::size_t bytes, std::align_val_t alignment) {
    void* data = nullptr;
    if (fails(bytes) || posix_memalign(&data, static_cast<std::size_t>(alignment), bytes ? bytes : 1) != 0) return nullptr;
    return data;
}
void* or_throw(void* data) {
    if (!data) throw std::bad_alloc();
    return data;
}
}  // namespace

extern "C" {
// The `place`-th allocation from now on fails, and with `stays` all after it. 0: none.
void fail_at(long place, bool stays) {
    for_good = stays;
    count = 0;
    failing = place;
}
long allocations() { return count; }
}

void* operator new(std::size_t bytes) { return or_throw(made(bytes)); }
void* operator new[](std::size_t bytes) { return or_throw(made(bytes)); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return made(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return made(bytes); }
void* operator new(std::size_t bytes, std::align_val_t a) { return or_throw(made(bytes, a)); }
void* operator new[](std::size_t bytes, std::align_val_t a) { return or_throw(made(bytes, a)); }
void* operator new(std::size_t bytes, std::align_val_t a, const std::nothrow_t&) noexcept { return made(bytes, a); }
void operator delete(void* data) noexcept { std::free(data); }
void operator delete[](void* data) noexcept { std::free(data); }
void operator delete(void* data, std::size_t) noexcept { std::free(data); }
void operator delete[](void* data, std::size_t) noexcept { std::free(data); }
void operator delete(void* data, std::align_val_t) noexcept { std::free(data); }
void operator delete[](void* data, std::align_val_t) noexcept { std::free(data); }
void operator delete(void* data, std::size_t, std::align_val_t) noexcept { std::free(data); }
