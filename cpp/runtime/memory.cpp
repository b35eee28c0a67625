#include "runtime/memory.hpp"

#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace chainrule::runtime {
namespace {

constexpr std::size_t large_page = std::size_t(2) << 20, worth_large_pages = 2 * large_page;

std::align_val_t alignment_for(std::size_t bytes) {
    return std::align_val_t(bytes >= worth_large_pages ? large_page : static_cast<std::size_t>(line_bytes));
}

}  // namespace

Block::Block(std::size_t bytes)
    : data_(::operator new(bytes ? bytes : 1, alignment_for(bytes))), bytes_(bytes) {
#if defined(__linux__)
    // Fewer page faults now, fewer address translations later; a wish that the system may refuse.
    if (bytes >= worth_large_pages) madvise(data_, bytes / large_page * large_page, MADV_HUGEPAGE);
#endif
    std::memset(data_, 0, bytes_);
}

Block::~Block() {
    if (data_) ::operator delete(data_, alignment_for(bytes_));
}

Block::Block(Block&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Block& Block::operator=(Block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
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
