#include "runtime/memory.hpp"

#include <cstring>
#include <new>
#include <utility>

namespace chainrule::runtime {

Block::Block(std::size_t bytes)
    : data_(::operator new(bytes ? bytes : 1, std::align_val_t(static_cast<std::size_t>(line_bytes)))), bytes_(bytes) {
    std::memset(data_, 0, bytes_);
}

Block::~Block() {
    if (data_) ::operator delete(data_, std::align_val_t(static_cast<std::size_t>(line_bytes)));
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
