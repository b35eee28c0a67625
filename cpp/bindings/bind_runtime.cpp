// Threads, CPU target and how the module was built.
#include <pybind11/stl.h>

#include <chrono>
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "runtime/cores.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace chainrule::bindings {
namespace {

py::dict build_info() {
    py::dict info;
    info["version"] = CHAINRULE_VERSION;
    info["compiler"] = __VERSION__;
#if defined(_OPENMP)
    info["openmp"] = _OPENMP;
#else
    info["openmp"] = 0;  // built without it: one thread
#endif
    info["flags"] = "-O3 -ffp-contract=off -fno-math-errno -fno-trapping-math";
    return info;
}

// Billions of operations a second that one thread reaches with fused multiply-adds alone.
template <class T> double peak(double seconds) {
    using Clock = std::chrono::steady_clock;
    double flops = 0, best = 0;
    const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (Clock::now() < end) {
        const Clock::time_point start = Clock::now();
        flops = runtime::kernels<T>().fma_chain(20000);
        const double rate = flops / std::chrono::duration<double>(Clock::now() - start).count() * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
}

double fma_peak(const std::string& dtype, double seconds) {
    if (dtype != "float32" && dtype != "float64") throw py::value_error("dtype: expected 'float32' or 'float64', got '" + dtype + "'");
    const Unlocked unlocked;
    return dtype == "float64" ? peak<double>(seconds) : peak<float>(seconds);
}

}  // namespace

void bind_runtime(py::module_& module) {
    try {
        runtime::target();
    } catch (const std::runtime_error& error) {
        throw py::import_error(error.what());
    }
    module.def("cpu_target", [] { return runtime::target().name; }, "Name of the kernels in use.");
    module.def("available_targets", &runtime::available_targets, "Names of the kernels this CPU can run, the plainest first.");
    module.def(
        "set_num_threads",
        [](int count) {
            if (count < 1) throw py::value_error("num_threads: expected an int >= 1, got " + std::to_string(count));
            runtime::set_num_threads(count);
        },
        KeepsFlags(), py::arg("count").noconvert(), "Largest number of threads a call may use, from the next call on.");
    module.def(
        "limit_threads_here",
        [](int count) {
            if (count < 0) throw py::value_error("limit: expected an int >= 0, got " + std::to_string(count));
            return runtime::limit_threads_here(count);
        },
        KeepsFlags(), py::arg("count").noconvert(), "Bound the threads of the calling Python thread's calls, 0 for no bound; return the bound before.");
    module.def("get_num_threads", &runtime::get_num_threads, KeepsFlags(), "Largest number of threads a call of this thread may use.");
    module.def("quota_cores", &runtime::quota_cores, KeepsFlags(), py::arg("root"), "Cores that the control groups below root/sys leave this process; inf: no quota.");
    module.def(
        "follow_speeds",
        [](std::vector<double> shares, const std::vector<double>& busy) {
            if (shares.empty() || shares.size() != busy.size())
                throw py::value_error("busy: expected " + std::to_string(shares.size()) + " times, one a share, got " + std::to_string(busy.size()));
            runtime::follow_speeds(shares, busy);
            return shares;
        },
        KeepsFlags(), py::arg("shares"), py::arg("busy"), "Next shares of a team's work, from those it had and how long each worker was busy with its own.");
    module.def("build_info", &build_info, "Version, compiler, OpenMP date and flags.");
    module.def("fma_peak", &fma_peak, py::arg("dtype"), py::arg("seconds"), "GFLOP/s of fused multiply-adds alone, one thread.");
}

}  // namespace chainrule::bindings
