#include "runtime/memory.hpp"

#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace chainrule::runtime {
namespace {

constexpr std::align_val_t line_alignment{static_cast<std::size_t>(line_bytes)};

#if defined(__linux__)
constexpr std::size_t large_page = std::size_t(2) << 20, worth_large_pages = 2 * large_page;

std::size_t mapping_bytes(std::size_t bytes) { return bytes + large_page; }

// Large pages: fewer page faults now, fewer address translations later; a wish that the system may refuse.
void* map_zeros(std::size_t bytes, void** mapping) {
    *mapping = mmap(nullptr, mapping_bytes(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*mapping == MAP_FAILED) throw std::bad_alloc();
    const std::uintptr_t start = (reinterpret_cast<std::uintptr_t>(*mapping) + large_page - 1) / large_page * large_page;
    void* const data = reinterpret_cast<void*>(start);
    madvise(data, bytes / large_page * large_page, MADV_HUGEPAGE);
    return data;
}
#endif

}  // namespace

Block::Block(std::size_t bytes) : bytes_(bytes) {
#if defined(__linux__)
    if (bytes >= worth_large_pages) {
        data_ = map_zeros(bytes, &mapping_);
        return;
    }
#endif
    data_ = ::operator new(bytes ? bytes : 1, line_alignment);
    std::memset(data_, 0, bytes_);
}

Block::~Block() {
#if defined(__linux__)
    if (mapping_) {
        munmap(mapping_, mapping_bytes(bytes_));
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
    for (const Wish& wish : wishes_) *wish.array = static_cast<char*>(block_.data()) + wish.offset;
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
