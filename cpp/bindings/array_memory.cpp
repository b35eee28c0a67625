#include "bindings/array_memory.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "bindings/arrays.hpp"
#include "runtime/memory.hpp"

namespace chainrule::bindings {
namespace {

// Kept even where nothing is in use: the rows of a long training's history come and go.
constexpr std::size_t always_kept = 8 << 20;
constexpr std::align_val_t alignment{static_cast<std::size_t>(line_bytes)};

// Blocks given back, oldest first. NumPy may free an array on any thread.
class Pool {
  public:
    void* take(std::size_t bytes) {
        if (void* const data = take_or_make(bytes)) return data;
        runtime::drop_kept_memory();
        return take_or_make(bytes);
    }

    void drop() {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (const Waiting& block : blocks_) ::operator delete(block.data, alignment);
        blocks_.clear();
        waiting_ = 0;
    }

    void give_back(void* data, std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        live_ -= bytes;
        blocks_.push_back({data, bytes});
        waiting_ += bytes;
        while (waiting_ > std::max(live_, always_kept)) {
            ::operator delete(blocks_.front().data, alignment);
            waiting_ -= blocks_.front().bytes;
            blocks_.erase(blocks_.begin());
        }
    }

  private:
    struct Waiting {
        void* data;
        std::size_t bytes;
    };

    void* take_or_make(std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        live_ += bytes;
        for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block)
            if (block->bytes == bytes) {
                void* const data = block->data;
                waiting_ -= bytes;
                blocks_.erase(std::next(block).base());
                return data;
            }
        void* const data = ::operator new(bytes ? bytes : 1, alignment, std::nothrow);
        if (!data) live_ -= bytes;
        return data;
    }

    std::mutex mutex_;
    std::vector<Waiting> blocks_;
    std::size_t live_ = 0, waiting_ = 0;
};

// Never destroyed: arrays may outlive the module.
Pool& pool() {
    static Pool* const one = [] {
        Pool* const made = new Pool;
        runtime::keeps_memory([] { pool().drop(); });
        return made;
    }();
    return *one;
}

void* pool_malloc(void*, std::size_t bytes) { return pool().take(bytes); }
void* pool_calloc(void*, std::size_t count, std::size_t size) {
    void* const data = pool().take(count * size);
    if (data) std::memset(data, 0, count * size);
    return data;
}
void pool_free(void*, void* data, std::size_t bytes) {
    if (data) pool().give_back(data, bytes);
}
// NumPy asks for this in ndarray.resize only, and does not tell the old size.
void* pool_realloc(void*, void*, std::size_t) { return nullptr; }

PyObject* handler() {
    static PyDataMem_Handler description = {"chainrule", 1, {nullptr, pool_malloc, pool_calloc, pool_realloc, pool_free}};
    static PyObject* const capsule = PyCapsule_New(&description, "mem_handler", nullptr);
    return capsule;
}

}  // namespace

PooledMemory::PooledMemory() : before_(PyDataMem_SetHandler(handler())) {
    if (!before_) throw py::error_already_set();
}

PooledMemory::~PooledMemory() {
    PyObject* const ours = PyDataMem_SetHandler(before_);
    Py_XDECREF(ours);
    Py_DECREF(before_);
}

}  // namespace chainrule::bindings
