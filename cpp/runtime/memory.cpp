#include "runtime/memory.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#ifndef MADV_FREE
#define MADV_FREE 8  // Linux 4.5
#endif
#endif

namespace chainrule::runtime {
namespace {

constexpr std::align_val_t line_alignment{static_cast<std::size_t>(line_bytes)};

#if defined(__linux__)
constexpr std::size_t large_page = std::size_t(2) << 20, worth_large_pages = 2 * large_page;

std::size_t mapping_bytes(std::size_t bytes) { return bytes + large_page; }

void* data_of(void* mapping) {
    return reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(mapping) + large_page - 1) / large_page * large_page);
}

// Large pages: fewer page faults now, fewer address translations later; a wish that the system may refuse.
void* map(std::size_t bytes) {
    const auto ask = [bytes] { return mmap(nullptr, mapping_bytes(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); };
    void* mapping = ask();
    if (mapping == MAP_FAILED) {
        drop_kept_memory();
        mapping = ask();
    }
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    madvise(data_of(mapping), bytes / large_page * large_page, MADV_HUGEPAGE);
    return mapping;
}

// The large block given back last: the next training of the same model needs one of its size, and touching fresh pages
// takes milliseconds. The system may take the pages of one that waits whenever it needs them. Nobody waits for the lock: in
// a child it may belong to a thread that did not come along.
class Spare {
  public:
    void* take(std::size_t bytes) {
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        return lock && bytes == bytes_ ? std::exchange(mapping_, nullptr) : nullptr;
    }
    void give_back(void* mapping, std::size_t bytes) {
        const bool may_wait = madvise(data_of(mapping), bytes, MADV_FREE) == 0;
        {
            const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
            if (lock && may_wait) {
                std::swap(mapping, mapping_);
                std::swap(bytes, bytes_);
            }
        }
        if (mapping) munmap(mapping, mapping_bytes(bytes));
    }

    void drop() {
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (lock && mapping_) munmap(std::exchange(mapping_, nullptr), mapping_bytes(bytes_));
    }

  private:
    std::mutex mutex_;
    void* mapping_ = nullptr;
    std::size_t bytes_ = 0;
};

// Never destroyed: blocks may outlive the module.
Spare& spare() {
    static Spare* const one = new Spare;
    return *one;
}
#endif

// CHAINRULE_MEMORY=nan fills new blocks with NaNs. For tests: results do not depend on what memory holds.
bool filled_with_nan() {
    const char* text = std::getenv("CHAINRULE_MEMORY");
    return text && std::string(text) == "nan";
}

}  // namespace

namespace {

// Few, and there from the beginning: the module's parts.
constexpr int most_keepers = 4;
std::atomic<void (*)()> keepers[most_keepers];
std::atomic<int> keepers_count{0};

void* allocate(std::size_t bytes) {
    const std::size_t wanted = bytes ? bytes : 1;
    void* data = ::operator new(wanted, line_alignment, std::nothrow);
    if (data) return data;
    drop_kept_memory();
    return ::operator new(wanted, line_alignment);
}

}  // namespace

void keeps_memory(void (*drop)()) {
    const int place = keepers_count.fetch_add(1);
    if (place < most_keepers) keepers[place].store(drop);
}

void drop_kept_memory() {
#if defined(__linux__)
    spare().drop();
#endif
    for (std::atomic<void (*)()>& keeper : keepers)
        if (void (*const drop)() = keeper.load()) drop();
}

Block::Block(std::size_t bytes) : bytes_(bytes) {
#if defined(__linux__)
    if (bytes >= worth_large_pages) {
        mapping_ = spare().take(bytes);
        if (!mapping_) mapping_ = map(bytes);
        data_ = data_of(mapping_);
    }
#endif
    if (!data_) data_ = allocate(bytes);
    if (filled_with_nan()) std::memset(data_, 0xFF, bytes_);
}

Block::~Block() {
#if defined(__linux__)
    if (mapping_) {
        spare().give_back(mapping_, bytes_);
        return;
    }
#endif
    if (data_) ::operator delete(data_, line_alignment);
}

Block::Block(Block&& other) noexcept { *this = std::move(other); }

Block& Block::operator=(Block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(mapping_, other.mapping_);
    return *this;
}

void Arena::allocate() {
    block_ = Block(used_);
    for (const Wish& wish : wishes_) {
        char* const data = static_cast<char*>(block_.data()) + wish.offset;
        wish.set(wish.array, data);
        std::memset(data + wish.zeros_from, 0, wish.bytes - wish.zeros_from);
    }
    wishes_.clear();
}

void* scratch_bytes(std::size_t bytes) {
    thread_local Block block;
    if (block.bytes() < bytes) {
        block = Block();
        block = Block(bytes + bytes / 2);
    }
    return block.data();
}

}  // namespace chainrule::runtime
