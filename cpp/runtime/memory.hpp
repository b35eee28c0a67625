// Memory aligned to cache lines: one block per plan, one growing block per thread for layer calls.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/kernels.hpp"

namespace chainrule::runtime {

// A block aligned to `line_bytes`; its contents are undefined. Throws std::bad_alloc. Where a large one comes new from the
// system, whoever touches a page first, on any thread, pays for it; so the one given back last waits for the next of its size.
class Block {
  public:
    Block() = default;
    explicit Block(std::size_t bytes);
    ~Block();
    Block(Block&& other) noexcept;
    Block& operator=(Block&& other) noexcept;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    void* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

  private:
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
    void* mapping_ = nullptr;  // large blocks: what the system gave
};

// Whoever keeps memory for reuse gives it back where an allocation would fail otherwise: `drop` is called then.
void keeps_memory(void (*drop)());
void drop_kept_memory();

// Lays arrays out one behind the other, then allocates them all at once:
//     Arena arena; arena.plan(&weights, n); ...; arena.allocate();
// Each array starts on a cache line. What it holds is undefined but for its last elements, where zeros are asked for.
class Arena {
  public:
    template <class T> void plan(T** array, Index count, Index zeros = 0) {
        const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
        const auto set = [](void* place, void* data) { *static_cast<T**>(place) = static_cast<T*>(data); };
        wishes_.push_back({array, set, used_, bytes, bytes - static_cast<std::size_t>(zeros) * sizeof(T)});
        used_ += round_up(bytes);
    }
    template <class T> void plan_zeros(T** array, Index count) { plan(array, count, count); }
    void allocate();
    std::size_t bytes() const { return used_; }

  private:
    static std::size_t round_up(std::size_t bytes) {
        constexpr std::size_t line = static_cast<std::size_t>(line_bytes);
        return (bytes + line - 1) / line * line;
    }
    struct Wish {
        void* array;  // a T**
        void (*set)(void* array, void* data);
        std::size_t offset, bytes, zeros_from;
    };
    std::vector<Wish> wishes_;
    std::size_t used_ = 0;
    Block block_;
};

// Scratch of the calling thread, at least `count` elements; contents are undefined, the next call takes it over.
void* scratch_bytes(std::size_t bytes);
template <class T> T* scratch(Index count) { return static_cast<T*>(scratch_bytes(static_cast<std::size_t>(count) * sizeof(T))); }

}  // namespace chainrule::runtime
