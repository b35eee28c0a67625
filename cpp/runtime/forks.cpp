#include "runtime/forks.hpp"

#if defined(__linux__)
#include <link.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "runtime/openmp.hpp"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__)) && defined(_OPENMP)
#define CHAINRULE_SEES_THREAD_STORAGE 1
// The C library's: where a module's thread-local storage (number, offset) lies for the calling thread.
extern "C" void* __tls_get_addr(std::size_t* place);
#endif

namespace chainrule::runtime {
namespace {

std::atomic<bool> alone{false}, team_opened{false};
std::atomic<int> forks{0};

#if defined(CHAINRULE_SEES_THREAD_STORAGE)
// The OpenMP library's thread-local storage: what it is like in a new thread, and its number.
struct ThreadStorage {
    std::size_t module = 0, bytes = 0, image_bytes = 0;  // zeros follow the image
    const void* image = nullptr;
};

int find_openmp(dl_phdr_info* library, std::size_t, void* result) {
    const std::uintptr_t sought = reinterpret_cast<std::uintptr_t>(&omp_get_max_threads);
    ThreadStorage storage;
    bool found = false;
    for (int i = 0; i < library->dlpi_phnum; ++i) {
        const auto& part = library->dlpi_phdr[i];
        const std::uintptr_t start = library->dlpi_addr + part.p_vaddr;
        if (part.p_type == PT_LOAD) found = found || (start <= sought && sought < start + part.p_memsz);
        if (part.p_type == PT_TLS) storage = {library->dlpi_tls_modid, part.p_memsz, part.p_filesz, reinterpret_cast<const void*>(start)};
    }
    if (found) *static_cast<ThreadStorage*>(result) = storage;
    return found;
}

// Whether OpenMP has kept nothing about the calling thread so far, and so no team: libgomp notes a thread's pool in its
// thread-local storage. Asking it how many threads it would use leaves no trace, setting their number does.
bool thread_is_new_to_openmp() {
    ThreadStorage storage;
    dl_iterate_phdr(find_openmp, &storage);
    if (storage.module == 0) return false;
    std::size_t place[2] = {storage.module, 0};
    const char* const bytes = static_cast<const char*>(__tls_get_addr(place));
    return std::memcmp(bytes, storage.image, storage.image_bytes) == 0 &&
           std::all_of(bytes + storage.image_bytes, bytes + storage.bytes, [](char byte) { return byte == 0; });
}
#else
bool thread_is_new_to_openmp() { return false; }
#endif

#if defined(__linux__)
// The ninth word of /proc/self/stat; the second one, a name in brackets, may hold anything.
bool forked_without_exec() {
    constexpr unsigned long flag = 0x40;  // the kernel's PF_FORKNOEXEC
    std::ifstream file("/proc/self/stat");
    std::string text;
    std::getline(file, text, '\0');
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return true;
    std::istringstream words(text.substr(name_end + 1));
    std::string skipped;
    for (int word = 3; word < 9; ++word) words >> skipped;
    unsigned long flags = 0;
    return !(words >> flags) || (flags & flag) != 0;
}

// Loaded after a fork that nobody watched, while the thread that came along, the first one, may have had a team before.
bool comes_too_late() { return forked_without_exec() && (syscall(SYS_gettid) != getpid() || !thread_is_new_to_openmp()); }
#else
bool comes_too_late() { return false; }
#endif

#if defined(__unix__) || defined(__APPLE__)
thread_local bool new_at_fork = false;
void before_fork() { new_at_fork = thread_is_new_to_openmp(); }
void in_child() {
    forks.fetch_add(1);
    if (team_opened.load() || !new_at_fork) alone.store(true);
}

bool watch_forks() {
    if (pthread_atfork(before_fork, nullptr, in_child) != 0 || comes_too_late()) alone.store(true);
    return true;
}
const bool watching = watch_forks();
#endif

}  // namespace

bool stays_alone() { return alone.load(std::memory_order_relaxed); }

int forks_so_far() { return forks.load(std::memory_order_relaxed); }

void note_team() { team_opened.store(true); }

}  // namespace chainrule::runtime
